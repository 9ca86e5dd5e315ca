//! Who may type on a console: many look, one has the pen, the others stand in line for it and may ask for it.
//!
//! Asked by the console's line under its lock. Whether somebody may type by their own right, or may ask the
//! holder to let them, is [`super::access`]'s: one of these is a guest here. A guest gets the pen from the
//! holder's hand only, and sits under the holder's hold as long as they have it.

use std::collections::{BTreeMap, VecDeque};

use protocol::console::{PenState, Viewer};
use protocol::journal::By;
use protocol::user::UserName;
use protocol::{Span, Time};

#[cfg(test)]
mod tests;

/// A console's viewers and its pen.
#[derive(Debug, Default)]
pub struct Desk {
    viewers: BTreeMap<u64, Seat>,
    pen: Option<u64>,
    /// Who types as well as the pen's owner.
    pair: Option<u64>,
    line: VecDeque<Waiter>,
    turn: u64,
    /// When the pen's owner typed last.
    typed: Time,
    /// What is being done during which nobody types, by its number.
    deed: Option<(u64, String)>,
    deeds: u64,
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
    /// Whether they may not type by their own right.
    pub guest: bool,
}

impl Seat {
    /// The viewer, as the timeline has them.
    pub fn by(&self) -> By {
        let Seat { who, via, request, .. } = self;
        By { who: Some(who.clone()), via: via.clone(), request: *request }
    }
}

/// Somebody in line.
#[derive(Debug, Clone, Copy)]
struct Waiter {
    session: u64,
    /// Since when they wait for an answer, if they asked.
    asked: Option<Time>,
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
    /// The session had it already, or types as well.
    Had,
    /// The session stands in line.
    InLine {
        /// 1 is next.
        position: u32,
        /// Who has it.
        of: Option<UserName>,
        /// Whether the session did not wait, or not for an answer, before.
        newly: bool,
    },
}

/// Why the pen is not handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Who would hand it on does not have it.
    NoPen,
    /// The session does not wait for it; or nobody asks for it, if none was named.
    NotInLine,
    /// Only the holder hands it to a guest.
    NotHolder,
    /// Something is being done during which nobody types.
    Busy,
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

    /// The session may type by its own right, and sits here under `hold` from now on.
    pub fn bind(&mut self, session: u64, hold: Option<u64>) {
        if let Some(seat) = self.viewers.get_mut(&session) {
            (seat.hold, seat.guest) = (hold, false);
        }
    }

    /// Whether the session has the pen.
    pub fn has_pen(&self, session: u64) -> bool {
        self.pen == Some(session)
    }

    /// Whether what the session types reaches the board.
    pub fn may_type(&self, session: u64) -> bool {
        self.has_pen(session) || self.pair == Some(session)
    }

    /// Under which hold a guest types, if the session is one whom the holder lets.
    pub fn lent(&self, session: u64) -> Option<u64> {
        let seat = self.seat(session).filter(|seat| seat.guest && self.may_type(session))?;
        seat.hold
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
        match self.place(session) {
            _ if self.has_pen(session) => PenState::Yours,
            _ if self.pair == Some(session) => PenState::Paired,
            Some(place) => PenState::InLine { position: place as u32 + 1 },
            None => PenState::NotYours,
        }
    }

    /// The session, which sits here, wants the pen: it has it at once if it is free, else it stands in line.
    pub fn take(&mut self, session: u64) -> Outcome {
        self.want(session, None)
    }

    /// The same, and it asks whoever has it, from `now` on. A guest does not have it even if it is free.
    pub fn ask(&mut self, session: u64, now: Time) -> Outcome {
        self.want(session, Some(now))
    }

    /// The session, which may type by nobody's leave but the holder's, asks for that.
    pub fn ask_as_guest(&mut self, session: u64, now: Time) -> Outcome {
        let only_waits = !self.may_type(session);
        if let Some(seat) = self.viewers.get_mut(&session).filter(|_| only_waits) {
            (seat.hold, seat.guest) = (None, true);
        }
        self.want(session, Some(now))
    }

    fn want(&mut self, session: u64, asked: Option<Time>) -> Outcome {
        if self.may_type(session) {
            return Outcome::Had;
        }
        if self.pen.is_none() && !self.viewers[&session].guest {
            self.hand_to(session);
            return Outcome::Taken;
        }
        let mut newly = self.place(session).is_none();
        if newly {
            self.line.push_back(Waiter { session, asked: None });
        }
        let place = self.place(session).unwrap_or(0);
        let waiter = &mut self.line[place];
        if asked.is_some() && waiter.asked.is_none() {
            (waiter.asked, newly) = (asked, true);
        }
        Outcome::InLine { position: place as u32 + 1, of: self.owner(), newly }
    }

    /// The session has the pen now, whoever had it; they are next in line, unless they are a guest. What was
    /// being done is nothing to wait for.
    pub fn force(&mut self, session: u64) -> Outcome {
        self.deed = None;
        match self.pen {
            Some(owner) if owner != session => {
                let from = self.name(owner);
                self.pass(owner, session);
                Outcome::Forced { from }
            }
            Some(_) => Outcome::Had,
            None => self.take(session),
        }
    }

    /// Whoever has the pen, or may have it as it is free, hands it to a session that waits, or to the first
    /// that asked. Returns whose it is now.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn grant(&mut self, by: u64, to: Option<u64>) -> Result<u64, Refusal> {
        let to = self.choose(by, to)?;
        let hold = self.viewers[&by].hold;
        self.part(by);
        self.unseat_guest(by);
        self.hand_to(to);
        self.lend(to, hold);
        Ok(to)
    }

    /// Whoever has the pen lets a session that waits, or the first that asked, type as well. Returns which.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn pair(&mut self, by: u64, with: Option<u64>) -> Result<u64, Refusal> {
        if !self.has_pen(by) {
            return Err(Refusal::NoPen);
        }
        let with = self.choose(by, with)?;
        let hold = self.viewers[&by].hold;
        self.part(by);
        self.line.retain(|waiter| waiter.session != with);
        self.pair = Some(with);
        self.lend(with, hold);
        Ok(with)
    }

    /// Either of a pair ends it. Returns who typed as well.
    pub fn part(&mut self, session: u64) -> Option<u64> {
        let with = self.pair.take_if(|with| *with == session || self.pen == Some(session))?;
        self.unseat_guest(with);
        Some(with)
    }

    /// Whoever has the pen keeps it. Returns who had asked; they wait as before, but for guests.
    ///
    /// # Errors
    /// [`Refusal::NoPen`].
    pub fn keep(&mut self, by: u64) -> Result<Vec<UserName>, Refusal> {
        if !self.may_hand_on(by) {
            return Err(Refusal::NoPen);
        }
        let asked = self.line.iter().filter(|waiter| waiter.asked.is_some());
        let asked = asked.map(|waiter| self.name(waiter.session)).collect();
        self.line.iter_mut().for_each(|waiter| waiter.asked = None);
        self.line.retain(|waiter| !self.viewers[&waiter.session].guest);
        Ok(asked)
    }

    /// `who` begins to do something during which nobody types. Returns its number.
    ///
    /// # Errors
    /// [`Refusal::NoPen`] if somebody else has the pen; [`Refusal::Busy`] if something is being done.
    pub fn begin(&mut self, who: &UserName, what: &str) -> Result<u64, Refusal> {
        if self.deed.is_some() {
            return Err(Refusal::Busy);
        }
        if self.owner().is_some_and(|owner| owner != *who) {
            return Err(Refusal::NoPen);
        }
        self.deeds += 1;
        self.deed = Some((self.deeds, format!("{who} {what}")));
        Ok(self.deeds)
    }

    /// It is done, or was broken off.
    pub fn end(&mut self, deed: u64) {
        self.deed.take_if(|(number, _)| *number == deed);
    }

    /// What is being done, and by whom: `ada sends u-boot.bin`.
    pub fn doing(&self) -> Option<&str> {
        self.deed.as_ref().map(|(_, what)| what.as_str())
    }

    /// Somebody types at `now`.
    pub fn types(&mut self, session: u64, now: Time) {
        if self.has_pen(session) {
            self.typed = now;
        }
    }

    /// When the pen is handed on if its owner neither answers nor types.
    pub fn due(&self, patience: Span) -> Option<Time> {
        let (_, asked) = self.pen.and(self.first_to_ask()).filter(|_| self.deed.is_none())?;
        Some(asked.max(self.typed) + patience)
    }

    /// Hands the pen on if that is due. Returns who had it, and whose it is now.
    pub fn hand_over(&mut self, now: Time, patience: Span) -> Option<(UserName, u64)> {
        self.due(patience).filter(|due| *due <= now)?;
        let ((session, _), owner) = (self.first_to_ask()?, self.pen?);
        let from = self.name(owner);
        self.pass(owner, session);
        Some((from, session))
    }

    /// The session gives the pen, or its part in it, or its place in line, up. Returns whether it had the
    /// pen, and who has it next.
    pub fn drop_pen(&mut self, session: u64) -> (bool, Option<u64>) {
        self.part(session);
        self.line.retain(|waiter| waiter.session != session);
        if self.pen != Some(session) {
            return (false, None);
        }
        self.pen = None;
        self.unseat_guest(session);
        let next = self.line.iter().find(|waiter| !self.viewers[&waiter.session].guest);
        if let Some(next) = next.map(|next| next.session) {
            self.hand_to(next);
        }
        (true, self.pen)
    }

    /// The session leaves. Returns as [`Desk::drop_pen`].
    pub fn leave(&mut self, session: u64) -> (bool, Option<u64>) {
        let dropped = self.drop_pen(session);
        self.viewers.remove(&session);
        dropped
    }

    /// The sessions that sit here under a hold older than `newest`.
    pub fn older_than(&self, newest: u64) -> Vec<u64> {
        let old = |seat: &Seat| seat.hold.is_some_and(|number| number < newest);
        self.viewers.iter().filter(|(_, seat)| old(seat)).map(|(session, _)| *session).collect()
    }

    /// Everybody who looks.
    pub fn viewers(&self) -> Vec<Viewer> {
        let viewer = |(&session, seat): (&u64, &Seat)| {
            let place = self.place(session);
            Viewer {
                session,
                who: seat.who.clone(),
                since: seat.since,
                pen: self.has_pen(session),
                paired: self.pair == Some(session),
                waits: place.map(|place| place as u32 + 1),
                asked: place.and_then(|place| self.line[place].asked),
            }
        };
        self.viewers.iter().map(viewer).collect()
    }

    /// The first in line who asked and may type by their own right.
    fn first_to_ask(&self) -> Option<(u64, Time)> {
        let is_guest = |session| self.viewers[&session].guest;
        let asks = |waiter: &Waiter| Some((waiter.session, waiter.asked?));
        self.line.iter().filter_map(asks).find(|(session, _)| !is_guest(*session))
    }

    /// Whom `by` means, if `by` may hand the pen, or a part in it, to them.
    fn choose(&self, by: u64, to: Option<u64>) -> Result<u64, Refusal> {
        if !self.may_hand_on(by) {
            return Err(Refusal::NoPen);
        }
        let is_meant = |waiter: &&Waiter| match to {
            Some(to) => waiter.session == to,
            None => waiter.asked.is_some(),
        };
        let to = self.line.iter().find(is_meant).ok_or(Refusal::NotInLine)?.session;
        let is_holder = self.viewers[&by].hold.is_some() && !self.viewers[&by].guest;
        if self.viewers[&to].guest && !is_holder { Err(Refusal::NotHolder) } else { Ok(to) }
    }

    /// Who does not have the pen hands it on if nobody has it, and they could have it themselves.
    fn may_hand_on(&self, by: u64) -> bool {
        let is_free = self.pen.is_none() && !self.viewers[&by].guest;
        is_free || self.has_pen(by)
    }

    /// A guest sits here under the hold of whoever lets them type.
    fn lend(&mut self, to: u64, hold: Option<u64>) {
        if let Some(seat) = self.viewers.get_mut(&to).filter(|seat| seat.guest) {
            seat.hold = hold;
        }
    }

    /// A guest who types no more only looks, under nobody's hold.
    fn unseat_guest(&mut self, session: u64) {
        self.lend(session, None);
    }

    /// From one who would have kept it, and is next in line therefore, unless they are a guest.
    fn pass(&mut self, owner: u64, to: u64) {
        self.part(owner);
        self.hand_to(to);
        if self.viewers[&owner].guest {
            self.unseat_guest(owner);
        } else {
            self.line.push_front(Waiter { session: owner, asked: None });
        }
    }

    fn hand_to(&mut self, session: u64) {
        self.line.retain(|waiter| waiter.session != session);
        self.pen = Some(session);
        self.turn += 1;
    }

    fn place(&self, session: u64) -> Option<usize> {
        self.line.iter().position(|waiter| waiter.session == session)
    }

    /// Nobody has the pen, or waits for it, who does not sit here.
    fn name(&self, session: u64) -> UserName {
        self.viewers[&session].who.clone()
    }
}
