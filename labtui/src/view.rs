//! The screen, drawn from the model and from nothing else.

mod bars;
mod calendar;
mod closeup;
mod console;
mod dialog;
mod grid;
mod ladder;
mod layout;
mod lists;
mod look;
mod office;
mod pages;
mod style;
mod table;

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Block;

pub use grid::{columns, panes};
pub use layout::{Layout, Shape, layout};
pub use look::{Colours, Look, Signs};

use crate::model::{Focus, Link, Model, Page};
use crate::text::fit;

/// Draws the whole screen.
pub fn draw(frame: &mut Frame, model: &Model, look: Look) {
    let area = frame.area();
    if (area.width, area.height) != model.size {
        // The screen has just changed; the model is about to hear of it.
        return;
    }
    let layout = layout(model);
    frame.buffer_mut().set_style(area, model.theme.text);
    if layout.shape == Shape::Line {
        let line = bars::one_line(model);
        frame.render_widget(Line::raw(fit(&line, area.width.into())), area);
    } else {
        draw_panes(frame, model, &layout);
    }
    look.apply(frame.buffer_mut());
}

fn draw_panes(frame: &mut Frame, model: &Model, layout: &Layout) {
    match (&model.console, &model.grid) {
        (Some(console), _) => console::draw(frame, model, console, layout),
        (None, Some(grid)) => {
            bars::draw(frame, model, layout);
            grid::draw(frame, model, grid);
        }
        (None, None) => {
            bars::draw(frame, model, layout);
            if !layout.table.is_empty() {
                table::draw(frame, model, layout);
            }
            if layout.shows_closeup() {
                closeup::draw(frame, model, layout);
            }
        }
    }
    if let Some(dialog) = &model.dialog {
        dialog::draw(frame, model, dialog);
    }
    if let Some(page) = model.page {
        pages::draw(frame, model, page, layout);
    }
    bars::toasts(frame, model, layout);
    bars::typed(frame, model, layout);
}

/// Draws a pane's border and title, where panes have them, and says what is inside. A page over
/// all panes always has the focus.
fn pane(
    frame: &mut Frame,
    model: &Model,
    layout: &Layout,
    area: Rect,
    title: Line,
    pane: Option<Focus>,
) -> Rect {
    if matches!(layout.shape, Shape::Full | Shape::Wide) {
        let focused = pane.is_none_or(|pane| model.focus == pane);
        let block = Block::bordered().border_style(model.theme.edge(focused)).title(title);
        frame.render_widget(block, area);
    }
    layout.inner(area)
}

/// A pane's title, with the number that goes there.
fn numbered(model: &Model, pane: Focus, title: &str) -> Line<'static> {
    let zoomed = if model.zoomed && model.focus == pane { "· alone " } else { "" };
    Line::from(vec![
        Span::styled(format!(" {}", pane.number()), model.theme.key),
        Span::styled(format!(" {title} {zoomed}"), model.theme.strong),
    ])
}

/// What is at a place on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    /// The pane.
    pub pane: Focus,
    /// The row of the table.
    pub row: Option<usize>,
}

/// What is at a place on the screen, if it is a pane.
pub fn spot(model: &Model, x: u16, y: u16) -> Option<Spot> {
    let (layout, at) = (layout(model), Position { x, y });
    if layout.table.contains(at) {
        let inner = layout.inner(layout.table);
        let first = inner.y + inner.height - u16::try_from(layout.table_rows()).unwrap_or(0);
        let row = y.checked_sub(first).filter(|_| inner.contains(at));
        let row = row.map(|row| model.table.top() + usize::from(row));
        return Some(Spot { pane: Focus::Table, row: row.filter(|row| *row < model.table.len()) });
    }
    let panes = [(Focus::Facts, layout.facts), (Focus::Timeline, layout.timeline)];
    let (pane, _) = panes.into_iter().find(|(_, area)| area.contains(at))?;
    Some(Spot { pane, row: None })
}

/// How many lines help has.
pub fn help_lines(model: &Model, layout: &Layout) -> usize {
    pages::help(model, layout.inner(layout.page()).width).len()
}

/// How many lines the facts of the board looked at have.
pub fn facts_lines(model: &Model, layout: &Layout) -> usize {
    closeup::facts(model, layout.inner(layout.facts).width).len()
}

/// How many entries one can scroll up from the newest of those that are looked through.
pub fn audit_back(model: &Model, layout: &Layout) -> usize {
    model.audit.as_ref().map_or(0, |audit| office::furthest_back(model, audit, layout))
}

/// How many messages one can scroll up from the newest.
pub fn messages_back(model: &Model, layout: &Layout) -> usize {
    pages::furthest_back(model, layout)
}

/// How many entries of the timeline one can scroll up from the newest.
pub fn timeline_back(model: &Model, layout: &Layout) -> usize {
    closeup::furthest_back(model, layout.inner(layout.timeline).width, layout.timeline_rows())
}

/// Whether what is shown changes by time alone: a countdown, a notice that goes away.
pub fn is_ticking(model: &Model) -> bool {
    let waits = |link: &Link| matches!(link, Link::Down { .. });
    let soon_over = model.fresh().next().is_some() || model.undoable().is_some();
    if soon_over || !model.settings.motion {
        return soon_over;
    }
    if waits(&model.link) {
        return true;
    }
    match (&model.console, model.page) {
        (_, Some(page)) => page == Page::Calendar,
        (Some(console), None) => waits(&console.link),
        (None, None) if let Some(grid) = &model.grid => {
            grid.live().any(|(_, _, live)| waits(&live.link))
        }
        (None, None) => {
            let rows = layout(model).table_rows();
            let held = |board: &protocol::board::Board| board.hold.is_some();
            model.table.visible(rows).any(|(_, board)| held(board))
                || model.table.selected().is_some_and(held)
        }
    }
}
