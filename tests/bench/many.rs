//! A thousand consoles, all of which talk.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use protocol::client::{self, Client};
use protocol::console::{From, Pen};
use protocol::wire::Follow;
use tokio::io::AsyncReadExt;

use crate::attach::until_open;
use crate::board::Board;
use crate::figure::{Bar, Report};
use crate::process::{Lab, PATIENCE, name};

const CONSOLES: usize = 1_000;
const SPAN: Duration = Duration::from_secs(25);
/// A USB adapter hands over so many bytes at once.
const PIECE: usize = 64;
/// Pieces a second and console: 1 kB in all.
const PIECES: usize = 16;
/// Boards print one after the other, in so many turns a second.
const TURNS: usize = 1_000;

pub(crate) fn run(report: &mut Report) -> Result<()> {
    let boards: Vec<Board> = (0..CONSOLES).map(|_| Board::new()).collect::<Result<_>>()?;
    let options: Vec<String> = boards.iter().map(Board::option).collect();
    let lab = Lab::start(&options)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let client = runtime.block_on(async {
        let client = lab.client().await?;
        until_open(&client, CONSOLES).await?;
        anyhow::Ok(client)
    })?;
    let opened = lab.started().elapsed().as_secs_f64();
    let seen = format!("{CONSOLES} ptys, from labd's start");
    report.figure("many-open", opened, "s", &seen, Bar::Most(3.0))?;

    let (begun, before) = (Instant::now(), lab.processor_time()?);
    let printed = talk(&boards)?;
    let used = (lab.processor_time()? - before).as_secs_f64() / begun.elapsed().as_secs_f64();
    let (memory, peak) = (lab.memory()?, lab.peak_memory()?);
    let lost = runtime.block_on(lost(&lab, &client, &printed))?;

    let total: usize = printed.iter().map(Vec::len).sum();
    let rate = total as f64 / 1e3 / SPAN.as_secs_f64() / CONSOLES as f64;
    let seen = format!("{rate:.2} kB/s each for {} s; now {memory:.0} MB", SPAN.as_secs());
    report.figure("many-memory", peak, "MB", &seen, Bar::Most(150.0))?;
    let seen = format!("of a core; pieces of {PIECE} bytes");
    report.figure("many-processor", 100.0 * used, "%", &seen, Bar::Most(60.0))?;
    let seen = format!("of {total} printed; each compared with its recording");
    report.figure("many-lost", lost as f64, "bytes", &seen, Bar::Most(0.0))
}

/// All boards print; returns what each has printed.
fn talk(boards: &[Board]) -> Result<Vec<Vec<u8>>> {
    let mut printed = vec![Vec::new(); boards.len()];
    let begun = Instant::now();
    let turns = TURNS * SPAN.as_secs() as usize;
    let a_turn = boards.len() * PIECES / TURNS;
    for turn in 0..turns {
        let due = begun + SPAN * turn as u32 / turns as u32;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        for index in (turn * a_turn..(turn + 1) * a_turn).map(|index| index % boards.len()) {
            let mut piece = format!("{index:04} {:>57}\r\n", printed[index].len()).into_bytes();
            piece.truncate(PIECE);
            let taken = boards[index].print_some(&piece)?;
            printed[index].extend_from_slice(&piece[..taken]);
        }
    }
    Ok(printed)
}

/// How many bytes are missing from the recordings, or are others than were printed.
async fn lost(lab: &Lab, client: &Client, printed: &[Vec<u8>]) -> Result<usize> {
    let mut lost = 0;
    for (index, printed) in printed.iter().enumerate() {
        let board: protocol::board::BoardName = name(index).parse()?;
        let deadline = Instant::now() + PATIENCE;
        while client
            .board(board.clone())
            .await?
            .line
            .is_none_or(|line| line.end < printed.len() as u64)
        {
            if Instant::now() > deadline {
                bail!("{board} has not recorded what was printed");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let what =
            Follow::Console { board, from: From::Start, pen: Pen::Unwanted, stop_at_end: true };
        let mut recorded = Vec::new();
        client::follow(&lab.address(), what).await?.0.read_to_end(&mut recorded).await?;
        let same = recorded.iter().zip(printed).filter(|(one, other)| one == other).count();
        lost += printed.len().max(recorded.len()) - same;
    }
    Ok(lost)
}
