//! The lines above and below the panes, and what is said over them.

use std::collections::VecDeque;

use protocol::{Error, Span, Time};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span as Piece};
use ratatui::widgets::{Block, Clear, Paragraph};

use super::layout::{Layout, Shape, columns};
use super::style;
use crate::dialog::Dialog;
use crate::keys::{Context, Group};
use crate::model::{Link, Model};
use crate::notice::Notice;
use crate::text::{clean, fit, wrap};

/// How many notices are on the screen at once.
const TOASTS: usize = 3;

pub(super) fn draw(frame: &mut Frame, model: &Model, layout: &Layout) {
    let live = match model.link {
        Link::Up => Piece::styled("● live ", style::GOOD),
        Link::Connecting => Piece::styled("◐ connecting ", style::WARNING),
        Link::Down { .. } | Link::Refused(_) => Piece::styled("○ not live ", style::WARNING),
    };
    if !layout.header.is_empty() {
        both_sides(frame, layout.header, header(model), Line::from(live));
    }
    if let Link::Down { why, attempt, next } = &model.link {
        banner(frame, layout.banner, &outage(model, why, *attempt, *next));
    }
    if !layout.status.is_empty() {
        let busy = busy(model);
        let room = usize::from(layout.status.width).saturating_sub(busy.width());
        both_sides(frame, layout.status, busy, hints(model.context(), room));
    }
}

/// `labd · unix:/run/labd/labd.sock · ada (user) · 12 free, 25 held`
fn header(model: &Model) -> Line<'static> {
    let mut pieces = vec![format!(" {}", clean(&model.lab))];
    pieces.extend(model.me.as_ref().map(|me| format!("{} ({})", me.name, me.role)));
    if model.table.known {
        let held = model.table.all().filter(|board| board.hold.is_some()).count();
        let free = model.table.all().count() - held;
        pieces.push(format!("{free} free, {held} held"));
        let mine = model.table.all().filter(|board| model.is_mine(board)).count();
        pieces.extend((mine > 0).then(|| format!("{mine} yours")));
    }
    Line::from(pieces.join(" · "))
}

/// Why something is not live, and when it is tried again.
pub(super) fn outage(model: &Model, why: &Error, attempt: u32, next: Time) -> String {
    let next = match next.since(model.now) {
        Span(ms) if ms < 1_000 => "now".to_owned(),
        span => format!("in {span}"),
    };
    // Where the lab is, the header says.
    let why = match why {
        Error::Unreachable { why, .. } => why.clone(),
        why => why.to_string(),
    };
    format!(" Not live: {why}. Attempt {attempt} failed, next {next}.")
}

pub(super) fn banner(frame: &mut Frame, area: Rect, text: &str) {
    frame.render_widget(Clear, area);
    let text = clean(text).into_owned();
    frame.render_widget(Line::styled(fit(&text, area.width.into()), style::BANNER), area);
    frame.buffer_mut().set_style(area, style::BANNER);
}

/// Calls that are under way.
fn busy(model: &Model) -> Line<'static> {
    let deeds = model.calls.iter().filter(|call| call.is_a_deed());
    let text = deeds.map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if text.is_empty() {
        Line::default()
    } else {
        Line::styled(format!(" {text} …"), style::WARNING)
    }
}

/// What keys do here, in a word each: as many as there is room for, the last ones first.
pub(super) fn hints(context: Context, room: usize) -> Line<'static> {
    let mut hints = VecDeque::new();
    let mut used = 0;
    for binding in context.bindings().collect::<Vec<_>>().into_iter().rev() {
        let (Some(hint), Some(key)) = (binding.hint, binding.keys.first()) else { continue };
        // In the table `q` quits; in what lies over it, it goes back.
        let back = binding.group == Group::Viewing && context != Context::Table;
        let hint = if back && hint == "quit" { "back" } else { hint };
        let key = Piece::styled(format!(" {key}"), style::KEY);
        let hint = Piece::raw(format!(" {hint} "));
        used += key.width() + hint.width();
        if used > room {
            break;
        }
        hints.push_front(hint);
        hints.push_front(key);
    }
    Line::from_iter(hints)
}

/// One text at each end of a line. Where both do not fit, the left one gives way.
pub(super) fn both_sides(frame: &mut Frame, area: Rect, left: Line, right: Line) {
    let width = u16::try_from(right.width()).unwrap_or(u16::MAX).min(area.width);
    let (start, end) = columns(area, area.width - width);
    let (start, _) = columns(start, start.width.saturating_sub(1));
    frame.render_widget(left, start);
    frame.render_widget(right, end);
}

/// The newest notices, in boxes over the lower right corner; on small screens, over the status.
pub(super) fn toasts(frame: &mut Frame, model: &Model, layout: &Layout) {
    let mut floor = layout.status.y;
    for notice in model.fresh().take(TOASTS) {
        if layout.shape == Shape::List {
            return toast_line(frame, layout.status, notice);
        }
        let width = layout.status.width.min(56);
        let lines = wrap(&notice.text, usize::from(width.saturating_sub(4)));
        let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(2);
        let Some(y) = floor.checked_sub(height).filter(|y| *y > 0) else { return };
        let area = Rect { x: layout.status.width - width, y, width, height };
        frame.render_widget(Clear, area);
        let block = Block::bordered().border_style(style::tone(notice.tone));
        let lines = lines.into_iter().map(|line| Line::raw(format!(" {line}")));
        frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()).block(block), area);
        floor = y;
    }
}

fn toast_line(frame: &mut Frame, area: Rect, notice: &Notice) {
    frame.render_widget(Clear, area);
    let text = fit(&notice.text, area.width.into());
    frame.render_widget(Line::styled(text, style::tone(notice.tone)), area);
}

/// All there is to say in one line, where there is room for no more. A question goes first, so that
/// nobody answers one they have not seen.
pub(super) fn one_line(model: &Model) -> String {
    let text = match (&model.dialog, model.fresh().next(), &model.console) {
        (Some(Dialog::Choice(choice)), ..) => {
            let answer = choice.answers.get(choice.marked).map_or("", |(answer, _)| answer);
            format!("{answer}? {}", choice.title)
        }
        (Some(Dialog::Question(question)), ..) => format!("{}> {}", question.text, question.title),
        (None, Some(notice), _) => notice.text.clone(),
        (None, None, Some(console)) => format!("{}: too small", console.board),
        (None, None, None) => match model.table.selected() {
            Some(board) => format!("{} {}", board.name, board.state),
            None => "no board".to_owned(),
        },
    };
    clean(&text).into_owned()
}
