//! Power: the trait, and the list of drivers.
//!
//! A driver is one file: its own config table, and two verbs. Adding one touches that file and the
//! list below. Waiting, retrying, cycling, verifying and refusing are the keeper's.

pub mod command;
pub mod qemu;
pub mod sim;
pub mod snmp;
#[cfg(test)]
mod trial;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Something that switches one board's supply.
pub trait Power {
    /// Tells the outlet. Returns when the device has taken the order, which need not mean that the
    /// outlet has moved: the keeper asks [`Power::get`] until it has.
    ///
    /// # Errors
    /// See [`Error`].
    fn set(&self, on: bool) -> impl Future<Output = Result<(), Error>> + Send;

    /// Asks the outlet. `None` means that it cannot say, or is between the two.
    ///
    /// # Errors
    /// See [`Error`].
    fn get(&self) -> impl Future<Output = Result<Option<bool>, Error>> + Send;

    /// Presses the reset button: the board begins again, and its power stays.
    ///
    /// # Errors
    /// See [`Error`]. Without a button it is [`Error::Refused`].
    fn reset(&self) -> impl Future<Output = Result<(), Error>> + Send {
        let (device, why) = (self.controller(), "it has no reset".to_owned());
        std::future::ready(Err(Error::Refused { device, why }))
    }

    /// Whether there is a reset button.
    fn can_reset(&self) -> bool {
        false
    }

    /// Whether the outlet can say how it stands at all. If not, it is told and believed.
    fn can_tell(&self) -> bool {
        true
    }

    /// What its user should know: that nobody has tried such a device yet.
    fn caution(&self) -> Option<String> {
        None
    }

    /// Names the device behind the outlet. Outlets of one controller are spoken to one at a time.
    fn controller(&self) -> String;
}

/// Why a power device did not do as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing came back in time; where the outlet stands is unknown.
    #[error("{device} did not answer within {limit:?}")]
    Silent {
        /// Which device.
        device: String,
        /// How long it was given.
        limit: Duration,
    },
    /// The device said no.
    #[error("{device} refused: {why}")]
    Refused {
        /// Which device.
        device: String,
        /// In its words.
        why: String,
    },
    /// The device cannot be spoken to at all.
    #[error("{device} cannot be reached: {why}")]
    Unreachable {
        /// Which device.
        device: String,
        /// Why.
        why: String,
    },
    /// The device answered, and the outlet is not where it was told to be.
    #[error("{device} stayed {}", if *.on { "on" } else { "off" })]
    Disobeyed {
        /// Which device.
        device: String,
        /// Where the outlet is.
        on: bool,
    },
}

/// Makes the list: an enum of every driver, which is a driver itself.
macro_rules! drivers {
    ($($(#[$doc:meta])* $name:ident($driver:ty),)*) => {
        /// Everything that can switch a board's supply. Two are equal if they are configured alike.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Outlet { $($(#[$doc])* $name(Arc<$driver>),)* }

        impl Power for Outlet {
            async fn set(&self, on: bool) -> Result<(), Error> {
                match self { $(Outlet::$name(driver) => driver.set(on).await,)* }
            }

            async fn get(&self) -> Result<Option<bool>, Error> {
                match self { $(Outlet::$name(driver) => driver.get().await,)* }
            }

            async fn reset(&self) -> Result<(), Error> {
                match self { $(Outlet::$name(driver) => driver.reset().await,)* }
            }

            fn can_reset(&self) -> bool {
                match self { $(Outlet::$name(driver) => driver.can_reset(),)* }
            }

            fn can_tell(&self) -> bool {
                match self { $(Outlet::$name(driver) => driver.can_tell(),)* }
            }

            fn caution(&self) -> Option<String> {
                match self { $(Outlet::$name(driver) => driver.caution(),)* }
            }

            fn controller(&self) -> String {
                match self { $(Outlet::$name(driver) => driver.controller(),)* }
            }
        }

        /// As in the configuration: `snmppower poe port 3`. Two outlets that print alike are one.
        impl fmt::Display for Outlet {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self { $(Outlet::$name(driver) => driver.fmt(f),)* }
            }
        }
    };
}

drivers! {
    /// Switches and PDUs that speak SNMP.
    Snmp(snmp::SnmpPower),
    /// Commands of the administrator's.
    Command(command::Command),
    /// A virtual machine.
    Qemu(crate::qemu::Machine),
    /// A board made of nothing.
    Sim(crate::sim::Sim),
}
