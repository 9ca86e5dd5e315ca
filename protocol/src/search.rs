//! Searching what consoles printed.
//!
//! What is searched is the text of each line, as [`crate::text::plain`] has it: without escape sequences,
//! and with what a carriage return or a backspace wrote over as it was in the end. A match lies within a
//! line. A line ends at its newline; one that is longer than 64 KiB is cut.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::board::BoardName;
use crate::time::Time;

/// What is looked for, and where.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Search {
    /// A text, or a regex.
    pub pattern: String,
    /// Whether the pattern is a regex, in the syntax of the crate of that name.
    #[serde(default)]
    pub regex: bool,
    /// Whether capital letters matter.
    #[serde(default)]
    pub case: Case,
    /// On these boards; on all that are there for whoever asks, if none is named.
    #[serde(default)]
    pub boards: Vec<BoardName>,
    /// On boards of this class.
    #[serde(default)]
    pub class: Option<String>,
    /// Not before this.
    #[serde(default)]
    pub since: Option<Time>,
    /// Not after this.
    #[serde(default)]
    pub until: Option<Time>,
    /// Which way.
    #[serde(default)]
    pub direction: Direction,
    /// From this offset on, of the one board that is named: lines that begin there or later forwards, before
    /// it backwards.
    #[serde(default)]
    pub from: Option<u64>,
    /// So many hits at most.
    #[serde(default)]
    pub limit: Option<u64>,
}

/// Whether capital letters matter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Case {
    /// If there is one in the pattern.
    #[default]
    Smart,
    /// They do.
    Matters,
    /// They do not.
    Ignored,
}

/// In which order lines are looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// The newest first.
    #[default]
    Backward,
    /// The oldest first.
    Forward,
}

/// A line in which the pattern was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hit {
    /// Whose console.
    pub board: BoardName,
    /// When the line began.
    pub at: Time,
    /// Where it begins in the console's history.
    pub offset: u64,
    /// Its text; of a long line, what is around the first match.
    pub line: String,
    /// From where to where it matches, in bytes of `line`.
    pub spans: Vec<(usize, usize)>,
}
