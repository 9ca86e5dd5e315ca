//! A question in the middle of the screen.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use crate::dialog::{Choice, Dialog, Question};
use crate::model::Model;
use crate::text::{clean, fit, wrap};

/// How wide a question is, where there is room.
const WIDTH: u16 = 60;

/// The most lines that are told before the answers.
const LINES: usize = 12;

pub(super) fn draw(frame: &mut Frame, model: &Model, dialog: &Dialog) {
    let screen = frame.area();
    let width = screen.width.min(WIDTH);
    let room = usize::from(width.saturating_sub(4));
    let (title, mut lines) = match dialog {
        Dialog::Choice(choice) => (&choice.title, about(&choice.about, room)),
        Dialog::Question(question) => (&question.title, about_text(model, question, room)),
    };
    lines.push(Line::default());
    match dialog {
        Dialog::Choice(choice) => lines.extend(answers(model, choice, room)),
        Dialog::Question(question) => lines.push(input(model, question, room)),
    }
    // Where there is little room, the answers matter more than what is said before them.
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX).min(screen.height);
    let surplus = lines.len().saturating_sub(usize::from(height.saturating_sub(2)));
    lines.drain(..surplus);
    let area =
        Rect { x: (screen.width - width) / 2, y: (screen.height - height) / 3, width, height };
    let block = Block::bordered()
        .border_style(model.theme.focus)
        .title(Line::styled(format!(" {} ", clean(title)), model.theme.strong));
    let cursor = cursor(dialog, lines.last(), area);
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(block).style(model.theme.text), area);
    if let Some(at) = cursor.filter(|at| screen.contains(*at)) {
        frame.set_cursor_position(at);
    }
}

/// At the end of what is typed.
fn cursor(dialog: &Dialog, last: Option<&Line>, area: Rect) -> Option<Position> {
    let Dialog::Question(_) = dialog else { return None };
    let x = area.x + 1 + u16::try_from(last?.width()).ok()?;
    Some(Position { x, y: area.bottom().checked_sub(2)? })
}

fn about(text: &str, room: usize) -> Vec<Line<'static>> {
    let mut lines = wrap(&clean(text), room);
    if lines.len() > LINES {
        let end = lines.split_off(lines.len() - 3);
        lines.truncate(LINES - 4);
        lines.push("…".to_owned());
        lines.extend(end);
    }
    lines.into_iter().map(|line| Line::raw(format!(" {line}"))).collect()
}

/// The answers, in as many lines as they take.
fn answers(model: &Model, choice: &Choice, room: usize) -> Vec<Line<'static>> {
    let mut lines = vec![Line::raw(" ")];
    for (place, (answer, _)) in choice.answers.iter().enumerate() {
        let marked = place == choice.marked;
        let (left, right) = if marked { ("[", "]") } else { (" ", " ") };
        let look = if marked { model.theme.selected } else { Style::new() };
        let answer = Span::styled(fit(&format!("{left}{answer}{right}"), room).into_owned(), look);
        if lines.last().is_some_and(|line| line.width() + answer.width() > room + 1) {
            lines.push(Line::raw(" "));
        }
        if let Some(line) = lines.last_mut() {
            line.push_span(answer);
            line.push_span(Span::raw(" "));
        }
    }
    lines
}

/// What should be known before answering, and what is wrong with the answer given.
fn about_text(model: &Model, question: &Question, room: usize) -> Vec<Line<'static>> {
    let mut lines = about(&question.about, room);
    let faults = question.fault.iter().flat_map(|fault| about(fault, room));
    lines.extend(faults.map(|line| line.style(model.theme.bad)));
    lines
}

/// The end of what is typed.
fn input(model: &Model, question: &Question, room: usize) -> Line<'static> {
    let length = question.text.chars().count();
    let end = question.text.chars().skip(length.saturating_sub(room.saturating_sub(4)));
    Line::styled(format!(" > {}", end.collect::<String>()), model.theme.strong)
}
