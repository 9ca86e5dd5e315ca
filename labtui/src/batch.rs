//! Boards that are asked together, each by a call of its own, and how each fares.

use protocol::board::BoardName;

use crate::call::Call;

/// Boards that were asked together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// What was asked: `switch off`.
    pub title: String,
    /// One board each.
    pub rows: Vec<Row>,
}

/// One board among others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Which.
    pub board: BoardName,
    /// What it was asked.
    pub call: Call,
    /// How it fared, once that is known: what came of it, or why nothing did.
    pub fate: Option<Result<String, String>>,
}

impl Batch {
    /// Boards that are about to be asked.
    pub fn new(title: String, calls: Vec<(BoardName, Call)>) -> Batch {
        let row = |(board, call)| Row { board, call, fate: None };
        Batch { title, rows: calls.into_iter().map(row).collect() }
    }

    /// The row that waits for the answer to a call.
    pub fn waiting(&mut self, call: &Call) -> Option<&mut Row> {
        self.rows.iter_mut().find(|row| row.fate.is_none() && row.call == *call)
    }

    /// How many are done, have failed, and are not answered yet.
    pub fn count(&self) -> (usize, usize, usize) {
        let done = self.rows.iter().filter(|row| matches!(row.fate, Some(Ok(_)))).count();
        let failed = self.rows.iter().filter(|row| matches!(row.fate, Some(Err(_)))).count();
        (done, failed, self.rows.len() - done - failed)
    }
}
