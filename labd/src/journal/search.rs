//! Searching recordings: hits by time, as they are found.
//!
//! Each recording is looked at lazily, in the order that was asked for: what the [`index`](super::index)
//! rules out is not read, and nothing is read before its time could be the next. So whoever wants the first
//! hundred hits has them soon, and pays for no more.

mod seeker;

use std::collections::BinaryHeap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::Error;
use protocol::board::BoardName;
use protocol::search::{Hit, Search};

use self::seeker::Seeker;
use super::pattern::Pattern;
use super::recording::Recording;

/// After this time, what was found so far is told.
const PATIENCE: Duration = Duration::from_millis(20);
/// So is this much.
const HANDFUL: usize = 64;

/// A search that is under way.
pub struct Searcher {
    ask: Search,
    pattern: Pattern,
    seekers: Vec<Seeker>,
    /// When each seeker's next hit may have been, the most wanted first.
    next: BinaryHeap<(u64, usize)>,
    left: u64,
}

impl Searcher {
    /// Begins to search these recordings.
    ///
    /// # Errors
    /// [`Error::Bad`] for a pattern that is none.
    pub fn new(
        ask: Search,
        recordings: Vec<(BoardName, Arc<Recording>)>,
    ) -> Result<Searcher, Error> {
        let pattern = Pattern::new(&ask)?;
        let seekers: Vec<Seeker> = recordings
            .into_iter()
            .map(|(board, recording)| Seeker::new(&ask, board, recording))
            .collect();
        let due = |(number, seeker): (usize, &Seeker)| Some((seeker.due(&ask)?, number));
        let next = seekers.iter().enumerate().filter_map(due).collect();
        Ok(Searcher { left: ask.limit.unwrap_or(u64::MAX), ask, pattern, seekers, next })
    }

    /// What is found next, which may be nothing yet; none when all has been looked at. Takes a moment.
    ///
    /// # Errors
    /// The disk's, with the file's name.
    pub fn more(&mut self) -> io::Result<Option<Vec<Hit>>> {
        let (began, mut hits) = (Instant::now(), Vec::new());
        while self.left > 0 && hits.len() < HANDFUL && began.elapsed() < PATIENCE {
            let Some((_, number)) = self.next.pop() else { break };
            let seeker = &mut self.seekers[number];
            if let Some(hit) = seeker.step(&self.ask, &self.pattern)? {
                hits.push(hit);
                self.left -= 1;
            }
            self.next.extend(seeker.due(&self.ask).map(|due| (due, number)));
        }
        let is_over = hits.is_empty() && (self.left == 0 || self.next.is_empty());
        Ok((!is_over).then_some(hits))
    }
}

#[cfg(test)]
mod tests;
