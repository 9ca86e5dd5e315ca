//! Switching a board.

use protocol::Error;
use protocol::board::BoardName;
use protocol::power::{PowerAsk, PowerDetail};
use protocol::user::Who;

use super::Lab;
use crate::keeper::Keeper;
use crate::power::Power;
use crate::rules::access::{self, Verb};
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
        let keeper = self.keeper(board)?;
        let hold = access::may_use(who, board, self.book.lock().book.hold_of(board))?;
        if ask == PowerAsk::Reset && !keeper.outlet().can_reset() {
            return Err(Error::Lacks { board: board.clone(), what: "reset".to_owned() });
        }
        keeper.ask(ask, Some(who.name.clone()), hold).await?;
        Ok(keeper.detail())
    }

    /// Asks the outlet itself how it stands.
    ///
    /// # Errors
    /// [`Error::Lacks`], [`Error::NotAllowed`], [`Error::Device`].
    pub async fn outlet(&self, who: &Who, board: &BoardName) -> Result<PowerDetail, Error> {
        access::may(who, Verb::See)?;
        let keeper = self.keeper(board)?;
        keeper.look().await?;
        Ok(keeper.detail())
    }

    fn keeper(&self, board: &BoardName) -> Result<Arc<Keeper>, Error> {
        let keeper = self.find(board)?.keeper.clone();
        keeper.ok_or_else(|| Error::Lacks { board: board.clone(), what: "outlet".to_owned() })
    }
}
