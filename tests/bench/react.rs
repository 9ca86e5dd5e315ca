//! How soon a trigger answers a prompt: from its last byte on a pty to the answer's on the same, beside a
//! program that does nothing else.

use std::io::{Read, Write};
use std::sync::mpsc;
use std::time::Instant;

use anyhow::Result;

use crate::attach::until_open;
use crate::board::Board;
use crate::figure::{Bar, Report, Sample};
use crate::process::Lab;

const PROMPTS: usize = 500;
const PROMPT: &[u8] = b"\nHit any key to stop autoboot:  3";
const TRIGGER: &str = "triggers { stop { match = \"stop autoboot: +[0-9]\"; send = \" \"; times = 1000; every = 1ms } }";

pub(crate) fn run(report: &mut Report) -> Result<()> {
    let board = Board::new()?;
    let lab = Lab::start_with(TRIGGER, &[board.option()])?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { until_open(&lab.client().await?, 1).await })?;
    let through = prompted(&board)?;
    let other = Board::new()?;
    let (mut port, (going, stop)) = (other.port()?, mpsc::channel::<()>());
    let bare = std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut seen = [0; 256];
            // It ends with the port, or with the last prompt.
            while stop.try_recv() != Err(mpsc::TryRecvError::Disconnected) {
                let Ok(read) = port.read(&mut seen) else { return };
                if seen[..read].ends_with(b"3") && port.write_all(b" ").is_err() {
                    return;
                }
            }
        });
        let bare = prompted(&other);
        drop(going);
        other.print(b"x")?;
        bare
    })?;
    let added = (through.median() - bare.median()) * 1e3;
    let beside = format!(
        "p99 {:.2} ms; a program with nothing else to do {:.3} ms",
        through.percentile(99) * 1e3,
        bare.median() * 1e3
    );
    report.figure("react-p50-added", added, "ms", &beside, Bar::Most(1.0))
}

fn prompted(board: &Board) -> Result<Sample> {
    let mut sample = Sample::new();
    for _ in 0..PROMPTS {
        let begun = Instant::now();
        board.print(PROMPT)?;
        board.typed()?;
        sample.add_time(begun.elapsed());
    }
    Ok(sample)
}
