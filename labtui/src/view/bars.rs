//! The lines above and below the panes, and what is said over them.

use std::collections::VecDeque;

use protocol::power::PowerAsk;
use protocol::{Error, Span, Time};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span as Piece};
use ratatui::widgets::{Block, Clear, Paragraph};

use super::grid;
use super::layout::{Layout, Shape, columns};
use crate::dialog::Dialog;
use crate::keys::{Action, Context, Group};
use crate::model::{Link, Model, Typing};
use crate::notice::Notice;
use crate::palette::{self, OFFERED, Palette};
use crate::text::{clean, fit, wrap};

/// How many notices are on the screen at once.
const TOASTS: usize = 3;

pub(super) fn draw(frame: &mut Frame, model: &Model, layout: &Layout) {
    if !layout.header.is_empty() {
        let header = header(model);
        let room = usize::from(layout.header.width).saturating_sub(header.width() + 1);
        both_sides(frame, layout.header, header, link(model, room));
    }
    if let Link::Down { why, attempt, next } = &model.link {
        let age = model.now.since(model.seen).0 / 1_000;
        let old = match model.table.known {
            true => format!(" What is shown is {} old.", Span::seconds(age)),
            false => String::new(),
        };
        let text = outage(model, why, *attempt, *next) + &old;
        banner(frame, model, layout.banner, &text);
    }
    if !layout.status.is_empty() {
        let standing = standing(model);
        let room = usize::from(layout.status.width).saturating_sub(standing.width() + 1);
        both_sides(frame, layout.status, standing, hints(model, model.context(), room));
    }
}

/// `● live 3 ms`, where there is room for how long an answer takes.
fn link(model: &Model, room: usize) -> Line<'static> {
    let (text, look) = match model.link {
        Link::Up => ("● live ", model.theme.good),
        Link::Connecting => ("◐ connecting ", model.theme.warning),
        Link::Down { .. } | Link::Refused(_) => ("○ not live ", model.theme.warning),
    };
    let mut line = Line::styled(text, look);
    let took =
        model.round_trip.filter(|_| model.link == Link::Up).map(|it| format!("{} ms ", it.0));
    if let Some(took) = took.filter(|took| line.width() + took.len() <= room) {
        line.push_span(Piece::styled(took, look));
    }
    if let Some(skew) = model.skew {
        let text = format!("its clock is {} ahead  ", Span::seconds(skew.0 / 1_000));
        line.spans.insert(0, Piece::styled(text, model.theme.warning));
    }
    line
}

/// `labd · unix:/run/labd/labd.sock · ada (user) · 12 free, 25 held`
fn header(model: &Model) -> Line<'static> {
    let mut pieces = vec![format!(" {}", clean(&model.lab))];
    pieces.extend(model.me.as_ref().map(|me| format!("{} ({})", me.name, me.role)));
    pieces.extend(model.settings.read_only.then(|| "read-only".to_owned()));
    if model.table.known {
        let held = model.table.all().filter(|board| board.hold.is_some()).count();
        let free = model.table.all().count() - held;
        pieces.push(format!("{free} free, {held} held"));
        let mine = model.table.all().filter(|board| model.is_mine(board)).count();
        pieces.extend((mine > 0).then(|| format!("{mine} yours")));
    }
    Line::from(pieces.join(" · "))
}

/// What is in force: the filter and what is wrong with it, marks, what can be switched back, and
/// calls that are under way.
fn standing(model: &Model) -> Line<'static> {
    let (filter, marked) = (model.table.filter(), model.table.marked().len());
    let mut line = Line::default();
    let mut say = |text: String, look| line.push_span(Piece::styled(format!(" {text}"), look));
    if let Some(grid) = &model.grid {
        grid::standing(model, grid).into_iter().for_each(|(text, look)| say(text, look));
    } else if !filter.text().is_empty() {
        say(format!("/{}", clean(filter.text())), model.theme.strong);
    }
    if let Some(fault) = filter.fault() {
        say(format!("! {}", clean(fault)), model.theme.bad);
    }
    if marked > 0 {
        say(format!("{marked} marked"), model.theme.strong);
    }
    if let Some(undo) = model.undoable() {
        let key = model.typed(Group::Boards, Action::Undo);
        let back = if undo.ask == PowerAsk::On { "on" } else { "off" };
        say(format!("{key} switches {} {back} again", undo.board), model.theme.warning);
    }
    let deeds = model.calls.iter().filter(|call| call.is_a_deed());
    match deeds.clone().count() {
        0 => {}
        1..4 => {
            let text = deeds.map(ToString::to_string).collect::<Vec<_>>().join(", ");
            say(format!("{text} …"), model.theme.warning);
        }
        count => say(format!("{count} calls are under way …"), model.theme.warning),
    }
    line
}

/// Why something is not live, and when it is tried again.
pub(super) fn outage(model: &Model, why: &Error, attempt: u32, next: Time) -> String {
    let next = match next.since(model.now) {
        _ if !model.settings.motion => "soon".to_owned(),
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

pub(super) fn banner(frame: &mut Frame, model: &Model, area: Rect, text: &str) {
    frame.render_widget(Clear, area);
    let (text, look) = (clean(text).into_owned(), model.theme.banner);
    frame.render_widget(Line::styled(fit(&text, area.width.into()), look), area);
    frame.buffer_mut().set_style(area, look);
}

/// What keys do here, in a word each: as many as there is room for, the last ones first.
pub(super) fn hints(model: &Model, context: Context, room: usize) -> Line<'static> {
    let mut hints = VecDeque::new();
    let mut used = 0;
    let bindings: Vec<_> = model.settings.keys.bindings(context).collect();
    for binding in bindings.into_iter().rev() {
        let (Some(hint), Some(key)) = (binding.hint, binding.keys.first()) else { continue };
        // In the table `q` quits; in what lies over it, it goes back.
        let back = binding.group == Group::Views && context != Context::Table;
        let hint = if back && hint == "quit" { "back" } else { hint };
        let key = Piece::styled(format!(" {key}"), model.theme.key);
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

/// What is being typed in the status line, the cursor behind it, and over it what it can become.
pub(super) fn typed(frame: &mut Frame, model: &Model, layout: &Layout) {
    let quest = model.console.as_ref().map(|console| &console.quest);
    let text = match &model.typing {
        None => return,
        Some(Typing::Command(palette)) => {
            offers(frame, model, palette, layout.status);
            format!(":{}", clean(&palette.text))
        }
        Some(Typing::Filter) => format!("/{}", clean(model.table.filter().text())),
        Some(Typing::Search) => format!("/{}", clean(&model.search)),
        Some(Typing::Past) => format!("/{}", clean(quest.map_or("", |quest| &quest.text))),
    };
    let fault = match &model.typing {
        Some(Typing::Filter) => model.table.filter().fault(),
        Some(Typing::Past) => quest.and_then(|quest| quest.fault.as_deref()),
        _ => None,
    };
    let width = usize::from(layout.status.width);
    let mut line = Line::styled(format!(" {text}"), model.theme.strong);
    let end = line.width().min(width.saturating_sub(1));
    line.extend(fault.map(|why| Piece::styled(format!(" ! {}", clean(why)), model.theme.bad)));
    let room = width.saturating_sub(line.width() + 1);
    frame.render_widget(Clear, layout.status);
    frame.buffer_mut().set_style(layout.status, model.theme.text);
    both_sides(frame, layout.status, line, hints(model, model.context(), room));
    let x = layout.status.x + u16::try_from(end).unwrap_or(0);
    frame.set_cursor_position(Position { x, y: layout.status.y });
}

/// The ways to complete a command, in a box above it.
fn offers(frame: &mut Frame, model: &Model, palette: &Palette, status: Rect) {
    let all = palette::offers(model, palette.by_hand());
    let chosen = palette.offered.as_ref().map(|(_, place)| *place);
    let first = chosen.unwrap_or(0).saturating_sub(OFFERED - 1);
    let shown: Vec<&String> = all.iter().skip(first).take(OFFERED).collect();
    let widest = shown.iter().map(|offer| offer.chars().count()).max().unwrap_or(0);
    let (width, height) = (widest + 4, shown.len() + 2);
    let [width, height] = [width, height].map(|it| u16::try_from(it).unwrap_or(u16::MAX));
    if shown.is_empty() || height > status.y || width > status.width {
        return;
    }
    let area = Rect { x: status.x, y: status.y - height, width, height };
    let line = |(place, offer): (usize, &&String)| {
        let look =
            if chosen == Some(first + place) { model.theme.selected } else { model.theme.text };
        Line::styled(format!(" {} ", clean(offer)), look)
    };
    let lines: Vec<Line> = shown.iter().enumerate().map(line).collect();
    let more = all.len().saturating_sub(first + shown.len());
    let title = if more > 0 { format!(" {more} more ") } else { String::new() };
    let block = Block::bordered().border_style(model.theme.focus).title_bottom(title);
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(block).style(model.theme.text), area);
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
            return toast_line(frame, model, layout.status, notice);
        }
        let width = layout.status.width.min(56);
        let lines = wrap(&notice.text, usize::from(width.saturating_sub(4)));
        let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(2);
        let Some(y) = floor.checked_sub(height).filter(|y| *y > 0) else { return };
        let area = Rect { x: layout.status.width - width, y, width, height };
        frame.render_widget(Clear, area);
        let block = Block::bordered().border_style(model.theme.tone(notice.tone));
        let lines = lines.into_iter().map(|line| Line::raw(format!(" {line}")));
        let text = Paragraph::new(lines.collect::<Vec<_>>()).style(model.theme.text);
        frame.render_widget(text.block(block), area);
        floor = y;
    }
}

fn toast_line(frame: &mut Frame, model: &Model, area: Rect, notice: &Notice) {
    frame.render_widget(Clear, area);
    let text = fit(&notice.text, area.width.into());
    frame.render_widget(Line::styled(text, model.theme.tone(notice.tone)), area);
}

/// All there is to say in one line, where there is room for no more. A question goes first, so that
/// nobody answers one they have not seen.
pub(super) fn one_line(model: &Model) -> String {
    if let Some(Typing::Command(palette)) = &model.typing {
        return format!(":{}", clean(&palette.text));
    }
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
