//! Triggers: what is done when a console shows something.

use std::path::PathBuf;

use protocol::Span;

use super::boot::Plan;
use super::limit::Limit;
use super::pattern::Patterns;

/// `triggers { stop-autoboot { match = "Hit any key to stop autoboot"; send = " " } }`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// Its name, on the timeline.
    pub name: String,
    /// See [`super::pattern`].
    pub pattern: String,
    /// What is done, besides the entry on the timeline.
    pub deeds: Vec<Deed>,
    /// How often, at most.
    pub limit: Limit,
}

/// What a trigger does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Types this, whoever has the pen.
    Send(Vec<u8>),
    /// Switches the board off.
    PowerOff,
    /// Ends the board's hold.
    Release,
    /// Tells somebody: what happened goes there as JSON.
    Post(String),
    /// The same, where whoever has the address may speak: it is the first line of this file.
    PostSecretly(PathBuf),
    /// Runs a program, with what happened in its environment and as JSON.
    Run(Vec<String>),
}

impl Trigger {
    /// More than anybody means.
    pub const USUAL: Limit = Limit { times: 10, every: Span::minutes(1) };
}

/// What to look for on a board's console, and what it means.
#[derive(Debug)]
pub struct Orders {
    /// How its boots go.
    pub plan: Plan,
    /// What is to be done.
    pub triggers: Vec<Trigger>,
    /// All there is to look for.
    pub patterns: Patterns,
    /// What each of them means.
    pub meanings: Vec<Meaning>,
}

/// What a pattern means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The pattern of a stage; both counted from 0.
    Stage(usize, usize),
    /// A panic.
    Panic,
    /// A trigger, counted from 0.
    Trigger(usize),
}

impl Orders {
    /// Puts together what is looked for.
    ///
    /// # Errors
    /// Why it cannot be.
    pub fn new(plan: Plan, triggers: Vec<Trigger>) -> Result<Orders, String> {
        let stages = plan.stages.iter().enumerate().flat_map(|(stage, it)| {
            let patterns = it.patterns.iter().enumerate();
            patterns.map(move |(nth, pattern)| (Meaning::Stage(stage, nth), pattern))
        });
        let panics = plan.panic.iter().map(|pattern| (Meaning::Panic, pattern));
        let triggers_too = triggers.iter().enumerate();
        let triggers_too = triggers_too.map(|(nth, it)| (Meaning::Trigger(nth), &it.pattern));
        let (meanings, patterns): (Vec<_>, Vec<_>) =
            stages.chain(panics).chain(triggers_too).unzip();
        let patterns = Patterns::new(&patterns)?;
        Ok(Orders { plan, triggers, patterns, meanings })
    }
}
