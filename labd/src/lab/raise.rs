//! Boards and their hands, as they are configured: when the lab opens, and on a reload.
//!
//! What takes care of a board that stays goes on; what is new is made here, and touches no device before
//! [`Board::take_line`] and [`Board::take_outlet`].

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use protocol::board::BoardName;
use protocol::boot::Boot;
use protocol::power::PowerState;

use super::open::Failure;
use super::{Board, Lab};
use crate::config::{BoardConfig, Config, OnRelease, PowerSettings};
use crate::console::line::{self, Line};
use crate::journal::Mark;
use crate::journal::recording::Recording;
use crate::keeper::{self, Care, Keeper, Known};
use crate::rules::hold::Terms;
use crate::rules::power::{Job, Limits};
use crate::rules::trigger::Orders;
use crate::watcher::{self, Watcher, boots_of};

impl Lab {
    pub(super) fn raise_boards(&self) -> Result<(), Failure> {
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
