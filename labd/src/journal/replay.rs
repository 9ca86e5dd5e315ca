//! A console's bytes and its board's entries, one after the other in the order in which they came.
//!
//! An entry says how far the console had come, so its place is before the byte at that offset.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use protocol::Time;
use protocol::board::BoardName;
use protocol::journal::Entry;
use protocol::replay::Moment;
use tokio::task::spawn_blocking;

use super::{Cursor, Recording};
use crate::ledger::{Committed, Ledger};

/// So many bytes are read at once.
const PIECE: usize = 64 * 1024;

/// A place in a board's past: of its console, and on its timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// How many bytes the console had printed.
    pub offset: u64,
    /// When it was, if that is how it was asked for: the console may have been silent then for hours.
    pub time: Option<Time>,
}

impl Place {
    /// Whether an entry came before.
    pub fn is_behind(&self, entry: &Entry) -> bool {
        match self.time {
            Some(time) => entry.at < time,
            None => entry.offset.is_some_and(|offset| offset < self.offset),
        }
    }

    /// Whether an entry came later.
    fn is_before(&self, entry: &Entry) -> bool {
        match self.time {
            Some(time) => entry.at > time,
            None => entry.offset.is_some_and(|offset| offset > self.offset),
        }
    }
}

/// A replay as far as it has come.
pub struct Replay {
    ledger: Ledger,
    /// None if the board has no console.
    recording: Option<Arc<Recording>>,
    entries: Cursor,
    /// The next byte.
    next: u64,
    until: Option<Place>,
    /// It comes when the bytes before it have.
    entry: Option<Arc<Committed>>,
}

impl Replay {
    /// Of the board from `from` to `until`, or for ever.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn new(
        ledger: &Ledger,
        recording: Option<Arc<Recording>>,
        board: BoardName,
        from: Place,
        until: Option<Place>,
    ) -> io::Result<Replay> {
        let name = board.clone();
        let is_behind =
            move |entry: &Entry| entry.board.as_ref() == Some(&name) && from.is_behind(entry);
        let behind = ledger.newest(1, is_behind).await.map_err(io::Error::other)?;
        let first = behind.last().map_or(1, |last| last.entry.seq + 1);
        let entries = Cursor::new(ledger, Some(board), first);
        Ok(Replay {
            ledger: ledger.clone(),
            recording,
            entries,
            next: from.offset,
            until,
            entry: None,
        })
    }

    /// The offset at which it begins.
    pub fn position(&self) -> u64 {
        self.next
    }

    /// What comes next and is already there; nothing if all has come out.
    ///
    /// # Errors
    /// The ledger's, and the disk's.
    pub async fn at_hand(&mut self) -> io::Result<Vec<Moment>> {
        // First how far the console has come, and then what happened until then.
        let end = self.recording.as_ref().map_or(self.next, |recording| recording.end());
        if self.entry.is_none() {
            self.entry = self.next_entry().await?;
        }
        let due = match &self.entry {
            Some(entry) => entry.entry.offset.unwrap_or(self.next).min(end),
            None => self.until.map_or(end, |until| until.offset.min(end)),
        };
        if self.next < due {
            let (recording, range) = (self.recording.clone(), self.next..due);
            let print = move || recording.map(|recording| print(&recording, range)).transpose();
            // What is old may have to come from the disk.
            let (next, printed) = spawn_blocking(print).await??.unwrap_or((due, Vec::new()));
            self.next = next;
            if !printed.is_empty() {
                return Ok(printed);
            }
        }
        let happened = self.entry.take();
        Ok(happened.iter().map(|one| Moment::Happened { entry: one.entry.clone() }).collect())
    }

    async fn next_entry(&mut self) -> io::Result<Option<Arc<Committed>>> {
        if let Some(unwritten) = self.ledger.unwritten() {
            // If it fails, it did not happen.
            let _ = unwritten.await;
        }
        let entry = self.entries.at_hand().await.map_err(io::Error::other)?;
        Ok(entry.filter(|entry| self.until.is_none_or(|until| !until.is_before(&entry.entry))))
    }

    /// Waits until there may be more; false if there never will.
    pub async fn grows(&mut self) -> io::Result<bool> {
        let Some(recording) = &self.recording else {
            self.entry = self.entries.next().await.map_err(io::Error::other)?;
            return Ok(self.entry.is_some());
        };
        let (mut growth, next) = (recording.growth(), self.next);
        tokio::select! {
            grown = growth.wait_for(|end| *end > next) => Ok(grown.is_ok()),
            entry = self.entries.next() => {
                self.entry = entry.map_err(io::Error::other)?;
                Ok(self.entry.is_some())
            }
        }
    }
}

/// What was printed in the range, or the first part of it, a moment for each millisecond; and how far
/// that is.
fn print(recording: &Recording, range: Range<u64>) -> io::Result<(u64, Vec<Moment>)> {
    let most = usize::try_from(range.end - range.start).unwrap_or(PIECE).min(PIECE);
    let mut bytes = vec![0; most];
    let (start, read) = recording.read(range.start, &mut bytes)?;
    // What is no longer kept is passed over.
    let end = (start + read as u64).min(range.end);
    if read == 0 || end <= start {
        return Ok((range.end, Vec::new()));
    }
    let times = recording.times(start..end)?;
    let ends = times.iter().skip(1).map(|(offset, _)| *offset).chain([end]);
    let of = |from: u64, to: u64| bytes[(from - start) as usize..(to - start) as usize].to_vec();
    let printed = times.iter().zip(ends).map(|((offset, at), end)| Moment::Printed {
        at: *at,
        offset: *offset,
        bytes: of(*offset, end),
    });
    Ok((end, printed.collect()))
}
