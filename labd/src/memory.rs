//! What the lab remembers: the ledger, which is the truth, and the store, which is quick to ask.
//!
//! Opening brings the two together: the store is brought up to the ledger's end, or built anew
//! from the newest snapshot and the entries after it. A thread of its own goes on applying what is
//! committed, and takes snapshots.
//!
//! - [`snapshot`]: the logical export, which is backup, migration and rebuild in one

pub mod repair;
pub mod snapshot;

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use nix::fcntl::{Flock, FlockArg};
use parking_lot::Mutex;
use protocol::Time;
use protocol::journal::Event;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::clock::{self, Clock};
use crate::journal::recording::LastRun;
use crate::ledger::{self, Committed, Found, Ledger, Opening, segment};
use crate::store::{self, Store};
use snapshot::Snapshot;

/// The applying thread may be this many entries behind before the ledger waits for it.
const BACKLOG: usize = 16 * 1024;
/// How many entries the store is given at once.
const HANDFUL: usize = 1_024;

/// How the memory is cut into files.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// A segment of the ledger that has grown to this many bytes is followed by a new one.
    pub segment: u64,
    /// A snapshot is taken every so many entries, so that a rebuild never replays many more.
    pub snapshot_every: u64,
}

impl Default for Sizes {
    fn default() -> Sizes {
        Sizes { segment: ledger::FULL, snapshot_every: 50_000 }
    }
}

/// The store, unless it has failed since the memory was opened: then the ledger answers for it.
type Shelf = Mutex<Option<Store>>;

/// The lab's memory.
pub struct Memory {
    ledger: Ledger,
    store: Arc<Shelf>,
    folder: PathBuf,
    applied: watch::Receiver<u64>,
    applier: Mutex<Option<JoinHandle<()>>>,
    /// Held as long as the memory is in use; a second daemon is refused.
    _lock: Flock<File>,
}

/// Why the memory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another daemon uses it.
    #[error("another labd uses {folder}", folder = .0.display())]
    InUse(PathBuf),
    /// The disk's.
    #[error("{file}: {source}", file = .file.display())]
    Disk {
        /// Which file or folder.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The ledger's.
    #[error(transparent)]
    Ledger(#[from] segment::Error),
    /// The store's.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Memory {
    /// Opens the memory in `folder`, which is made if it is not there. Says how the last run ended.
    ///
    /// # Errors
    /// [`Error`]: never lets go of anything that was once acknowledged without saying so.
    pub fn open(folder: &Path, clock: &Clock, sizes: Sizes) -> Result<(Memory, LastRun), Error> {
        let lock = lock(folder)?;
        let snapshot = snapshot::newest(folder)?;
        let trusted = snapshot.as_ref().map_or(0, |snapshot| snapshot.seq);
        let store = open_store(folder, snapshot.as_ref())?;
        let (apply, committed) = sync_channel(BACKLOG);
        let ledger_folder = folder.join("ledger");
        let opening = Opening {
            folder: &ledger_folder,
            trusted,
            known: trusted.max(store.applied()),
            full: sizes.segment,
        };
        let (ledger, found) = Ledger::open(&opening, clock.clone(), apply)?;
        if found.cut > 0 {
            tracing::warn!(
                bytes = found.cut,
                "cut off entries that a crash left unfinished; nobody was told of them"
            );
        }
        replay(&ledger, &store, found.last)?;
        let last_run = last_run(&ledger, &found, clock)?;
        let store = Arc::new(Mutex::new(Some(store)));
        let (applied_now, applied) = watch::channel(found.last);
        let applier = std::thread::Builder::new().name("store".to_owned()).spawn({
            let (store, folder) = (store.clone(), folder.to_owned());
            move || apply_all(&store, &folder, sizes.snapshot_every, &committed, &applied_now)
        });
        let applier = Mutex::new(Some(applier.map_err(disk(folder))?));
        let memory =
            Memory { ledger, store, folder: folder.to_owned(), applied, applier, _lock: lock };
        Ok((memory, last_run))
    }

    /// The ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Every record whose key begins with `prefix`, without the prefix. A record that this version
    /// does not understand is passed over, and the log says so.
    ///
    /// # Errors
    /// The ledger's, if the store cannot be read and it cannot either.
    pub fn scan<T: DeserializeOwned>(&self, prefix: &str) -> Result<Vec<(String, T)>, Error> {
        let understood = |(key, record): (String, String)| match serde_json::from_str(&record) {
            Ok(record) => Some((key[prefix.len()..].to_owned(), record)),
            Err(error) => {
                tracing::error!(%error, key, "a record is not understood, and passed over");
                None
            }
        };
        let records = match self.store.lock().as_ref().map(|store| store.scan(prefix)) {
            Some(Ok(records)) => records,
            failed => {
                if let Some(Err(error)) = failed {
                    tracing::error!(%error, "the store cannot be read; the ledger answers for it");
                }
                let known = self.replayed(*self.ledger.committed().borrow())?.records;
                known.into_iter().filter(|(key, _)| key.starts_with(prefix)).collect()
            }
        };
        Ok(records.into_iter().filter_map(understood).collect())
    }

    /// The state behind entry `seq`, from the ledger alone.
    fn replayed(&self, seq: u64) -> Result<Snapshot, Error> {
        let newest = snapshot::newest(&self.folder)?;
        let mut state = newest.filter(|snapshot| snapshot.seq <= seq).unwrap_or_default();
        while state.seq < seq {
            let entries = self.ledger.read_waiting(state.seq + 1, HANDFUL)?;
            if entries.is_empty() {
                break;
            }
            for committed in entries.iter().take_while(|entry| entry.entry.seq <= seq) {
                state.apply(committed.entry.seq, &committed.writes);
            }
        }
        Ok(state)
    }

    /// Waits until the store has all that is committed by now.
    pub async fn caught_up(&self) {
        let committed = *self.ledger.committed().borrow();
        let mut applied = self.applied.clone();
        // The thread that applies ends only when the memory is closed.
        let _ = applied.wait_for(|applied| *applied >= committed).await;
    }

    /// The same for a thread that may wait.
    pub fn catch_up(&self) {
        futures::executor::block_on(self.caught_up());
    }

    /// The lab's state at this moment.
    ///
    /// # Errors
    /// The store's and the ledger's.
    pub async fn snapshot(&self) -> Result<Snapshot, Error> {
        self.caught_up().await;
        if let Some(store) = &*self.store.lock() {
            return Ok(take(store)?);
        }
        self.replayed(*self.ledger.committed().borrow())
    }

    /// Reads the whole ledger again, and compares the store with what the ledger says should be in
    /// it. A sentence each.
    pub async fn verify(&self) -> Vec<String> {
        let mut said = Vec::new();
        match self.ledger.verify().await {
            Ok(entries) => said.push(format!("ledger: {entries} entries, every hash is right")),
            Err(error) => said.push(format!("ledger: {error}")),
        }
        self.caught_up().await;
        match self.compare() {
            Ok(None) => said.push("store: every record is what the ledger says".to_owned()),
            Ok(Some(key)) => said.push(format!(
                "store: the record '{key}' is not what the ledger says; run 'labctl admin rebuild'"
            )),
            Err(error) => said.push(format!("store: {error}; run 'labctl admin rebuild'")),
        }
        said
    }

    /// The first record in which the store and a replay of the ledger differ.
    fn compare(&self) -> Result<Option<String>, Error> {
        let stored = match &*self.store.lock() {
            Some(store) => take(store)?,
            None => return Err(store::Error::GivenUp.into()),
        };
        Ok(stored.first_difference(&self.replayed(stored.seq)?))
    }

    /// Builds the store anew; the old one is set aside. Returns where it is now. For a thread that may
    /// wait.
    ///
    /// # Errors
    /// [`Error`]. Then the ledger answers for the store, and the next start builds it anew.
    pub fn rebuild(&self) -> Result<PathBuf, Error> {
        self.catch_up();
        let mut shelf = self.store.lock();
        // sled holds a lock on its folder as long as anybody has it open.
        drop(shelf.take());
        let aside = Store::set_aside(&self.folder.join("store"))?;
        let fresh = open_store(&self.folder, snapshot::newest(&self.folder)?.as_ref())?;
        replay(&self.ledger, &fresh, *self.ledger.committed().borrow())?;
        *shelf = Some(fresh);
        Ok(aside)
    }

    /// Lets go of ledger entries older than `age` that no rebuild needs. Returns the number of the
    /// last that is gone, if any are. For a thread that may wait.
    ///
    /// # Errors
    /// [`Error`]. Then what is left is whole.
    pub fn retire(&self, age: Time) -> Result<Option<u64>, Error> {
        Ok(self.ledger.retire(snapshot::covered(&self.folder)?, age)?)
    }

    /// Writes what is staged and stops.
    pub fn close(&self) {
        self.ledger.close();
        if let Some(applier) = self.applier.lock().take() {
            // A panic of the thread has been printed; the next start catches up.
            let _ = applier.join();
        }
        if let Some(Err(error)) = self.store.lock().as_ref().map(Store::flush) {
            tracing::warn!(%error, "the store was not flushed; the next start catches up");
        }
    }
}

fn disk(file: &Path) -> impl Fn(io::Error) -> Error {
    move |source| Error::Disk { file: file.to_owned(), source }
}

fn lock(folder: &Path) -> Result<Flock<File>, Error> {
    std::fs::create_dir_all(folder).map_err(disk(folder))?;
    // What was typed and printed here is for those whom labd lets see it.
    std::fs::set_permissions(folder, Permissions::from_mode(0o700)).map_err(disk(folder))?;
    let path = folder.join("lock");
    let file = File::create(&path).map_err(disk(&path))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|_| Error::InUse(folder.to_owned()))
}

/// Opens the store; one that cannot be used is set aside, and a new one begins from the snapshot.
fn open_store(folder: &Path, snapshot: Option<&Snapshot>) -> Result<Store, Error> {
    let path = folder.join("store");
    let store = match Store::open(&path) {
        Ok(store) => store,
        Err(error @ store::Error::Unusable { .. }) => {
            let aside = Store::set_aside(&path)?;
            tracing::error!(%error, aside = %aside.display(), "the store is built anew from the ledger; nothing is lost");
            Store::open(&path)?
        }
        Err(other) => return Err(other.into()),
    };
    if let Some(snapshot) = snapshot.filter(|_| store.applied() == 0) {
        store.apply(snapshot.seq, &snapshot.writes())?;
    }
    Ok(store)
}

/// Applies the entries up to `last` that the store does not have.
fn replay(ledger: &Ledger, store: &Store, last: u64) -> Result<(), Error> {
    while store.applied() < last {
        let entries = ledger.read_waiting(store.applied() + 1, HANDFUL)?;
        let Some(newest) = entries.last() else { break };
        store.apply(newest.entry.seq, entries.iter().flat_map(|entry| &entry.writes))?;
    }
    Ok(())
}

/// How the last run ended. If the machine runs on since then, so does the lab's clock.
fn last_run(ledger: &Ledger, found: &Found, clock: &Clock) -> Result<LastRun, Error> {
    let Some((anchor, boot)) = &found.anchor else { return Ok(LastRun::Whole) };
    if *boot == clock::boot_id() {
        clock.resume(*anchor);
        return Ok(LastRun::Whole);
    }
    let last = ledger.read_waiting(found.last, 1)?;
    let stopped = last.last().is_some_and(|last| last.entry.event == Event::Stopped);
    Ok(if stopped { LastRun::Whole } else { LastRun::Crashed })
}

/// The thread that keeps the store up with the ledger.
fn apply_all(
    store: &Shelf,
    folder: &Path,
    snapshot_every: u64,
    committed: &Receiver<Arc<Committed>>,
    applied: &watch::Sender<u64>,
) {
    while let Ok(first) = committed.recv() {
        // What has gathered meanwhile goes with it: a batch is a write to the disk, however small.
        let mut entries = vec![first];
        entries.extend(committed.try_iter().take(HANDFUL - 1));
        let Some(seq) = entries.last().map(|last| last.entry.seq) else { continue };
        let mut shelf = store.lock();
        // One that was built anew meanwhile may have some of the entries already.
        if let Some(store) = shelf.as_ref().filter(|store| store.applied() < seq) {
            let before = store.applied();
            let new = entries.iter().filter(|entry| entry.entry.seq > before);
            let mut outcome = store.apply(seq, new.flat_map(|entry| &entry.writes));
            if outcome.is_ok() && before / snapshot_every < seq / snapshot_every {
                outcome = take(store).map(|snapshot| snapshot::write(folder, &snapshot));
            }
            if let Err(error) = outcome {
                tracing::error!(
                    %error,
                    "the store is given up, and the ledger answers for it; run 'labctl admin rebuild'"
                );
                // Were it to go on, it would lack these entries, and nobody could tell.
                *shelf = None;
            }
        }
        drop(shelf);
        applied.send_replace(seq);
    }
}

fn take(store: &Store) -> Result<Snapshot, store::Error> {
    Ok(Snapshot { seq: store.applied(), records: store.dump()?.into_iter().collect() })
}

#[cfg(test)]
mod tests;
