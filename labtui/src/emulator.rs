//! A terminal for a board to print on: its screen as cells, and keys as the bytes that a board expects.
//!
//! What a board prints is hostile. It changes this screen and nothing else: there is no way from here
//! to the board, to the title, to the clipboard, or to the terminal that labtui runs in.

use alacritty_terminal::grid::{Dimensions, Scroll};
use alacritty_terminal::term::cell::{Cell, Flags};
use alacritty_terminal::term::{TermMode, point_to_viewport};
use alacritty_terminal::vte::ansi::{Color as BoardColor, CursorShape, NamedColor};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use protocol::screen::{SIZE, Terminal};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Color, Modifier, Style};
use unicode_width::UnicodeWidthStr;

use crate::keys::Move;
use crate::text::is_plain;

/// How many lines are kept above the screen.
const HISTORY: usize = 10_000;

/// A board's terminal.
pub struct Emulator {
    terminal: Terminal,
}

impl Emulator {
    /// An empty screen.
    pub fn new(width: u16, height: u16) -> Emulator {
        Emulator { terminal: Terminal::new(width, height, HISTORY) }
    }

    /// A screen as large as the lab takes every console's to be, with nothing above it.
    pub fn pane() -> Emulator {
        Emulator { terminal: Terminal::new(SIZE.0, SIZE.1, 0) }
    }

    /// The board printed this.
    pub fn print(&mut self, bytes: &[u8]) {
        self.terminal.print(bytes);
    }

    /// The pane is this large now.
    pub fn resize(&mut self, width: u16, height: u16) {
        self.terminal.resize(width, height);
    }

    /// Shows earlier or later lines.
    pub fn scroll(&mut self, by: Move) {
        let term = self.terminal.term_mut();
        let half = (term.screen_lines() / 2).max(1) as i32;
        term.scroll_display(match by {
            Move::Up => Scroll::Delta(1),
            Move::Down => Scroll::Delta(-1),
            Move::HalfUp => Scroll::Delta(half),
            Move::HalfDown => Scroll::Delta(-half),
            Move::PageUp => Scroll::PageUp,
            Move::PageDown => Scroll::PageDown,
            Move::First => Scroll::Top,
            Move::Last => Scroll::Bottom,
        });
    }

    /// How many lines lie below the ones that are shown, and how many there are above the screen.
    pub fn scrolled(&self) -> (usize, usize) {
        (self.terminal.term().grid().display_offset(), self.terminal.term().history_size())
    }

    /// The rows of the screen, as text.
    pub fn rows(&self) -> Vec<String> {
        let term = self.terminal.term();
        let mut rows = vec![String::new(); term.screen_lines()];
        for cell in term.grid().display_iter() {
            let row = point_to_viewport(0, cell.point).and_then(|at| rows.get_mut(at.line));
            if let Some(row) = row.filter(|_| !cell.flags.contains(Flags::WIDE_CHAR_SPACER)) {
                row.push(cell.c);
            }
        }
        rows
    }

    /// The first row that is seen where there is room for `height`: the last that is not empty, and
    /// the one with the cursor, always are.
    pub fn first_row(&self, height: u16) -> usize {
        let cursor = usize::try_from(self.terminal.term().grid().cursor.point.line.0).unwrap_or(0);
        let used = self.rows().iter().rposition(|row| !row.trim().is_empty()).unwrap_or(0);
        (used.max(cursor) + 1).saturating_sub(usize::from(height))
    }

    /// Draws the screen, and says where the cursor is, if it is to be seen.
    pub fn draw(&self, area: Rect, buffer: &mut Buffer) -> Option<Position> {
        self.draw_from(0, area, buffer)
    }

    /// The same without the first rows.
    pub fn draw_from(&self, first: usize, area: Rect, buffer: &mut Buffer) -> Option<Position> {
        let content = self.terminal.term().renderable_content();
        let area = area.intersection(buffer.area);
        let place = |column: usize, line: usize| {
            let x = area.x.checked_add(u16::try_from(column).ok()?)?;
            let y = area.y.checked_add(u16::try_from(line.checked_sub(first)?).ok()?)?;
            (x < area.right() && y < area.bottom()).then_some(Position { x, y })
        };
        for cell in content.display_iter {
            let Some(point) = point_to_viewport(content.display_offset, cell.point) else {
                continue;
            };
            if let Some(at) = place(point.column.0, point.line) {
                let room = area.right() - at.x;
                let symbol = symbol(cell.cell, usize::from(room));
                buffer[at].set_symbol(&symbol).set_style(style(cell.cell));
            }
        }
        if content.cursor.shape == CursorShape::Hidden {
            return None;
        }
        let point = point_to_viewport(content.display_offset, content.cursor.point)?;
        place(point.column.0, point.line)
    }

    /// What the board expects when a key is pressed, as xterm sends it.
    pub fn key(&self, key: KeyEvent) -> Vec<u8> {
        let mut bytes = keystroke(key, *self.terminal.term().mode());
        let plain = matches!(
            key.code,
            KeyCode::Char(_) | KeyCode::Enter | KeyCode::Tab | KeyCode::Esc | KeyCode::Backspace
        );
        if plain && key.modifiers.contains(KeyModifiers::ALT) && !bytes.is_empty() {
            bytes.insert(0, 0x1b);
        }
        bytes
    }

    /// What the board expects when a text is pasted. The text cannot end its own brackets.
    pub fn paste(&self, text: &str) -> Vec<u8> {
        let text = text.replace("\r\n", "\r").replace('\n', "\r");
        if self.terminal.term().mode().contains(TermMode::BRACKETED_PASTE) {
            format!("\x1b[200~{}\x1b[201~", text.replace('\x1b', "")).into_bytes()
        } else {
            text.into_bytes()
        }
    }
}

/// What to draw in a cell of which `room` cells remain to the edge. Only what is as wide on a
/// terminal as the board believes, and nothing that a terminal would obey.
fn symbol(cell: &Cell, room: usize) -> String {
    let wide = cell.flags.contains(Flags::WIDE_CHAR);
    let hidden = Flags::HIDDEN | Flags::WIDE_CHAR_SPACER | Flags::LEADING_WIDE_CHAR_SPACER;
    if cell.flags.intersects(hidden) || !is_plain(cell.c) || (wide && room < 2) {
        return " ".to_owned();
    }
    let width = if wide { 2 } else { 1 };
    let marks = cell.zerowidth().unwrap_or_default().iter().filter(|c| is_plain(**c)).take(8);
    let marked: String = std::iter::once(&cell.c).chain(marks).collect();
    let as_wide = |text: &str| text.width() == width;
    let bare = cell.c.to_string();
    [marked, bare].into_iter().find(|text| as_wide(text)).unwrap_or_else(|| " ".to_owned())
}

fn style(cell: &Cell) -> Style {
    const LOOKS: [(Flags, Modifier); 6] = [
        (Flags::BOLD, Modifier::BOLD),
        (Flags::DIM, Modifier::DIM),
        (Flags::ITALIC, Modifier::ITALIC),
        (Flags::ALL_UNDERLINES, Modifier::UNDERLINED),
        (Flags::STRIKEOUT, Modifier::CROSSED_OUT),
        (Flags::INVERSE, Modifier::REVERSED),
    ];
    let dim = matches!(cell.fg, BoardColor::Named(name) if is_dim(name));
    let start = if dim { Modifier::DIM } else { Modifier::empty() };
    let modifier = LOOKS
        .iter()
        .filter(|(flags, _)| cell.flags.intersects(*flags))
        .fold(start, |all, (_, modifier)| all | *modifier);
    Style::reset().fg(color(cell.fg)).bg(color(cell.bg)).add_modifier(modifier)
}

fn is_dim(name: NamedColor) -> bool {
    (NamedColor::DimBlack as usize..=NamedColor::DimWhite as usize).contains(&(name as usize))
        || name == NamedColor::DimForeground
}

fn color(color: BoardColor) -> Color {
    const NAMED: [Color; 16] = [
        Color::Black,
        Color::Red,
        Color::Green,
        Color::Yellow,
        Color::Blue,
        Color::Magenta,
        Color::Cyan,
        Color::Gray,
        Color::DarkGray,
        Color::LightRed,
        Color::LightGreen,
        Color::LightYellow,
        Color::LightBlue,
        Color::LightMagenta,
        Color::LightCyan,
        Color::White,
    ];
    match color {
        BoardColor::Spec(rgb) => Color::Rgb(rgb.r, rgb.g, rgb.b),
        BoardColor::Indexed(index) => Color::Indexed(index),
        BoardColor::Named(name) => {
            let number = name as usize;
            let bright = if is_dim(name) && name != NamedColor::DimForeground {
                number - NamedColor::DimBlack as usize
            } else {
                number
            };
            NAMED.get(bright).copied().unwrap_or(Color::Reset)
        }
    }
}

/// A key without Alt.
fn keystroke(key: KeyEvent, mode: TermMode) -> Vec<u8> {
    match key.code {
        KeyCode::Char(c) if key.modifiers.contains(KeyModifiers::CONTROL) => control(c),
        KeyCode::Char(c) => c.to_string().into_bytes(),
        KeyCode::Enter if mode.contains(TermMode::LINE_FEED_NEW_LINE) => b"\r\n".to_vec(),
        KeyCode::Enter => b"\r".to_vec(),
        KeyCode::Tab => b"\t".to_vec(),
        KeyCode::BackTab => b"\x1b[Z".to_vec(),
        KeyCode::Esc => b"\x1b".to_vec(),
        KeyCode::Backspace if key.modifiers.contains(KeyModifiers::CONTROL) => b"\x08".to_vec(),
        KeyCode::Backspace => b"\x7f".to_vec(),
        KeyCode::Up => lettered('A', key.modifiers, mode),
        KeyCode::Down => lettered('B', key.modifiers, mode),
        KeyCode::Right => lettered('C', key.modifiers, mode),
        KeyCode::Left => lettered('D', key.modifiers, mode),
        KeyCode::Home => lettered('H', key.modifiers, mode),
        KeyCode::End => lettered('F', key.modifiers, mode),
        KeyCode::Insert => numbered(2, key.modifiers),
        KeyCode::Delete => numbered(3, key.modifiers),
        KeyCode::PageUp => numbered(5, key.modifiers),
        KeyCode::PageDown => numbered(6, key.modifiers),
        KeyCode::F(n) => function(n, key.modifiers),
        _ => Vec::new(),
    }
}

/// Ctrl and a sign. Some terminals say 4 to 7 where they mean `\`, `]`, `^` and `_`.
fn control(c: char) -> Vec<u8> {
    match c.to_ascii_lowercase() {
        c @ 'a'..='z' => vec![c as u8 - b'a' + 1],
        ' ' | '@' | '2' => vec![0x00],
        '[' | '3' => vec![0x1b],
        '\\' | '4' => vec![0x1c],
        ']' | '5' => vec![0x1d],
        '^' | '6' => vec![0x1e],
        '_' | '/' | '7' => vec![0x1f],
        '?' | '8' => vec![0x7f],
        other => other.to_string().into_bytes(),
    }
}

/// xterm's number for the modifiers, if there are any.
fn modified(modifiers: KeyModifiers) -> Option<u8> {
    const BITS: [(KeyModifiers, u8); 3] =
        [(KeyModifiers::SHIFT, 1), (KeyModifiers::ALT, 2), (KeyModifiers::CONTROL, 4)];
    let bits = BITS.iter().filter(|(key, _)| modifiers.contains(*key)).map(|(_, bit)| bit);
    let sum: u8 = bits.sum();
    (sum > 0).then_some(sum + 1)
}

fn lettered(letter: char, modifiers: KeyModifiers, mode: TermMode) -> Vec<u8> {
    match modified(modifiers) {
        Some(number) => format!("\x1b[1;{number}{letter}"),
        None if mode.contains(TermMode::APP_CURSOR) => format!("\x1bO{letter}"),
        None => format!("\x1b[{letter}"),
    }
    .into_bytes()
}

fn numbered(key: u8, modifiers: KeyModifiers) -> Vec<u8> {
    match modified(modifiers) {
        Some(number) => format!("\x1b[{key};{number}~"),
        None => format!("\x1b[{key}~"),
    }
    .into_bytes()
}

fn function(n: u8, modifiers: KeyModifiers) -> Vec<u8> {
    const NUMBERS: [u8; 8] = [15, 17, 18, 19, 20, 21, 23, 24];
    let letter = |n: u8| char::from(b'P' + n - 1);
    match n {
        1..=4 => match modified(modifiers) {
            Some(number) => format!("\x1b[1;{number}{}", letter(n)).into_bytes(),
            None => format!("\x1bO{}", letter(n)).into_bytes(),
        },
        5..=12 => numbered(NUMBERS[usize::from(n - 5)], modifiers),
        _ => Vec::new(),
    }
}
