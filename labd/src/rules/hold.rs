//! Who holds which board, and until when; and who waits.
//!
//! Asked by `lab` under one lock. Every method says what it changed as [`Done`]s, which the lab
//! writes down before it tells anybody. Remembers nothing on disk and never looks at a clock.
//! Whether somebody may ask at all is [`super::access`]'s; in which order those who wait are
//! served is [`super::queue`]'s.

use std::collections::BTreeMap;
use std::mem;

use protocol::board::{BoardName, State};
use protocol::hold::{Ask, Ended, Hold, IfTaken, Obstacle, Want};
use protocol::user::UserName;
use protocol::{Error, Span, Time};
use serde::{Deserialize, Serialize};

use super::queue;

mod places;
#[cfg(test)]
mod tests;

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
}

/// What the book must know of a board to decide about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Its class.
    pub class: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// How long a hold lasts when no span is asked for.
    pub default_hold: Span,
    /// How long a hold may last at most.
    pub longest_hold: Span,
    /// Whether something must be done before a hold begins: a setup script.
    pub prepares: bool,
    /// Whether something must be done after a hold ends: a setup script, power.
    pub cleans: bool,
}

#[derive(Debug)]
struct Slot {
    terms: Terms,
    stage: Stage,
    /// The last hold that ended, for whoever still asks under its number.
    last: Option<Last>,
    warned: bool,
    /// Since when nobody has had the board.
    free_since: Time,
    /// Chosen last when any board will do.
    faulty: bool,
    keepers: Keepers,
}

/// Where a board stands between two holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Stage {
    /// Nobody has it.
    Free,
    /// Promised; the setup script runs. If it was handed over, it first cleans up after `after`.
    Preparing {
        /// The hold that will be.
        hold: Hold,
        /// The holder's key, for the script.
        ssh_key: Option<String>,
        /// Whose hold came just before, without the board being free in between.
        after: Option<Hold>,
    },
    /// Somebody has it.
    Held {
        /// The hold.
        hold: Hold,
    },
    /// The hold is over; the setup script cleans up.
    Releasing {
        /// The hold that was.
        hold: Hold,
    },
}

/// A hold that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    /// Its number.
    pub number: u64,
    /// The place in the queue that it came from.
    pub place: Option<u64>,
    /// How it ended.
    pub how: Ended,
}

/// What is written down of a board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Where it stands.
    pub stage: Stage,
    /// The last hold that ended.
    pub last: Option<Last>,
    /// Whether the holder was warned of the end.
    pub warned: bool,
}

/// Somebody who waits; also what is written down of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Names the place.
    pub number: u64,
    /// Who.
    pub who: UserName,
    /// What they asked for.
    pub ask: Ask,
    /// Since when.
    pub since: Time,
    /// Its number, until something else of theirs is served: see [`queue::order`].
    #[serde(default)]
    turn: u64,
    #[serde(skip)]
    keepers: Keepers,
}

/// The clients that keep a hold or a place alive, if it is tied to any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Keepers {
    connected: u32,
    /// Since when there is none.
    gone_since: Time,
}

/// Something that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// Somebody has a board now, or will have when it is prepared.
    Reserved {
        /// The hold.
        hold: Hold,
        /// The place it came from.
        place: Option<Waiting>,
    },
    /// Its setup is done.
    Prepared {
        /// The hold.
        hold: Hold,
    },
    /// Somebody waits.
    Queued {
        /// The place's number.
        place: u64,
        /// Whose.
        who: UserName,
        /// For what.
        want: Want,
    },
    /// Somebody waits no more, and has nothing.
    Unqueued {
        /// The place's number.
        place: u64,
        /// Whose.
        who: UserName,
    },
    /// A hold lasts longer.
    Extended {
        /// The hold as it is now.
        hold: Hold,
    },
    /// A hold ends soon.
    Ending {
        /// The hold.
        hold: Hold,
    },
    /// A hold is over. The board may still have to be cleaned.
    Ended {
        /// The hold.
        hold: Hold,
        /// How.
        how: Ended,
    },
    /// A board is clean, and nobody has it.
    Freed {
        /// The board.
        board: BoardName,
    },
}

impl Stage {
    /// The hold that is to begin, lasts, or is being cleaned up after.
    pub fn hold(&self) -> Option<&Hold> {
        match self {
            Stage::Free => None,
            Stage::Preparing { hold, .. } | Stage::Held { hold } | Stage::Releasing { hold } => {
                Some(hold)
            }
        }
    }

    /// The hold that lasts.
    fn living(&self) -> Option<&Hold> {
        if matches!(self, Stage::Releasing { .. }) { None } else { self.hold() }
    }

    fn living_mut(&mut self) -> Option<&mut Hold> {
        match self {
            Stage::Preparing { hold, .. } | Stage::Held { hold } => Some(hold),
            Stage::Free | Stage::Releasing { .. } => None,
        }
    }

    /// Every hold that it speaks of.
    fn holds_mut(&mut self) -> [Option<&mut Hold>; 2] {
        match self {
            Stage::Free => [None, None],
            Stage::Preparing { hold, after, .. } => [Some(hold), after.as_mut()],
            Stage::Held { hold } | Stage::Releasing { hold } => [Some(hold), None],
        }
    }
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

    /// Takes a board up, or changes its terms. Who waits for it gets it at the next [`Book::tick`].
    pub fn put_board(&mut self, board: BoardName, terms: Terms) {
        let slot = Slot {
            terms: terms.clone(),
            stage: Stage::Free,
            last: None,
            warned: false,
            free_since: Time::default(),
            faulty: false,
            keepers: Keepers::default(),
        };
        self.boards.entry(board).or_insert(slot).terms = terms;
        self.unserved = true;
    }

    /// Forgets a board that nobody has.
    ///
    /// # Errors
    /// [`Error::HeldBy`].
    pub fn remove_board(&mut self, board: &BoardName) -> Result<(), Error> {
        if let Some(hold) = self.slot(board)?.stage.hold() {
            return Err(held_by(hold));
        }
        self.boards.remove(board);
        Ok(())
    }

    /// Takes up what was written down of a board. Its client, if it is tied to one, has gone at `now`
    /// until it comes back.
    pub fn restore_board(&mut self, board: &BoardName, record: Record, now: Time) {
        let numbers = [
            record.stage.hold().map(|hold| hold.number),
            record.last.as_ref().map(|last| last.number),
        ];
        self.next =
            numbers.into_iter().flatten().map(|number| number + 1).fold(self.next, u64::max);
        if let Some(slot) = self.boards.get_mut(board) {
            let Record { stage, last, warned } = record;
            let keepers = Keepers { connected: 0, gone_since: now };
            *slot = Slot { stage, last, warned, keepers, terms: slot.terms.clone(), ..*slot };
        }
    }

    /// Takes up a place that was written down.
    pub fn restore_waiting(&mut self, mut waiting: Waiting, now: Time) {
        self.next = self.next.max(waiting.number + 1);
        waiting.keepers.gone_since = now;
        waiting.turn = waiting.turn.max(waiting.number);
        let at = self.queue.partition_point(|other| other.number < waiting.number);
        self.queue.insert(at, waiting);
    }

    /// Takes over what is not written down from the book as it was before it was read back: which
    /// clients are there, and which boards are faulty.
    pub fn take_over(&mut self, before: &Book) {
        for (board, slot) in &before.boards {
            if let Some(own) = self.boards.get_mut(board) {
                own.faulty = slot.faulty;
                if own.stage.hold().map(|hold| hold.number)
                    == slot.stage.hold().map(|hold| hold.number)
                {
                    own.keepers = slot.keepers;
                }
            }
        }
        for own in &mut self.queue {
            if let Some(waiting) = before.waiting(own.number) {
                own.keepers = waiting.keepers;
            }
        }
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
            return Err(Error::Bad { why: format!("{who} waits {MOST_PLACES} times already") });
        }
        let place = self.number();
        let done = Done::Queued { place, who: who.clone(), want: ask.want.clone() };
        let keepers = Keepers { connected: 0, gone_since: now };
        let who = who.clone();
        self.queue.push(Waiting { number: place, who, ask, since: now, turn: place, keepers });
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
        if !self.queue.iter().any(waits) {
            return Err(no_place(number));
        }
        self.queue.retain(|waiting| !waits(waiting));
        Ok(vec![Done::Unqueued { place: number, who: who.clone() }])
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
        slot.keepers = Keepers::default();
        slot.stage = if slot.terms.prepares {
            Stage::Preparing { hold: new.clone(), ssh_key: None, after: Some(old.clone()) }
        } else {
            Stage::Held { hold: new.clone() }
        };
        Ok(vec![Done::Ended { hold: old, how }, Done::Reserved { hold: new, place: None }])
    }

    /// The setup of hold `number` is done.
    pub fn prepared(&mut self, board: &BoardName, number: u64) -> Vec<Done> {
        let Some(slot) = self.boards.get_mut(board) else { return Vec::new() };
        match &slot.stage {
            Stage::Preparing { hold, .. } if hold.number == number => {
                let hold = hold.clone();
                slot.stage = Stage::Held { hold: hold.clone() };
                vec![Done::Prepared { hold }]
            }
            _ => Vec::new(),
        }
    }

    /// The setup of hold `number` has failed: the hold never was, and the board must be cleaned.
    pub fn undo(&mut self, board: &BoardName, number: u64, now: Time) -> Vec<Done> {
        match self.boards.get(board).map(|slot| &slot.stage) {
            Some(Stage::Preparing { hold, .. }) if hold.number == number => {
                self.end(board, Ended::Undone, now)
            }
            _ => Vec::new(),
        }
    }

    /// The board is clean after hold `number`: the next in the queue has it.
    pub fn cleaned(&mut self, board: &BoardName, number: u64, now: Time) -> Vec<Done> {
        match self.boards.get(board).map(|slot| &slot.stage) {
            Some(Stage::Releasing { hold }) if hold.number == number => self.free(board, now),
            _ => Vec::new(),
        }
    }

    /// What time does: drops what nobody keeps, warns, ends what is over, and serves boards that
    /// have come or changed to those who wait for them.
    pub fn tick(&mut self, now: Time) -> Vec<Done> {
        let gone = |waiting: &mut Waiting| waiting.keepers.given_up(waiting.ask.grace, now);
        // First, so that no board goes to somebody whose place is given up.
        let mut done: Vec<_> = self
            .queue
            .extract_if(.., gone)
            .map(|waiting| Done::Unqueued { place: waiting.number, who: waiting.who })
            .collect();
        let warning = self.warning;
        for board in self.boards_that(|slot| slot.due(warning).is_some_and(|due| due <= now)) {
            done.extend(self.tick_board(&board, now));
        }
        if mem::take(&mut self.unserved) {
            for board in self.boards_that(|slot| slot.stage == Stage::Free) {
                done.extend(self.serve(&board, now));
            }
        }
        done
    }

    /// When [`Book::tick`] has something to do next.
    pub fn next_tick(&self) -> Option<Time> {
        if self.unserved {
            return Some(Time::default());
        }
        let holds = self.boards.values().filter_map(|slot| slot.due(self.warning));
        let places =
            self.queue.iter().filter_map(|waiting| waiting.keepers.gives_up(waiting.ask.grace));
        holds.chain(places).min()
    }

    /// A client keeps a hold or a place from now on.
    ///
    /// # Errors
    /// [`Error::NoSuch`] if there is none of that number of theirs.
    pub fn keep(&mut self, who: &UserName, number: u64) -> Result<(), Error> {
        let keepers = self.keepers(number).filter(|(owner, _)| owner == who);
        let (_, keepers) = keepers.ok_or_else(|| no_place(number))?;
        keepers.connected += 1;
        Ok(())
    }

    /// A client that kept a hold or a place has gone.
    pub fn let_go(&mut self, number: u64, now: Time) {
        if let Some((_, keepers)) = self.keepers(number) {
            keepers.connected = keepers.connected.saturating_sub(1);
            keepers.gone_since = now;
        }
    }

    /// All times move by `ms`: the clock was set. Nothing ends earlier or later than it would have.
    pub fn shift(&mut self, ms: i64) {
        for slot in self.boards.values_mut() {
            slot.free_since = slot.free_since.shifted(ms);
            slot.keepers.gone_since = slot.keepers.gone_since.shifted(ms);
            for hold in slot.stage.holds_mut().into_iter().flatten() {
                hold.since = hold.since.shifted(ms);
                hold.until = hold.until.shifted(ms);
            }
        }
        for waiting in &mut self.queue {
            waiting.since = waiting.since.shifted(ms);
            waiting.keepers.gone_since = waiting.keepers.gone_since.shifted(ms);
        }
    }

    /// Notes whether something is wrong with a board: it is then chosen last.
    pub fn set_faulty(&mut self, board: &BoardName, faulty: bool) {
        if let Some(slot) = self.boards.get_mut(board) {
            slot.faulty = faulty;
        }
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
        Err(self.boards.iter().find_map(over).unwrap_or_else(|| no_place(number)))
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

    fn tick_board(&mut self, board: &BoardName, now: Time) -> Vec<Done> {
        let warning = self.warning;
        let Some(slot) = self.boards.get_mut(board) else { return Vec::new() };
        let Some(hold) = slot.stage.living().cloned() else { return Vec::new() };
        if hold.until <= now {
            return self.end(board, Ended::Expired, now);
        }
        if slot.keepers.given_up(hold.grace, now) {
            return self.end(board, Ended::Abandoned, now);
        }
        if !slot.warned && warns_at(&hold, warning) <= now {
            slot.warned = true;
            return vec![Done::Ending { hold }];
        }
        Vec::new()
    }

    fn end(&mut self, board: &BoardName, how: Ended, now: Time) -> Vec<Done> {
        let Some(slot) = self.boards.get_mut(board) else { return Vec::new() };
        let Some(hold) = slot.stage.living().cloned() else { return Vec::new() };
        slot.last = Some(Last { number: hold.number, place: hold.place, how: how.clone() });
        // What is over is over from now on: nobody is told that it lasts until its time is up.
        let over = Hold { until: hold.until.min(now), ..hold.clone() };
        slot.stage = Stage::Releasing { hold: over };
        let clean = !slot.terms.cleans;
        let mut done = vec![Done::Ended { hold, how }];
        if clean {
            done.extend(self.free(board, now));
        }
        done
    }

    /// Nobody has the board now; the next in the queue gets it.
    fn free(&mut self, board: &BoardName, now: Time) -> Vec<Done> {
        let Some(slot) = self.boards.get_mut(board) else { return Vec::new() };
        slot.stage = Stage::Free;
        slot.free_since = now;
        vec![self.serve(board, now).unwrap_or_else(|| Done::Freed { board: board.clone() })]
    }

    /// Gives a free board to the next in the queue who would take it, if there is one.
    fn serve(&mut self, board: &BoardName, now: Time) -> Option<Done> {
        let slot = self.boards.get(board)?;
        let would_take = |index: &usize| slot.would_do(board, &self.queue[*index].ask.want);
        let index = queue::order(self.turns()).into_iter().find(would_take)?;
        let waiting = self.queue.remove(index);
        for other in self.queue.iter_mut().filter(|other| other.who == waiting.who) {
            other.turn = self.next;
        }
        let (who, ask) = (waiting.who.clone(), waiting.ask.clone());
        Some(self.grant(board, &who, &ask, Some(waiting), now))
    }

    /// Who waits, and their turns.
    fn turns(&self) -> impl Iterator<Item = (&UserName, u64)> {
        self.queue.iter().map(|waiting| (&waiting.who, waiting.turn))
    }

    fn grant(
        &mut self,
        board: &BoardName,
        who: &UserName,
        ask: &Ask,
        place: Option<Waiting>,
        now: Time,
    ) -> Done {
        let slot = self.boards.get(board);
        let span = slot.map_or_else(Span::default, |slot| slot.span_for(ask));
        let hold = Hold {
            number: self.number(),
            board: board.clone(),
            who: who.clone(),
            since: now,
            until: now + span,
            grace: ask.grace,
            note: ask.note.clone(),
            place: place.as_ref().map(|place| place.number),
        };
        let keepers = place.as_ref().map_or_else(Keepers::default, |place| place.keepers);
        if let Some(slot) = self.boards.get_mut(board) {
            slot.warned = false;
            // The client gets its grace to come and keep what it was given just now.
            slot.keepers = Keepers { gone_since: now, ..keepers };
            slot.stage = if slot.terms.prepares {
                Stage::Preparing { hold: hold.clone(), ssh_key: ask.ssh_key.clone(), after: None }
            } else {
                Stage::Held { hold: hold.clone() }
            };
        }
        Done::Reserved { hold, place }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    fn boards_that(&self, is_so: impl Fn(&Slot) -> bool) -> Vec<BoardName> {
        let these = self.boards.iter().filter(|(_, slot)| is_so(slot));
        these.map(|(board, _)| board.clone()).collect()
    }

    fn boards_for<'a>(&'a self, want: &'a Want) -> impl Iterator<Item = (&'a BoardName, &'a Slot)> {
        // By far the commonest ask names its board: no need to look at the others.
        let named = match want {
            Want::Board { name } => Some(self.boards.get_key_value(name)),
            _ => None,
        };
        let all = named.is_none().then_some(&self.boards).into_iter().flatten();
        let one = named.flatten();
        one.into_iter().chain(all.filter(|(board, slot)| slot.would_do(board, want)))
    }

    fn candidates(&self, want: &Want) -> Result<Vec<BoardName>, Error> {
        let boards: Vec<_> = self.boards_for(want).map(|(board, _)| board.clone()).collect();
        if !boards.is_empty() {
            return Ok(boards);
        }
        let (what, name) = match want {
            Want::Board { name } => return Err(no_board(name)),
            Want::Class { name } => ("class with boards", name.clone()),
            Want::Tags { expr } => ("board with", expr.to_string()),
        };
        Err(Error::NoSuch { what: what.to_owned(), name, near: None })
    }

    /// The free board that has been free the longest; a faulty one only if there is no other.
    fn best_free(&self, boards: &[BoardName]) -> Option<BoardName> {
        let free = boards.iter().filter_map(|board| Some((board, self.boards.get(board)?)));
        free.filter(|(_, slot)| slot.stage == Stage::Free)
            .min_by_key(|(_, slot)| (slot.faulty, slot.free_since))
            .map(|(board, _)| board.clone())
    }

    fn taken(&self, boards: &[BoardName]) -> Error {
        let holds = boards.iter().filter_map(|board| self.boards.get(board)?.stage.hold());
        match (boards, holds.min_by_key(|hold| hold.until)) {
            ([_], Some(hold)) => held_by(hold),
            (boards, Some(hold)) => Error::AllTaken {
                count: boards.len() as u32,
                board: hold.board.clone(),
                who: hold.who.clone(),
                until: hold.until,
            },
            (_, None) => Error::Unknown,
        }
    }

    fn keepers(&mut self, number: u64) -> Option<(UserName, &mut Keepers)> {
        let place = self.queue.iter_mut().find(|waiting| waiting.number == number);
        if let Some(place) = place {
            return Some((place.who.clone(), &mut place.keepers));
        }
        self.boards.values_mut().find_map(|slot| {
            let is_it = |hold: &&Hold| hold.number == number || hold.place == Some(number);
            let hold = slot.stage.living().filter(is_it)?;
            Some((hold.who.clone(), &mut slot.keepers))
        })
    }

    fn slot(&self, board: &BoardName) -> Result<&Slot, Error> {
        self.boards.get(board).ok_or_else(|| no_board(board))
    }

    fn slot_mut(&mut self, board: &BoardName) -> Result<&mut Slot, Error> {
        self.boards.get_mut(board).ok_or_else(|| no_board(board))
    }
}

impl Slot {
    fn would_do(&self, board: &BoardName, want: &Want) -> bool {
        want.is_met_by(board, &self.terms.class, &self.terms.tags)
    }

    fn span_for(&self, ask: &Ask) -> Span {
        ask.span.unwrap_or(self.terms.default_hold).min(self.terms.longest_hold)
    }

    fn obstacle(&self) -> Option<Obstacle> {
        let Hold { board, who, until, .. } = self.stage.hold()?.clone();
        Some(Obstacle { board, who, until })
    }

    /// When time does something to its hold next.
    fn due(&self, warning: Span) -> Option<Time> {
        let hold = self.stage.living()?;
        let next = if self.warned { hold.until } else { warns_at(hold, warning) };
        Some(self.keepers.gives_up(hold.grace).map_or(next, |gives_up| gives_up.min(next)))
    }

    /// When the board is free at the latest, as far as is known.
    fn free_at(&self, now: Time) -> Time {
        self.stage.living().map_or(now, |hold| hold.until.max(now))
    }
}

impl Keepers {
    fn gives_up(self, grace: Option<Span>) -> Option<Time> {
        let grace = grace.filter(|_| self.connected == 0)?;
        Some(self.gone_since + grace)
    }

    fn given_up(self, grace: Option<Span>, now: Time) -> bool {
        self.gives_up(grace).is_some_and(|when| when <= now)
    }
}

/// A quarter of a short hold is warning enough.
fn warns_at(hold: &Hold, warning: Span) -> Time {
    hold.until - warning.min(Span(hold.until.since(hold.since).0 / 4))
}

fn held_by(hold: &Hold) -> Error {
    Error::HeldBy { board: hold.board.clone(), who: hold.who.clone(), until: hold.until }
}

fn no_board(board: &BoardName) -> Error {
    Error::NoSuch { what: "board".to_owned(), name: board.to_string(), near: None }
}

fn no_place(number: u64) -> Error {
    Error::NoSuch {
        what: "hold or place of yours".to_owned(),
        name: number.to_string(),
        near: None,
    }
}
