//! The task: one loop around the device.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use protocol::console::ConsoleState;
use protocol::journal::{By, Event};
use tokio::io::ReadBuf;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Duration, Instant, sleep_until};

use super::super::typed::Typed;
use super::super::{Console, Device, Port};
use super::input::{Break, Lines, Right, Text, Urgent, tell};
use super::shared::{Shared, Wanted};
use crate::config::Pace;
use crate::watcher::Reply;

/// As much is read at once; ptys and serial ports give no more than 4 KiB.
const CHUNK: usize = 8 * 1024;
/// So much of what triggers type waits for the device; more has no prompt to answer.
const REPLIES: usize = 16;
/// A recording that cannot be written is tried again this often.
const RETRY: Duration = Duration::from_millis(250);
/// A BREAK that has not begun by then does not.
const BREAK_LIMIT: Duration = Duration::from_secs(2);
/// Why a console is gone that was let go of.
const ANEW: &str = "the board is configured anew";

/// The task.
pub(super) struct Task {
    line: Arc<Shared>,
    wanted: watch::Receiver<Wanted>,
    typed: mpsc::Receiver<Text>,
    at_once: mpsc::Receiver<Urgent>,
    /// What the device is just taking.
    taking: Option<Text>,
    breaking: Option<Breaking>,
    behind: Option<Behind>,
    /// What triggers have typed next.
    replies: VecDeque<Reply>,
    pace: Pace,
    journal: Typed,
}

/// A BREAK that the device is just sending.
struct Breaking {
    is_begun: bool,
    /// When it ends; before it is begun, when that is given up.
    due: Instant,
    what: Break,
}

/// What was read and could not be recorded yet.
struct Behind {
    bytes: Vec<u8>,
    retry: Instant,
}

/// What a turn at the port brought.
enum Turn {
    Read(usize),
    Wrote(usize),
    /// Whether a BREAK has begun.
    Broke(io::Result<()>),
}

impl Task {
    /// For a line that wants no device yet.
    pub(super) fn new(
        line: Arc<Shared>,
        typed: mpsc::Receiver<Text>,
        at_once: mpsc::Receiver<Urgent>,
    ) -> Task {
        let (wanted, journal) = (line.wanted.subscribe(), Typed::default());
        let (taking, breaking, behind, pace) = (None, None, None, Pace::UNLIMITED);
        let replies = VecDeque::new();
        Task { line, wanted, typed, at_once, taking, breaking, behind, replies, pace, journal }
    }

    pub(super) async fn run(mut self) {
        let mut seen_open = false;
        loop {
            // First said and then looked: whoever lets go of it meanwhile waits.
            self.line.has_it.send_replace(true);
            let Wanted { device, manner, is_ours } = self.wanted.borrow_and_update().clone();
            if !is_ours {
                self.line.has_it.send_replace(false);
                self.drop_typed_until(async |wanted| drop(wanted.changed().await)).await;
                continue;
            }
            self.pace = manner.pace;
            match self.open(&device).await {
                Some(Ok(port)) => {
                    self.line.set_state(ConsoleState::Open, None);
                    self.line.status.lock().quality.opened();
                    self.line.note(By::default(), Event::ConsoleOpened);
                    seen_open = true;
                    let why = self.serve(port, &device).await;
                    self.line.set_state(ConsoleState::Away, Some(why.clone()));
                    self.line.note(By::default(), Event::ConsoleLost { why });
                    self.break_off();
                }
                Some(Err(error)) => {
                    self.line.set_state(ConsoleState::Away, Some(error.to_string()));
                    if !std::mem::replace(&mut seen_open, true) {
                        self.line
                            .note(By::default(), Event::ConsoleLost { why: error.to_string() });
                    }
                }
                None => continue,
            }
            self.line.has_it.send_replace(false);
            self.drop_typed_until(async |wanted| {
                tokio::select! {
                    () = device.appears() => {}
                    () = anew(wanted, &device) => {}
                }
            })
            .await;
        }
    }

    /// What the device was taking when it went is not taken.
    fn break_off(&mut self) {
        if let Some(Breaking { what, .. }) = self.breaking.take() {
            tell(what.answer, Err(self.line.away("the BREAK was cut short")));
        }
        self.replies.clear();
        self.journal.give_up();
        if let Some(Text { bytes, of, answer, .. }) = self.taking.take() {
            let undone = format!("{} of {of} bytes were typed", of - bytes.len());
            tell(answer, Err(self.line.away(&undone)));
        }
    }

    /// None if it is not wanted any more.
    async fn open(&mut self, device: &Device) -> Option<io::Result<Box<dyn Port>>> {
        tokio::select! {
            opened = device.open() => Some(opened),
            () = anew(&mut self.wanted, device) => None,
        }
    }

    /// As long as there is no device, whatever is typed goes nowhere, and whoever types is told.
    async fn drop_typed_until(&mut self, until: impl AsyncFnOnce(&mut watch::Receiver<Wanted>)) {
        let until = until(&mut self.wanted);
        tokio::pin!(until);
        loop {
            tokio::select! {
                () = &mut until => return,
                Some(Text { answer, .. }) = self.typed.recv() => {
                    tell(answer, Err(self.line.away("nothing was typed")));
                }
                Some(what) = self.at_once.recv() => match what {
                    Urgent::Break(Break { answer, .. }) => {
                        tell(answer, Err(self.line.away("no BREAK was sent")));
                    }
                    Urgent::Lines(Lines { answer, .. }) => {
                        tell(answer, Err(self.line.away("neither DTR nor RTS was set")));
                    }
                },
            }
        }
    }

    /// Serves an open port until it is gone; says why it is.
    async fn serve(&mut self, mut port: Box<dyn Port>, device: &Device) -> String {
        let why = self.attend(port.as_mut(), device).await;
        if self.breaking.is_some() {
            // Whoever opens it next should not find it so; if it has gone, neither is there a BREAK.
            let _ = port.set_break(false);
        }
        self.catch_up(port.as_ref());
        port.let_go();
        if let Some(Behind { bytes, .. }) = self.behind.take() {
            tracing::error!(board = %self.line.board, bytes = bytes.len(), "lost, as they cannot be recorded");
        }
        why
    }

    async fn attend(&mut self, port: &mut dyn Port, device: &Device) -> String {
        let mut buffer = vec![0; CHUNK];
        let mut fence = self.line.fence.subscribe();
        // By then the board has read all that was written, if it reads as fast as its pace says.
        let mut read_by = Instant::now();
        loop {
            self.take_reply();
            let left = self.taking.as_ref().map_or(0, |text| text.bytes.len());
            let spare = self.pace.bytes - left.min(self.pace.bytes);
            let may_write = read_by.checked_sub(self.pace.pause(spare)).unwrap_or(read_by);
            let is_paused = may_write > Instant::now();
            let (piece, begins) = match (&self.taking, &self.breaking) {
                (_, Some(breaking)) => (&[][..], !breaking.is_begun),
                (Some(Text { bytes, .. }), None) if !is_paused => {
                    (&bytes[..bytes.len().min(self.pace.bytes)], false)
                }
                _ => (&[][..], false),
            };
            let retry = self.behind.as_ref().map(|behind| behind.retry);
            let room = if retry.is_none() { Some(&mut buffer[..]) } else { None };
            let break_due = self.breaking.as_ref().map(|breaking| breaking.due);
            tokio::select! {
                turn = turn(port, room, piece, begins) => match turn {
                    Ok(Turn::Read(0)) => return "the device has gone".to_owned(),
                    Ok(Turn::Read(read)) => self.record(port, &buffer[..read]),
                    Ok(Turn::Wrote(written)) => {
                        self.wrote(written);
                        read_by = read_by.max(Instant::now()) + self.pace.pause(written);
                    }
                    Ok(Turn::Broke(begun)) => self.broke(begun),
                    Err(error) => return error.to_string(),
                },
                Some(text) = self.typed.recv(), if self.taking.is_none() => self.take(text),
                Some(what) = self.at_once.recv(), if self.breaking.is_none() => match what {
                    Urgent::Break(what) => self.begin_break(port, what),
                    Urgent::Lines(what) => self.set_lines(port, what),
                },
                () = sleep_until(break_due.unwrap_or(may_write)), if break_due.is_some() => {
                    self.end_break(port);
                }
                () = sleep_until(retry.unwrap_or(may_write)), if retry.is_some() => self.catch_up(port),
                Ok(()) = self.wanted.changed() => {
                    let wanted = self.wanted.borrow_and_update().clone();
                    if !wanted.is_still(device) {
                        return ANEW.to_owned();
                    }
                    self.pace = wanted.manner.pace;
                }
                _ = fence.changed() => self.fence_off(port),
                () = sleep_until(may_write), if is_paused && self.taking.is_some() => {}
                () = self.journal.due() => self.note_all(Typed::settle),
            }
        }
    }

    /// Something is to be typed.
    fn take(&mut self, text: Text) {
        if let Some(over) = self.line.over(&text.right) {
            return tell(text.answer, Err(over));
        }
        if !text.quiet {
            self.journal.type_in(&text.right.by, &text.bytes, Instant::now());
        }
        self.taking = Some(text);
    }

    /// What a trigger types comes before all that waits for the device, and is not cut into what it takes.
    fn take_reply(&mut self) {
        if self.taking.is_none()
            && let Some(Reply { by, bytes }) = self.replies.pop_front()
        {
            // Nobody waits for the answer.
            let (answer, _) = oneshot::channel();
            let (right, of) = (Right::of_lab(by), bytes.len());
            self.take(Text { right, of, bytes, quiet: false, answer });
        }
    }

    /// The device has taken so many bytes.
    fn wrote(&mut self, written: usize) {
        let Some(text) = &mut self.taking else { return };
        text.bytes.drain(..written);
        if !text.quiet {
            self.journal.wrote(written, Instant::now());
        }
        if let Some(text) = self.taking.take_if(|text| text.bytes.is_empty()) {
            tell(text.answer, Ok(()));
        }
    }

    fn begin_break(&mut self, port: &mut dyn Port, what: Break) {
        if let Some(over) = self.line.over(&what.right) {
            return tell(what.answer, Err(over));
        }
        match port.set_break(true) {
            Ok(()) => {
                let due = Instant::now() + BREAK_LIMIT;
                self.breaking = Some(Breaking { is_begun: false, due, what });
            }
            Err(error) => self.line.note_break(what, Err(error)),
        }
    }

    fn set_lines(&mut self, port: &mut dyn Port, Lines { right, dtr, rts, answer }: Lines) {
        let said = match self.line.over(&right) {
            Some(over) => Err(over),
            None => port.set_lines(dtr, rts).map_err(|error| {
                self.line.fault(format_args!("does not set DTR and RTS: {error}"))
            }),
        };
        tell(answer, said);
    }

    /// The BREAK has begun, or will not.
    fn broke(&mut self, begun: io::Result<()>) {
        match (&mut self.breaking, begun) {
            (Some(breaking), Ok(())) => {
                breaking.is_begun = true;
                breaking.due = Instant::now() + breaking.what.span.duration();
            }
            (_, Err(error)) => {
                if let Some(Breaking { what, .. }) = self.breaking.take() {
                    self.line.note_break(what, Err(error));
                }
            }
            (None, Ok(())) => {}
        }
    }

    /// The BREAK was long enough, or could not begin for too long.
    fn end_break(&mut self, port: &mut dyn Port) {
        let Some(Breaking { is_begun, what, .. }) = self.breaking.take() else { return };
        let ended = port.set_break(false);
        let sent = if is_begun { ended } else { Err(held_back()) };
        self.line.note_break(what, sent);
    }

    /// What was typed under a hold that is over, or with a pen that was taken away, goes nowhere; a BREAK is
    /// cut short.
    fn fence_off(&mut self, port: &mut dyn Port) {
        let line = &self.line;
        if let Some(text) = &self.taking
            && let Some(over) = line.over(&text.right)
            && let Some(Text { answer, .. }) = self.taking.take()
        {
            self.journal.give_up();
            tell(answer, Err(over));
        }
        if let Some(breaking) = &self.breaking
            && let Some(over) = line.over(&breaking.what.right)
            && let Some(Breaking { is_begun, what, .. }) = self.breaking.take()
        {
            let ended = port.set_break(false);
            match ended {
                Ok(()) if is_begun => line.note(what.right.by, Event::Break),
                Ok(()) => {}
                Err(error) => tracing::error!(board = %line.board, %error, "a BREAK does not end"),
            }
            tell(what.answer, Err(over));
        }
    }

    /// Records, then shows. What cannot be recorded is not shown, and the device is not read meanwhile.
    fn record(&mut self, port: &dyn Port, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.append(port, rest) {
                Ok(recorded) => rest = &rest[recorded..],
                Err(error) => {
                    tracing::error!(board = %self.line.board, %error, "the console cannot be recorded");
                    let fault = Some(format!("cannot be recorded: {error}"));
                    self.line.set_state(ConsoleState::Open, fault);
                    self.behind =
                        Some(Behind { bytes: rest.to_vec(), retry: Instant::now() + RETRY });
                    break;
                }
            }
        }
        let recorded = &bytes[..bytes.len() - rest.len()];
        let start = self.line.recording.end() - recorded.len() as u64;
        let replies = self.line.watcher.printed(start, recorded);
        let room = REPLIES.saturating_sub(self.replies.len());
        self.replies.extend(replies.into_iter().take(room));
        if self.behind.is_none() && self.line.status.lock().fault.is_some() {
            self.line.set_state(ConsoleState::Open, None);
        }
        self.line.remember(recorded);
        self.line.look_at_line(recorded, port.errors());
        self.note_all(|journal, _| journal.printed(recorded));
    }

    /// How many of the bytes, which were read last, are recorded now.
    fn append(&self, port: &dyn Port, bytes: &[u8]) -> io::Result<usize> {
        let (recording, now) = (&self.line.recording, self.line.clock.now());
        match port.unrecorded() {
            Some(pipe) => recording.append_from(now, pipe, bytes.len()),
            None => recording.append(now, bytes).map(|()| bytes.len()),
        }
    }

    /// Tries again to record what could not be.
    fn catch_up(&mut self, port: &dyn Port) {
        if let Some(Behind { bytes, .. }) = self.behind.take() {
            self.record(port, &bytes);
        }
    }

    /// Lets the journal of what is typed see something, and writes down what it has finished.
    fn note_all(&mut self, see: impl FnOnce(&mut Typed, Instant) -> Vec<(By, Event)>) {
        for (by, event) in see(&mut self.journal, Instant::now()) {
            self.line.note(by, event);
        }
    }
}

fn held_back() -> io::Error {
    let why = format!(
        "the device has not taken what was typed before within {BREAK_LIMIT:?}; flow control may hold it"
    );
    io::Error::new(io::ErrorKind::TimedOut, why)
}

/// Returns when this device is not wanted any more.
async fn anew(wanted: &mut watch::Receiver<Wanted>, device: &Device) {
    // The sender is the task's own line.
    let _ = wanted.wait_for(|wanted| !wanted.is_still(device)).await;
}

/// Reads, if there is room, or writes, whichever can be done first; or the BREAK begins, if it is to.
async fn turn(
    port: &mut dyn Port,
    mut room: Option<&mut [u8]>,
    piece: &[u8],
    begins: bool,
) -> io::Result<Turn> {
    poll_fn(|context| {
        if let Some(room) = &mut room
            && let Poll::Ready(read) = poll_read(port, context, room)
        {
            return Poll::Ready(read.map(Turn::Read));
        }
        if begins {
            return port.poll_break(context).map(|begun| Ok(Turn::Broke(begun)));
        }
        if piece.is_empty() {
            // What the driver itself still owes the device: an answer to its negotiation.
            return match Pin::new(&mut *port).poll_flush(context) {
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                _ => Poll::Pending,
            };
        }
        match Pin::new(&mut *port).poll_write(context, piece) {
            Poll::Ready(written) => Poll::Ready(written.map(Turn::Wrote)),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

fn poll_read(
    port: &mut dyn Port,
    context: &mut Context<'_>,
    buffer: &mut [u8],
) -> Poll<io::Result<usize>> {
    let mut buffer = ReadBuf::new(buffer);
    Pin::new(port).poll_read(context, &mut buffer).map_ok(|()| buffer.filled().len())
}
