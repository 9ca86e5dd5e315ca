//! Holding a board, waiting for one, holding it longer, handing it over.

use std::sync::Arc;

use protocol::board::{BoardName, State};
use protocol::hold::{Ask, Hold, Place, Placed, Want};
use protocol::user::{Verb, Who};
use protocol::{Error, Span};
use tokio::time::timeout;

use super::decide::Chore;
use super::people::on;
use super::{Lab, internal};
use crate::config::BoardConfig;
use crate::rules::access;
use crate::rules::hold::Done;

/// The longest that a call waits before it says how things stand.
const LONGEST_WAIT: Span = Span::minutes(5);

impl Lab {
    /// Holds a board for the caller, or gives them a place in the queue. A hold is theirs when its
    /// setup script has run.
    ///
    /// # Errors
    /// [`Error::NotAllowed`], [`Error::NoSuch`], [`Error::HeldBy`], [`Error::AllTaken`],
    /// [`Error::Setup`], [`Error::CannotRecord`].
    pub async fn reserve(self: &Arc<Self>, who: &Who, ask: Ask) -> Result<Placed, Error> {
        let ask = self.admitted(who, ask)?;
        let faulty =
            if matches!(ask.want, Want::Board { .. }) { Vec::new() } else { self.faults() };
        let decision = self
            .decide(Some(who), |book, now| {
                faulty.iter().for_each(|(board, faulty)| book.set_faulty(board, *faulty));
                book.reserve(&who.name, ask, now)
            })
            .map_err(|error| self.with_nearest(who, error))?;
        let (done, chores) = decision.settled().await?;
        match done.into_iter().next() {
            Some(Done::Reserved { hold, .. } | Done::Extended { hold }) => {
                finish(chores, &hold.board).await?;
                Ok(Placed::Held { hold })
            }
            // It may have been served since, by somebody's release that is not on disk yet.
            Some(Done::Queued { place, .. }) => self.told(|| self.standing(who, place)).await,
            _ => Err(internal("a decision changed nothing")),
        }
    }

    /// How the caller's place stands. Answers when it has become a hold and the board is prepared,
    /// or after `patience`, five minutes at most.
    ///
    /// # Errors
    /// [`Error::NoSuch`], [`Error::OutOfScope`]; [`Error::HoldOver`] if the hold has come and gone.
    pub async fn placed(&self, who: &Who, number: u64, patience: Span) -> Result<Placed, Error> {
        self.allow_own(who, Verb::See, number)?;
        let mut decisions = self.decisions.subscribe();
        let look = async {
            loop {
                decisions.mark_unchanged();
                let prepared = || {
                    let remembered = self.book.lock();
                    let placed = remembered.book.placed(&who.name, number)?;
                    Ok(placed
                        .filter(|(_, state)| *state == State::Held)
                        .map(|(hold, _)| hold.clone()))
                };
                if let Some(hold) = self.told(prepared).await? {
                    return Ok(Placed::Held { hold });
                }
                if decisions.changed().await.is_err() {
                    return Err(internal("the lab is gone"));
                }
            }
        };
        match timeout(patience.min(LONGEST_WAIT).duration(), look).await {
            Ok(placed) => placed,
            Err(_) => self.told(|| self.standing(who, number)).await,
        }
    }

    /// Gives up a place in the queue.
    ///
    /// # Errors
    /// [`Error::NotAllowed`], [`Error::OutOfScope`], [`Error::NoSuch`], [`Error::CannotRecord`].
    pub async fn unqueue(self: &Arc<Self>, who: &Who, number: u64) -> Result<(), Error> {
        self.allow_own(who, Verb::Hold, number)?;
        self.decide(Some(who), |book, _| book.unqueue(&who.name, number))?.settled().await?;
        Ok(())
    }

    /// Makes the caller's hold last until `span` from now, if that is later.
    ///
    /// # Errors
    /// [`Error::NotAllowed`], [`Error::NotHeld`], [`Error::HeldBy`], [`Error::OthersWait`], [`Error::CannotRecord`].
    pub async fn extend(
        self: &Arc<Self>,
        who: &Who,
        board: &BoardName,
        span: Span,
    ) -> Result<Hold, Error> {
        self.allow_on(who, Verb::Hold, &self.find(who, Verb::Hold, board)?)?;
        let decision =
            self.decide(Some(who), |book, now| book.extend(board, &who.name, span, now))?;
        match decision.settled().await?.0.into_iter().next() {
            Some(Done::Extended { hold }) => Ok(hold),
            _ => Err(internal("a decision changed nothing")),
        }
    }

    /// Hands the caller's hold to somebody who may hold it, under a new number.
    ///
    /// # Errors
    /// [`Error::NotAllowed`] for either; [`Error::NoSuch`], [`Error::NotHeld`], [`Error::HeldBy`], [`Error::Setup`],
    /// [`Error::CannotRecord`].
    pub async fn give(
        self: &Arc<Self>,
        who: &Who,
        board: &BoardName,
        to: &Who,
    ) -> Result<Hold, Error> {
        let here = self.find(who, Verb::Share, board)?;
        self.allow_on(who, Verb::Share, &here)?;
        let allowed = access::may_on(to, Verb::Hold, on(&here, &self.book.lock().book));
        allowed.map_err(|error| match error {
            // The board is there for whoever asks.
            Error::NoSuch { .. } => {
                Error::Bad { why: format!("{board} is not for {}: see its groups", to.name) }
            }
            other => other,
        })?;
        let decision =
            self.decide(Some(who), |book, now| book.give(board, &who.name, &to.name, now))?;
        let (done, chores) = decision.settled().await?;
        finish(chores, board).await?;
        match done.into_iter().next_back() {
            Some(Done::Reserved { hold, .. }) => Ok(hold),
            _ => Err(internal("a decision changed nothing")),
        }
    }

    /// The caller's client keeps a hold or a place as long as what is returned lives; when it no longer
    /// does, the board may go to others.
    ///
    /// # Errors
    /// [`Error::NotAllowed`], [`Error::OutOfScope`], [`Error::NoSuch`].
    pub fn keep(self: &Arc<Self>, who: &Who, number: u64) -> Result<Kept, Error> {
        self.allow_own(who, Verb::Hold, number)?;
        self.book.lock().book.keep(&who.name, number)?;
        Ok(Kept { lab: self.clone(), number })
    }

    /// Returns when a hold or a place of the caller's is over.
    pub async fn until_over(&self, who: &Who, number: u64) {
        let mut decisions = self.decisions.subscribe();
        loop {
            decisions.mark_unchanged();
            if self.book.lock().book.placed(&who.name, number).is_err() {
                return;
            }
            if decisions.changed().await.is_err() {
                return;
            }
        }
    }

    /// What is asked for, as far as the caller may have it.
    fn admitted(&self, who: &Who, ask: Ask) -> Result<Ask, Error> {
        match &ask.want {
            Want::Board { name } => {
                let here = self.find(who, Verb::Hold, name)?;
                self.allow_on(who, Verb::Hold, &here)?;
            }
            _ => self.allow(who, Verb::Hold)?,
        }
        check(&ask)?;
        let want = self.narrowed(who, ask.want);
        Ok(Ask { want, ..ask })
    }

    /// Whether the caller may do it with what they hold or wait for under that number: every board that it
    /// is or may become must be within what they came with.
    fn allow_own(&self, who: &Who, verb: Verb, number: u64) -> Result<(), Error> {
        self.allow(who, verb)?;
        let wanted = self.book.lock().book.wanted(&who.name, number);
        // What is not theirs is not there for them: the book says so.
        let Some(want) = wanted else { return Ok(()) };
        let is_outside = |board: &&BoardConfig| {
            want.is_met_by(&board.name, &board.class, &board.tags)
                && !who.scope.has_board(&board.name, &board.class)
        };
        let boards = self.boards_now();
        match boards.values().map(|board| &board.config).find(is_outside) {
            None => Ok(()),
            Some(board) => {
                let why = Error::OutOfScope { what: board.name.to_string() };
                self.deny(who, verb, Some(&board.name), &why);
                Err(why)
            }
        }
    }

    /// How a place stands at this moment. A board that is still prepared is waited for, too.
    fn standing(&self, who: &Who, number: u64) -> Result<Placed, Error> {
        let now = self.clock.now();
        let remembered = self.book.lock();
        let place = match remembered.book.placed(&who.name, number)? {
            Some((hold, State::Held)) => return Ok(Placed::Held { hold: hold.clone() }),
            Some((hold, _)) => Some(Place {
                number,
                who: hold.who.clone(),
                want: Want::Board { name: hold.board.clone() },
                span: Some(hold.until.since(hold.since)),
                since: hold.since,
                position: 1,
                expected: None,
                because: Vec::new(),
            }),
            None => remembered.book.places(now).into_iter().find(|place| place.number == number),
        };
        place.map(|place| Placed::Queued { place }).ok_or_else(|| internal("a place is nowhere"))
    }

    /// Adds the nearest name that is there for whoever asks to an error that says that there is no such
    /// thing.
    pub(super) fn with_nearest(&self, who: &Who, error: Error) -> Error {
        let Error::NoSuch { what, name, near: None } = error else { return error };
        let names: Vec<String> = match what.as_str() {
            "board" => self.names_seen(who).iter().map(ToString::to_string).collect(),
            _ => self.classes(who).into_iter().map(|class| class.name).collect(),
        };
        let names = names.iter().map(String::as_str);
        let near = crate::config::reader::nearest(&name, names).map(str::to_owned);
        Error::NoSuch { what, name, near }
    }
}

/// A hold lasts some time, and a key is one line: setup scripts append it to files.
fn check(ask: &Ask) -> Result<(), Error> {
    let bad = |why: &str| Err(Error::Bad { why: why.to_owned() });
    if ask.span == Some(Span::default()) {
        return bad("a hold of no time is none; say for how long, as in 30min");
    }
    let is_key = |key: &String| {
        let mut words = key.split(' ');
        let (kind, body) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let is_base64 = |letter: char| letter.is_ascii_alphanumeric() || "+/=".contains(letter);
        !key.chars().any(char::is_control)
            && ["ssh-", "ecdsa-", "sk-"].iter().any(|start| kind.starts_with(start))
            && !body.is_empty()
            && body.chars().all(is_base64)
    };
    match &ask.ssh_key {
        Some(key) if !is_key(key) => {
            bad("that is not an ssh public key: one line, as in id_ed25519.pub")
        }
        _ => Ok(()),
    }
}

/// Waits for what is done to `board`.
///
/// # Errors
/// As it failed.
pub(super) async fn finish(chores: Vec<Chore>, board: &BoardName) -> Result<(), Error> {
    for chore in chores {
        if chore.board == *board {
            return chore.task.await.unwrap_or_else(|error| Err(internal(error)));
        }
    }
    Ok(())
}

/// A hold or a place that a client keeps.
pub struct Kept {
    lab: Arc<Lab>,
    number: u64,
}

impl Drop for Kept {
    fn drop(&mut self) {
        let now = self.lab.clock.now();
        self.lab.book.lock().book.let_go(self.number, now);
        self.lab.decisions.send_modify(|count| *count += 1);
    }
}
