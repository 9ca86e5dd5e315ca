//! Switches and PDUs that speak SNMP, in any of its three versions.
//!
//! Which objects switch an outlet is its profile's, who asks is its identity's, and how is the
//! session's. Nothing is remembered between two operations.

mod identity;
mod profile;
mod profiles;
mod session;

use std::fmt;

use protocol::Span;
use snmp::snmp as status;

pub use self::profile::{Profile, Proof};
pub use self::profiles::PROFILES;

use self::identity::Identity;
use self::profile::{Index, Unclear};
use self::session::{Agent, Fault, Question};
use super::{Error, Power};
use crate::config::reader::Table;

/// RFC 3417 §3.2.
const DEFAULT_UDP_PORT: u16 = 161;

const STRANGER: &str = "wrong user, auth or privacy; compare user, auth, privacy and the passwords \
    in auth_file and privacy_file with the device's";

/// `{ cls = snmppower, host = poe, port = 2 }`: a port of a PoE switch.
///
/// | setting | default | |
/// | --- | --- | --- |
/// | `host` | | a name or an address |
/// | `port` | | the outlet, as the device counts |
/// | `profile` | `poe` | what kind of device; one of [`PROFILES`] |
/// | `group`, `unit`, `tower`, … | the first | where the profile's outlets have more than one number |
/// | `udp_port` | 161 | |
/// | `version` | `2c` | `1`, `2c` or `3` |
/// | `community_file` | | a file with the community; without it, `public`. Agents are silent to a wrong one |
/// | `user`, `auth_file`, `privacy_file` | | version 3: the name, and the files of its passwords |
/// | `auth`, `privacy` | `sha256`, `aes128` | version 3: `privacy = none` signs and does not hide |
/// | `timeout`, `retries` | 1s, 2 | how long one try may take, and how many follow the first |
#[derive(Debug, PartialEq)]
pub struct SnmpPower {
    agent: Agent,
    profile: &'static Profile,
    index: Index,
}

impl SnmpPower {
    /// Reads the settings. `None` if there is a fault among them.
    pub fn read(table: &mut Table<'_>) -> Option<SnmpPower> {
        let agent = Agent::read(table);
        let profile = match table.value("profile") {
            None => PROFILES.first(),
            Some(_) => table.required("profile"),
        };
        let index = Index::read(table, profile);
        Some(SnmpPower { agent: agent?, profile: profile?, index: index? })
    }

    /// What a fault means for this outlet, and what its reader can do.
    fn error(&self, fault: Fault) -> Error {
        let device = self.to_string();
        match fault {
            Fault::Silent => Error::Silent { device, limit: self.agent.limit() },
            Fault::Unreachable(why) => Error::Unreachable { device, why },
            Fault::Stranger => Error::Refused { device, why: STRANGER.to_owned() },
            Fault::Nothing => Error::Refused { device, why: self.no_outlet() },
            Fault::Status(number) => Error::Refused { device, why: self.refusal(number) },
            Fault::Garbled(why) => Error::Unreachable { device, why },
            Fault::Clock => Error::Unreachable {
                device,
                why: "it does not settle on a time; is its clock set?".into(),
            },
        }
    }

    /// An agent's error-status (RFC 3416 §3) in words.
    fn refusal(&self, number: u32) -> String {
        match number {
            // All that version 1 has to say of what is not there, or not for this community.
            status::ERRSTATUS_NOSUCHNAME => {
                format!("{}; or {}", self.no_outlet(), self.agent.identity.how_to_write())
            }
            status::ERRSTATUS_NOCREATION | status::ERRSTATUS_INCONSISTENTNAME => self.no_outlet(),
            status::ERRSTATUS_READONLY
            | status::ERRSTATUS_NOACCESS
            | status::ERRSTATUS_AUTHORIZATIONERROR
            | status::ERRSTATUS_NOTWRITABLE => self.agent.identity.how_to_write(),
            status::ERRSTATUS_BADVALUE
            | status::ERRSTATUS_WRONGTYPE..=status::ERRSTATUS_WRONGVALUE
            | status::ERRSTATUS_INCONSISTENTVALUE => format!(
                "it does not take what profile '{}' writes; is it the right one?",
                self.profile.name
            ),
            other => format!("SNMP error-status {other}; its own log may tell more"),
        }
    }

    fn no_outlet(&self) -> String {
        let port = self.index.port();
        let profile = self.profile.name;
        format!("it has no outlet {port} that profile '{profile}' knows; compare port and profile")
    }
}

impl Power for SnmpPower {
    async fn set(&self, on: bool) -> Result<(), Error> {
        let (name, number) = self.profile.order(on, &self.index);
        match self.agent.ask(&Question::Set(name.clone(), number)).await {
            Ok(_) => Ok(()),
            // Many agents say so of what is not there.
            Err(Fault::Status(status::ERRSTATUS_NOTWRITABLE))
                if self.agent.ask(&Question::Get(vec![name])).await == Err(Fault::Nothing) =>
            {
                Err(self.error(Fault::Nothing))
            }
            Err(fault) => Err(self.error(fault)),
        }
    }

    /// A PoE port is on when it delivers power; until then it is between the two.
    async fn get(&self) -> Result<Option<bool>, Error> {
        let question = Question::Get(self.profile.questions(&self.index));
        let answers = self.agent.ask(&question).await.map_err(|fault| self.error(fault))?;
        self.profile.reading(&answers).map_err(|unclear| Error::Refused {
            device: self.to_string(),
            why: match unclear {
                Unclear::Fault => {
                    "port reports a power fault; look at the board and its cable".into()
                }
                Unclear::Unheard(number) => format!(
                    "it answers {number}, which profile '{}' does not know; is it the right one?",
                    self.profile.name
                ),
            },
        })
    }

    fn caution(&self) -> Option<String> {
        let name = self.profile.name;
        (self.profile.proof == Proof::Unproven).then(|| {
            format!("the profile '{name}' rests on one source: see for yourself that it switches, and say so")
        })
    }

    fn controller(&self) -> String {
        format!("snmp {}:{}", self.agent.host, self.agent.udp_port)
    }
}

/// `snmppower poe port 3`, `snmppower pdu:1161 unit 2 port 3`: what is not said is the default.
impl fmt::Display for SnmpPower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "snmppower {}", self.agent.host)?;
        if self.agent.udp_port != DEFAULT_UDP_PORT {
            write!(f, ":{}", self.agent.udp_port)?;
        }
        write!(f, " {}", self.index)
    }
}

impl Agent {
    fn read(table: &mut Table<'_>) -> Option<Agent> {
        let host: Option<String> = table.required("host");
        let udp_port = table.or("udp_port", DEFAULT_UDP_PORT);
        let identity = Identity::read(table);
        let timeout: Span = table.or("timeout", Span::seconds(1));
        let retries = table.or("retries", 2);
        let faults = [
            ("host", host.as_deref() == Some(""), "host: a name or an address is wanted"),
            ("udp_port", udp_port == 0, "udp_port: ports are counted from 1"),
            ("timeout", timeout == Span(0), "timeout: no time at all is too little"),
        ];
        for (key, _, message) in faults.iter().filter(|(_, faulty, _)| *faulty) {
            table.fault(key, *message);
        }
        Some(Agent {
            host: host?,
            udp_port,
            identity: identity?,
            timeout: timeout.duration(),
            retries,
        })
    }
}

#[cfg(test)]
mod tests;
