//! Machine.

use std::fmt;

use crate::config::reader::Table;

/// Settings, and what the two drivers share.
#[derive(Debug)]
pub struct Machine {}

impl PartialEq for Machine {
    fn eq(&self, _other: &Machine) -> bool {
        true
    }
}

impl Machine {
    /// Reads the settings.
    pub fn read(_table: &mut Table<'_>) -> Option<Machine> {
        None
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "qemu")
    }
}
