//! Sim.

use std::fmt;

use crate::config::reader::Table;

/// Settings, and what the two drivers share.
#[derive(Debug)]
pub struct Sim {}

impl PartialEq for Sim {
    fn eq(&self, _other: &Sim) -> bool {
        true
    }
}

impl Sim {
    /// Reads the settings.
    pub fn read(_table: &mut Table<'_>) -> Option<Sim> {
        None
    }
}

impl fmt::Display for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sim")
    }
}
