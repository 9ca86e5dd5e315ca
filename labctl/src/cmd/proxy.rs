//! `labctl proxy`: the ProxyCommand of an ssh client, to the lab itself or to a board that one holds.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::{FcntlArg, fcntl};
use protocol::address::Address;
use protocol::board::BoardName;
use protocol::carry::one_way;
use protocol::dial::Flow;
use protocol::wire::{Follow, Purpose};
use protocol::{Error, dial, login};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, split, stdin, stdout};
use tokio::net::unix::pipe;

use crate::At;

/// The ssh door of the lab itself; no board is called so.
const LAB: &str = "lab";
/// So much may wait in a pipe, in bytes; Linux lets anybody have twice as much.
const PIPE: i32 = 512 * 1024;
/// Where an sshd listens when ssh is told nothing else.
const SSH: u16 = 22;

const ABOUT: &str = "\
In ~/.ssh/config, 'Host *.lab' with 'ProxyCommand labctl proxy %h %p' reaches every board you hold; \
ssh -o 'ProxyCommand labctl proxy lab' -l lab lab reaches the lab itself, wherever you can reach it with \
labctl: also through HTTPS only, and through the proxy that https_proxy names.";

/// Carry an ssh connection to the lab or a board: for ProxyCommand.
#[derive(Debug, clap::Args)]
#[command(after_help = ABOUT)]
pub struct Proxy {
    /// 'lab', or a board that you hold; '.lab' at its end is left out
    #[arg(value_name = "NAME")]
    name: String,
    /// The board's port; where its sshd listens, if it is 22
    #[arg(value_name = "PORT", default_value_t = SSH)]
    port: u16,
}

impl Proxy {
    pub(super) async fn run(self, at: &At) -> anyhow::Result<()> {
        let name = self.name.strip_suffix(".lab").unwrap_or(&self.name);
        let purpose = match name {
            LAB => Purpose::Ssh,
            board => to(board.parse()?, self.port),
        };
        let at = at.address();
        let (flow, _) = dial::dial(&at, &purpose).await?;
        tokio::select! {
            carried = carry(flow) => carried?,
            // Whoever only ever comes by ssh stays known, too.
            () = login::keep(&at) => {}
        }
        Ok(())
    }
}

/// A way to a port of a board.
pub(super) fn to(board: BoardName, port: u16) -> Purpose {
    Purpose::Follow(Follow::Tunnel { board, port: (port != SSH).then_some(port) })
}

/// Opens a way to a port of a board.
pub(super) async fn open(at: &Address, board: &BoardName, port: u16) -> Result<Flow, Error> {
    let (flow, _) = dial::dial(at, &to(board.clone(), port)).await?;
    Ok(flow)
}

/// Carries standard input there and what comes from there to standard output, until nothing more comes.
async fn carry(flow: Flow) -> io::Result<()> {
    let (mut from, mut to) = split(flow);
    let up = async {
        // Whoever takes nothing more may still have something to say.
        if one_way(&mut input(), &mut to).await.is_ok() {
            let _ = to.shutdown().await;
        }
        std::future::pending().await
    };
    let mut out = output();
    tokio::select! {
        // Standard input may stay open for ever.
        done = one_way(&mut from, &mut out) => done,
        () = up => Ok(()),
    }
}

/// Standard input. ssh's is a pipe, which is waited for as a socket is; tokio's own hands every piece from
/// thread to thread.
fn input() -> Box<dyn AsyncRead + Send + Unpin> {
    let pipe = widened(io::stdin()).and_then(pipe::Receiver::from_owned_fd);
    pipe.map_or_else(|_| Box::new(stdin()) as _, |pipe| Box::new(pipe) as _)
}

/// Standard output, likewise.
fn output() -> Box<dyn AsyncWrite + Send + Unpin> {
    let pipe = widened(io::stdout()).and_then(pipe::Sender::from_owned_fd);
    pipe.map_or_else(|_| Box::new(stdout()) as _, |pipe| Box::new(pipe) as _)
}

/// A pipe in which more may wait than is usual, so that neither side stands still for the other.
fn widened(pipe: impl AsFd) -> io::Result<OwnedFd> {
    // As it is, it works as well.
    let _ = fcntl(&pipe, FcntlArg::F_SETPIPE_SZ(PIPE));
    pipe.as_fd().try_clone_to_owned()
}
