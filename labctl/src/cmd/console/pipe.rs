//! A console between two pipes: bytes as they are, no escape.

use protocol::client;
use protocol::console::From;
use protocol::wire::Follow;
use tokio::io::{AsyncReadExt, AsyncWriteExt, stdin, stdout};
use tokio::time::{Instant, sleep_until};

use super::Console;
use super::link::{Heard, Link};
use crate::At;

/// As much is carried at once.
const PIECE: usize = 64 * 1024;

/// Carries bytes until standard input has ended and the board has had its time to answer. Who only
/// looks goes on until the pipe is closed.
pub(super) async fn run(console: &Console, at: &At) -> anyhow::Result<()> {
    if console.history {
        return history(console, at).await;
    }
    let from = console.since.unwrap_or(From::End);
    let mut link = Link::open(at, &console.board, from, console.pen()).await?;
    link.must_type().await?;
    let (mut input, mut output) = (stdin(), stdout());
    let (mut heard, mut typed) = (vec![0; PIECE], vec![0; PIECE]);
    let mut end = None::<Instant>;
    loop {
        let over = async {
            match end {
                Some(end) => sleep_until(end).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            read = link.read(&mut heard) => match read {
                Heard::Bytes(read) => {
                    output.write_all(&heard[..read]).await?;
                    output.flush().await?;
                }
                Heard::Broken => {
                    link.mend().await?;
                    link.must_type().await?;
                }
            },
            read = input.read(&mut typed), if end.is_none() && !console.read_only => match read? {
                0 => end = Some(Instant::now() + console.linger.duration()),
                read => link.type_in(&typed[..read]).await,
            },
            () = over => return Ok(()),
        }
    }
}

async fn history(console: &Console, at: &At) -> anyhow::Result<()> {
    let what = Follow::Console {
        board: console.board.clone(),
        from: console.since.unwrap_or(From::Start),
        pen: console.pen(),
        stop_at_end: true,
    };
    let (mut flow, _) = client::follow(&at.address(), what).await?;
    tokio::io::copy(&mut flow, &mut stdout()).await?;
    Ok(())
}
