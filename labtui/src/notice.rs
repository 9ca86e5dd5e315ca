//! What the person at the screen is told: how a call went, and what to do next.

use protocol::{Error, Span, Time};

use crate::call::Call;
use crate::keys::{Action, Group, KeyMap};
use crate::text::clean;

/// How long a notice stays on the screen by itself.
pub const SHOWN: Span = Span::seconds(5);

/// How many notices are kept to be read again.
pub const KEPT: usize = 200;

/// How a notice is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// What was asked is done.
    Done,
    /// Something worth knowing.
    News,
    /// What was asked is not done.
    Failed,
}

/// Something the person was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// When.
    pub at: Time,
    /// How it is meant.
    pub tone: Tone,
    /// What.
    pub text: String,
}

impl Notice {
    /// A notice, fit for the screen.
    pub fn new(at: Time, tone: Tone, text: &str) -> Notice {
        Notice { at, tone, text: clean(text).into_owned() }
    }

    /// A call was refused: what, why, and what to do next.
    pub fn refused(at: Time, call: &Call, why: &Error, keys: &KeyMap) -> Notice {
        let until = match why {
            Error::HeldBy { until, .. } | Error::AllTaken { until, .. } => {
                format!(" for {} more", until.since(at))
            }
            _ => String::new(),
        };
        let text = format!("Could not {call}: {why}{until}. {}.", advice(why, keys));
        Notice::new(at, Tone::Failed, &text)
    }
}

/// What to do next.
pub fn advice(why: &Error, keys: &KeyMap) -> String {
    let reserve = keys.typed(Group::Boards, Action::Reserve);
    let text = match why {
        Error::NoSuch { .. } => "Look for it in the table, with a filter",
        Error::HeldBy { .. } | Error::AllTaken { .. } => return format!("{reserve} waits in line"),
        Error::NotHeld { .. } => return format!("{reserve} reserves the board"),
        Error::NoPen { .. } => "Take the pen first",
        Error::HoldOver { .. } => return format!("{reserve} reserves the board again"),
        Error::OthersWait { .. } => "Ask for less, or release the board and wait in line",
        Error::NotAllowed { .. } => "Ask an administrator for the role",
        Error::OutOfScope { .. } => "Come with another token",
        Error::NotKnown { .. } => "Log in again",
        Error::Impostor { .. } => "Do not go on; ask the lab's administrator",
        Error::Lacks { .. } => "Its details show what the board has",
        Error::Device { .. } => "Look at the device, then try again",
        Error::Setup { .. } => "The timeline has the script's output; tell an administrator",
        Error::Bad { .. } => "Correct it and try again",
        Error::Busy { .. } => "Try again in a little while",
        Error::Config { .. } => "Correct the configuration, then reload",
        Error::TimedOut { .. } => "Watch the timeline for its end before trying again",
        Error::Unsure { .. } => "The timeline tells whether it was done",
        Error::Unreachable { .. } => "Start labd, or give its address with --lab",
        Error::TooOld { .. } => "Update the older side",
        Error::CannotRecord { .. } => "Tell an administrator; labctl doctor says more",
        Error::Internal { .. } => "Tell an administrator, who finds the id in labd's log",
        Error::Unknown => "Update labtui",
    };
    text.to_owned()
}
