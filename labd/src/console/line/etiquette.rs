//! What is asked about the pen, and what is written down of it.

use protocol::console::{PenAsk, PenState};
use protocol::journal::{By, Event};
use protocol::user::UserName;
use protocol::{Error, Span};

use super::shared::Shared;
use super::{Line, no_session};
use crate::rules::pen::{Desk, Outcome, Refusal};

impl Line {
    /// What a session that may type by its own right asks about the pen. By force, what others have typed
    /// before and the board has not taken goes nowhere; else it goes first.
    ///
    /// # Errors
    /// [`Error::NoSuch`] if it does not look at this console; [`Error::NoPen`] if it is not the session's to
    /// hand on, [`Error::Bad`] if not to that one.
    pub fn pen(&self, by: By, session: u64, ask: PenAsk) -> Result<PenState, Error> {
        let mut desk = self.shared.desk.lock();
        desk.seat(session).ok_or_else(|| no_session(session))?;
        let event = match ask {
            PenAsk::Take => wanted(session, desk.take(session)),
            PenAsk::Ask => wanted(session, desk.ask(session, self.shared.clock.now())),
            PenAsk::Force { reason } => {
                let outcome = desk.force(session);
                self.shared.fence.send_modify(|fence| fence.turn = desk.turn());
                match outcome {
                    Outcome::Forced { from } => Some(Event::PenForced { session, from, reason }),
                    other => wanted(session, other),
                }
            }
            PenAsk::Drop => {
                let parted = self.parted(&mut desk, session);
                let (had, next) = desk.drop_pen(session);
                if had {
                    drop(desk);
                    self.shared.note_pen(by.clone(), parted);
                    self.shared.pen_dropped(session, by, next);
                    return Ok(PenState::NotYours);
                }
                parted
            }
            PenAsk::Grant { session: to } => {
                let session = desk.grant(session, to).map_err(|why| self.refusal(why, &desk))?;
                seated(&desk, session).map(|to| Event::PenGranted { session, to })
            }
            PenAsk::Keep => {
                let from = desk.keep(session).map_err(|why| self.refusal(why, &desk))?;
                (!from.is_empty()).then_some(Event::PenKept { from })
            }
            PenAsk::Pair { session: with } => {
                let session = desk.pair(session, with).map_err(|why| self.refusal(why, &desk))?;
                seated(&desk, session).map(|with| Event::Paired { session, with })
            }
            PenAsk::Part => self.parted(&mut desk, session),
        };
        let state = desk.pen_of(session);
        drop(desk);
        self.shared.note_pen(by, event);
        Ok(state)
    }

    /// A session whose board is `holder`'s asks them to let it type.
    ///
    /// # Errors
    /// [`Error::NoSuch`] if it does not look at this console.
    pub fn ask_holder(&self, by: By, session: u64, holder: UserName) -> Result<PenState, Error> {
        let mut desk = self.shared.desk.lock();
        desk.seat(session).ok_or_else(|| no_session(session))?;
        let outcome = desk.ask_as_guest(session, self.shared.clock.now());
        let state = desk.pen_of(session);
        drop(desk);
        let newly = matches!(outcome, Outcome::InLine { newly: true, .. });
        self.shared.note_pen(by, newly.then_some(Event::PenAsked { session, of: holder }));
        Ok(state)
    }

    fn parted(&self, desk: &mut Desk, session: u64) -> Option<Event> {
        let with = desk.part(session)?;
        seated(desk, with).map(|with| Event::Parted { with })
    }

    pub(super) fn refusal(&self, why: Refusal, desk: &Desk) -> Error {
        let board = self.board().clone();
        let why = match why {
            Refusal::NoPen => return Error::NoPen { board, of: desk.owner() },
            Refusal::Busy => return self.shared.busy(desk.doing().unwrap_or_default()),
            Refusal::NotInLine => format!("nobody there asks for the pen of {board}'s console"),
            Refusal::NotHolder => {
                format!("who does not hold {board} gets the pen from its holder only")
            }
        };
        Error::Bad { why }
    }
}

impl Shared {
    /// Hands the pen on whenever its owner neither answers who asked for it nor types. Never ends.
    pub(super) async fn pass_pen_on(&self) {
        let mut seating = self.seating.subscribe();
        let mut wanted = self.wanted.subscribe();
        loop {
            let patience = wanted.borrow_and_update().manner.patience;
            let due = self.desk.lock().due(patience);
            let is_due = async {
                match due {
                    Some(due) => self.clock.until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = is_due => self.hand_over(patience),
                // Both senders are this line's own.
                _ = seating.changed() => {}
                _ = wanted.changed() => {}
            }
        }
    }

    /// They may have typed or answered meanwhile.
    fn hand_over(&self, patience: Span) {
        let mut desk = self.desk.lock();
        let handed = desk.hand_over(self.clock.now(), patience);
        let handed = handed.and_then(|(from, session)| {
            let by = desk.seat(session)?.by();
            Some((by, Event::PenPassed { session, from }))
        });
        drop(desk);
        if let Some((by, event)) = handed {
            self.note_pen(by, Some(event));
        }
    }

    /// Writes down what has become of the pen, if anything has.
    fn note_pen(&self, by: By, event: Option<Event>) {
        self.seating.send_replace(());
        if let Some(event) = event {
            self.note(by, event);
        }
    }
}

/// What there is to write down when a session wants the pen.
fn wanted(session: u64, outcome: Outcome) -> Option<Event> {
    match outcome {
        Outcome::Taken => Some(Event::PenTaken { session }),
        Outcome::InLine { of: Some(of), newly: true, .. } => Some(Event::PenAsked { session, of }),
        _ => None,
    }
}

fn seated(desk: &Desk, session: u64) -> Option<UserName> {
    desk.seat(session).map(|seat| seat.who.clone())
}
