//! What a boot has reached, and what became of it.
//!
//! A power edge begins a boot, or one of the first stages where there was none: the board began again
//! by itself. It is done with the last stage; a panic, the loss of power or the next boot end it
//! before. One that stays in a stage longer than boots of its class do hangs, until it goes on.

mod history;
mod plan;

use std::collections::BTreeSet;

use protocol::boot::{Boot, Cause, Outcome, Reached};
use protocol::journal::Event;
use protocol::{Span, Time};

pub use self::history::History;
pub use self::plan::{Plan, Stage};
use super::limit::{Lately, Limit, Verdict};

/// How often a board may begin again by itself: what prints a boot loader's name all day is not
/// booting.
const RESTARTS: Limit = Limit { times: 30, every: Span::minutes(10) };
/// How often a panic without a boot is told.
const PANICS: Limit = Limit { times: 5, every: Span::minutes(10) };

/// A board's newest boot, as it goes.
#[derive(Debug, Default)]
pub struct Tracker {
    newest: Option<Boot>,
    /// Whether it has power, if anybody knows.
    is_on: Option<bool>,
    /// What this boot has shown: stages, and which of their patterns.
    shown: BTreeSet<(usize, usize)>,
    restarts: Lately,
    panics: Lately,
}

/// What the console shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// A pattern of a stage; both counted from 0.
    Stage(usize, usize),
    /// A pattern of panics.
    Panic,
}

/// When something happened, and how far the console had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// By the lab's clock.
    pub at: Time,
    /// In bytes.
    pub offset: u64,
}

/// What there is to write down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What happened.
    pub event: Event,
    /// How far the console had come.
    pub offset: u64,
    /// The boot as it is now, if it is about one.
    pub boot: Option<Boot>,
}

impl Tracker {
    /// Goes on from what is known: the newest boot, and whether the board had power.
    pub fn new(newest: Option<Boot>, is_on: Option<bool>) -> Tracker {
        Tracker { newest, is_on, ..Tracker::default() }
    }

    /// The newest boot.
    pub fn newest(&self) -> Option<&Boot> {
        self.newest.as_ref()
    }

    /// The board's outlet is switched.
    pub fn switch(&mut self, is_on: bool, now: Moment) -> Vec<Change> {
        match self.is_on.replace(is_on) {
            Some(before) if before == is_on => Vec::new(),
            _ if is_on => self.begin(Cause::Power, now),
            _ => self.end(Outcome::Cut, now).into_iter().collect(),
        }
    }

    /// The board's outlet was seen. If somebody else has switched it on, nobody knows when: the boot begins
    /// with its first words.
    pub fn notice(&mut self, is_on: bool, now: Moment) -> Option<Change> {
        self.is_on = Some(is_on);
        if is_on { None } else { self.end(Outcome::Cut, now) }
    }

    /// The board's reset button is about to be pressed.
    pub fn reset(&mut self, now: Moment) -> Vec<Change> {
        self.begin(Cause::Reset, now)
    }

    /// The console shows something.
    pub fn see(&mut self, plan: &Plan, sight: Sight, now: Moment) -> Vec<Change> {
        match sight {
            Sight::Panic => self.panic(now).into_iter().collect(),
            Sight::Stage(stage, pattern) => {
                let mut changes = Vec::new();
                if self.begins_again(plan, stage, pattern) {
                    if self.restarts.again(RESTARTS, now.at) != Verdict::Allowed {
                        return changes;
                    }
                    changes = self.begin(Cause::Itself, now);
                }
                changes.extend(self.reach(plan, stage, pattern, now));
                changes
            }
        }
    }

    /// Looks whether the boot stays where it is for too long.
    pub fn look(&mut self, history: &History, now: Moment) -> Option<Change> {
        let boot =
            self.newest.as_mut().filter(|boot| boot.outcome == Outcome::Going && !boot.hung)?;
        let last = boot.stages.last();
        let usual = history.usual(last.map(|last| last.stage.as_str()))?;
        let since = boot.at + last.map_or(Span(0), |last| last.after);
        if now.at.since(since) <= usual.p99 {
            return None;
        }
        boot.hung = true;
        let stage = last.map(|last| last.stage.clone());
        let event = Event::BootHung { number: boot.number, stage, usual: usual.p99 };
        Some(Change { event, offset: now.offset, boot: Some(boot.clone()) })
    }

    /// Whether this cannot be of the boot that is known.
    fn begins_again(&self, plan: &Plan, stage: usize, pattern: usize) -> bool {
        if stage >= plan.beginnings() {
            return false;
        }
        match self.going() {
            // A stage has more than one thing to say, but says each once.
            Some(boot) => {
                self.shown.contains(&(stage, pattern))
                    || furthest(plan, boot).is_some_and(|furthest| stage < furthest)
            }
            None => true,
        }
    }

    fn going(&self) -> Option<&Boot> {
        self.newest.as_ref().filter(|boot| boot.outcome == Outcome::Going)
    }

    fn begin(&mut self, cause: Cause, now: Moment) -> Vec<Change> {
        let before = self.end(Outcome::Cut, now);
        let number = self.newest.as_ref().map_or(0, |boot| boot.number) + 1;
        let (stages, outcome) = (Vec::new(), Outcome::Going);
        let Moment { at, offset } = now;
        let boot = Boot { number, at, offset, cause, stages, outcome, took: None, hung: false };
        self.newest = Some(boot.clone());
        self.shown.clear();
        let began = Change { event: Event::BootBegan { number, cause }, offset, boot: Some(boot) };
        before.into_iter().chain([began]).collect()
    }

    fn reach(&mut self, plan: &Plan, stage: usize, pattern: usize, now: Moment) -> Vec<Change> {
        let name = &plan.stages[stage].name;
        let Some(boot) = self.newest.as_mut().filter(|boot| boot.outcome == Outcome::Going) else {
            return Vec::new();
        };
        self.shown.insert((stage, pattern));
        if furthest(plan, boot).is_some_and(|furthest| stage <= furthest) {
            return Vec::new();
        }
        let after = now.at.since(boot.at);
        boot.stages.push(Reached { stage: name.clone(), after, offset: now.offset });
        boot.hung = false;
        let event = Event::BootReached { number: boot.number, stage: name.clone(), after };
        let reached = Change { event, offset: now.offset, boot: Some(boot.clone()) };
        let is_last = stage + 1 == plan.stages.len();
        let done = if is_last { self.end(Outcome::Done, now) } else { None };
        [reached].into_iter().chain(done).collect()
    }

    fn panic(&mut self, now: Moment) -> Option<Change> {
        let ended = self.end(Outcome::Panicked, now);
        if ended.is_none() && self.panics.again(PANICS, now.at) == Verdict::Allowed {
            return Some(Change { event: Event::Panicked, offset: now.offset, boot: None });
        }
        ended
    }

    /// Ends the boot that goes on, if there is one.
    fn end(&mut self, outcome: Outcome, now: Moment) -> Option<Change> {
        let boot = self.newest.as_mut().filter(|boot| boot.outcome == Outcome::Going)?;
        let after = now.at.since(boot.at);
        (boot.outcome, boot.took, boot.hung) = (outcome, Some(after), false);
        let event = Event::BootEnded { number: boot.number, outcome, after };
        Some(Change { event, offset: now.offset, boot: Some(boot.clone()) })
    }
}

/// The last of a plan's stages that a boot has reached.
fn furthest(plan: &Plan, boot: &Boot) -> Option<usize> {
    boot.stages.iter().filter_map(|reached| plan.rank(&reached.stage)).max()
}

#[cfg(test)]
mod tests;
