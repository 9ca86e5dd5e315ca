//! A board's console as a serial port, for clients of others' make: raw bytes, or telnet with RFC 2217.
//!
//! Somebody who is known to the lab sits at the console, and the client is theirs. `labd` serves such ports
//! beside the rack, and `labctl serial` wherever its user is.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{Fuse, FusedFuture};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::time::{Instant, sleep_until};

use crate::board::BoardName;
use crate::client::Client;
use crate::console::{Pen, PenAsk, PenState, Uart};
use crate::error::Error;
use crate::rfc2217::{Server, Wish};
use crate::telnet::IAC;
use crate::time::Span;

/// So much is read at once, in bytes.
const CHUNK: usize = 4 * 1024;
/// Nothing more is read while so much waits for the client.
const WAITING: usize = 16 * 1024;
/// After a raw client has said all, the board has so long to answer. One that speaks telnet has gone.
const LINGER: Duration = Duration::from_secs(2);
/// A BREAK that nobody ends is over after this; the lab allows no longer one.
const LONGEST_BREAK: Duration = Duration::from_secs(3);
/// A client that ends a BREAK sooner has not meant its length.
const SHORTEST_BREAK: Duration = Duration::from_millis(10);

/// How a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Bytes as they are; no BREAK.
    Raw,
    /// Telnet, with RFC 2217 if the client asks for it.
    Rfc2217,
}

/// A seat at a console, for one client.
#[derive(Debug)]
pub struct SerialPort {
    calls: Client,
    session: u64,
    uart: Option<Uart>,
    /// What the client is told first, in the board's place.
    greeting: Option<String>,
}

impl SerialPort {
    /// For a session that follows `board`'s console; with the pen, or in line for it, if that is wanted.
    ///
    /// # Errors
    /// The lab's.
    pub async fn at(
        board: &BoardName,
        session: u64,
        pen: Pen,
        calls: Client,
    ) -> Result<SerialPort, Error> {
        let uart = calls.board(board.clone()).await?.line.and_then(|line| line.uart);
        let greeting = match pen {
            Pen::Unwanted => None,
            Pen::Wanted => match calls.pen(session, PenAsk::Take).await? {
                PenState::Yours => None,
                _ => Some(format!("[read-only: {}]\r\n", elsewhere(board))),
            },
        };
        Ok(SerialPort { calls, session, uart, greeting })
    }

    /// Serves a client with what flows to and from the console, until it leaves or the console ends.
    ///
    /// # Errors
    /// Either side's; [`io::ErrorKind::InvalidData`] if it is no such client.
    pub async fn serve(
        &self,
        dialect: Dialect,
        client: impl AsyncRead + AsyncWrite + Unpin,
        console: impl AsyncRead + AsyncWrite + Unpin,
    ) -> io::Result<()> {
        let (mut from_client, mut to_client) = split(client);
        let (mut from_board, mut to_board) = split(console);
        let mut talk = Talk::new(dialect, self.uart);
        if let Some(greeting) = &self.greeting {
            talk.show(greeting.as_bytes());
        }
        let (mut said, mut printed) = (vec![0; CHUNK], vec![0; CHUNK]);
        let mut breaking = std::pin::pin!(Fuse::terminated());
        let linger = if dialect == Dialect::Raw { LINGER } else { Duration::ZERO };
        let mut leaves = None;
        loop {
            if breaking.is_terminated()
                && let Some(span) = talk.next_break(Instant::now())
            {
                // Why there is none is on the timeline, if it is the board's.
                breaking.set(self.calls.send_break(self.session, span).fuse());
            }
            let over = talk.break_is_over().filter(|_| breaking.is_terminated());
            let wakes = [over, leaves].into_iter().flatten().min();
            tokio::select! {
                read = from_client.read(&mut said), if leaves.is_none() && talk.listens() => match read? {
                    0 => leaves = Some(Instant::now() + linger),
                    read => talk.hear(&said[..read])?,
                },
                read = from_board.read(&mut printed), if talk.has_room() => match read? {
                    0 => return to_client.write_all(&talk.out).await,
                    read => talk.show(&printed[..read]),
                },
                wrote = to_client.write(&talk.out), if !talk.out.is_empty() => match wrote? {
                    0 => return Err(io::ErrorKind::WriteZero.into()),
                    wrote => drop(talk.out.drain(..wrote)),
                },
                wrote = to_board.write(&talk.typed), if !talk.typed.is_empty() => match wrote? {
                    0 => return Err(io::ErrorKind::WriteZero.into()),
                    wrote => drop(talk.typed.drain(..wrote)),
                },
                _ = &mut breaking, if !breaking.is_terminated() => {}
                () = until(wakes) => if leaves.is_some_and(|due| due <= Instant::now()) {
                    return Ok(());
                },
            }
            // Its time begins when all that it typed is on its way.
            if !talk.listens() {
                leaves = leaves.map(|_| Instant::now() + linger);
            }
        }
    }
}

fn elsewhere(board: &BoardName) -> String {
    format!("somebody else types on the console of {board}; the pen is yours when they give it up")
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// What is under way between a client and a board.
struct Talk {
    server: Option<Server>,
    has_spoken: bool,
    /// To the client.
    out: Vec<u8>,
    /// To the board.
    typed: Vec<u8>,
    /// Behind that.
    wishes: VecDeque<Wish>,
    /// Since when the client holds the line.
    broken: Option<Instant>,
}

impl Talk {
    fn new(dialect: Dialect, uart: Option<Uart>) -> Talk {
        let mut out = Vec::new();
        let server = match dialect {
            Dialect::Raw => None,
            Dialect::Rfc2217 => Some(Server::new(uart, &mut out)),
        };
        let (typed, wishes) = (Vec::new(), VecDeque::new());
        Talk { server, has_spoken: false, out, typed, wishes, broken: None }
    }

    /// Whether there is room for more of what the board prints.
    fn has_room(&self) -> bool {
        self.out.len() < WAITING && !self.server.as_ref().is_some_and(Server::is_suspended)
    }

    /// Whether the board has, or is about to have, all that was typed.
    fn listens(&self) -> bool {
        self.typed.is_empty() && self.wishes.is_empty() && self.out.len() < WAITING
    }

    fn show(&mut self, printed: &[u8]) {
        match &self.server {
            None => self.out.extend(printed),
            Some(server) => server.show(printed, &mut self.out),
        }
    }

    fn hear(&mut self, said: &[u8]) -> io::Result<()> {
        if !std::mem::replace(&mut self.has_spoken, true) && self.is_stray(said) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "this is no serial client"));
        }
        match &mut self.server {
            None => self.typed.extend(said),
            Some(server) => self.wishes.extend(server.receive(said, &mut self.out)),
        }
        self.advance(Instant::now());
        Ok(())
    }

    /// Whether what comes first is not of a serial client. A web page can have its visitor's browser send
    /// what it likes to a port of their machine, and would type on their board; but the browser speaks first,
    /// and in its own way.
    fn is_stray(&self, said: &[u8]) -> bool {
        const BROWSERS: [&[u8]; 5] = [b"GET /", b"POST /", b"HEAD /", b"OPTIONS /", &[0x16, 3, 1]];
        match &self.server {
            // It has been asked, and answers before anything is typed.
            Some(_) => said.first() != Some(&IAC),
            None => BROWSERS.iter().any(|first| said.starts_with(first)),
        }
    }

    /// Takes the wishes up to the next for which the line has to be free.
    fn advance(&mut self, now: Instant) {
        while self.typed.is_empty() {
            match self.wishes.pop_front() {
                Some(Wish::Type(bytes)) => self.typed = bytes,
                Some(Wish::BreakOn) => self.broken = Some(now),
                Some(wish) => {
                    self.wishes.push_front(wish);
                    return;
                }
                None => return,
            }
        }
    }

    /// How long a BREAK is to be sent now, if one is; nothing is one of a usual length.
    fn next_break(&mut self, now: Instant) -> Option<Span> {
        self.advance(now);
        if !self.typed.is_empty() {
            return None;
        }
        // A BREAK that was over by itself is not ended again.
        let is_over = self.break_is_over().is_some_and(|over| over <= now);
        let held = match self.wishes.pop_front() {
            Some(Wish::Break) => return Some(Span(0)),
            Some(Wish::BreakOff) => self.broken.take().map(|since| now - since),
            _ if is_over => self.broken.take().map(|_| LONGEST_BREAK),
            _ => None,
        };
        held.map(length)
    }

    /// When a BREAK that has begun is over by itself.
    fn break_is_over(&self) -> Option<Instant> {
        self.broken.map(|since| since + LONGEST_BREAK)
    }
}

fn length(held: Duration) -> Span {
    if held < SHORTEST_BREAK {
        return Span(0);
    }
    Span::millis(u64::try_from(held.min(LONGEST_BREAK).as_millis()).unwrap_or_default())
}
