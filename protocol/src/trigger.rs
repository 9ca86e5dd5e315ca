//! Triggers: what the lab does when a console shows something.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::board::BoardName;
use crate::time::Span;

/// A trigger, as it is configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Trigger {
    /// Its name.
    pub name: String,
    /// What it waits for: a regular expression.
    pub pattern: String,
    /// What is done besides the entry on the timeline: `send`, `power off`, `release`, `post`, `run`. Where
    /// something is told, and by what program, is the administrator's.
    pub deeds: Vec<String>,
    /// How often, at most,
    pub times: u64,
    /// within this.
    pub every: Span,
    /// The boards whose consoles it sees.
    pub boards: Vec<BoardName>,
}
