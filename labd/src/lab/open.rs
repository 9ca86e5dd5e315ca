//! From a configuration and a folder to a lab that runs; and its end.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use parking_lot::{Mutex, RwLock};
use protocol::board::BoardName;
use protocol::hold::Ended;
use protocol::journal::Event;
use tokio::sync::{mpsc, watch};

use super::counts::Counts;
use super::decide::board_key;
use super::people::absent::follow_roles;
use super::raise::terms;
use super::search::index_recordings;
use super::tasks::{forget, keep_frames, keep_time, settle_recordings};
use super::{Lab, Remembered, deeds};
use crate::clock::Clock;
use crate::config::Config;
use crate::journal::Changes;
use crate::keeper;
use crate::keeper::controller::Controllers;
use crate::ledger::Write;
use crate::memory::{self, Memory, Sizes};
use crate::rules::hold::{Book, Last, Record, Stage, Waiting};
use crate::rules::people::People;
use crate::rules::power::Job;
use crate::watcher;

/// Under this key stands which numbers an import must not bring back.
pub(super) const NUMBERS: &str = "numbers";

/// Why a lab does not open.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Its memory.
    #[error(transparent)]
    Memory(#[from] memory::Error),
    /// A console's recording.
    #[error("the recording of {board}: {source}")]
    Recording {
        /// Whose.
        board: BoardName,
        /// What the system says.
        source: io::Error,
    },
    /// What is looked for on a console.
    #[error("what is looked for on the console of {board}: {why}")]
    Patterns {
        /// Whose.
        board: BoardName,
        /// What is wrong with it.
        why: String,
    },
    /// It cannot write down that it started.
    #[error("the lab cannot write its ledger: {0}")]
    CannotRecord(String),
}

impl Lab {
    /// Opens the lab whose state is in `folder`, which is made if it is not there. When this returns,
    /// what was in hand when the daemon last ran goes on.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn open(
        config: Config,
        config_file: Option<PathBuf>,
        folder: &Path,
        clock: Clock,
    ) -> Result<Arc<Lab>, Failure> {
        let (memory, last_run) = Memory::open(folder, &clock, Sizes::default())?;
        let started = clock.now();
        let (to_deeds, asked) = mpsc::channel(deeds::WAITING);
        let lab = Lab {
            folder: folder.to_owned(),
            config_file,
            clock,
            memory,
            last_run,
            book: Mutex::new(Remembered {
                book: Book::new(config.warning),
                people: People::default(),
                groups: BTreeMap::new(),
                attributes: BTreeMap::new(),
                generation: 0,
                shift: None,
            }),
            config: RwLock::new(Arc::new(config)),
            boards: RwLock::default(),
            decisions: watch::Sender::new(0),
            changes: Changes::new(),
            reloads: watch::Sender::new(0),
            access_changes: watch::Sender::new(0),
            authority: OnceLock::new(),
            to_ssh: OnceLock::new(),
            own: Arc::default(),
            counts: Counts::default(),
            refusals: Mutex::default(),
            attempts: Mutex::default(),
            controllers: Controllers::default(),
            watched: watcher::Common::default(),
            deeds: to_deeds,
            sessions: Mutex::new(HashMap::new()),
            next_session: AtomicU64::new(1),
            next_request: AtomicU64::new(1),
            once: Mutex::default(),
            run: getrandom::u64().unwrap_or(started.0),
            since: Instant::now(),
            searching: super::search::turns(),
            reloading: tokio::sync::Mutex::default(),
            pulse: watch::Sender::new(0),
            ending: watch::Sender::new(false),
        };
        *lab.book.lock() = lab.read_back(0)?;
        let lab = Arc::new(lab);
        lab.raise_boards()?;
        lab.say_started().await?;
        lab.clone().resume();
        let hidden = lab.withdraw_hidden(None).await;
        hidden.map_err(|error| Failure::CannotRecord(error.to_string()))?;
        tokio::spawn(keep_time(lab.clone()));
        tokio::spawn(follow_roles(lab.clone()));
        tokio::spawn(settle_recordings(lab.clone()));
        tokio::spawn(keep_frames(lab.clone()));
        tokio::spawn(forget(lab.clone()));
        tokio::spawn(index_recordings(lab.clone()));
        tokio::spawn(deeds::serve(lab.clone(), asked));
        lab.boards_now().values().for_each(|board| board.take_line(&lab.watched));
        Ok(lab)
    }

    /// Ends the lab: everything that is staged is written, everything that follows is told.
    pub fn close(&self) {
        // Whoever asks from now on is told so, see `Lab::find`.
        self.ending.send_replace(true);
        let recordings = self.recordings();
        *self.boards.write() = Arc::default();
        self.sessions.lock().clear();
        if let Err(error) = self.write(&recordings) {
            tracing::error!(%error, "a recording did not reach the disk");
        }
        drop(self.ledger().stage(self.entry(None, None, Event::Stopped, Vec::new())));
        self.memory.close();
    }

    /// What the store remembers, as the book.
    ///
    /// # Errors
    /// The memory's: to go on without would be to forget every hold.
    pub(super) fn read_back(&self, generation: u64) -> Result<Remembered, memory::Error> {
        let config = self.config();
        let now = self.clock.now();
        let mut book = Book::new(config.warning);
        for board in &config.boards {
            book.put_board(board.name.clone(), terms(&config, board));
        }
        for (board, record) in self.memory.scan::<Record>("board/")? {
            if let Ok(board) = board.parse() {
                book.restore_board(&board, record, now);
            }
        }
        for (_, waiting) in self.memory.scan::<Waiting>("place/")? {
            book.restore_waiting(waiting, now);
        }
        for (_, next) in self.memory.scan(NUMBERS)? {
            book.raise_numbers(next);
        }
        let values = |known: Vec<(String, _)>| known.into_iter().map(|(_, value)| value).collect();
        let accounts = values(self.memory.scan("account/")?);
        let tokens = self.memory.scan("token/")?;
        let keys = self.memory.scan("key/")?.into_iter().map(|(_, key)| key).collect();
        let people = People::restore(accounts, tokens, keys, self.memory.scan("login/")?);
        let attributes = self.memory.scan("attributes/")?.into_iter();
        let attributes =
            attributes.filter_map(|(board, known)| Some((board.parse().ok()?, known))).collect();
        let groups = self.memory.scan("groups/")?.into_iter();
        let groups =
            groups.filter_map(|(board, groups)| Some((board.parse().ok()?, groups))).collect();
        Ok(Remembered { book, people, groups, attributes, generation, shift: None })
    }

    /// The first entry of this run. Holds of boards that are no longer in the configuration end with it.
    async fn say_started(&self) -> Result<(), Failure> {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let whose = self.book.lock().remember_whose(&self.config());
        let mut drafts = vec![self.entry(None, None, Event::Started { version }, whose)];
        let configured = self.boards_now();
        for (name, _) in self.memory.scan::<Job>("job/")? {
            // Who has the board when it comes back did not ask for this.
            if let Ok(board) = name.parse::<BoardName>()
                && !configured.contains_key(&board)
            {
                let write = Write::Delete(keeper::job_key(&board));
                let text = "what was being done to its power is left undone".to_owned();
                drafts.push(self.entry(Some(&board), None, Event::Noted { text }, vec![write]));
            }
        }
        for (name, record) in self.memory.scan::<Record>("board/")? {
            let Ok(board) = name.parse::<BoardName>() else { continue };
            let hold = match record.stage {
                Stage::Preparing { hold, .. }
                | Stage::Held { hold }
                | Stage::Releasing { hold } => hold,
                Stage::Free => continue,
            };
            if !configured.contains_key(&board) {
                let last = Last { number: hold.number, place: hold.place, how: Ended::Removed };
                let record = Record { stage: Stage::Free, last: Some(last), warned: false };
                let write = Write::put(board_key(&board), &record);
                let event =
                    Event::Ended { number: hold.number, holder: hold.who, how: Ended::Removed };
                drafts.push(self.entry(Some(&board), None, event, vec![write]));
            }
        }
        let commit = self.ledger().stage_all(drafts);
        commit.await.map(drop).map_err(|error| Failure::CannotRecord(error.to_string()))
    }

    /// Goes on with what was in hand when the daemon last ran.
    fn resume(self: Arc<Self>) {
        for board in self.boards_now().keys() {
            self.begin_chore(board);
        }
    }
}
