//! Searching what consoles printed: who finds what, and the indexes that make it quick.

use std::io;
use std::sync::Arc;
use std::thread;

use protocol::Error;
use protocol::board::BoardName;
use protocol::search::{Hit, Search};
use protocol::user::{Verb, Who};
use rustix::process::nice;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::{Duration, sleep};

use super::console::unreadable;
use super::tasks::ended;
use super::{Board, Lab};
use crate::journal::Recording;
use crate::journal::index::make_one;
use crate::journal::recording::LastRun;
use crate::journal::search::Searcher;

/// So many searches use the disk and a processor at a time.
const TURNS: usize = 2;
/// Whether a recording is to have another index is looked at this often.
const REST: Duration = Duration::from_secs(60);
/// What is made for later gives way to everything else.
const NICE: i32 = 19;

pub(super) fn turns() -> Semaphore {
    Semaphore::new(TURNS)
}

impl Lab {
    /// Begins to search what is there for whoever asks.
    ///
    /// # Errors
    /// [`Error::Bad`]; [`Error::NoSuch`], [`Error::OutOfScope`] for a board or a class that is named.
    pub fn search(&self, who: &Who, ask: Search) -> Result<Searcher, Error> {
        if ask.from.is_some() && ask.boards.len() != 1 {
            let why = "an offset is one board's: name that".to_owned();
            return Err(Error::Bad { why });
        }
        if let Some(class) = &ask.class
            && !self.classes(who).iter().any(|known| known.name == *class)
        {
            let (what, name) = ("class".to_owned(), class.clone());
            return Err(Error::NoSuch { what, name, near: None });
        }
        let recordings = match ask.boards.as_slice() {
            [] => self.all_recordings(who, ask.class.as_deref())?,
            boards => self.recordings_of(who, boards, ask.class.as_deref())?,
        };
        Searcher::new(ask, recordings)
    }

    fn recordings_of(
        &self,
        who: &Who,
        boards: &[BoardName],
        class: Option<&str>,
    ) -> Result<Vec<(BoardName, Arc<Recording>)>, Error> {
        let mut recordings = Vec::new();
        for name in boards {
            let board = self.find(who, Verb::See, name);
            let is_wanted = |board: &Board| class.is_none_or(|class| class == board.config.class);
            let recording = match &board {
                Ok(board) if !is_wanted(board) => continue,
                Ok(board) => board.recording.clone(),
                Err(_) => None,
            };
            let recording = recording.map_or_else(|| self.past_recording(who, name), Ok)?;
            recordings.push((name.clone(), recording));
        }
        Ok(recordings)
    }

    fn all_recordings(
        &self,
        who: &Who,
        class: Option<&str>,
    ) -> Result<Vec<(BoardName, Arc<Recording>)>, Error> {
        let mut recordings = Vec::new();
        for board in self.boards_seen(who) {
            let is_wanted = class.is_none_or(|class| class == board.config.class);
            let recording = board.recording.clone().filter(|_| is_wanted);
            recordings.extend(recording.map(|it| (board.config.name.clone(), it)));
        }
        // Of what class a board was that has left, nobody knows any more.
        if class.is_none() {
            let past = self.past_boards().map_err(unreadable)?;
            for name in past.into_iter().filter(|name| self.may_look_back(who, name)) {
                recordings.push((name.clone(), self.past_recording(who, &name)?));
            }
        }
        Ok(recordings)
    }

    /// What is found next, of boards that are still there for whoever asks; none when all has been looked
    /// at.
    ///
    /// # Errors
    /// The disk's.
    pub async fn find_more(
        &self,
        who: &Who,
        mut searcher: Searcher,
    ) -> io::Result<(Searcher, Option<Vec<Hit>>)> {
        let turn = self.searching.acquire().await.map_err(io::Error::other)?;
        let looked = spawn_blocking(move || (searcher.more(), searcher)).await;
        drop(turn);
        let (hits, searcher) = looked?;
        let mut hits = hits.inspect_err(|error| tracing::error!(%error, "a search ended early"))?;
        hits.iter_mut().for_each(|hits| hits.retain(|hit| self.may_look_back(who, &hit.board)));
        Ok((searcher, hits))
    }

    /// Makes the indexes that recordings lack. What happens meanwhile is indexed next time.
    fn index(&self) {
        let past = self.past_boards().unwrap_or_default();
        let open = |board: &BoardName| {
            Recording::open(&self.recording_folder(board), LastRun::Whole, self.clock.now())
        };
        let past = past.iter().filter_map(|board| open(board).ok().map(Arc::new));
        for recording in self.recordings().into_iter().chain(past) {
            loop {
                if *self.ending.borrow() {
                    return;
                }
                match make_one(&recording) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        tracing::error!(%error, "a recording has no index; it is searched slowly");
                        break;
                    }
                }
            }
        }
    }
}

/// The task that has recordings indexed, by a thread that gives way to all others.
pub(super) async fn index_recordings(lab: Arc<Lab>) {
    let mut ending = lab.ending.subscribe();
    loop {
        let indexer = lab.clone();
        let (done, is_done) = oneshot::channel();
        let begun = thread::Builder::new().name("index".to_owned()).spawn(move || {
            // If it may not, it is in the others' way a little.
            let _ = nice(NICE);
            indexer.index();
            drop(indexer);
            let _ = done.send(());
        });
        if let Err(error) = begun {
            tracing::error!(%error, "recordings are not indexed");
        }
        let rest = async {
            let _ = is_done.await;
            sleep(REST).await;
        };
        tokio::select! {
            () = rest => {}
            () = ended(&mut ending) => return,
        }
    }
}
