//! Searching a year of a lab. `SEARCH_BOARDS=20` makes it a small one.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use protocol::Time;
use protocol::board::BoardName;
use protocol::client;
use protocol::search::{Hit, Search};
use protocol::wire::Follow;
use tokio::runtime::Runtime;

use crate::figure::{Bar, Report, Sample};
use crate::process::{Lab, name, simulated};
use crate::year::{COMMON, NEEDLE, Year};

const BOARDS: usize = 200;
const DAYS: u64 = 365;
const DAY: u64 = 24 * 3_600_000;
const ROUNDS: usize = 7;
/// So many hits are a screen's worth.
const SCREEN: u64 = 100;
/// The lines that are looked through on one board.
const LINES: u64 = 100_000;
/// The last blocks of a recording wait for more, in bytes.
const FEW: u64 = 8 * 64 * 1024;
/// As long as labd may make indexes.
const INDEXING: Duration = Duration::from_secs(3_600);

pub(crate) fn run(report: &mut Report) -> Result<()> {
    let boards = match std::env::var("SEARCH_BOARDS") {
        Ok(said) => said.parse().context("SEARCH_BOARDS is no number")?,
        Err(_) => BOARDS,
    };
    let end = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis() as u64;
    let year = Year { boards, days: DAYS, end };
    let options: Vec<String> = (0..boards).map(|_| simulated()).collect();
    let mut written = None;
    let lab = Lab::start_with_history(&options, |consoles| {
        written = Some(year.write(consoles)?);
        Ok(())
    })?;
    let written = written.context("nothing was written")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(lab.client())?;
    let (took, index) = indexed(&lab, boards)?;
    let seen = format!(
        "{boards} boards, {DAYS} days, {:.2} GB, {:.1} million lines, {} files; made in {:.1} s, {:.0} MB/s",
        written.bytes as f64 / 1e9,
        written.lines as f64 / 1e6,
        written.files,
        took.as_secs_f64(),
        written.bytes as f64 / 1e6 / took.as_secs_f64(),
    );
    let share = index as f64 * 100.0 / written.bytes as f64;
    report.figure("search-index", share, "%", &seen, Bar::Most(15.0))?;

    let found = grep(&lab.consoles())?;
    let mut figure = |name: &str, ask: Search, hits: usize, bar: Bar| {
        let time = timed(&runtime, &lab, &ask, hits)?;
        let beside = format!(
            "{hits} hits of '{}'; grep -c over the same files {:.0} ms, {:.0} times that",
            ask.pattern,
            found.as_secs_f64() * 1e3,
            found.as_secs_f64() / time,
        );
        report.figure(name, time * 1e3, "ms", &beside, bar)
    };
    let second = Bar::Most(1_000.0);
    figure("search-rare", literal(NEEDLE), 1, second)?;
    figure("search-none", literal("nobody ever printed this"), 0, second)?;
    let screen = Search { limit: Some(SCREEN), ..literal(COMMON) };
    figure("search-common", screen, SCREEN as usize, second)?;
    let regex = Search { regex: true, ..literal(r"mmc\d: eMMC lost .* at 0x[0-9a-f]{8}$") };
    figure("search-regex", regex, 1, second)?;

    // Of one board, so many days as have those lines.
    let days = LINES * boards as u64 * DAYS / written.lines;
    let board: BoardName = name(0).parse()?;
    let since = Some(Time(end - days * DAY));
    let of_one = Search { boards: vec![board], since, limit: Some(SCREEN), ..literal(COMMON) };
    let bar = Bar::Most(50.0);
    figure("search-lines-common", of_one.clone(), SCREEN as usize, bar)?;
    let nowhere = Search { pattern: "nobody ever printed this".to_owned(), ..of_one.clone() };
    figure("search-lines-none", nowhere, 0, bar)?;
    let unindexed = Search { regex: true, pattern: r"[qz]\d[qz]\d$".to_owned(), ..of_one };
    figure("search-lines-regex", unindexed, 0, bar)
}

fn literal(pattern: &str) -> Search {
    Search { pattern: pattern.to_owned(), ..Search::default() }
}

/// Waits until there are indexes of all but the last days; says how long that took, and how large they are.
fn indexed(lab: &Lab, boards: usize) -> Result<(Duration, u64)> {
    let mut size = 0;
    for board in 0..boards {
        let folder = lab.consoles().join(name(board));
        while let Some(more) = unindexed(&folder, &mut 0)? {
            ensure!(lab.started().elapsed() < INDEXING, "{more} bytes of {board} have no index");
            std::thread::sleep(Duration::from_millis(20));
        }
        unindexed(&folder, &mut size)?;
    }
    Ok((lab.started().elapsed(), size))
}

/// How many bytes of a board have no index, if that is more than those of a few days.
fn unindexed(folder: &Path, size: &mut u64) -> Result<Option<u64>> {
    let (mut end, mut covered) = (0, 0);
    for file in fs::read_dir(folder)? {
        let file = file?;
        // It may have given way to a larger one meanwhile.
        let Ok(about) = file.metadata() else { continue };
        let path = file.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        match path.extension().and_then(|end| end.to_str()) {
            Some("bytes") => end = end.max(stem.parse::<u64>()? + about.len()),
            Some("trigrams") => {
                let reach = stem.split_once('-').map_or(stem, |(_, reach)| reach);
                covered = covered.max(reach.parse().unwrap_or_default());
                *size += about.len();
            }
            _ => {}
        }
    }
    let rest = end.saturating_sub(covered);
    Ok((rest > FEW).then_some(rest))
}

/// How long grep takes for the same.
fn grep(consoles: &Path) -> Result<Duration> {
    let mut times = Sample::new();
    for _ in 0..3 {
        let began = Instant::now();
        let mut grep = Command::new("grep");
        grep.args(["-r", "-F", "-c", "--include=*.bytes", NEEDLE]).arg(consoles);
        let status = grep.stdout(Stdio::null()).status()?;
        ensure!(status.success(), "grep finds nothing");
        times.add_time(began.elapsed());
    }
    Ok(Duration::from_secs_f64(times.median()))
}

/// From the question to the end of the answer, in seconds.
fn timed(runtime: &Runtime, lab: &Lab, ask: &Search, hits: usize) -> Result<f64> {
    let mut times = Sample::new();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let found = runtime.block_on(search(lab, ask))?;
        times.add_time(began.elapsed());
        ensure!(found.len() == hits, "{} hits of '{}'", found.len(), ask.pattern);
    }
    Ok(times.median())
}

async fn search(lab: &Lab, ask: &Search) -> Result<Vec<Hit>> {
    let (mut flow, _) = client::follow(&lab.address(), Follow::Search(ask.clone())).await?;
    let mut hits = Vec::new();
    loop {
        let line = client::next_line(&mut flow).await?.context("the search broke off")?;
        if line.is_empty() {
            return Ok(hits);
        }
        hits.push(serde_json::from_str(&line)?);
    }
}
