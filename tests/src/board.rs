//! A board whose console is a port of a terminal server, which is this test.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Mutex as Turn, watch};
use tokio::task::JoinHandle;

use crate::patience::soon;

/// The board. Its cable may be pulled out and put back.
pub struct TestBoard {
    port: u16,
    wire: Arc<watch::Sender<Option<Arc<Wire>>>>,
    server: Mutex<Option<JoinHandle<()>>>,
}

/// A connection from the lab's line.
struct Wire {
    ear: Turn<OwnedReadHalf>,
    mouth: Turn<OwnedWriteHalf>,
}

impl TestBoard {
    /// A board that waits for its line to open the console.
    ///
    /// # Errors
    /// The system's.
    pub async fn new() -> Result<TestBoard> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let wire = Arc::new(watch::Sender::new(None));
        let server = Mutex::new(Some(tokio::spawn(serve(listener, wire.clone()))));
        Ok(TestBoard { port, wire, server })
    }

    /// The terminal server's port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The board prints.
    ///
    /// # Errors
    /// If nobody has the console open.
    pub async fn print(&self, bytes: impl AsRef<[u8]>) -> Result<()> {
        let wire = self.wire().await?;
        let mut mouth = wire.mouth.lock().await;
        Ok(soon(mouth.write_all(bytes.as_ref())).await??)
    }

    /// What was typed: as many bytes as there should be.
    ///
    /// # Errors
    /// If they do not come.
    pub async fn typed(&self, bytes: usize) -> Result<String> {
        let wire = self.wire().await?;
        let mut typed = vec![0; bytes];
        let mut ear = wire.ear.lock().await;
        soon(ear.read_exact(&mut typed)).await.context("typed bytes are missing")??;
        Ok(String::from_utf8_lossy(&typed).into_owned())
    }

    /// What is typed is printed, as a shell does, as long as what is returned is not dropped.
    ///
    /// # Errors
    /// If nobody has the console open.
    pub async fn echo(&self) -> Result<Echo> {
        let wire = self.wire().await?;
        Ok(Echo(tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = wire.ear.lock().await.read(&mut buffer).await {
                if wire.mouth.lock().await.write_all(&buffer[..read]).await.is_err() {
                    return;
                }
            }
        })))
    }

    /// The cable is out, and the port refuses.
    pub async fn unplug(&self) {
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(server) = server {
            server.abort();
            // It ends because it is told to.
            let _ = server.await;
        }
        self.forget();
    }

    /// The cable is back.
    ///
    /// # Errors
    /// The system's.
    pub async fn plug(&self) -> Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await?;
        let server = tokio::spawn(serve(listener, self.wire.clone()));
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
        Ok(())
    }

    /// Another lab is about to open the console: the present connection does not count any more.
    pub fn forget(&self) {
        self.wire.send_replace(None);
    }

    async fn wire(&self) -> Result<Arc<Wire>> {
        let mut wire = self.wire.subscribe();
        let wire = soon(wire.wait_for(Option::is_some)).await.context("the console is not open")?;
        wire?.clone().context("there is one")
    }
}

impl Drop for TestBoard {
    fn drop(&mut self) {
        if let Some(server) = self.server.lock().unwrap_or_else(PoisonError::into_inner).take() {
            server.abort();
        }
    }
}

/// A board that echoes.
pub struct Echo(JoinHandle<()>);

impl Drop for Echo {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn serve(listener: TcpListener, wire: Arc<watch::Sender<Option<Arc<Wire>>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        // Small pieces are to arrive as they were printed.
        let _ = stream.set_nodelay(true);
        let (ear, mouth) = stream.into_split();
        wire.send_replace(Some(Arc::new(Wire { ear: Turn::new(ear), mouth: Turn::new(mouth) })));
    }
}
