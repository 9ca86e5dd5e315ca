//! Giving a board back, and taking it away.

use std::sync::Arc;

use protocol::Error;
use protocol::board::BoardName;
use protocol::hold::{Hold, Release};
use protocol::user::{Verb, Who};

use super::reserve::finish;
use super::{Lab, internal};
use crate::rules::hold::Done;

impl Lab {
    /// Ends the caller's hold, or, with a reason, a moderator anybody's. Answers when the board
    /// is clean; the next in the queue has it then.
    ///
    /// # Errors
    /// [`Error::NotHeld`], [`Error::HeldBy`], [`Error::HoldOver`], [`Error::NotAllowed`],
    /// [`Error::CannotRecord`].
    pub async fn release(
        self: &Arc<Self>,
        who: &Who,
        board: &BoardName,
        release: Release,
    ) -> Result<Hold, Error> {
        let Release { number, breaking } = release;
        let decision = match breaking {
            None => {
                self.may_give_back(who, board)?;
                self.decide(Some(who), |book, now| book.release(board, &who.name, number, now))?
            }
            Some(reason) => {
                self.allow_on(who, Verb::Moderate, &self.find(who, Verb::Moderate, board)?)?;
                self.decide(Some(who), |book, now| {
                    book.break_hold(board, number, &who.name, reason, now)
                })?
            }
        };
        let (done, chores) = decision.settled().await?;
        let cleaning = done.iter().any(|done| matches!(done, Done::Reserved { .. }));
        if !cleaning {
            finish(chores, board).await?;
        }
        match done.into_iter().next() {
            Some(Done::Ended { hold, .. }) => Ok(hold),
            _ => Err(internal("a decision changed nothing")),
        }
    }

    /// What somebody holds they may give back, also if it is hidden from them since they came: the system's
    /// groups change without a word to the lab.
    fn may_give_back(&self, who: &Who, board: &BoardName) -> Result<(), Error> {
        let is_theirs = self.book.lock().book.hold_of(board).is_some_and(|it| it.who == who.name);
        match self.look_up(who, board) {
            Err(Error::NoSuch { .. }) if is_theirs => self.allow(who, Verb::Hold),
            _ => self.allow_on(who, Verb::Hold, &self.find(who, Verb::Hold, board)?).map(drop),
        }
    }
}
