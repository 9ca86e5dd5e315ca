//! Who holds which board, and until when; and who waits.
//!
//! Asked by `lab` under one lock. Every method says what it changed as [`Done`]s, which the lab
//! writes down before it tells anybody. Remembers nothing on disk and never looks at a clock.
//! Whether somebody may ask at all is [`super::access`]'s; in which order those who wait are
//! served is [`super::queue`]'s.
//!
//! - this file: what people ask for
//! - [`course`]: what goes on by itself; [`serve`]: which board is given to whom
//! - [`hidden`]: what is taken from those for whom a board is no longer there
//! - [`restore`]: what does not come from people; [`places`]: the queue as people see it
//! - [`slot`], [`waiting`], [`done`]: one board, one who waits, one change

use std::collections::BTreeMap;

use protocol::board::{BoardName, State};
use protocol::hold::{Ask, Ended, Hold, IfTaken, Want};
use protocol::user::UserName;
use protocol::{Error, Span, Time};

mod course;
mod done;
mod hidden;
mod places;
mod restore;
mod serve;
mod slot;
#[cfg(test)]
mod tests;
mod waiting;

pub use done::Done;
pub use slot::{Last, Record, Stage, Terms};
pub use waiting::Waiting;

use slot::Slot;
use waiting::Ties;

/// The most places one person may have in the queue.
const MOST_PLACES: usize = 256;

/// Every board that can be held, and everybody who waits.
#[derive(Debug, Default)]
pub struct Book {
    boards: BTreeMap<BoardName, Slot>,
    queue: Vec<Waiting>,
    /// The next number that was never used, for holds and places alike.
    next: u64,
    warning: Span,
    /// Boards have come or changed since the queue was last asked whether it would take them.
    unserved: bool,
    /// Whose places were given up because nothing was left for them, for who still asks.
    hopeless: BTreeMap<u64, UserName>,
}

impl Book {
    /// An empty book, that warns holders `warning` before the end.
    pub fn new(warning: Span) -> Book {
        Book { next: 1, warning, ..Book::default() }
    }

    /// Changes how long before the end holders are warned.
    pub fn set_warning(&mut self, warning: Span) {
        self.warning = warning;
    }

    /// What is to be written down of a board.
    pub fn record(&self, board: &BoardName) -> Option<Record> {
        let slot = self.boards.get(board)?;
        Some(Record { stage: slot.stage.clone(), last: slot.last.clone(), warned: slot.warned })
    }

    /// What is to be written down of a place.
    pub fn waiting(&self, number: u64) -> Option<&Waiting> {
        self.queue.iter().find(|waiting| waiting.number == number)
    }

    /// Holds a board for `who`, or gives them a place in the queue.
    ///
    /// Who holds the very board they ask for by name extends their hold: it grows and never
    /// shrinks.
    ///
    /// # Errors
    /// [`Error::NoSuch`]; [`Error::HeldBy`] or [`Error::AllTaken`] if the ask says to refuse.
    pub fn reserve(&mut self, who: &UserName, ask: Ask, now: Time) -> Result<Vec<Done>, Error> {
        let would_do = self.candidates(&ask.want)?;
        if let (Want::Board { name }, Some(hold)) = (&ask.want, self.hold_of(&would_do[0]))
            && hold.who == *who
        {
            let span = ask.span.unwrap_or(self.slot(name)?.terms.default_hold);
            return self.extend(&name.clone(), who, span, now);
        }
        if let Some(board) = self.best_free(&would_do) {
            return Ok(vec![self.grant(&board, who, &ask, None, now)]);
        }
        if ask.if_taken == IfTaken::Refuse {
            return Err(self.taken(&would_do));
        }
        if self.queue.iter().filter(|waiting| waiting.who == *who).count() >= MOST_PLACES {
            return Err(Error::Bad {
                why: format!(
                    "{who} waits {MOST_PLACES} times already; give a place up with 'labctl queue --leave PLACE'"
                ),
            });
        }
        let place = self.number();
        let done = Done::Queued { place, who: who.clone(), want: ask.want.clone() };
        let ties = Ties { connected: 0, gone_since: now };
        let who = who.clone();
        self.queue.push(Waiting { number: place, who, ask, since: now, turn: place, ties });
        Ok(vec![done])
    }

    /// Everybody who waits, in the order in which they came.
    pub fn all_waiting(&self) -> impl Iterator<Item = &Waiting> {
        self.queue.iter()
    }

    /// Gives up a place in the queue.
    ///
    /// # Errors
    /// [`Error::NoSuch`] if there is no such place of theirs.
    pub fn unqueue(&mut self, who: &UserName, number: u64) -> Result<Vec<Done>, Error> {
        let waits = |waiting: &Waiting| waiting.number == number && waiting.who == *who;
        let index = self.queue.iter().position(waits).ok_or_else(|| no_place(number))?;
        Ok(vec![self.queue.remove(index).given_up(None)])
    }

    /// Makes the hold of `who` last until `span` from `now`, if that is later. It is cut to the
    /// board's longest; while others wait, the longest counts from the hold's beginning. Answers with
    /// the hold as it is then, also if it is as it was.
    ///
    /// # Errors
    /// [`Error::NotHeld`], [`Error::HeldBy`], [`Error::OthersWait`].
    pub fn extend(
        &mut self,
        board: &BoardName,
        who: &UserName,
        span: Span,
        now: Time,
    ) -> Result<Vec<Done>, Error> {
        let hold = self.owned(board, who)?.clone();
        let slot = self.slot(board)?;
        let waits =
            |waiting: &&Waiting| waiting.who != *who && slot.would_do(board, &waiting.ask.want);
        let count = self.queue.iter().filter(waits).count() as u32;
        let longest = slot.terms.longest_hold;
        let asked = now + span.min(longest);
        let until = if count > 0 { asked.min(hold.since + longest) } else { asked };
        if until <= hold.until && hold.until < asked {
            return Err(Error::OthersWait { board: board.clone(), count, until: hold.until });
        }
        let hold = Hold { until: until.max(hold.until), ..hold };
        let slot = self.slot_mut(board)?;
        if let Some(living) = slot.stage.living_mut()
            && living.until < hold.until
        {
            living.until = hold.until;
            slot.warned = false;
        }
        Ok(vec![Done::Extended { hold }])
    }

    /// Ends the hold of `who`.
    ///
    /// # Errors
    /// [`Error::NotHeld`], [`Error::HeldBy`]; [`Error::HoldOver`] if `number` is not the hold's.
    pub fn release(
        &mut self,
        board: &BoardName,
        who: &UserName,
        number: Option<u64>,
        now: Time,
    ) -> Result<Vec<Done>, Error> {
        if let Some(number) = number {
            self.check_fence(board, number)?;
        }
        self.owned(board, who)?;
        Ok(self.end(board, Ended::Released, now))
    }

    /// Ends whoever's hold it is.
    ///
    /// # Errors
    /// [`Error::NotHeld`]; [`Error::HoldOver`] if `number` is not the hold's.
    pub fn break_hold(
        &mut self,
        board: &BoardName,
        number: Option<u64>,
        by: &UserName,
        reason: String,
        now: Time,
    ) -> Result<Vec<Done>, Error> {
        if let Some(number) = number {
            self.check_fence(board, number)?;
        }
        if self.slot(board)?.stage.living().is_none() {
            return Err(Error::NotHeld { board: board.clone() });
        }
        Ok(self.end(board, Ended::Broken { by: by.clone(), reason }, now))
    }

    /// Hands the hold of `who` over: a new hold of the same end, under a new number. The board is
    /// never free in between.
    ///
    /// # Errors
    /// [`Error::NotHeld`], [`Error::HeldBy`].
    pub fn give(
        &mut self,
        board: &BoardName,
        who: &UserName,
        to: &UserName,
        now: Time,
    ) -> Result<Vec<Done>, Error> {
        let old = self.owned(board, who)?.clone();
        if old.who == *to {
            return Err(Error::Bad { why: format!("{to} holds {board} already") });
        }
        let number = self.number();
        let new =
            Hold { number, who: to.clone(), since: now, grace: None, place: None, ..old.clone() };
        let slot = self.slot_mut(board)?;
        let how = Ended::Given { to: to.clone() };
        slot.last = Some(Last { number: old.number, place: old.place, how: how.clone() });
        // Whoever was warned of the end, the new holder was not.
        slot.warned = false;
        slot.ties = Ties::default();
        slot.stage = if slot.terms.prepares {
            Stage::Preparing { hold: new.clone(), ssh_key: None, after: Some(old.clone()) }
        } else {
            Stage::Held { hold: new.clone() }
        };
        Ok(vec![Done::Ended { hold: old, how }, Done::Reserved { hold: new, place: None }])
    }

    /// Where a board stands.
    ///
    /// # Errors
    /// [`Error::NoSuch`].
    pub fn stage(&self, board: &BoardName) -> Result<&Stage, Error> {
        Ok(&self.slot(board)?.stage)
    }

    /// The state that people see.
    pub fn state(&self, board: &BoardName) -> State {
        match self.boards.get(board).map(|slot| &slot.stage) {
            None => State::Unknown,
            Some(Stage::Free) => State::Free,
            Some(Stage::Preparing { .. }) => State::Preparing,
            Some(Stage::Held { .. }) => State::Held,
            Some(Stage::Releasing { .. }) => State::Releasing,
        }
    }

    /// The hold that lasts on a board.
    pub fn hold_of(&self, board: &BoardName) -> Option<&Hold> {
        self.boards.get(board)?.stage.living()
    }

    /// Every hold that lasts.
    pub fn holds(&self) -> impl Iterator<Item = &Hold> {
        self.boards.values().filter_map(|slot| slot.stage.living())
    }

    /// How many wait for a board.
    pub fn waiting_for(&self, board: &BoardName) -> u32 {
        let Some(slot) = self.boards.get(board) else { return 0 };
        let waits = |waiting: &&Waiting| slot.would_do(board, &waiting.ask.want);
        self.queue.iter().filter(waits).count() as u32
    }

    /// What has become of a place: the hold that came of it, and whether it is prepared. None while
    /// it waits.
    ///
    /// # Errors
    /// [`Error::NoSuch`]; [`Error::HoldOver`] if the hold is over already.
    pub fn placed(&self, who: &UserName, number: u64) -> Result<Option<(&Hold, State)>, Error> {
        if self.waiting(number).is_some_and(|waiting| waiting.who == *who) {
            return Ok(None);
        }
        let is_it = |hold: &&Hold| {
            hold.who == *who && (hold.place == Some(number) || hold.number == number)
        };
        if let Some(hold) = self.holds().find(is_it) {
            return Ok(Some((hold, self.state(&hold.board))));
        }
        let over = |(board, slot): (&BoardName, &Slot)| {
            let last = slot.last.as_ref()?;
            let is_it = last.place == Some(number) || last.number == number;
            let (number, how) = (last.number, last.how.to_string());
            is_it.then(|| Error::HoldOver { board: board.clone(), number, how })
        };
        if self.hopeless.get(&number) == Some(who) {
            return Err(nothing_left(number));
        }
        Err(self.boards.iter().find_map(over).unwrap_or_else(|| no_place(number)))
    }

    /// What somebody holds or waits for under a number; nothing, if it is not theirs.
    pub fn wanted(&self, who: &UserName, number: u64) -> Option<Want> {
        let waiting = self.waiting(number).filter(|waiting| waiting.who == *who);
        let held = || {
            let (hold, _) = self.placed(who, number).ok()??;
            Some(Want::Board { name: hold.board.clone() })
        };
        waiting.map(|waiting| waiting.ask.want.clone()).or_else(held)
    }

    /// Refuses an older number than the board's newest.
    ///
    /// # Errors
    /// [`Error::HoldOver`], saying how that hold ended if it was the last.
    pub fn check_fence(&self, board: &BoardName, number: u64) -> Result<(), Error> {
        let slot = self.slot(board)?;
        if slot.stage.living().is_some_and(|hold| hold.number == number) {
            return Ok(());
        }
        let how = match &slot.last {
            Some(last) if last.number == number => last.how.to_string(),
            _ => "it is not the board's newest".to_owned(),
        };
        Err(Error::HoldOver { board: board.clone(), number, how })
    }

    /// The hold of `who`.
    fn owned(&self, board: &BoardName, who: &UserName) -> Result<&Hold, Error> {
        match self.slot(board)?.stage.living() {
            Some(hold) if hold.who == *who => Ok(hold),
            Some(hold) => Err(held_by(hold)),
            None => Err(Error::NotHeld { board: board.clone() }),
        }
    }

    fn slot(&self, board: &BoardName) -> Result<&Slot, Error> {
        self.boards.get(board).ok_or_else(|| no_board(board))
    }

    fn slot_mut(&mut self, board: &BoardName) -> Result<&mut Slot, Error> {
        self.boards.get_mut(board).ok_or_else(|| no_board(board))
    }
}

fn held_by(hold: &Hold) -> Error {
    Error::HeldBy { board: hold.board.clone(), who: hold.who.clone(), until: hold.until }
}

fn no_board(board: &BoardName) -> Error {
    Error::NoSuch { what: "board".to_owned(), name: board.to_string(), near: None }
}

fn nothing_left(number: u64) -> Error {
    let what = "board left for you that would do for place".to_owned();
    Error::NoSuch { what, name: number.to_string(), near: None }
}

fn no_place(number: u64) -> Error {
    Error::NoSuch {
        what: "hold or place of yours".to_owned(),
        name: number.to_string(),
        near: None,
    }
}
