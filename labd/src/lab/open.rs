//! From a configuration and a folder to a lab that runs; and its end.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use parking_lot::{Mutex, RwLock};
use protocol::board::BoardName;
use protocol::boot::Boot;
use protocol::hold::Ended;
use protocol::journal::Event;
use protocol::power::PowerState;
use protocol::{Error, Span, Time};
use tokio::sync::{mpsc, watch};
use tokio::time::{Duration, sleep};

use super::counts::Counts;
use super::decide::{board_key, place_key};
use super::people::absent::follow_roles;
use super::search::index_recordings;
use super::{Board, Lab, Remembered, deeds};
use crate::clock::Clock;
use crate::config::{BoardConfig, Config, History, OnRelease, PowerSettings};
use crate::console::line::{self, Line};
use crate::journal::recording::Recording;
use crate::journal::{Changes, Mark};
use crate::keeper::controller::Controllers;
use crate::keeper::{self, Care, Keeper, Known};
use crate::ledger::Write;
use crate::memory::{self, Memory, Sizes};
use crate::rules::hold::{Book, Last, Record, Stage, Terms, Waiting};
use crate::rules::people::People;
use crate::rules::power::{Job, Limits};
use crate::rules::trigger::Orders;
use crate::watcher::{self, Watcher, boots_of};

/// Decisions within this time of each other wake the lab's own clock once.
const BREATH: Duration = Duration::from_millis(10);
/// The clock is looked at this often, to see whether somebody has set it.
const GLANCE: Span = Span::seconds(1);
/// Recordings go to the disk this often.
const SETTLE: Duration = Duration::from_secs(1);
/// Whether more is kept than need be is looked at this often.
const FORGET: Duration = Duration::from_secs(3_600);
/// More recordings than this are synced as one file system.
const FEW: usize = 16;

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

    fn raise_boards(&self) -> Result<(), Failure> {
        let jobs: HashMap<String, Job> = self.memory.scan("job/")?.into_iter().collect();
        let seen: HashMap<String, PowerState> = self.memory.scan("power/")?.into_iter().collect();
        let config = self.config();
        let mut boards = BTreeMap::new();
        for board in &config.boards {
            let name = board.name.as_str();
            let seen = seen.get(name).copied().unwrap_or_default();
            let known = Known { job: jobs.get(name).cloned(), seen };
            let raised = self.raise(&config, board, None, known)?;
            raised.take_outlet(&config.power);
            boards.insert(board.name.clone(), Arc::new(raised));
        }
        *self.boards.write() = Arc::new(boards);
        Ok(())
    }

    /// Makes a board from its configuration. What takes care of it in `before` goes on; nothing is
    /// touched before [`Board::take_line`] and [`Board::take_outlet`].
    pub(super) fn raise(
        &self,
        lab: &Config,
        config: &BoardConfig,
        before: Option<&Board>,
        known: Known,
    ) -> Result<Board, Failure> {
        let config = &unchanged(config, before.map(|board| &board.config));
        let name = &config.name;
        let mark = before.map_or_else(|| Arc::new(self.changes.mark()), |board| board.mark.clone());
        let recording = match before.and_then(|board| board.recording.clone()) {
            None if config.console.is_some() => Some(self.open_recording(name)?),
            recording => recording,
        };
        let orders = config.console.as_ref().map(|_| self.orders(config)).transpose()?;
        let watcher = match before {
            Some(board) => board.watcher.clone(),
            None => Arc::new(self.raise_watcher(config, known.seen, &mark)?),
        };
        let ground = Ground { mark: &mark, recording: recording.as_ref(), watcher: &watcher };
        Ok(Board {
            line: self.raise_line(config, before, ground),
            keeper: self.raise_keeper(&lab.power, config, before, ground, known),
            orders,
            chores: before.map_or_else(Arc::default, |board| board.chores.clone()),
            fence: before.map_or_else(Arc::default, |board| board.fence.clone()),
            trouble: before.map_or_else(Arc::default, |board| board.trouble.clone()),
            config: config.clone(),
            mark,
            recording,
            watcher,
        })
    }

    fn orders(&self, config: &BoardConfig) -> Result<Arc<Orders>, Failure> {
        let BoardConfig { name: board, boot, triggers, .. } = config;
        let orders = self.watched.orders(boot, triggers);
        orders.map_err(|why| Failure::Patterns { board: board.clone(), why })
    }

    fn raise_watcher(
        &self,
        config: &BoardConfig,
        seen: PowerState,
        mark: &Arc<Mark>,
    ) -> Result<Watcher, Failure> {
        let boots = self.memory.scan(&boots_of(&config.name))?;
        let boots: Vec<Boot> = boots.into_iter().map(|(_, boot)| boot).collect();
        self.watched.learn(&config.class, &boots);
        let ground = watcher::Ground {
            ledger: self.ledger().clone(),
            clock: self.clock.clone(),
            mark: mark.clone(),
            deeds: self.deeds.clone(),
        };
        Ok(Watcher::new(config.name.clone(), &boots, is_on(seen), ground))
    }

    fn open_recording(&self, board: &BoardName) -> Result<Arc<Recording>, Failure> {
        Recording::open(&self.recording_folder(board), self.last_run, self.clock.now())
            .map(Arc::new)
            .map_err(|source| Failure::Recording { board: board.clone(), source })
    }

    /// Where the recording of a board's console is.
    pub(super) fn recording_folder(&self, board: &BoardName) -> PathBuf {
        self.folder.join("consoles").join(board.as_str())
    }

    fn raise_line(
        &self,
        config: &BoardConfig,
        before: Option<&Board>,
        Ground { mark, recording, watcher }: Ground<'_>,
    ) -> Option<Arc<Line>> {
        let device = config.console.clone()?;
        if let Some(line) = before.and_then(|board| board.line.clone()) {
            return Some(line);
        }
        let ground = line::Ground {
            recording: recording?.clone(),
            ledger: self.ledger().clone(),
            clock: self.clock.clone(),
            mark: mark.clone(),
            watcher: watcher.clone(),
        };
        Some(Arc::new(Line::start(config.name.clone(), device, config.manner.clone(), ground)))
    }

    fn raise_keeper(
        &self,
        power: &PowerSettings,
        config: &BoardConfig,
        before: Option<&Board>,
        Ground { mark, recording, watcher }: Ground<'_>,
        known: Known,
    ) -> Option<Arc<Keeper>> {
        let outlet = config.outlet.clone()?;
        if let Some(keeper) = before.and_then(|board| board.keeper.clone()) {
            return Some(keeper);
        }
        let ground = keeper::Ground {
            ledger: self.ledger().clone(),
            clock: self.clock.clone(),
            mark: mark.clone(),
            recording: recording.cloned(),
            watcher: watcher.clone(),
            controllers: self.controllers.clone(),
        };
        Some(Arc::new(Keeper::start(config.name.clone(), outlet, care(power), known, ground)))
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

    /// What time does: holds end, places are given up, the clock is followed when it is set.
    fn tick(self: &Arc<Self>) -> Result<(), Error> {
        if let Some(ms) = self.clock.step() {
            self.shift(ms)?;
        }
        self.decide(None, |book, now| Ok(book.tick(now))).map(drop)
    }

    /// The machine's clock was set by `ms`. Every deadline moves with the lab's clock, in one breath.
    ///
    /// # Errors
    /// [`Error::CannotRecord`].
    pub(super) fn shift(&self, ms: i64) -> Result<(), Error> {
        let mut remembered = self.remembered()?;
        self.clock.shift(ms);
        remembered.book.shift(ms);
        let book = &remembered.book;
        let held: Vec<_> = book.holds().map(|hold| hold.board.clone()).collect();
        let mut writes: Vec<Write> = held
            .iter()
            .filter_map(|board| Some(Write::put(board_key(board), &book.record(board)?)))
            .collect();
        writes.extend(
            book.all_waiting().map(|waiting| Write::put(place_key(waiting.number), waiting)),
        );
        let event = Event::ClockStepped { by_ms: ms };
        let draft = self.entry(None, None, event, writes);
        remembered.shift = Some((ms, self.ledger().stage_upon(remembered.generation, [draft])));
        tracing::warn!(ms, "the machine's clock was set; holds last as long as they would have");
        Ok(())
    }

    pub(super) fn recordings(&self) -> Vec<Arc<Recording>> {
        self.boards_now().values().filter_map(|board| board.recording.clone()).collect()
    }

    /// Deletes what is older, or more, than the configuration says is kept.
    fn forget(&self) {
        if let Some(age) = self.config().history.events {
            self.forget_before(self.clock.now() - age);
        }
        if let Err(error) = self.prune_past() {
            tracing::error!(%error, "a recording of a board that has left is kept for too long");
        }
    }

    fn forget_before(&self, age: Time) {
        match self.memory.retire(age) {
            Ok(None) => {}
            Ok(Some(last)) => {
                let event = Event::Forgotten { last };
                drop(self.ledger().stage(self.entry(None, None, event, Vec::new())));
            }
            Err(error) => tracing::error!(%error, "the ledger keeps what it need not keep"),
        }
    }

    /// Brings recordings to the disk, and deletes what is over their limits.
    pub(super) fn write(&self, recordings: &[Arc<Recording>]) -> io::Result<()> {
        let now = self.clock.now();
        let (mut files, mut outcome) = (Vec::new(), Ok(()));
        for recording in recordings {
            match recording.settle(now) {
                Ok(file) => files.extend(file),
                // The others' bytes are to reach the disk all the same.
                Err(error) => outcome = Err(error),
            }
        }
        if files.len() > FEW {
            nix::unistd::syncfs(&files[0])?;
        } else {
            files.iter().try_for_each(|file| file.sync_data())?;
        }
        let History { size, age, .. } = self.config().history.clone();
        recordings.iter().try_for_each(|recording| recording.prune(size, age, now))?;
        outcome
    }
}

/// The configuration, with what is configured as before being the very same as before: an outlet and a
/// console may be two ends of one thing.
fn unchanged(config: &BoardConfig, before: Option<&BoardConfig>) -> BoardConfig {
    let mut config = config.clone();
    if let Some(before) = before {
        if config.outlet == before.outlet {
            config.outlet.clone_from(&before.outlet);
        }
        if config.console == before.console {
            config.console.clone_from(&before.console);
        }
    }
    config
}

impl Board {
    /// Its line has the console that is configured from now on, and what its watcher looks for there.
    pub(super) fn take_line(&self, common: &watcher::Common) {
        let (orders, history) = (self.orders.clone(), common.history(&self.config.class));
        if let Err(error) = self.watcher.take(orders, history, self.recording.as_deref()) {
            tracing::error!(board = %self.config.name, %error, "the line so far cannot be read");
        }
        if let (Some(line), Some(device)) = (&self.line, &self.config.console) {
            line.take(device.clone(), self.config.manner.clone());
        }
    }

    /// Its keeper has the outlet that is configured from now on.
    pub(super) fn take_outlet(&self, power: &PowerSettings) {
        if let (Some(keeper), Some(outlet)) = (&self.keeper, &self.config.outlet) {
            keeper.take(outlet.clone(), care(power));
        }
    }
}

fn is_on(seen: PowerState) -> Option<bool> {
    match seen {
        PowerState::On => Some(true),
        PowerState::Off => Some(false),
        PowerState::None | PowerState::Unknown => None,
    }
}

/// What a board's hands share.
#[derive(Clone, Copy)]
struct Ground<'a> {
    mark: &'a Arc<Mark>,
    recording: Option<&'a Arc<Recording>>,
    watcher: &'a Arc<Watcher>,
}

fn care(power: &PowerSettings) -> Care {
    Care { limits: Limits { dwell: power.dwell, obey: power.limit }, sweep: power.sweep }
}

/// What the book must know of a board.
pub(super) fn terms(config: &Config, board: &BoardConfig) -> Terms {
    Terms {
        class: board.class.clone(),
        tags: board.tags.clone(),
        default_hold: board.default_hold,
        longest_hold: board.longest_hold,
        prepares: config.setup.is_some(),
        cleans: config.setup.is_some() || board.on_release != OnRelease::Leave,
    }
}

/// The task that does what time does.
async fn keep_time(lab: Arc<Lab>) {
    let mut decisions = lab.decisions.subscribe();
    let mut ending = lab.ending.subscribe();
    loop {
        decisions.mark_unchanged();
        if let Err(error) = lab.tick() {
            tracing::error!(%error, "what time does could not be done");
        }
        lab.look_at_boots();
        lab.pulse.send_modify(|beats| *beats += 1);
        let next = lab.book.lock().book.next_tick();
        let due = async {
            match next {
                Some(next) => lab.clock.until(next).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => {}
            _ = decisions.changed() => sleep(BREATH).await,
            () = sleep(GLANCE.duration()) => {}
            () = ended(&mut ending) => return,
        }
    }
}

/// The task that brings recordings to the disk.
async fn settle_recordings(lab: Arc<Lab>) {
    let mut ending = lab.ending.subscribe();
    loop {
        tokio::select! {
            () = sleep(SETTLE) => {}
            // The end of the lab writes what is left.
            () = ended(&mut ending) => return,
        }
        let writer = lab.clone();
        let written = tokio::task::spawn_blocking(move || writer.write(&writer.recordings())).await;
        if let Ok(Err(error)) = written {
            tracing::error!(%error, "a recording did not reach the disk");
        }
    }
}

/// The task that remembers what screens look like. A lab that does nothing else shows them all the same.
async fn keep_frames(lab: Arc<Lab>) {
    let mut ending = lab.ending.subscribe();
    loop {
        tokio::select! {
            () = sleep(SETTLE) => {}
            () = ended(&mut ending) => return,
        }
        let recordings = lab.recordings();
        let kept = tokio::task::spawn_blocking(move || {
            recordings.iter().try_for_each(|recording| recording.keep_frames())
        });
        if let Ok(Err(error)) = kept.await {
            tracing::warn!(%error, "screens are not kept, and take longer to be shown");
        }
    }
}

/// The task that lets go of what need not be kept any longer.
async fn forget(lab: Arc<Lab>) {
    let mut ending = lab.ending.subscribe();
    let mut reloads = lab.reloads.subscribe();
    loop {
        let forgetter = lab.clone();
        // If it panics, that has been printed, and it is tried again.
        let _ = tokio::task::spawn_blocking(move || forgetter.forget()).await;
        tokio::select! {
            () = sleep(FORGET) => {}
            _ = reloads.changed() => {}
            () = ended(&mut ending) => return,
        }
    }
}

/// Returns when the lab ends.
pub(super) async fn ended(ending: &mut watch::Receiver<bool>) {
    // The sender is the lab's: if it is gone, so is the lab.
    let _ = ending.wait_for(|ending| *ending).await;
}

#[cfg(test)]
mod tests {
    use tokio::runtime::{Builder, Runtime};
    use tokio::time::timeout;

    use super::*;

    /// The watchdog lives on it.
    #[test]
    fn a_lab_whose_decisions_are_stuck_has_no_pulse() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = Config::parse("boards []", "labd.conf").expect("a configuration");
        let runtime = Runtime::new().expect("a runtime");
        let opening = Lab::open(config, None, folder.path(), Clock::machine());
        let lab = runtime.block_on(opening).expect("opens");
        let mut pulse = lab.pulse();
        // With a clock of its own: the lab's threads are to stand still.
        let watcher = Builder::new_current_thread().enable_time().build().expect("a runtime");
        let mut beats = |count: usize| {
            let counting = async {
                for _ in 0..count {
                    pulse.changed().await.expect("the lab is there");
                }
            };
            watcher.block_on(async { timeout(GLANCE.duration() * 3, counting).await.is_ok() })
        };
        assert!(beats(2), "it is alive");
        let stuck = lab.book.lock();
        // One may have been on its way.
        assert!(!beats(2), "it cannot be");
        drop(stuck);
        assert!(beats(2), "it is again");
        lab.close();
    }
}
