//! Holds and places in the queue against time: how the calendar stands, and what is when.

use protocol::hold::{Place, Want};
use protocol::{Span, Time};

/// How much time a cell is, close up and from afar.
const NEAR: Span = Span::minutes(15);
const FAR: Span = Span::hours(2);

/// How many cells before now are seen, unless one scrolls.
const PAST: i64 = 6;

/// How the calendar stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calendar {
    /// Who waits, once that has been read.
    pub queue: Option<Vec<Place>>,
    /// Whether something has changed since it was asked for.
    pub stale: bool,
    /// How many cells it is scrolled to what is later.
    pub shift: i64,
    /// Whether it is seen from afar.
    pub far: bool,
}

impl Calendar {
    /// How much time a cell is.
    pub fn cell(&self) -> Span {
        if self.far { FAR } else { NEAR }
    }

    /// The cell that an instant is in; it may be left of the first.
    pub fn place(&self, at: Time, now: Time) -> i64 {
        let number = |at: Time| i64::try_from(at.0 / self.cell().0).unwrap_or(i64::MAX / 2);
        number(at) - number(now) + PAST - self.shift
    }

    /// When a cell begins.
    pub fn begins(&self, place: i64, now: Time) -> Time {
        let number = i64::try_from(now.0 / self.cell().0).unwrap_or(0);
        let number = number.saturating_add(place - PAST).saturating_add(self.shift);
        Time(u64::try_from(number).unwrap_or(0).saturating_mul(self.cell().0))
    }

    /// The cells from one instant to another, of so many that are seen: the first, and the one after
    /// the last. What ends within a cell has all of it.
    pub fn cells(&self, from: Time, to: Time, now: Time, width: usize) -> std::ops::Range<usize> {
        let seen = |place: i64| usize::try_from(place.max(0)).unwrap_or(0).min(width);
        let last = Time(to.0.saturating_sub(1)).max(from);
        seen(self.place(from, now))..seen(self.place(last, now).saturating_add(1))
    }

    /// Who waits for a board by its name, and when it will be free for them is known.
    pub fn waits_for(&self, board: &protocol::board::BoardName) -> impl Iterator<Item = &Place> {
        let this = |place: &&Place| named(place) == Some(board) && place.expected.is_some();
        self.queue.iter().flatten().filter(this)
    }

    /// Who else waits: for any of some boards, or nobody knows how long.
    pub fn waits_elsewhere(&self) -> impl Iterator<Item = &Place> {
        let other = |place: &&Place| named(place).is_none() || place.expected.is_none();
        self.queue.iter().flatten().filter(other)
    }
}

fn named(place: &Place) -> Option<&protocol::board::BoardName> {
    match place.want.whole() {
        Want::Board { name } => Some(name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 14:07.
    const NOW: Time = Time(1_795_183_620_000);

    #[test]
    fn a_cell_is_a_quarter_of_an_hour_and_now_is_in_the_seventh() {
        let calendar = Calendar::default();
        assert_eq!(calendar.place(NOW, NOW), 6);
        assert_eq!(calendar.place(NOW + Span::minutes(8), NOW), 7);
        assert_eq!(calendar.begins(6, NOW), NOW - Span::minutes(7));
        for place in -50..50 {
            assert_eq!(calendar.place(calendar.begins(place, NOW), NOW), place);
        }
    }

    #[test]
    fn a_hold_has_every_cell_it_touches_and_none_that_is_not_seen() {
        let calendar = Calendar::default();
        let cells = |from: Time, to: Time| calendar.cells(from, to, NOW, 60);
        assert_eq!(cells(NOW, NOW + Span::minutes(8)), 6..7, "it ends where a cell begins");
        assert_eq!(cells(NOW, NOW + Span::minutes(9)), 6..8);
        assert_eq!(cells(NOW - Span::hours(9), NOW + Span::hours(90)), 0..60);
        assert_eq!(cells(NOW - Span::hours(9), NOW - Span::hours(8)), 0..0);
        assert_eq!(cells(Time(0), Time(u64::MAX)), 0..60);
    }

    #[test]
    fn scrolling_moves_what_is_seen() {
        let calendar = Calendar { shift: 8, far: true, ..Calendar::default() };
        assert_eq!(calendar.place(NOW, NOW), -2);
        assert_eq!(calendar.place(NOW + Span::hours(16), NOW), 6);
    }
}
