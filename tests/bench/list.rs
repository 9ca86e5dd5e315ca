//! `labctl boards` in a lab of a thousand.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::figure::{Bar, Report, Sample};
use crate::process::{Lab, other, program, simulated};

const BOARDS: usize = 1_000;
const ROUNDS: usize = 41;
/// labgrid-client's list of a thousand places takes 13 times as long as the bare interpreter; the
/// bar is a thirtieth of that.
const BAR: f64 = 13.0 / 30.0;

pub(crate) fn run(report: &mut Report) -> Result<()> {
    let lab = Lab::start(&vec![simulated(); BOARDS])?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let client = runtime.block_on(lab.client())?;
    runtime.block_on(client.whoami())?;
    let address = lab.address().to_string();
    let words = ["--lab", &address, "boards"];
    let labctl = program("labctl")?;
    let shown = Command::new(&labctl).args(words).output()?;
    let lines = String::from_utf8_lossy(&shown.stdout).lines().count();
    if lines != BOARDS + 1 {
        bail!("the table has {lines} lines");
    }
    let python = interpreter();
    let (mut ours, mut bare) = (Sample::new(), Sample::new());
    for _ in 0..ROUNDS {
        ours.add_time(time(Command::new(&labctl).args(words))?);
        if let Some(python) = &python {
            bare.add_time(time(Command::new(python).args(["-c", "pass"]))?);
        }
    }
    let (ms, bare_ms) = (ours.median() * 1e3, bare.median() * 1e3);
    match python {
        Some(_) => {
            let beside = format!("{ms:.1} ms; python3 -c pass {bare_ms:.1} ms; labgrid-client 13");
            report.figure("list-1000", ms / bare_ms, "x", &beside, Bar::Most(BAR))?;
        }
        None => {
            let beside = "there is no python3 to compare with";
            report.figure("list-1000", ms, "ms", beside, Bar::None)?;
        }
    }
    let weighed = other("as-parent")?.arg(&labctl).args(words).output()?;
    let kib: f64 = String::from_utf8(weighed.stdout)?.trim().parse().context("no weight")?;
    let beside = "labctl's peak; labgrid-client 57.9 MB";
    report.figure("list-1000-memory", kib * 1024.0 / 1e6, "MB", beside, Bar::Most(12.0))
}

/// The interpreter itself, and not a script that looks for it.
fn interpreter() -> Option<String> {
    let ask = ["-c", "import sys; print(sys.executable)"];
    let said = Command::new("python3").args(ask).output().ok()?;
    let path = String::from_utf8(said.stdout).ok()?.trim().to_owned();
    said.status.success().then_some(path)
}

fn time(command: &mut Command) -> Result<Duration> {
    let begun = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status()?;
    if !status.success() {
        bail!("{command:?}: {status}");
    }
    Ok(begun.elapsed())
}
