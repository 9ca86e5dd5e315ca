//! Many who knock and want nothing.

use std::net::Ipv4Addr;

use anyhow::Result;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

use crate::dice::Dice;

/// From so many addresses of this machine.
const SOURCES: u8 = 8;
/// How a TLS connection begins: a record of a hello, of which the rest never comes.
const HALF_A_HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

/// Connections that are held until this is dropped.
pub struct Flood(Vec<TcpStream>);

impl Flood {
    /// A flood of so many at each of these ports, in turn from each address: who say nothing, who stop in the
    /// middle of a TLS handshake, and who say whatever comes to their minds.
    ///
    /// # Errors
    /// The system's, if there are not so many connections to be had.
    pub async fn over(ports: &[u16], silent: usize, half: usize, wild: usize) -> Result<Flood> {
        let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
        setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
        let (mut dice, mut held) = (Dice::new(1), Vec::new());
        for n in 0..silent + half + wild {
            for port in ports {
                let socket = TcpSocket::new_v4()?;
                socket.bind(
                    (Ipv4Addr::new(127, 0, 1, 1 + (n % usize::from(SOURCES)) as u8), 0).into(),
                )?;
                // Whoever is turned away at once may not even come to say anything.
                let Ok(mut stream) = socket.connect(([127, 0, 0, 1], *port).into()).await else {
                    continue;
                };
                let said = match n {
                    n if n < silent => Vec::new(),
                    n if n < silent + half => HALF_A_HELLO.to_vec(),
                    _ => (0..1 + dice.below(2_000)).map(|_| dice.below(256) as u8).collect(),
                };
                let _ = stream.write_all(&said).await;
                held.push(stream);
            }
        }
        Ok(Flood(held))
    }

    /// How many connections it holds, on its side.
    pub fn held(&self) -> usize {
        self.0.len()
    }
}
