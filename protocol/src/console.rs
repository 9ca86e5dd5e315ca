//! Consoles: one device, many viewers, one pen.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::{Span, Time};
use crate::user::UserName;

/// A console's device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ConsoleState {
    /// Open, and everything it prints is recorded.
    Open,
    /// Not there at the moment (unplugged, or powered by the board itself); opened when it is back.
    Away,
    /// The board has no console.
    None,
    /// Said by a newer daemon.
    #[default]
    #[serde(other)]
    Unknown,
}

impl fmt::Display for ConsoleState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            ConsoleState::Open => "open",
            ConsoleState::Away => "away",
            ConsoleState::None => "none",
            ConsoleState::Unknown => "unknown",
        })
    }
}

/// Where in a console's history to begin. History is addressed by offset: the number of bytes that
/// the console printed since labd first opened it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum From {
    /// The oldest byte still kept.
    Start,
    /// The next byte to come.
    End,
    /// This byte.
    Offset {
        /// Counted from 0.
        offset: u64,
    },
    /// The first byte printed at or after an instant.
    Time {
        /// The instant.
        time: Time,
    },
    /// The first byte printed less than a span ago.
    Ago {
        /// How long ago.
        span: Span,
    },
    /// So many bytes before the end, moved to the start of a line.
    Tail {
        /// At most so many.
        bytes: u64,
    },
    /// The last time the board was switched on.
    Boot,
}

/// Why a text is no point in the past.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is not a point in the past; write boot, start, 10m or @OFFSET", .0.escape_debug())]
pub struct BadFrom(String);

impl FromStr for From {
    type Err = BadFrom;

    /// `boot`, `start`, `end`, a span ago, `@` and an offset, or `t@` and milliseconds since 1970.
    fn from_str(text: &str) -> Result<From, BadFrom> {
        let bad = || BadFrom(text.to_owned());
        let number = |digits: &str| digits.parse::<u64>().map_err(|_| bad());
        match text {
            "boot" => Ok(From::Boot),
            "start" => Ok(From::Start),
            "end" => Ok(From::End),
            _ => match (text.strip_prefix('@'), text.strip_prefix("t@")) {
                (Some(offset), _) => Ok(From::Offset { offset: number(offset)? }),
                (_, Some(time)) => Ok(From::Time { time: Time(number(time)?) }),
                _ => text.parse().map(|span| From::Ago { span }).map_err(|_| bad()),
            },
        }
    }
}

/// Whether a viewer wants to type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Pen {
    /// Only looks.
    #[default]
    Unwanted,
    /// Takes the pen if nobody has it.
    Wanted,
}

/// What a viewer asks about the pen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum PenAsk {
    /// Take it if it is free; else stand in line for it: it comes when it is given up.
    Take,
    /// The same, and ask its owner for it: they grant it or keep it, and if they neither answer nor type it
    /// comes after a while. Who does not hold the board asks its holder, and waits for the answer.
    Ask,
    /// Hand it to somebody who waits for it: the first who asked, if no session is named. Only the holder
    /// grants it to somebody who does not hold the board; they lose it with the hold.
    Grant {
        /// Whose session.
        #[serde(default)]
        session: Option<u64>,
    },
    /// Keep it: who asked for it is told so.
    Keep,
    /// Let somebody who waits for it type as well, as with [`PenAsk::Grant`].
    Pair {
        /// Whose session.
        #[serde(default)]
        session: Option<u64>,
    },
    /// End the pair, by either of the two.
    Part,
    /// Take it from whoever has it; both are told why.
    Force {
        /// Why.
        reason: String,
    },
    /// Give it up; the first in line gets it.
    Drop,
}

/// How the pen stands after an ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum PenState {
    /// The asking session has it.
    Yours,
    /// Somebody else has it, and the session stands in line.
    InLine {
        /// 1 is next.
        position: u32,
    },
    /// Nobody has it, or somebody else has and the session does not want it.
    NotYours,
    /// Somebody else has it, and lets the session type as well.
    Paired,
}

/// Something that is sent by a console, as labd.conf has it under its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Signal {
    /// A BREAK, or what `breaks` has under this name.
    Break {
        /// Its name; a plain BREAK of 250 ms if there is none.
        #[serde(default)]
        name: Option<String>,
    },
    /// What `lines` has under this name.
    Line {
        /// Its name.
        name: String,
    },
}

/// Somebody who looks at a console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Viewer {
    /// Names the connection in calls.
    pub session: u64,
    /// Who.
    pub who: UserName,
    /// Since when.
    pub since: Time,
    /// Whether they have the pen.
    pub pen: bool,
    /// Whether they type as well, by leave of whoever has the pen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paired: bool,
    /// Their place in line for the pen, if they wait for it: 1 is next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits: Option<u32>,
    /// Since when they have asked for it, if they wait for an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Time>,
}

impl Viewer {
    /// How they stand to the pen; nothing, if they only look.
    pub fn stands(&self) -> Option<String> {
        match (self.pen, self.paired, self.waits) {
            (true, _, _) => Some("has the pen".to_owned()),
            (_, true, _) => Some("types as well".to_owned()),
            (_, _, Some(_)) if self.asked.is_some() => Some("asks for the pen".to_owned()),
            (_, _, Some(place)) => Some(format!("waits for the pen, place {place}")),
            _ => None,
        }
    }
}

/// Who is at a console.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Desk {
    /// Who looks, who types, who waits.
    pub viewers: Vec<Viewer>,
    /// What is being done during which nobody types, and by whom: `ada sends u-boot.bin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doing: Option<String>,
}

/// A board's console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConsoleDetail {
    /// What it is and where: `serialconsole /dev/ttyUSB0 115200 8N1`.
    pub device: String,
    /// Whether it is there.
    pub state: ConsoleState,
    /// The oldest byte still kept.
    pub start: u64,
    /// The next byte to come.
    pub end: u64,
    /// Who looks, and who types.
    #[serde(default)]
    pub viewers: Vec<Viewer>,
    /// As [`Desk::doing`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doing: Option<String>,
    /// What [`Signal::Break`] can name, with the steps.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub breaks: BTreeMap<String, String>,
    /// What [`Signal::Line`] can name, with the steps.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lines: BTreeMap<String, String>,
    /// Why it is away, if it is.
    #[serde(default)]
    pub fault: Option<String>,
}
