//! Reaching a board's own network services through the lab.
//!
//! Whoever asks names a board, and nothing else: where it is the lab knows, from the board's attributes.
//! A tunnel is opened under the asker's hold, and is over with it. What bytes go through is the door's.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use protocol::Error;
use protocol::board::BoardName;
use protocol::journal::Event;
use protocol::user::{Verb, Who};
use serde_json::Value as Json;
use tokio::sync::watch;

use super::people::on;
use super::{Board, Lab};
use crate::rules::access;

/// Where a board's sshd listens, unless its attribute `ssh_port` says otherwise.
const SSH: u16 = 22;
/// So much is written down of what somebody asks for.
const LONGEST: usize = 80;

/// A way to a board, as long as the hold lasts under which it was opened.
#[derive(Debug)]
pub struct Tunnel {
    /// Where it leads.
    pub to: SocketAddr,
    number: u64,
    fence: watch::Receiver<u64>,
}

impl Tunnel {
    /// Returns when the hold is over.
    pub async fn until_over(&mut self) {
        // A board that is gone has no holder.
        let _ = self.fence.wait_for(|fence| *fence > self.number).await;
    }
}

impl Lab {
    /// Opens a way to the sshd of the board that `target` names; `port` is 22, or where that sshd really
    /// listens. What is refused is written down.
    ///
    /// # Errors
    /// [`Error::NoSuch`] for whatever is not a board's name; as [`access::may_on`];
    /// [`Error::Lacks`], [`Error::Bad`] if nobody said where the board is, or for another port;
    /// [`Error::CannotRecord`].
    pub async fn tunnel(&self, who: &Who, target: &str, port: u32) -> Result<Tunnel, Error> {
        let board =
            self.named(who, target).inspect_err(|why| self.deny(who, Verb::Tunnel, None, why))?;
        let name = &board.config.name;
        self.allow_on(who, Verb::Tunnel, &board)?;
        let to = destination(name, &self.known(&board), port)
            .inspect_err(|why| self.deny(who, Verb::Tunnel, Some(name), why))?;
        let (tunnel, commit) = {
            // Under the book's lock, so that no hold ends between the look and the fence.
            let remembered = self.remembered()?;
            let number = access::may_on(who, Verb::Tunnel, on(&board, &remembered.book))
                .inspect_err(|why| self.deny(who, Verb::Tunnel, Some(name), why))?
                .ok_or_else(|| Error::NotHeld { board: name.clone() })?;
            let tunnel = Tunnel { to, number, fence: board.fence.subscribe() };
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
        self.find(who, &target.parse::<BoardName>().map_err(none)?)
    }
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
    if port != u32::from(SSH) && port != u32::from(ssh) {
        return Err(bad(format!("only the sshd of {board} can be reached, not port {port}")));
    }
    Ok(SocketAddr::new(ip, ssh))
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
                Err("only the sshd of rpi4 can be reached, not port 80"),
            ),
            (
                json!({ "ip": "10.0.0.7" }),
                65_558,
                Err("only the sshd of rpi4 can be reached, not port 65558"),
            ),
        ] {
            let wanted = wanted.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(to(attributes.clone(), port), wanted, "{attributes} {port}");
        }
    }
}
