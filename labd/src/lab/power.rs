//! Switching a board.

use protocol::Error;
use protocol::board::BoardName;
use protocol::power::{PowerAsk, PowerDetail};
use protocol::user::{Verb, Who};

use super::{Board, Lab, request};
use crate::keeper::Keeper;
use crate::power::Power;
use std::sync::Arc;

impl Lab {
    /// Switches a board that the caller holds; an administrator, any. Answers when it is seen to be
    /// done; the deed does not depend on the caller's patience.
    ///
    /// # Errors
    /// [`Error::Lacks`], [`Error::HeldBy`], [`Error::NotHeld`], [`Error::NotAllowed`],
    /// [`Error::Device`], [`Error::CannotRecord`].
    pub async fn power(
        &self,
        who: &Who,
        board: &BoardName,
        ask: PowerAsk,
    ) -> Result<PowerDetail, Error> {
        let (here, keeper) = self.keeper(who, Verb::Power, board)?;
        let hold = self.allow_on(who, Verb::Power, &here)?;
        if ask == PowerAsk::Reset && !keeper.outlet().can_reset() {
            return Err(Error::Lacks { board: board.clone(), what: "reset".to_owned() });
        }
        keeper.ask(ask, request::by(Some(who)), hold).await?;
        Ok(keeper.detail())
    }

    /// Asks the outlet itself how it stands.
    ///
    /// # Errors
    /// [`Error::Lacks`], [`Error::NotAllowed`], [`Error::Device`].
    pub async fn outlet(&self, who: &Who, board: &BoardName) -> Result<PowerDetail, Error> {
        let (here, keeper) = self.keeper(who, Verb::See, board)?;
        self.allow_on(who, Verb::See, &here)?;
        keeper.look().await?;
        Ok(keeper.detail())
    }

    fn keeper(
        &self,
        who: &Who,
        verb: Verb,
        board: &BoardName,
    ) -> Result<(Arc<Board>, Arc<Keeper>), Error> {
        let here = self.find(who, verb, board)?;
        let lacks = || Error::Lacks { board: board.clone(), what: "outlet".to_owned() };
        let keeper = here.keeper.clone().ok_or_else(lacks)?;
        Ok((here, keeper))
    }
}
