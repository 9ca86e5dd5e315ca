//! What a board may print to do something to whoever looks, and the terminal of somebody who does.
//!
//! The sequences are in `tests/hostile/corpus.txt`, each with a name.

use std::sync::{Arc, Mutex, PoisonError};

use alacritty_terminal::Term;
use alacritty_terminal::event::{Event, EventListener};
use alacritty_terminal::grid::Dimensions;
use alacritty_terminal::index::{Column, Line};
use alacritty_terminal::term::{Config, TermMode};
use alacritty_terminal::vte::ansi::Processor;
use anyhow::{Context, Result, bail};
use protocol::text::is_plain;

/// A sequence that no terminal is to be given.
pub struct Sequence {
    /// By which a failure is told.
    pub name: &'static str,
    /// What is printed.
    pub bytes: Vec<u8>,
}

/// All of them.
///
/// # Panics
/// If one is not written as it should be.
pub fn corpus() -> Vec<Sequence> {
    let lines = include_str!("../hostile/corpus.txt").lines();
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, text) = line.split_once(' ').unwrap_or((line, ""));
            let bytes = unescape(text.trim_start());
            Sequence { name, bytes: bytes.unwrap_or_else(|error| panic!("{name}: {error}")) }
        })
        .collect()
}

/// See the head of the file.
fn unescape(text: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend(before.bytes());
        let kind = after.chars().next().context("a backslash at the end")?;
        rest = &after[kind.len_utf8()..];
        match kind {
            'e' => bytes.push(0x1b),
            'a' => bytes.push(0x07),
            '0' => bytes.push(0),
            'n' => bytes.push(b'\n'),
            'r' => bytes.push(b'\r'),
            't' => bytes.push(b'\t'),
            '\\' => bytes.push(b'\\'),
            'x' => {
                bytes.push(u8::from_str_radix(rest.get(..2).context("two digits")?, 16)?);
                rest = &rest[2..];
            }
            'u' => {
                let (number, after) = braces(rest)?;
                let letter = char::from_u32(u32::from_str_radix(number, 16)?);
                bytes.extend(letter.context("a character")?.to_string().bytes());
                rest = after;
            }
            '{' => {
                let (inside, after) = braces(after)?;
                let (count, text) = inside.split_once(':').context("a count")?;
                bytes.extend(unescape(text)?.repeat(count.parse()?));
                rest = after;
            }
            other => bail!("\\{other} is no escape"),
        }
    }
    bytes.extend(rest.bytes());
    Ok(bytes)
}

/// What is between the braces at the beginning, and what is behind them.
fn braces(text: &str) -> Result<(&str, &str)> {
    let mut depth = 0;
    for (at, letter) in text.char_indices() {
        depth += i32::from(letter == '{') - i32::from(letter == '}');
        if depth == 0 {
            return Ok((text[..at].strip_prefix('{').context("a brace")?, &text[at + 1..]));
        }
    }
    bail!("a brace is open")
}

/// Says which character of a text does more than to be read, if there is one; line ends do not.
///
/// # Errors
/// That character, and the text.
pub fn must_be_plain(text: &str) -> Result<()> {
    match text.chars().find(|c| *c != '\n' && !is_plain(*c)) {
        Some(bad) => bail!("{bad:?} in {text:?}"),
        None => Ok(()),
    }
}

/// Somebody's terminal, with all that it would do and say.
pub struct Screen {
    term: Term<Said>,
    parser: Processor,
    said: Said,
}

/// What a terminal tells its owner: answers to be typed, a title, a clipboard.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<Event>>>);

impl EventListener for Said {
    fn send_event(&self, event: Event) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }
}

struct Size;

impl Dimensions for Size {
    fn total_lines(&self) -> usize {
        24
    }
    fn screen_lines(&self) -> usize {
        24
    }
    fn columns(&self) -> usize {
        80
    }
}

impl Default for Screen {
    fn default() -> Screen {
        let said = Said::default();
        let term = Term::new(Config::default(), &Size, said.clone());
        Screen { term, parser: Processor::new(), said }
    }
}

impl Screen {
    /// The terminal is given this.
    pub fn show(&mut self, bytes: &[u8]) {
        self.parser.advance(&mut self.term, bytes);
    }

    /// Its modes, and how its cursor looks.
    pub fn modes(&self) -> (TermMode, String) {
        (*self.term.mode(), format!("{:?}", self.term.cursor_style()))
    }

    /// What it has to say since it was last asked: nothing, unless something made it.
    pub fn said(&self) -> Vec<Event> {
        std::mem::take(&mut self.said.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The text of a row, counted from 0.
    pub fn row(&self, row: i32) -> String {
        (0..80).map(|column| self.term.grid()[Line(row)][Column(column)].c).collect()
    }

    /// Whether that stands anywhere on it.
    pub fn has(&self, text: &str) -> bool {
        (0..24).any(|row| self.row(row).contains(text))
    }
}
