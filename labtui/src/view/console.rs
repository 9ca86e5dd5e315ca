//! A board's console: its screen, and below it one line that always says how to leave.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::bars;
use super::closeup::clock;
use super::layout::{Layout, Shape};
use crate::keys::{Action, Context, Group};
use crate::model::{Console, Link, Mode, Model, PenHolder};
use crate::past::{Past, Place};
use crate::text::clean;

pub(super) fn draw(frame: &mut Frame, model: &Model, console: &Console, layout: &Layout) {
    let cursor = console.screen().draw(layout.console, frame.buffer_mut());
    let is_at_line = console.past.as_ref().is_some_and(|past| past.is_at_line);
    if let Some(at) = cursor.filter(|_| is_at_line) {
        let line = Rect { y: at.y, height: 1, ..layout.console };
        frame.buffer_mut().set_style(line, model.theme.selected);
    }
    if let Some(at) = cursor.filter(|_| console.mode != Mode::Scrollback) {
        frame.set_cursor_position(at);
    }
    let banner = layout.console.rows().next().unwrap_or_default();
    match &console.link {
        Link::Down { why, attempt, next } => {
            bars::banner(frame, model, banner, &bars::outage(model, why, *attempt, *next));
        }
        Link::Refused(why) => {
            let detach = model.typed(Group::Console, Action::Detach);
            bars::banner(frame, model, banner, &format!("{why}. {detach} detaches."));
        }
        Link::Connecting | Link::Up => {}
    }
    if layout.shape != Shape::Line {
        frame.buffer_mut().set_style(layout.status, model.theme.bar);
        let standing = standing(model, console);
        let keys = keys(model, console, usize::from(layout.status.width), standing.width() + 1);
        bars::both_sides(frame, layout.status, standing, keys);
    }
}

/// `rpi4 @48213 · 13:02:11 · boot 12`
fn past_standing(model: &Model, console: &Console, past: &Past) -> Line<'static> {
    let Place { offset, at, about, .. } = &past.place;
    let at = at.map(|at| format!(" · {}", clock(&model.zone, at, model.now)));
    Line::from(vec![
        Span::styled(format!(" {}", console.board), model.theme.strong),
        Span::raw(format!(" @{offset}")),
        Span::styled(at.unwrap_or_default(), model.theme.warning),
        Span::raw(format!(" · {}", clean(about))),
    ])
}

/// `rpi4 · pen: yours`
fn standing(model: &Model, console: &Console) -> Line<'static> {
    if let Some(past) = &console.past {
        return past_standing(model, console, past);
    }
    let pen = match (&console.link, model.pen()) {
        (Link::Up, PenHolder::Us) => "pen: yours".to_owned(),
        (Link::Up, PenHolder::Other(who)) => format!("pen: {who} · read-only"),
        (Link::Up, PenHolder::Nobody) => "read-only".to_owned(),
        (Link::Up, PenHolder::Unknown) => "pen: …".to_owned(),
        _ => "not connected".to_owned(),
    };
    let mut line = Line::from(vec![
        Span::styled(format!(" {}", console.board), model.theme.strong),
        Span::raw(format!(" · {pen}")),
    ]);
    if console.mode == Mode::Scrollback {
        let (below, all) = console.emulator.scrolled();
        line.push_span(Span::styled(format!(" · SCROLLBACK {below} of {all}"), model.theme.strong));
    }
    line
}

/// What keys do. In the past, what one looks at takes its room first, up to half of all.
fn keys(model: &Model, console: &Console, width: usize, taken: usize) -> Line<'static> {
    match console.mode {
        Mode::Live => {
            let [help, detach] =
                [Action::Help, Action::Detach].map(|action| model.typed(Group::Console, action));
            Line::raw(format!("  {help} keys  {detach} detach "))
        }
        Mode::Prefixed => bars::hints(model, Context::Prefixed, width),
        Mode::Scrollback => {
            let room = width - taken.min(width / 2);
            bars::hints(model, Context::Scrollback, room)
        }
    }
}
