//! Holds: who has a board, from when until when; and the queue of those who wait.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::board::BoardName;
use crate::tags::TagExpr;
use crate::time::{Span, Time};
use crate::user::UserName;

/// Somebody has a board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hold {
    /// The fence: on one board it only ever grows. What is asked under an older number is refused.
    pub number: u64,
    /// The board.
    pub board: BoardName,
    /// Who has it.
    pub who: UserName,
    /// From when.
    pub since: Time,
    /// Until when, unless it is extended, released or broken.
    pub until: Time,
    /// If set, the hold ends this long after the client that keeps it has gone.
    #[serde(default)]
    pub grace: Option<Span>,
    /// What the holder says it is for.
    #[serde(default)]
    pub note: Option<String>,
    /// The place in the queue that became this hold, if it came from there.
    #[serde(default)]
    pub place: Option<u64>,
}

/// Which board somebody wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Want {
    /// This one.
    Board {
        /// Its name.
        name: BoardName,
    },
    /// Any of a class.
    Class {
        /// The class's name.
        name: String,
    },
    /// Any whose tags satisfy an expression.
    Tags {
        /// The expression.
        expr: TagExpr,
    },
    /// Of those that would do, any of these: the ones that are open to whoever asks.
    Among {
        /// What is wanted.
        want: Box<Want>,
        /// These.
        boards: Vec<BoardName>,
    },
}

impl Want {
    /// Whether a board of this name, class and tags will do. A board's class counts as a tag.
    pub fn is_met_by(&self, board: &BoardName, class: &str, tags: &[String]) -> bool {
        match self {
            Want::Board { name } => name == board,
            Want::Class { name } => name == class,
            Want::Tags { expr } => {
                expr.is_met_by(&|tag| tag == class || tags.iter().any(|has| has == tag))
            }
            Want::Among { want, boards } => {
                boards.contains(board) && want.is_met_by(board, class, tags)
            }
        }
    }

    /// As it was asked for, whatever of it is open to whoever asked.
    pub fn whole(&self) -> &Want {
        match self {
            Want::Among { want, .. } => want.whole(),
            want => want,
        }
    }
}

impl fmt::Display for Want {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Want::Board { name } => write!(f, "{name}"),
            Want::Class { name } => write!(f, "any {name}"),
            Want::Tags { expr } => write!(f, "any with {expr}"),
            Want::Among { want, .. } => write!(f, "{want}"),
        }
    }
}

/// So long a client may be away that waits.
pub const WAITERS_GRACE: Span = Span::seconds(30);

/// What to do when every board that would do is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IfTaken {
    /// Say who has them.
    #[default]
    Refuse,
    /// Take a place in the queue.
    Queue,
    /// Take a place in the queue that is given up when the client that keeps it has been gone for
    /// [`WAITERS_GRACE`], whatever becomes of the hold that it waits for.
    Wait,
}

/// A wish for a board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ask {
    /// Which board.
    pub want: Want,
    /// For how long; the board's default if not said, its longest at most.
    #[serde(default)]
    pub span: Option<Span>,
    /// What if it is taken.
    #[serde(default)]
    pub if_taken: IfTaken,
    /// If set, the hold (or the place in the queue) ends this long after the client that keeps it
    /// (see [`crate::wire::Follow::Keep`]) has gone.
    #[serde(default)]
    pub grace: Option<Span>,
    /// What it is for.
    #[serde(default)]
    pub note: Option<String>,
    /// The caller's ssh public key, handed to the setup script.
    #[serde(default)]
    pub ssh_key: Option<String>,
}

/// A place in the queue, and why it is not a hold yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// Names the place in calls.
    pub number: u64,
    /// Whose it is.
    pub who: UserName,
    /// What they want.
    pub want: Want,
    /// For how long.
    pub span: Option<Span>,
    /// Since when they wait.
    pub since: Time,
    /// 1 is the next to be served among those who want any of the same boards.
    pub position: u32,
    /// When a board will be free for them at the latest, if nobody extends; none if that cannot be
    /// known.
    #[serde(default)]
    pub expected: Option<Time>,
    /// The boards that would do, [`MOST_OBSTACLES`] of them at most, and what stands in the way.
    #[serde(default)]
    pub because: Vec<Obstacle>,
}

/// Of so many boards it is said what stands in the way: everybody may want any of a thousand.
pub const MOST_OBSTACLES: usize = 16;

/// What stands between somebody and one board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Obstacle {
    /// The board.
    pub board: BoardName,
    /// Who has it.
    pub who: UserName,
    /// Until when.
    pub until: Time,
}

/// How an ask was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Placed {
    /// The board is the caller's, and its setup script has run.
    Held {
        /// The hold.
        hold: Hold,
    },
    /// The caller waits.
    Queued {
        /// Where.
        place: Place,
    },
}

/// How a hold is to end.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Release {
    /// Only if the hold still has this number.
    #[serde(default)]
    pub number: Option<u64>,
    /// An administrator ends somebody else's hold, and says why. Both sides see the reason.
    #[serde(default)]
    pub breaking: Option<String>,
}

/// How a hold ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Ended {
    /// The holder gave it back.
    Released,
    /// Its time was up.
    Expired,
    /// The client that kept it went away and did not come back within its grace.
    Abandoned,
    /// An administrator ended it.
    Broken {
        /// Who.
        by: UserName,
        /// Why.
        reason: String,
    },
    /// The holder handed the board over.
    Given {
        /// To whom.
        to: UserName,
    },
    /// The setup script failed, so the hold never began.
    Undone,
    /// The board was taken out of the configuration.
    Removed,
    /// The board is no longer there for the holder: they left its group, or it became another's.
    Hidden,
    /// Said by a newer daemon.
    #[serde(other)]
    Unknown,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Released => write!(f, "released"),
            Ended::Expired => write!(f, "its time was up"),
            Ended::Abandoned => write!(f, "the client that kept it went away"),
            Ended::Broken { by, reason } => write!(f, "broken by {by}: {reason}"),
            Ended::Given { to } => write!(f, "given to {to}"),
            Ended::Undone => write!(f, "its setup failed"),
            Ended::Removed => write!(f, "the board was taken out of the lab"),
            Ended::Hidden => write!(f, "the board is no longer for its holder"),
            Ended::Unknown => write!(f, "ended"),
        }
    }
}
