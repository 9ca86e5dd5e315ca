//! What is kept of boards that have left the lab: their part of the timeline, and what their consoles
//! printed. A board that comes back goes on with both.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use protocol::Error;
use protocol::board::BoardName;
use protocol::console::From;
use protocol::user::{Verb, Who};

use super::Lab;
use super::console::unreadable;
use crate::config::History;
use crate::journal::Recording;
use crate::journal::recording::LastRun;
use crate::journal::recording::frames::Frame;

impl Lab {
    /// Whether there is, or was, such a board: one that has left may still be on the timeline.
    ///
    /// # Errors
    /// [`Error::NoSuch`].
    pub async fn has_known(&self, who: &Who, board: &BoardName) -> Result<(), Error> {
        let Err(unknown) = self.find(who, Verb::See, board) else { return Ok(()) };
        if !self.may_look_back(who, board) {
            return Err(unknown);
        }
        let name = board.clone();
        let is_its = move |entry: &protocol::journal::Entry| entry.board.as_ref() == Some(&name);
        match self.ledger().newest(1, is_its).await {
            Ok(newest) if !newest.is_empty() => Ok(()),
            _ => Err(unknown),
        }
    }

    /// What a console printed that is no longer in the lab, and where in it `from` is.
    ///
    /// # Errors
    /// [`Error::NoSuch`], if nothing is kept of it; [`Error::Device`].
    pub async fn past(
        &self,
        who: &Who,
        board: &BoardName,
        from: From,
    ) -> Result<(Arc<Recording>, Frame), Error> {
        let recording = self.past_recording(who, board)?;
        let begin = self.frame_of(board, &recording, from).await?;
        Ok((recording, begin))
    }

    /// What a console printed that is no longer in the lab.
    ///
    /// # Errors
    /// As [`Lab::past`].
    pub(super) fn past_recording(
        &self,
        who: &Who,
        board: &BoardName,
    ) -> Result<Arc<Recording>, Error> {
        let folder = self.recording_folder(board);
        if !folder.is_dir() || !self.may_look_back(who, board) {
            return Err(self
                .find(who, Verb::See, board)
                .err()
                .unwrap_or_else(|| super::console::lacks(board)));
        }
        let recording = Recording::open(&folder, LastRun::Whole, self.clock.now());
        recording.map(Arc::new).map_err(unreadable)
    }

    /// The boards that have left, or have no console any more, and of whose consoles something is kept.
    ///
    /// # Errors
    /// The disk's.
    pub(super) fn past_boards(&self) -> io::Result<Vec<BoardName>> {
        let present: BTreeSet<BoardName> = {
            let boards = self.boards_now();
            let recorded = boards.iter().filter(|(_, board)| board.recording.is_some());
            recorded.map(|(name, _)| name.clone()).collect()
        };
        let folders = match std::fs::read_dir(self.folder.join("consoles")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            folders => folders?,
        };
        let mut past = Vec::new();
        for folder in folders {
            let name = folder?.file_name();
            let board = name.to_str().and_then(|name| name.parse().ok());
            past.extend(board.filter(|board| !present.contains(board)));
        }
        Ok(past)
    }

    /// Deletes what is over the limits of recordings to which nothing is added any more.
    ///
    /// # Errors
    /// The disk's.
    pub(super) fn prune_past(&self) -> io::Result<()> {
        // Whoever reloads may be about to open one of them.
        let Ok(_alone) = self.reloading.try_lock() else { return Ok(()) };
        let (now, History { size, age, .. }) = (self.clock.now(), self.config().history.clone());
        for board in self.past_boards()? {
            let past = Recording::open(&self.recording_folder(&board), LastRun::Whole, now)?;
            past.seal(now)?;
            past.prune(size, age, now)?;
        }
        Ok(())
    }
}
