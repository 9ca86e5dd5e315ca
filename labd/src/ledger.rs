//! The one durable truth: every event with the records it writes, appended, chained and synced.
//!
//! [`Ledger::stage`] gives an entry its place and returns at once; the entry is on disk when the
//! [`Commit`] it returned is done, and only then is anybody told. One thread writes; all who wait
//! share its syncs. What the entries mean is the lab's; here they are bytes with a place.
//!
//! - [`chain`]: the files as one; [`segment`]: each of them, and what is done about a damaged one
//! - [`record`]: what an entry is on disk
//! - [`retired`]: where it begins, once what is old was let go

pub mod chain;
pub mod record;
pub mod repair;
mod retired;
pub mod segment;

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::task::{Context, Poll};
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex, MutexGuard};
use protocol::Time;
use protocol::board::BoardName;
use protocol::journal::{By, Entry, Event};
use tokio::sync::{oneshot, watch};

use crate::clock::{Anchor, Clock};
pub use record::{Record, Write};
pub use segment::Damage;

/// How many entries are kept in memory for those who follow closely.
const RECENT: usize = 4_096;

/// A segment that has grown to this many bytes is followed by a new one.
pub const FULL: u64 = 16 << 20;

/// The ledger. Cheap to clone.
#[derive(Clone)]
pub struct Ledger {
    shared: Arc<Shared>,
}

struct Shared {
    folder: PathBuf,
    clock: Clock,
    boot: String,
    queue: Mutex<Queue>,
    staged: Condvar,
    committed: watch::Sender<u64>,
    recent: Mutex<VecDeque<Arc<Committed>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

struct Queue {
    /// The number of the last entry that was given a place.
    last: u64,
    records: Vec<Record>,
    /// Whom to tell when the entry of that number is on disk.
    waiting: Vec<(u64, Done)>,
    /// Counts the times that a commit failed. What was decided upon a failed commit is void.
    generation: u64,
    closed: bool,
}

type Done = oneshot::Sender<Result<u64, CannotRecord>>;

/// An entry that is on disk.
#[derive(Debug)]
pub struct Committed {
    /// The entry.
    pub entry: Entry,
    /// What it writes to the store.
    pub writes: Vec<Write>,
}

/// What is to be written down.
#[derive(Debug)]
pub struct Draft {
    /// Who did it, and how they came.
    pub by: By,
    /// To which board.
    pub board: Option<BoardName>,
    /// How far the board's console had come.
    pub offset: Option<u64>,
    /// What happened.
    pub event: Event,
    /// What changes with it.
    pub writes: Vec<Write>,
}

/// Why an entry did not get onto the disk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CannotRecord(pub String);

/// Done when the entry is on disk, with its number. May be dropped: the entry is written all the
/// same.
#[derive(Debug)]
pub struct Commit(oneshot::Receiver<Result<u64, CannotRecord>>);

impl Future for Commit {
    type Output = Result<u64, CannotRecord>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // Never in labd: this is the control build (tests/control) that the crash tests must catch.
        if cfg!(feature = "early-ack") {
            return Poll::Ready(Ok(0));
        }
        Pin::new(&mut self.0).poll(context).map(|done| {
            done.unwrap_or_else(|_| Err(CannotRecord("the ledger is closed".to_owned())))
        })
    }
}

/// Where a ledger is, and what is known of it from elsewhere.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'a> {
    /// Its folder, which is made if it is not there.
    pub folder: &'a Path,
    /// The number of an entry whose predecessors need not be read again: a snapshot holds what they
    /// wrote.
    pub trusted: u64,
    /// The number of the last entry that was certainly acknowledged: the store or a snapshot has it.
    pub known: u64,
    /// A segment that has grown to this many bytes is followed by a new one; usually [`FULL`].
    pub full: u64,
}

/// What was found when the ledger was opened.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    /// The number of the last entry; 0 if there is none.
    pub last: u64,
    /// How many bytes of an unfinished batch were cut off, if any: nobody had been told of them.
    pub cut: u64,
    /// What the clock showed when the last entry was made, and which run of the machine that was.
    pub anchor: Option<(Anchor, String)>,
}

impl Ledger {
    /// Opens a ledger. Committed entries are also sent to `apply`, in order.
    ///
    /// # Errors
    /// [`segment::Error`]: the disk's, or [`Damage`] with its place. Then nothing has changed.
    pub fn open(
        opening: &Opening<'_>,
        clock: Clock,
        apply: SyncSender<Arc<Committed>>,
    ) -> Result<(Ledger, Found), segment::Error> {
        let (tail, found) = chain::open(opening)?;
        let shared = Arc::new(Shared {
            folder: opening.folder.to_owned(),
            clock,
            boot: crate::clock::boot_id(),
            queue: Mutex::new(Queue {
                last: found.last,
                records: Vec::new(),
                waiting: Vec::new(),
                generation: 0,
                closed: false,
            }),
            staged: Condvar::new(),
            committed: watch::Sender::new(found.last),
            recent: Mutex::new(VecDeque::new()),
            writer: Mutex::new(None),
        });
        let writer = std::thread::Builder::new().name("ledger".to_owned()).spawn({
            let shared = shared.clone();
            move || write(&shared, tail, &apply)
        });
        *shared.writer.lock() = Some(writer.map_err(segment::Error::Thread)?);
        Ok((Ledger { shared }, found))
    }

    /// Gives an entry its place. It is on disk when the returned commit is done.
    pub fn stage(&self, draft: Draft) -> Commit {
        self.stage_all([draft])
    }

    /// Gives entries their places, one behind the other: on disk there are all of them or none.
    /// Staging nothing is done at once.
    pub fn stage_all(&self, drafts: impl IntoIterator<Item = Draft>) -> Commit {
        self.push(drafts, self.shared.queue.lock())
    }

    /// The same for what was decided upon what was remembered at `generation`: if a commit has
    /// failed since, the decision is void, and its commit fails as well.
    pub fn stage_upon(&self, generation: u64, drafts: impl IntoIterator<Item = Draft>) -> Commit {
        let queue = self.shared.queue.lock();
        if queue.generation == generation {
            return self.push(drafts, queue);
        }
        let (done, commit) = oneshot::channel();
        // The receiver is right here.
        let _ = done.send(Err(CannotRecord("what it follows from was not written".to_owned())));
        Commit(commit)
    }

    fn push(
        &self,
        drafts: impl IntoIterator<Item = Draft>,
        mut queue: MutexGuard<'_, Queue>,
    ) -> Commit {
        let (done, commit) = oneshot::channel();
        if queue.closed {
            return Commit(commit); // the dropped sender tells
        }
        let anchor = self.shared.clock.anchor();
        for draft in drafts {
            queue.last += 1;
            let Draft { by: By { who, via, request }, board, offset, event, writes } = draft;
            let (seq, at) = (queue.last, anchor.lab);
            let entry = Entry { seq, at, who, via, request, board, offset, event };
            let boot = self.shared.boot.clone();
            queue.records.push(Record { entry, uptime: anchor.uptime, boot, writes });
        }
        let last = queue.last;
        queue.waiting.push((last, done));
        drop(queue);
        self.shared.staged.notify_one();
        Commit(commit)
    }

    /// Done when all that is staged by now is on disk; none if it is already.
    pub fn unwritten(&self) -> Option<Commit> {
        let is_written = self.shared.queue.lock().last == *self.shared.committed.borrow();
        (!is_written).then(|| self.stage_all([]))
    }

    /// Counts failed commits. If it has changed since a decision was remembered, that decision and
    /// all upon it are void, and what is remembered must be read back from the store.
    pub fn generation(&self) -> u64 {
        self.shared.queue.lock().generation
    }

    /// The number of the newest entry on disk, as it grows.
    pub fn committed(&self) -> watch::Receiver<u64> {
        self.shared.committed.subscribe()
    }

    /// The entries on disk from number `from` on that can be had at once: at most `most`.
    ///
    /// # Errors
    /// The disk's, or damage.
    pub async fn read(
        &self,
        from: u64,
        most: usize,
    ) -> Result<Vec<Arc<Committed>>, segment::Error> {
        if let Some(entries) = self.recent(from, most) {
            return Ok(entries);
        }
        let (folder, last) = (self.shared.folder.clone(), *self.shared.committed.borrow());
        tokio::task::spawn_blocking(move || chain::read(&folder, from.max(1)..=last, most))
            .await
            .map_err(|error| segment::Error::Thread(io::Error::other(error)))?
    }

    /// The same for threads that may wait for the disk, and must not miss any.
    ///
    /// # Errors
    /// The disk's, or damage; [`segment::Error::Retired`].
    pub fn read_waiting(
        &self,
        from: u64,
        most: usize,
    ) -> Result<Vec<Arc<Committed>>, segment::Error> {
        if let Some(entries) = self.recent(from, most) {
            return Ok(entries);
        }
        let folder = &self.shared.folder;
        let first = chain::first(folder)?;
        if from < first {
            return Err(segment::Error::Retired { folder: folder.clone(), from, first });
        }
        chain::read(folder, from..=*self.shared.committed.borrow(), most)
    }

    /// Lets go of what is older than `age`, as far as nobody needs it who has a snapshot behind entry
    /// `covered`: whole segments, the oldest first. Returns the number of the last entry that is gone
    /// with them, if there are any. For a thread that may wait.
    ///
    /// # Errors
    /// The disk's, or damage. Then what is left is whole.
    pub fn retire(&self, covered: u64, age: Time) -> Result<Option<u64>, segment::Error> {
        chain::retire(&self.shared.folder, covered, age)
    }

    /// The newest `most` entries on disk that `is_wanted` wants, oldest first.
    ///
    /// # Errors
    /// The disk's, or damage.
    pub async fn newest(
        &self,
        most: usize,
        is_wanted: impl Fn(&Entry) -> bool + Send + 'static,
    ) -> Result<Vec<Arc<Committed>>, segment::Error> {
        let (folder, last) = (self.shared.folder.clone(), *self.shared.committed.borrow());
        tokio::task::spawn_blocking(move || chain::newest(&folder, last, most, is_wanted))
            .await
            .map_err(|error| segment::Error::Thread(io::Error::other(error)))?
    }

    /// The number of the first entry on disk that was not written before `time`; the next one's, if all were.
    /// Only the segment in which it is, is looked through.
    ///
    /// # Errors
    /// The disk's, or damage.
    pub async fn since(&self, time: Time) -> Result<u64, segment::Error> {
        let (folder, last) = (self.shared.folder.clone(), *self.shared.committed.borrow());
        tokio::task::spawn_blocking(move || chain::since(&folder, last, time))
            .await
            .map_err(|error| segment::Error::Thread(io::Error::other(error)))?
    }

    /// Reads everything again and compares every hash. Returns how many entries there are.
    ///
    /// # Errors
    /// The disk's, or damage with its place.
    pub async fn verify(&self) -> Result<u64, segment::Error> {
        let (folder, last) = (self.shared.folder.clone(), *self.shared.committed.borrow());
        tokio::task::spawn_blocking(move || chain::verify(&folder, last))
            .await
            .map_err(|error| segment::Error::Thread(io::Error::other(error)))?
    }

    fn recent(&self, from: u64, most: usize) -> Option<Vec<Arc<Committed>>> {
        let recent = self.shared.recent.lock();
        let first = recent.front()?.entry.seq;
        let skip = usize::try_from(from.checked_sub(first)?).ok()?;
        Some(recent.iter().skip(skip).take(most).cloned().collect())
    }

    /// Whether it has been closed: nothing is written any more.
    pub fn is_closed(&self) -> bool {
        self.shared.queue.lock().closed
    }

    /// Writes what is staged, and stops. Whatever is staged later is refused.
    pub fn close(&self) {
        self.shared.queue.lock().closed = true;
        self.shared.staged.notify_one();
        if let Some(writer) = self.shared.writer.lock().take() {
            // A panic of the writer has been printed; there is nothing to add.
            let _ = writer.join();
        }
    }
}

/// The writer's thread: takes what is staged, writes it, syncs it, tells.
fn write(shared: &Shared, mut tail: chain::Tail, apply: &SyncSender<Arc<Committed>>) {
    loop {
        let (records, waiting) = {
            let mut queue = shared.queue.lock();
            while queue.waiting.is_empty() {
                if queue.closed {
                    return;
                }
                shared.staged.wait(&mut queue);
            }
            (std::mem::take(&mut queue.records), std::mem::take(&mut queue.waiting))
        };
        let appended = if records.is_empty() { Ok(()) } else { tail.append(&records) };
        match appended {
            Ok(()) => publish(shared, records, waiting, apply),
            Err(error) => withdraw(shared, waiting, &error),
        }
    }
}

fn publish(
    shared: &Shared,
    records: Vec<Record>,
    waiting: Vec<(u64, Done)>,
    apply: &SyncSender<Arc<Committed>>,
) {
    let committed: Vec<_> = records
        .into_iter()
        .map(|Record { entry, writes, .. }| Arc::new(Committed { entry, writes }))
        .collect();
    {
        let mut recent = shared.recent.lock();
        recent.extend(committed.iter().cloned());
        let surplus = recent.len().saturating_sub(RECENT);
        recent.drain(..surplus);
    }
    if let Some(last) = committed.last() {
        shared.committed.send_replace(last.entry.seq);
    }
    for (seq, done) in waiting {
        let _ = done.send(Ok(seq));
    }
    for committed in committed {
        // Nobody applies any more only when the daemon ends: then the next start catches up.
        let _ = apply.send(committed);
    }
}

/// The batch is not on disk, so neither is anything that was decided upon it since.
fn withdraw(shared: &Shared, waiting: Vec<(u64, Done)>, error: &io::Error) {
    tracing::error!(%error, "the ledger cannot be written");
    let why = CannotRecord(error.to_string());
    let mut queue = shared.queue.lock();
    queue.generation += 1;
    queue.last = *shared.committed.borrow();
    queue.records.clear();
    let since = std::mem::take(&mut queue.waiting);
    // Under the lock: who sees the new generation finds that his commit has failed.
    for (_, done) in waiting.into_iter().chain(since) {
        let _ = done.send(Err(why.clone()));
    }
}

#[cfg(test)]
mod tests;
