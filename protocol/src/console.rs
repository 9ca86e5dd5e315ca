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
    /// The screen: first what paints it as it stood, see [`crate::wire::Welcome::painted`], and then
    /// every byte from there on.
    Screen {
        /// As it stood when so many bytes were printed; as it stands now, if not said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        offset: Option<u64>,
        /// So many bytes before that, at most, for those who look at what has scrolled away.
        #[serde(default)]
        tail: u64,
    },
}

/// Why a text is no point in the past.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is not a point in the past; write boot, start, 10m or @OFFSET", .0.escape_debug())]
pub struct BadFrom(String);

impl FromStr for From {
    type Err = BadFrom;

    /// `boot`, `start`, `end`, `screen`, a span ago, `@` and an offset, or `t@` and milliseconds since 1970.
    fn from_str(text: &str) -> Result<From, BadFrom> {
        let bad = || BadFrom(text.to_owned());
        let number = |digits: &str| digits.parse::<u64>().map_err(|_| bad());
        match text {
            "boot" => Ok(From::Boot),
            "start" => Ok(From::Start),
            "end" => Ok(From::End),
            "screen" => Ok(From::Screen { offset: None, tail: 0 }),
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
    /// How its line is set, if it is one that can be set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uart: Option<Uart>,
    /// How good its line is, as far as that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<LineQuality>,
}

/// How good a console's line is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LineQuality {
    /// What went wrong on it since labd began; none if its port does not count that.
    #[serde(default)]
    pub errors: Option<LineErrors>,
    /// What it printed since then, in bytes.
    #[serde(default)]
    pub bytes: u64,
    /// What is likely the matter with it.
    #[serde(default)]
    pub hint: Option<String>,
}

impl LineQuality {
    /// Errors in a million bytes, if they are counted.
    pub fn errors_per_mb(&self) -> Option<u64> {
        let errors = self.errors?.all();
        Some(errors.saturating_mul(1_000_000) / self.bytes.max(1))
    }

    /// Whether more goes wrong than on any line that is in order.
    pub fn is_bad(&self) -> bool {
        let many = self.errors.is_some_and(|errors| errors.all() >= 10);
        many && self.errors_per_mb() > Some(100)
    }
}

/// What went wrong on a line, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct LineErrors {
    /// Characters were lost because nobody took them in time.
    #[serde(default)]
    pub overrun: u64,
    /// Characters did not end where they should.
    #[serde(default)]
    pub framing: u64,
    /// Characters did not have the parity that they should.
    #[serde(default)]
    pub parity: u64,
    /// The board held the line, or lost its power.
    #[serde(default)]
    pub breaks: u64,
}

impl LineErrors {
    /// All of them; a BREAK is no error.
    pub fn all(&self) -> u64 {
        self.overrun + self.framing + self.parity
    }

    fn each(self, other: LineErrors, what: fn(u64, u64) -> u64) -> LineErrors {
        LineErrors {
            overrun: what(self.overrun, other.overrun),
            framing: what(self.framing, other.framing),
            parity: what(self.parity, other.parity),
            breaks: what(self.breaks, other.breaks),
        }
    }
}

impl std::ops::Add for LineErrors {
    type Output = LineErrors;

    fn add(self, other: LineErrors) -> LineErrors {
        self.each(other, u64::saturating_add)
    }
}

impl std::ops::Sub for LineErrors {
    type Output = LineErrors;

    fn sub(self, other: LineErrors) -> LineErrors {
        self.each(other, u64::saturating_sub)
    }
}

/// `3 framing, 1 overrun`, or `none`.
impl fmt::Display for LineErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [
            (self.overrun, "overrun"),
            (self.framing, "framing"),
            (self.parity, "parity"),
            (self.breaks, "BREAK"),
        ];
        let some: Vec<_> = kinds.iter().filter(|(count, _)| *count > 0).collect();
        let words: Vec<_> = some.iter().map(|(count, kind)| format!("{count} {kind}")).collect();
        write!(f, "{}", if words.is_empty() { "none".to_owned() } else { words.join(", ") })
    }
}

/// How a serial line is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Uart {
    /// Baud.
    pub speed: u32,
    /// Bits of a character.
    pub bits: u8,
    /// The check of each character.
    pub parity: Parity,
    /// Bits that end a character.
    pub stop: u8,
    /// How either side makes the other wait.
    pub flow: FlowControl,
}

impl Default for Uart {
    fn default() -> Uart {
        let (parity, flow) = (Parity::None, FlowControl::None);
        Uart { speed: 115_200, bits: 8, parity, stop: 1, flow }
    }
}

/// The check of each character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Parity {
    /// There is none.
    None,
    /// An odd number of ones.
    Odd,
    /// An even number of ones.
    Even,
}

/// How either side makes the other wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FlowControl {
    /// It does not.
    None,
    /// XON and XOFF.
    Software,
    /// RTS and CTS.
    Hardware,
}
