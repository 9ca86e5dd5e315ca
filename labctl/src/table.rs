//! Tables for people: columns as wide as their widest cell, the last cut to the terminal.

use protocol::text::plain;
use unicode_width::UnicodeWidthStr;

use crate::style::{Style, paint};

/// A cell has at most so many characters.
const LONGEST: usize = 1_000;

/// A table being made.
pub struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
    /// Said in place of a table without rows.
    empty: String,
}

/// One cell: its text, and how it stands out.
pub struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// A cell that stands out.
    pub fn styled(text: impl ToString, style: Style) -> Cell {
        Cell { text: safe(text), style }
    }
}

impl<T: ToString> From<T> for Cell {
    fn from(text: T) -> Cell {
        Cell::styled(text, Style::Plain)
    }
}

/// What people and boards say of themselves is not for the terminal to obey.
fn safe(text: impl ToString) -> String {
    plain(text.to_string().as_bytes(), LONGEST)
}

impl Table {
    /// A table with these columns; `empty` is what is said if it has no rows.
    pub fn new(head: &[&'static str], empty: impl Into<String>) -> Table {
        Table { head: head.to_vec(), rows: Vec::new(), empty: empty.into() }
    }

    /// Adds a row: as many cells as there are columns.
    pub fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        self.rows.push(cells.into());
    }

    /// The table as text, each line at most `width` wide.
    pub fn render(&self, width: Option<usize>, colour: bool) -> String {
        if self.rows.is_empty() {
            return format!("{}\n", self.empty);
        }
        let widths: Vec<usize> = (0..self.head.len())
            .map(|column| {
                let cells = self.rows.iter().map(|row| row[column].text.width());
                cells.chain([self.head[column].width()]).max().unwrap_or(0)
            })
            .collect();
        let head = self.head.iter().map(|text| Cell::styled(text, Style::Head)).collect();
        let mut out = String::new();
        for row in [&head].into_iter().chain(&self.rows) {
            push_row(&mut out, row, &widths, width, colour);
        }
        out
    }
}

fn push_row(out: &mut String, row: &[Cell], widths: &[usize], most: Option<usize>, colour: bool) {
    let start = out.len();
    let mut used = 0;
    for (index, (cell, width)) in row.iter().zip(widths).enumerate() {
        let is_last = index + 1 == row.len();
        let room = most.map_or(usize::MAX, |most| most.saturating_sub(used));
        let fits = !is_last || cell.text.width() <= room;
        let text = if fits { cell.text.clone() } else { cut(&cell.text, room) };
        out.push_str(&paint(colour, text, cell.style));
        if !is_last {
            let gap = width - cell.text.width() + 2;
            out.extend(std::iter::repeat_n(' ', gap));
            used += width + 2;
        }
    }
    out.truncate(start + out[start..].trim_end().len());
    out.push('\n');
}

fn cut(text: &str, room: usize) -> String {
    let mut used = 1;
    let mut short: String = text
        .chars()
        .take_while(|letter| {
            used += letter.to_string().width();
            used <= room
        })
        .collect();
    short.push('…');
    short
}
