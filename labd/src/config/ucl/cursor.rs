//! A way through a text that always knows its line and column, and what may lie between words.

use std::path::PathBuf;
use std::sync::Arc;

use super::Place;

/// Where reading has come to. A copy is a place to come back to.
#[derive(Clone)]
pub(super) struct Cursor<'t> {
    text: &'t str,
    file: Arc<PathBuf>,
    at: usize,
    line: u32,
    column: u32,
}

/// A comment that does not end.
pub(super) struct Unclosed {
    /// Where it begins.
    pub(super) at: Place,
    /// The innermost `/*`, which may be one that nobody meant.
    pub(super) innermost: Place,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t str, file: Arc<PathBuf>) -> Cursor<'t> {
        let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Cursor { text, file, at, line: 1, column: 1 }
    }

    pub(super) fn place(&self) -> Place {
        Place { file: self.file.clone(), line: self.line, column: self.column }
    }

    pub(super) fn line(&self) -> u32 {
        self.line
    }

    /// Whether nothing was passed since `place`.
    pub(super) fn is_at(&self, place: &Place) -> bool {
        (self.line, self.column) == (place.line, place.column)
    }

    pub(super) fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        if c == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        Some(c)
    }

    /// Passes `word` if it comes next.
    pub(super) fn take(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word);
        if found {
            word.chars().for_each(|_| {
                self.bump();
            });
        }
        found
    }

    /// Passes all that `wanted` is true of.
    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let begin = self.at;
        while self.peek().is_some_and(&wanted) {
            self.bump();
        }
        &self.text[begin..self.at]
    }

    /// Gives up what is left.
    pub(super) fn end(&mut self) {
        while self.bump().is_some() {}
    }

    /// The next word, for faults.
    pub(super) fn word(&self) -> String {
        let ends = |c: char| c.is_whitespace() || ";,{}[]()=".contains(c);
        let word: String = self.rest().chars().take_while(|c| !ends(*c)).take(24).collect();
        match word.is_empty() {
            true => self
                .peek()
                .map_or_else(|| "the end".to_owned(), |c| format!("'{}'", c.escape_debug())),
            false => format!("'{}'", word.escape_debug()),
        }
    }

    /// Whether what was passed last closes a section or a list.
    pub(super) fn just_closed(&self) -> bool {
        self.text[..self.at].ends_with(['}', ']'])
    }

    /// Passes blanks and comments up to the end of the line.
    pub(super) fn blanks(&mut self) -> Result<(), Unclosed> {
        self.gap(|c| c != '\n' && c.is_whitespace())
    }

    /// Passes blanks, comments and lines.
    pub(super) fn lines(&mut self) -> Result<(), Unclosed> {
        self.gap(char::is_whitespace)
    }

    /// Passes blanks, comments, lines, and what separates one setting from the next.
    pub(super) fn separators(&mut self) -> Result<(), Unclosed> {
        self.gap(|c| c.is_whitespace() || c == ';' || c == ',')
    }

    fn gap(&mut self, blank: impl Fn(char) -> bool) -> Result<(), Unclosed> {
        loop {
            self.take_while(&blank);
            if self.at_line_comment() {
                self.take_while(|c| c != '\n');
            } else if self.rest().starts_with("/*") {
                self.comment()?;
            } else {
                return Ok(());
            }
        }
    }

    /// Whether the rest of the line is a comment. libucl knows only `#`; `//` is one only where it
    /// stands by itself, since it begins values such as `//server/share`.
    pub(super) fn at_line_comment(&self) -> bool {
        self.peek() == Some('#')
            || self
                .rest()
                .strip_prefix("//")
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
    }

    /// Passes a comment in `/* */`, and those inside it.
    fn comment(&mut self) -> Result<(), Unclosed> {
        let (at, mut innermost, mut depth) = (self.place(), self.place(), 0);
        loop {
            let here = self.place();
            if self.take("/*") {
                innermost = here;
                depth += 1;
            } else if self.take("*/") {
                depth -= 1;
                if depth == 0 {
                    return Ok(());
                }
            } else if self.bump().is_none() {
                return Err(Unclosed { at, innermost });
            }
        }
    }
}
