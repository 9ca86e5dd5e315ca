//! What a fake switch or PDU shows by SNMP: numbers, which of them can be written, and what then
//! becomes of the others. As strict as a device: nothing else can be read or written.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// A table of numbers, and what they do to each other.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Mib {
    cells: Vec<Cell>,
    rules: Vec<Rule>,
    #[serde(skip)]
    due: Vec<Due>,
}

/// One number.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cell {
    /// Its name, dotted.
    pub oid: String,
    /// Its type.
    pub kind: Kind,
    /// What it is.
    pub value: i64,
    /// What may be written to it, as a range for each; nothing, if it cannot be written.
    pub takes: Vec<(i64, i64)>,
}

/// The type of a number on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// `INTEGER`
    Integer,
    /// `Gauge32`
    Gauge,
}

/// When `when` is written `is`, then `put` becomes `value`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rule {
    /// The cell that is written.
    pub when: String,
    /// What is written; none is anything.
    pub is: Option<i64>,
    /// The cell that changes.
    pub put: String,
    /// What it becomes.
    pub value: i64,
    /// Not before it has been read so often.
    pub after_reads: u32,
    /// Not before so many seconds as were written are over.
    pub delayed: bool,
}

#[derive(Debug, Clone)]
struct Due {
    put: String,
    value: i64,
    at: Instant,
    reads: u32,
}

/// Why something cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such cell, and there cannot be.
    NoCreation,
    /// There is, and it can only be read.
    NotWritable,
    /// It has another type.
    WrongType,
    /// It does not take this.
    WrongValue,
}

impl Mib {
    /// A switch of RFC 3621: ports of group 1, all enabled and delivering. A port that is enabled
    /// delivers when it has been asked `searches` times whether it does.
    pub fn poe(ports: u32, searches: u32) -> Mib {
        let (admin, detection) = ("1.3.6.1.2.1.105.1.1.1.3.1", "1.3.6.1.2.1.105.1.1.1.6.1");
        (1..=ports).fold(Mib::default(), |mib, port| {
            let (admin, detection) = (format!("{admin}.{port}"), format!("{detection}.{port}"));
            mib.writable(&admin, Kind::Integer, 1, &[(1, 2)])
                .readable(&detection, 3)
                .rule(&admin, 2, &detection, 1)
                .rule(&admin, 1, &detection, 2)
                .slow_rule(&admin, 1, &detection, 3, searches)
        })
    }

    /// Adds a cell that can be read.
    pub fn readable(mut self, oid: &str, value: i64) -> Mib {
        self.cells.push(Cell { oid: oid.into(), kind: Kind::Integer, value, takes: Vec::new() });
        self
    }

    /// Adds a cell that takes what is in one of the ranges.
    pub fn writable(mut self, oid: &str, kind: Kind, value: i64, takes: &[(i64, i64)]) -> Mib {
        self.cells.push(Cell { oid: oid.to_owned(), kind, value, takes: takes.to_vec() });
        self
    }

    /// When `when` is written `is`, then `put` becomes `value` at once.
    pub fn rule(self, when: &str, is: i64, put: &str, value: i64) -> Mib {
        self.slow_rule(when, is, put, value, 0)
    }

    /// The same, when `put` has been read `reads` times.
    pub fn slow_rule(mut self, when: &str, is: i64, put: &str, value: i64, reads: u32) -> Mib {
        let (when, is, put) = (when.to_owned(), Some(is), put.to_owned());
        self.rules.push(Rule { when, is, put, value, after_reads: reads, delayed: false });
        self
    }

    /// When `when` is written, then `put` becomes `value` as many seconds later as was written.
    pub fn delayed_rule(mut self, when: &str, put: &str, value: i64) -> Mib {
        let (when, put) = (when.to_owned(), put.to_owned());
        self.rules.push(Rule { when, is: None, put, value, after_reads: 0, delayed: true });
        self
    }

    /// The name of some cell.
    pub fn any_oid(&self) -> Option<&str> {
        self.cells.first().map(|cell| cell.oid.as_str())
    }

    /// Reads a cell.
    pub fn get(&mut self, oid: &str) -> Option<&Cell> {
        for due in self.due.iter_mut().filter(|due| due.put == oid) {
            due.reads = due.reads.saturating_sub(1);
        }
        self.settle();
        self.cells.iter().find(|cell| cell.oid == oid)
    }

    /// Reads the cell that comes after a name.
    pub fn next(&mut self, oid: &str) -> Option<&Cell> {
        self.settle();
        let after = arcs(oid);
        let later = self.cells.iter().filter(|cell| arcs(&cell.oid) > after);
        later.min_by_key(|cell| arcs(&cell.oid))
    }

    /// Writes a cell.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn set(&mut self, oid: &str, kind: Kind, value: i64) -> Result<(), Refusal> {
        let cell = self.cells.iter_mut().find(|cell| cell.oid == oid);
        let cell = cell.ok_or(Refusal::NoCreation)?;
        if cell.takes.is_empty() {
            return Err(Refusal::NotWritable);
        }
        if cell.kind != kind {
            return Err(Refusal::WrongType);
        }
        if !cell.takes.iter().any(|(least, most)| (*least..=*most).contains(&value)) {
            return Err(Refusal::WrongValue);
        }
        cell.value = value;
        self.follow(oid, value);
        Ok(())
    }

    fn follow(&mut self, oid: &str, value: i64) {
        let rules = self.rules.iter().filter(|rule| rule.when == oid);
        let due = rules.filter(|rule| rule.is.is_none_or(|is| is == value)).map(|rule| Due {
            put: rule.put.clone(),
            value: rule.value,
            at: Instant::now() + if rule.delayed { seconds(value) } else { Duration::ZERO },
            reads: rule.after_reads,
        });
        let due: Vec<_> = due.collect();
        // A newer order takes the place of what an older one would have done.
        self.due.retain(|old| !due.iter().any(|new| new.put == old.put));
        self.due.extend(due);
        self.settle();
    }

    fn settle(&mut self) {
        let ripe = |due: &mut Due| due.reads == 0 && due.at <= Instant::now();
        for due in self.due.extract_if(.., ripe) {
            for cell in self.cells.iter_mut().filter(|cell| cell.oid == due.put) {
                cell.value = due.value;
            }
        }
    }
}

fn seconds(value: i64) -> Duration {
    Duration::from_secs(value.try_into().unwrap_or(0))
}

/// Names are ordered by their numbers, not as texts.
fn arcs(oid: &str) -> Vec<u32> {
    oid.split('.').filter_map(|arc| arc.parse().ok()).collect()
}
