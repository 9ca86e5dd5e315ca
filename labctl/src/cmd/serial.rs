//! `labctl serial`: a board's console as a serial port of this machine, for programs of other make.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::{getuid, ttyname};
use protocol::Error;
use protocol::board::BoardName;
use protocol::client::{self, Client};
use protocol::console::{From, Pen};
use protocol::neighbour::{self, is_loopback};
use protocol::serial_port::{Dialect, SerialPort};
use protocol::wire::Follow;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::ctrl_c;
use tokio::task::JoinSet;

use super::want;
use crate::At;
use crate::exit::Failure;
use crate::print::Output;

const ABOUT: &str = "\
pyserial opens rfc2217://ADDRESS, tio and minicom open the --pty, nc and socat take --raw. A port is for \
programs of yours only, and each of them sits at the console as you do: who does not have the pen looks \
on. What is typed travels as all that labctl does, over TLS from elsewhere.";

/// Bring a board's console to this machine as a serial port.
#[derive(Debug, clap::Args)]
#[command(after_help = ABOUT)]
pub struct Serial {
    /// The board
    #[arg(add = want::boards())]
    board: BoardName,
    /// Where programs of this machine find it; port 0 is any that is free
    #[arg(long, value_name = "ADDRESS:PORT", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))]
    listen: SocketAddr,
    /// Bytes as they are, without telnet and RFC 2217
    #[arg(long)]
    raw: bool,
    /// A terminal device instead, to which LINK will point
    #[arg(long, value_name = "LINK", conflicts_with_all = ["listen", "raw"])]
    pty: Option<PathBuf>,
    /// Only look
    #[arg(short, long)]
    read_only: bool,
}

impl Serial {
    pub(super) async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<()> {
        let (at, board, pen) = (at.clone(), self.board.clone(), self.pen());
        let console = Arc::new(Console { at, board, pen });
        match &self.pty {
            Some(link) => serve_pty(&console, link, out).await,
            None => self.serve_tcp(&console, out).await,
        }
    }

    fn pen(&self) -> Pen {
        if self.read_only { Pen::Unwanted } else { Pen::Wanted }
    }

    async fn serve_tcp(&self, console: &Arc<Console>, out: &mut Output) -> anyhow::Result<()> {
        if !is_loopback(self.listen.ip()) {
            let help = "listen on 127.0.0.1; run labctl serial where the programs are";
            return Err(Failure::usage("others could type there", help).into());
        }
        let (dialect, speech) = match self.raw {
            true => (Dialect::Raw, "raw"),
            false => (Dialect::Rfc2217, "rfc2217"),
        };
        // What is refused is refused here and now; the pen stays with whoever needs it meanwhile.
        drop(console.sit(self.pen()).await?);
        let listener = TcpListener::bind(self.listen).await?;
        let here = listener.local_addr()?;
        let board = &self.board;
        let open = json!({ "here": here.to_string(), "board": board, "speaks": speech });
        let words = format_args!("{here} is the console of {board} ({speech}); Ctrl-C ends it");
        out.tell("serial", &open, words)?;
        let mut served = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let (stream, _) = accepted?;
                    served.spawn(receive(console.clone(), dialect, stream));
                }
                Some(Ok(Err(why))) = served.join_next() => match why.downcast_ref() {
                    Some(Error::NotHeld { .. } | Error::HeldBy { .. } | Error::HoldOver { .. }) => return Err(why),
                    _ => out.say(format_args!("{why:#}")),
                },
                _ = ctrl_c() => return Ok(()),
            }
        }
    }
}

/// Whose console it is that is brought here, and for whom.
struct Console {
    at: At,
    board: BoardName,
    pen: Pen,
}

impl Console {
    /// A flow to and from the console, and the seat that goes with it.
    async fn sit(&self, pen: Pen) -> Result<(client::Flow, SerialPort), Error> {
        let board = self.board.clone();
        let console = Follow::Console { board, from: From::End, pen, stop_at_end: false };
        let (flow, welcome) = client::follow(&self.at.address(), console).await?;
        let calls: Client = self.at.connect().await?;
        Ok((flow, SerialPort::at(&self.board, welcome.session, pen, calls).await?))
    }

    async fn serve(
        &self,
        dialect: Dialect,
        client: impl AsyncRead + AsyncWrite + Unpin,
    ) -> anyhow::Result<()> {
        let (flow, seat) = self.sit(self.pen).await?;
        Ok(seat.serve(dialect, client, flow).await?)
    }
}

/// Serves one program, if it is of the same user: every other one of this machine can connect, too.
async fn receive(console: Arc<Console>, dialect: Dialect, stream: TcpStream) -> anyhow::Result<()> {
    // If it cannot be had, small pieces wait for each other.
    let _ = stream.set_nodelay(true);
    let uid = neighbour::uid(&stream).await.context("it is not known whose program came")?;
    anyhow::ensure!(
        uid == getuid().as_raw(),
        "a program of another user (uid {uid}) is turned away"
    );
    console.serve(dialect, stream).await
}

/// Serves whoever opens the terminal, one after the other.
async fn serve_pty(console: &Console, link: &Path, out: &mut Output) -> anyhow::Result<()> {
    // As long as this end is open here, those who open and close it are not the last.
    let (pty, terminal) = pty_process::open()?;
    let device = ttyname(&terminal)?;
    make_raw(&terminal)?;
    let (flow, seat) = console.sit(console.pen).await?;
    let link = Link::make(link, &device)?;
    let (board, here) = (&console.board, link.0.display());
    let open = json!({ "here": here.to_string(), "board": board, "speaks": "pty" });
    out.tell("serial", &open, format_args!("{here} is the console of {board}; Ctrl-C ends it"))?;
    tokio::select! {
        served = seat.serve(Dialect::Raw, pty, flow) => Ok(served?),
        _ = ctrl_c() => Ok(()),
    }
}

/// Nothing is done to what goes through it.
fn make_raw(terminal: impl AsFd) -> nix::Result<()> {
    let mut termios = tcgetattr(&terminal)?;
    cfmakeraw(&mut termios);
    tcsetattr(&terminal, SetArg::TCSANOW, &termios)
}

/// A link to the terminal; it goes when this is dropped.
struct Link(PathBuf);

impl Link {
    fn make(link: &Path, device: &Path) -> anyhow::Result<Link> {
        // One that was left behind is replaced; nothing else is.
        if link.is_symlink() {
            std::fs::remove_file(link)?;
        }
        std::os::unix::fs::symlink(device, link).with_context(|| link.display().to_string())?;
        Ok(Link(link.to_owned()))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // If it is gone already, that is as well.
        let _: io::Result<()> = std::fs::remove_file(&self.0);
    }
}
