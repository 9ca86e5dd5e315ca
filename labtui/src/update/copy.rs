//! What can be copied, for other programs to paste.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use crate::dialog::{Choice, Dialog, Step};
use crate::emulator::Emulator;
use crate::model::{Mode, Model};
use crate::notice::Tone;
use crate::text::clean;

/// Offers what can be copied of the board, or of the console.
pub(super) fn offer(model: &mut Model) {
    super::set_mode(model, Mode::Live);
    let mut answers = Vec::new();
    let printed = model.console.as_ref().map(|console| screen(console.screen(), model.size));
    answers.extend(printed.map(|text| ("Screen".to_owned(), Step::Copy(text))));
    let board = match &model.console {
        Some(console) => model.table.row(&console.board),
        None => model.table.selected(),
    };
    let Some(board) = board else {
        return model.say(Tone::Failed, "No board is selected. Esc takes the filter away.");
    };
    let name = &board.name;
    let mut copy = |title: &str, text: String| answers.push((title.to_owned(), Step::Copy(text)));
    copy("Name", name.to_string());
    copy("ssh", format!("labctl ssh {name}"));
    copy("Console", format!("labctl console {name}"));
    copy("Last line", clean(&board.last_line).into_owned());
    answers.push(super::asks::cancel());
    model.dialog = Some(Dialog::Choice(Choice {
        title: format!("Copy from {name}"),
        about: format!("Its name, labctl ssh {name}, labctl console {name}, or what it printed."),
        answers,
        marked: 0,
    }));
}

/// What is on a console's screen, without the blanks at the ends of its lines.
fn screen(emulator: &Emulator, (width, height): (u16, u16)) -> String {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    emulator.draw(area, &mut buffer);
    let lines = area.rows().map(|row| line(&buffer, row));
    let text = lines.collect::<Vec<_>>().join("\n");
    text.trim_end().to_owned()
}

/// The second cell of a wide letter is none of the text.
fn line(buffer: &Buffer, row: Rect) -> String {
    let (mut text, mut x) = (String::new(), row.x);
    while x < row.right() {
        let symbol = buffer[(x, row.y)].symbol();
        text.push_str(symbol);
        x += u16::try_from(symbol.width().max(1)).unwrap_or(1);
    }
    text.trim_end().to_owned()
}
