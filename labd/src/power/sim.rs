//! Power of sim.

use super::{Error, Power};
use crate::sim::Sim;

impl Power for Sim {
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
