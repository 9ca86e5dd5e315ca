//! A board's timeline: its ledger entries and its console's bytes, each followed from a cursor.
//!
//! A viewer is a cursor and never a buffer: whoever is slow reads later, from the same files, and
//! costs nobody anything. An entry carries how far the console had come, so the two halves of the
//! timeline fall into one order.
//!
//! What was printed is [searched](search) line by line: [`lines`] says what the text of a line is,
//! [`pattern`] what matches it, and an [`index`] which blocks of a recording need not be read for that.

pub mod changes;
pub mod index;
pub mod lines;
pub mod pattern;
pub mod recording;
pub mod replay;
pub mod search;

use std::collections::VecDeque;
use std::sync::Arc;

use protocol::Time;
use protocol::board::BoardName;
use tokio::sync::watch;

use crate::ledger::segment::Error;
use crate::ledger::{Committed, Ledger};
pub use changes::{Changes, Mark};
pub use recording::Recording;
pub use replay::Replay;

/// How many entries a cursor takes from the ledger at once.
const HANDFUL: usize = 256;

/// A place in the timeline of the lab or of one board, that moves forward.
pub struct Cursor {
    ledger: Ledger,
    committed: watch::Receiver<u64>,
    board: Option<BoardName>,
    next: u64,
    ready: VecDeque<Arc<Committed>>,
}

impl Cursor {
    /// Begins at entry `from`.
    pub fn new(ledger: &Ledger, board: Option<BoardName>, from: u64) -> Cursor {
        let committed = ledger.committed();
        Cursor {
            ledger: ledger.clone(),
            committed,
            board,
            next: from.max(1),
            ready: VecDeque::new(),
        }
    }

    /// Begins at the first entry of that time, and not before entry `from`.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn since(
        ledger: &Ledger,
        board: Option<BoardName>,
        since: Time,
        from: u64,
    ) -> Result<Cursor, Error> {
        let first = ledger.since(since).await?;
        Ok(Cursor::new(ledger, board, first.max(from)))
    }

    /// Begins so that the newest `tail` entries come first.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn tail(
        ledger: &Ledger,
        board: Option<BoardName>,
        tail: u32,
    ) -> Result<Cursor, Error> {
        let mut cursor = Cursor::new(ledger, board.clone(), *ledger.committed().borrow() + 1);
        if tail > 0 {
            let wanted = move |entry: &protocol::journal::Entry| is_of(entry, board.as_ref());
            let newest = ledger.newest(tail as usize, wanted).await?;
            cursor.ready.extend(newest);
        }
        Ok(cursor)
    }

    /// The number of the first entry that is yet to come out.
    pub fn position(&self) -> u64 {
        self.ready.front().map_or(self.next, |first| first.entry.seq)
    }

    /// The next entry that is already there; none if all have come out.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn at_hand(&mut self) -> Result<Option<Arc<Committed>>, Error> {
        loop {
            if let Some(entry) = self.ready.pop_front() {
                return Ok(Some(entry));
            }
            if self.next > *self.committed.borrow_and_update() {
                return Ok(None);
            }
            let entries = self.ledger.read(self.next, HANDFUL).await?;
            let Some(last) = entries.last() else { return Ok(None) };
            self.next = last.entry.seq + 1;
            let board = self.board.as_ref();
            self.ready.extend(entries.into_iter().filter(|entry| is_of(&entry.entry, board)));
        }
    }

    /// The next entry, as soon as there is one; none if the lab is closed.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn next(&mut self) -> Result<Option<Arc<Committed>>, Error> {
        loop {
            if let Some(entry) = self.at_hand().await? {
                return Ok(Some(entry));
            }
            if self.committed.changed().await.is_err() {
                return Ok(None);
            }
        }
    }
}

fn is_of(entry: &protocol::journal::Entry, board: Option<&BoardName>) -> bool {
    board.is_none_or(|board| entry.board.as_ref() == Some(board))
}
