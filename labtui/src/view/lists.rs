//! A board's boots, and what a search of all consoles has found: a row for each, of which one is marked.

use protocol::boot::{Boot, Outcome, Seconds};
use protocol::search::Hit;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::closeup::clock;
use super::layout::Layout;
use super::pane;
use crate::call::Call;
use crate::model::Model;
use crate::past::{self, BootList};
use crate::text::clean;

pub(super) fn draw_hits(frame: &mut Frame, model: &Model, marked: usize, layout: &Layout) {
    let Some(hits) = &model.hits else { return };
    let title = match &hits.found {
        Some(found) => format!(" {} lines with '{}' ", found.len(), hits.text),
        None => format!(" Lines with '{}' ", hits.text),
    };
    let inner = pane(frame, model, layout, layout.page(), titled(model, &title), None);
    match &hits.found {
        None => waits(frame, model, inner, &Call::Find(hits.asked.clone())),
        Some(found) if found.is_empty() => {
            let text = "No console that you may see has printed it, as far as it is kept.";
            frame.render_widget(Line::raw(text), inner);
        }
        Some(found) => rows(frame, model, inner, marked, found, |hit| hit_row(model, hit)),
    }
}

pub(super) fn draw_boots(frame: &mut Frame, model: &Model, marked: usize, layout: &Layout) {
    let Some(list) = &model.boots else { return };
    let title = format!(" Boots of {} ", list.board);
    let inner = pane(frame, model, layout, layout.page(), titled(model, &title), None);
    match &list.boots {
        None => waits(frame, model, inner, &Call::Boots(list.board.clone())),
        Some(boots) if boots.is_empty() => {
            frame.render_widget(Line::raw("It has not booted since the lab looks."), inner);
        }
        Some(boots) => {
            rows(frame, model, inner, marked, boots, |boot| boot_row(model, list, boot));
        }
    }
}

fn titled(model: &Model, title: &str) -> Line<'static> {
    Line::styled(clean(title).into_owned(), model.theme.strong)
}

/// What is shown as long as the rows are not there.
fn waits(frame: &mut Frame, model: &Model, area: Rect, call: &Call) {
    let text = match model.calls.contains(call) {
        true => "The lab is looking …",
        false => "The lab did not answer. The messages say why.",
    };
    frame.render_widget(Line::raw(text), area);
}

/// The rows around the marked one.
fn rows<T>(
    frame: &mut Frame,
    model: &Model,
    area: Rect,
    marked: usize,
    all: &[T],
    line: impl Fn(&T) -> Line<'static>,
) {
    let marked = marked.min(all.len().saturating_sub(1));
    let top = (marked + 1).saturating_sub(usize::from(area.height));
    for (place, (row, one)) in area.rows().zip(all.iter().skip(top)).enumerate() {
        frame.render_widget(line(one), row);
        if top + place == marked {
            frame.buffer_mut().set_style(row, model.theme.selected);
            frame.set_cursor_position(row.as_position());
        }
    }
}

/// `11-19 23:10 rk3588-1 Kernel panic - not syncing`
fn hit_row(model: &Model, hit: &Hit) -> Line<'static> {
    let at = clock(&model.zone, hit.at, model.now);
    let mut line = Line::from(vec![
        Span::styled(format!(" {at:<11} "), model.theme.quiet),
        Span::styled(format!("{:<12} ", hit.board), model.theme.strong),
    ]);
    for (text, is_found) in past::parts(hit) {
        let look = if is_found { model.theme.warning } else { Style::new() };
        line.push_span(Span::styled(text, look));
    }
    line
}

/// `12 13:02:11    power   done      12.31s  rom 0.20s  u-boot 1.10s  kernel 3.00s!`
fn boot_row(model: &Model, list: &BootList, boot: &Boot) -> Line<'static> {
    let at = clock(&model.zone, boot.at, model.now);
    let (outcome, look) = outcome(model, boot);
    let took = boot.took.map(|took| Seconds(took).to_string()).unwrap_or_default();
    let mut line = Line::from(vec![
        Span::styled(format!(" {:>4} ", boot.number), model.theme.strong),
        Span::styled(format!("{at:<11} "), model.theme.quiet),
        Span::raw(format!("{:<7} ", boot.cause)),
        Span::styled(format!("{outcome:<9} "), look),
        Span::raw(format!("{took:>8} ")),
    ]);
    for (before, reached, took) in boot.steps() {
        let is_slow = list.is_slow(before, took);
        let (sign, look) = if is_slow { ("!", model.theme.warning) } else { ("", Style::new()) };
        let stage = clean(&reached.stage).into_owned();
        line.push_span(Span::styled(format!(" {stage} {}{sign}", Seconds(reached.after)), look));
    }
    line
}

fn outcome(model: &Model, boot: &Boot) -> (String, Style) {
    let look = match boot.outcome {
        _ if boot.hung => return ("hung".to_owned(), model.theme.bad),
        Outcome::Done => model.theme.good,
        Outcome::Panicked => model.theme.bad,
        Outcome::Going => model.theme.warning,
        Outcome::Cut | Outcome::Unknown => model.theme.quiet,
    };
    (boot.outcome.to_string(), look)
}
