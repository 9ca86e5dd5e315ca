//! Who may type on a console: many look, one has the pen, the others stand in line for it.
//!
//! Asked by the console's line under its lock. Whether somebody may have the pen at all is
//! [`super::access`]'s.

use std::collections::{BTreeMap, VecDeque};

use protocol::Time;
use protocol::console::{PenState, Viewer};
use protocol::journal::By;
use protocol::user::UserName;

#[cfg(test)]
mod tests;

/// A console's viewers and its pen.
#[derive(Debug, Default)]
pub struct Desk {
    viewers: BTreeMap<u64, Seat>,
    pen: Option<u64>,
    line: VecDeque<u64>,
    turn: u64,
}

/// One viewer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// Who.
    pub who: UserName,
    /// Where they came from and with what, for the timeline.
    pub via: Option<String>,
    /// With which request.
    pub request: Option<u64>,
    /// Since when.
    pub since: Time,
    /// Under which hold they sit here: when it ends, so does the session.
    pub hold: Option<u64>,
}

impl Seat {
    /// The viewer, as the timeline has them.
    pub fn by(&self) -> By {
        let Seat { who, via, request, .. } = self;
        By { who: Some(who.clone()), via: via.clone(), request: *request }
    }
}

/// What became of an ask for the pen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The session has it now, and nobody had.
    Taken,
    /// The session has it now; somebody else had.
    Forced {
        /// Whose it was.
        from: UserName,
    },
    /// The session had it already.
    Had,
    /// The session stands in line.
    InLine {
        /// 1 is next.
        position: u32,
        /// Who has it.
        of: UserName,
        /// Whether the session was not in line before.
        newly: bool,
    },
}

impl Desk {
    /// Seats a viewer.
    pub fn sit(&mut self, session: u64, seat: Seat) {
        self.viewers.insert(session, seat);
    }

    /// The seat of a session.
    pub fn seat(&self, session: u64) -> Option<&Seat> {
        self.viewers.get(&session)
    }

    /// The session sits here under `hold` from now on.
    pub fn bind(&mut self, session: u64, hold: Option<u64>) {
        if let Some(seat) = self.viewers.get_mut(&session) {
            seat.hold = hold;
        }
    }

    /// Whether what the session types reaches the board.
    pub fn has_pen(&self, session: u64) -> bool {
        self.pen == Some(session)
    }

    /// Who has the pen.
    pub fn owner(&self) -> Option<UserName> {
        self.pen.map(|session| self.name(session))
    }

    /// The present turn's number, which only ever grows: whoever gets the pen begins another.
    pub fn turn(&self) -> u64 {
        self.turn
    }

    /// How the pen stands for a session.
    pub fn pen_of(&self, session: u64) -> PenState {
        let place = self.line.iter().position(|waiting| *waiting == session);
        match place {
            _ if self.has_pen(session) => PenState::Yours,
            Some(place) => PenState::InLine { position: place as u32 + 1 },
            None => PenState::NotYours,
        }
    }

    /// The session, which sits here, wants the pen: it has it at once if it is free, else it stands in line.
    pub fn take(&mut self, session: u64) -> Outcome {
        match self.pen {
            None => {
                self.hand_to(session);
                Outcome::Taken
            }
            Some(owner) if owner == session => Outcome::Had,
            Some(owner) => {
                let newly = !self.line.contains(&session);
                if newly {
                    self.line.push_back(session);
                }
                let place = self.line.iter().position(|waiting| *waiting == session).unwrap_or(0);
                Outcome::InLine { position: place as u32 + 1, of: self.name(owner), newly }
            }
        }
    }

    /// The session has the pen now, whoever had it; they are next in line.
    pub fn force(&mut self, session: u64) -> Outcome {
        match self.pen {
            Some(owner) if owner != session => {
                let from = self.name(owner);
                self.hand_to(session);
                self.line.push_front(owner);
                Outcome::Forced { from }
            }
            _ => self.take(session),
        }
    }

    /// The session gives the pen, or its place in line, up. Returns whether it had the pen, and
    /// who has it next.
    pub fn drop_pen(&mut self, session: u64) -> (bool, Option<u64>) {
        self.line.retain(|waiting| *waiting != session);
        if self.pen != Some(session) {
            return (false, None);
        }
        self.pen = None;
        if let Some(next) = self.line.front() {
            self.hand_to(*next);
        }
        (true, self.pen)
    }

    /// The session leaves. Returns as [`Desk::drop_pen`].
    pub fn leave(&mut self, session: u64) -> (bool, Option<u64>) {
        self.viewers.remove(&session);
        self.drop_pen(session)
    }

    /// The sessions that sit here under a hold older than `newest`.
    pub fn older_than(&self, newest: u64) -> Vec<u64> {
        let old = |seat: &Seat| seat.hold.is_some_and(|number| number < newest);
        self.viewers.iter().filter(|(_, seat)| old(seat)).map(|(session, _)| *session).collect()
    }

    /// Everybody who looks.
    pub fn viewers(&self) -> Vec<Viewer> {
        let viewer = |(session, seat): (&u64, &Seat)| Viewer {
            session: *session,
            who: seat.who.clone(),
            since: seat.since,
            pen: self.has_pen(*session),
        };
        self.viewers.iter().map(viewer).collect()
    }

    fn hand_to(&mut self, session: u64) {
        self.line.retain(|waiting| *waiting != session);
        self.pen = Some(session);
        self.turn += 1;
    }

    /// Nobody has the pen who does not sit here.
    fn name(&self, session: u64) -> UserName {
        self.viewers[&session].who.clone()
    }
}
