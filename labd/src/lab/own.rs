//! What labd itself listens at, and from where its tunnels come: a tunnel that led back to it would make its
//! holder somebody of this machine, and at a serial port labd's own user.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::Lab;

/// What is labd's own.
#[derive(Debug, Default)]
pub(super) struct Own {
    doors: Mutex<Vec<SocketAddr>>,
    /// The ports from which tunnels come.
    ways: Mutex<HashSet<u16>>,
}

/// A door that is open until this is dropped.
pub struct Open {
    own: Arc<Own>,
    at: Option<SocketAddr>,
}

/// The port from which a tunnel comes, until this is dropped.
#[derive(Debug)]
pub(super) struct Way {
    own: Arc<Own>,
    port: u16,
}

impl Lab {
    /// No tunnel leads to this listener as long as what is returned lives.
    pub fn keep_out_tunnels(&self, listener: &TcpListener) -> Open {
        let (own, at) = (self.own.clone(), listener.local_addr().ok());
        own.doors.lock().extend(at);
        Open { own, at }
    }

    /// Whether whoever comes from there, from this machine, comes by a tunnel.
    pub fn is_tunnel(&self, from: SocketAddr) -> bool {
        self.own.ways.lock().contains(&from.port())
    }
}

impl Own {
    /// Whether labd listens there.
    pub(super) fn is_door(&self, to: SocketAddr) -> bool {
        let doors = self.doors.lock();
        let mut of_port = doors.iter().filter(|door| door.port() == to.port());
        of_port.any(|door| leads(to.ip().to_canonical(), door.ip().to_canonical()))
    }

    /// Connects from a port that is known as a tunnel's before anybody sees it.
    ///
    /// # Errors
    /// The system's.
    pub(super) async fn connect(self: &Arc<Self>, to: SocketAddr) -> io::Result<(TcpStream, Way)> {
        let (socket, any) = match to {
            SocketAddr::V4(_) => (TcpSocket::new_v4()?, IpAddr::from([0; 4])),
            SocketAddr::V6(_) => (TcpSocket::new_v6()?, IpAddr::from([0; 16])),
        };
        socket.bind((any, 0).into())?;
        let port = socket.local_addr()?.port();
        self.ways.lock().insert(port);
        let way = Way { own: self.clone(), port };
        Ok((socket.connect(to).await?, way))
    }
}

/// Whether who asks for `to` comes to a listener at `door`, which may listen at all addresses of this machine.
fn leads(to: IpAddr, door: IpAddr) -> bool {
    let is_here = || to.is_unspecified() || UdpSocket::bind((to, 0)).is_ok();
    match (to.is_unspecified(), door.is_unspecified()) {
        (_, true) => is_here(),
        (true, false) => door.is_loopback(),
        (false, false) => to == door,
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut doors = self.own.doors.lock();
        if let Some(at) = doors.iter().position(|door| Some(*door) == self.at) {
            doors.swap_remove(at);
        }
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.own.ways.lock().remove(&self.port);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_found_by_each_of_its_addresses() {
        for (to, door, wanted) in [
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.2", "127.0.0.1", false),
            ("127.0.0.2", "0.0.0.0", true),
            ("::ffff:127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "::", true),
            ("0.0.0.0", "127.0.0.1", true),
            ("0.0.0.0", "0.0.0.0", true),
            ("192.0.2.7", "0.0.0.0", false),
        ] {
            let [to_ip, door_ip] =
                [to, door].map(|text| text.parse::<IpAddr>().expect("an address").to_canonical());
            assert_eq!(leads(to_ip, door_ip), wanted, "{to} {door}");
        }
    }

    #[test]
    fn a_door_that_is_closed_is_none() {
        let (own, at) = (Arc::<Own>::default(), "127.0.0.1:7002".parse().expect("an address"));
        own.doors.lock().push(at);
        let open = Open { own: own.clone(), at: Some(at) };
        assert!(own.is_door(at) && !own.is_door(SocketAddr::new(at.ip(), 7003)));
        drop(open);
        assert!(!own.is_door(at));
    }

    #[tokio::test]
    async fn who_comes_by_a_tunnel_is_known_as_soon_as_they_are_there() -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let own = Arc::<Own>::default();
        let (stream, way) = own.connect(listener.local_addr()?).await?;
        let (_, from) = listener.accept().await?;
        assert!(own.ways.lock().contains(&from.port()));
        drop((stream, way));
        assert!(own.ways.lock().is_empty());
        Ok(())
    }
}
