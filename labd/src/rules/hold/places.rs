//! The queue as people see it: who is served when, and what stands in their way.

use protocol::board::BoardName;
use protocol::hold::{MOST_OBSTACLES, Obstacle, Place, Want};
use protocol::{Span, Time};

use super::{Book, Slot, Waiting};
use crate::rules::queue;

/// Which boards would do for whom. Many want the same, so it is looked up once for all of them.
struct Wishes<'a> {
    boards: Vec<(&'a BoardName, &'a Slot)>,
    /// What each in the queue wants, by its index among all that is wanted.
    wanted: Vec<usize>,
    /// The boards that would do for each that is wanted.
    would_do: Vec<Vec<usize>>,
    /// The reverse.
    wanted_by: Vec<Vec<usize>>,
}

impl Book {
    /// The whole queue, first served first, with what stands in everybody's way.
    pub fn places(&self, now: Time) -> Vec<Place> {
        let wishes = Wishes::of(self);
        let expected = wishes.expected(self, now);
        let rivals: Vec<_> = (0..wishes.would_do.len()).map(|want| wishes.rivals(want)).collect();
        let mut ahead = vec![0; rivals.len()];
        let place = |index: usize| {
            let (waiting, want) = (&self.queue[index], wishes.wanted[index]);
            let position = rivals[want].iter().map(|rival| ahead[*rival]).sum::<u32>() + 1;
            ahead[want] += 1;
            Place {
                number: waiting.number,
                who: waiting.who.clone(),
                want: waiting.ask.want.clone(),
                span: waiting.ask.span,
                since: waiting.since,
                position,
                expected: expected[index],
                because: wishes.because(want),
            }
        };
        queue::order(self.turns()).into_iter().map(place).collect()
    }
}

impl<'a> Wishes<'a> {
    fn of(book: &'a Book) -> Wishes<'a> {
        let boards: Vec<(&BoardName, &Slot)> = book.boards.iter().collect();
        let at = |name: &BoardName| boards.binary_search_by_key(&name, |(board, _)| board).ok();
        let mut wants: Vec<&Want> = Vec::new();
        let mut wanted = Vec::with_capacity(book.queue.len());
        for Waiting { ask, .. } in &book.queue {
            let known = wants.iter().position(|want| **want == ask.want);
            wanted.push(known.unwrap_or(wants.len()));
            if known.is_none() {
                wants.push(&ask.want);
            }
        }
        let would_do: Vec<Vec<usize>> = wants
            .into_iter()
            .map(|want| book.boards_for(want).filter_map(|(board, _)| at(board)).collect())
            .collect();
        let mut wanted_by = vec![Vec::new(); boards.len()];
        for (want, would_do) in would_do.iter().enumerate() {
            would_do.iter().for_each(|board| wanted_by[*board].push(want));
        }
        Wishes { boards, wanted, would_do, wanted_by }
    }

    fn expected(&self, book: &Book, now: Time) -> Vec<Option<Time>> {
        let free = (0..self.boards.len())
            .filter(|board| !self.wanted_by[*board].is_empty())
            .map(|board| (self.boards[board].1.free_at(now), board));
        queue::forecast(book.turns(), free.collect(), |index, board: usize| -> Option<Span> {
            let takes = self.wanted_by[board].contains(&self.wanted[index]);
            takes.then(|| self.boards[board].1.span_for(&book.queue[index].ask))
        })
    }

    /// All that is wanted for which one of the same boards would do.
    fn rivals(&self, want: usize) -> Vec<usize> {
        let boards = self.would_do[want].iter();
        let mut rivals: Vec<usize> =
            boards.flat_map(|board| &self.wanted_by[*board]).copied().collect();
        rivals.sort_unstable();
        rivals.dedup();
        rivals
    }

    fn because(&self, want: usize) -> Vec<Obstacle> {
        let obstacles = self.would_do[want].iter().filter_map(|at| self.boards[*at].1.obstacle());
        obstacles.take(MOST_OBSTACLES).collect()
    }
}
