//! The board table.

use protocol::board::Board;
use protocol::text::saying;
use protocol::{Span, Time};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span as Piece};

use super::closeup::clock;
use super::layout::{Layout, Shape};
use super::{numbered, pane};
use crate::dialog::left;
use crate::keys::{Action, Group};
use crate::model::{Focus, Link, Model};
use crate::text::{clean, fit};

/// A hold that ends within this is marked.
const SOON: Span = Span::minutes(10);

/// The last line a board printed is shown where at least so many cells remain for it.
const LEAST_LINE: usize = 12;

pub(super) fn draw(frame: &mut Frame, model: &Model, layout: &Layout) {
    let inner = pane(frame, model, layout, layout.table, title(model), Some(Focus::Table));
    if model.table.is_empty() {
        let lines = crate::text::wrap(&why_empty(model), usize::from(inner.width));
        for (row, line) in inner.rows().zip(lines) {
            frame.buffer_mut().set_stringn(row.x, row.y, line, row.width.into(), Style::new());
        }
        return;
    }
    let columns = Columns::of(model, usize::from(inner.width), layout.shape);
    let mut rows = inner.rows();
    if matches!(layout.shape, Shape::Full | Shape::Wide)
        && let Some(row) = rows.next()
    {
        frame.render_widget(columns.headings(model), row);
    }
    for (row, (place, board)) in rows.zip(model.table.visible(layout.table_rows())) {
        let selected = model.table.place() == Some(place);
        draw_row(frame, model, row, columns.row(model, board, selected), selected);
    }
}

fn draw_row(frame: &mut Frame, model: &Model, area: Rect, line: Line, selected: bool) {
    frame.render_widget(line, area);
    if selected {
        frame.buffer_mut().set_style(area, model.theme.selected);
        // Whoever cannot see the mark is led to it by the cursor.
        frame.set_cursor_position(area.as_position());
    }
    if matches!(model.link, Link::Down { .. }) {
        frame.buffer_mut().set_style(area, model.theme.stale);
    }
}

/// `1 Boards 12 of 40 · by state`
fn title(model: &Model) -> Line<'static> {
    let table = &model.table;
    let (shown, all) = (table.len(), table.len() + table.hidden());
    let mut title = match table.hidden() {
        0 => format!("Boards {all}"),
        _ => format!("Boards {shown} of {all}"),
    };
    if table.order() != crate::table::Order::default() || table.is_reversed() {
        let turned = if table.is_reversed() { ", turned around" } else { "" };
        title.push_str(&format!(" · by {}{turned}", table.order().title()));
    }
    numbered(model, Focus::Table, &title)
}

/// An empty table says why, and what to do about it.
fn why_empty(model: &Model) -> String {
    let hidden = model.table.hidden();
    let boards = if hidden == 1 { "board" } else { "boards" };
    match (&model.link, model.table.known) {
        (Link::Up, false) | (Link::Connecting, _) => format!("Connecting to {} …", model.lab),
        (Link::Down { .. } | Link::Refused(_), false) => {
            let lab = &model.lab;
            format!("No answer from {lab} yet. Start labd there, or give another --lab.")
        }
        (_, true) if hidden > 0 => {
            let (filter, back) = (model.table.filter().text(), Action::Back);
            let back = model.typed(Group::Views, back);
            format!("The filter '{filter}' hides {hidden} {boards}. {back} takes it away.")
        }
        (_, true) => "The lab has no boards that you may see. An administrator adds them to \
                      labd's configuration, then runs: labctl reload"
            .to_owned(),
    }
}

/// How wide each column is; a column that has no room is 0.
struct Columns {
    name: usize,
    class: usize,
    state: usize,
    power: usize,
    holder: usize,
    left: usize,
    queue: usize,
    line: usize,
}

impl Columns {
    /// Wide enough for what is in them; where there is no room, what matters least goes first.
    fn of(model: &Model, width: usize, shape: Shape) -> Columns {
        let widest = |length: &dyn Fn(&Board) -> usize| model.table.all().map(length).max();
        let name = widest(&|board| board.name.as_str().len()).unwrap_or(0).clamp(4, 24);
        let class = widest(&|board| board.class.chars().count()).unwrap_or(0).clamp(5, 14);
        let holder = |board: &Board| board.hold.as_ref().map_or(0, |hold| hold.who.as_str().len());
        let holder = widest(&holder).unwrap_or(0).clamp(6, 12);
        let mut columns =
            Columns { name, class: 0, state: 11, power: 0, holder, left: 6, queue: 0, line: 0 };
        if shape == Shape::List {
            columns.name = name.min(16);
            return columns;
        }
        columns.power = 7;
        columns.queue = 1;
        columns.line = width.saturating_sub(columns.used() + 1);
        if columns.line > LEAST_LINE + class {
            columns.class = class;
            columns.line -= class + 1;
        }
        if columns.line < LEAST_LINE {
            columns.line = 0;
        }
        columns
    }

    fn widths(&self) -> [usize; 8] {
        let Columns { name, class, state, power, holder, left, queue, line } = *self;
        [name, class, state, power, holder, left, queue, line]
    }

    /// The cells used by the mark, the columns, and a blank between each two.
    fn used(&self) -> usize {
        2 + self.widths().iter().filter(|width| **width > 0).map(|width| width + 1).sum::<usize>()
    }

    fn line<'a>(&self, mark: &'a str, cells: [Piece<'a>; 8]) -> Line<'a> {
        let mut line = Line::from(Piece::raw(mark));
        for (cell, width) in cells.into_iter().zip(self.widths()).filter(|(_, width)| *width > 0) {
            let text = fit(&cell.content, width).into_owned();
            let blanks = width + 1 - Piece::raw(&text).width();
            line.push_span(Piece::styled(text, cell.style));
            line.push_span(" ".repeat(blanks));
        }
        line
    }

    fn headings(&self, model: &Model) -> Line<'static> {
        let titles = ["NAME", "CLASS", "STATE", "POWER", "HOLDER", "LEFT", "Q", "LAST LINE"];
        self.line("  ", titles.map(|title| Piece::styled(title, model.theme.quiet)))
    }

    fn row<'a>(&self, model: &Model, board: &'a Board, selected: bool) -> Line<'a> {
        let (sign, state) = model.theme.state(board.state);
        let (holder, left) = holder(model, board);
        let queue = match board.waiting {
            0 => String::new(),
            1..10 => board.waiting.to_string(),
            _ => "+".to_owned(),
        };
        let cells = [
            Piece::styled(board.name.as_str(), model.theme.strong),
            Piece::raw(clean(&board.class)),
            Piece::styled(format!("{sign} {}", board.state), state),
            Piece::styled(board.power.to_string(), model.theme.power(board.power)),
            holder,
            left,
            Piece::styled(queue, model.theme.warning),
            last_line(model, board),
        ];
        let mark = match (selected, model.table.is_marked(&board.name)) {
            (true, true) => "▸✓",
            (true, false) => "▸ ",
            (false, true) => " ✓",
            (false, false) => "  ",
        };
        self.line(mark, cells)
    }
}

fn holder(model: &Model, board: &Board) -> (Piece<'static>, Piece<'static>) {
    let Some(hold) = &board.hold else { return Default::default() };
    let who = if model.is_mine(board) {
        Piece::styled("you", model.theme.strong)
    } else {
        Piece::raw(hold.who.to_string())
    };
    (who, countdown(model, hold.until))
}

/// How much longer; where nothing is to move by itself, until when.
fn countdown(model: &Model, until: Time) -> Piece<'static> {
    let soon = until.since(model.now) < SOON;
    let text = match model.settings.motion {
        true => left(until, model.now),
        false => until_when(model, until),
    };
    Piece::styled(text, if soon { model.theme.warning } else { Style::new() })
}

/// `15:20`, or its day if that is not today.
fn until_when(model: &Model, until: Time) -> String {
    let text = clock(&model.zone, until, model.now);
    text.chars().take(5).collect()
}

/// What is wrong with a board matters more than what it printed.
fn last_line<'a>(model: &Model, board: &'a Board) -> Piece<'a> {
    match &board.fault {
        Some(fault) => Piece::styled(format!("! {}", clean(fault)), model.theme.bad),
        None => Piece::styled(clean(saying(&board.last_line)), model.theme.quiet),
    }
}
