//! The line: the one task that owns a console's device.
//!
//! It reads, records, and then shows; it writes what the pen's owner types, as fast as the board
//! takes it; and it opens the device again whenever that has gone and come back. Viewers never
//! touch it: they follow the recording, each at its own speed. They stay when the device is configured
//! anew: the line lets go of one and takes the other.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use parking_lot::Mutex;
use protocol::board::BoardName;
use protocol::console::{ConsoleDetail, ConsoleState, Pen, PenAsk, PenState};
use protocol::journal::Event;
use protocol::user::UserName;
use protocol::{Error, Span};
use tokio::io::ReadBuf;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Duration, Instant, sleep, sleep_until};

use super::typed::Typed;
use super::{Console, Device, Port};
use crate::clock::Clock;
use crate::config::Pace;
use crate::journal::{Mark, Recording};
use crate::ledger::{Draft, Ledger};
use crate::rules::pen::{Desk, Outcome, Seat};

/// As much is read at once; ptys and serial ports give no more than 4 KiB.
const CHUNK: usize = 8 * 1024;
/// So many pieces of input wait for the device before whoever types has to wait.
const INPUTS: usize = 16;
/// The newest line is remembered up to so many bytes.
const LINE: usize = 512;
/// A recording that cannot be written is tried again this often.
const RETRY: Duration = Duration::from_millis(250);
/// Why a console is gone that was let go of.
const ANEW: &str = "the board is configured anew";

/// A console's line. Dropping the last handle ends its task and closes the device.
pub struct Line {
    shared: Arc<Shared>,
    /// Dropped with the line, which is how the task hears of it.
    _alive: oneshot::Sender<()>,
}

struct Shared {
    board: BoardName,
    wanted: watch::Sender<Wanted>,
    /// Whether the task has the device, or is about to look whether it may.
    has_it: watch::Sender<bool>,
    recording: Arc<Recording>,
    ledger: Ledger,
    clock: Clock,
    mark: Arc<Mark>,
    desk: Mutex<Desk>,
    /// How each session that follows is told that it is over.
    endings: Mutex<HashMap<u64, oneshot::Sender<()>>>,
    /// What was typed under a hold older than this is not for the board any more.
    fence: watch::Sender<u64>,
    status: Mutex<Status>,
    inputs: mpsc::Sender<Input>,
}

/// What the line is to do.
#[derive(Debug, Clone)]
struct Wanted {
    device: Device,
    pace: Pace,
    /// If not, somebody else may have it.
    is_ours: bool,
}

#[derive(Debug, Default)]
struct Status {
    state: ConsoleState,
    fault: Option<String>,
    /// The newest whole line, and what has come of the next.
    last_line: Vec<u8>,
    present_line: Vec<u8>,
}

/// What goes to the device.
#[derive(Debug)]
struct Input {
    who: UserName,
    /// Under which hold.
    hold: Option<u64>,
    what: What,
}

#[derive(Debug)]
enum What {
    Bytes(Vec<u8>),
    Break(Span),
}

/// Everything a line stands on.
pub struct Ground {
    /// Where the bytes are kept.
    pub recording: Arc<Recording>,
    /// Where the events are.
    pub ledger: Ledger,
    /// What time it is.
    pub clock: Clock,
    /// What to touch when the board looks different.
    pub mark: Arc<Mark>,
}

impl Line {
    /// Starts the task that will own `device`, see [`Line::take`].
    pub fn start(board: BoardName, device: Device, pace: Pace, ground: Ground) -> Line {
        let (inputs, typed) = mpsc::channel(INPUTS);
        let (alive, ended) = oneshot::channel();
        let Ground { recording, ledger, clock, mark } = ground;
        let shared = Arc::new(Shared {
            board,
            wanted: watch::Sender::new(Wanted { device, pace, is_ours: false }),
            has_it: watch::Sender::new(false),
            recording,
            ledger,
            clock,
            mark,
            desk: Mutex::default(),
            endings: Mutex::default(),
            fence: watch::Sender::new(0),
            status: Mutex::new(Status { state: ConsoleState::Away, ..Status::default() }),
            inputs,
        });
        let wanted = shared.wanted.subscribe();
        let task = Task { line: shared.clone(), wanted, typed, pace, journal: Typed::default() };
        tokio::spawn(async move {
            tokio::select! {
                () = task.run() => {}
                _ = ended => {}
            }
        });
        Line { shared, _alive: alive }
    }

    /// What the device is configured as.
    pub fn device(&self) -> Device {
        self.shared.wanted.borrow().device.clone()
    }

    /// Has this device from now on, and types so fast. If it has another, [`Line::let_go`] comes first.
    pub fn take(&self, device: Device, pace: Pace) {
        self.shared.wanted.send_replace(Wanted { device, pace, is_ours: true });
    }

    /// Lets go of the device. What is returned waits until it is closed and may be another's.
    pub fn let_go(&self) -> impl Future<Output = ()> {
        self.shared.wanted.send_modify(|wanted| wanted.is_ours = false);
        let mut has_it = self.shared.has_it.subscribe();
        async move {
            // If the line is gone, so is its device.
            let _ = has_it.wait_for(|has_it| !has_it).await;
        }
    }

    /// Whose console it is.
    pub fn board(&self) -> &BoardName {
        &self.shared.board
    }

    /// Whether the session is one of `who`'s at this console.
    pub fn is_of(&self, session: u64, who: &UserName) -> bool {
        self.shared.desk.lock().seat(session).is_some_and(|seat| seat.who == *who)
    }

    /// The session sits here under `hold` from now on.
    pub fn bind(&self, session: u64, hold: Option<u64>) {
        self.shared.desk.lock().bind(session, hold);
    }

    /// The console's bytes.
    pub fn recording(&self) -> &Arc<Recording> {
        &self.shared.recording
    }

    /// How the console stands.
    pub fn detail(&self) -> ConsoleDetail {
        let status = self.shared.status.lock();
        ConsoleDetail {
            device: self.device().to_string(),
            state: status.state,
            start: self.shared.recording.start(),
            end: self.shared.recording.end(),
            viewers: self.shared.desk.lock().viewers(),
            fault: status.fault.clone(),
        }
    }

    /// Whether the device is there, and why not.
    pub fn state(&self) -> (ConsoleState, Option<String>) {
        let status = self.shared.status.lock();
        (status.state, status.fault.clone())
    }

    /// The newest line that has something on it, as text.
    pub fn last_line(&self) -> String {
        let status = self.shared.status.lock();
        let present = protocol::text::plain(&status.present_line, LINE);
        if present.is_empty() { protocol::text::plain(&status.last_line, LINE) } else { present }
    }

    /// Seats a viewer. What is returned comes true when the session is over: its hold has ended.
    pub fn sit(&self, session: u64, seat: Seat, pen: Pen) -> oneshot::Receiver<()> {
        let (end, ended) = oneshot::channel();
        self.shared.endings.lock().insert(session, end);
        let who = seat.who.clone();
        let taken = {
            let mut desk = self.shared.desk.lock();
            desk.sit(session, seat);
            pen == Pen::Wanted && desk.take(session) == Outcome::Taken
        };
        if taken {
            self.shared.note(Some(who), Event::PenTaken { session });
        }
        ended
    }

    /// The viewer leaves.
    pub fn leave(&self, session: u64) {
        self.shared.endings.lock().remove(&session);
        let seat = self.shared.desk.lock().seat(session).cloned();
        let (had, next) = self.shared.desk.lock().leave(session);
        if let Some(seat) = seat.filter(|_| had) {
            self.shared.pen_dropped(session, &seat.who, next);
        }
    }

    /// Ends every session that was opened under a hold older than `newest`; what they typed and the
    /// board has not taken yet goes nowhere.
    pub fn cut(&self, newest: u64) {
        self.shared.fence.send_modify(|fence| *fence = newest.max(*fence));
        for session in self.shared.desk.lock().older_than(newest) {
            if let Some(end) = self.shared.endings.lock().remove(&session) {
                // A session that is gone needs no telling.
                let _ = end.send(());
            }
        }
    }

    /// What a session asks about the pen.
    ///
    /// # Errors
    /// [`Error::NoSuch`] if it does not look at this console.
    pub fn pen(&self, session: u64, ask: PenAsk) -> Result<PenState, Error> {
        let mut desk = self.shared.desk.lock();
        let who =
            desk.seat(session).map(|seat| seat.who.clone()).ok_or_else(|| no_session(session))?;
        let event = match ask {
            PenAsk::Take => match desk.take(session) {
                Outcome::Taken => Some(Event::PenTaken { session }),
                Outcome::InLine { of, newly: true, .. } => Some(Event::PenAsked { session, of }),
                _ => None,
            },
            PenAsk::Force { reason } => match desk.force(session) {
                Outcome::Taken => Some(Event::PenTaken { session }),
                Outcome::Forced { from } => Some(Event::PenForced { session, from, reason }),
                _ => None,
            },
            PenAsk::Drop => {
                let (had, next) = desk.drop_pen(session);
                if had {
                    drop(desk);
                    self.shared.pen_dropped(session, &who, next);
                    return Ok(PenState::NotYours);
                }
                None
            }
        };
        let state = desk.pen_of(session);
        drop(desk);
        if let Some(event) = event {
            self.shared.note(Some(who), event);
        }
        Ok(state)
    }

    /// Types on behalf of a session; waits while the device is behind. Without the pen nothing is
    /// typed, and nothing is said: who has the pen is on the timeline.
    pub async fn type_in(&self, session: u64, bytes: Vec<u8>) {
        let seat = {
            let desk = self.shared.desk.lock();
            desk.seat(session).filter(|_| desk.has_pen(session)).cloned()
        };
        if let Some(seat) = seat {
            self.shared.send(seat, What::Bytes(bytes)).await;
        }
    }

    /// Sends a BREAK for a session that has the pen.
    ///
    /// # Errors
    /// [`Error::NoSuch`], [`Error::Bad`] without the pen.
    pub async fn send_break(&self, session: u64, span: Span) -> Result<(), Error> {
        let seat = {
            let desk = self.shared.desk.lock();
            let seat = desk.seat(session).ok_or_else(|| no_session(session))?;
            if !desk.has_pen(session) {
                return Err(Error::Bad {
                    why: "a BREAK takes the pen, and you do not have it".to_owned(),
                });
            }
            seat.clone()
        };
        self.shared.send(seat, What::Break(span)).await;
        Ok(())
    }
}

fn no_session(session: u64) -> Error {
    Error::NoSuch { what: "session".to_owned(), name: session.to_string(), near: None }
}

impl Shared {
    /// The task takes inputs until the line is dropped, and `self` is the line's.
    async fn send(&self, Seat { who, hold, .. }: Seat, what: What) {
        let _ = self.inputs.send(Input { who, hold, what }).await;
    }

    fn is_over(&self, hold: Option<u64>) -> bool {
        hold.is_some_and(|number| number < *self.fence.borrow())
    }

    /// Writes an event down. It is on the timeline in order; nobody has to wait for the disk.
    fn note(&self, who: Option<UserName>, event: Event) {
        let offset = Some(self.recording.end());
        let board = Some(self.board.clone());
        drop(self.ledger.stage(Draft { who, board, offset, event, writes: Vec::new() }));
        self.mark.touch();
    }

    fn note_break(&self, who: UserName, sent: io::Result<()>) {
        let event = match sent {
            Ok(()) => Event::Break,
            Err(error) => Event::Noted { text: format!("a BREAK could not be sent: {error}") },
        };
        self.note(Some(who), event);
    }

    fn pen_dropped(&self, session: u64, who: &UserName, next: Option<u64>) {
        self.note(Some(who.clone()), Event::PenDropped { session });
        let next = next.and_then(|next| Some((next, self.desk.lock().seat(next)?.who.clone())));
        if let Some((session, who)) = next {
            self.note(Some(who), Event::PenTaken { session });
        }
    }

    fn set_state(&self, state: ConsoleState, fault: Option<String>) {
        let mut status = self.status.lock();
        let changed = status.state != state || status.fault != fault;
        (status.state, status.fault) = (state, fault);
        drop(status);
        if changed {
            self.mark.touch();
        }
    }

    /// Keeps the newest line for the board table.
    fn remember(&self, bytes: &[u8]) {
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

/// The task.
struct Task {
    line: Arc<Shared>,
    wanted: watch::Receiver<Wanted>,
    typed: mpsc::Receiver<Input>,
    pace: Pace,
    journal: Typed,
}

impl Wanted {
    fn is_still(&self, device: &Device) -> bool {
        self.is_ours && self.device == *device
    }
}

/// What a turn at the port brought.
enum Turn {
    Read(usize),
    Wrote(usize),
}

impl Task {
    async fn run(mut self) {
        let mut seen_open = false;
        loop {
            // First said and then looked: whoever lets go of it meanwhile waits.
            self.line.has_it.send_replace(true);
            let Wanted { device, pace, is_ours } = self.wanted.borrow_and_update().clone();
            if !is_ours {
                self.line.has_it.send_replace(false);
                self.drop_typed_until(async |wanted| drop(wanted.changed().await)).await;
                continue;
            }
            self.pace = pace;
            match self.open(&device).await {
                Some(Ok(port)) => {
                    self.line.set_state(ConsoleState::Open, None);
                    self.line.note(None, Event::ConsoleOpened);
                    seen_open = true;
                    let why = self.serve(port, &device).await;
                    self.line.set_state(ConsoleState::Away, Some(why.clone()));
                    self.line.note(None, Event::ConsoleLost { why });
                }
                Some(Err(error)) => {
                    self.line.set_state(ConsoleState::Away, Some(error.to_string()));
                    if !std::mem::replace(&mut seen_open, true) {
                        self.line.note(None, Event::ConsoleLost { why: error.to_string() });
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

    /// None if it is not wanted any more.
    async fn open(&mut self, device: &Device) -> Option<io::Result<Box<dyn Port>>> {
        tokio::select! {
            opened = device.open() => Some(opened),
            () = anew(&mut self.wanted, device) => None,
        }
    }

    /// As long as there is no device, whatever is typed goes nowhere.
    async fn drop_typed_until(&mut self, until: impl AsyncFnOnce(&mut watch::Receiver<Wanted>)) {
        let until = until(&mut self.wanted);
        tokio::pin!(until);
        loop {
            tokio::select! {
                () = &mut until => return,
                Some(_) = self.typed.recv() => {}
            }
        }
    }

    /// Serves an open port until it is gone; says why it is.
    async fn serve(&mut self, mut port: Box<dyn Port>, device: &Device) -> String {
        let mut buffer = vec![0; CHUNK];
        let (mut pending, mut under): (Vec<u8>, Option<u64>) = (Vec::new(), None);
        let mut fence = self.line.fence.subscribe();
        let mut may_write = Instant::now();
        let mut broken: Option<(UserName, Instant)> = None;
        loop {
            let paused = may_write > Instant::now();
            let piece = &pending[..pending.len().min(self.pace.bytes)];
            let piece = if paused || broken.is_some() { &[][..] } else { piece };
            tokio::select! {
                turn = turn(port.as_mut(), &mut buffer, piece) => match turn {
                    Ok(Turn::Read(0)) => return "the device has gone".to_owned(),
                    Ok(Turn::Read(read)) => self.record(&buffer[..read]).await,
                    Ok(Turn::Wrote(written)) => {
                        pending.drain(..written);
                        may_write = Instant::now() + self.pace.every.duration();
                    }
                    Err(error) => return error.to_string(),
                },
                Some(Input { who, hold, what }) = self.typed.recv(), if pending.is_empty() && broken.is_none() => match what {
                    _ if self.line.is_over(hold) => {}
                    What::Bytes(bytes) => {
                        self.note_all(|journal, now| journal.type_in(who, &bytes, now));
                        (pending, under) = (bytes, hold);
                    }
                    What::Break(span) => match port.set_break(true) {
                        Ok(()) => broken = Some((who, Instant::now() + span.duration())),
                        Err(error) => self.line.note_break(who, Err(error)),
                    },
                },
                Some(who) = end_of(&broken) => {
                    broken = None;
                    self.line.note_break(who, port.set_break(false));
                }
                Ok(()) = self.wanted.changed() => {
                    let wanted = self.wanted.borrow_and_update().clone();
                    if !wanted.is_still(device) {
                        return ANEW.to_owned();
                    }
                    self.pace = wanted.pace;
                }
                _ = fence.changed() => if self.line.is_over(under) { pending.clear() },
                () = sleep_until(may_write), if paused && !pending.is_empty() => {}
                () = self.journal.due() => self.note_all(Typed::settle),
            }
        }
    }

    /// Records, then shows. What cannot be recorded is not shown: the device waits meanwhile.
    async fn record(&mut self, bytes: &[u8]) {
        while let Err(error) = self.line.recording.append(self.line.clock.now(), bytes) {
            tracing::error!(board = %self.line.board, %error, "the console cannot be recorded");
            self.line.set_state(ConsoleState::Open, Some(format!("cannot be recorded: {error}")));
            sleep(RETRY).await;
        }
        if self.line.status.lock().fault.is_some() {
            self.line.set_state(ConsoleState::Open, None);
        }
        self.line.remember(bytes);
        self.note_all(|journal, _| journal.printed(bytes));
    }

    /// Lets the journal of what is typed see something, and writes down what it has finished.
    fn note_all(&mut self, see: impl FnOnce(&mut Typed, Instant) -> Vec<(UserName, Event)>) {
        for (who, event) in see(&mut self.journal, Instant::now()) {
            self.line.note(Some(who), event);
        }
    }
}

/// Returns when this device is not wanted any more.
async fn anew(wanted: &mut watch::Receiver<Wanted>, device: &Device) {
    // The sender is the task's own line.
    let _ = wanted.wait_for(|wanted| !wanted.is_still(device)).await;
}

/// Returns when a BREAK is to end, and whose it is; never, if there is none.
async fn end_of(broken: &Option<(UserName, Instant)>) -> Option<UserName> {
    match broken {
        Some((who, end)) => {
            sleep_until(*end).await;
            Some(who.clone())
        }
        None => std::future::pending().await,
    }
}

/// Reads or writes, whichever can be done first.
async fn turn(port: &mut dyn Port, buffer: &mut [u8], piece: &[u8]) -> io::Result<Turn> {
    poll_fn(|context| {
        if let Poll::Ready(read) = poll_read(port, context, buffer) {
            return Poll::Ready(read.map(Turn::Read));
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
