//! Consoles side by side: a pane is a window on the lower part of a board's screen, and marks what
//! most others do not have.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType};

use super::bars;
use super::layout::{Shape, layout};
use crate::grid::compare::{Difference, compare};
use crate::grid::{Grid, Live, Reach};
use crate::model::{Link, Model, PenHolder};
use crate::text::{clean, fit};

/// The least that a pane is worth drawing with, borders and all.
const WIDTH: u16 = 24;
const HEIGHT: u16 = 5;

/// What is drawn of a grid, each pane with its place and where it is. Where there is no room for
/// all, those around the focus.
pub fn panes(model: &Model) -> Vec<(usize, Rect)> {
    let Some(grid) = &model.grid else { return Vec::new() };
    let (layout, count) = (layout(model), grid.panes.len());
    let area = layout.body;
    match layout.shape {
        Shape::Line => return Vec::new(),
        Shape::List => return vec![(grid.focus, area)],
        Shape::Full | Shape::Wide if grid.zoomed => return vec![(grid.focus, area)],
        Shape::Full | Shape::Wide => {}
    }
    let columns = columns(model);
    let rows = count.div_ceil(columns).min(usize::from(area.height / HEIGHT)).max(1);
    let first = grid.focus - grid.focus % (columns * rows);
    let shown = (first..count).take(columns * rows).collect::<Vec<_>>();
    let rows = shown.chunks(columns).len();
    let lines = parts(area.y, area.height, rows);
    let row = |(places, (y, height)): (&[usize], (u16, u16))| {
        let parts = parts(area.x, area.width, places.len());
        let pane = |(place, (x, width)): (&usize, _)| (*place, Rect { x, y, width, height });
        places.iter().zip(parts).map(pane).collect::<Vec<_>>()
    };
    shown.chunks(columns).zip(lines).flat_map(row).collect()
}

/// How many panes are beside each other.
pub fn columns(model: &Model) -> usize {
    let count = model.grid.as_ref().map_or(0, |grid| grid.panes.len());
    let square = (1..=count).find(|side| side * side >= count).unwrap_or(1);
    square.min(usize::from(model.size.0 / WIDTH)).max(1)
}

/// A length in so many parts, each with its start, as equal as can be.
fn parts(start: u16, length: u16, count: usize) -> Vec<(u16, u16)> {
    let count = u16::try_from(count).unwrap_or(1).max(1);
    let edge = |n: u16| (u32::from(length) * u32::from(n) / u32::from(count)) as u16;
    (0..count).map(|n| (start + edge(n), edge(n + 1) - edge(n))).collect()
}

/// How each console that is drawn and connected differs from most of them, with its place.
fn differences(grid: &Grid) -> Vec<(usize, Difference)> {
    let live: Vec<(usize, &str, &Live)> = grid
        .live()
        .filter(|(_, _, live)| live.link == Link::Up)
        .map(|(place, board, live)| (place, board.as_str(), live))
        .collect();
    let screens: Vec<(&str, Vec<String>)> =
        live.iter().map(|(_, board, live)| (*board, live.emulator.rows())).collect();
    live.iter().map(|(place, ..)| *place).zip(compare(&screens)).collect()
}

/// What is in force, for the last line: `3 identical, 1 differs`, or which one is seen; and where
/// keys go.
pub(super) fn standing(model: &Model, grid: &Grid) -> Vec<(String, Style)> {
    let differences = differences(grid);
    let differ = differences.iter().filter(|(_, it)| it.is_any()).count();
    let (same, rest) = (differences.len() - differ, grid.panes.len() - differences.len());
    let verb = if differ == 1 { "differs" } else { "differ" };
    let rest = if rest > 0 { format!(", {rest} not compared") } else { String::new() };
    let look = if differ > 0 { model.theme.warning } else { model.theme.strong };
    let compared = match (differences.len(), grid.board()) {
        (0..2, Some(board)) => {
            let text = format!("{board}, {} of {}", grid.focus + 1, grid.panes.len());
            (text, model.theme.strong)
        }
        _ => (format!("{same} identical, {differ} {verb}{rest}"), look),
    };
    let Some(reach) = grid.typing else { return vec![compared] };
    let places = grid.live().filter(|(place, _, live)| grid.reaches(*place) && live.has_pen());
    let (end, count) = (model.settings.keys.escape.label(), places.count());
    let typing = match reach {
        Reach::One => {
            (format!("TYPING on console {}: {end} ends it ", grid.focus + 1), model.theme.strong)
        }
        Reach::All => {
            let all = grid.panes.len();
            (format!("TYPING ON {count} OF {all} CONSOLES: {end} ends it "), model.theme.bad)
        }
    };
    vec![typing, compared]
}

pub(super) fn draw(frame: &mut Frame, model: &Model, grid: &Grid) {
    let differences = differences(grid);
    for (place, area) in panes(model) {
        let difference = differences.iter().find(|(other, _)| *other == place).map(|(_, it)| it);
        draw_pane(frame, model, grid, place, area, difference);
    }
}

fn draw_pane(
    frame: &mut Frame,
    model: &Model,
    grid: &Grid,
    place: usize,
    area: Rect,
    difference: Option<&Difference>,
) {
    let Some((pane, live)) = grid.panes.get(place).and_then(|it| Some((it, it.live.as_ref()?)))
    else {
        return;
    };
    let bordered = matches!(layout(model).shape, Shape::Full | Shape::Wide);
    let inner = if bordered { area.inner(ratatui::layout::Margin::new(1, 1)) } else { area };
    if bordered {
        let room = usize::from(inner.width);
        let name = fit(pane.board.as_str(), room.saturating_sub(6)).into_owned();
        let title = Line::from(vec![
            Span::styled(format!(" {}", place + 1), model.theme.key),
            Span::styled(format!(" {name} "), model.theme.strong),
            Span::styled(differs(difference), model.theme.warning),
        ]);
        let (edge, kind) = edge(model, grid, place, live);
        let block = Block::bordered().border_type(kind).border_style(edge).title(title);
        let below = fit(&standing_of(grid, place, live), room).into_owned();
        frame.render_widget(block.title_bottom(Line::styled(below, edge)), area);
    }
    let first = live.emulator.first_row(inner.height);
    let cursor = live.emulator.draw_from(first, inner, frame.buffer_mut());
    if let Some(at) = cursor.filter(|_| place == grid.focus) {
        frame.set_cursor_position(at);
    }
    if let Some(text) = outage(model, live) {
        let banner = inner.rows().next().unwrap_or_default();
        bars::banner(frame, model, banner, &text);
    }
    for row in difference.iter().flat_map(|it| &it.odd).filter_map(|row| row.checked_sub(first)) {
        let y = inner.y.saturating_add(u16::try_from(row).unwrap_or(u16::MAX));
        if bordered && y < inner.bottom() {
            frame.buffer_mut()[(area.x, y)].set_symbol("≠").set_style(model.theme.warning);
        }
    }
}

/// `≠ 2 lines, lacks 1 `
fn differs(difference: Option<&Difference>) -> String {
    let Some(Difference { odd, lacks }) = difference.filter(|it| it.is_any()) else {
        return String::new();
    };
    let lines = if odd.len() == 1 { "line" } else { "lines" };
    match (odd.len(), lacks) {
        (0, lacks) => format!("≠ lacks {lacks} "),
        (odd, 0) => format!("≠ {odd} {lines} "),
        (odd, lacks) => format!("≠ {odd} {lines}, lacks {lacks} "),
    }
}

/// The border: red and thick where several boards get what is typed.
fn edge(model: &Model, grid: &Grid, place: usize, live: &Live) -> (Style, BorderType) {
    match grid.typing {
        Some(Reach::All) if live.has_pen() => (model.theme.bad, BorderType::Thick),
        Some(Reach::All) => (model.theme.border, BorderType::Plain),
        _ => (model.theme.edge(place == grid.focus), BorderType::Plain),
    }
}

/// ` TYPING `, ` NOT TYPING: bob has the pen `
fn standing_of(grid: &Grid, place: usize, live: &Live) -> String {
    match (&live.pen, &live.link) {
        _ if !grid.reaches(place) => String::new(),
        (_, Link::Connecting | Link::Down { .. } | Link::Refused(_)) => {
            " NOT TYPING: not connected ".to_owned()
        }
        (PenHolder::Us | PenHolder::Paired(_), Link::Up) => " TYPING ".to_owned(),
        (PenHolder::Other(who), Link::Up) => format!(" NOT TYPING: {who} has the pen "),
        (PenHolder::Nobody, Link::Up) => " NOT TYPING: not yours ".to_owned(),
        (PenHolder::Unknown, Link::Up) => " NOT TYPING: waits for the pen ".to_owned(),
    }
}

fn outage(model: &Model, live: &Live) -> Option<String> {
    match &live.link {
        Link::Connecting | Link::Up => None,
        Link::Down { why, attempt, next } => Some(bars::outage(model, why, *attempt, *next)),
        Link::Refused(why) => Some(clean(&why.to_string()).into_owned()),
    }
}
