//! A question in the middle of the screen.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use super::style;
use crate::dialog::{Choice, Dialog, Question};
use crate::text::{clean, wrap};

/// How wide a question is, where there is room.
const WIDTH: u16 = 60;

pub(super) fn draw(frame: &mut Frame, dialog: &Dialog) {
    let screen = frame.area();
    let width = screen.width.min(WIDTH);
    let room = usize::from(width.saturating_sub(4));
    let (title, mut lines) = match dialog {
        Dialog::Choice(choice) => (&choice.title, about(&choice.about, room)),
        Dialog::Question(question) => (&question.title, about_text(question, room)),
    };
    lines.push(Line::default());
    lines.push(match dialog {
        Dialog::Choice(choice) => answers(choice),
        Dialog::Question(question) => input(question, room),
    });
    // Where there is little room, the answers matter more than what is said before them.
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX).min(screen.height);
    let surplus = lines.len().saturating_sub(usize::from(height.saturating_sub(2)));
    lines.drain(..surplus);
    let area =
        Rect { x: (screen.width - width) / 2, y: (screen.height - height) / 3, width, height };
    let block = Block::bordered()
        .border_style(style::border(true))
        .title(Line::styled(format!(" {} ", clean(title)), style::STRONG));
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn about(text: &str, room: usize) -> Vec<Line<'static>> {
    wrap(&clean(text), room).into_iter().map(|line| Line::raw(format!(" {line}"))).collect()
}

fn answers(choice: &Choice) -> Line<'static> {
    let mut line = Line::raw(" ");
    for (place, (answer, _)) in choice.answers.iter().enumerate() {
        let marked = place == choice.marked;
        let (left, right) = if marked { ("[", "]") } else { (" ", " ") };
        let look = if marked { style::MARKED } else { Style::new() };
        line.push_span(Span::styled(format!("{left}{answer}{right}"), look));
        line.push_span(Span::raw(" "));
    }
    line
}

/// What should be known before answering, and what is wrong with the answer given.
fn about_text(question: &Question, room: usize) -> Vec<Line<'static>> {
    let mut lines = about(&question.about, room);
    let faults = question.fault.iter().flat_map(|fault| about(fault, room));
    lines.extend(faults.map(|line| line.style(style::BAD)));
    lines
}

/// The end of what is typed.
fn input(question: &Question, room: usize) -> Line<'static> {
    let length = question.text.chars().count();
    let end = question.text.chars().skip(length.saturating_sub(room.saturating_sub(4)));
    Line::styled(format!(" > {}▏", end.collect::<String>()), style::STRONG)
}
