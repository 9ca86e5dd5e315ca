//! Commands.

use std::fmt;

use super::{Error, Power};
use crate::config::reader::Table;

/// Settings, and the driver.
#[derive(Debug, PartialEq)]
pub struct Command {}

impl Command {
    /// Reads the settings.
    pub fn read(_table: &mut Table<'_>) -> Option<Command> {
        None
    }
}

impl Power for Command {
    async fn set(&self, _on: bool) -> Result<(), Error> {
        Ok(())
    }

    async fn get(&self) -> Result<Option<bool>, Error> {
        Ok(None)
    }

    fn controller(&self) -> String {
        String::new()
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command")
    }
}
