//! Serial ports.

use std::fmt;
use std::io;

use super::{Console, Port};
use crate::config::reader::Table;

/// Settings, and the driver.
#[derive(Debug, PartialEq)]
pub struct SerialConsole {}

impl SerialConsole {
    /// Reads the settings.
    pub fn read(_table: &mut Table<'_>) -> Option<SerialConsole> {
        None
    }
}

impl Console for SerialConsole {
    async fn open(&self) -> io::Result<Box<dyn Port>> {
        Err(io::Error::other("stub"))
    }

    async fn appears(&self) {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
}

impl fmt::Display for SerialConsole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SerialConsole")
    }
}
