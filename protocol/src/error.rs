//! Why something was not done, as what the caller can do about it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::board::BoardName;
use crate::time::Time;
use crate::user::{Role, UserName};

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Error {
    /// There is no such thing.
    #[error("there is no {what} '{}'{}", .name.escape_debug(), near.as_ref().map(|near| format!("; did you mean '{near}'?")).unwrap_or_default())]
    NoSuch {
        /// `board`, `class`, `tag`, `place`, `session`, `user`.
        what: String,
        /// What was asked for.
        name: String,
        /// The nearest name that there is.
        #[serde(default)]
        near: Option<String>,
    },
    /// Somebody has it.
    #[error("{board} is held by {who}")]
    HeldBy {
        /// The board.
        board: BoardName,
        /// By whom.
        who: UserName,
        /// Until when.
        until: Time,
    },
    /// Every board that would do is taken.
    #[error(
        "all {count} boards that would do are taken; the first is free again when the hold of {who} on {board} ends"
    )]
    AllTaken {
        /// How many would do.
        count: u32,
        /// The one whose hold ends first.
        board: BoardName,
        /// Who has it.
        who: UserName,
        /// Until when.
        until: Time,
    },
    /// The caller does not hold the board.
    #[error("you do not hold {board}")]
    NotHeld {
        /// The board.
        board: BoardName,
    },
    /// Somebody else types on the console, or nobody does.
    #[error("you do not have the pen of {board}'s console{}", of.as_ref().map(|who| format!("; {who} has it")).unwrap_or_default())]
    NoPen {
        /// The board.
        board: BoardName,
        /// Who has the pen.
        #[serde(default)]
        of: Option<UserName>,
    },
    /// The hold under which this was asked is over.
    #[error("your hold {number} of {board} is over: {how}")]
    HoldOver {
        /// The board.
        board: BoardName,
        /// The hold's number.
        number: u64,
        /// How it ended.
        how: String,
    },
    /// Others wait, so the hold cannot grow past the board's longest.
    #[error("{count} others wait for {board}, so the hold cannot be extended past its longest")]
    OthersWait {
        /// The board.
        board: BoardName,
        /// How many wait.
        count: u32,
        /// As far as it can be extended.
        until: Time,
    },
    /// The caller's role does not allow it.
    #[error("{who} may not {verb}: that takes the role '{needs}'")]
    NotAllowed {
        /// The caller.
        who: UserName,
        /// What was asked.
        verb: String,
        /// The least role that may.
        needs: Role,
    },
    /// The token with which the caller came does not open it.
    #[error("this token does not open {what}; come with another, or without one")]
    OutOfScope {
        /// `rpi4-1`, `the verb power`.
        what: String,
    },
    /// Whoever answers there is not the lab that is known.
    #[error("{address} is not to be believed: {why}")]
    Impostor {
        /// Where.
        address: String,
        /// Why not.
        why: String,
    },
    /// What the caller came with is not good, or no longer.
    #[error("{why}")]
    NotKnown {
        /// Why not, and what to do.
        why: String,
    },
    /// The board lacks what is asked for.
    #[error("{board} has no {what}")]
    Lacks {
        /// The board.
        board: BoardName,
        /// `outlet`, `console`, `reset`.
        what: String,
    },
    /// A device did not do as asked.
    #[error("{why}")]
    Device {
        /// Which.
        device: String,
        /// How it failed, with its name.
        why: String,
    },
    /// The setup script failed, and the hold was undone.
    #[error("the setup script failed for {board}: {why}")]
    Setup {
        /// The board.
        board: BoardName,
        /// How.
        why: String,
        /// The end of what it printed.
        output: String,
    },
    /// What was asked makes no sense.
    #[error("{why}")]
    Bad {
        /// Why not.
        why: String,
    },
    /// Too many ask for the same just now; nothing was done.
    #[error("{why}")]
    Busy {
        /// Of what there are too many.
        why: String,
    },
    /// The configuration has faults; nothing was changed.
    #[error("the configuration has {} {}; nothing was changed", .faults.len(), if .faults.len() == 1 { "fault" } else { "faults" })]
    Config {
        /// Each with its place.
        faults: Vec<String>,
    },
    /// The answer did not come in time; what was asked may still be done.
    #[error("no answer within {seconds} s; what was asked may still be done")]
    TimedOut {
        /// How long was waited.
        seconds: u64,
    },
    /// The link broke before the answer had come, and nobody can say any more what it would have been.
    #[error("{why}; what was asked may have been done, or not")]
    Unsure {
        /// What became of the link.
        why: String,
    },
    /// No daemon answers there.
    #[error("no labd answers at {address}: {why}")]
    Unreachable {
        /// Where.
        address: String,
        /// What happened instead.
        why: String,
    },
    /// One side is too old for the other.
    #[error("the two sides do not understand each other: {why}")]
    TooOld {
        /// Who should be updated.
        why: String,
    },
    /// The lab cannot write down what it does, so it does nothing.
    #[error("the lab cannot write its ledger: {why}")]
    CannotRecord {
        /// Why.
        why: String,
    },
    /// A fault in labd.
    #[error("something went wrong in labd; its log says more under '{id}'")]
    Internal {
        /// What to look for in labd's log.
        id: String,
    },
    /// Said by a newer daemon.
    #[error("labd refused, for a reason that this version does not know")]
    #[serde(other)]
    Unknown,
}
