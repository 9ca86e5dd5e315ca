//! What a console printed and what happened to its board, again and in one order.

use protocol::board::BoardName;
use protocol::console::From;
use protocol::user::{Verb, Who};
use std::sync::Arc;

use protocol::{Error, Span};

use super::Lab;
use super::console::unreadable;
use crate::journal::Recording;
use crate::journal::recording::LastRun;
use crate::journal::replay::{Place, Replay};

impl Lab {
    /// A board's past from `from` to `until`, or for ever; also of a board that has left the lab.
    ///
    /// # Errors
    /// [`Error::NoSuch`], [`Error::OutOfScope`]; [`Error::Device`].
    pub async fn replay(
        &self,
        who: &Who,
        board: &BoardName,
        from: From,
        until: Option<From>,
    ) -> Result<Replay, Error> {
        let recording = match self.find(who, Verb::See, board) {
            Ok(here) => {
                self.allow_on(who, Verb::See, &here)?;
                here.recording.clone()
            }
            Err(_) => {
                self.has_known(who, board).await?;
                let folder = self.recording_folder(board);
                let open = || Recording::open(&folder, LastRun::Whole, self.clock.now());
                folder.is_dir().then(open).transpose().map_err(unreadable)?.map(Arc::new)
            }
        };
        let from = self.place_of(board, recording.as_deref(), from).await?;
        let until = match until {
            Some(until) => Some(self.place_of(board, recording.as_deref(), until).await?),
            None => None,
        };
        let replay = Replay::new(self.ledger(), recording, board.clone(), from, until);
        replay.await.map_err(unreadable)
    }

    async fn place_of(
        &self,
        board: &BoardName,
        recording: Option<&Recording>,
        from: From,
    ) -> Result<Place, Error> {
        let offset = match recording {
            Some(recording) => self.offset_of(board, recording, from).await?,
            None => 0,
        };
        let time = match from {
            From::Time { time } => Some(time),
            From::Ago { span } => Some(self.clock.now() - span),
            // What has happened in this millisecond has happened.
            From::Boot => self.last_power_on(board).await.map(|on| on.at),
            From::End => Some(self.clock.now() + Span::millis(1)),
            _ => None,
        };
        Ok(Place { offset, time })
    }
}
