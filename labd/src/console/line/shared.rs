//! What a line's handles and its task have in common.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use protocol::board::BoardName;
use protocol::console::{ConsoleState, LineErrors};
use protocol::journal::{By, Event};
use protocol::{Error, Span};
use tokio::sync::{mpsc, oneshot, watch};

use super::super::Device;
use super::input::{Break, Fence, Right, Text, Urgent, tell};
use crate::clock::Clock;
use crate::config::Manner;
use crate::journal::{Mark, Recording};
use crate::ledger::{Draft, Ledger};
use crate::rules::line_quality;
use crate::rules::pen::Desk;
use crate::watcher::Watcher;

/// The newest line is remembered up to so many bytes.
pub(super) const LINE: usize = 512;

pub(super) struct Shared {
    pub(super) board: BoardName,
    pub(super) wanted: watch::Sender<Wanted>,
    /// Whether the task has the device, or is about to look whether it may.
    pub(super) has_it: watch::Sender<bool>,
    pub(super) recording: Arc<Recording>,
    pub(super) ledger: Ledger,
    pub(super) clock: Clock,
    pub(super) mark: Arc<Mark>,
    pub(super) watcher: Arc<Watcher>,
    pub(super) desk: Mutex<Desk>,
    /// Told whenever somebody comes, goes, or stands otherwise to the pen.
    pub(super) seating: watch::Sender<()>,
    /// How each session that follows is told that it is over.
    pub(super) endings: Mutex<HashMap<u64, oneshot::Sender<()>>>,
    pub(super) fence: watch::Sender<Fence>,
    pub(super) status: Mutex<Status>,
    pub(super) inputs: mpsc::Sender<Text>,
    /// A way of their own, so that they need not wait behind text.
    pub(super) urgent: mpsc::Sender<Urgent>,
}

/// What the line is to do.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) device: Device,
    pub(super) manner: Manner,
    /// If not, somebody else may have it.
    pub(super) is_ours: bool,
}

#[derive(Debug, Default)]
pub(super) struct Status {
    pub(super) state: ConsoleState,
    pub(super) fault: Option<String>,
    /// The newest whole line, and what has come of the next.
    pub(super) last_line: Vec<u8>,
    pub(super) present_line: Vec<u8>,
    pub(super) quality: line_quality::Line,
}

impl Wanted {
    pub(super) fn is_still(&self, device: &Device) -> bool {
        self.is_ours && self.device == *device
    }
}

impl Shared {
    /// What became of an input.
    pub(super) async fn hear(
        &self,
        answered: oneshot::Receiver<Result<(), Error>>,
    ) -> Result<(), Error> {
        answered.await.unwrap_or_else(|_| Err(self.fault("is closed")))
    }

    /// Puts it in line for the device.
    pub(super) async fn put(
        &self,
        right: Right,
        bytes: Vec<u8>,
        quiet: bool,
    ) -> oneshot::Receiver<Result<(), Error>> {
        let (answer, answered) = oneshot::channel();
        // The task takes inputs until the line is dropped; then nobody answers either.
        let _ = self.inputs.send(Text { right, of: bytes.len(), bytes, quiet, answer }).await;
        answered
    }

    /// Sends a BREAK. Returns when it is over.
    pub(super) async fn send_break(&self, right: Right, span: Span) -> Result<(), Error> {
        let (answer, answered) = oneshot::channel();
        // As in `put`.
        let _ = self.urgent.send(Urgent::Break(Break { right, span, answer })).await;
        self.hear(answered).await
    }

    /// That nobody types at the moment, and why.
    pub(super) fn busy(&self, doing: &str) -> Error {
        let board = &self.board;
        Error::Busy { why: format!("nobody types on the console of {board} now: {doing}") }
    }

    /// That something is the matter with the console.
    pub(super) fn fault(&self, what: impl fmt::Display) -> Error {
        let why = format!("the console of {} {what}", self.board);
        Error::Device { device: self.wanted.borrow().device.to_string(), why }
    }

    /// That the device is not there, and what was not done for that.
    pub(super) fn away(&self, undone: &str) -> Error {
        let why = self.status.lock().fault.clone().unwrap_or_else(|| "not opened yet".to_owned());
        self.fault(format_args!("is away, and {undone}: {why}"))
    }

    /// Why somebody may not type any more.
    pub(super) fn over(&self, right: &Right) -> Option<Error> {
        let (board, fence) = (self.board.clone(), *self.fence.borrow());
        match right.hold {
            Some(number) if number < fence.hold => {
                let how = "it ended before all was typed".to_owned();
                Some(Error::HoldOver { board, number, how })
            }
            _ if right.turn < fence.turn => {
                Some(Error::NoPen { board, of: self.desk.lock().owner() })
            }
            _ => None,
        }
    }

    /// Writes an event down. It is on the timeline in order; nobody has to wait for the disk.
    pub(super) fn note(&self, by: By, event: Event) {
        let offset = Some(self.recording.end());
        let board = Some(self.board.clone());
        drop(self.ledger.stage(Draft { by, board, offset, event, writes: Vec::new() }));
        self.mark.touch();
    }

    /// Looks how good the line is by what was read, and writes down what went wrong.
    pub(super) fn look_at_line(&self, read: &[u8], errors: Option<LineErrors>) {
        let now = Duration::from_millis(self.clock.now().0);
        let wrong = self.status.lock().quality.read(now, read, errors);
        if let Some((errors, bytes)) = wrong {
            self.note(By::default(), Event::LineErrors { errors, bytes });
        }
    }

    /// Writes down what became of a BREAK, and says it.
    pub(super) fn note_break(&self, Break { right, answer, .. }: Break, sent: io::Result<()>) {
        let (event, said) = match sent {
            Ok(()) => (Event::Break, Ok(())),
            Err(error) => {
                let text = format!("a BREAK could not be sent: {error}");
                let said = self.fault(format_args!("sends no BREAK: {error}"));
                (Event::Noted { text }, Err(said))
            }
        };
        self.note(right.by, event);
        tell(answer, said);
    }

    pub(super) fn pen_dropped(&self, session: u64, by: By, next: Option<u64>) {
        self.note(by, Event::PenDropped { session });
        self.seating.send_replace(());
        let next = next.and_then(|next| Some((next, self.desk.lock().seat(next)?.by())));
        if let Some((session, by)) = next {
            self.note(by, Event::PenTaken { session });
        }
    }

    pub(super) fn set_state(&self, state: ConsoleState, fault: Option<String>) {
        let mut status = self.status.lock();
        let changed = status.state != state || status.fault != fault;
        (status.state, status.fault) = (state, fault);
        drop(status);
        if changed {
            self.mark.touch();
        }
    }

    /// Keeps the newest line for the board table.
    pub(super) fn remember(&self, bytes: &[u8]) {
        let mut status = self.status.lock();
        let mut lines = bytes.split(|byte| *byte == b'\n');
        let rest = lines.next_back().unwrap_or_default();
        for line in lines {
            let room = LINE.saturating_sub(status.present_line.len()).min(line.len());
            status.present_line.extend_from_slice(&line[..room]);
            let whole = std::mem::take(&mut status.present_line);
            if whole.iter().any(u8::is_ascii_graphic) {
                status.last_line = whole;
            }
        }
        let room = LINE.saturating_sub(status.present_line.len()).min(rest.len());
        status.present_line.extend_from_slice(&rest[..room]);
        drop(status);
        self.mark.touch();
    }
}
