//! An HTTP proxy, which lets nothing through but CONNECT.

use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// The proxy. Whatever host it is asked for, it connects to this machine.
pub struct Proxy {
    /// Where it listens.
    pub port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// A proxy that waits for somebody.
    ///
    /// # Errors
    /// The system's.
    pub async fn new() -> Result<Proxy> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let noted = asked.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Whoever is refused sees that.
                tokio::spawn(serve(stream, noted.clone()));
            }
        });
        Ok(Proxy { port, asked })
    }

    /// The heads of what it was asked.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().clone()
    }
}

async fn serve(stream: TcpStream, noted: Arc<Mutex<Vec<String>>>) -> Result<()> {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        ensure!(stream.read_line(&mut head).await? > 0, "it has left");
    }
    noted.lock().push(head.clone());
    let mut words = head.split(' ');
    if words.next() != Some("CONNECT") {
        stream.write_all(b"HTTP/1.1 405 Method Not Allowed\r\n\r\n").await?;
        bail!("something else is asked for");
    }
    let (_, port) = words.next().and_then(|to| to.rsplit_once(':')).context("somewhere")?;
    let mut there = TcpStream::connect((Ipv4Addr::LOCALHOST, port.parse()?)).await?;
    stream.write_all(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n").await?;
    copy_bidirectional(&mut stream, &mut there).await?;
    Ok(())
}
