//! Looking at a console, and typing on it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use protocol::board::BoardName;
use protocol::console::{From, Pen, PenAsk, PenState};
use protocol::journal::{Entry, Event};
use protocol::power::{PowerAsk, PowerState};
use protocol::user::{Verb, Who};
use protocol::{Error, Span};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use super::people::on;
use super::{Board, Lab, request};
use crate::console::line::Line;
use crate::journal::Recording;
use crate::journal::recording::frames::Frame;
use crate::rules::access::{self, On};
use crate::rules::pen::Seat;

/// A viewer at a console. Leaves when it is dropped.
pub struct Viewer {
    lab: Arc<Lab>,
    line: Arc<Line>,
    /// Names the viewer in calls.
    pub session: u64,
    /// Where its history begins, and what paints the screen there, if it is asked for.
    pub begin: Frame,
}

impl Viewer {
    /// What it looks at.
    pub fn recording(&self) -> &Arc<Recording> {
        self.line.recording()
    }

    /// Types, if it has the pen; waits while the board is behind. What becomes of it is not said.
    pub async fn press(&self, bytes: Vec<u8>) {
        self.line.press(self.session, bytes).await;
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.line.leave(self.session);
        self.lab.sessions.lock().remove(&self.session);
    }
}

impl Lab {
    /// Seats the caller at a board's console. Who wants the pen must hold the board, and sits there
    /// under that hold: when it ends, what is returned beside the viewer comes true.
    ///
    /// # Errors
    /// [`Error::Lacks`], [`Error::NotAllowed`]; [`Error::HeldBy`] or [`Error::NotHeld`] if the pen
    /// is wanted.
    pub async fn attach(
        self: &Arc<Self>,
        who: &Who,
        board: &BoardName,
        from: From,
        pen: Pen,
    ) -> Result<(Viewer, oneshot::Receiver<()>), Error> {
        let here = self.find(who, Verb::See, board)?;
        self.allow_on(who, Verb::See, &here)?;
        let line = here.line.clone().ok_or_else(|| lacks(board))?;
        let begin = self.frame_of(board, line.recording(), from).await?;
        let session = self.next_session.fetch_add(1, Ordering::Relaxed);
        let ended = {
            // Under the book's lock, so that no hold ends between the look and the seat.
            let remembered = self.book.lock();
            let hold = match pen {
                Pen::Wanted => access::may_on(who, Verb::Type, on(&here, &remembered.book))
                    .inspect_err(|why| self.deny(who, Verb::Type, Some(board), why))?,
                Pen::Unwanted => None,
            };
            let (name, via, request) = (who.name.clone(), who.via.clone(), request::present());
            let seat =
                Seat { who: name, via, request, since: self.clock.now(), hold, guest: false };
            line.sit(session, seat, pen)
        };
        self.sessions.lock().insert(session, line.clone());
        here.mark.touch();
        Ok((Viewer { lab: self.clone(), line, session, begin }, ended))
    }

    /// The line of a board that the caller may look at.
    ///
    /// # Errors
    /// [`Error::Lacks`], [`Error::NoSuch`], [`Error::NotAllowed`], [`Error::OutOfScope`].
    pub fn line(&self, who: &Who, board: &BoardName) -> Result<Arc<Line>, Error> {
        let here = self.find(who, Verb::See, board)?;
        self.allow_on(who, Verb::See, &here)?;
        here.line.clone().ok_or_else(|| lacks(board))
    }

    /// What a session asks about the pen. It may be dropped without the board's hold, which may be over; and
    /// who lacks nothing but the hold may ask the holder for it.
    ///
    /// # Errors
    /// [`Error::NoSuch`], [`Error::NotAllowed`], [`Error::OutOfScope`]; [`Error::HeldBy`] or
    /// [`Error::NotHeld`] if the caller may not type; [`Error::NoPen`], [`Error::Bad`] if it is not theirs to
    /// hand on, or not to that session.
    pub fn pen(&self, who: &Who, session: u64, ask: PenAsk) -> Result<PenState, Error> {
        let (line, board) = self.session(who, session)?;
        let by = request::by(Some(who));
        if matches!(ask, PenAsk::Drop | PenAsk::Part) {
            self.allow(who, Verb::Type)?;
            return line.pen(by, session, ask);
        }
        // Under the book's lock, so that no hold ends between the look and the seat.
        let remembered = self.book.lock();
        match access::may_on(who, Verb::Type, on(&board, &remembered.book)) {
            Ok(hold) => {
                line.bind(session, hold);
                line.pen(by, session, ask)
            }
            Err(Error::HeldBy { who: holder, .. }) if ask == PenAsk::Ask => {
                line.ask_holder(by, session, holder)
            }
            Err(why) => {
                self.deny(who, Verb::Type, Some(line.board()), &why);
                Err(why)
            }
        }
    }

    /// Types for a session that has the pen. Answers when the device has taken all of it.
    ///
    /// # Errors
    /// [`Error::NoSuch`], [`Error::NotAllowed`], [`Error::OutOfScope`], [`Error::HeldBy`],
    /// [`Error::NotHeld`]; [`Error::NoPen`], [`Error::HoldOver`]; [`Error::Device`] if it is away.
    pub async fn type_in(&self, who: &Who, session: u64, bytes: Vec<u8>) -> Result<(), Error> {
        self.typist(who, session)?.type_in(request::by(Some(who)), session, bytes).await
    }

    /// Sends a BREAK for a session that has the pen: of 250 ms if `span` is nothing, 3 s at most, and no
    /// longer than the hold and the pen last. Answers when it is over.
    ///
    /// # Errors
    /// As [`Lab::type_in`]; [`Error::Device`] also if it knows no BREAK, or cannot begin one in time.
    pub async fn send_break(&self, who: &Who, session: u64, span: Span) -> Result<(), Error> {
        let span = if span.0 == 0 { Span::millis(250) } else { span.min(Span::seconds(3)) };
        self.typist(who, session)?.send_break(request::by(Some(who)), session, span).await
    }

    /// The line of a session whose board the caller may type at. They need not have come as they did when
    /// it was opened: with a token, it is what the token opens that counts. The holder may let them.
    fn typist(&self, who: &Who, session: u64) -> Result<Arc<Line>, Error> {
        let (line, board) = self.session(who, session)?;
        let remembered = self.book.lock();
        let on = On { lent: line.lent(session), ..on(&board, &remembered.book) };
        access::may_on(who, Verb::Type, on)
            .inspect_err(|why| self.deny(who, Verb::Type, Some(line.board()), why))?;
        drop(remembered);
        Ok(line)
    }

    /// A session of the caller's at a board that they may look at.
    fn session(&self, who: &Who, session: u64) -> Result<(Arc<Line>, Arc<Board>), Error> {
        let line = self.sessions.lock().get(&session).cloned();
        let theirs = line.filter(|line| line.is_of(session, &who.name));
        let line = theirs.ok_or_else(|| Error::NoSuch {
            what: "session of yours".to_owned(),
            name: session.to_string(),
            near: None,
        })?;
        let board = self.find(who, Verb::See, line.board())?;
        self.allow_on(who, Verb::See, &board)?;
        Ok((line, board))
    }

    /// Where `from` is in a recording, and what paints the screen there, if that is asked for.
    pub(super) async fn frame_of(
        &self,
        board: &BoardName,
        recording: &Arc<Recording>,
        from: From,
    ) -> Result<Frame, Error> {
        let offset = self.offset_of(board, recording, from).await?;
        let From::Screen { .. } = from else { return Ok(Frame { offset, paint: Vec::new() }) };
        let recording = recording.clone();
        let painted = spawn_blocking(move || recording.screen_at(offset)).await;
        painted.map_err(unreadable)?.map_err(unreadable)
    }

    pub(super) async fn offset_of(
        &self,
        board: &BoardName,
        recording: &Recording,
        from: From,
    ) -> Result<u64, Error> {
        let now = self.clock.now();
        let found = match from {
            From::Start => Ok(recording.start()),
            From::End => Ok(recording.end()),
            From::Offset { offset } => Ok(offset.clamp(recording.start(), recording.end())),
            From::Time { time } => recording.offset_at(time),
            From::Ago { span } => recording.offset_at(now - span),
            From::Tail { bytes } => recording.line_start(recording.end().saturating_sub(bytes)),
            From::Screen { offset, tail } => {
                let at = offset.unwrap_or(u64::MAX).min(recording.end());
                Ok(at.saturating_sub(tail).max(recording.start()))
            }
            From::Boot => {
                let on = self.last_power_on(board).await;
                Ok(on.and_then(|on| on.offset).unwrap_or(recording.start()))
            }
        };
        found.map_err(unreadable)
    }

    /// When the board was last switched on or reset.
    pub(super) async fn last_power_on(&self, board: &BoardName) -> Option<Entry> {
        // Without an outlet there is nothing to find, and a long ledger to search.
        if self.board(board).is_some_and(|board| board.keeper.is_none()) {
            return None;
        }
        let name = board.clone();
        let is_on = move |entry: &Entry| {
            let on = matches!(
                entry.event,
                Event::PowerSent { to: PowerState::On }
                    | Event::PowerSeen { state: PowerState::On }
                    | Event::PowerAsked { ask: PowerAsk::Reset }
            );
            on && entry.board.as_ref() == Some(&name)
        };
        let newest = self.ledger().newest(2, is_on).await.ok()?;
        // Told to be on and seen to be on are one boot: the first of the two counts.
        let told = |event: &Event| matches!(event, Event::PowerSent { .. });
        let seen = |event: &Event| matches!(event, Event::PowerSeen { .. });
        match newest.as_slice() {
            [first, second] if told(&first.entry.event) && seen(&second.entry.event) => {
                Some(first.entry.clone())
            }
            other => Some(other.last()?.entry.clone()),
        }
    }
}

pub(super) fn unreadable(error: impl ToString) -> Error {
    Error::Device { device: "the recording".to_owned(), why: error.to_string() }
}

pub(super) fn lacks(board: &BoardName) -> Error {
    Error::Lacks { board: board.clone(), what: "console".to_owned() }
}
