//! Pages over everything else: the keys, and what was said.

use ratatui::Frame;
use ratatui::text::Line;
use ratatui::widgets::Clear;

use super::closeup::{clock, furthest, named_lines, newest_last};
use super::layout::Layout;
use super::{pane, style};
use crate::keys::{Context, Group};
use crate::model::{Filtering, Model, Page};
use crate::notice::Notice;

/// How many cells keys take in help.
const KEYS: usize = 24;

pub(super) fn draw(frame: &mut Frame, model: &Model, page: Page, layout: &Layout) {
    frame.render_widget(Clear, layout.page());
    match page {
        Page::Help(top) => draw_help(frame, model, top, layout),
        Page::Messages(back) => draw_messages(frame, model, back, layout),
    }
}

fn draw_help(frame: &mut Frame, model: &Model, top: usize, layout: &Layout) {
    let lines = help(model, layout.inner(layout.page()).width);
    let below = lines.len().saturating_sub(top + layout.page_rows());
    let more = if below > 0 { format!("· {below} more ↓ ") } else { String::new() };
    let title = Line::styled(format!(" Keys {more}"), style::STRONG);
    let inner = pane(frame, layout, layout.page(), title, true);
    for (row, line) in inner.rows().zip(lines.into_iter().skip(top)) {
        frame.render_widget(line, row);
    }
}

/// What somebody reads help about: what lies below it.
fn below(model: &Model) -> Context {
    match (&model.console, model.filtering) {
        (Some(_), _) => Context::Prefixed,
        (None, Filtering::Typing) => Context::Filter,
        (None, Filtering::Done) => Context::Table,
    }
}

/// Every binding there is; what works where help was asked for comes first.
pub(super) fn help(model: &Model, width: u16) -> Vec<Line<'static>> {
    let here = below(model).groups();
    let (first, rest): (Vec<Group>, Vec<Group>) =
        Group::ALL.iter().partition(|group| here.contains(group));
    let mut lines = Vec::new();
    for group in first.into_iter().chain(rest) {
        lines.push(Line::styled(group.title(), style::STRONG));
        for binding in group.bindings() {
            let keys = format!("  {}", binding.label());
            lines.extend(named_lines(&keys, style::KEY, binding.help, KEYS, width));
        }
        lines.push(Line::default());
    }
    lines
}

fn draw_messages(frame: &mut Frame, model: &Model, back: usize, layout: &Layout) {
    let count = model.notices.len();
    let title = Line::styled(format!(" Messages {count} "), style::STRONG);
    let inner = pane(frame, layout, layout.page(), title, true);
    if count == 0 {
        return frame.render_widget(Line::raw("Nothing was said yet."), inner);
    }
    let notices = model.notices.iter().rev().skip(back);
    newest_last(frame, inner, notices.map(|notice| message(model, notice, inner.width)));
}

fn message(model: &Model, notice: &Notice, width: u16) -> Vec<Line<'static>> {
    let at = clock(&model.zone, notice.at, model.now);
    named_lines(&at, style::tone(notice.tone), &notice.text, at.len() + 1, width)
}

/// How many messages up from the newest the oldest one is on top.
pub(super) fn furthest_back(model: &Model, layout: &Layout) -> usize {
    let width = layout.inner(layout.page()).width;
    let lines = model.notices.iter().map(|notice| message(model, notice, width).len());
    furthest(lines, layout.page_rows())
}
