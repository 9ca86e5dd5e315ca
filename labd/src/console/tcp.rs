//! Ports of terminal servers, over TCP: bytes as they are, telnet, or telnet with RFC 2217, which
//! also sets the port.

pub mod codec;
mod port;
mod rfc2217;

use std::fmt;
use std::io;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use self::port::{Raw, Telnet};
use super::uart::Uart;
use super::{Console, Port};
use crate::config::reader::Table;
use crate::setting_words;

/// How long a server may take to accept a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Between two attempts. Fixed, since a driver remembers nothing: an attempt is a packet or two, a
/// silent server spaces them by [`CONNECT_LIMIT`] too, and one that returns is back in a second.
const PAUSE: Duration = Duration::from_secs(1);

const REACH_IT: &str = "check that the server is on, and the network between";

/// `{ cls = tcpconsole, host = ts1, port = 4001, protocol = raw }`
///
/// `protocol = rfc2217` takes the settings of [`Uart`] too; the others cannot set the port.
#[derive(Debug, PartialEq)]
pub struct TcpConsole {
    host: String,
    port: u16,
    protocol: Protocol,
}

/// What a terminal server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Bytes as they are; no BREAK.
    Raw,
    /// RFC 854, in binary if the server can; it decides how long a BREAK lasts.
    Telnet,
    /// RFC 2217: telnet that sets the port.
    Rfc2217(Uart),
}

// The settings of the port are read once it is known that they are wanted.
setting_words!(Protocol, "raw, telnet or rfc2217", {
    "raw" => Protocol::Raw,
    "telnet" => Protocol::Telnet,
    "rfc2217" => Protocol::Rfc2217(Uart::default()),
});

impl TcpConsole {
    /// Port `port` of `host`, which is a name or an address.
    pub fn new(host: impl Into<String>, port: u16, protocol: Protocol) -> TcpConsole {
        TcpConsole { host: host.into(), port, protocol }
    }

    /// Reads the settings.
    pub fn read(table: &mut Table<'_>) -> Option<TcpConsole> {
        let protocol = match table.or("protocol", Protocol::Raw) {
            Protocol::Rfc2217(_) => Protocol::Rfc2217(Uart::read(table)),
            cannot_set => {
                refuse_uart(table);
                cannot_set
            }
        };
        let (host, port) = (table.required::<String>("host"), table.required("port"));
        if port == Some(0) {
            table.fault("port", "port: 0 is no port; write one from 1 to 65535");
        }
        Some(TcpConsole::new(host?, port?, protocol))
    }

    /// How the port is set, if it can be set from here.
    pub fn uart(&self) -> Option<&Uart> {
        match &self.protocol {
            Protocol::Rfc2217(uart) => Some(uart),
            Protocol::Raw | Protocol::Telnet => None,
        }
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let addresses: Vec<_> = tokio::net::lookup_host((self.host.as_str(), self.port))
            .await
            .map_err(|error| self.failed(&error, "check the host's name, and the name server"))?
            .collect();
        let stream = TcpStream::connect(&addresses[..]).await.map_err(|error| {
            let advice = match error.kind() {
                io::ErrorKind::ConnectionRefused => "check that the server has this port enabled",
                _ => REACH_IT,
            };
            self.failed(&error, advice)
        })?;
        prepare(&stream).map_err(|error| self.failed(&error, REACH_IT))?;
        Ok(stream)
    }

    fn failed(&self, error: &io::Error, advice: &str) -> io::Error {
        io::Error::new(error.kind(), format!("{}: {error}; {advice}", self.address()))
    }

    /// `ts1:4001`; an address of IPv6 in brackets.
    fn address(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

impl Console for TcpConsole {
    async fn open(&self) -> io::Result<Box<dyn Port>> {
        let stream = timeout(CONNECT_LIMIT, self.connect()).await.unwrap_or_else(|_| {
            let why = format!("no answer within {CONNECT_LIMIT:?}");
            Err(self.failed(&io::Error::new(io::ErrorKind::TimedOut, why), REACH_IT))
        })?;
        match self.protocol {
            Protocol::Raw => Ok(Box::new(Raw::new(stream, self.address()))),
            Protocol::Telnet => Ok(Box::new(Telnet::open(stream, self.address(), None).await?)),
            Protocol::Rfc2217(uart) => {
                Ok(Box::new(Telnet::open(stream, self.address(), Some(uart)).await?))
            }
        }
    }

    async fn appears(&self) {
        sleep(PAUSE).await;
    }
}

/// `tcpconsole ts1:4001 raw`, `tcpconsole ts1:4001 rfc2217 115200 8N1`
impl fmt::Display for TcpConsole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tcpconsole {} ", self.address())?;
        match &self.protocol {
            Protocol::Raw => write!(f, "raw"),
            Protocol::Telnet => write!(f, "telnet"),
            Protocol::Rfc2217(uart) => write!(f, "rfc2217 {uart}"),
        }
    }
}

/// Each setting of a port that cannot be set from here is a fault.
fn refuse_uart(table: &mut Table<'_>) {
    for key in Uart::KEYS {
        if table.value(key).is_some() {
            table.fault(key, format!("{key}: only protocol = rfc2217 can set it; leave it out"));
        }
    }
}

/// Makes a connection send each keystroke at once, and notice within 30 s that the server has gone
/// without a word, or within a minute if it was just being typed to.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    setsockopt(stream, sockopt::KeepAlive, &true)?;
    setsockopt(stream, sockopt::TcpKeepIdle, &10)?;
    setsockopt(stream, sockopt::TcpKeepInterval, &5)?;
    setsockopt(stream, sockopt::TcpKeepCount, &4)?;
    // In milliseconds. Left alone, Linux sends again for 15 minutes.
    setsockopt(stream, sockopt::TcpUserTimeout, &60_000)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::uart::tests::from_settings;

    #[test]
    fn a_console_is_told_as_configured() {
        let ts1 = [("host", "ts1"), ("port", "4001")];
        let cases: [(&[(&str, &str)], &str); 3] = [
            (&[], "tcpconsole ts1:4001 raw"),
            (&[("protocol", "telnet")], "tcpconsole ts1:4001 telnet"),
            (&[("protocol", "rfc2217"), ("speed", "50")], "tcpconsole ts1:4001 rfc2217 50 8N1"),
        ];
        for (more, told) in cases {
            let (console, faults) = from_settings(&[&ts1, more].concat(), TcpConsole::read);
            assert_eq!(console.unwrap().to_string(), told);
            assert!(faults.is_empty(), "{faults:?}");
        }
        let six = TcpConsole::new("fe80::1", 23, Protocol::Raw);
        assert_eq!(six.to_string(), "tcpconsole [fe80::1]:23 raw");
    }

    #[test]
    fn what_cannot_be_is_a_fault() {
        let cases: [(&[(&str, &str)], &str); 4] = [
            (&[("port", "1")], "'host' is missing; write host = a text"),
            (&[("host", "ts1"), ("port", "0")], "port: 0 is no port; write one from 1 to 65535"),
            (
                &[("host", "ts1"), ("port", "1"), ("protocol", "ssh")],
                "protocol: 'ssh' is not raw, telnet or rfc2217",
            ),
            (
                &[("host", "ts1"), ("port", "1"), ("speed", "9600")],
                "speed: only protocol = rfc2217 can set it; leave it out",
            ),
        ];
        for (settings, message) in cases {
            assert_eq!(from_settings(settings, TcpConsole::read).1, [message]);
        }
    }
}
