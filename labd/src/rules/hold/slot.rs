//! What the book knows of one board.

use protocol::board::BoardName;
use protocol::hold::{Ask, Ended, Hold, Obstacle, Want};
use protocol::{Span, Time};
use serde::{Deserialize, Serialize};

use super::waiting::Ties;

/// What the book must know of a board to decide about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Its class.
    pub class: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// How long a hold lasts when no span is asked for.
    pub default_hold: Span,
    /// How long a hold may last at most.
    pub longest_hold: Span,
    /// Whether something must be done before a hold begins: a setup script.
    pub prepares: bool,
    /// Whether something must be done after a hold ends: a setup script, power.
    pub cleans: bool,
}

#[derive(Debug)]
pub(super) struct Slot {
    pub(super) terms: Terms,
    pub(super) stage: Stage,
    /// The last hold that ended, for whoever still asks under its number.
    pub(super) last: Option<Last>,
    pub(super) warned: bool,
    /// Since when nobody has had the board.
    pub(super) free_since: Time,
    /// Chosen last when any board will do.
    pub(super) faulty: bool,
    pub(super) ties: Ties,
}

/// Where a board stands between two holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Stage {
    /// Nobody has it.
    Free,
    /// Promised; the setup script runs. If it was handed over, it first cleans up after `after`.
    Preparing {
        /// The hold that will be.
        hold: Hold,
        /// The holder's key, for the script.
        ssh_key: Option<String>,
        /// Whose hold came just before, without the board being free in between.
        after: Option<Hold>,
    },
    /// Somebody has it.
    Held {
        /// The hold.
        hold: Hold,
    },
    /// The hold is over; the setup script cleans up.
    Releasing {
        /// The hold that was.
        hold: Hold,
    },
}

/// A hold that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    /// Its number.
    pub number: u64,
    /// The place in the queue that it came from.
    pub place: Option<u64>,
    /// How it ended.
    pub how: Ended,
}

/// What is written down of a board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Where it stands.
    pub stage: Stage,
    /// The last hold that ended.
    pub last: Option<Last>,
    /// Whether the holder was warned of the end.
    pub warned: bool,
}

impl Stage {
    /// The hold that is to begin, lasts, or is being cleaned up after.
    pub fn hold(&self) -> Option<&Hold> {
        match self {
            Stage::Free => None,
            Stage::Preparing { hold, .. } | Stage::Held { hold } | Stage::Releasing { hold } => {
                Some(hold)
            }
        }
    }

    /// The hold that lasts.
    pub(super) fn living(&self) -> Option<&Hold> {
        if matches!(self, Stage::Releasing { .. }) { None } else { self.hold() }
    }

    pub(super) fn living_mut(&mut self) -> Option<&mut Hold> {
        match self {
            Stage::Preparing { hold, .. } | Stage::Held { hold } => Some(hold),
            Stage::Free | Stage::Releasing { .. } => None,
        }
    }

    /// Every hold that it speaks of.
    pub(super) fn holds_mut(&mut self) -> [Option<&mut Hold>; 2] {
        match self {
            Stage::Free => [None, None],
            Stage::Preparing { hold, after, .. } => [Some(hold), after.as_mut()],
            Stage::Held { hold } | Stage::Releasing { hold } => [Some(hold), None],
        }
    }
}

impl Slot {
    pub(super) fn would_do(&self, board: &BoardName, want: &Want) -> bool {
        want.is_met_by(board, &self.terms.class, &self.terms.tags)
    }

    pub(super) fn span_for(&self, ask: &Ask) -> Span {
        ask.span.unwrap_or(self.terms.default_hold).min(self.terms.longest_hold)
    }

    pub(super) fn obstacle(&self) -> Option<Obstacle> {
        let Hold { board, who, until, .. } = self.stage.hold()?.clone();
        Some(Obstacle { board, who, until })
    }

    /// When time does something to its hold next.
    pub(super) fn due(&self, warning: Span) -> Option<Time> {
        let hold = self.stage.living()?;
        let next = if self.warned { hold.until } else { warns_at(hold, warning) };
        Some(self.gives_up().map_or(next, |gives_up| gives_up.min(next)))
    }

    /// When the hold is given up because the client that it is tied to has gone. Nobody can keep a
    /// board that is still prepared: who asked for it has no answer yet.
    pub(super) fn gives_up(&self) -> Option<Time> {
        match &self.stage {
            Stage::Held { hold } => self.ties.gives_up(hold.grace),
            _ => None,
        }
    }

    /// When the board is free at the latest, as far as is known.
    pub(super) fn free_at(&self, now: Time) -> Time {
        self.stage.living().map_or(now, |hold| hold.until.max(now))
    }
}

/// A quarter of a short hold is warning enough.
pub(super) fn warns_at(hold: &Hold, warning: Span) -> Time {
    hold.until - warning.min(Span(hold.until.since(hold.since).0 / 4))
}
