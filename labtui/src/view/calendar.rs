//! Boards down, time across: who holds what, and who waits for it.
//!
//! Own holds are `█` and say *you*, those of others `▒` and their names; places in the queue are `░`
//! behind a `◆` that is ours or a `◇` that is not. Now is below the `▼`.

use protocol::Time;
use protocol::board::Board;
use protocol::hold::Place;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::layout::{Layout, columns};
use super::pane;
use crate::model::Model;
use crate::text::{clean, fit};

/// How many cells a board's name takes.
const NAME: u16 = 16;

/// How many cells lie between two times in the first line.
const LABELS: usize = 8;

pub(super) fn draw(frame: &mut Frame, model: &Model, layout: &Layout) {
    let scale = if model.calendar.far { "2 h" } else { "15 min" };
    let title = Line::styled(format!(" Calendar · a cell is {scale} "), model.theme.strong);
    let inner = pane(frame, model, layout, layout.page(), title, None);
    let mut rows = inner.rows();
    if let Some(first) = rows.next() {
        frame.render_widget(times(model, columns(first, NAME).1.width), columns(first, NAME).1);
    }
    let waiting: Vec<&Place> = model.calendar.waits_elsewhere().collect();
    let room = usize::from(inner.height).saturating_sub(1);
    let below = waiting.len().min(room / 3);
    let height = room - below;
    let place = model.table.place().unwrap_or(0);
    let top = (place + 1).saturating_sub(height);
    for (number, row) in rows.by_ref().take(height).enumerate() {
        let place = top + number;
        let Some(board) = model.table.at(place) else { continue };
        draw_board(frame, model, board, row, model.table.place() == Some(place));
    }
    for (row, place) in rows.zip(waiting) {
        draw_place(frame, model, place, row);
    }
}

/// The line of a board: its name, and the cells.
fn draw_board(frame: &mut Frame, model: &Model, board: &Board, row: Rect, selected: bool) {
    let (name, cells) = columns(row, NAME);
    let look = if selected { model.theme.selected } else { model.theme.strong };
    let mark = if selected { "▸" } else { " " };
    let text = format!("{mark}{}", fit(board.name.as_str(), usize::from(NAME) - 2));
    frame.render_widget(Line::styled(text, look), name);
    frame.render_widget(line(model, board, usize::from(cells.width)), cells);
}

/// What a cell shows.
type Cell = (char, Style);

/// The cells of a board.
fn line(model: &Model, board: &Board, width: usize) -> Line<'static> {
    let mut cells: Vec<Cell> = vec![(' ', model.theme.text); width];
    mark_now(model, &mut cells);
    if let Some(hold) = &board.hold {
        let mine = model.is_mine(board);
        let who = if mine { "you" } else { hold.who.as_str() };
        let cell = if mine { ('█', model.theme.good) } else { ('▒', model.theme.text) };
        fill(model, &mut cells, (hold.since, hold.until), cell, who);
    }
    for place in model.calendar.waits_for(&board.name) {
        fill_place(model, &mut cells, place);
    }
    if let Some(cell) = now(model).and_then(|place| cells.get_mut(place)) {
        cell.1 = cell.1.add_modifier(Modifier::REVERSED);
    }
    Line::from_iter(cells.into_iter().map(|(sign, look)| Span::styled(sign.to_string(), look)))
}

/// The cell of now, if it is not left of what is seen.
fn now(model: &Model) -> Option<usize> {
    usize::try_from(model.calendar.place(model.now, model.now)).ok()
}

fn mark_now(model: &Model, cells: &mut [Cell]) {
    if let Some(cell) = now(model).and_then(|place| cells.get_mut(place)) {
        *cell = ('│', model.theme.key);
    }
}

/// Fills the cells between two instants, and writes whose they are where there is room.
fn fill(model: &Model, cells: &mut [Cell], time: (Time, Time), cell: Cell, who: &str) {
    let range = model.calendar.cells(time.0, time.1, model.now, cells.len());
    let Some(cells) = cells.get_mut(range) else { return };
    cells.fill(cell);
    let who = fit(who, cells.len().saturating_sub(2)).into_owned();
    let text = if who.is_empty() { String::new() } else { format!(" {who} ") };
    for (cell, sign) in cells.iter_mut().skip(1).zip(text.chars()) {
        *cell = (sign, cell.1);
    }
}

/// A place in the queue, from when the board will be free for it.
fn fill_place(model: &Model, cells: &mut [Cell], place: &Place) {
    let Some(from) = place.expected else { return };
    let (mark, who) = whose(model, place);
    let to = from + place.span.unwrap_or(model.calendar.cell());
    let range = model.calendar.cells(from, to, model.now, cells.len());
    fill(model, cells, (from, to), ('░', model.theme.quiet), &who);
    if model.calendar.place(from, model.now) >= 0
        && let Some(cell) = cells.get_mut(range.start)
    {
        *cell = (mark, model.theme.warning);
    }
}

/// The mark before a place, and who has it.
fn whose(model: &Model, place: &Place) -> (char, String) {
    match model.me.as_ref().is_some_and(|me| me.name == place.who) {
        true => ('◆', "you".to_owned()),
        false => ('◇', place.who.to_string()),
    }
}

/// `◇ dave waits for any rpi4, number 1 in line`
fn draw_place(frame: &mut Frame, model: &Model, place: &Place, row: Rect) {
    let (mark, who) = whose(model, place);
    let verb = if mark == '◆' { "wait" } else { "waits" };
    let text = format!("{mark} {who} {verb} for {}, number {} in line", place.want, place.position);
    let when = match place.expected {
        Some(at) => format!(", free in {} at the latest", crate::dialog::left(at, model.now)),
        None => String::new(),
    };
    let text = clean(&(text + &when)).into_owned();
    frame.render_widget(Line::raw(fit(&text, row.width.into()).into_owned()), row);
}

/// The times above the cells, from afar with the day; and a sign over now.
fn times(model: &Model, width: u16) -> Line<'static> {
    let width = usize::from(width);
    let mut signs = vec![' '; width];
    for place in (0..width).step_by(LABELS) {
        let at = model.calendar.begins(i64::try_from(place).unwrap_or(0), model.now);
        let text = label(model, at);
        for (cell, sign) in signs.iter_mut().skip(place).zip(text.chars()) {
            *cell = sign;
        }
    }
    if let Some(sign) = now(model).and_then(|place| signs.get_mut(place)) {
        *sign = '▼';
    }
    Line::styled(signs.into_iter().collect::<String>(), model.theme.quiet)
}

fn label(model: &Model, at: Time) -> String {
    let ms = i64::try_from(at.0).unwrap_or(i64::MAX);
    let Ok(at) = jiff::Timestamp::from_millisecond(ms) else { return String::new() };
    let at = at.to_zoned(model.zone.clone());
    match model.calendar.far {
        true => at.strftime("%a %H").to_string(),
        false => at.strftime("%H:%M").to_string(),
    }
}
