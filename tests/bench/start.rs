//! How soon a lab of a thousand boards answers.

use anyhow::Result;

use crate::attach::until_open;
use crate::board::Board;
use crate::figure::{Bar, Report, Sample};
use crate::holds::fill;
use crate::process::Lab;

const BOARDS: usize = 1_000;
const STARTS: usize = 7;
const ENTRIES: usize = 20_000;
const BAR: Bar = Bar::Most(150.0);

pub(crate) fn run(report: &mut Report) -> Result<()> {
    let boards: Vec<Board> = (0..BOARDS).map(|_| Board::new()).collect::<Result<_>>()?;
    let options: Vec<String> = boards.iter().map(Board::option).collect();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let mut fresh = Sample::new();
        for _ in 0..STARTS {
            fresh.add_time(ready(&Lab::start(&options)?).await?);
        }
        let seen = format!("a new folder, {BOARDS} boards with consoles; labgrid exporter 1310");
        report.figure("start-fresh", fresh.median() * 1e3, "ms", &seen, BAR)?;

        let mut lab = Lab::start(&options)?;
        until_open(&lab.client().await?, BOARDS).await?;
        fill(&lab, BOARDS, ENTRIES).await?;
        boards.iter().try_for_each(|board| board.print(b"U-Boot 2026.01\r\n"))?;
        let mut used = Sample::new();
        for _ in 0..STARTS {
            until_open(&lab.client().await?, BOARDS).await?;
            lab = lab.restart()?;
            used.add_time(ready(&lab).await?);
        }
        let seen = format!("a folder with {ENTRIES} entries; labgrid exporter 1310");
        report.figure("start-used", used.median() * 1e3, "ms", &seen, BAR)
    })
}

/// From the start of the process to the first answer.
async fn ready(lab: &Lab) -> Result<std::time::Duration> {
    let client = lab.client().await?;
    client.whoami().await?;
    Ok(lab.started().elapsed())
}
