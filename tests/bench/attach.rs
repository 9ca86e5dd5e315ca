//! Coming to a console, and typing on it.

use std::io::{Read, Write};
use std::sync::mpsc;
use std::time::Instant;

use anyhow::{Result, bail};
use protocol::client::{self, Client, Flow};
use protocol::console::{ConsoleState, From, Pen};
use protocol::hold::{Ask, IfTaken, Want};
use protocol::wire::Follow;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::board::Board;
use crate::figure::{Bar, Report, Sample};
use crate::process::{Lab, name};

const ATTACHES: usize = 500;
const ROUNDS: usize = 10;
const KEYS: usize = 200;

pub(crate) fn run(report: &mut Report) -> Result<()> {
    let board = Board::new()?;
    let lab = Lab::start(&[board.option()])?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let client = runtime.block_on(async {
        let client = lab.client().await?;
        until_open(&client, 1).await?;
        anyhow::Ok(client)
    })?;
    board.print(&b"all work and no play makes jack a dull boy\r\n".repeat(64))?;
    let mut attach = Sample::new();
    runtime.block_on(async {
        for _ in 0..ATTACHES {
            let begun = Instant::now();
            let mut flow = follow(&lab, From::Tail { bytes: 1_000 }, Pen::Unwanted).await?;
            if flow.read(&mut [0; 4096]).await? == 0 {
                bail!("the console ended");
            }
            attach.add_time(begun.elapsed());
        }
        Ok(())
    })?;
    let beside = format!(
        "p99 {:.2} ms; connect to first history byte; labgrid 196",
        attach.percentile(99) * 1e3
    );
    report.figure("attach-p50", attach.median() * 1e3, "ms", &beside, Bar::Most(2.0))?;

    runtime.block_on(screen(report, &lab, &client, &board))?;

    let mut bare = Sample::new();
    let mut through = Sample::new();
    for _ in 0..ROUNDS {
        // labd reads the port all the time, so the bare one is another board's.
        let other = Board::new()?;
        echoing(&other, || {
            let mut port = other.port()?;
            for _ in 0..KEYS {
                let begun = Instant::now();
                port.write_all(b"x")?;
                port.read_exact(&mut [0])?;
                bare.add_time(begun.elapsed());
            }
            Ok(())
        })?;
        echoing(&board, || runtime.block_on(type_through(&lab, &client, &mut through)))?;
    }
    let beside = format!(
        "{:.3} ms, p99 {:.2}; bare pty {:.3} ms, p99 {:.2}; labgrid +3.2",
        through.median() * 1e3,
        through.percentile(99) * 1e3,
        bare.median() * 1e3,
        bare.percentile(99) * 1e3,
    );
    let more = (through.median() - bare.median()) * 1e3;
    report.figure("echo-p50", more, "ms", &beside, Bar::Most(0.3))
}

/// From connecting to the whole screen, with so much history behind it.
async fn screen(report: &mut Report, lab: &Lab, client: &Client, board: &Board) -> Result<()> {
    const HISTORY: u64 = 24 << 20;
    let line = b"\x1b[32m[  OK  ]\x1b[0m Started something with a name that is not short.\r\n";
    let lines = line.repeat(1_000);
    loop {
        let line = client.board(name(0).parse()?).await?.line;
        if line.is_some_and(|line| line.end >= HISTORY) {
            break;
        }
        board.print(&lines)?;
    }
    let (mut sample, mut painted) = (Sample::new(), 0);
    for _ in 0..ATTACHES {
        let begun = Instant::now();
        let (from, pen) = (From::Screen { offset: None, tail: 0 }, Pen::Unwanted);
        let what = Follow::Console { board: name(0).parse()?, from, pen, stop_at_end: false };
        let (mut flow, welcome) = client::follow(&lab.address(), what).await?;
        painted = welcome.painted;
        flow.read_exact(&mut vec![0; painted as usize]).await?;
        sample.add_time(begun.elapsed());
    }
    let beside = format!(
        "p99 {:.2} ms; connect to all {painted} bytes of the screen behind {} MiB",
        sample.percentile(99) * 1e3,
        HISTORY >> 20
    );
    report.figure("screen-p50", sample.median() * 1e3, "ms", &beside, Bar::Most(5.0))
}

/// Types on the console.
pub(crate) async fn type_through(lab: &Lab, client: &Client, times: &mut Sample) -> Result<()> {
    let ask = Ask {
        want: Want::Board { name: name(0).parse()? },
        span: None,
        if_taken: IfTaken::Refuse,
        grace: None,
        note: None,
        ssh_key: None,
    };
    client.reserve(ask).await?;
    type_on(&mut follow(lab, From::End, Pen::Wanted).await?, times).await
}

/// Types a key when the one before is back.
pub(crate) async fn type_on(flow: &mut Flow, times: &mut Sample) -> Result<()> {
    for _ in 0..KEYS {
        let begun = Instant::now();
        flow.write_all(b"x").await?;
        flow.read_exact(&mut [0]).await?;
        times.add_time(begun.elapsed());
    }
    Ok(())
}

/// Does something while the board sends back what is typed.
pub(crate) fn echoing(board: &Board, deed: impl FnOnce() -> Result<()>) -> Result<()> {
    let (going, stop) = mpsc::channel();
    std::thread::scope(|scope| {
        let echo = scope.spawn(move || board.echo_until(&stop));
        let done = deed();
        drop(going);
        echo.join().unwrap_or_else(|_| bail!("the board panicked"))?;
        done
    })
}

pub(crate) async fn follow(lab: &Lab, from: From, pen: Pen) -> Result<Flow> {
    let board = name(0).parse()?;
    let what = Follow::Console { board, from, pen, stop_at_end: false };
    Ok(client::follow(&lab.address(), what).await?.0)
}

/// Waits until so many consoles are open.
pub(crate) async fn until_open(client: &Client, consoles: usize) -> Result<()> {
    loop {
        let boards = client.boards(protocol::board::Filter::default()).await?;
        let is_open = |board: &&protocol::board::Board| board.console == ConsoleState::Open;
        if boards.iter().filter(is_open).count() == consoles {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
