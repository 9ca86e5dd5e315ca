//! `labctl send`: a file through a board's console.

use std::io::IsTerminal;
use std::path::PathBuf;

use anyhow::Context;
use protocol::Error;
use protocol::board::BoardName;
use protocol::client;
use protocol::send::{File, Sending, Way};
use protocol::wire::Follow;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWriteExt, BufReader, copy, split};
use tokio::signal::unix::{SignalKind, signal};

use super::want;
use crate::At;
use crate::print::Output;

const ABOUT: &str = "\
The lab sends the file beside the board: how far away you are does not matter. Type the command that receives it \
first: loadx or loady at U-Boot, rx or rb at a shell. --paste types it as text, checks each character's echo, and \
tells the byte where the board went wrong. You hold the board, and nobody else has the pen; nobody types \
meanwhile. Ctrl-C cancels it, and the board is told so.";

/// Send a file.
#[derive(Debug, clap::Args)]
#[command(after_help = ABOUT)]
pub struct Send {
    /// The board
    #[arg(add = want::boards())]
    board: BoardName,
    /// The file
    file: PathBuf,
    #[command(flatten)]
    way: Ways,
}

/// How it goes.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
struct Ways {
    /// By XMODEM
    #[arg(long)]
    xmodem: bool,
    /// By XMODEM-1K
    #[arg(long)]
    xmodem_1k: bool,
    /// By YMODEM, with its name and size; this is what is done if nothing is said
    #[arg(long)]
    ymodem: bool,
    /// As text that is typed
    #[arg(long)]
    paste: bool,
}

impl Ways {
    fn way(&self) -> Way {
        match self {
            Ways { xmodem: true, .. } => Way::Xmodem,
            Ways { xmodem_1k: true, .. } => Way::Xmodem1k,
            Ways { paste: true, .. } => Way::Paste,
            _ => Way::Ymodem,
        }
    }
}

impl Send {
    pub(super) async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<()> {
        let path = self.file.display();
        let name = self.file.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.with_context(|| format!("{path} has no name"))?;
        let mut content =
            tokio::fs::File::open(&self.file).await.with_context(|| path.to_string())?;
        let size = content.metadata().await?.len();
        let file = File { name, size, way: self.way.way() };
        let what = Follow::Send { board: self.board.clone(), file: file.clone() };
        let (flow, _) = client::follow(&at.address(), what).await?;
        let (read, mut write) = split(flow);
        let mut interrupt = signal(SignalKind::interrupt())?;
        let upload = async {
            tokio::select! {
                // If the lab wants no more of it, it says why.
                _ = copy(&mut content, &mut write) => drop(write.flush().await),
                _ = interrupt.recv() => return,
            }
            interrupt.recv().await;
        };
        let mut heard = BufReader::new(read);
        {
            let outcome = heed(&mut heard, size, out);
            tokio::pin!(outcome);
            tokio::select! {
                outcome = &mut outcome => outcome?,
                () = upload => {
                    // The lab hears that nothing more comes, and tells the board.
                    write.shutdown().await?;
                    outcome.await?;
                }
            }
        }
        out.tell("sent", &file, format_args!("sent {}, {size} bytes", file.name))?;
        Ok(())
    }
}

/// Says how it goes. Returns when the board has taken the file.
///
/// # Errors
/// Where it went wrong, and how.
async fn heed(
    heard: &mut (impl AsyncBufRead + Unpin),
    size: u64,
    out: &Output,
) -> anyhow::Result<()> {
    let at_terminal = std::io::stderr().is_terminal() && !out.is_json();
    let mut line = String::new();
    loop {
        line.clear();
        if heard.read_line(&mut line).await? == 0 {
            let why = "the link broke; the board was told that nothing more comes".to_owned();
            return Err(Error::Unreachable { address: "the lab".to_owned(), why }.into());
        }
        match serde_json::from_str(&line)? {
            Sending::Taken { bytes } if at_terminal => {
                eprint!("\r{bytes} of {size} bytes");
            }
            Sending::Taken { .. } => {}
            Sending::Done => {
                if at_terminal {
                    eprintln!();
                }
                return Ok(());
            }
            Sending::Failed { at, why } => {
                if at_terminal {
                    eprintln!();
                }
                let why = format!("at byte {at} of {size}: {why}");
                return Err(Error::Device { device: "the console".to_owned(), why }.into());
            }
        }
    }
}
