//! Many who look at one console.

use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use protocol::client::{self, Flow};
use protocol::console::{From, Pen};
use protocol::wire::Follow;
use tokio::io::{AsyncBufReadExt, AsyncReadExt};

use crate::attach::until_open;
use crate::board::Board;
use crate::figure::{Bar, Report, Sample};
use crate::process::{Lab, PATIENCE, name};

/// conserver's, with a hundred viewers on the same kind of machine, in MB/s.
const CONSERVER: f64 = 424.0;
const ROUNDS: usize = 5;
/// Pairs of rounds with and without somebody who does not read.
const PAIRS: usize = 5;
/// What is printed meanwhile: more than any real board, and less than a pty can, whose rate is never
/// twice the same.
const BYTES: usize = 20 * MB;
const PACE: usize = 10 * MB;
const MB: usize = 1_000_000;

pub(crate) fn run(report: &mut Report) -> Result<()> {
    let board = Arc::new(Board::new()?);
    let lab = Lab::start(&[board.option()])?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        until_open(&lab.client().await?, 1).await?;
        for (viewers, bytes) in [(1, 64 * MB), (100, 32 * MB), (500, 16 * MB)] {
            let (mut rates, mut bare) = (Sample::new(), Sample::new());
            for _ in 0..ROUNDS {
                bare.add(bare_flood(bytes)?);
                let here = seats(&lab, viewers).await?;
                rates.add(flood(&board, here, bytes, usize::MAX).await?);
            }
            let beside = match viewers {
                1 => format!("bare pty {:.0} MB/s; conserver, by TCP, 122", bare.median()),
                100 => format!("conserver {CONSERVER}"),
                _ => "conserver 147".to_owned(),
            };
            let bar = if viewers == 1 { Bar::None } else { Bar::Least(CONSERVER) };
            report.figure(&format!("viewers-{viewers}"), rates.median(), "MB/s", &beside, bar)?;
        }
        anyhow::Ok(())
    })?;
    drop(lab);
    // A lab that has not had all those viewers has no memory left over for one more.
    let lab = Lab::start(&[board.option()])?;
    runtime.block_on(async {
        until_open(&lab.client().await?, 1).await?;
        stuck(&board, &lab, report).await
    })
}

/// One who never reads, among ten who do.
async fn stuck(board: &Arc<Board>, lab: &Lab, report: &mut Report) -> Result<()> {
    let [mut alone, mut beside, mut ratios, mut costs] = [const { Sample::new() }; 4];
    for pair in 0..PAIRS {
        let mut rates = [0.0; 2];
        // Whoever is first finds another machine than who is second: they take turns.
        for is_stuck in [pair % 2 == 0, pair % 2 != 0] {
            let before = lab.memory()?;
            let one = if is_stuck { seats(lab, 1).await? } else { Vec::new() };
            let here = seats(lab, 10).await?;
            rates[usize::from(is_stuck)] = flood(board, here, BYTES, PACE).await?;
            if is_stuck {
                costs.add(lab.memory()? - before);
            }
            // It has lost nothing either.
            for flow in one {
                read(flow, BYTES).await?;
            }
        }
        alone.add(rates[0]);
        beside.add(rates[1]);
        ratios.add(rates[1] / rates[0]);
    }
    let seen = format!("most of {PAIRS} times {} MB not read; conserver 289", BYTES / MB);
    report.figure("stuck-memory", costs.percentile(100), "MB", &seen, Bar::Most(4.0))?;
    let (with, without) = (beside.median(), alone.median());
    let seen = format!(
        "of the others' rate, at {} MB/s: {with:.1} MB/s, nobody stuck {without:.1}; no byte lost",
        PACE / MB
    );
    report.figure("stuck-others", 100.0 * ratios.median(), "%", &seen, Bar::Least(99.0))
}

/// Seats viewers at the console's end.
pub(crate) async fn seats(lab: &Lab, viewers: usize) -> Result<Vec<Flow>> {
    let mut flows = Vec::new();
    for _ in 0..viewers {
        let board = name(0).parse()?;
        let what =
            Follow::Console { board, from: From::End, pen: Pen::Unwanted, stop_at_end: false };
        flows.push(client::follow(&lab.address(), what).await?.0);
    }
    Ok(flows)
}

/// The board prints, no more than `pace` bytes a second; returns how much arrived in all, in MB/s.
pub(crate) async fn flood(
    board: &Arc<Board>,
    flows: Vec<Flow>,
    bytes: usize,
    pace: usize,
) -> Result<f64> {
    let viewers = flows.len();
    let reading: Vec<_> = flows.into_iter().map(|flow| tokio::spawn(read(flow, bytes))).collect();
    let begun = Instant::now();
    let printing = std::thread::spawn({
        let board = board.clone();
        move || {
            for (index, piece) in pieces(bytes).enumerate() {
                let due = Duration::from_secs_f64((index * PIECE) as f64 / pace as f64);
                std::thread::sleep(due.saturating_sub(begun.elapsed()));
                board.print(&piece)?;
            }
            Ok(())
        }
    });
    for reader in reading {
        tokio::time::timeout(PATIENCE, reader).await???;
    }
    let took = begun.elapsed();
    printing.join().unwrap_or_else(|_| bail!("the board panicked"))?;
    Ok((viewers * bytes) as f64 / MB as f64 / took.as_secs_f64())
}

/// The same without a lab: how fast a pty is, in MB/s.
fn bare_flood(bytes: usize) -> Result<f64> {
    let board = Board::new()?;
    let mut port = board.port()?;
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let printing = scope.spawn(|| pieces(bytes).try_for_each(|piece| board.print(&piece)));
        let (mut buffer, mut read) = ([0; 8192], 0);
        while read < bytes {
            read += port.read(&mut buffer)?;
        }
        printing.join().unwrap_or_else(|_| bail!("the board panicked"))
    })?;
    Ok(bytes as f64 / MB as f64 / begun.elapsed().as_secs_f64())
}

/// What the board prints, in which every place says where it is.
fn pieces(bytes: usize) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes)
        .step_by(PIECE)
        .map(move |start| (start..bytes.min(start + PIECE)).step_by(8).flat_map(place).collect())
}

/// A place as text: conserver has a meaning of its own for some other bytes.
fn place(at: usize) -> [u8; 8] {
    std::array::from_fn(|digit| b' ' + (at >> (6 * digit) & 63) as u8)
}

const PIECE: usize = 32_000;

/// Reads so many bytes, and looks at every piece of them.
pub(crate) async fn read(mut flow: Flow, bytes: usize) -> Result<()> {
    let mut at = 0;
    let mut word = [0; 8];
    while at < bytes {
        if flow.fill_buf().await?.is_empty() {
            bail!("the console ended after {at} bytes");
        }
        flow.read_exact(&mut word).await?;
        if word != place(at) {
            bail!("byte {at} is another");
        }
        at += 8;
        let whole = flow.buffer().len() / 8 * 8;
        flow.consume(whole);
        at += whole;
    }
    Ok(())
}
