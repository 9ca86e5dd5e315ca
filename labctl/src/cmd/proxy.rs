//! `labctl proxy`: the ProxyCommand of an ssh client, to the lab itself or to a board that one holds.

use protocol::address::Address;
use protocol::board::BoardName;
use protocol::dial::Flow;
use protocol::wire::{Follow, Purpose};
use protocol::{Error, dial};
use tokio::io::{AsyncWriteExt, copy, split, stdin, stdout};

use crate::At;

/// The ssh door of the lab itself; no board is called so.
const LAB: &str = "lab";
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
        let (flow, _) = dial::dial(&at.address(), &purpose).await?;
        carry(flow).await?;
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
async fn carry(flow: Flow) -> std::io::Result<()> {
    let (mut from, mut to) = split(flow);
    let up = async move {
        copy(&mut stdin(), &mut to).await?;
        to.shutdown().await
    };
    let up = tokio::spawn(up);
    let mut out = stdout();
    copy(&mut from, &mut out).await?;
    out.flush().await?;
    // Standard input may stay open for ever.
    up.abort();
    Ok(())
}
