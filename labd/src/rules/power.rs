//! What an outlet is told next.
//!
//! A job is *on*, *off*, *cycle* or *reset*. It is a short walk: tell, see, pause, tell, see. Each step is
//! decided here from what was seen, and done by the keeper, who writes the step down before it does
//! it; so a job that a crash cut short goes on where it was.

use protocol::journal::By;
use protocol::power::PowerAsk;
use protocol::{Span, Time};
use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// A job in hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// What was asked for.
    pub ask: PowerAsk,
    /// How far it has come.
    pub step: Step,
    /// When the present step began, by a clock that nobody sets.
    pub since: Time,
    /// Who asked.
    #[serde(flatten)]
    pub by: By,
}

/// How far a job has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// The outlet is being told to be off, until it is seen to be.
    Off,
    /// It is off, and stays so for a while: capacitors keep a board alive for seconds.
    Dwell,
    /// The outlet is being told to be on, until it is seen to be.
    On,
    /// The outlet was told to be off and not seen to be in its time. It may be all the same, so it
    /// is told to be on before the job is given up.
    Back,
    /// The board is being reset. Nothing is to be seen of that: its power stays.
    Reset,
}

/// What was seen of the outlet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It is on or off.
    At(bool),
    /// It is between the two, or did not answer.
    Unclear,
    /// It never tells where it is.
    Mute,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Tell the outlet, then look.
    Tell(bool),
    /// Reset the board.
    Reset,
    /// Look again in a while.
    Look,
    /// Do nothing until then.
    Rest(Time),
    /// Go over to the next step, and write that down first.
    Enter(Step),
    /// It is done and seen to be done.
    Done,
    /// The outlet has not obeyed within its time.
    GiveUp,
}

/// The times of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long a board stays off within a cycle.
    pub dwell: Span,
    /// How long the outlet may take to obey.
    pub obey: Span,
}

impl Job {
    /// A job that nothing has been done for yet.
    pub fn new(ask: PowerAsk, by: By, now: Time) -> Job {
        let step = match ask {
            PowerAsk::On => Step::On,
            PowerAsk::Off | PowerAsk::Cycle => Step::Off,
            PowerAsk::Reset => Step::Reset,
        };
        Job { ask, step, since: now, by }
    }

    /// Whether the board is still as it was before the job: nothing has been done to it that would
    /// have to be made good.
    pub fn is_untouched(&self) -> bool {
        match self.ask {
            PowerAsk::On | PowerAsk::Off | PowerAsk::Reset => true,
            PowerAsk::Cycle => self.step == Step::Off,
        }
    }

    /// The same job, one step on.
    pub fn entering(self, step: Step, now: Time) -> Job {
        Job { step, since: now, ..self }
    }

    /// What to do next. `told` is whether the outlet has been told in this step by this daemon: after
    /// a restart it is told again, which does no harm, since *on* and *off* mean the same twice.
    pub fn next(&self, told: bool, seen: Seen, now: Time, limits: Limits) -> Next {
        let wanted = match self.step {
            Step::Dwell => {
                let end = self.since + limits.dwell;
                return if now < end { Next::Rest(end) } else { Next::Enter(Step::On) };
            }
            Step::Reset if told => return Next::Done,
            Step::Reset if now.since(self.since) >= limits.obey => return Next::GiveUp,
            Step::Reset => return Next::Reset,
            Step::Back if told => return Next::GiveUp,
            Step::On | Step::Back => true,
            Step::Off => false,
        };
        // Who asks for a cycle wants an edge: the outlet is told even if it is seen off already.
        let there = seen == Seen::At(wanted) && (told || self.ask != PowerAsk::Cycle);
        if there || (told && seen == Seen::Mute) {
            return match (self.ask, self.step) {
                (PowerAsk::Cycle, Step::Off) => Next::Enter(Step::Dwell),
                _ => Next::Done,
            };
        }
        if now.since(self.since) >= limits.obey {
            return match (self.ask, self.step) {
                (PowerAsk::Cycle, Step::Off) if told => Next::Enter(Step::Back),
                _ => Next::GiveUp,
            };
        }
        if told { Next::Look } else { Next::Tell(wanted) }
    }
}
