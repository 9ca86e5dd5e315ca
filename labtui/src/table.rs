//! The board table: the rows the daemon sent last, which of them are shown, and which is selected.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use protocol::board::{Board, BoardName, State};
use protocol::time::Time;

/// The board table.
#[derive(Debug, Clone, Default)]
pub struct Table {
    rows: BTreeMap<BoardName, Board>,
    shown: Vec<BoardName>,
    selected: Option<BoardName>,
    filter: String,
    order: Order,
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

    /// Shows only what matches, from now on.
    pub fn set_filter(&mut self, filter: String) {
        self.filter = filter;
        self.arrange();
    }

    /// Orders by the next column.
    pub fn reorder(&mut self) {
        self.order = self.order.next();
        self.arrange();
    }

    /// What is shown, in order. The selection stays on its board, or if that is gone, on its place.
    fn arrange(&mut self) {
        let place = self.place().unwrap_or(0);
        let words = words(&self.filter);
        let mut shown: Vec<&Board> =
            self.rows.values().filter(|board| matches(board, &words)).collect();
        shown.sort_by(|a, b| self.order.compare(a, b));
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
    pub fn filter(&self) -> &str {
        &self.filter
    }

    /// The order.
    pub fn order(&self) -> Order {
        self.order
    }
}

/// A word of the filter, in small letters, and whether boards with it are shown or hidden.
struct Word {
    text: String,
    shown: bool,
}

/// Words that are not finished, such as a lone `!`, are left out: they would hide everything.
fn words(filter: &str) -> Vec<Word> {
    let word = |text: &str| match text.strip_prefix('!') {
        Some(text) => Word { text: text.to_lowercase(), shown: false },
        None => Word { text: text.to_lowercase(), shown: true },
    };
    filter.split_whitespace().map(word).filter(|word| !word.text.is_empty()).collect()
}

fn matches(board: &Board, words: &[Word]) -> bool {
    if words.is_empty() {
        return true;
    }
    let holder = board.hold.as_ref().map_or("", |hold| hold.who.as_str());
    let state = board.state.to_string();
    let tags = board.tags.iter().map(String::as_str);
    let fields = [board.name.as_str(), &board.class, holder, &state];
    let text = fields.into_iter().chain(tags).collect::<Vec<_>>().join("\n").to_lowercase();
    words.iter().all(|word| text.contains(&word.text) == word.shown)
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
