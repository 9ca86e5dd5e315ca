//! Boots: from a power edge, or a reset, to a login prompt.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::{Span, Time};

/// One boot of a board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Boot {
    /// Counted from 1, for each board.
    pub number: u64,
    /// When it began, by the lab's clock.
    pub at: Time,
    /// How many bytes the board's console had printed by then.
    pub offset: u64,
    /// What began it.
    pub cause: Cause,
    /// What it has reached, in order.
    pub stages: Vec<Reached>,
    /// What became of it.
    pub outcome: Outcome,
    /// How long it took until it was done, panicked or was cut; none as long as it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took: Option<Span>,
    /// Whether it stays where it is for longer than boots of its class do.
    #[serde(default)]
    pub hung: bool,
}

/// A stage that a boot has reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reached {
    /// `rom`, `u-boot`, `kernel`, `init`, `login`; or what the configuration calls it.
    pub stage: String,
    /// How long after the boot began.
    pub after: Span,
    /// How many bytes the board's console had printed by then.
    pub offset: u64,
}

/// What began a boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Its outlet was switched on.
    Power,
    /// Its reset button was pressed.
    Reset,
    /// The board began again by itself, as its console shows.
    Itself,
    /// Said by a newer daemon.
    #[serde(other)]
    Unknown,
}

/// What became of a boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It goes on.
    Going,
    /// It has reached its last stage.
    Done,
    /// The kernel panicked, or what else the configuration calls the end.
    Panicked,
    /// The power went, or the next boot began, before it was done.
    Cut,
    /// Said by a newer daemon.
    #[serde(other)]
    Unknown,
}

/// A board's boots, and how long those of its class take.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Boots {
    /// In order; the newest last.
    pub boots: Vec<Boot>,
    /// How long boots of the class stay in each stage, where enough are known to say.
    pub usual: Vec<Usual>,
}

/// How long boots of a class stay in a stage before they reach the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Usual {
    /// The stage they stay in; none is before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// Of how many boots this is known.
    pub boots: u64,
    /// Half of them are faster.
    pub p50: Span,
    /// Of a hundred, 95 are.
    pub p95: Span,
    /// Of a hundred, 99 are.
    pub p99: Span,
}

impl Boot {
    /// Each stage with the one before, and how long it took from there.
    pub fn steps(&self) -> impl Iterator<Item = (Option<&str>, &Reached, Span)> {
        let before = std::iter::once(None).chain(self.stages.iter().map(Some));
        self.stages.iter().zip(before).map(|(reached, before)| {
            let since = before.map_or(Span(0), |before| before.after);
            let took = Span(reached.after.0.saturating_sub(since.0));
            (before.map(|before| before.stage.as_str()), reached, took)
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Cause::Power => "power",
            Cause::Reset => "reset",
            Cause::Itself => "itself",
            Cause::Unknown => "unknown",
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Outcome::Going => "going",
            Outcome::Done => "done",
            Outcome::Panicked => "panicked",
            Outcome::Cut => "cut",
            Outcome::Unknown => "unknown",
        })
    }
}

/// A span to the hundredth of a second, as boots are compared: `2.31s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seconds(pub Span);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}s", self.0.0 / 1_000, self.0.0 % 1_000 / 10)
    }
}
