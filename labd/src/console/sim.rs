//! Consoles of simulated boards: always plugged in, and open to one at a time.

use std::io;
use std::time::Duration;

use super::{Console, Port};
use crate::sim::Sim;

/// When whoever has the console open may have let go of it.
const PATIENCE: Duration = Duration::from_secs(1);

impl Console for Sim {
    async fn open(&self) -> io::Result<Box<dyn Port>> {
        match self.board().open() {
            Some(port) => Ok(Box::new(port)),
            None => {
                let busy = format!("{self} is open already");
                Err(io::Error::new(io::ErrorKind::ResourceBusy, busy))
            }
        }
    }

    async fn appears(&self) {
        tokio::time::sleep(PATIENCE).await;
    }
}
