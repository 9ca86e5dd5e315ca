//! The serial line between a simulated board and who opens its console.
//!
//! The adapter at its end is always plugged in, whether the board has power or not. Neither side
//! ever waits for the other: what does not fit is lost, as on a real one.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::task::coop::poll_proceed;

use crate::console::Port;

/// How much the adapter keeps for a reader that is late: more than a whole boot.
pub(super) const KEPT: usize = 64 * 1024;
/// How much typing the board keeps until it looks.
const TYPED_AHEAD: usize = 4 * 1024;

/// What arrives at the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    /// A byte.
    Byte(u8),
    /// A BREAK.
    Break,
}

/// The line.
#[derive(Debug, Default)]
pub(super) struct Wire {
    state: Mutex<State>,
    typed: Notify,
}

#[derive(Debug, Default)]
struct State {
    printed: VecDeque<u8>,
    typed: VecDeque<Input>,
    reader: Option<Waker>,
    open: bool,
    ended: bool,
}

impl Wire {
    /// The board says something. Bytes beyond [`KEPT`] that nobody has read are lost.
    pub(super) fn print(&self, bytes: &[u8]) {
        let mut state = self.state.lock();
        let room = KEPT - state.printed.len();
        state.printed.extend(bytes.iter().take(room));
        state.wake();
    }

    /// What was typed, as soon as there is any. May be abandoned; nothing is lost then.
    pub(super) async fn input(&self) -> Input {
        loop {
            let input = self.state.lock().typed.pop_front();
            match input {
                Some(input) => return input,
                None => self.typed.notified().await,
            }
        }
    }

    /// Forgets what was typed so far.
    pub(super) fn forget_input(&self) {
        self.state.lock().typed.clear();
    }

    /// Unplugs the line for good: readers come to its end.
    pub(super) fn end(&self) {
        let mut state = self.state.lock();
        state.ended = true;
        state.wake();
    }

    /// Opens the console; `None` if it is open already.
    pub(super) fn open(self: &Arc<Wire>) -> Option<SimPort> {
        let mut state = self.state.lock();
        let free = !std::mem::replace(&mut state.open, true);
        free.then(|| SimPort { wire: self.clone() })
    }

    fn put(&self, input: impl Iterator<Item = Input>) {
        let mut state = self.state.lock();
        let room = TYPED_AHEAD - state.typed.len();
        state.typed.extend(input.take(room));
        self.typed.notify_one();
    }
}

impl State {
    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

/// An open console. Dropped, it is free for the next.
#[derive(Debug)]
pub(crate) struct SimPort {
    wire: Arc<Wire>,
}

impl Drop for SimPort {
    fn drop(&mut self) {
        let mut state = self.wire.state.lock();
        state.open = false;
        state.reader = None;
    }
}

impl AsyncRead for SimPort {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // A board may talk without end: whoever listens must let others have their turn.
        let turn = ready!(poll_proceed(cx));
        let mut state = self.wire.state.lock();
        if state.printed.is_empty() && !state.ended {
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let (front, _) = state.printed.as_slices();
        let taken = front.len().min(buf.remaining());
        buf.put_slice(&front[..taken]);
        state.printed.drain(..taken);
        turn.made_progress();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for SimPort {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.wire.put(buf.iter().copied().map(Input::Byte));
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Port for SimPort {
    fn set_break(&mut self, on: bool) -> io::Result<()> {
        self.wire.put(on.then_some(Input::Break).into_iter());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn what_nobody_reads_is_lost_and_nobody_waits() {
        let wire = Arc::new(Wire::default());
        let mut port = wire.open().unwrap();
        wire.print(b"first");
        for _ in 0..20 {
            wire.print(&[b'.'; KEPT / 10]);
        }
        let mut kept = vec![0; KEPT];
        port.read_exact(&mut kept).await.unwrap();
        assert!(kept.starts_with(b"first.") && kept.ends_with(b"."));
        wire.print(b"later");
        let mut later = [0; 64];
        let count = port.read(&mut later).await.unwrap();
        assert_eq!(&later[..count], b"later");
    }

    #[tokio::test]
    async fn typing_at_a_board_that_does_not_look_is_lost_in_the_end() {
        let wire = Arc::new(Wire::default());
        let mut port = wire.open().unwrap();
        port.write_all(&[b'x'; 3 * TYPED_AHEAD]).await.unwrap();
        port.set_break(true).unwrap();
        for _ in 0..TYPED_AHEAD {
            assert_eq!(wire.input().await, Input::Byte(b'x'));
        }
        port.set_break(true).unwrap();
        assert_eq!(wire.input().await, Input::Break);
    }
}
