//! Power of virtual machines: the process is the supply.

use std::io;

use super::{Error, Power};
use crate::qemu::{LIMIT, Machine};

impl Power for Machine {
    async fn set(&self, on: bool) -> Result<(), Error> {
        let done = if on { self.switch_on().await } else { self.switch_off().await };
        done.map_err(|why| fault(self, &why))
    }

    async fn get(&self) -> Result<Option<bool>, Error> {
        self.power().await.map_err(|why| fault(self, &why))
    }

    async fn reset(&self) -> Result<(), Error> {
        self.press_reset().await.map_err(|why| match why.kind() {
            io::ErrorKind::NotFound => {
                Error::Refused { device: self.to_string(), why: "it is off".to_owned() }
            }
            _ => fault(self, &why),
        })
    }

    fn can_reset(&self) -> bool {
        true
    }

    fn controller(&self) -> String {
        self.to_string()
    }
}

fn fault(machine: &Machine, why: &io::Error) -> Error {
    let device = machine.to_string();
    match why.kind() {
        io::ErrorKind::TimedOut => Error::Silent { device, limit: LIMIT },
        io::ErrorKind::Other => Error::Refused { device, why: why.to_string() },
        _ => Error::Unreachable { device, why: why.to_string() },
    }
}
