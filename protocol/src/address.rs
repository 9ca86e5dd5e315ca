//! Where a lab is found.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use directories::ProjectDirs;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::tls::Pin;

/// Where the system's daemon listens.
pub const SYSTEM_SOCKET: &str = "/run/labd/labd.sock";

/// The port of a lab that says no other.
pub const PORT: u16 = 7443;
/// The same, at `https://`.
pub const HTTPS_PORT: u16 = 443;

/// In the environment of what labd runs for somebody who is elsewhere: the files and the programs there
/// are not theirs.
pub const VISITOR: &str = "LAB_VISITOR";

/// Where a lab is found: `unix:/run/labd/labd.sock`, `tls://lab.example.org:7443#sha256:…`, or
/// `https://lab.example.org#sha256:…`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub enum Address {
    /// A Unix socket.
    Unix(PathBuf),
    /// A port that speaks TLS.
    Tls {
        /// A name or an IP address.
        host: String,
        /// The port.
        port: u16,
        /// Whose certificates are believed; those of the system's authorities if nothing is said.
        pin: Option<Pin>,
    },
    /// The same port, for whoever is let through to HTTPS only: see [`crate::websocket`].
    Https {
        /// A name or an IP address.
        host: String,
        /// The port.
        port: u16,
        /// As above.
        pin: Option<Pin>,
    },
}

impl Address {
    /// Host, port and pin of a lab elsewhere.
    pub fn elsewhere(&self) -> Option<(&str, u16, Option<Pin>)> {
        match self {
            Address::Unix(_) => None,
            Address::Tls { host, port, pin } | Address::Https { host, port, pin } => {
                Some((host, *port, *pin))
            }
        }
    }

    /// The same place, with another belief.
    pub fn believing(&self, pin: Option<Pin>) -> Address {
        match self.clone() {
            Address::Tls { host, port, .. } => Address::Tls { host, port, pin },
            Address::Https { host, port, .. } => Address::Https { host, port, pin },
            here => here,
        }
    }

    /// Where a client looks when it is not told: the lab that it logged in to last, the user's own
    /// daemon, the system's, the user's demo, whichever there is first.
    pub fn usual() -> Address {
        if let Some(current) = Context::current() {
            return current.address;
        }
        let demo = demo_socket();
        let sockets = [own_socket(), SYSTEM_SOCKET.into(), demo];
        let usual = sockets.into_iter().find(|socket| socket.exists());
        Address::Unix(usual.unwrap_or_else(|| SYSTEM_SOCKET.into()))
    }

    /// Where the user's own demo listens.
    pub fn demo() -> Address {
        Address::Unix(demo_socket())
    }

    /// Whether both are the same place, whatever is believed of it.
    pub fn is_at(&self, other: &Address) -> bool {
        match (self.elsewhere(), other.elsewhere()) {
            (Some((host, port, _)), Some((other, theirs, _))) => (host, port) == (other, theirs),
            _ => self == other,
        }
    }
}

/// The folders of a user's own daemon, by the conventions of the platform.
pub fn project() -> Option<ProjectDirs> {
    ProjectDirs::from("", "", "labd")
}

/// Where a user's own daemon listens.
pub fn own_socket() -> PathBuf {
    runtime_folder().join("labd.sock")
}

/// Where a user's own demo listens.
pub fn demo_socket() -> PathBuf {
    runtime_folder().join("demo.sock")
}

/// `$XDG_RUNTIME_DIR/labd`; where there is none, a folder of the user's own under their data.
fn runtime_folder() -> PathBuf {
    let project = project();
    project
        .as_ref()
        .and_then(|dirs| dirs.runtime_dir().map(Path::to_path_buf))
        .or_else(|| project.as_ref().map(|dirs| dirs.data_local_dir().join("run")))
        .unwrap_or_else(|| PathBuf::from("/tmp/labd"))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
            Address::Tls { host, port, pin } | Address::Https { host, port, pin } => {
                let scheme = if matches!(self, Address::Tls { .. }) { "tls" } else { "https" };
                let brackets = if host.contains(':') { ("[", "]") } else { ("", "") };
                write!(f, "{scheme}://{}{host}{}:{port}", brackets.0, brackets.1)?;
                pin.iter().try_for_each(|pin| write!(f, "#{pin}"))
            }
        }
    }
}

/// Why a text is no address.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is not the address of a lab; write unix:PATH, tls://HOST:PORT or https://HOST:PORT", .0.escape_debug())]
pub struct BadAddress(String);

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Address, BadAddress> {
        let bad = || BadAddress(text.to_owned());
        if let Some(rest) = text.strip_prefix("tls://") {
            let (host, port, pin) = parse_place(rest, PORT).ok_or_else(bad)?;
            return Ok(Address::Tls { host, port, pin });
        }
        if let Some(rest) = text.strip_prefix("https://") {
            let (host, port, pin) = parse_place(rest, HTTPS_PORT).ok_or_else(bad)?;
            return Ok(Address::Https { host, port, pin });
        }
        match text.strip_prefix("unix:") {
            Some(path) if !path.is_empty() => Ok(Address::Unix(path.into())),
            None if text.starts_with('/') => Ok(Address::Unix(text.into())),
            _ => Err(bad()),
        }
    }
}

/// `HOST`, `HOST:PORT`, `[IPV6]:PORT`, each perhaps with `#PIN`.
fn parse_place(text: &str, usual: u16) -> Option<(String, u16, Option<Pin>)> {
    let (place, pin) = match text.split_once('#') {
        Some((place, pin)) => (place, Some(pin.parse().ok()?)),
        None => (text, None),
    };
    let place = place.strip_suffix('/').unwrap_or(place);
    let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => match place.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    let port = port.map_or(Some(usual), |port| port.parse().ok())?;
    let fits = |c: char| c.is_ascii_alphanumeric() || ".-:".contains(c);
    let is_host = !host.is_empty() && host.len() <= 253 && host.chars().all(fits);
    is_host.then(|| (host.to_owned(), port, pin))
}

impl TryFrom<String> for Address {
    type Error = BadAddress;

    fn try_from(text: String) -> Result<Address, BadAddress> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> String {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_is_written() {
        let pin = format!("sha256:{}", "0f".repeat(32));
        for (text, written) in [
            ("unix:/run/x", "unix:/run/x"),
            ("/run/x", "unix:/run/x"),
            ("tls://lab", "tls://lab:7443"),
            ("tls://lab/", "tls://lab:7443"),
            ("tls://192.0.2.1:443", "tls://192.0.2.1:443"),
            ("tls://[2001:db8::1]:443", "tls://[2001:db8::1]:443"),
            ("https://lab", "https://lab:443"),
            ("https://[2001:db8::1]:8443/", "https://[2001:db8::1]:8443"),
            (&format!("tls://lab:1#{pin}"), &format!("tls://lab:1#{pin}")),
        ] {
            let address: Address = text.parse().expect("an address");
            assert_eq!(address.to_string(), written);
            assert_eq!(written.parse(), Ok(address));
        }
        for text in [
            "",
            "lab",
            "tls://",
            "tls://:1",
            "tls://a b",
            "tls://lab:99999",
            "tls://lab#x",
            "tls://a@b",
            "https://",
            "https://lab/path",
            "http://lab",
            "unix:",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
