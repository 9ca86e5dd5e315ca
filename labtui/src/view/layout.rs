//! Where everything is on a screen of this size. Nothing is hidden without a way to it.

use ratatui::layout::Rect;

use super::closeup;
use crate::model::{Focus, Link, Model};

/// What there is room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One line of text.
    Line,
    /// A plain list.
    List,
    /// One pane after another, with borders.
    Full,
    /// The table beside what is known of the selected board.
    Wide,
}

/// Where everything is. What is not shown is empty.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// What there is room for.
    pub shape: Shape,
    /// Who and where we are.
    pub header: Rect,
    /// Why the table is not live.
    pub banner: Rect,
    /// All that is neither header, banner nor status.
    pub body: Rect,
    /// The board table.
    pub table: Rect,
    /// What is known of a board.
    pub facts: Rect,
    /// What happened to it.
    pub timeline: Rect,
    /// A console's screen.
    pub console: Rect,
    /// What can be done.
    pub status: Rect,
}

fn shape(width: u16, height: u16) -> Shape {
    match (width, height) {
        (0..20, _) | (_, 0..5) => Shape::Line,
        (0..60, _) | (_, 0..15) => Shape::List,
        (0..120, _) => Shape::Full,
        _ => Shape::Wide,
    }
}

/// Where everything is now.
pub fn layout(model: &Model) -> Layout {
    let (width, height) = model.size;
    let screen = Rect::new(0, 0, width, height);
    let shape = shape(width, height);
    let bars = u16::from(shape != Shape::Line);
    let header = u16::from(matches!(shape, Shape::Full | Shape::Wide));
    let banner = u16::from(matches!(model.link, Link::Down { .. })) * bars;
    let (console, status) = lines(screen, height.saturating_sub(bars));
    let (header, rest) = lines(console, header);
    let (banner, body) = lines(rest, banner);
    let (table, closeup) = match (shape, model.focus) {
        (Shape::Wide, _) if !model.zoomed => columns(body, width - (width / 5 * 2).min(64)),
        (_, Focus::Table) => (body, Rect::ZERO),
        _ => (Rect::ZERO, body),
    };
    let layout = Layout {
        shape,
        header,
        banner,
        body,
        table,
        facts: closeup,
        timeline: Rect::ZERO,
        console,
        status,
    };
    split_closeup(model, layout, closeup)
}

/// The first `height` lines of an area, and the others.
fn lines(area: Rect, height: u16) -> (Rect, Rect) {
    let height = height.min(area.height);
    let (y, left) = (area.y + height, area.height - height);
    (Rect { height, ..area }, Rect { y, height: left, ..area })
}

/// The first `width` columns of an area, and the others.
pub(super) fn columns(area: Rect, width: u16) -> (Rect, Rect) {
    let width = width.min(area.width);
    let (x, left) = (area.x + width, area.width - width);
    (Rect { width, ..area }, Rect { x, width: left, ..area })
}

/// The facts get what they need, but the timeline keeps half.
fn split_closeup(model: &Model, layout: Layout, area: Rect) -> Layout {
    if area.is_empty() {
        return layout;
    }
    match model.focus {
        Focus::Facts if model.zoomed => return Layout { facts: area, ..layout },
        Focus::Timeline if model.zoomed => {
            return Layout { facts: Rect::ZERO, timeline: area, ..layout };
        }
        _ => {}
    }
    let borders = area.height - layout.inner(area).height;
    let facts = closeup::facts(model, layout.inner(area).width).len();
    let needed = u16::try_from(facts).unwrap_or(u16::MAX).saturating_add(borders);
    let (facts, timeline) = lines(area, needed.min(area.height / 2));
    Layout { facts, timeline, ..layout }
}

impl Layout {
    /// A pane without its borders, where panes have borders.
    pub fn inner(&self, pane: Rect) -> Rect {
        match self.shape {
            Shape::Full | Shape::Wide => pane.inner(ratatui::layout::Margin::new(1, 1)),
            Shape::List | Shape::Line => pane,
        }
    }

    /// Whether a board is looked at closely.
    pub fn shows_closeup(&self) -> bool {
        !self.facts.is_empty() || !self.timeline.is_empty()
    }

    /// How many boards the table shows: all its lines but the headings.
    pub fn table_rows(&self) -> usize {
        let headings = u16::from(matches!(self.shape, Shape::Full | Shape::Wide));
        usize::from(self.inner(self.table).height.saturating_sub(headings))
    }

    /// How many lines of facts there is room for.
    pub fn facts_rows(&self) -> usize {
        usize::from(self.inner(self.facts).height)
    }

    /// How many lines of the timeline there is room for.
    pub fn timeline_rows(&self) -> usize {
        usize::from(self.inner(self.timeline).height)
    }

    /// Where a page over everything else is.
    pub fn page(&self) -> Rect {
        if self.console.height > self.body.height { self.console } else { self.body }
    }

    /// How many lines such a page shows.
    pub fn page_rows(&self) -> usize {
        usize::from(self.inner(self.page()).height)
    }
}
