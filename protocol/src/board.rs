//! Boards: anything that can be held.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::console::{ConsoleDetail, ConsoleState};
use crate::hold::{Hold, Place, Want};
use crate::power::{PowerDetail, PowerState};
use crate::time::Span;
use crate::user::{BadName, is_name};

/// A board's name: 1 to 64 of letters, digits, `.`, `_`, `-`, a letter or digit first.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String")]
pub struct BoardName(Arc<str>);

impl TryFrom<String> for BoardName {
    type Error = BadName;

    fn try_from(text: String) -> Result<BoardName, BadName> {
        text.parse()
    }
}

impl FromStr for BoardName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<BoardName, BadName> {
        if is_name(text, &['.', '_', '-']) && !text.starts_with('_') {
            Ok(BoardName(text.into()))
        } else {
            Err(BadName(text.to_owned()))
        }
    }
}

impl BoardName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BoardName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Where a board stands between two holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Nobody has it.
    Free,
    /// Promised to somebody; its setup script runs.
    Preparing,
    /// Somebody has it.
    Held,
    /// Its hold is over; its setup script cleans up.
    Releasing,
    /// It was taken out of the lab: the last that a follower of the board table hears of it.
    Gone,
    /// Said by a newer daemon.
    #[serde(other)]
    Unknown,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            State::Free => "free",
            State::Preparing => "preparing",
            State::Held => "held",
            State::Releasing => "releasing",
            State::Gone => "gone",
            State::Unknown => "unknown",
        })
    }
}

/// One row of the lab: what a table of boards shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Board {
    /// Its name.
    pub name: BoardName,
    /// Its class: boards of one class are interchangeable.
    pub class: String,
    /// What it can be chosen by besides its name and class.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Whose it is; everybody's if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Free or held.
    pub state: State,
    /// Who has it, if anybody.
    #[serde(default)]
    pub hold: Option<Hold>,
    /// How many in the queue would take it.
    #[serde(default)]
    pub waiting: u32,
    /// Its supply, as last seen.
    pub power: PowerState,
    /// Its console's device.
    pub console: ConsoleState,
    /// The last whole line its console printed, with everything but text taken out.
    #[serde(default)]
    pub last_line: String,
    /// What is wrong with it at the moment, if anything: a sentence.
    #[serde(default)]
    pub fault: Option<String>,
}

impl Board {
    /// The last row of a board that was taken out of the lab.
    pub fn gone(name: BoardName) -> Board {
        Board {
            name,
            class: String::new(),
            tags: Vec::new(),
            groups: Vec::new(),
            state: State::Gone,
            hold: None,
            waiting: 0,
            power: PowerState::Unknown,
            console: ConsoleState::None,
            last_line: String::new(),
            fault: None,
        }
    }
}

/// Everything about one board.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BoardDetail {
    /// Its row.
    #[serde(flatten)]
    pub board: Board,
    /// What the administrator says of it.
    #[serde(default)]
    pub description: Option<String>,
    /// Its network cards.
    #[serde(default)]
    pub macs: Vec<String>,
    /// How long a hold lasts when no span is asked for.
    pub default_span: Span,
    /// How long a hold may last at most.
    pub longest_span: Span,
    /// What its class, its options and its setup script say of it: `arch`, `ip`, …
    #[serde(default)]
    pub attributes: BTreeMap<String, serde_json::Value>,
    /// Its outlet, if it has one.
    #[serde(default)]
    pub outlet: Option<PowerDetail>,
    /// Its console, if it has one.
    #[serde(default)]
    pub line: Option<ConsoleDetail>,
    /// Who waits for it, first served first.
    #[serde(default)]
    pub queue: Vec<Place>,
}

/// A class and how its boards stand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Class {
    /// Its name.
    pub name: String,
    /// What the configuration says of all its boards: `arch`, …
    #[serde(default)]
    pub attributes: BTreeMap<String, serde_json::Value>,
    /// How many boards it has.
    pub boards: u32,
    /// How many of them nobody has.
    pub free: u32,
    /// How many wait for one of them.
    pub waiting: u32,
}

/// Which boards to list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Filter {
    /// Only boards that this would be satisfied with.
    #[serde(default)]
    pub want: Option<Want>,
    /// Only boards that the caller holds.
    #[serde(default)]
    pub mine: bool,
}
