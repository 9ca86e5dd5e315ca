//! Noticing that the other side of a TCP connection is gone without a word: its machine, or a router on
//! the way.
//!
//! While nothing is on its way, the system asks for a sign of life by itself. While something is, it goes on
//! sending that for a quarter of an hour; and its own limit for it, `TCP_USER_TIMEOUT`, also cuts off whoever
//! is there and only does not read, as a program that was stopped. So it is asked what it heard: whoever does
//! not read still answers when they are asked whether they will again.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use nix::sys::socket::{getsockopt, setsockopt, sockopt};
use nix::{getsockopt_impl, libc, sockopt_impl};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// A connection on which the other side's system has been silent for so long is over. Longer than a router
/// takes to find another way; short enough that whoever waits for an answer still wants it.
const SILENCE: Duration = Duration::from_secs(15);
/// After so many seconds of silence the other side's system is asked for a sign of life, and from then on
/// as often.
const PROBE_S: u32 = 5;
/// So many of these are not answered by whoever is gone.
const PROBES: u32 = 2;
/// So often it is looked at what was heard of what is on its way.
const LOOK: Duration = Duration::from_secs(2);

sockopt_impl!(
    /// What the system knows of a connection.
    TcpInfo,
    GetOnly,
    libc::IPPROTO_TCP,
    libc::TCP_INFO,
    libc::tcp_info
);

/// Sees to it that a connection on which nothing is on its way ends when the other side is gone.
///
/// # Errors
/// The system's.
pub fn notice(stream: &impl AsFd) -> io::Result<()> {
    setsockopt(stream, sockopt::KeepAlive, &true)?;
    setsockopt(stream, sockopt::TcpKeepIdle, &PROBE_S)?;
    setsockopt(stream, sockopt::TcpKeepInterval, &PROBE_S)?;
    setsockopt(stream, sockopt::TcpKeepCount, &PROBES)?;
    Ok(())
}

/// A connection that ends when the other side is gone, whether or not anything is on its way there.
#[derive(Debug)]
pub struct Watched {
    stream: TcpStream,
    /// One for each who may wait, as they may be two tasks.
    reading: Interval,
    writing: Interval,
}

impl Watched {
    /// That connection, from now on.
    ///
    /// # Errors
    /// The system's.
    pub fn new(stream: TcpStream) -> io::Result<Watched> {
        notice(&stream)?;
        let looks = || {
            let mut looks = interval(LOOK);
            looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            looks
        };
        Ok(Watched { stream, reading: looks(), writing: looks() })
    }
}

/// Waits, and looks every now and then whether that is of any use.
fn wait<T>(stream: &TcpStream, looks: &mut Interval, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
    loop {
        ready!(looks.poll_tick(cx));
        if is_gone(stream) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
    }
}

/// Whether the other side's system has not answered for long, though it was asked more than once.
fn is_gone(stream: &TcpStream) -> bool {
    let Ok(info) = getsockopt(stream, TcpInfo) else { return false };
    let is_asked = info.tcpi_unacked > 0 && info.tcpi_retransmits > 1 || info.tcpi_probes > 1;
    is_asked && Duration::from_millis(info.tcpi_last_ack_recv.into()) > SILENCE
}

impl AsyncRead for Watched {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Watched { stream, reading, .. } = self.get_mut();
        match Pin::new(&mut *stream).poll_read(cx, buffer) {
            Poll::Pending => wait(stream, reading, cx),
            read => read,
        }
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Watched { stream, writing, .. } = self.get_mut();
        match Pin::new(&mut *stream).poll_write(cx, bytes) {
            Poll::Pending => wait(stream, writing, cx),
            written => written,
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Watched { stream, writing, .. } = self.get_mut();
        match Pin::new(&mut *stream).poll_write_vectored(cx, pieces) {
            Poll::Pending => wait(stream, writing, cx),
            written => written,
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

impl AsFd for Watched {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
