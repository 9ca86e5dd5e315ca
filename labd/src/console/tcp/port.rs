//! Open connections to a terminal server.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use protocol::console::LineErrors;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::warn;

use super::codec::Codec;
use crate::console::Port;
use crate::console::uart::Uart;

/// How long a server may take to answer which options it agrees to.
const NEGOTIATION_LIMIT: Duration = Duration::from_secs(5);

/// Bytes read at once.
const CHUNK: usize = 4096;

/// Typed bytes are taken while fewer than this wait to be sent.
const TYPED_LIMIT: usize = 4096;

/// Nothing is read while this many wait to be sent. Typing never makes so many: they are replies to
/// a server that asks, and does not read.
const REPLY_LIMIT: usize = 65_536;

/// Bytes as they are.
pub(super) struct Raw {
    stream: TcpStream,
    address: String,
}

impl Raw {
    pub(super) fn new(stream: TcpStream, address: String) -> Raw {
        Raw { stream, address }
    }
}

impl Port for Raw {
    fn set_break(&mut self, _on: bool) -> io::Result<()> {
        Err(io::Error::new(
            ErrorKind::Unsupported,
            format!("{}: raw TCP carries no BREAK; use protocol = telnet", self.address),
        ))
    }
}

impl AsyncRead for Raw {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buf));
        Poll::Ready(closed_or(read, &self.address))
    }
}

impl AsyncWrite for Raw {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        Poll::Ready(written.map_err(|error| named(&self.address, &error)))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Telnet, with RFC 2217 or without it.
///
/// Replies go out with whatever is polled next, reading too: a console that nobody types on must
/// answer all the same.
pub(super) struct Telnet {
    stream: TcpStream,
    address: String,
    codec: Codec,
    /// From the board, decoded and not yet read.
    data: Vec<u8>,
    /// Typed bytes and replies, encoded and not yet sent.
    out: Vec<u8>,
    /// A writer that waits for room, or for the server to want data again: what reading brings.
    writer: Option<Waker>,
}

impl Telnet {
    /// Agrees with the server on the options; with RFC 2217 and the port's settings if `uart`.
    /// A server that leaves some unanswered is taken as it is.
    ///
    /// # Errors
    /// If the server hangs up, or does not do RFC 2217 when it should.
    pub(super) async fn open(
        stream: TcpStream,
        address: String,
        uart: Option<Uart>,
    ) -> io::Result<Telnet> {
        let mut out = Vec::new();
        let codec = Codec::new(uart, &mut out);
        let mut port = Telnet { stream, address, codec, data: Vec::new(), out, writer: None };
        let settled = timeout(NEGOTIATION_LIMIT, poll_fn(|cx| port.poll_settle(cx))).await;
        settled.unwrap_or(Ok(()))?;
        if uart.is_some() && !port.codec.sets_ports() {
            return Err(
                port.refusal("the server does not do RFC 2217; use protocol = telnet or raw")
            );
        }
        Ok(port)
    }

    /// Ready when every option is answered. Should the board be busy talking, what it says is kept
    /// until there is too much of it to go on waiting.
    fn poll_settle(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.codec.is_settled() && self.data.len() < REPLY_LIMIT {
            if ready!(self.poll_receive(cx))? == 0 {
                let why = "the server hung up while options were agreed on: is the port in use?";
                return Poll::Ready(Err(self.refusal(why)));
            }
        }
        Poll::Ready(Ok(()))
    }

    fn refusal(&self, why: &str) -> io::Error {
        io::Error::other(format!("{}: {why}", self.address))
    }

    /// Reads once from the server, decodes, and sends replies as far as they go. Returns how many
    /// bytes there were; none if the server has closed the connection.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        // That nothing can be sent is told to who writes; there may still be something to read.
        let sent = self.poll_send(cx);
        if self.out.len() >= REPLY_LIMIT {
            ready!(sent)?;
        }
        let mut chunk = [0; CHUNK];
        let mut chunk = ReadBuf::new(&mut chunk);
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut chunk));
        closed_or(read, &self.address)?;
        self.codec.receive(chunk.filled(), &mut self.data, &mut self.out);
        if let Some(speed) = self.codec.take_other_speed() {
            warn!(server = self.address, speed, "the server has set another speed");
        }
        let _ = self.poll_send(cx);
        self.wake_writer();
        Poll::Ready(Ok(chunk.filled().len()))
    }

    /// Sends what waits to be sent. Ready when that is all.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            let sent = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.out));
            let sent = sent.map_err(|error| named(&self.address, &error))?;
            self.out.drain(..sent);
            self.wake_writer();
        }
        Poll::Ready(Ok(()))
    }

    fn wake_writer(&mut self) {
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }
}

impl Port for Telnet {
    fn set_break(&mut self, on: bool) -> io::Result<()> {
        self.codec.set_break(on, &mut self.out);
        Ok(())
    }

    fn set_lines(&mut self, dtr: Option<bool>, rts: Option<bool>) -> io::Result<()> {
        if !self.codec.sets_ports() {
            let why =
                "the server does not speak RFC 2217, and plain telnet has neither DTR nor RTS";
            let unknown = io::Error::new(ErrorKind::Unsupported, why);
            return Err(named(&self.address, &unknown));
        }
        self.codec.set_lines(dtr, rts, &mut self.out);
        Ok(())
    }

    fn errors(&self) -> Option<LineErrors> {
        self.codec.errors()
    }
}

impl AsyncRead for Telnet {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // A chunk may hold commands only, and they are not the end.
        while self.data.is_empty() {
            if ready!(self.poll_receive(cx))? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
        let some = self.data.len().min(buf.remaining());
        buf.put_slice(&self.data[..some]);
        self.data.drain(..some);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Telnet {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        typed: &[u8],
    ) -> Poll<io::Result<usize>> {
        let port = self.get_mut();
        let _ = port.poll_send(cx)?;
        if port.codec.is_suspended() || port.out.len() >= TYPED_LIMIT {
            port.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let typed = &typed[..typed.len().min(TYPED_LIMIT)];
        port.codec.send(typed, &mut port.out);
        let _ = port.poll_send(cx)?;
        Poll::Ready(Ok(typed.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_send(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A connection that was reset is closed, like one that was ended in order.
fn closed_or(read: io::Result<()>, address: &str) -> io::Result<()> {
    match read {
        Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(()),
        other => other.map_err(|error| named(address, &error)),
    }
}

fn named(address: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{address}: {error}"))
}
