//! The line: the one task that owns a console's device.
//!
//! It reads, records, and then shows; it writes what the pen's owner types, as fast as the board
//! takes it; and it opens the device again whenever that has gone and come back. Viewers never
//! touch it: they follow the recording, each at its own speed. They stay when the device is configured
//! anew: the line lets go of one and takes the other.

use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use parking_lot::Mutex;
use protocol::board::BoardName;
use protocol::console::{ConsoleDetail, ConsoleState, Pen, PenAsk, PenState};
use protocol::journal::{By, Event};
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
    by: By,
    /// Under which hold.
    hold: Option<u64>,
    what: What,
    answer: Answer,
}

#[derive(Debug)]
enum What {
    Bytes(Vec<u8>),
    Break(Span),
}

/// How whoever sent an input hears what became of it, if they have not left.
type Answer = oneshot::Sender<Result<(), Error>>;

/// An input that the device is just taking.
enum Taking {
    Bytes { left: Vec<u8>, of: usize, hold: Option<u64>, answer: Answer },
    Break { by: By, end: Instant, answer: Answer },
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
        let (wanted, journal) = (shared.wanted.subscribe(), Typed::default());
        let task = Task { line: shared.clone(), wanted, typed, taking: None, pace, journal };
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
        let by = seat.by();
        let taken = {
            let mut desk = self.shared.desk.lock();
            desk.sit(session, seat);
            pen == Pen::Wanted && desk.take(session) == Outcome::Taken
        };
        if taken {
            self.shared.note(by, Event::PenTaken { session });
        }
        ended
    }

    /// The viewer leaves.
    pub fn leave(&self, session: u64) {
        self.shared.endings.lock().remove(&session);
        let seat = self.shared.desk.lock().seat(session).cloned();
        let (had, next) = self.shared.desk.lock().leave(session);
        if let Some(seat) = seat.filter(|_| had) {
            self.shared.pen_dropped(session, seat.by(), next);
        }
    }

    /// Lets nothing through to the board that was typed under a hold older than `newest`: neither what
    /// is typed from now on nor what the board has not taken yet.
    pub fn bar(&self, newest: u64) {
        self.shared.fence.send_modify(|fence| *fence = newest.max(*fence));
    }

    /// Takes a [`Line::bar`] back as far as the hold of that number: it has not ended after all.
    pub fn readmit(&self, number: u64) {
        self.shared.fence.send_modify(|fence| *fence = number.min(*fence));
    }

    /// Ends every session that was opened under a hold older than `newest`.
    pub fn cut(&self, newest: u64) {
        self.bar(newest);
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
    pub fn pen(&self, by: By, session: u64, ask: PenAsk) -> Result<PenState, Error> {
        let mut desk = self.shared.desk.lock();
        desk.seat(session).ok_or_else(|| no_session(session))?;
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
                    self.shared.pen_dropped(session, by, next);
                    return Ok(PenState::NotYours);
                }
                None
            }
        };
        let state = desk.pen_of(session);
        drop(desk);
        if let Some(event) = event {
            self.shared.note(by, event);
        }
        Ok(state)
    }

    /// Types for a session, if it has the pen. Returns when it is in line for the device: who leaves need not
    /// stay until a device that is stuck has taken it, and what became of it is not said.
    pub async fn press(&self, session: u64, bytes: Vec<u8>) {
        if let Ok(seat) = self.typist(session)
            && !bytes.is_empty()
        {
            drop(self.shared.put(seat.by(), seat.hold, What::Bytes(bytes)).await);
        }
    }

    /// Types for a session that has the pen. Returns when the device has taken all of it.
    ///
    /// # Errors
    /// [`Error::NoSuch`]; [`Error::NoPen`]; [`Error::Device`] if it is away; [`Error::HoldOver`].
    pub async fn type_in(&self, by: By, session: u64, bytes: Vec<u8>) -> Result<(), Error> {
        let hold = self.typist(session)?.hold;
        if bytes.is_empty() { Ok(()) } else { self.shared.send(by, hold, What::Bytes(bytes)).await }
    }

    /// Sends a BREAK for a session that has the pen. Returns when it is over.
    ///
    /// # Errors
    /// As [`Line::type_in`]; [`Error::Device`] also if it knows no BREAK.
    pub async fn send_break(&self, by: By, session: u64, span: Span) -> Result<(), Error> {
        self.shared.send(by, self.typist(session)?.hold, What::Break(span)).await
    }

    /// The seat of a session that has the pen.
    fn typist(&self, session: u64) -> Result<Seat, Error> {
        let desk = self.shared.desk.lock();
        let seat = desk.seat(session).ok_or_else(|| no_session(session))?;
        if !desk.has_pen(session) {
            return Err(Error::NoPen { board: self.shared.board.clone(), of: desk.owner() });
        }
        Ok(seat.clone())
    }
}

fn no_session(session: u64) -> Error {
    Error::NoSuch { what: "session".to_owned(), name: session.to_string(), near: None }
}

impl Shared {
    /// Returns when the device has taken it, or why it has not.
    async fn send(&self, by: By, hold: Option<u64>, what: What) -> Result<(), Error> {
        let answered = self.put(by, hold, what).await;
        answered.await.unwrap_or_else(|_| Err(self.fault("is closed")))
    }

    /// Puts it in line for the device.
    async fn put(
        &self,
        by: By,
        hold: Option<u64>,
        what: What,
    ) -> oneshot::Receiver<Result<(), Error>> {
        let (answer, answered) = oneshot::channel();
        // The task takes inputs until the line is dropped; then nobody answers either.
        let _ = self.inputs.send(Input { by, hold, what, answer }).await;
        answered
    }

    /// That something is the matter with the console.
    fn fault(&self, what: impl fmt::Display) -> Error {
        let why = format!("the console of {} {what}", self.board);
        Error::Device { device: self.wanted.borrow().device.to_string(), why }
    }

    /// That the device is not there, and what was not done for that.
    fn away(&self, undone: &str) -> Error {
        let why = self.status.lock().fault.clone().unwrap_or_else(|| "not opened yet".to_owned());
        self.fault(format_args!("is away, and {undone}: {why}"))
    }

    fn over(&self, hold: Option<u64>) -> Error {
        let (board, number) = (self.board.clone(), hold.unwrap_or_default());
        Error::HoldOver { board, number, how: "it ended before all was typed".to_owned() }
    }

    fn is_over(&self, hold: Option<u64>) -> bool {
        hold.is_some_and(|number| number < *self.fence.borrow())
    }

    /// Writes an event down. It is on the timeline in order; nobody has to wait for the disk.
    fn note(&self, by: By, event: Event) {
        let offset = Some(self.recording.end());
        let board = Some(self.board.clone());
        drop(self.ledger.stage(Draft { by, board, offset, event, writes: Vec::new() }));
        self.mark.touch();
    }

    /// Writes down what became of a BREAK, and says it.
    fn note_break(&self, by: By, sent: io::Result<()>, answer: Answer) {
        let (event, said) = match sent {
            Ok(()) => (Event::Break, Ok(())),
            Err(error) => {
                let text = format!("a BREAK could not be sent: {error}");
                let said = self.fault(format_args!("sends no BREAK: {error}"));
                (Event::Noted { text }, Err(said))
            }
        };
        self.note(by, event);
        tell(answer, said);
    }

    fn pen_dropped(&self, session: u64, by: By, next: Option<u64>) {
        self.note(by, Event::PenDropped { session });
        let next = next.and_then(|next| Some((next, self.desk.lock().seat(next)?.by())));
        if let Some((session, by)) = next {
            self.note(by, Event::PenTaken { session });
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
    taking: Option<Taking>,
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
        match self.taking.take() {
            None => {}
            Some(Taking::Break { answer, .. }) => {
                tell(answer, Err(self.line.away("the BREAK was cut short")));
            }
            Some(Taking::Bytes { left, of, answer, .. }) => {
                let undone = format!("{} of {of} bytes were typed", of - left.len());
                tell(answer, Err(self.line.away(&undone)));
            }
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
                Some(Input { what, answer, .. }) = self.typed.recv() => {
                    let undone = match what {
                        What::Bytes(_) => "nothing was typed",
                        What::Break(_) => "no BREAK was sent",
                    };
                    tell(answer, Err(self.line.away(undone)));
                }
            }
        }
    }

    /// Serves an open port until it is gone; says why it is.
    async fn serve(&mut self, mut port: Box<dyn Port>, device: &Device) -> String {
        let mut buffer = vec![0; CHUNK];
        let mut fence = self.line.fence.subscribe();
        let mut may_write = Instant::now();
        loop {
            let paused = may_write > Instant::now();
            let (piece, broken) = match &self.taking {
                Some(Taking::Bytes { left, .. }) if !paused => {
                    (&left[..left.len().min(self.pace.bytes)], None)
                }
                Some(Taking::Break { end, .. }) => (&[][..], Some(*end)),
                _ => (&[][..], None),
            };
            tokio::select! {
                turn = turn(port.as_mut(), &mut buffer, piece) => match turn {
                    Ok(Turn::Read(0)) => return "the device has gone".to_owned(),
                    Ok(Turn::Read(read)) => self.record(&buffer[..read]).await,
                    Ok(Turn::Wrote(written)) => {
                        self.wrote(written);
                        may_write = Instant::now() + self.pace.every.duration();
                    }
                    Err(error) => return error.to_string(),
                },
                Some(Input { by, hold, what, answer }) = self.typed.recv(), if self.taking.is_none() => match what {
                    _ if self.line.is_over(hold) => tell(answer, Err(self.line.over(hold))),
                    What::Bytes(left) => {
                        self.note_all(|journal, now| journal.type_in(by, &left, now));
                        self.taking = Some(Taking::Bytes { of: left.len(), left, hold, answer });
                    }
                    What::Break(span) => match port.set_break(true) {
                        Ok(()) => {
                            let end = Instant::now() + span.duration();
                            self.taking = Some(Taking::Break { by, end, answer });
                        }
                        Err(error) => self.line.note_break(by, Err(error), answer),
                    },
                },
                () = sleep_until(broken.unwrap_or(may_write)), if broken.is_some() => {
                    if let Some(Taking::Break { by, answer, .. }) = self.taking.take() {
                        self.line.note_break(by, port.set_break(false), answer);
                    }
                }
                Ok(()) = self.wanted.changed() => {
                    let wanted = self.wanted.borrow_and_update().clone();
                    if !wanted.is_still(device) {
                        return ANEW.to_owned();
                    }
                    self.pace = wanted.pace;
                }
                _ = fence.changed() => self.fence_off(),
                () = sleep_until(may_write), if paused && self.taking.is_some() && broken.is_none() => {}
                () = self.journal.due() => self.note_all(Typed::settle),
            }
        }
    }

    /// The device has taken so many bytes.
    fn wrote(&mut self, written: usize) {
        let Some(Taking::Bytes { left, .. }) = &mut self.taking else { return };
        left.drain(..written);
        if left.is_empty()
            && let Some(Taking::Bytes { answer, .. }) = self.taking.take()
        {
            tell(answer, Ok(()));
        }
    }

    /// What was typed under a hold that is over goes nowhere.
    fn fence_off(&mut self) {
        let line = &self.line;
        let is_over =
            |it: &mut Taking| matches!(it, Taking::Bytes { hold, .. } if line.is_over(*hold));
        if let Some(Taking::Bytes { hold, answer, .. }) = self.taking.take_if(is_over) {
            tell(answer, Err(self.line.over(hold)));
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
    fn note_all(&mut self, see: impl FnOnce(&mut Typed, Instant) -> Vec<(By, Event)>) {
        for (by, event) in see(&mut self.journal, Instant::now()) {
            self.line.note(by, event);
        }
    }
}

/// Says what became of an input.
fn tell(answer: Answer, what: Result<(), Error>) {
    // Who has left need not hear it.
    let _ = answer.send(what);
}

/// Returns when this device is not wanted any more.
async fn anew(wanted: &mut watch::Receiver<Wanted>, device: &Device) {
    // The sender is the task's own line.
    let _ = wanted.wait_for(|wanted| !wanted.is_still(device)).await;
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
