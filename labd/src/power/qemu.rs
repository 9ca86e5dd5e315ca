//! Power of qemu.

use super::{Error, Power};
use crate::qemu::Machine;

impl Power for Machine {
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
