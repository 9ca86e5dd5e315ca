//! Pages over everything else: the keys, what was said, and how boards fared.

use ratatui::Frame;
use ratatui::text::{Line, Span};
use ratatui::widgets::Clear;

use super::calendar;
use super::closeup::{clock, furthest, named_lines, newest_last};
use super::layout::Layout;
use super::{lists, office, pane};
use crate::batch::{Batch, Row};
use crate::keys::{Context, Group};
use crate::model::{Model, Page};
use crate::notice::Notice;
use crate::palette::COMMANDS;
use crate::text::{clean, fit};

/// How many cells keys take in help.
const KEYS: usize = 24;

pub(super) fn draw(frame: &mut Frame, model: &Model, page: Page, layout: &Layout) {
    frame.render_widget(Clear, layout.page());
    frame.buffer_mut().set_style(layout.page(), model.theme.text);
    match page {
        Page::Help(top) => draw_help(frame, model, top, layout),
        Page::Messages(back) => draw_messages(frame, model, back, layout),
        Page::Users(top) => office::users(frame, model, top, layout),
        Page::Tokens(top) => office::tokens(frame, model, top, layout),
        Page::Audit(back) => office::audit(frame, model, back, layout),
        Page::Calendar => calendar::draw(frame, model, layout),
        Page::Report(top) => draw_report(frame, model, top, layout),
        Page::Hits(marked) => lists::draw_hits(frame, model, marked, layout),
        Page::Boots(marked) => lists::draw_boots(frame, model, marked, layout),
    }
}

fn draw_help(frame: &mut Frame, model: &Model, top: usize, layout: &Layout) {
    let lines = help(model, layout.inner(layout.page()).width);
    let below = lines.len().saturating_sub(top + layout.page_rows());
    let more = if below > 0 { format!("· {below} more ↓ ") } else { String::new() };
    let with = if model.search.is_empty() {
        String::new()
    } else {
        format!("· with '{}' ", model.search)
    };
    let title = Line::styled(format!(" Keys {with}{more}"), model.theme.strong);
    let inner = pane(frame, model, layout, layout.page(), title, None);
    for (row, line) in inner.rows().zip(lines.into_iter().skip(top)) {
        frame.render_widget(line, row);
    }
}

/// What somebody reads help about: what lies below it.
fn below(model: &Model) -> Context {
    match (&model.console, &model.grid) {
        (Some(_), _) => Context::Prefixed,
        (None, Some(_)) => Context::Grid,
        (None, None) => Context::Table,
    }
}

/// Every binding there is, and every command; what works where help was asked for comes first.
pub(super) fn help(model: &Model, width: u16) -> Vec<Line<'static>> {
    let here = below(model).groups();
    let (first, rest): (Vec<Group>, Vec<Group>) =
        Group::ALL.iter().partition(|group| here.contains(group));
    let mut lines = Vec::new();
    for group in first.into_iter().chain(rest) {
        let bindings = model.settings.keys.group(group);
        let texts = bindings.map(|it| (model.settings.keys.label(it), it.help));
        section(model, group.title(), texts, width, &mut lines);
    }
    let commands = COMMANDS.iter().map(|command| {
        let about = command.about.iter().map(|word| format!(" {}", word.title()));
        (format!(":{}{}", command.name, about.collect::<String>()), command.help)
    });
    section(model, "Commands; the name of every action is one, too", commands, width, &mut lines);
    if lines.is_empty() {
        lines.push(Line::raw(format!("No key has '{}' in it.", model.search)));
    }
    lines
}

/// A heading and what belongs to it, if anything has what is looked for.
fn section(
    model: &Model,
    title: &'static str,
    texts: impl Iterator<Item = (String, &'static str)>,
    width: u16,
    lines: &mut Vec<Line<'static>>,
) {
    let sought = model.search.to_lowercase();
    let found = |(keys, help): &(String, &str)| {
        keys.to_lowercase().contains(&sought) || help.to_lowercase().contains(&sought)
    };
    let texts: Vec<(String, &str)> = texts.filter(found).collect();
    if texts.is_empty() {
        return;
    }
    lines.push(Line::styled(title, model.theme.strong));
    for (keys, help) in texts {
        lines.extend(named_lines(&format!("  {keys}"), model.theme.key, help, KEYS, width));
    }
    lines.push(Line::default());
}

fn draw_messages(frame: &mut Frame, model: &Model, back: usize, layout: &Layout) {
    let count = model.notices.len();
    let title = Line::styled(format!(" Messages {count} "), model.theme.strong);
    let inner = pane(frame, model, layout, layout.page(), title, None);
    if count == 0 {
        return frame.render_widget(Line::raw("Nothing was said yet."), inner);
    }
    let notices = model.notices.iter().rev().skip(back);
    newest_last(frame, inner, notices.map(|notice| message(model, notice, inner.width)));
}

fn message(model: &Model, notice: &Notice, width: u16) -> Vec<Line<'static>> {
    let at = clock(&model.zone, notice.at, model.now);
    named_lines(&at, model.theme.tone(notice.tone), &notice.text, at.len() + 1, width)
}

/// How many messages up from the newest the oldest one is on top.
pub(super) fn furthest_back(model: &Model, layout: &Layout) -> usize {
    let width = layout.inner(layout.page()).width;
    let lines = model.notices.iter().map(|notice| message(model, notice, width).len());
    furthest(lines, layout.page_rows())
}

fn draw_report(frame: &mut Frame, model: &Model, top: usize, layout: &Layout) {
    let Some(batch) = &model.batch else { return };
    let inner = pane(frame, model, layout, layout.page(), report_title(model, batch), None);
    for (row, one) in inner.rows().zip(batch.rows.iter().skip(top)) {
        frame.render_widget(fared(model, one, usize::from(inner.width)), row);
    }
}

fn report_title(model: &Model, batch: &Batch) -> Line<'static> {
    let (done, failed, waiting) = batch.count();
    let count = batch.rows.len();
    let text = format!(" {} {count}: {done} done, {failed} failed, {waiting} to go ", batch.title);
    Line::styled(text, model.theme.strong)
}

fn fared(model: &Model, row: &Row, width: usize) -> Line<'static> {
    let (sign, text, look) = match &row.fate {
        None => ("…", "asked", model.theme.quiet),
        Some(Ok(text)) => ("✓", text.as_str(), model.theme.good),
        Some(Err(text)) => ("✗", text.as_str(), model.theme.bad),
    };
    let name = row.board.to_string();
    let room = width.saturating_sub(20);
    Line::from(vec![
        Span::styled(format!("{sign} "), look),
        Span::styled(format!("{name:<17} "), model.theme.strong),
        Span::raw(fit(&clean(text), room).into_owned()),
    ])
}
