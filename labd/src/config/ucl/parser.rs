//! Statements, sections and lists; and how to go on after a fault.

use std::path::PathBuf;
use std::sync::Arc;

use super::cursor::{Cursor, Unclosed};
use super::section::{Section, Standing};
use super::source::Sources;
use super::text::{BadText, Variables};
use super::{Key, Place, Value};
use crate::config::fault::Faults;

/// Sections and lists within one another, across included files.
pub(super) const DEEPEST: usize = 64;
/// So many faults are reported, and then no more is read.
const MOST_FAULTS: usize = 20;

/// The fault has been noted; reading goes on at the next statement.
pub(super) struct Lost;

/// One source being read.
pub(super) struct Chunk<'t> {
    pub(super) cursor: Cursor<'t>,
    pub(super) variables: Variables,
    pub(super) standing: Standing,
}

impl<'t> Chunk<'t> {
    pub(super) fn new(text: &'t str, file: Arc<PathBuf>, standing: Standing) -> Chunk<'t> {
        let variables = Variables::of(&file);
        Chunk { cursor: Cursor::new(text, file), variables, standing }
    }
}

/// What ends some statements.
#[derive(Clone)]
pub(super) enum End {
    File,
    /// The bracket, and where the one stands that it closes.
    Bracket(char, Place),
}

/// Reads a configuration.
pub(super) struct Parser<'f> {
    pub(super) faults: &'f Faults,
    /// The sections being read, the outermost first.
    pub(super) open: Vec<Section>,
    pub(super) sources: Sources,
    /// Values that `.inherit` has copied.
    pub(super) copied: usize,
    /// Every bracket that is open, and every name between a section's key and its bracket.
    pub(super) brackets: Vec<char>,
    /// The present source has ended within a bracket.
    pub(super) cut_short: bool,
    found: usize,
}

impl<'f> Parser<'f> {
    pub(super) fn new(faults: &'f Faults) -> Parser<'f> {
        Parser {
            faults,
            open: Vec::new(),
            sources: Sources::default(),
            copied: 0,
            brackets: Vec::new(),
            cut_short: false,
            found: 0,
        }
    }

    /// Notes a fault.
    pub(super) fn fault(&mut self, at: &Place, message: impl Into<String>) -> Lost {
        self.found += 1;
        if self.found < MOST_FAULTS {
            self.faults.add(at, message.into());
        } else if self.found == MOST_FAULTS {
            self.faults.add(at, "there are too many faults; the rest was not read".to_owned());
        }
        Lost
    }

    /// How deep in sections and lists reading is.
    pub(super) fn depth(&self) -> usize {
        self.brackets.len()
    }

    /// Whether so much is wrong that no more is read.
    pub(super) fn is_full(&self) -> bool {
        self.found >= MOST_FAULTS
    }

    /// Reads a whole source into the section opened last; a list at the top is returned instead.
    pub(super) fn source(&mut self, chunk: &mut Chunk<'_>) -> Option<Value> {
        self.cut_short = false;
        self.gap(chunk, Cursor::lines).ok()?;
        let at = chunk.cursor.place();
        let mut list = None;
        match chunk.cursor.peek() {
            Some('[') => list = self.value(chunk, "the list").ok(),
            Some('{') => {
                chunk.cursor.bump();
                self.brackets.push('}');
                self.statements(chunk, &End::Bracket('}', at));
                self.brackets.pop();
            }
            _ => {
                self.statements(chunk, &End::File);
                return None;
            }
        }
        let _ = self.gap(chunk, Cursor::separators);
        if chunk.cursor.peek().is_some() {
            let word = chunk.cursor.word();
            self.fault(&chunk.cursor.place(), format!("{word} stands behind the end of the whole"));
        }
        list
    }

    /// Reads statements into the section opened last, and the bracket that ends them.
    pub(super) fn statements(&mut self, chunk: &mut Chunk<'_>, end: &End) {
        loop {
            if self.gap(chunk, Cursor::separators).is_err() || self.is_full() {
                chunk.cursor.end();
            }
            match (chunk.cursor.peek(), end) {
                (None, End::File) => return,
                (Some(c), End::Bracket(closing, _)) if c == *closing => {
                    chunk.cursor.bump();
                    return;
                }
                (None | Some(']' | '}' | ')'), end) => {
                    if self.stray(chunk, end) {
                        return;
                    }
                }
                (Some(_), _) => {
                    if self.statement(chunk).is_err() {
                        self.recover(&mut chunk.cursor);
                    }
                }
            }
        }
    }

    /// Reports a bracket, or an end, that is not the one that is wanted. Returns whether it ends
    /// what is being read all the same, because something farther out wants it.
    pub(super) fn stray(&mut self, chunk: &mut Chunk<'_>, end: &End) -> bool {
        let found = chunk.cursor.peek();
        let at = chunk.cursor.place();
        match (found, end) {
            (None, End::File) => {}
            (None, End::Bracket(closing, open)) => {
                // Said once, of the innermost; what is around it ends here too.
                if !std::mem::replace(&mut self.cut_short, true) {
                    self.fault(open, format!("this is never closed; write {closing} at its end"));
                }
            }
            (Some(c), End::Bracket(closing, open)) if self.brackets.contains(&c) => {
                let line = open.line;
                self.fault(
                    &at,
                    format!("'{c}' where '{closing}' is wanted, for what begins on line {line}"),
                );
            }
            (Some(c), _) => {
                self.fault(&at, format!("'{c}' closes nothing; take it away"));
                chunk.cursor.bump();
                return false;
            }
        }
        true
    }

    fn statement(&mut self, chunk: &mut Chunk<'_>) -> Result<(), Lost> {
        if chunk.cursor.peek() == Some('.') {
            return self.call(chunk);
        }
        let key = self.key(chunk)?;
        let value = self.assigned(chunk, &key)?;
        self.insert(key, value, chunk.standing)?;
        self.after(chunk)
    }

    /// Adds an entry to the section opened last.
    pub(super) fn insert(&mut self, key: Key, value: Value, by: Standing) -> Result<(), Lost> {
        let (name, at) = (key.text.clone(), key.at.clone());
        let Some(section) = self.open.last_mut() else { return Ok(()) };
        section.insert(key, value, by).map_err(|earlier| {
            let name = name.escape_debug();
            self.fault(&at, format!("'{name}' is there already, at {earlier}"))
        })
    }

    /// A value in quotes must be followed by something that separates it from what comes next.
    pub(super) fn after(&mut self, chunk: &mut Chunk<'_>) -> Result<(), Lost> {
        let closed = chunk.cursor.just_closed();
        self.gap(chunk, Cursor::blanks)?;
        match chunk.cursor.peek() {
            None | Some('\n' | '\r' | '\0' | ';' | ',' | '}' | ']' | ')') => Ok(()),
            Some(_) if closed => Ok(()),
            Some(_) => {
                let word = chunk.cursor.word();
                Err(self
                    .fault(&chunk.cursor.place(), format!("write ';' or a new line before {word}")))
            }
        }
    }

    /// Passes the rest of a statement that is not understood, with every bracket it opens.
    pub(super) fn recover(&self, cursor: &mut Cursor<'_>) {
        let in_arguments = self.brackets.last() == Some(&')');
        let mut depth = 0_usize;
        while let Some(c) = cursor.peek() {
            match c {
                '{' | '[' => depth += 1,
                '}' | ']' if depth == 0 => return,
                '}' | ']' => depth -= 1,
                ';' | '\n' if depth == 0 => return,
                ')' if depth == 0 && in_arguments => return,
                _ => {}
            }
            cursor.bump();
        }
    }

    /// Passes what lies between words.
    pub(super) fn gap<'t>(
        &mut self,
        chunk: &mut Chunk<'t>,
        pass: impl Fn(&mut Cursor<'t>) -> Result<(), Unclosed>,
    ) -> Result<(), Lost> {
        pass(&mut chunk.cursor).map_err(|unclosed| self.unclosed(&unclosed))
    }

    pub(super) fn unclosed(&mut self, unclosed: &Unclosed) -> Lost {
        // What is around it ends here too, and need not be told of.
        self.cut_short = true;
        let help = if unclosed.innermost == unclosed.at {
            "write */ at its end; a path with /* in it wants quotes".to_owned()
        } else {
            format!("the /* at {} is within it, and wants a */ of its own", unclosed.innermost)
        };
        self.fault(&unclosed.at, format!("this comment is never closed: {help}"))
    }

    /// A text, or its fault.
    pub(super) fn text<T>(&mut self, text: Result<T, BadText>) -> Result<T, Lost> {
        text.map_err(|bad| self.fault(&bad.at, bad.message))
    }
}
