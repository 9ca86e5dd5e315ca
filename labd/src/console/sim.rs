//! Console of sim.

use std::io;

use super::{Console, Port};
use crate::sim::Sim;

impl Console for Sim {
    async fn open(&self) -> io::Result<Box<dyn Port>> {
        Err(io::Error::other("stub"))
    }

    async fn appears(&self) {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
}
