//! What is typed, on its way from whoever types to the task.

use protocol::journal::By;
use protocol::{Error, Span};
use tokio::sync::oneshot;

/// What was typed under a hold or in a turn of the pen older than these is not for the board any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Fence {
    pub(super) hold: u64,
    pub(super) turn: u64,
}

/// Under what somebody types.
#[derive(Debug, Clone)]
pub(super) struct Right {
    pub(super) by: By,
    pub(super) hold: Option<u64>,
    /// Which turn of the pen.
    pub(super) turn: u64,
}

impl Right {
    /// The lab's own, which no hold and no pen ends.
    pub(super) fn of_lab(by: By) -> Right {
        Right { by, hold: None, turn: u64::MAX }
    }
}

/// What is typed, on its way to the device.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) right: Right,
    /// What is left of it.
    pub(super) bytes: Vec<u8>,
    /// How many bytes it was.
    pub(super) of: usize,
    /// Whether the timeline has it in other words.
    pub(super) quiet: bool,
    pub(super) answer: Answer,
}

/// A BREAK, on its way to the device.
#[derive(Debug)]
pub(super) struct Break {
    pub(super) right: Right,
    pub(super) span: Span,
    pub(super) answer: Answer,
}

/// How DTR and RTS are to be, on its way to the device.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) right: Right,
    pub(super) dtr: Option<bool>,
    pub(super) rts: Option<bool>,
    pub(super) answer: Answer,
}

/// What does not wait behind text.
#[derive(Debug)]
pub(super) enum Urgent {
    Break(Break),
    Lines(Lines),
}

/// How whoever sent an input hears what became of it, if they have not left.
pub(super) type Answer = oneshot::Sender<Result<(), Error>>;

/// Says what became of an input.
pub(super) fn tell(answer: Answer, what: Result<(), Error>) {
    // Who has left need not hear it.
    let _ = answer.send(what);
}
