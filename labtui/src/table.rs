//! The board table: the rows the daemon sent last, which of them are shown, and which is selected.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use protocol::board::{Board, BoardName, State};
use protocol::time::Time;

use crate::filter::Filter;

/// The board table.
#[derive(Debug, Clone, Default)]
pub struct Table {
    rows: BTreeMap<BoardName, Board>,
    shown: Vec<BoardName>,
    selected: Option<BoardName>,
    filter: Filter,
    order: Order,
    reversed: bool,
    marks: BTreeSet<BoardName>,
    anchor: Option<BoardName>,
    top: usize,
    /// Whether the daemon has sent the boards at all.
    pub known: bool,
}

/// By what the rows are ordered; boards that are equal in it, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// By name.
    #[default]
    Name,
    /// By class.
    Class,
    /// Free boards first.
    State,
    /// The hold that ends first, first; free boards last.
    Ending,
}

impl Order {
    fn next(self) -> Order {
        match self {
            Order::Name => Order::Class,
            Order::Class => Order::State,
            Order::State => Order::Ending,
            Order::Ending => Order::Name,
        }
    }

    /// Its column, as the table's title says it.
    pub fn title(self) -> &'static str {
        match self {
            Order::Name => "name",
            Order::Class => "class",
            Order::State => "state",
            Order::Ending => "end of hold",
        }
    }

    fn compare(self, a: &Board, b: &Board) -> Ordering {
        let ending = |board: &Board| board.hold.as_ref().map_or(Time(u64::MAX), |hold| hold.until);
        let first = match self {
            Order::Name => Ordering::Equal,
            Order::Class => a.class.cmp(&b.class),
            Order::State => (a.state as u8).cmp(&(b.state as u8)),
            Order::Ending => ending(a).cmp(&ending(b)),
        };
        first.then_with(|| by_name(a.name.as_str(), b.name.as_str()))
    }
}

/// `rpi2` before `rpi10`.
fn by_name(a: &str, b: &str) -> Ordering {
    word_and_number(a).cmp(&word_and_number(b)).then_with(|| a.cmp(b))
}

fn word_and_number(name: &str) -> (&str, Option<u64>) {
    let digits = name.bytes().rev().take_while(u8::is_ascii_digit).count();
    let (word, number) = name.split_at(name.len() - digits);
    (word, number.parse().ok())
}

impl Table {
    /// The daemon sent all boards.
    pub fn replace(&mut self, boards: Vec<Board>) {
        self.rows = boards.into_iter().map(|board| (board.name.clone(), board)).collect();
        self.known = true;
        self.arrange();
    }

    /// The daemon sent some boards as they are now; those that are gone are shown no more.
    pub fn change(&mut self, boards: Vec<Board>) {
        for board in boards {
            match board.state {
                State::Gone => self.rows.remove(&board.name),
                _ => self.rows.insert(board.name.clone(), board),
            };
        }
        self.arrange();
    }

    /// Shows only what this finds, from now on.
    pub fn set_filter(&mut self, filter: String) {
        self.filter = self.filter.typed(filter);
        self.arrange();
    }

    /// Orders by the next column.
    pub fn reorder(&mut self) {
        self.order = self.order.next();
        self.arrange();
    }

    /// Turns the order around.
    pub fn reverse(&mut self) {
        self.reversed = !self.reversed;
        self.arrange();
    }

    /// Whether the order is turned around.
    pub fn is_reversed(&self) -> bool {
        self.reversed
    }

    /// Marks the selected board, or takes its mark away; ends a range that is being marked.
    pub fn mark(&mut self) {
        if self.anchor.is_some() {
            return self.mark_range();
        }
        if let Some(name) = self.selected.clone()
            && !self.marks.remove(&name)
        {
            self.marks.insert(name);
        }
    }

    /// Begins a range of marks at the selected board; ends it there when one has begun.
    pub fn mark_range(&mut self) {
        let range: Vec<BoardName> = self.range().to_vec();
        match self.anchor.take() {
            Some(_) => self.marks.extend(range),
            None => self.anchor = self.selected.clone(),
        }
    }

    /// Takes all marks away; false if there were none.
    pub fn unmark(&mut self) -> bool {
        let had = !self.marks.is_empty() || self.anchor.is_some();
        self.marks.clear();
        self.anchor = None;
        had
    }

    /// What lies between where a range of marks began and the selection.
    fn range(&self) -> &[BoardName] {
        let Some(anchor) = &self.anchor else { return &[] };
        let begun = self.shown.iter().position(|shown| shown == anchor);
        match (begun, self.place()) {
            (Some(begun), Some(place)) => &self.shown[begun.min(place)..=begun.max(place)],
            _ => &[],
        }
    }

    /// Whether a board is marked.
    pub fn is_marked(&self, name: &BoardName) -> bool {
        self.marks.contains(name) || self.range().contains(name)
    }

    /// The boards that are marked, shown or not, in the order of the table.
    pub fn marked(&self) -> Vec<&Board> {
        let range: BTreeSet<&BoardName> = self.range().iter().collect();
        let is_marked =
            |board: &&Board| self.marks.contains(&board.name) || range.contains(&board.name);
        let mut marked: Vec<&Board> = self.rows.values().filter(is_marked).collect();
        marked.sort_by(|a, b| self.compare(a, b));
        marked
    }

    fn compare(&self, a: &Board, b: &Board) -> Ordering {
        let order = self.order.compare(a, b);
        if self.reversed { order.reverse() } else { order }
    }

    /// The place of the next board that `filter` finds, going around at the end; backwards if `by`
    /// is less than nothing.
    pub fn find(&self, filter: &Filter, by: isize) -> Option<usize> {
        let (count, place) = (self.shown.len() as isize, self.place()? as isize);
        let around = (1..=count).map(|step| (place + step * by).rem_euclid(count) as usize);
        let found =
            |place: &usize| self.row(&self.shown[*place]).is_some_and(|it| filter.finds(it));
        around.into_iter().find(found)
    }

    /// What is shown, in order. The selection stays on its board, or if that is gone, on its place.
    fn arrange(&mut self) {
        let place = self.place().unwrap_or(0);
        let mut shown: Vec<&Board> =
            self.rows.values().filter(|board| self.filter.finds(board)).collect();
        shown.sort_by(|a, b| self.compare(a, b));
        self.marks.retain(|name| self.rows.contains_key(name));
        self.shown = shown.into_iter().map(|board| board.name.clone()).collect();
        if self.place().is_none() {
            let last = self.shown.len().saturating_sub(1);
            self.selected = self.shown.get(place.min(last)).cloned();
        }
    }

    /// Selects the row at `place`, or the last.
    pub fn select(&mut self, place: usize) {
        self.selected = self.shown.get(place).or(self.shown.last()).cloned();
    }

    /// Selects a board, if it is shown.
    pub fn select_board(&mut self, name: &BoardName) -> bool {
        let place = self.shown.iter().position(|shown| shown == name);
        place.inspect(|place| self.select(*place)).is_some()
    }

    /// The place of the first row that is seen.
    pub fn top(&self) -> usize {
        self.top
    }

    /// Scrolls as little as shows the selection, on a screen of `height` rows.
    pub fn scroll_into(&mut self, height: usize) {
        let place = self.place().unwrap_or(0);
        let height = height.max(1);
        let lowest = (place + 1).saturating_sub(height);
        let longest = self.shown.len().saturating_sub(height);
        self.top = self.top.clamp(lowest, place).min(longest.max(lowest));
    }

    /// Where the selection is among what is shown.
    pub fn place(&self) -> Option<usize> {
        let selected = self.selected.as_ref()?;
        self.shown.iter().position(|name| name == selected)
    }

    /// The selected board.
    pub fn selected(&self) -> Option<&Board> {
        self.row(self.selected.as_ref()?)
    }

    /// A board by its name, shown or not.
    pub fn row(&self, name: &BoardName) -> Option<&Board> {
        self.rows.get(name)
    }

    /// The board that is shown at a place.
    pub fn at(&self, place: usize) -> Option<&Board> {
        self.row(self.shown.get(place)?)
    }

    /// Every board.
    pub fn all(&self) -> impl Iterator<Item = &Board> {
        self.rows.values()
    }

    /// How many rows are shown.
    pub fn len(&self) -> usize {
        self.shown.len()
    }

    /// Whether no row is shown.
    pub fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }

    /// How many boards the filter hides.
    pub fn hidden(&self) -> usize {
        self.rows.len() - self.shown.len()
    }

    /// The rows on a screen of `height` rows, each with its place.
    pub fn visible(&self, height: usize) -> impl Iterator<Item = (usize, &Board)> {
        let places = self.shown.iter().enumerate().skip(self.top).take(height);
        places.filter_map(|(place, name)| Some((place, self.row(name)?)))
    }

    /// The filter.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// The order.
    pub fn order(&self) -> Order {
        self.order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_ordered_as_people_count() {
        let mut names = ["rpi10", "rpi2", "a", "rpi2b", "rpi", "x-007", "x-7"];
        names.sort_by(|a, b| by_name(a, b));
        assert_eq!(names, ["a", "rpi", "rpi2", "rpi10", "rpi2b", "x-007", "x-7"]);
    }
}
