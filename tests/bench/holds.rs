//! Holds that begin and end, each on disk before anybody is told.

use std::time::{Duration, Instant};

use anyhow::Result;
use protocol::client::Client;
use protocol::hold::{Ask, IfTaken, Release, Want};

use crate::figure::{Bar, Report, Sample};
use crate::process::{Lab, name};

const BOARDS: usize = 1_000;
const CLIENTS: usize = 256;
const WARM_UP: Duration = Duration::from_secs(1);
const SPAN: Duration = Duration::from_secs(5);

pub(crate) fn run(report: &mut Report) -> Result<()> {
    let lab = Lab::start(&vec![String::new(); BOARDS])?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let times = runtime.block_on(async {
        let begin = Instant::now() + WARM_UP;
        let mut callers = Vec::new();
        for index in 0..CLIENTS {
            callers.push(tokio::spawn(change(lab.client().await?, index, begin)));
        }
        let mut all = Vec::new();
        for caller in callers {
            all.extend(caller.await??);
        }
        anyhow::Ok(all)
    })?;
    let rate = times.len() as f64 / SPAN.as_secs_f64();
    let mut answers = Sample::new();
    times.into_iter().for_each(|time| answers.add_time(time));
    let seen = format!(
        "{CLIENTS} clients, p50 {:.1} ms, p99 {:.1} ms; labgrid, not durable, 62 to 316",
        answers.median() * 1e3,
        answers.percentile(99) * 1e3
    );
    report.figure("holds", rate, "/s", &seen, Bar::Least(10_000.0))
}

/// Reserves and releases boards of its own; returns how long each answer took in the span.
async fn change(client: Client, index: usize, begin: Instant) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    for board in (index..BOARDS).step_by(CLIENTS).cycle() {
        for is_release in [false, true] {
            let begun = Instant::now();
            if begun > begin + SPAN {
                return Ok(times);
            }
            if is_release {
                let release = Release { number: None, breaking: None };
                client.release(name(board).parse()?, release).await?;
            } else {
                client.reserve(ask(Want::Board { name: name(board).parse()? })).await?;
            }
            if begun >= begin {
                times.push(begun.elapsed());
            }
        }
    }
    Ok(times)
}

/// Reserves and releases boards until the ledger has at least so many entries.
pub(crate) async fn fill(lab: &Lab, boards: usize, entries: usize) -> Result<()> {
    let mut callers = Vec::new();
    for index in 0..64 {
        let client = lab.client().await?;
        callers.push(tokio::spawn(async move {
            for round in 0..entries / 2 / 64 + 1 {
                let name = name((index + 64 * round) % boards);
                client.reserve(ask(Want::Board { name: name.parse()? })).await?;
                let release = Release { number: None, breaking: None };
                // Another of these clients may have released it: they are all one user.
                let _ = client.release(name.parse()?, release).await;
            }
            anyhow::Ok(())
        }));
    }
    for caller in callers {
        caller.await??;
    }
    Ok(())
}

/// An ask that waits for its turn.
pub(crate) fn ask(want: Want) -> Ask {
    Ask { want, span: None, if_taken: IfTaken::Queue, grace: None, note: None, ssh_key: None }
}
