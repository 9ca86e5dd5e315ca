//! What `crash-writer` was told is on disk, and whether it is.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use labd::clock::Clock;
use labd::memory::{Memory, Sizes};
use protocol::journal::Event;

/// Small, so that segments and snapshots come and go within a run.
pub const SIZES: Sizes = Sizes { segment: 48 << 10, snapshot_every: 400 };

/// How many writers there are.
pub const WRITERS: u64 = 8;

/// By writer, the last number that was acknowledged. Each counts from 1.
pub type Acks = BTreeMap<u64, u64>;

/// The key of a writer's record, which is its last number.
pub fn key(writer: u64) -> String {
    format!("writer/{writer}")
}

/// What a writer's entry says.
pub fn text(writer: u64, n: u64) -> String {
    format!("{writer} {n}")
}

/// Notes a line that `crash-writer` printed: `writer number`.
///
/// # Errors
/// If it is no such line.
pub fn note(acks: &mut Acks, line: &str) -> Result<()> {
    let (writer, n) = parse(line).with_context(|| format!("'{line}' is no acknowledgement"))?;
    let last = acks.entry(writer).or_default();
    *last = n.max(*last);
    Ok(())
}

fn parse(text: &str) -> Option<(u64, u64)> {
    let (writer, n) = text.split_once(' ')?;
    Some((writer.parse().ok()?, n.parse().ok()?))
}

/// What a memory had.
#[derive(Debug, Clone, Copy)]
pub struct Had {
    /// How many acknowledged entries are not there.
    pub lost: u64,
    /// How many milliseconds it took to open.
    pub open_ms: u64,
}

/// Opens the memory in `folder`, and counts what was acknowledged and is not there.
///
/// # Errors
/// If it does not open, has gaps, or its store is not what its ledger says.
pub fn look(folder: &Path, acks: &Acks) -> Result<Had> {
    let begun = Instant::now();
    let (memory, _) = Memory::open(folder, &Clock::machine(), SIZES)?;
    let open_ms = begun.elapsed().as_millis() as u64;
    let outcome = compare(&memory, acks);
    memory.close();
    Ok(Had { lost: outcome?, open_ms })
}

fn compare(memory: &Memory, acks: &Acks) -> Result<u64> {
    let mut written = Acks::new();
    let entries = memory.ledger().read_waiting(1, usize::MAX)?;
    for (seq, committed) in (1..).zip(&entries) {
        ensure!(committed.entry.seq == seq, "entry {seq} is missing");
        if let Event::Noted { text } = &committed.entry.event {
            let (writer, n) = parse(text).context("a strange entry")?;
            let before = written.insert(writer, n).unwrap_or(0);
            ensure!(before + 1 == n, "writer {writer}: {n} follows {before}");
        }
    }
    let records: Acks = memory
        .scan::<u64>("writer/")?
        .into_iter()
        .map(|(writer, n)| Ok((writer.parse()?, n)))
        .collect::<Result<_>>()?;
    ensure!(records == written, "the store has {records:?}, the ledger {written:?}");
    Ok(acks
        .iter()
        .map(|(writer, n)| n.saturating_sub(written.get(writer).copied().unwrap_or(0)))
        .sum())
}
