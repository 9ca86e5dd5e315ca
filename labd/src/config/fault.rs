//! What is wrong with a configuration, and where.

use std::fmt;

use parking_lot::Mutex;

use super::ucl::Place;

/// One fault: `labd.conf:12:7: port: 'two' is not a whole number from 0 to 255`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub at: Place,
    /// What is wrong, and what to write instead.
    pub message: String,
    /// Whether the line may be shown.
    pub line: Line,
}

/// Whether the line of a fault may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// It may.
    Shown,
    /// There is a secret on it.
    Hidden,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.message)
    }
}

/// Faults being collected. Shared by the tables of one configuration, hence the lock.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    /// Notes a fault.
    pub fn add(&self, at: &Place, message: String) {
        self.push(at, message, Line::Shown);
    }

    /// Notes a fault in a line with a secret on it.
    pub fn add_secret(&self, at: &Place, message: String) {
        self.push(at, message, Line::Hidden);
    }

    fn push(&self, at: &Place, message: String, line: Line) {
        self.0.lock().push(Fault { at: at.clone(), message, line });
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// All of them, in the order of the source.
    pub fn into_sorted(self) -> Vec<Fault> {
        let mut faults = self.0.into_inner();
        faults.sort_by(|a, b| {
            (&a.at.file, a.at.line, a.at.column).cmp(&(&b.at.file, b.at.line, b.at.column))
        });
        faults.dedup();
        faults
    }
}
