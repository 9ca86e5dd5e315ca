//! A terminal for a board to print on: its screen as cells.
//!
//! What a board prints is hostile. It changes this screen and nothing else: there is no way from here
//! to the board, to a title or a clipboard, or to the terminal that somebody sits at.
//!
//! - [`Terminal`]: the screen, and the lines above it
//! - [`Painter`]: one that can say its screen again, as bytes that paint it

mod paint;
mod whole;

use std::time::Duration;

use alacritty_terminal::event::{Event, EventListener};
use alacritty_terminal::grid::Dimensions;
use alacritty_terminal::term::{Config, Osc52, Term};
use alacritty_terminal::vte::ansi::{Processor, Timeout};

pub use paint::{FRESH, Painter, is_drawn};
use whole::Whole;

/// How large a console's screen is, as nobody says otherwise: columns and lines. A serial line has no
/// size, and what runs behind one takes it for this.
pub const SIZE: (u16, u16) = (80, 24);

/// The longest string for a terminal (a title, say) that is waited out, in bytes.
const LONGEST_STRING: usize = 64 * 1024;

/// Ends a string for a terminal; outside of one it does nothing.
const CANCEL: u8 = 0x18;

/// A board's terminal. It takes characters and control sequences whole: of what is half told it
/// shows nothing, so that its screen depends on what was printed and not on the pieces it came in.
pub struct Terminal {
    term: Term<Deaf>,
    parser: Processor<Never>,
    whole: Whole,
    /// Half told.
    held: Vec<u8>,
}

/// Whatever the terminal would tell its owner, such as answers to the board's questions, is dropped:
/// what answers a board is typed by a person.
pub struct Deaf;

impl EventListener for Deaf {
    fn send_event(&self, _: Event) {}
}

/// A board may ask that its screen is not shown until it says so; it is shown all the same, since
/// the board may never say so.
#[derive(Default)]
struct Never;

impl Timeout for Never {
    fn set_timeout(&mut self, _: Duration) {}
    fn clear_timeout(&mut self) {}
    fn pending_timeout(&self) -> bool {
        false
    }
}

struct Size {
    columns: usize,
    lines: usize,
}

impl Size {
    /// The least that a terminal works with is two columns and a line.
    fn of(width: u16, height: u16) -> Size {
        Size { columns: usize::from(width).max(2), lines: usize::from(height).max(1) }
    }
}

impl Dimensions for Size {
    fn total_lines(&self) -> usize {
        self.lines
    }
    fn screen_lines(&self) -> usize {
        self.lines
    }
    fn columns(&self) -> usize {
        self.columns
    }
}

impl Terminal {
    /// An empty screen that keeps so many lines above it.
    pub fn new(width: u16, height: u16, history: usize) -> Terminal {
        let config =
            Config { scrolling_history: history, osc52: Osc52::Disabled, ..Config::default() };
        let term = Term::new(config, &Size::of(width, height), Deaf);
        Terminal { term, parser: Processor::new(), whole: Whole::default(), held: Vec::new() }
    }

    /// The board printed this.
    pub fn print(&mut self, bytes: &[u8]) {
        self.print_beside(bytes, |_| {});
    }

    /// The same, and what is whole is also for somebody else to see.
    fn print_beside(&mut self, bytes: &[u8], mut see: impl FnMut(&[u8])) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = (LONGEST_STRING - self.held.len()).min(rest.len());
            let (here, later) = rest.split_at(room);
            rest = later;
            let told = self.whole.told(here);
            if told > 0 {
                self.held.extend_from_slice(&here[..told]);
                self.take_held(&mut see);
            }
            self.held.extend_from_slice(&here[told..]);
            if self.held.len() == LONGEST_STRING {
                // The parser keeps a string until it ends, and the board may never end it.
                self.held.push(CANCEL);
                self.whole = Whole::default();
                self.take_held(&mut see);
            }
        }
    }

    fn take_held(&mut self, see: &mut impl FnMut(&[u8])) {
        see(&self.held);
        self.parser.advance(&mut self.term, &self.held);
        self.held.clear();
    }

    /// How many bytes of what was printed do not show yet, since they begin what is still to be ended.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// The screen is this large now.
    pub fn resize(&mut self, width: u16, height: u16) {
        let size = Size::of(width, height);
        if (size.columns, size.lines) != (self.term.columns(), self.term.screen_lines()) {
            self.term.resize(size);
        }
    }

    /// The screen.
    pub fn term(&self) -> &Term<Deaf> {
        &self.term
    }

    /// Its lines, as text.
    pub fn lines(&self) -> Vec<String> {
        paint::lines(self.term.grid())
    }

    /// The screen, to scroll in.
    pub fn term_mut(&mut self) -> &mut Term<Deaf> {
        &mut self.term
    }
}
