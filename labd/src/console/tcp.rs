//! Terminal servers.

use std::fmt;
use std::io;

use super::{Console, Port};
use crate::config::reader::Table;

/// Settings, and the driver.
#[derive(Debug, PartialEq)]
pub struct TcpConsole {}

impl TcpConsole {
    /// Reads the settings.
    pub fn read(_table: &mut Table<'_>) -> Option<TcpConsole> {
        None
    }
}

impl Console for TcpConsole {
    async fn open(&self) -> io::Result<Box<dyn Port>> {
        Err(io::Error::other("stub"))
    }

    async fn appears(&self) {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
}

impl fmt::Display for TcpConsole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TcpConsole")
    }
}
