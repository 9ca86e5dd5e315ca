//! The line: the one task that owns a console's device.
//!
//! It reads, records, and then shows; it writes what the pen's owner types, as fast as the board
//! takes it; and it opens the device again whenever that has gone and come back. Viewers never
//! touch it: they follow the recording, each at its own speed. They stay when the device is configured
//! anew: the line lets go of one and takes the other.

mod deed;
mod etiquette;
mod input;
mod shared;
mod task;

pub use self::deed::Deed;

use std::sync::Arc;

use parking_lot::Mutex;
use protocol::board::BoardName;
use protocol::console::{ConsoleDetail, ConsoleState, Desk, Pen};
use protocol::journal::{By, Event};
use protocol::user::UserName;
use protocol::{Error, Span};
use tokio::sync::{mpsc, oneshot, watch};

use self::input::Right;
use self::shared::{LINE, Shared, Status, Wanted};
use self::task::Task;
use super::Device;
use crate::clock::Clock;
use crate::config::{Manner, sequence};
use crate::journal::{Mark, Recording};
use crate::ledger::Ledger;
use crate::rules::pen::{Outcome, Seat};
use crate::watcher::Watcher;

/// So many pieces of input wait for the device before whoever types has to wait.
const INPUTS: usize = 16;

/// A console's line. Dropping the last handle ends its task and closes the device.
pub struct Line {
    shared: Arc<Shared>,
    /// Dropped with the line, which is how the task hears of it.
    _alive: oneshot::Sender<()>,
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
    /// Who looks at what is recorded.
    pub watcher: Arc<Watcher>,
}

impl Line {
    /// Starts the task that will own `device`, see [`Line::take`].
    pub fn start(board: BoardName, device: Device, manner: Manner, ground: Ground) -> Line {
        let (inputs, typed) = mpsc::channel(INPUTS);
        let (urgent, at_once) = mpsc::channel(INPUTS);
        let (alive, ended) = oneshot::channel();
        let Ground { recording, ledger, clock, mark, watcher } = ground;
        let shared = Arc::new(Shared {
            board,
            wanted: watch::Sender::new(Wanted { device, manner, is_ours: false }),
            has_it: watch::Sender::new(false),
            recording,
            ledger,
            clock,
            mark,
            watcher,
            desk: Mutex::default(),
            seating: watch::Sender::default(),
            endings: Mutex::default(),
            fence: watch::Sender::default(),
            status: Mutex::new(Status { state: ConsoleState::Away, ..Status::default() }),
            inputs,
            urgent,
        });
        let (task, desk) = (Task::new(shared.clone(), typed, at_once), shared.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = task.run() => {}
                () = desk.pass_pen_on() => {}
                _ = ended => {}
            }
        });
        Line { shared, _alive: alive }
    }

    /// What the device is configured as.
    pub fn device(&self) -> Device {
        self.shared.wanted.borrow().device.clone()
    }

    /// Has this device from now on, and types so. If it has another, [`Line::let_go`] comes first.
    pub fn take(&self, device: Device, manner: Manner) {
        self.shared.wanted.send_replace(Wanted { device, manner, is_ours: true });
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

    /// How it is typed on.
    pub fn manner(&self) -> Manner {
        self.shared.wanted.borrow().manner.clone()
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

    /// Under which hold the session types by its holder's leave, if it does.
    pub fn lent(&self, session: u64) -> Option<u64> {
        self.shared.desk.lock().lent(session)
    }

    /// The console's bytes.
    pub fn recording(&self) -> &Arc<Recording> {
        &self.shared.recording
    }

    /// How the console stands.
    pub fn detail(&self) -> ConsoleDetail {
        let Desk { viewers, doing } = self.desk();
        let manner = self.manner();
        let [breaks, lines] = [manner.breaks, manner.lines].map(sequence::texts);
        let status = self.shared.status.lock();
        ConsoleDetail {
            device: self.device().to_string(),
            state: status.state,
            start: self.shared.recording.start(),
            end: self.shared.recording.end(),
            viewers,
            doing,
            breaks,
            lines,
            fault: status.fault.clone(),
            quality: status.quality.quality(),
            uart: self.device().uart().map(|uart| (*uart).into()),
        }
    }

    /// Who is at the console.
    pub fn desk(&self) -> Desk {
        let desk = self.shared.desk.lock();
        Desk { viewers: desk.viewers(), doing: desk.doing().map(str::to_owned) }
    }

    /// What changes whenever [`Line::desk`] does.
    pub fn seating(&self) -> watch::Receiver<()> {
        self.shared.seating.subscribe()
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
        self.shared.seating.send_replace(());
        ended
    }

    /// The viewer leaves.
    pub fn leave(&self, session: u64) {
        self.shared.endings.lock().remove(&session);
        let seat = self.shared.desk.lock().seat(session).cloned();
        let (had, next) = self.shared.desk.lock().leave(session);
        self.shared.seating.send_replace(());
        if let Some(seat) = seat.filter(|_| had) {
            self.shared.pen_dropped(session, seat.by(), next);
        }
    }

    /// Lets nothing through to the board that was typed under a hold older than `newest`: neither what
    /// is typed from now on nor what the board has not taken yet.
    pub fn bar(&self, newest: u64) {
        self.shared.fence.send_modify(|fence| fence.hold = newest.max(fence.hold));
    }

    /// Takes a [`Line::bar`] back as far as the hold of that number: it has not ended after all.
    pub fn readmit(&self, number: u64) {
        self.shared.fence.send_modify(|fence| fence.hold = number.min(fence.hold));
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

    /// Types for a session, if it has the pen. Returns when it is in line for the device: who leaves need not
    /// stay until a device that is stuck has taken it, and what became of it is not said.
    pub async fn press(&self, session: u64, bytes: Vec<u8>) {
        if let Ok(right) = self.right(None, session)
            && !bytes.is_empty()
        {
            drop(self.shared.put(right, bytes, false).await);
        }
    }

    /// Types for a session that has the pen. Returns when the device has taken all of it.
    ///
    /// # Errors
    /// [`Error::NoSuch`]; [`Error::NoPen`], also if it is taken away meanwhile; [`Error::Device`] if it is
    /// away; [`Error::HoldOver`].
    pub async fn type_in(&self, by: By, session: u64, bytes: Vec<u8>) -> Result<(), Error> {
        let right = self.right(Some(by), session)?;
        if bytes.is_empty() {
            return Ok(());
        }
        self.shared.hear(self.shared.put(right, bytes, false).await).await
    }

    /// Sends a BREAK for a session that has the pen, before what is typed and not yet taken. Returns when it
    /// is over.
    ///
    /// # Errors
    /// As [`Line::type_in`]; [`Error::Device`] also if it knows no BREAK, or cannot begin one in time.
    pub async fn send_break(&self, by: By, session: u64, span: Span) -> Result<(), Error> {
        let right = self.right(Some(by), session)?;
        self.shared.send_break(right, span).await
    }

    /// Under what a session types, if it has the pen; as it sits there, if no request says more.
    fn right(&self, by: Option<By>, session: u64) -> Result<Right, Error> {
        let mut desk = self.shared.desk.lock();
        desk.types(session, self.shared.clock.now());
        let seat = desk.seat(session).ok_or_else(|| no_session(session))?;
        if !desk.may_type(session) {
            return Err(Error::NoPen { board: self.shared.board.clone(), of: desk.owner() });
        }
        if let Some(doing) = desk.doing() {
            return Err(self.shared.busy(doing));
        }
        Ok(Right { by: by.unwrap_or_else(|| seat.by()), hold: seat.hold, turn: desk.turn() })
    }
}

fn no_session(session: u64) -> Error {
    Error::NoSuch { what: "session".to_owned(), name: session.to_string(), near: None }
}
