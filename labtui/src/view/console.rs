//! A board's console: its screen, and below it one line that always says how to leave.

use ratatui::Frame;
use ratatui::text::{Line, Span};

use super::layout::{Layout, Shape};
use super::{bars, style};
use crate::keys::Context;
use crate::model::{Console, Link, Mode, Model, PenHolder};

pub(super) fn draw(frame: &mut Frame, model: &Model, console: &Console, layout: &Layout) {
    let cursor = console.emulator.draw(layout.console, frame.buffer_mut());
    if let Some(at) = cursor.filter(|_| console.mode != Mode::Scrollback) {
        frame.set_cursor_position(at);
    }
    let banner = layout.console.rows().next().unwrap_or_default();
    match &console.link {
        Link::Down { why, attempt, next } => {
            bars::banner(frame, banner, &bars::outage(model, why, *attempt, *next));
        }
        Link::Refused(why) => {
            bars::banner(frame, banner, &format!("{why}. ^T q detaches."));
        }
        Link::Connecting | Link::Up => {}
    }
    if layout.shape != Shape::Line {
        frame.buffer_mut().set_style(layout.status, style::BAR);
        bars::both_sides(frame, layout.status, standing(model, console), keys(console, layout));
    }
}

/// `rpi4 · pen: yours`
fn standing(model: &Model, console: &Console) -> Line<'static> {
    let pen = match (&console.link, model.pen()) {
        (Link::Up, PenHolder::Us) => "pen: yours".to_owned(),
        (Link::Up, PenHolder::Other(who)) => format!("pen: {who} · read-only"),
        (Link::Up, PenHolder::Nobody) => "read-only".to_owned(),
        (Link::Up, PenHolder::Unknown) => "pen: …".to_owned(),
        _ => "not connected".to_owned(),
    };
    let mut line = Line::from(vec![
        Span::styled(format!(" {}", console.board), style::STRONG),
        Span::raw(format!(" · {pen}")),
    ]);
    if console.mode == Mode::Scrollback {
        let (below, all) = console.emulator.scrolled();
        line.push_span(Span::styled(format!(" · SCROLLBACK {below} of {all}"), style::STRONG));
    }
    line
}

fn keys(console: &Console, layout: &Layout) -> Line<'static> {
    let room = usize::from(layout.status.width);
    match console.mode {
        Mode::Live => Line::raw("  ^T ? keys  ^T q detach "),
        Mode::Prefixed => bars::hints(Context::Prefixed, room),
        Mode::Scrollback => bars::hints(Context::Scrollback, room),
    }
}
