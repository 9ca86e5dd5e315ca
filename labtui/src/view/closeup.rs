//! A board looked at closely: what is known of it, and what happened to it.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use protocol::Time;
use protocol::board::{Board, BoardDetail};
use protocol::console::ConsoleDetail;
use protocol::hold::Hold;
use protocol::journal::Entry;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::layout::Layout;
use super::{numbered, pane};
use crate::dialog::left;
use crate::model::{Closeup, Focus, Link, Model};
use crate::text::{clean, wrap};

/// How many cells the names of facts take.
const NAMES: usize = 9;

pub(super) fn draw(frame: &mut Frame, model: &Model, layout: &Layout) {
    if !layout.facts.is_empty() {
        draw_facts(frame, model, layout);
    }
    if !layout.timeline.is_empty() {
        draw_timeline(frame, model, layout);
    }
}

fn draw_facts(frame: &mut Frame, model: &Model, layout: &Layout) {
    let Some(board) = model.table.selected() else { return };
    let title = numbered(model, Focus::Facts, board.name.as_str());
    let inner = pane(frame, model, layout, layout.facts, title, Some(Focus::Facts));
    let top = model.closeup.as_ref().map_or(0, |closeup| closeup.top);
    let lines = facts(model, inner.width);
    let top = top.min(lines.len().saturating_sub(usize::from(inner.height)));
    for (row, line) in inner.rows().zip(lines.into_iter().skip(top)) {
        frame.render_widget(line, row);
    }
}

fn draw_timeline(frame: &mut Frame, model: &Model, layout: &Layout) {
    let Some(closeup) = &model.closeup else { return };
    let title = timeline_title(model, closeup);
    let inner = pane(frame, model, layout, layout.timeline, title, Some(Focus::Timeline));
    let entries = closeup.entries.iter().rev().skip(closeup.back);
    newest_last(frame, inner, entries.map(|entry| sentence(model, entry, inner.width)));
}

/// Draws as many texts as fit, given newest first, so that the newest is seen whole and the oldest
/// is on top.
pub(super) fn newest_last(
    frame: &mut Frame,
    area: Rect,
    texts: impl Iterator<Item = Vec<Line<'static>>>,
) {
    let newest_first = texts.flat_map(|lines| lines.into_iter().rev());
    let mut lines: Vec<Line> = newest_first.take(usize::from(area.height)).collect();
    lines.reverse();
    for (row, line) in area.rows().zip(lines) {
        frame.render_widget(line, row);
    }
}

/// How many entries up from the newest the oldest one is on top.
pub(super) fn furthest_back(model: &Model, width: u16, height: usize) -> usize {
    let Some(closeup) = &model.closeup else { return 0 };
    let lines = closeup.entries.iter().map(|entry| sentence(model, entry, width).len());
    furthest(lines, height)
}

/// How many texts, of which these are the lines, oldest first, lie below a pane that begins with the
/// oldest.
pub(super) fn furthest(lines: impl ExactSizeIterator<Item = usize>, height: usize) -> usize {
    let mut count = lines.len();
    let mut room = height;
    for lines in lines {
        if lines > room {
            break;
        }
        room -= lines;
        count -= 1;
    }
    count
}

fn timeline_title(model: &Model, closeup: &Closeup) -> Line<'static> {
    let mut title = numbered(model, Focus::Timeline, "Timeline");
    if closeup.back > 0 {
        title.push_span(Span::raw(format!("↓ {} newer ", closeup.back)));
    }
    match &closeup.link {
        Link::Down { .. } => title.push_span(Span::styled("not live ", model.theme.warning)),
        Link::Refused(why) => title.push_span(Span::styled(format!("{why} "), model.theme.bad)),
        Link::Connecting | Link::Up => {}
    }
    title
}

/// An instant as the reader's clock has it; with its day, if that is not today.
pub(super) fn clock(zone: &TimeZone, at: Time, now: Time) -> String {
    let local = |time: Time| {
        let ms = i64::try_from(time.0).ok()?;
        Some(Timestamp::from_millisecond(ms).ok()?.to_zoned(zone.clone()))
    };
    match (local(at), local(now)) {
        (Some(at), Some(now)) if at.date() == now.date() => at.strftime("%H:%M:%S").to_string(),
        (Some(at), _) => at.strftime("%m-%d %H:%M").to_string(),
        (None, _) => "?".to_owned(),
    }
}

/// `14:02:11 ada: reserved it for bisecting until 16:02:11`, in as many lines as it takes.
fn sentence(model: &Model, entry: &Entry, width: u16) -> Vec<Line<'static>> {
    let at = clock(&model.zone, entry.at, model.now);
    let event = entry.event.to_string();
    let mut text = match &entry.who {
        Some(who) => format!("{who}: {}", clean(&event)),
        None => clean(&event).into_owned(),
    };
    if let Some(until) = entry.event.until() {
        text.push_str(&format!(", until {}", clock(&model.zone, until, model.now)));
    }
    named_lines(&at, model.theme.quiet, &text, at.len() + 1, width)
}

/// A name, and beside it a text in as many lines as it takes.
pub(super) fn named_lines(
    name: &str,
    look: Style,
    text: &str,
    names: usize,
    width: u16,
) -> Vec<Line<'static>> {
    let room = usize::from(width).saturating_sub(names).max(1);
    let lines = wrap(text, room).into_iter().enumerate();
    let line = |(number, line): (usize, String)| {
        let name = if number == 0 { name } else { "" };
        let name = Span::styled(format!("{name:names$}"), look);
        Line::from(vec![name, Span::raw(line)])
    };
    lines.map(line).collect()
}

/// Everything that is known of the selected board.
pub(super) fn facts(model: &Model, width: u16) -> Vec<Line<'static>> {
    let Some(board) = model.table.selected() else { return Vec::new() };
    let closeup = model.closeup.as_ref().filter(|closeup| closeup.board == board.name);
    let detail = closeup.and_then(|closeup| closeup.detail.as_ref());
    let mut facts = row_facts(model, board);
    if let Some(detail) = detail {
        facts.extend(detail_facts(model, detail));
    }
    let plain = |(name, text): (String, String)| {
        let look = if name == "fault" { model.theme.bad } else { model.theme.quiet };
        named_lines(&clean(&name), look, &clean(&text), NAMES.max(name.len() + 1), width)
    };
    facts.into_iter().flat_map(plain).collect()
}

type Fact = (String, String);

fn fact(name: &str, text: impl Into<String>) -> Fact {
    (name.to_owned(), text.into())
}

fn row_facts(model: &Model, board: &Board) -> Vec<Fact> {
    let mut facts = vec![fact("class", &board.class)];
    if !board.tags.is_empty() {
        facts.push(fact("tags", board.tags.join(", ")));
    }
    facts.push(fact("state", hold_fact(model, board)));
    facts.extend(board.fault.as_ref().map(|fault| fact("fault", fault)));
    facts
}

fn hold_fact(model: &Model, board: &Board) -> String {
    let Some(Hold { number, who, since, until, note, .. }) = &board.hold else {
        return board.state.to_string();
    };
    let who = if model.is_mine(board) { "you" } else { who.as_str() };
    let (since, until) = (clock(&model.zone, *since, model.now), left(*until, model.now));
    let what = note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
    format!("{} by {who} since {since}, {until} more (hold {number}){what}", board.state)
}

fn detail_facts(model: &Model, detail: &BoardDetail) -> Vec<Fact> {
    let mut facts = Vec::new();
    facts.extend(detail.description.as_ref().map(|text| fact("about", text)));
    facts.push(fact("power", power_fact(model, detail)));
    let fault = detail.outlet.as_ref().and_then(|outlet| outlet.fault.as_ref());
    facts.extend(fault.map(|fault| ("fault".to_owned(), fault.clone())));
    facts.extend(detail.line.iter().flat_map(|line| console_facts(model, line)));
    for place in &detail.queue {
        let since = clock(&model.zone, place.since, model.now);
        let text = format!("{}. {} since {since}, for {}", place.position, place.who, place.want);
        facts.push(fact("queue", text));
    }
    let (usual, longest) = (detail.default_span, detail.longest_span);
    facts.push(fact("holds", format!("{usual} unless asked for more, {longest} at most")));
    facts.extend(detail.macs.iter().map(|mac| fact("mac", mac)));
    let value = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    facts.extend(detail.attributes.iter().map(|(name, it)| fact(name, value(it))));
    facts
}

fn power_fact(model: &Model, detail: &BoardDetail) -> String {
    let Some(outlet) = &detail.outlet else { return "it has no outlet".to_owned() };
    let seen = outlet.seen.map(|at| format!(", seen {}", clock(&model.zone, at, model.now)));
    let doing = outlet.doing.map(|ask| format!(", being asked for {ask}"));
    let (seen, doing) = (seen.unwrap_or_default(), doing.unwrap_or_default());
    format!("{} ({}){seen}{doing}", outlet.state, outlet.outlet)
}

fn console_facts(model: &Model, line: &ConsoleDetail) -> Vec<Fact> {
    let mut facts = vec![fact("console", format!("{} ({})", line.state, line.device))];
    facts.extend(line.fault.as_ref().map(|fault| fact("fault", fault)));
    facts.push(fact("history", format!("bytes {} to {}", line.start, line.end)));
    for viewer in &line.viewers {
        let what = if viewer.pen { "types" } else { "looks" };
        let since = clock(&model.zone, viewer.since, model.now);
        facts.push(fact("viewer", format!("{} {what}, since {since}", viewer.who)));
    }
    facts
}
