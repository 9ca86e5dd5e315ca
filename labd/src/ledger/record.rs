//! What an entry is on disk: JSON, so that names and not positions carry the meaning.

use protocol::journal::Entry;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// An entry, the instant it was made, and what it writes.
#[derive(Debug, Serialize, Deserialize)]
pub struct Record {
    /// What happened.
    pub entry: Entry,
    /// Milliseconds since the machine started.
    pub uptime: u64,
    /// Which run of the machine that was.
    pub boot: String,
    /// What changes in the store, as one.
    #[serde(default)]
    pub writes: Vec<Write>,
}

/// One change of the store.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Write {
    /// This is the record of that key now.
    Put(String, Box<RawValue>),
    /// That key has no record any more.
    Delete(String),
}

impl Write {
    /// Puts a record.
    pub fn put(key: String, record: &impl Serialize) -> Write {
        match serde_json::value::to_raw_value(record) {
            Ok(value) => Write::Put(key, value),
            // Records are plain data with text for keys: there is nothing in them to refuse.
            Err(error) => unreachable!("a record that is not JSON: {error}"),
        }
    }

    /// The key that changes.
    pub fn key(&self) -> &str {
        match self {
            Write::Put(key, _) | Write::Delete(key) => key,
        }
    }
}
