//! Consoles as serial ports, for clients of other make: pyserial, tio, labgrid, telnet, nc.
//!
//! Each board may have one that speaks RFC 2217, and one for raw bytes. They are on loopback, where the
//! kernel says whose program comes; there is nothing to prove, and nothing travels that others could read.
//! Whoever comes must hold the board, sits at its console as any viewer, and is cut when the hold ends.
//! From elsewhere, people come by `labctl serial`.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use protocol::address::Address;
use protocol::board::BoardName;
use protocol::client::Client;
use protocol::console::{From, Pen};
use protocol::serial_port::{Dialect, SerialPort};
use protocol::wire::{Follow, Purpose};
use protocol::{Error, Span, neighbour, silence};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::doorstep::{self, Doorstep};
use crate::lab::Lab;
use crate::lab::people::Peer;
use crate::rpc::identity;
use crate::rpc::inside::{self, Inside};
use crate::rules::limit::{Lately, Limit, Verdict};

/// So long may the system take to say who somebody is.
const PATIENCE: Duration = Duration::from_secs(10);
/// The system is asked about so many at a time.
const ASKED: usize = 16;
/// So many are told at a time why they are not let in.
const REFUSED: usize = 32;
/// So often it is written down that somebody is not known.
const UNKNOWN: Limit = Limit { times: 10, every: Span::minutes(1) };
/// So long may somebody take to hear why they are not let in.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What is found at a port.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Port {
    board: BoardName,
    dialect: Dialect,
}

/// The ports that are open; they close when this is dropped.
pub struct Ports {
    door: Arc<Door>,
    tasks: JoinSet<()>,
    open: BTreeMap<SocketAddr, (Port, tokio::task::AbortHandle)>,
}

struct Door {
    lab: Arc<Lab>,
    doorstep: Arc<Doorstep>,
    /// The system is asked about so many at a time.
    asking: Semaphore,
    refusing: Semaphore,
    /// Those of whom it said nothing.
    unknown: Mutex<Lately>,
}

impl Ports {
    /// Opens those of the configuration.
    ///
    /// # Errors
    /// Which cannot be opened, and why.
    pub async fn open(lab: Arc<Lab>, doorstep: Arc<Doorstep>) -> io::Result<Ports> {
        let (asking, refusing) = (Semaphore::new(ASKED), Semaphore::new(REFUSED));
        let unknown = Mutex::default();
        let door = Arc::new(Door { lab, doorstep, asking, refusing, unknown });
        let mut ports = Ports { door, tasks: JoinSet::new(), open: BTreeMap::new() };
        for (address, port) in ports.wanted() {
            ports.add(address, port).await?;
        }
        Ok(ports)
    }

    /// Goes with the configuration until the lab ends.
    pub async fn keep(mut self) {
        let (mut reloads, mut ending) = (self.door.lab.reloads(), self.door.lab.ending());
        loop {
            tokio::select! {
                Ok(()) = reloads.changed() => self.change().await,
                _ = ending.changed() => return,
            }
        }
    }

    async fn change(&mut self) {
        let wanted = self.wanted();
        self.open.retain(|address, (port, task)| {
            let stays = wanted.get(address) == Some(port);
            if !stays {
                task.abort();
            }
            stays
        });
        // An address is free when its listener is gone.
        while self.tasks.len() > self.open.len() {
            self.tasks.join_next().await;
        }
        for (address, port) in wanted {
            if !self.open.contains_key(&address)
                && let Err(error) = self.add(address, port).await
            {
                tracing::error!(%error, "a port is not open");
            }
        }
    }

    fn wanted(&self) -> BTreeMap<SocketAddr, Port> {
        let config = self.door.lab.config();
        let of_board = |board: &crate::config::BoardConfig| {
            let name = board.name.clone();
            let port = move |(at, dialect)| (at, Port { board: name.clone(), dialect });
            board.serve.ports().map(port).collect::<Vec<_>>()
        };
        config.boards.iter().flat_map(of_board).collect()
    }

    async fn add(&mut self, address: SocketAddr, port: Port) -> io::Result<()> {
        let listener = TcpListener::bind(address).await.map_err(|error| {
            let board = &port.board;
            io::Error::new(error.kind(), format!("{board} cannot be served at {address}: {error}"))
        })?;
        tracing::info!(%address, board = %port.board, "a console is served");
        let task = self.tasks.spawn(serve(self.door.clone(), listener, port.clone()));
        self.open.insert(address, (port, task));
        Ok(())
    }
}

/// Serves whoever comes to a port until the lab ends, or the port is no longer wanted.
async fn serve(door: Arc<Door>, listener: TcpListener, port: Port) {
    let _open = door.lab.keep_out_tunnels(&listener);
    let (mut ending, mut served) = (door.lab.ending(), JoinSet::new());
    loop {
        tokio::select! {
            next = doorstep::next(&listener, &mut ending) => match next {
                Some((stream, _)) => drop(served.spawn(door.clone().receive(stream, port.clone()))),
                None => return,
            },
            Some(_) = served.join_next() => {}
        }
    }
}

impl Door {
    async fn receive(self: Arc<Self>, mut stream: TcpStream, port: Port) {
        let Ok(from) = stream.peer_addr() else { return };
        let door = match port.dialect {
            Dialect::Raw => "raw",
            Dialect::Rfc2217 => "rfc2217",
        };
        let peer = match self.known(&stream, from, format!("{door} {from}")).await {
            Ok(peer) => peer,
            Err(why) => {
                if self.is_written() {
                    self.lab.turned_away(None, format!("{door} {from}"), why.to_string());
                }
                return self.refuse(&mut stream, &why).await;
            }
        };
        let outcome = match self.doorstep.come_in(&peer.name) {
            Ok(_here) => self.attend(&mut stream, &port, &peer).await,
            Err(why) => Err(why),
        };
        if let Err(why) = outcome {
            self.refuse(&mut stream, &why).await;
        }
    }

    /// Whose program comes. All of them come from one address, which says nothing of who it is: nobody is
    /// barred for what others of this machine do, and whoever is known has so many connections as a user.
    ///
    /// # Errors
    /// [`Error::NotKnown`] if the system does not say.
    async fn known(
        &self,
        stream: &TcpStream,
        from: SocketAddr,
        via: String,
    ) -> Result<Peer, Error> {
        if self.lab.is_tunnel(from) {
            // To the kernel that is labd's own user; who it really is has other ways in.
            return Err(unsaid());
        }
        // Nobody closes it, and the system does not wait for those who come.
        let _turn = self.asking.acquire().await;
        timeout(PATIENCE, who(stream, via)).await.unwrap_or_else(|_| Err(unsaid()))
    }

    /// Whether one more of those of whom the system says nothing is written down.
    fn is_written(&self) -> bool {
        self.unknown.lock().again(UNKNOWN, self.lab.clock().now()) == Verdict::Allowed
    }

    /// Says why somebody is not let in. Who comes in great numbers is not told each time.
    async fn refuse(&self, stream: &mut TcpStream, why: &Error) {
        if let Ok(_place) = self.refusing.try_acquire() {
            refuse(stream, why).await;
        }
    }

    /// Serves somebody until they leave or may no longer type here.
    ///
    /// # Errors
    /// Why they may not.
    async fn attend(&self, stream: &mut TcpStream, port: &Port, peer: &Peer) -> Result<(), Error> {
        // If it cannot be had, a client that hangs is noticed when the board says something.
        let _ = silence::notice(stream);
        let board = port.board.clone();
        let console =
            Follow::Console { board, from: From::End, pen: Pen::Wanted, stop_at_end: false };
        let Inside { flow, welcome, over } =
            inside::ask(&self.lab, peer, &Purpose::Follow(console)).await?;
        let calls = inside::ask(&self.lab, peer, &Purpose::Call).await?;
        let calls = Client::over(calls.flow, Address::Unix("serial".into()));
        let seat = SerialPort::at(&port.board, welcome.session, Pen::Wanted, calls).await?;
        let served = tokio::select! {
            served = seat.serve(port.dialect, stream, flow) => served,
            // Also if the client reads nothing, and what is on its way to it never ends.
            _ = over => Ok(()),
        };
        if let Err(error) = served {
            tracing::debug!(%error, board = %port.board, "a client of other make has gone");
        }
        Ok(())
    }
}

/// Whose program comes.
///
/// # Errors
/// [`Error::NotKnown`] if the system does not say.
async fn who(stream: &TcpStream, via: String) -> Result<Peer, Error> {
    let uid = neighbour::uid(stream).await.map_err(|_| unsaid())?;
    identity::of_uid(uid, via).await
}

fn unsaid() -> Error {
    let why = "the system does not say whose program this is; use 'labctl serial' instead";
    Error::NotKnown { why: why.to_owned() }
}

/// Says why somebody is not let in. Who is still talking when the door closes does not read why, so they are
/// heard out, for a moment.
async fn refuse(stream: &mut TcpStream, why: &Error) {
    let told = async {
        stream.write_all(format!("[{why}]\r\n").as_bytes()).await?;
        stream.shutdown().await?;
        tokio::io::copy(stream, &mut tokio::io::sink()).await
    };
    // Whoever does not wait for it need not have it.
    let _ = timeout(LAST_WORDS, told).await;
}
