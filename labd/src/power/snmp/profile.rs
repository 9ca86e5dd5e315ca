//! How one kind of device is told to switch an outlet, and how it tells where the outlet stands.
//!
//! The kinds themselves are in `profiles`.

use std::collections::BTreeSet;
use std::fmt;

use super::profiles::PROFILES;
use crate::config::reader::{Setting, Table, nearest};
use crate::config::ucl::Value;

/// An object's name, as the numbers between its dots.
pub(super) type Name = Vec<u64>;

/// How one kind of device switches an outlet, and how it tells where the outlet stands.
#[derive(Debug, PartialEq)]
pub struct Profile {
    /// As in the configuration: `profile = apc-rpdu2`.
    pub name: &'static str,
    /// Which devices, and the MIB that describes them.
    pub about: &'static str,
    /// Whether to trust it.
    pub proof: Proof,
    /// The numbers that find an outlet.
    pub(super) index: &'static [Dimension],
    pub(super) on: Order,
    pub(super) off: Order,
    pub(super) status: Status,
}

/// How sure a profile's numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Two or more independent descriptions of the device agree.
    Proven,
    /// One description, and nobody has said yet that it works.
    Unproven,
}

/// One number of an outlet's name; a setting of the same name gives it.
#[derive(Debug, PartialEq)]
pub(super) struct Dimension {
    pub(super) key: &'static str,
    /// The device counts from here.
    pub(super) first: u32,
    /// If the setting is not there. Without one it has to be.
    pub(super) default: Option<u32>,
}

/// What is written, and where.
#[derive(Debug, PartialEq)]
pub(super) struct Order {
    /// With the dimensions' keys in braces.
    pub(super) template: &'static str,
    pub(super) value: Number,
}

/// A number with its type on the wire (RFC 2578 §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    /// `INTEGER`, `Integer32` and their enumerations.
    Integer(i32),
    /// `Gauge32` and `Unsigned32`, which are one on the wire.
    Gauge32(u32),
}

/// Where it is read how an outlet stands.
#[derive(Debug, PartialEq)]
pub(super) enum Status {
    /// One object tells.
    Outlet {
        template: &'static str,
        on: &'static [i64],
        off: &'static [i64],
        /// On the way, or not known to the device: neither on nor off.
        between: &'static [i64],
    },
    /// Two objects tell: whether the port may give power, and whether it does, which is
    /// pethPsePortDetectionStatus of POWER-ETHERNET-MIB (RFC 3621).
    Poe {
        enabled: &'static str,
        /// What says that it may not.
        disabled: i64,
    },
}

/// Why an answer does not tell how the outlet stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unclear {
    /// The port has found a fault in what hangs on it.
    Fault,
    /// The device's own description knows no such answer.
    Unheard(i64),
}

/// Which outlet: a number for each of a profile's dimensions.
#[derive(Debug, PartialEq)]
pub(super) struct Index(Vec<(&'static Dimension, u32)>);

/// pethPsePortDetectionStatus.
const DETECTION: &str = "1.3.6.1.2.1.105.1.1.1.6.{group}.{port}";

impl Profile {
    /// What to write, and where, to switch an outlet.
    pub(super) fn order(&self, on: bool, index: &Index) -> (Name, Number) {
        let order = if on { &self.on } else { &self.off };
        (index.fill(order.template), order.value)
    }

    /// What to ask to learn how an outlet stands. [`Profile::reading`] reads the answers.
    pub(super) fn questions(&self, index: &Index) -> Vec<Name> {
        match self.status {
            Status::Outlet { template, .. } => vec![index.fill(template)],
            Status::Poe { enabled, .. } => vec![index.fill(enabled), index.fill(DETECTION)],
        }
    }

    /// How the outlet stands, by the answers to [`Profile::questions`]. `None` is between the two.
    ///
    /// A port that may give power and does not do so yet is between. So is one that may no longer
    /// and still does.
    ///
    /// # Errors
    /// See [`Unclear`].
    pub(super) fn reading(&self, answers: &[i64]) -> Result<Option<bool>, Unclear> {
        match (&self.status, answers) {
            (Status::Outlet { on, off, between, .. }, [answer]) => match answer {
                answer if on.contains(answer) => Ok(Some(true)),
                answer if off.contains(answer) => Ok(Some(false)),
                answer if between.contains(answer) => Ok(None),
                answer => Err(Unclear::Unheard(*answer)),
            },
            (Status::Poe { disabled, .. }, [enabled, detection]) => {
                delivering(enabled != disabled, *detection)
            }
            _ => Ok(None),
        }
    }
}

/// How a PoE port stands. pethPsePortDetectionStatus: 1 disabled, 2 searching, 3 deliveringPower,
/// 4 fault, 5 test, 6 otherFault.
fn delivering(enabled: bool, detection: i64) -> Result<Option<bool>, Unclear> {
    match (enabled, detection) {
        (true, 3) => Ok(Some(true)),
        (true, 1 | 2 | 5) | (false, 3) => Ok(None),
        (true, 4 | 6) => Err(Unclear::Fault),
        (false, 1..=6) => Ok(Some(false)),
        (_, unheard) => Err(Unclear::Unheard(unheard)),
    }
}

impl Index {
    /// Reads the settings that are the profile's dimensions. Without a profile, which is a fault of
    /// its own, every such setting is taken as known.
    pub(super) fn read(table: &mut Table<'_>, profile: Option<&'static Profile>) -> Option<Index> {
        let Some(profile) = profile else {
            let dimensions = PROFILES.iter().flat_map(|profile| profile.index);
            for key in dimensions.map(|it| it.key).collect::<BTreeSet<_>>() {
                table.value(key);
            }
            return None;
        };
        // Every one is read, so that every fault is told.
        let numbers: Vec<_> = profile.index.iter().map(|it| it.read(table)).collect();
        numbers.into_iter().collect::<Option<_>>().map(Index)
    }

    /// The outlet's own number.
    pub(super) fn port(&self) -> u32 {
        self.at("port")
    }

    fn at(&self, key: &str) -> u32 {
        self.0.iter().find(|(dimension, _)| dimension.key == key).map_or(0, |(_, number)| *number)
    }

    fn fill(&self, template: &str) -> Name {
        let number = |arc: &str| {
            arc.parse().unwrap_or_else(|_| self.at(arc.trim_matches(['{', '}'])).into())
        };
        template.split('.').map(number).collect()
    }
}

/// `port 3`, `unit 2 port 3`: what is as it is by default is left out.
impl fmt::Display for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = self.0.iter().filter(|(dimension, number)| dimension.default != Some(*number));
        let told: Vec<_> = told.map(|(it, number)| format!("{} {number}", it.key)).collect();
        f.write_str(&told.join(" "))
    }
}

impl Dimension {
    fn read(&'static self, table: &mut Table<'_>) -> Option<(&'static Dimension, u32)> {
        let number = match self.default {
            None => table.required(self.key)?,
            Some(default) => table.or(self.key, default),
        };
        if number < self.first {
            table.fault(
                self.key,
                format!(
                    "{}: {number} is too small; the device counts from {}",
                    self.key, self.first
                ),
            );
            return None;
        }
        Some((self, number))
    }
}

impl Setting for &'static Profile {
    const WANTED: &'static str = "the name of a profile";

    fn read(value: &Value) -> Result<&'static Profile, Option<String>> {
        let name = String::read(value)?;
        PROFILES.iter().find(|profile| profile.name == name).ok_or_else(|| {
            let names = PROFILES.iter().map(|profile| profile.name);
            let help = match nearest(&name, names.clone()) {
                Some(near) => format!("did you mean '{near}'?"),
                None => format!("there are: {}", names.collect::<Vec<_>>().join(", ")),
            };
            Some(format!("there is no profile '{}'; {help}", name.escape_debug()))
        })
    }
}
