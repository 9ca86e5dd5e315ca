//! Many who knock and want nothing.

use std::net::Ipv4Addr;
use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, Result};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use protocol::tls::{self, Trust};
use protocol::websocket;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;

use crate::dice::Dice;
use crate::patience::soon;

/// From so many addresses of this machine: enough that all places before the doors are taken.
const SOURCES: u8 = 40;
/// How a TLS connection begins: a record of a hello, of which the rest never comes.
const HALF_A_HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

/// So many WebSockets.
const SOCKETS: usize = 256;
/// What each of them says that it will say in one message, in bytes; all but the end of it is said.
const MESSAGE: usize = 1 << 20;

/// Connections that are held until this is dropped.
pub struct Flood(Vec<Box<dyn AsyncWrite + Send>>);

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
                // Whoever is turned away at once may not even come to say anything.
                let Some(mut stream) = connect(n, *port).await? else { continue };
                let said = match n {
                    n if n < silent => Vec::new(),
                    n if n < silent + half => HALF_A_HELLO.to_vec(),
                    _ => (0..1 + dice.below(2_000)).map(|_| dice.below(256) as u8).collect(),
                };
                let _ = stream.write_all(&said).await;
                held.push(Box::new(stream) as _);
            }
        }
        Ok(Flood(held))
    }

    /// A flood of WebSockets, each of which stops in the middle of a large message.
    ///
    /// # Errors
    /// If the other side neither takes what is said nor closes.
    pub async fn of_sockets(port: u16) -> Result<Flood> {
        let mut held = Vec::new();
        for n in 0..SOCKETS {
            // Whoever has said too much is shut out at some time.
            let Ok(mut stream) = socket(n, port).await else { continue };
            let mut said = b"\x82\xff".to_vec();
            said.extend((MESSAGE as u64).to_be_bytes());
            said.resize(said.len() + MESSAGE, 0);
            // The other side may have heard enough before all is said.
            let _ = soon(stream.write_all(&said[..MESSAGE])).await?;
            let _ = stream.flush().await;
            held.push(Box::new(stream) as _);
        }
        Ok(Flood(held))
    }

    /// How many connections it holds, on its side.
    pub fn held(&self) -> usize {
        self.0.len()
    }
}

/// The nth connection, if it comes to be one.
async fn connect(n: usize, port: u16) -> Result<Option<TcpStream>> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::new(127, 0, 1, 1 + (n % usize::from(SOURCES)) as u8), 0).into())?;
    Ok(socket.connect(([127, 0, 0, 1], port).into()).await.ok())
}

/// The same as a WebSocket.
async fn socket(n: usize, port: u16) -> Result<impl AsyncWrite + Send> {
    let stream = connect(n, port).await?.context("nobody listens")?;
    let trust = Trust::Anybody(Arc::new(OnceLock::new()));
    let connector = TlsConnector::from(Arc::new(tls::client(&trust, None, tls::HTTP)?));
    let mut stream = connector.connect(tls::NAME.try_into()?, stream).await?;
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: lab\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: {}\r\n\r\n",
        websocket::PATH,
        websocket::PROTOCOL
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = [0; 12];
    soon(stream.read_exact(&mut answer)).await??;
    anyhow::ensure!(answer == *b"HTTP/1.1 101", "{}", answer.escape_ascii());
    Ok(stream)
}
