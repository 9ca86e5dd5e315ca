//! `labctl forward`: a port of a board on this machine.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use protocol::address::Address;
use protocol::board::BoardName;
use protocol::dial::Flow;
use protocol::{Error, carry, login};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::ctrl_c;
use tokio::task::JoinSet;

use super::{proxy, want};
use crate::At;
use crate::print::Output;

/// Bring a port of a board you hold to this machine.
#[derive(Debug, clap::Args)]
pub struct Forward {
    /// The board
    #[arg(add = want::boards())]
    board: BoardName,
    /// The port here and the board's; 0 here is any that is free
    #[arg(value_name = "[ADDRESS:]PORT:PORT")]
    ports: Ports,
}

/// Where connections come from, and where they go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ports {
    here: SocketAddr,
    there: u16,
}

impl Forward {
    pub(super) async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<()> {
        let Forward { board, ports } = self;
        let at = Arc::new(at.address());
        // What is refused is refused here and now. What is not is for the first who comes: some servers
        // take one connection, and no other.
        let mut first = Some(proxy::open(&at, &board, ports.there).await?);
        let listener = TcpListener::bind(ports.here).await?;
        let here = listener.local_addr()?;
        let there = format!("{board}:{}", ports.there);
        let open = json!({ "here": here.to_string(), "board": board, "port": ports.there });
        out.tell("forward", &open, format_args!("{here} is {there}; Ctrl-C ends it"))?;
        let mut carried = JoinSet::new();
        // Who comes after a day is to be let in, too.
        let kept = login::keep(&at);
        tokio::pin!(kept);
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let (stream, _) = accepted?;
                    let (at, board, first) = (at.clone(), board.clone(), first.take());
                    carried.spawn(carry(at, board, ports.there, first, stream));
                }
                Some(Ok(Err(why))) = carried.join_next() => match why {
                    Error::NotHeld { .. } | Error::HeldBy { .. } | Error::HoldOver { .. } => return Err(why.into()),
                    why => out.say(format_args!("{why}")),
                },
                () = &mut kept => {}
                _ = ctrl_c() => return Ok(()),
            }
        }
    }
}

/// Carries one connection.
///
/// # Errors
/// Why there is no way to the board.
async fn carry(
    at: Arc<Address>,
    board: BoardName,
    port: u16,
    first: Option<Flow>,
    stream: TcpStream,
) -> Result<(), Error> {
    // If it cannot be had, small pieces wait for each other.
    let _ = stream.set_nodelay(true);
    let flow = match first {
        Some(flow) => flow,
        None => proxy::open(&at, &board, port).await?,
    };
    // Each end sees for itself that the other has gone.
    let _ = carry::both(stream, flow).await;
    Ok(())
}

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Ports, String> {
        let wrong = || format!("'{text}' is not PORT:PORT, or ADDRESS:PORT:PORT");
        let (here, there) = text.rsplit_once(':').ok_or_else(wrong)?;
        let there = there.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?;
        let here = match here.rsplit_once(':') {
            None => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), here.parse().map_err(|_| wrong())?),
            Some((address, port)) => {
                let address: IpAddr =
                    address.trim_matches(['[', ']']).parse().map_err(|_| wrong())?;
                SocketAddr::new(address, port.parse().map_err(|_| wrong())?)
            }
        };
        Ok(Ports { here, there })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read() {
        let read = |text: &str| text.parse::<Ports>().map(|it| (it.here.to_string(), it.there));
        assert_eq!(read("8080:80"), Ok(("127.0.0.1:8080".to_owned(), 80)));
        assert_eq!(read("0.0.0.0:8080:80"), Ok(("0.0.0.0:8080".to_owned(), 80)));
        assert_eq!(read("[::1]:0:80"), Ok(("[::1]:0".to_owned(), 80)));
        for wrong in ["", "80", "80:0", "x:80", "80:x", "lab:80:80", "80:70000"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
