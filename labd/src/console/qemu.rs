//! Consoles of virtual machines: there while the machine is, and open to one at a time.

use std::fs::{File, TryLockError};
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::{Console, Port};
use crate::qemu::{CONSOLE, Machine, Monitor};

/// When a machine may have been started by somebody else.
const PATIENCE: Duration = Duration::from_secs(1);

impl Console for Machine {
    async fn open(&self) -> io::Result<Box<dyn Port>> {
        let path = self.console();
        let lock = File::create(self.console_lock()).map_err(|why| match why.kind() {
            io::ErrorKind::NotFound => self.is_off(),
            kind => io::Error::new(kind, format!("{self}: {why}")),
        })?;
        lock.try_lock().map_err(|why| match why {
            TryLockError::WouldBlock => {
                io::Error::new(io::ErrorKind::ResourceBusy, format!("{self} is open already"))
            }
            TryLockError::Error(why) => why,
        })?;
        // The socket of a machine that ended stays behind, and refuses.
        let socket = UnixStream::connect(path).await.map_err(|_| self.is_off())?;
        Ok(Box::new(QemuPort { socket, qmp: self.qmp(), sending_break: None, _lock: lock }))
    }

    async fn appears(&self) {
        // An error is only that it took longer.
        let _ = timeout(PATIENCE, self.started()).await;
    }
}

/// An open console.
struct QemuPort {
    socket: UnixStream,
    qmp: PathBuf,
    sending_break: Option<BoxFuture<'static, io::Result<()>>>,
    /// QEMU would let a second client wait without a word.
    _lock: File,
}

impl AsyncRead for QemuPort {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match ready!(Pin::new(&mut self.socket).poll_read(cx, buf)) {
            // So it ends if the guest had not read everything that was typed.
            Err(why) if why.kind() == io::ErrorKind::ConnectionReset => Poll::Ready(Ok(())),
            read => Poll::Ready(read),
        }
    }
}

impl AsyncWrite for QemuPort {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(sending) = &mut self.sending_break {
            let sent = ready!(sending.as_mut().poll(cx));
            self.sending_break = None;
            sent?;
        }
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

impl Port for QemuPort {
    /// QEMU knows no length of a BREAK: its beginning sends one, and its end nothing.
    fn set_break(&mut self, on: bool) -> io::Result<()> {
        if on {
            self.sending_break = Some(Box::pin(send_break(self.qmp.clone())));
        }
        Ok(())
    }
}

async fn send_break(qmp: PathBuf) -> io::Result<()> {
    let mut monitor = Monitor::connect(&qmp).await?;
    monitor.ask("chardev-send-break", json!({ "id": CONSOLE })).await?;
    Ok(())
}
