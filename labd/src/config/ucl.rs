//! UCL, the configuration language: text to a tree whose every part knows where it stands.
//!
//! The language is libucl's, as its own documentation and basic tests describe it; JSON is a part
//! of it. What is read here knows nothing of labs: that is [`super::reader`]'s.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

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
