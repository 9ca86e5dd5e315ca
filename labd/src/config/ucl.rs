//! UCL, the configuration language: text to a tree whose every part knows where it stands.
//!
//! The language is libucl's, as its own documentation and basic tests describe it; JSON is a part
//! of it. What is read here knows nothing of labs: that is [`super::reader`]'s, which serves here
//! only to read the arguments of macros.
//!
//! Where libucl would guess, a fault is reported instead: an unknown escape, a value that is missing
//! on its line, a bracket that closes nothing, a number too large for 64 bits. `//` begins a comment
//! too, if a blank follows it.
//!
//! The text may be anybody's: the time it takes is linear in its size, and nesting, included files
//! and inherited sections are limited.

mod cursor;
mod macros;
mod parser;
mod scalar;
mod section;
mod source;
mod text;
mod values;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::parser::{Chunk, Parser};
use self::section::{Section, Standing};
use super::fault::Faults;

/// Where something stands in a source.
#[derive(Clone, PartialEq, Eq)]
pub struct Place {
    /// The file; a name in angle brackets if the text came from elsewhere.
    pub file: Arc<PathBuf>,
    /// Counted from 1.
    pub line: u32,
    /// Counted from 1, in characters.
    pub column: u32,
}

impl Place {
    /// This place and a later one: `lines 8 and 14`, or both in full if the files differ.
    pub fn and(&self, later: &Place) -> String {
        if self.file != later.file {
            format!("{self} and {later}")
        } else if self.line == later.line {
            format!("line {}", self.line)
        } else {
            format!("lines {} and {}", self.line, later.line)
        }
    }
}

/// `labd.conf:12:7`
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// What it is.
    pub node: Node,
    /// Where it begins.
    pub at: Place,
    /// As it was written, if it is not a text but could be meant as one: `1.10`, `5g`, `on`.
    pub written: Option<Box<str>>,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// `null`
    Null,
    /// `true`, `yes`, `on` and their opposites.
    Bool(bool),
    /// A whole number; `10k` is 10,000 and `10kb` 10,240.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// Seconds: `5min`, `1.5h`.
    Seconds(f64),
    /// A text, quoted or not.
    Text(String),
    /// `[a, b]`, or a key that was given more than once.
    Array(Vec<Value>),
    /// `{ key = value }`, in the order of the source.
    Object(Vec<(Key, Value)>),
}

/// A key of an object and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// The key.
    pub text: String,
    /// Where it begins.
    pub at: Place,
}

impl Value {
    /// A value that nobody will take for a text.
    pub fn new(node: Node, at: Place) -> Value {
        Value { node, at, written: None }
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match &self.node {
            Node::Text(text) => Some(text),
            _ => self.written.as_deref(),
        }
    }

    /// Whether this is what a key became that was given more than once, rather than one list.
    pub fn is_repeated(&self) -> bool {
        // A list begins at its bracket; such an array, at its first value.
        matches!(&self.node, Node::Array(values) if values.len() > 1 && values[0].at == self.at)
    }
}

/// Reads a file and those it includes.
pub fn load(file: &Path, faults: &Faults) -> Value {
    let mut parser = Parser::new(faults);
    match parser.sources.open(file) {
        Ok(text) => read(parser, &text, file),
        Err(unread) => {
            let at = Place { file: Arc::new(file.to_owned()), line: 1, column: 1 };
            parser.unread(unread, file, &at);
            Value::new(Node::Object(Vec::new()), at)
        }
    }
}

/// Reads a text as if it stood in `file`.
pub fn parse(text: &str, file: &Path, faults: &Faults) -> Value {
    read(Parser::new(faults), text, file)
}

fn read(mut parser: Parser<'_>, text: &str, file: &Path) -> Value {
    let file = Arc::new(file.to_owned());
    let at = Place { file: file.clone(), line: 1, column: 1 };
    parser.open.push(Section::default());
    let list = parser.source(&mut Chunk::new(text, file, Standing::default()));
    let node = parser.open.pop().unwrap_or_default().done();
    list.unwrap_or_else(|| Value::new(node, at))
}

#[cfg(test)]
mod tests;
