//! What is done to a board before a hold begins and after it has ended: the site's setup script,
//! and power.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::Error;
use protocol::board::BoardName;
use protocol::hold::Hold;
use protocol::journal::Event;
use protocol::power::PowerAsk;
use serde_json::Value as Json;

use super::decide::attributes_key;
use super::{Board, Lab, request};
use crate::config::OnRelease;
use crate::keeper::setup::{self, Failed, Subject, Verb};
use crate::ledger::Write;
use crate::rules::hold::Stage;

impl Lab {
    /// Runs the setup script for a hold that is to begin. If it fails the hold is undone.
    ///
    /// # Errors
    /// [`Error::Setup`], with what the script printed; [`Error::HoldOver`] if the hold ended meanwhile.
    pub(super) async fn prepare(
        self: &Arc<Self>,
        hold: Hold,
        ssh_key: Option<String>,
        after: Option<Hold>,
    ) -> Result<(), Error> {
        let board = self.board(&hold.board).ok_or_else(|| gone(&hold))?;
        let chores = board.chores.clone();
        let _mine = chores.lock().await;
        if !self.waits_for_chore(&hold) {
            return self.book.lock().book.check_fence(&hold.board, hold.number);
        }
        if let Some(after) = after {
            // The next holder finds out whether it mattered when their own setup runs.
            let _ = self.script(&board, Verb::Release, &after, None).await;
        }
        self.book.lock().book.check_fence(&hold.board, hold.number)?;
        match self.script(&board, Verb::Reserve, &hold, ssh_key.as_deref()).await {
            Ok(attributes) => self.begin(&hold, attributes).await,
            Err(Failed { why, output }) => {
                self.undo(&hold).await?;
                Err(Error::Setup { board: hold.board, why, output })
            }
        }
    }

    async fn begin(
        self: &Arc<Self>,
        hold: &Hold,
        attributes: BTreeMap<String, Json>,
    ) -> Result<(), Error> {
        let decision = self.decide_with(
            None,
            |book, now| Ok(book.prepared(&hold.board, hold.number, now)),
            |remembered| {
                let write = Write::put(attributes_key(&hold.board), &attributes);
                remembered.attributes.insert(hold.board.clone(), attributes);
                vec![write]
            },
        )?;
        decision.settled().await?;
        self.book.lock().book.check_fence(&hold.board, hold.number)
    }

    /// Whether the board still waits to be prepared or cleaned for this hold: whoever had the chores
    /// before may have done it.
    fn waits_for_chore(&self, of: &Hold) -> bool {
        match self.book.lock().book.stage(&of.board) {
            Ok(Stage::Preparing { hold, .. } | Stage::Releasing { hold }) => {
                hold.number == of.number
            }
            _ => false,
        }
    }

    /// Ends a hold that never began.
    pub(super) async fn undo(self: &Arc<Self>, hold: &Hold) -> Result<(), Error> {
        self.decide(None, |book, now| Ok(book.undo(&hold.board, hold.number, now)))?
            .settled()
            .await?;
        Ok(())
    }

    /// Runs the setup script and does with the power as the configuration says, after a hold. What
    /// goes wrong is on the timeline and on the board; the board is free all the same.
    pub(super) async fn clean(self: &Arc<Self>, hold: Hold) -> Result<(), Error> {
        let board = self.board(&hold.board).ok_or_else(|| gone(&hold))?;
        let chores = board.chores.clone();
        let _mine = chores.lock().await;
        if !self.waits_for_chore(&hold) {
            return Ok(());
        }
        let script = self.script(&board, Verb::Release, &hold, None).await;
        let power = match (board.config.on_release, &board.keeper) {
            (OnRelease::Off, Some(keeper)) => {
                keeper.ask(PowerAsk::Off, request::by(None), None).await
            }
            (OnRelease::Cycle, Some(keeper)) => {
                keeper.ask(PowerAsk::Cycle, request::by(None), None).await
            }
            _ => Ok(()),
        };
        let trouble = script
            .err()
            .map(|failed| format!("its setup script failed on release: {failed}"))
            .or_else(|| power.err().map(|error| format!("its power on release: {error}")));
        *board.trouble.lock() = trouble;
        let decision = self.decide_with(
            None,
            |book, now| Ok(book.cleaned(&hold.board, hold.number, now)),
            |remembered| {
                remembered.attributes.remove(&hold.board);
                vec![Write::Delete(attributes_key(&hold.board))]
            },
        )?;
        decision.settled().await?;
        Ok(())
    }

    /// Runs the site's script, if it has one, with its beginning and its end on the timeline: that a
    /// board is prepared stands in the decision that follows.
    async fn script(
        &self,
        board: &Board,
        verb: Verb,
        hold: &Hold,
        ssh_key: Option<&str>,
    ) -> Result<BTreeMap<String, Json>, Failed> {
        let config = self.config();
        let Some(setup) = &config.setup else { return Ok(BTreeMap::new()) };
        let (number, word) = (hold.number, verb.word().to_owned());
        self.note(&hold.board, Event::SetupBegan { number, verb: word.clone() }).await;
        let known = self.known(board);
        let about = Subject { hold, class: &board.config.class, attributes: &known, ssh_key };
        let outcome = setup::run(setup, verb, about).await;
        match &outcome {
            Ok(_) if verb == Verb::Reserve => {}
            Ok(_) => self.note(&hold.board, Event::SetupDone { number, verb: word }).await,
            Err(Failed { why, output }) => {
                let (why, output) = (why.clone(), output.clone());
                let event = Event::SetupFailed { number, verb: word, why, output };
                self.note(&hold.board, event).await;
            }
        }
        outcome
    }

    /// Writes something down about a board. If that fails, so will the decision that follows.
    async fn note(&self, board: &BoardName, event: Event) {
        let commit = self.ledger().stage(self.entry(Some(board), None, event, Vec::new()));
        if let Err(error) = commit.await {
            tracing::error!(%board, %error, "an event could not be written down");
        }
    }

    /// What class, options and setup script say of a board.
    pub(super) fn known(&self, board: &Board) -> BTreeMap<String, Json> {
        let mut known = self.config().classes.get(&board.config.class).cloned().unwrap_or_default();
        known.extend(board.config.attributes.clone());
        known.extend(
            self.book.lock().attributes.get(&board.config.name).cloned().unwrap_or_default(),
        );
        known
    }
}

/// The board has left the lab meanwhile.
fn gone(hold: &Hold) -> Error {
    let (board, number) = (hold.board.clone(), hold.number);
    Error::HoldOver { board, number, how: "the board is no longer in the lab".to_owned() }
}
