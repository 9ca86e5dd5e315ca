//! A screen as bytes that paint it on another terminal.
//!
//! Of what a terminal remembers, these are not said again: tab stops that were moved, colours that were
//! given another look, titles, what a cursor looks like, and which letter was the last, for the sequence
//! that repeats it.

use std::fmt::Write;

use alacritty_terminal::grid::{Cursor, Dimensions, Grid};
use alacritty_terminal::index::{Column, Line};
use alacritty_terminal::term::TermMode;
use alacritty_terminal::term::cell::{Cell, Flags};
use alacritty_terminal::vte::ansi::{
    CharsetIndex, Color, Handler, NamedPrivateMode, PrivateMode, Processor, StandardCharset,
};
use unicode_width::UnicodeWidthChar;

use super::{CANCEL, Never, Terminal};

/// What paints a screen begins with this: as a new terminal; and where that is not let through, as good as
/// new.
pub const FRESH: &[u8] = b"\x1bc\x1b[m\x1b[H\x1b[2J";

/// Begins the alternate screen.
const ALTERNATE: &str = "\x1b[?1049h";

/// Whether what is painted is the screen of a program that draws all over it, and is right only where it
/// has a screen of its own.
pub fn is_drawn(paint: &[u8]) -> bool {
    paint.windows(ALTERNATE.len()).any(|part| part == ALTERNATE.as_bytes())
}

/// More marks above and below a letter are noise.
const MARKS: usize = 8;

/// A terminal without lines above its screen, which can be painted again.
pub struct Painter {
    terminal: Terminal,
    parser: Processor<Never>,
    unsaid: Unsaid,
}

/// What a terminal does not say of itself.
struct Unsaid {
    lines: usize,
    /// The first and the last of the lines that scroll, counted from 1, as they were told.
    region: (usize, usize),
    charset: CharsetIndex,
}

impl Unsaid {
    fn of(lines: usize) -> Unsaid {
        Unsaid { lines, region: (1, lines), charset: CharsetIndex::G0 }
    }
}

impl Handler for Unsaid {
    fn set_active_charset(&mut self, index: CharsetIndex) {
        self.charset = index;
    }

    fn set_scrolling_region(&mut self, top: usize, bottom: Option<usize>) {
        let bottom = bottom.unwrap_or(self.lines);
        if top < bottom {
            self.region = (top, bottom);
        }
    }

    fn set_private_mode(&mut self, mode: PrivateMode) {
        if mode == PrivateMode::Named(NamedPrivateMode::ColumnMode) {
            self.region = (1, self.lines);
        }
    }

    fn unset_private_mode(&mut self, mode: PrivateMode) {
        self.set_private_mode(mode);
    }

    fn reset_state(&mut self) {
        *self = Unsaid::of(self.lines);
    }
}

impl Painter {
    /// An empty screen.
    pub fn new((width, height): (u16, u16)) -> Painter {
        let terminal = Terminal::new(width, height, 0);
        let unsaid = Unsaid::of(terminal.term.screen_lines());
        Painter { terminal, parser: Processor::new(), unsaid }
    }

    /// The board printed this.
    pub fn print(&mut self, bytes: &[u8]) {
        let (parser, unsaid) = (&mut self.parser, &mut self.unsaid);
        self.terminal.print_beside(bytes, |whole| parser.advance(unsaid, whole));
    }

    /// Nothing ends what the board has begun to say.
    pub fn cancel(&mut self) {
        self.print(&[CANCEL]);
    }

    /// The screen.
    pub fn terminal(&self) -> &Terminal {
        &self.terminal
    }

    /// What paints this screen on any other, whatever is there. What is [held](Terminal::held) is not
    /// in it.
    pub fn paint(&mut self) -> Vec<u8> {
        let mut paint = Paint::default();
        paint.text.extend(FRESH.iter().copied().map(char::from));
        let mode = *self.terminal.term.mode();
        if mode.contains(TermMode::ALT_SCREEN) {
            let term = &mut self.terminal.term;
            let alternate = term.grid().clone();
            term.swap_alt();
            paint.grid(term.grid(), true);
            term.swap_alt();
            *term.grid_mut() = alternate;
            paint.say(ALTERNATE);
            paint.say("\x0f\x1b[m\x1b[H\x1b[2J");
            CHARSETS.iter().for_each(|(_, sign)| paint.charset(*sign, StandardCharset::Ascii));
        }
        let (grid, (top, bottom)) = (self.terminal.term.grid(), self.unsaid.region);
        let is_plain = (top, bottom) == (1, self.unsaid.lines) && !mode.contains(TermMode::ORIGIN);
        paint.grid(grid, is_plain);
        if !is_plain {
            let _ = write!(paint.text, "\x1b[{top};{bottom}r");
            let is_within = mode.contains(TermMode::ORIGIN);
            paint.say(if is_within { "\x1b[?6h" } else { "" });
            let above = if is_within { top.saturating_sub(1) } else { 0 };
            paint.leave(grid, &grid.cursor, |paint, line, column| {
                let line = line.saturating_sub(above) + 1;
                let _ = write!(paint.text, "\x1b[{line};{}H", column + 1);
            });
        }
        paint.modes(mode);
        if self.unsaid.charset == CharsetIndex::G1 {
            paint.say("\x0e");
        }
        paint.text.into_bytes()
    }
}

const CHARSETS: [(CharsetIndex, char); 4] = [
    (CharsetIndex::G0, '('),
    (CharsetIndex::G1, ')'),
    (CharsetIndex::G2, '*'),
    (CharsetIndex::G3, '+'),
];

/// What sets a mode that a new terminal is not in, and what ends one that it is in.
const MODES: [(TermMode, &str, &str); 15] = [
    (TermMode::SHOW_CURSOR, "", "\x1b[?25l"),
    (TermMode::LINE_WRAP, "", "\x1b[?7l"),
    (TermMode::ALTERNATE_SCROLL, "", "\x1b[?1007l"),
    (TermMode::URGENCY_HINTS, "", "\x1b[?1042l"),
    (TermMode::APP_CURSOR, "\x1b[?1h", ""),
    (TermMode::APP_KEYPAD, "\x1b=", ""),
    (TermMode::MOUSE_REPORT_CLICK, "\x1b[?1000h", ""),
    (TermMode::MOUSE_DRAG, "\x1b[?1002h", ""),
    (TermMode::MOUSE_MOTION, "\x1b[?1003h", ""),
    (TermMode::FOCUS_IN_OUT, "\x1b[?1004h", ""),
    (TermMode::UTF8_MOUSE, "\x1b[?1005h", ""),
    (TermMode::SGR_MOUSE, "\x1b[?1006h", ""),
    (TermMode::BRACKETED_PASTE, "\x1b[?2004h", ""),
    (TermMode::LINE_FEED_NEW_LINE, "\x1b[20h", ""),
    (TermMode::INSERT, "\x1b[4h", ""),
];

/// What is painted so far.
#[derive(Default)]
struct Paint {
    text: String,
    /// How the last letter looked.
    look: Look,
    /// The line and the column at which the pen is.
    pen: (usize, usize),
}

/// Colours and attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    fg: Color,
    bg: Color,
    flags: Flags,
}

impl Default for Look {
    fn default() -> Look {
        Look::of(&Cell::default())
    }
}

impl Look {
    fn of(cell: &Cell) -> Look {
        let place = Flags::WRAPLINE
            | Flags::WIDE_CHAR
            | Flags::WIDE_CHAR_SPACER
            | Flags::LEADING_WIDE_CHAR_SPACER;
        Look { fg: cell.fg, bg: cell.bg, flags: cell.flags - place }
    }
}

impl Paint {
    fn say(&mut self, bytes: &str) {
        self.text.push_str(bytes);
    }

    /// A screen of which nothing is painted yet, the pen being in its first cell, and where its cursors
    /// are; the present one by way of the lines, so that it is also right where lines are longer.
    fn grid(&mut self, grid: &Grid<Cell>, and_cursor: bool) {
        self.look = Look::default();
        let lines = grid.screen_lines();
        let used = (0..lines).rev().find(|line| used(grid, *line) > 0).unwrap_or(0);
        let last = used.max(at(&grid.cursor).0).max(at(&grid.saved_cursor).0);
        let mut flows = false;
        for line in 0..=last {
            if line > 0 && !flows {
                self.look(Look::default());
                self.say("\r\n");
            }
            // Up to the cursor, if that comes next: it is where the pen is then.
            let (cursor, column) = at(&grid.cursor);
            let least = if line == last && line == cursor { column } else { 0 };
            flows = self.row(grid, line, least.max(usize::from(flows))) && line < last;
        }
        let by_lines = |paint: &mut Paint, line: usize, column: usize| {
            let (pen, _) = std::mem::replace(&mut paint.pen, (line, column));
            let (up, down) = (pen.saturating_sub(line), line.saturating_sub(pen));
            paint.say("\r");
            for (count, way) in [(up, 'A'), (down, 'B'), (column, 'C')] {
                if count > 0 {
                    let _ = write!(paint.text, "\x1b[{count}{way}");
                }
            }
        };
        if grid.saved_cursor != Cursor::default() {
            self.leave(grid, &grid.saved_cursor, by_lines);
            self.say("\x1b7");
            CHARSETS.iter().for_each(|(_, sign)| self.charset(*sign, StandardCharset::Ascii));
        }
        if and_cursor {
            let is_there = self.pen == at(&grid.cursor) && !grid.cursor.input_needs_wrap;
            self.leave(grid, &grid.cursor, |paint, line, column| {
                if !is_there {
                    by_lines(paint, line, column);
                }
            });
        }
    }

    /// A line, from the pen on, at least so many cells of it. Whether it goes on in the next.
    fn row(&mut self, grid: &Grid<Cell>, line: usize, least: usize) -> bool {
        let row = &grid[Line(line as i32)];
        let columns = grid.columns();
        let wraps = row[Column(columns - 1)].flags.contains(Flags::WRAPLINE);
        let end = if wraps { columns } else { used(grid, line).max(least) };
        for column in 0..end {
            let cell = &row[Column(column)];
            let is_placeholder = cell.flags.contains(Flags::LEADING_WIDE_CHAR_SPACER);
            let is_second = column > 0 && is_wide(grid, line, column - 1);
            let next_is_wide = line + 1 < grid.screen_lines() && is_wide(grid, line + 1, 0);
            if is_second || (wraps && is_placeholder && next_is_wide) {
                continue;
            }
            self.cell(grid, line, column);
        }
        // A wide letter takes the pen along by two.
        let is_halved = end > 0 && is_wide(grid, line, end - 1);
        self.pen = (line, end + usize::from(is_halved));
        wraps
    }

    fn cell(&mut self, grid: &Grid<Cell>, line: usize, column: usize) {
        let cell = &grid[Line(line as i32)][Column(column)];
        self.look(Look::of(cell));
        self.text.push(letter(grid, line, column));
        let marks = cell.zerowidth().unwrap_or_default().iter();
        self.text.extend(marks.filter(|mark| mark.width() == Some(0)).take(MARKS));
    }

    /// Puts the pen where a cursor is, to print as it would.
    fn leave(
        &mut self,
        grid: &Grid<Cell>,
        cursor: &Cursor<Cell>,
        go: impl Fn(&mut Paint, usize, usize),
    ) {
        let (line, column) = at(cursor);
        if cursor.input_needs_wrap {
            // It is behind the last letter of the line, where only a letter brings it.
            let column =
                if column > 0 && is_wide(grid, line, column - 1) { column - 1 } else { column };
            go(self, line, column);
            self.cell(grid, line, column);
            self.pen = (line, grid.columns());
        } else {
            go(self, line, column);
        }
        self.look(Look::of(&cursor.template));
        for (index, sign) in CHARSETS {
            if cursor.charsets[index] != StandardCharset::Ascii {
                self.charset(sign, cursor.charsets[index]);
            }
        }
    }

    fn charset(&mut self, sign: char, charset: StandardCharset) {
        let name = if charset == StandardCharset::Ascii { 'B' } else { '0' };
        let _ = write!(self.text, "\x1b{sign}{name}");
    }

    fn modes(&mut self, wanted: TermMode) {
        for (mode, on, off) in MODES {
            self.say(if wanted.contains(mode) { on } else { off });
        }
    }

    fn look(&mut self, look: Look) {
        const ATTRIBUTES: [(Flags, &str); 11] = [
            (Flags::BOLD, ";1"),
            (Flags::DIM, ";2"),
            (Flags::ITALIC, ";3"),
            (Flags::UNDERLINE, ";4"),
            (Flags::DOUBLE_UNDERLINE, ";4:2"),
            (Flags::UNDERCURL, ";4:3"),
            (Flags::DOTTED_UNDERLINE, ";4:4"),
            (Flags::DASHED_UNDERLINE, ";4:5"),
            (Flags::INVERSE, ";7"),
            (Flags::HIDDEN, ";8"),
            (Flags::STRIKEOUT, ";9"),
        ];
        let before = std::mem::replace(&mut self.look, look);
        if before == look {
            return;
        }
        self.say("\x1b[0");
        let zero = self.text.len();
        for (_, code) in ATTRIBUTES.iter().filter(|(flag, _)| look.flags.contains(*flag)) {
            self.say(code);
        }
        self.color(look.fg, 30);
        self.color(look.bg, 40);
        self.say("m");
        if before == Look::default() && self.text[zero..].starts_with(';') {
            // There is nothing to end first.
            self.text.replace_range(zero - 1..=zero, "");
        }
    }

    /// As foreground, from code 30 on, or as background, from 40.
    fn color(&mut self, color: Color, from: usize) {
        let _ = match color {
            Color::Named(name) => match name as usize {
                dark @ 0..8 => write!(self.text, ";{}", from + dark),
                bright @ 8..16 => write!(self.text, ";{}", from + 52 + bright),
                _ => Ok(()),
            },
            Color::Indexed(index) => write!(self.text, ";{};5;{index}", from + 8),
            Color::Spec(rgb) => write!(self.text, ";{};2;{};{};{}", from + 8, rgb.r, rgb.g, rgb.b),
        };
    }
}

fn at(cursor: &Cursor<Cell>) -> (usize, usize) {
    (usize::try_from(cursor.point.line.0).unwrap_or(0), cursor.point.column.0)
}

/// How many cells of a line differ from what a new terminal has there.
fn used(grid: &Grid<Cell>, line: usize) -> usize {
    let row = &grid[Line(line as i32)];
    let is_new = |column: &usize| {
        let cell = &row[Column(*column)];
        letter(grid, line, *column) == ' '
            && Look::of(cell) == Look::default()
            && cell.zerowidth().is_none_or(<[char]>::is_empty)
    };
    (0..grid.columns()).rev().find(|column| !is_new(column)).map_or(0, |column| column + 1)
}

/// Whether a letter takes this cell and the next.
fn is_wide(grid: &Grid<Cell>, line: usize, column: usize) -> bool {
    let row = &grid[Line(line as i32)];
    let is = |column: usize, flag| row[Column(column)].flags.contains(flag);
    column + 1 < grid.columns()
        && is(column, Flags::WIDE_CHAR)
        && is(column + 1, Flags::WIDE_CHAR_SPACER)
        && row[Column(column)].c.width() == Some(2)
}

/// The lines, as text without what looks like nothing at their ends.
pub(super) fn lines(grid: &Grid<Cell>) -> Vec<String> {
    let is_second = |line, column: usize| column > 0 && is_wide(grid, line, column - 1);
    let line = |line| {
        let columns = (0..grid.columns()).filter(|column| !is_second(line, *column));
        let text: String = columns.map(|column| letter(grid, line, column)).collect();
        text.trim_end().to_owned()
    };
    (0..grid.screen_lines()).map(line).collect()
}

/// What is printed to have a cell look as it does. Half of a wide letter is blank, and so is a tab.
fn letter(grid: &Grid<Cell>, line: usize, column: usize) -> char {
    let cell = &grid[Line(line as i32)][Column(column)];
    let width = if is_wide(grid, line, column) { 2 } else { 1 };
    if cell.c.width() == Some(width) { cell.c } else { ' ' }
}

#[cfg(test)]
mod tests;
