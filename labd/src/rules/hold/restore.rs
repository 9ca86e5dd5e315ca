//! What does not come from people: the configuration, what was written down, a clock that was set.

use protocol::board::BoardName;
use protocol::{Error, Time};

use super::waiting::Ties;
use super::{Book, Record, Slot, Stage, Terms, Waiting, held_by};

impl Book {
    /// Takes a board up, or changes its terms. Who waits for it gets it at the next [`Book::tick`].
    pub fn put_board(&mut self, board: BoardName, terms: Terms) {
        let slot = Slot {
            terms: terms.clone(),
            stage: Stage::Free,
            last: None,
            warned: false,
            free_since: Time::default(),
            faulty: false,
            ties: Ties::default(),
        };
        self.boards.entry(board).or_insert(slot).terms = terms;
        self.unserved = true;
    }

    /// Forgets a board that nobody has.
    ///
    /// # Errors
    /// [`Error::HeldBy`].
    pub fn remove_board(&mut self, board: &BoardName) -> Result<(), Error> {
        if let Some(hold) = self.slot(board)?.stage.hold() {
            return Err(held_by(hold));
        }
        self.boards.remove(board);
        self.unserved = true;
        Ok(())
    }

    /// Takes up what was written down of a board. Its client, if it is tied to one, has gone at `now`
    /// until it comes back.
    pub fn restore_board(&mut self, board: &BoardName, record: Record, now: Time) {
        let numbers = [
            record.stage.hold().map(|hold| hold.number),
            record.last.as_ref().map(|last| last.number),
        ];
        self.next =
            numbers.into_iter().flatten().map(|number| number + 1).fold(self.next, u64::max);
        if let Some(slot) = self.boards.get_mut(board) {
            let Record { stage, last, warned } = record;
            let ties = Ties { connected: 0, gone_since: now };
            *slot = Slot { stage, last, warned, ties, terms: slot.terms.clone(), ..*slot };
        }
    }

    /// Takes up a place that was written down.
    pub fn restore_waiting(&mut self, mut waiting: Waiting, now: Time) {
        self.next = self.next.max(waiting.number + 1);
        waiting.ties.gone_since = now;
        waiting.turn = waiting.turn.max(waiting.number);
        let at = self.queue.partition_point(|other| other.number < waiting.number);
        self.queue.insert(at, waiting);
    }

    /// Takes over what is not written down from the book as it was before it was read back: which
    /// clients are there, and which boards are faulty.
    pub fn take_over(&mut self, before: &Book) {
        self.raise_numbers(before.next);
        self.hopeless.clone_from(&before.hopeless);
        for (board, slot) in &before.boards {
            if let Some(own) = self.boards.get_mut(board) {
                own.faulty = slot.faulty;
                if own.stage.hold().map(|hold| hold.number)
                    == slot.stage.hold().map(|hold| hold.number)
                {
                    own.ties = slot.ties;
                }
            }
        }
        for own in &mut self.queue {
            if let Some(waiting) = before.waiting(own.number) {
                own.ties = waiting.ties;
            }
        }
    }

    /// The next number that was never used.
    pub fn next_number(&self) -> u64 {
        self.next
    }

    /// Numbers below `next` were used.
    pub fn raise_numbers(&mut self, next: u64) {
        self.next = self.next.max(next);
    }

    /// All times move by `ms`: the clock was set. Nothing ends earlier or later than it would have.
    pub fn shift(&mut self, ms: i64) {
        for slot in self.boards.values_mut() {
            slot.free_since = slot.free_since.shifted(ms);
            slot.ties.gone_since = slot.ties.gone_since.shifted(ms);
            for hold in slot.stage.holds_mut().into_iter().flatten() {
                hold.since = hold.since.shifted(ms);
                hold.until = hold.until.shifted(ms);
            }
        }
        for waiting in &mut self.queue {
            waiting.since = waiting.since.shifted(ms);
            waiting.ties.gone_since = waiting.ties.gone_since.shifted(ms);
        }
    }
}
