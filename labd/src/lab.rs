//! What the lab can do: one file per verb, each a straight line.
//!
//! The lab is the only place where the parts are wired together. Doors call its methods; a method
//! asks the rules under the book's lock, stages what was decided, and answers when that is on disk.
//! What takes time goes to the board's keeper or the console's line, in a task of its own.
//!
//! - [`open`]: from a configuration and a folder to a lab that runs; and its end. `raise`: boards and their
//!   hands; `tasks`: what the lab does by itself
//! - [`decide`]: lock, ask, stage, unlock; then tell
//! - [`reserve`], [`release`], [`power`], [`console`]: the verbs
//! - [`tunnel`]: a way to a board's own network services; [`own`]: which never leads to labd itself
//! - [`boots`]: how boards boot; [`deeds`]: what triggers have the lab do
//! - [`prepare`]: what is done before a hold begins and after it ends
//! - [`look`]: what people see; [`past`]: of boards that have left; [`replay`]: again; [`search`]: in what
//!   consoles printed
//! - [`people`]: who is asking, and whom the lab knows by itself
//! - [`reload`], [`admin`]: the administrator's
//! - [`request`]: which request is being answered; [`once`]: that each is done once

pub mod admin;
pub mod boots;
pub mod console;
pub mod counts;
pub mod decide;
pub mod deeds;
pub mod look;
mod once;
pub mod open;
pub mod own;
mod past;
pub mod people;
pub mod power;
pub mod prepare;
mod raise;
pub mod release;
pub mod reload;
mod replay;
mod request;
pub mod reserve;
pub mod search;
mod send;
mod tasks;
pub mod tunnel;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use parking_lot::{Mutex, RwLock};
use protocol::Error;
use protocol::board::BoardName;
use protocol::user::{Verb, Who};
use serde_json::Value as Json;
use tokio::sync::{mpsc, watch};

use self::once::Outcome;
use crate::authority::Authority;
use crate::clock::Clock;
use crate::config::{BoardConfig, Config};
use crate::console::line::Line;
use crate::journal::recording::{LastRun, Recording};
use crate::journal::{Changes, Mark};
use crate::keeper::Keeper;
use crate::keeper::controller::Controllers;
use crate::ledger::Commit;
use crate::memory::Memory;
use crate::rules::access::{self, On};
use crate::rules::hold::Book;
use crate::rules::once::Once;
use crate::rules::people::People;
use crate::rules::refusals::Refusals;
use crate::rules::trigger::Orders;
use crate::watcher::{self, Happening, Watcher};

/// A lab that runs.
pub struct Lab {
    folder: PathBuf,
    /// Read again on a reload; none if the lab was made otherwise.
    config_file: Option<PathBuf>,
    clock: Clock,
    memory: Memory,
    last_run: LastRun,
    config: RwLock<Arc<Config>>,
    boards: RwLock<Arc<BTreeMap<BoardName, Arc<Board>>>>,
    book: Mutex<Remembered>,
    /// Counts the decisions: who waits for one looks again.
    decisions: watch::Sender<u64>,
    changes: Changes,
    /// Counts the configurations taken over: who may do what may have changed.
    reloads: watch::Sender<u64>,
    /// Counts the changes of accounts, tokens and keys, for the same reason.
    access_changes: watch::Sender<u64>,
    /// Who says who is who to those who come by TLS; opened with the door.
    authority: OnceLock<Arc<Authority>>,
    /// The way to the ssh door, see [`tunnel`].
    to_ssh: OnceLock<mpsc::Sender<tunnel::SshVisitor>>,
    own: Arc<own::Own>,
    counts: counts::Counts,
    /// What was refused lately, and is on the timeline.
    refusals: Mutex<Refusals>,
    /// Logins that are under way; gone with the daemon.
    attempts: Mutex<people::Attempts>,
    controllers: Controllers,
    watched: watcher::Common,
    /// To [`deeds`].
    deeds: mpsc::Sender<Happening>,
    sessions: Mutex<HashMap<u64, Arc<Line>>>,
    next_session: AtomicU64,
    next_request: AtomicU64,
    once: Mutex<Once<Outcome>>,
    run: u64,
    /// Steady time begins here.
    since: Instant,
    /// So many searches use the disk and a processor at a time.
    searching: tokio::sync::Semaphore,
    /// One configuration is taken over at a time.
    reloading: tokio::sync::Mutex<()>,
    /// Counts how often the lab has done what time does.
    pulse: watch::Sender<u64>,
    /// True when the lab ends.
    ending: watch::Sender<bool>,
}

/// What decisions are made from.
struct Remembered {
    book: Book,
    people: People,
    /// Whose boards are that are not everybody's, also those that have left the lab.
    groups: BTreeMap<BoardName, Vec<String>>,
    /// What setup scripts said of their boards.
    attributes: BTreeMap<BoardName, BTreeMap<String, Json>>,
    /// The ledger's when this was last read from the store.
    generation: u64,
    /// By how many milliseconds the clock was shifted last, on its way to the disk: if it does not
    /// arrive there, the deadlines are read back as they were, and so must the clock.
    shift: Option<(i64, Commit)>,
}

/// One board and all that belongs to it.
struct Board {
    config: BoardConfig,
    mark: Arc<Mark>,
    recording: Option<Arc<Recording>>,
    line: Option<Arc<Line>>,
    keeper: Option<Arc<Keeper>>,
    watcher: Arc<Watcher>,
    /// What it is to look for.
    orders: Option<Arc<Orders>>,
    /// Whoever prepares or cleans the board has it.
    chores: Arc<tokio::sync::Mutex<()>>,
    /// What was opened under a hold older than this is over, see [`tunnel`].
    fence: Arc<watch::Sender<u64>>,
    /// Why the last clean-up failed, if it did.
    trouble: Arc<Mutex<Option<String>>>,
}

impl Lab {
    /// What time it is in the lab.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Its ledger, for those who follow the timeline.
    pub fn ledger(&self) -> &crate::ledger::Ledger {
        self.memory.ledger()
    }

    /// Its changes, for those who follow the board table.
    pub fn changes(&self) -> &Changes {
        &self.changes
    }

    /// Moves when a configuration is taken over.
    pub fn reloads(&self) -> watch::Receiver<u64> {
        self.reloads.subscribe()
    }

    /// Moves when an account, a token or a key has changed.
    pub fn access_changes(&self) -> watch::Receiver<u64> {
        self.access_changes.subscribe()
    }

    /// Moves each time the lab has looked at its clock and had the lock of its decisions: each second at
    /// least, as long as it is alive.
    pub fn pulse(&self) -> watch::Receiver<u64> {
        self.pulse.subscribe()
    }

    /// True as soon as the lab ends.
    pub fn ending(&self) -> watch::Receiver<bool> {
        self.ending.subscribe()
    }

    /// Its configuration as it is now.
    pub fn config(&self) -> Arc<Config> {
        self.config.read().clone()
    }

    /// The names of all boards.
    pub fn names(&self) -> Vec<BoardName> {
        self.boards_now().keys().cloned().collect()
    }

    fn boards_now(&self) -> Arc<BTreeMap<BoardName, Arc<Board>>> {
        self.boards.read().clone()
    }

    /// A board that is there for whoever asks. That it is there and not for them is written down; what they
    /// are told of one that is hidden is what they are told of one that is not.
    ///
    /// # Errors
    /// [`Error::NoSuch`], with the nearest name; [`Error::OutOfScope`].
    fn find(&self, who: &Who, verb: Verb, name: &BoardName) -> Result<Arc<Board>, Error> {
        let here = self.look_up(who, name);
        here.inspect_err(|why| {
            let is_refusal = matches!(why, Error::NoSuch { .. } | Error::OutOfScope { .. });
            if is_refusal && self.board(name).is_some() {
                self.deny(who, verb, Some(name), why);
            }
        })
    }

    /// The same, where it is not asked for by its name.
    fn look_up(&self, who: &Who, name: &BoardName) -> Result<Arc<Board>, Error> {
        let boards = self.boards_now();
        if *self.ending.borrow() {
            let (address, why) = ("the lab".to_owned(), "it is being closed".to_owned());
            return Err(Error::Unreachable { address, why });
        }
        let theirs = |board: &&Arc<Board>| access::is_theirs(who, &board.config.groups);
        let found = boards.get(name).filter(theirs).cloned().ok_or_else(|| {
            let theirs = boards.values().filter(|board| sees(who, board));
            let names = theirs.map(|board| board.config.name.as_str());
            let near = crate::config::reader::nearest(name.as_str(), names);
            Error::NoSuch {
                what: "board".to_owned(),
                name: name.to_string(),
                near: near.map(str::to_owned),
            }
        })?;
        match sees(who, &found) {
            true => Ok(found),
            false => Err(Error::OutOfScope { what: name.to_string() }),
        }
    }

    /// A board that the lab itself speaks of.
    fn board(&self, name: &BoardName) -> Option<Arc<Board>> {
        self.boards_now().get(name).cloned()
    }
}

/// Whether a board is there at all for somebody.
fn sees(who: &Who, Board { config, .. }: &Board) -> bool {
    let (board, class, groups) = (&config.name, config.class.as_str(), config.groups.as_slice());
    access::sees(who, On { board, class, groups, hold: None, lent: None })
}

/// A fault of labd's own: the caller gets an id, the request's if there is one, under which the log says more.
pub(crate) fn internal(what: impl std::fmt::Display) -> Error {
    use std::hash::BuildHasher;
    let random = || std::collections::hash_map::RandomState::new().hash_one(0) as u32;
    let id = match request::present() {
        Some(number) => format!("r{number}"),
        None => format!("{:08x}", random()),
    };
    tracing::error!(id, %what, "a fault of labd's own");
    Error::Internal { id }
}
