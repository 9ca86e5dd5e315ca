//! labtui in a terminal of 120 by 40: how soon it is there, how soon a key or the lab's news show, and
//! what it costs while nothing happens.

mod link;
mod seat;

use std::time::{Duration, Instant};

use anyhow::Result;
use protocol::address::Address;
use protocol::client::{self, Client};
use protocol::hold::{Ask, IfTaken, Release, Want};
use protocol::wire::Follow;
use tokio::io::AsyncReadExt;
use tokio::runtime::Runtime;

use crate::figure::{Bar, Report, Sample};
use crate::process::{Lab, name, simulated};

use link::Link;
use seat::Seat;

const STARTS: usize = 60;
const KEYS: usize = 400;
/// As a key repeats that is held down.
const REPEAT: Duration = Duration::from_millis(33);
const CHANGES: usize = 100;
/// Others who have the table on their screens.
const OTHERS: usize = 200;
const IDLE: Duration = Duration::from_secs(20);
/// Half a round trip.
const FAR: Duration = Duration::from_millis(100);

pub(crate) fn run(report: &mut Report) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (lab, client) = lab_of(&runtime, 1_000)?;
    starts(report, &lab.address())?;
    let mut seat = open(&lab.address())?;
    idle(report, &mut seat)?;
    keys(report, "tui-key", &mut seat, 1_000)?;
    changes(report, "tui-change", &mut seat, &runtime, &client)?;
    let seen = "its peak after all that, with 1,000 boards; htop 4.5, gitui 16.6";
    report.figure("tui-memory", seat.labtui.peak_memory()?, "MB", seen, Bar::Most(15.0))?;

    let others = runtime.block_on(look_on(&lab.address()))?;
    changes(report, "tui-change-200", &mut seat, &runtime, &client)?;
    others.into_iter().for_each(|other| other.abort());
    drop(seat);
    far_keys(report, &lab.address(), 1_000)?;
    drop((client, lab));

    let (lab, _client) = lab_of(&runtime, 5_000)?;
    keys(report, "tui-key-5000", &mut open(&lab.address())?, 5_000)?;
    far_keys(report, &lab.address(), 5_000)
}

fn lab_of(runtime: &Runtime, boards: usize) -> Result<(Lab, Client)> {
    let lab = Lab::start(&vec![simulated(); boards])?;
    let client = runtime.block_on(lab.client())?;
    runtime.block_on(client.whoami())?;
    Ok((lab, client))
}

/// labtui with the first board selected, at rest.
fn open(lab: &Address) -> Result<Seat> {
    let mut seat = Seat::start(lab)?;
    seat.opens(&name(0))?;
    Ok(seat)
}

fn starts(report: &mut Report, lab: &Address) -> Result<()> {
    let (mut cells, mut screens) = (Sample::new(), Sample::new());
    for _ in 0..STARTS {
        let opening = Seat::start(lab)?.opens(&name(0))?;
        cells.add_time(opening.first_cells);
        screens.add_time(opening.first_screen);
    }
    let bars = [("tui-cells-p95", cells, 50.0), ("tui-screen-p95", screens, 100.0)];
    for (name, sample, bar) in bars {
        let what = if bar < 100.0 { "to 20 cells" } else { "to 90 % of the first screen" };
        let beside = format!(
            "p50 {:.1} ms; start {what}, 1,000 boards; gitui 25 to 37",
            sample.median() * 1e3
        );
        report.figure(name, sample.percentile(95) * 1e3, "ms", &beside, Bar::Most(bar))?;
    }
    Ok(())
}

/// What a seat costs at which nobody sits, in a lab in which nothing happens.
fn idle(report: &mut Report, seat: &mut Seat) -> Result<()> {
    let before = seat.labtui.processor_time()?;
    let written = seat.look_on(IDLE)?;
    let used = (seat.labtui.processor_time()? - before).as_secs_f64();
    let a_minute = used * 60.0 / IDLE.as_secs_f64();
    let seen = format!("of a core in a minute, from {used:.4} s in {} s", IDLE.as_secs());
    report.figure("tui-idle-processor", a_minute, "s", &seen, Bar::Most(0.05))?;
    let rate = written as f64 / IDLE.as_secs_f64();
    let seen = "to the terminal; gitui 35, htop 1,100 to 2,800";
    report.figure("tui-idle-bytes", rate, "B/s", seen, Bar::Most(100.0))
}

/// Walks down the table, and to its ends and back.
fn keys(report: &mut Report, figure: &str, seat: &mut Seat, boards: usize) -> Result<()> {
    let mut sample = Sample::new();
    let mut at = 0;
    for index in 1..=KEYS {
        let key: &[u8] = match index % 20 {
            10 => b"G",
            11 => b"\x1b[H",
            _ => b"j",
        };
        at = match key {
            b"G" => boards - 1,
            b"j" => at + 1,
            _ => 0,
        };
        let due = Instant::now() + REPEAT;
        sample.add_time(seat.press(key, &name(at))?);
        seat.look_on(due.saturating_duration_since(Instant::now()))?;
    }
    let bar = if boards > 1_000 { 33.0 } else { 16.0 };
    let beside = format!(
        "p99, p50 {:.2} ms; key to repaint, {boards} rows, {KEYS} keys, one in {} ms",
        sample.median() * 1e3,
        REPEAT.as_millis()
    );
    report.figure(figure, sample.percentile(99) * 1e3, "ms", &beside, Bar::Most(bar))
}

/// The same in a lab from which every answer takes a fifth of a second.
fn far_keys(report: &mut Report, lab: &Address, boards: usize) -> Result<()> {
    let link = Link::to(lab, FAR)?;
    let mut seat = open(&link.address())?;
    keys(report, &format!("tui-key-{boards}-far"), &mut seat, boards)
}

/// From asking the lab for a hold, or for its end, until the row says so.
fn changes(
    report: &mut Report,
    figure: &str,
    seat: &mut Seat,
    runtime: &Runtime,
    client: &Client,
) -> Result<()> {
    seat.press(b"G", &name(999))?;
    seat.press(b"\x1b[H", &name(0))?;
    let mut sample = Sample::new();
    for index in 0..CHANGES {
        let begun = Instant::now();
        let is_held = index % 2 == 0;
        runtime.block_on(change(client, is_held))?;
        let seen = seat.until(|seat| seat.selected().contains("you") == is_held)?;
        sample.add_time(seen.saturating_duration_since(begun));
        seat.look_on(REPEAT)?;
    }
    let beside = format!(
        "p99, p50 {:.2} ms; from the call to the screen, {CHANGES} holds and releases",
        sample.median() * 1e3
    );
    report.figure(figure, sample.percentile(99) * 1e3, "ms", &beside, Bar::Most(100.0))
}

async fn change(client: &Client, is_held: bool) -> Result<()> {
    let board: protocol::board::BoardName = name(0).parse()?;
    if is_held {
        let ask = Ask {
            want: Want::Board { name: board },
            span: None,
            if_taken: IfTaken::Refuse,
            grace: None,
            note: None,
            ssh_key: None,
        };
        client.reserve(ask).await?;
    } else {
        client.release(board, Release { number: None, breaking: None }).await?;
    }
    Ok(())
}

/// Seats others at the same table.
async fn look_on(lab: &Address) -> Result<Vec<tokio::task::JoinHandle<()>>> {
    let mut others = Vec::new();
    for _ in 0..OTHERS {
        let (mut flow, _) = client::follow(lab, Follow::Boards).await?;
        others.push(tokio::spawn(async move {
            let mut piece = vec![0; 16 * 1024];
            while let Ok(1..) = flow.read(&mut piece).await {}
        }));
    }
    Ok(others)
}
