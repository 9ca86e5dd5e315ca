//! What is wrong with a settings file, and where.

use std::fmt;
use std::ops::Range;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Counted from 1.
    pub line: usize,
    /// In letters, counted from 1.
    pub column: usize,
    /// What.
    pub what: String,
    /// What may have been meant.
    pub near: Option<String>,
}

impl Fault {
    /// A fault at a place in a text.
    pub fn at(text: &str, place: Range<usize>, what: impl Into<String>) -> Fault {
        let before = text.get(..place.start).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Fault { line, column, what: what.into(), near: None }
    }

    /// The same, with whatever of `all` is most like what was written.
    pub fn meant<'a>(self, written: &str, all: impl IntoIterator<Item = &'a str>) -> Fault {
        Fault { near: nearest(written, all).map(str::to_owned), ..self }
    }
}

/// The nearest name, if it is near enough to have been meant: a third of its letters may differ, and
/// three at most.
pub fn nearest<'a>(written: &str, all: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_lowercase();
    all.into_iter()
        .map(|near| (strsim::damerau_levenshtein(&written, &near.to_lowercase()), near))
        .filter(|(distance, near)| *distance <= (near.chars().count().max(2) / 3).clamp(1, 3))
        .min()
        .map(|(_, near)| near)
}

/// `line 3, column 5: there is no key 'Entre'; did you mean 'Enter'?`
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.what)?;
        match &self.near {
            Some(near) => write!(f, "; did you mean '{near}'?"),
            None => Ok(()),
        }
    }
}
