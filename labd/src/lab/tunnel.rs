//! Reaching a board's own network services through the lab.
//!
//! Whoever asks names a board and a port, and nothing else: where it is the lab knows, from the board's
//! attributes, and which ports are open to its holder besides its sshd's, too. A tunnel is opened under the
//! asker's hold, and is over with it. What bytes go through is the door's.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use protocol::Error;
use protocol::board::BoardName;
use protocol::dial::Stream;
use protocol::journal::Event;
use protocol::user::{Verb, Who};
use serde_json::Value as Json;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::own::{Own, Way};
use super::people::on;
use super::{Board, Lab};
use crate::rules::access;

/// Where a board's sshd listens, unless its attribute `ssh_port` says otherwise.
pub const SSH: u16 = 22;
/// A board that boots answers nothing.
const PATIENCE: Duration = Duration::from_secs(10);
/// So much is written down of what somebody asks for.
const LONGEST: usize = 80;

/// Somebody at another door who wants to the ssh door.
pub struct SshVisitor {
    /// What they go on speaking on.
    pub stream: Box<dyn Stream>,
    /// Where they come from.
    pub from: IpAddr,
    /// By which door, and from where, for the timeline.
    pub via: String,
}

/// A way to a board, as long as the hold lasts under which it was opened.
#[derive(Debug)]
pub struct Tunnel {
    /// Where it leads.
    to: SocketAddr,
    board: BoardName,
    number: u64,
    fence: watch::Receiver<u64>,
    own: Arc<Own>,
    /// Where it comes from, as long as it lives.
    way: Option<Way>,
}

impl Tunnel {
    /// Connects to where it leads.
    ///
    /// # Errors
    /// [`Error::HoldOver`], [`Error::Device`] if nothing answers there.
    pub async fn connect(&mut self) -> Result<TcpStream, Error> {
        let (to, board, own) = (self.to, self.board.clone(), self.own.clone());
        let device = |why: String| {
            let device = board.to_string();
            Error::Device { device, why: format!("{board} at {to}: {why}") }
        };
        let stream = tokio::select! {
            stream = timeout(PATIENCE, own.connect(to)) => stream,
            () = self.until_over() => {
                let (board, number) = (board.clone(), self.number);
                return Err(Error::HoldOver { board, number, how: "it has ended".to_owned() });
            }
        };
        let late = |_| device("it does not answer".to_owned());
        let connected = stream.map_err(late)?;
        let (stream, way) = connected.map_err(|error| device(error.to_string()))?;
        self.way = Some(way);
        // Without it, keys arrive late; with a stack that refuses, they still arrive.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }

    /// Returns when the hold is over.
    pub async fn until_over(&mut self) {
        // A board that is gone has no holder.
        let _ = self.fence.wait_for(|fence| *fence > self.number).await;
    }
}

impl Lab {
    /// Those who are led to the ssh door from another one. They are for the ssh door, once.
    pub fn ssh_visitors(&self) -> Option<mpsc::Receiver<SshVisitor>> {
        let (to, from) = mpsc::channel(1);
        self.to_ssh.set(to).is_ok().then_some(from)
    }

    /// Whether there is an ssh door.
    ///
    /// # Errors
    /// [`Error::Bad`].
    pub fn has_ssh(&self) -> Result<(), Error> {
        let why = "this lab has no ssh door; write ssh { listen = … } in labd.conf".to_owned();
        self.to_ssh.get().map(drop).ok_or(Error::Bad { why })
    }

    /// Leads somebody to the ssh door.
    pub async fn to_ssh(&self, visitor: SshVisitor) {
        if let Some(door) = self.to_ssh.get() {
            // If it is closed, so is the connection.
            let _ = door.send(visitor).await;
        }
    }

    /// Opens a way to a port of the board that `target` names; 22 is its sshd's, wherever that really
    /// listens. What is refused is written down.
    ///
    /// # Errors
    /// [`Error::NoSuch`] for whatever is not a board's name; as [`access::may_on`];
    /// [`Error::Lacks`], [`Error::Bad`] if nobody said where the board is, or for another port;
    /// [`Error::CannotRecord`].
    pub async fn tunnel(&self, who: &Who, target: &str, port: u32) -> Result<Tunnel, Error> {
        let board = self.named(who, target).inspect_err(|why| {
            let name = target.parse().ok().filter(|name| self.board(name).is_some());
            self.deny(who, Verb::Tunnel, name.as_ref(), why);
        })?;
        let name = &board.config.name;
        self.allow_on(who, Verb::Tunnel, &board)?;
        let to = destination(name, &self.known(&board), port)
            .and_then(|to| if self.own.is_door(to) { Err(itself(name, to)) } else { Ok(to) })
            .inspect_err(|why| self.deny(who, Verb::Tunnel, Some(name), why))?;
        let (tunnel, commit) = {
            // Under the book's lock, so that no hold ends between the look and the fence.
            let remembered = self.remembered()?;
            let number = access::may_on(who, Verb::Tunnel, on(&board, &remembered.book))
                .inspect_err(|why| self.deny(who, Verb::Tunnel, Some(name), why))?
                .ok_or_else(|| Error::NotHeld { board: name.clone() })?;
            let fence = board.fence.subscribe();
            let (own, way) = (self.own.clone(), None);
            let tunnel = Tunnel { to, board: name.clone(), number, fence, own, way };
            let event = Event::Tunnelled { to: to.to_string() };
            let draft = self.entry_by(who, Some(name), event, Vec::new());
            (tunnel, self.ledger().stage_upon(remembered.generation, [draft]))
        };
        commit.await.map_err(|error| Error::CannotRecord { why: error.to_string() })?;
        Ok(tunnel)
    }

    /// The board of that name, whatever may have been sent as one.
    fn named(&self, who: &Who, target: &str) -> Result<Arc<Board>, Error> {
        let none = |_| {
            let (what, name) = ("board".to_owned(), target.chars().take(LONGEST).collect());
            Error::NoSuch { what, name, near: None }
        };
        self.look_up(who, &target.parse::<BoardName>().map_err(none)?)
    }
}

/// What is told of a board that is said to be where labd is.
fn itself(board: &BoardName, to: SocketAddr) -> Error {
    let why = format!(
        "labd itself listens at {to}, and {board} does not; an administrator can correct its 'ip' and 'ports'"
    );
    Error::Bad { why }
}

/// Where a board's sshd is, as its attributes say. Only an address will do: a name could mean another
/// machine each time it is looked up.
fn destination(
    board: &BoardName,
    known: &BTreeMap<String, Json>,
    port: u32,
) -> Result<SocketAddr, Error> {
    let at = known.get("ip").or_else(|| known.get("address"));
    let lacks = || Error::Lacks { board: board.clone(), what: "attribute 'ip'".to_owned() };
    let bad = |why: String| Error::Bad { why };
    let at = at.ok_or_else(lacks)?;
    let ip: IpAddr = at
        .as_str()
        .and_then(|at| at.parse().ok())
        .ok_or_else(|| bad(format!("the attribute 'ip' of {board} is no address")))?;
    let ssh = match known.get("ssh_port") {
        None => SSH,
        Some(port) => port
            .as_u64()
            .or_else(|| port.as_str()?.parse().ok())
            .and_then(|port| u16::try_from(port).ok())
            .ok_or_else(|| bad(format!("the attribute 'ssh_port' of {board} is no port")))?,
    };
    if port == u32::from(SSH) || port == u32::from(ssh) {
        return Ok(SocketAddr::new(ip, ssh));
    }
    let open = u16::try_from(port).ok().filter(|port| is_open(known.get("ports"), *port));
    let closed = || {
        bad(format!(
            "port {port} of {board} is not open to its holder; an administrator can say so with 'ports = [{port}]'"
        ))
    };
    Ok(SocketAddr::new(ip, open.ok_or_else(closed)?))
}

/// Whether the attribute `ports` has a port: a number, a list of them, or `any`.
fn is_open(ports: Option<&Json>, port: u16) -> bool {
    match ports {
        Some(Json::Array(ports)) => ports.iter().any(|it| is_open(Some(it), port)),
        Some(Json::String(text)) => text == "any" || text.parse() == Ok(port),
        Some(Json::Number(number)) => number.as_u64() == Some(port.into()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tunnel_leads_where_the_attributes_say_and_nowhere_else() {
        let to = |attributes: Json, port| {
            let known = serde_json::from_value(attributes).expect("attributes");
            destination(&"rpi4".parse().expect("a name"), &known, port)
                .map(|to| to.to_string())
                .map_err(|error| error.to_string())
        };
        for (attributes, port, wanted) in [
            (json!({ "ip": "10.0.0.7" }), 22, Ok("10.0.0.7:22")),
            (json!({ "address": "fd00::7" }), 22, Ok("[fd00::7]:22")),
            (json!({ "ip": "10.0.0.7", "ssh_port": 2201 }), 22, Ok("10.0.0.7:2201")),
            (json!({ "ip": "10.0.0.7", "ssh_port": "2201" }), 2201, Ok("10.0.0.7:2201")),
            (json!({}), 22, Err("rpi4 has no attribute 'ip'")),
            (json!({ "ip": "rpi4.lab" }), 22, Err("the attribute 'ip' of rpi4 is no address")),
            (json!({ "ip": "010.0.0.7" }), 22, Err("the attribute 'ip' of rpi4 is no address")),
            (json!({ "ip": 7 }), 22, Err("the attribute 'ip' of rpi4 is no address")),
            (
                json!({ "ip": "10.0.0.7", "ssh_port": 70_000 }),
                22,
                Err("the attribute 'ssh_port' of rpi4 is no port"),
            ),
            (
                json!({ "ip": "10.0.0.7" }),
                80,
                Err(
                    "port 80 of rpi4 is not open to its holder; an administrator can say so with 'ports = [80]'",
                ),
            ),
            (json!({ "ip": "10.0.0.7", "ports": [80, "443"] }), 80, Ok("10.0.0.7:80")),
            (json!({ "ip": "10.0.0.7", "ports": [80, "443"] }), 443, Ok("10.0.0.7:443")),
            (json!({ "ip": "10.0.0.7", "ports": "any" }), 1234, Ok("10.0.0.7:1234")),
            (json!({ "ip": "10.0.0.7", "ports": "any" }), 22, Ok("10.0.0.7:22")),
            (
                json!({ "ip": "10.0.0.7", "ports": [80] }),
                81,
                Err(
                    "port 81 of rpi4 is not open to its holder; an administrator can say so with 'ports = [81]'",
                ),
            ),
            (
                json!({ "ip": "10.0.0.7", "ports": "any" }),
                65_558,
                Err(
                    "port 65558 of rpi4 is not open to its holder; an administrator can say so with 'ports = [65558]'",
                ),
            ),
        ] {
            let wanted = wanted.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(to(attributes.clone(), port), wanted, "{attributes} {port}");
        }
    }
}
