//! Power: a board's outlet, and what can be asked of it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::Time;

/// Whether a board has power, as far as the lab knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PowerState {
    /// Its outlet delivers power.
    On,
    /// Its outlet does not.
    Off,
    /// The board has no outlet.
    None,
    /// Nobody can say: never to be taken for off.
    #[default]
    #[serde(other)]
    Unknown,
}

impl From<Option<bool>> for PowerState {
    fn from(on: Option<bool>) -> PowerState {
        match on {
            Some(true) => PowerState::On,
            Some(false) => PowerState::Off,
            None => PowerState::Unknown,
        }
    }
}

impl fmt::Display for PowerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            PowerState::On => "on",
            PowerState::Off => "off",
            PowerState::None => "none",
            PowerState::Unknown => "unknown",
        })
    }
}

/// What can be asked of an outlet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PowerAsk {
    /// On, and seen to be on. A board that is on is not disturbed.
    On,
    /// Off, and seen to be off.
    Off,
    /// Off, seen off, a pause, on, seen on: one deed, finished even over a restart of the daemon.
    Cycle,
    /// The reset button: the board begins again, and its power stays. Not every outlet has one.
    Reset,
}

impl fmt::Display for PowerAsk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            PowerAsk::On => "on",
            PowerAsk::Off => "off",
            PowerAsk::Cycle => "cycle",
            PowerAsk::Reset => "reset",
        })
    }
}

/// A board's outlet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PowerDetail {
    /// What it is and where, as in the configuration: `snmppower poe port 3`.
    pub outlet: String,
    /// As last seen.
    pub state: PowerState,
    /// When that was.
    #[serde(default)]
    pub seen: Option<Time>,
    /// What is being done to it, if anything.
    #[serde(default)]
    pub doing: Option<PowerAsk>,
    /// Why the last thing that was asked did not work, if it did not.
    #[serde(default)]
    pub fault: Option<String>,
}
