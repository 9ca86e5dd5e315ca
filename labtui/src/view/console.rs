//! A board's console: its screen, and below it one line that always says how to leave.

use std::collections::BTreeSet;

use protocol::user::UserName;
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

/// How many of those who are at a console are named.
const NAMED: usize = 3;

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
    if let Some(line) = asking(model, console).filter(|_| console.link == Link::Up) {
        return line;
    }
    let pen = match (&console.link, model.pen()) {
        (Link::Up, PenHolder::Us) => "pen: yours".to_owned(),
        (Link::Up, PenHolder::Paired(who)) => format!("pen: {who} · you type as well"),
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
    } else if console.link == Link::Up {
        line.push_span(Span::raw(others(model, console)));
    }
    line
}

/// ` rpi4 · bob asks for the pen: ^T g gives, ^T k keeps`, if somebody does.
fn asking(model: &Model, console: &Console) -> Option<Line<'static>> {
    let who = &model.asking()?.who;
    let [grant, keep] =
        [Action::GrantPen, Action::KeepPen].map(|action| model.typed(Group::Console, action));
    let text = format!(" · {who} asks for the pen: {grant} gives, {keep} keeps");
    Some(Line::from(vec![
        Span::styled(format!(" {}", console.board), model.theme.strong),
        Span::styled(text, model.theme.warning),
    ]))
}

/// ` · with bob, carol, and 2 more · ada sends u-boot.bin`: who else is here, and what goes on.
fn others(model: &Model, console: &Console) -> String {
    let viewers = model.viewers().unwrap_or_default().iter();
    let me = model.me.as_ref().map(|me| &me.name);
    let others: BTreeSet<&UserName> =
        viewers.map(|viewer| &viewer.who).filter(|who| Some(*who) != me).collect();
    let names: Vec<&str> = others.iter().take(NAMED).map(|who| who.as_str()).collect();
    let mut text =
        if names.is_empty() { String::new() } else { format!(" · with {}", names.join(", ")) };
    if others.len() > NAMED {
        text.push_str(&format!(", and {} more", others.len() - NAMED));
    }
    if let Some(doing) = console.desk.as_ref().and_then(|desk| desk.doing.as_ref()) {
        text.push_str(&format!(" · {}", clean(doing)));
    }
    text
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
