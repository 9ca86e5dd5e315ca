//! A board's console: its screen, and below it one line that always says how to leave.

use ratatui::Frame;
use ratatui::text::{Line, Span};

use super::bars;
use super::layout::{Layout, Shape};
use crate::keys::{Action, Context, Group};
use crate::model::{Console, Link, Mode, Model, PenHolder};

pub(super) fn draw(frame: &mut Frame, model: &Model, console: &Console, layout: &Layout) {
    let cursor = console.emulator.draw(layout.console, frame.buffer_mut());
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
        bars::both_sides(
            frame,
            layout.status,
            standing(model, console),
            keys(model, console, layout),
        );
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
        Span::styled(format!(" {}", console.board), model.theme.strong),
        Span::raw(format!(" · {pen}")),
    ]);
    if console.mode == Mode::Scrollback {
        let (below, all) = console.emulator.scrolled();
        line.push_span(Span::styled(format!(" · SCROLLBACK {below} of {all}"), model.theme.strong));
    }
    line
}

fn keys(model: &Model, console: &Console, layout: &Layout) -> Line<'static> {
    let room = usize::from(layout.status.width);
    match console.mode {
        Mode::Live => {
            let [help, detach] =
                [Action::Help, Action::Detach].map(|action| model.typed(Group::Console, action));
            Line::raw(format!("  {help} keys  {detach} detach "))
        }
        Mode::Prefixed => bars::hints(model, Context::Prefixed, room),
        Mode::Scrollback => bars::hints(model, Context::Scrollback, room),
    }
}
