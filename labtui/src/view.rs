//! The screen, drawn from the model and from nothing else.

mod bars;
mod closeup;
mod console;
mod dialog;
mod layout;
mod look;
mod pages;
mod style;
mod table;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Block;

pub use layout::{Layout, Shape, layout};
pub use look::{Colours, Look, Signs};

use crate::model::{Link, Model, Page};
use crate::text::fit;

/// Draws the whole screen.
pub fn draw(frame: &mut Frame, model: &Model, look: Look) {
    let area = frame.area();
    if (area.width, area.height) != model.size {
        // The screen has just changed; the model is about to hear of it.
        return;
    }
    let layout = layout(model);
    if layout.shape == Shape::Line {
        let line = bars::one_line(model);
        frame.render_widget(Line::raw(fit(&line, area.width.into())), area);
    } else {
        draw_panes(frame, model, &layout);
    }
    look.apply(frame.buffer_mut());
}

fn draw_panes(frame: &mut Frame, model: &Model, layout: &Layout) {
    match &model.console {
        Some(console) => console::draw(frame, model, console, layout),
        None => {
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
        dialog::draw(frame, dialog);
    }
    if let Some(page) = model.page {
        pages::draw(frame, model, page, layout);
    }
    bars::toasts(frame, model, layout);
}

/// Draws a pane's border and title, where panes have them, and says what is inside.
fn pane(frame: &mut Frame, layout: &Layout, area: Rect, title: Line, focused: bool) -> Rect {
    if matches!(layout.shape, Shape::Full | Shape::Wide) {
        let block = Block::bordered().border_style(style::border(focused)).title(title);
        frame.render_widget(block, area);
    }
    layout.inner(area)
}

/// How many lines help has.
pub fn help_lines(model: &Model, layout: &Layout) -> usize {
    pages::help(model, layout.inner(layout.page()).width).len()
}

/// How many lines the facts of the board looked at have.
pub fn facts_lines(model: &Model, layout: &Layout) -> usize {
    closeup::facts(model, layout.inner(layout.facts).width).len()
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
    if model.fresh().next().is_some() || waits(&model.link) {
        return true;
    }
    match (&model.console, model.page) {
        (_, Some(Page::Help(_) | Page::Messages(_))) => false,
        (Some(console), None) => waits(&console.link),
        (None, None) => {
            let rows = layout(model).table_rows();
            let held = |board: &protocol::board::Board| board.hold.is_some();
            model.table.visible(rows).any(|(_, board)| held(board))
                || model.table.selected().is_some_and(held)
        }
    }
}
