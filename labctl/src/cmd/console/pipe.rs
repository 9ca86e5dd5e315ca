//! A console between two pipes: bytes as they are, no escape.

use std::cell::RefCell;

use protocol::client;
use protocol::console::From;
use protocol::wire::Follow;
use tokio::io::{AsyncReadExt, AsyncWriteExt, stdin, stdout};
use tokio::time::{Instant, sleep_until};

use super::Console;
use super::link::{Heard, Link, Typist};
use super::show::Show;
use crate::At;
use crate::print::Output;

/// As much is carried at once.
const PIECE: usize = 64 * 1024;
/// As much is typed at once, and known to have arrived before more is.
const TYPED: usize = 4 * 1024;

/// Carries bytes until standard input has ended and the board has had its time to answer. Who only
/// looks goes on until the pipe is closed.
pub(super) async fn run(console: &Console, at: &At, out: &Output) -> anyhow::Result<()> {
    if console.history {
        return history(console, at, out).await;
    }
    let from = console.since.unwrap_or(From::End);
    let mut link = Link::open(at, &console.board, from, console.pen()).await?;
    console.say_if_elsewhere(link.offset, out);
    link.must_type().await?;
    let typist = RefCell::new(link.typist());
    let typing = type_all(&typist);
    tokio::pin!(typing);
    let (mut heard, mut output, mut show) = (vec![0; PIECE], stdout(), Show::new(console));
    output.write_all(&show.of(&link.paint)).await?;
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
                    output.write_all(&show.of(&heard[..read])).await?;
                    output.flush().await?;
                }
                Heard::Broken => {
                    link.mend().await?;
                    link.must_type().await?;
                    typist.replace(link.typist());
                }
            },
            typed = &mut typing, if end.is_none() && !console.read_only => {
                typed?;
                end = Some(Instant::now() + console.linger.duration());
            }
            () = over => return Ok(()),
        }
    }
}

/// Types standard input to its end. The typist is another one after the connection was made again.
async fn type_all(typist: &RefCell<Option<Typist>>) -> anyhow::Result<()> {
    let (mut input, mut piece) = (stdin(), vec![0; TYPED]);
    loop {
        let read = input.read(&mut piece).await?;
        let typist = typist.borrow().clone();
        match typist {
            Some(typist) if read > 0 => typist.type_in(&piece[..read]).await?,
            _ => return Ok(()),
        }
    }
}

async fn history(console: &Console, at: &At, out: &Output) -> anyhow::Result<()> {
    let what = Follow::Console {
        board: console.board.clone(),
        from: console.since.unwrap_or(From::Start),
        pen: console.pen(),
        stop_at_end: true,
    };
    let (mut flow, welcome) = client::follow(&at.address(), what).await?;
    console.say_if_elsewhere(welcome.start, out);
    let (mut piece, mut output, mut show) = (vec![0; PIECE], stdout(), Show::new(console));
    while let read @ 1.. = flow.read(&mut piece).await? {
        output.write_all(&show.of(&piece[..read])).await?;
    }
    output.flush().await?;
    Ok(())
}
