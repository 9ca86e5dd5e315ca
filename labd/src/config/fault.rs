//! What is wrong with a configuration, and where.
//!
//! A fault is in what is written, and labd does not start on it. A warning is of what is written well and
//! is not on this machine, or not yet: a description may be checked elsewhere.

use std::collections::HashSet;
use std::fmt;

use parking_lot::Mutex;

use super::ucl::Place;

use protocol::text::plain;

/// One fault: `labd.conf:12:7: port: 'two' is not a whole number from 0 to 255`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub at: Place,
    /// What is wrong, and what to write instead.
    pub message: String,
    /// Whether the line may be shown.
    pub line: Line,
    /// Whether labd starts all the same.
    pub weight: Weight,
}

/// How much a fault weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// labd does not start, and a reload changes nothing.
    Fault,
    /// labd goes on without.
    Warning,
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
        let warning = if self.weight == Weight::Warning { "warning: " } else { "" };
        let text = format!("{}: {warning}{}", self.at, self.message);
        // Paths and names are quoted as they are written.
        f.write_str(&plain(text.as_bytes(), usize::MAX))
    }
}

/// Faults being collected. Shared by the tables of one configuration, hence the lock.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    /// Notes a fault.
    pub fn add(&self, at: &Place, message: String) {
        self.push(at, message, Line::Shown, Weight::Fault);
    }

    /// Notes something that is not on this machine.
    pub fn warn(&self, at: &Place, message: String) {
        self.push(at, message, Line::Shown, Weight::Warning);
    }

    /// Notes a fault in a line with a secret on it.
    pub fn add_secret(&self, at: &Place, message: String) {
        self.push(at, message, Line::Hidden, Weight::Fault);
    }

    /// Takes back what was noted at a place in words that begin so: another fault is its cause.
    pub fn withdraw(&self, at: &Place, beginning: &str) {
        self.0.lock().retain(|fault| fault.at != *at || !fault.message.starts_with(beginning));
    }

    fn push(&self, at: &Place, message: String, line: Line, weight: Weight) {
        self.0.lock().push(Fault { at: at.clone(), message, line, weight });
    }

    /// Whether there is none; warnings do not count.
    pub fn is_empty(&self) -> bool {
        self.0.lock().iter().all(|fault| fault.weight == Weight::Warning)
    }

    /// All of them, and the warnings, in the order of the source. What many boards need and this machine
    /// does not have is said once.
    pub fn into_sorted(self) -> Vec<Fault> {
        let mut faults = self.0.into_inner();
        faults.sort_by(|a, b| {
            (&a.at.file, a.at.line, a.at.column).cmp(&(&b.at.file, b.at.line, b.at.column))
        });
        faults.dedup();
        let mut told = HashSet::new();
        faults.retain(|fault| fault.weight == Weight::Fault || told.insert(fault.message.clone()));
        faults
    }
}
