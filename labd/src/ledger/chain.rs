//! The segments as one chain: opening, appending, reading.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::ops::RangeInclusive;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::journal::Entry;

use super::record::Record;
use super::segment::{self, Damage, Error, GENESIS, HEADER, Hash, Walk};
use super::{Committed, Found};
use crate::clock::Anchor;

/// A segment that has grown to this many bytes is followed by a new one.
const FULL: u64 = 16 << 20;

/// The end of the chain, where entries are appended.
pub(super) struct Tail {
    folder: PathBuf,
    file: File,
    path: PathBuf,
    length: u64,
    last: u64,
    before: Hash,
    buffer: Vec<u8>,
}

pub(super) fn disk(file: &Path) -> impl Fn(io::Error) -> Error {
    move |source| Error::Disk { file: file.to_owned(), source }
}

/// The segments in order, each with the number of its first entry.
fn segments(folder: &Path) -> Result<Vec<(u64, PathBuf)>, Error> {
    let mut found = Vec::new();
    for file in std::fs::read_dir(folder).map_err(disk(folder))? {
        let path = file.map_err(disk(folder))?.path();
        let stem = path.extension().filter(|end| *end == "ledger").and(path.file_stem());
        if let Some(first) = stem.and_then(|stem| stem.to_str()?.parse().ok()) {
            found.push((first, path));
        }
    }
    found.sort();
    Ok(found)
}

/// Opens the chain for appending. Segments that end at or before entry `trusted` are not read.
pub(super) fn open(folder: &Path, trusted: u64) -> Result<(Tail, Found), Error> {
    std::fs::create_dir_all(folder).map_err(disk(folder))?;
    let segments = segments(folder)?;
    let Some((newest, older)) = segments.split_last() else {
        let tail = Tail::begin(folder, 1, GENESIS)?;
        return Ok((tail, Found { last: 0, cut: 0, anchor: None }));
    };
    let mut before = None;
    for ((first, path), (next, _)) in older.iter().zip(&segments[1..]) {
        if *next > trusted + 1 {
            before = Some(check_whole(path, *first, *next - 1, before)?);
        }
    }
    resume(folder, newest, before)
}

/// Reads a segment that is not the last: it must be whole. Returns its last hash.
fn check_whole(path: &Path, first: u64, last: u64, before: Option<Hash>) -> Result<Hash, Error> {
    let bytes = std::fs::read(path).map_err(disk(path))?;
    let mut walk = begin(&bytes, path, first, before)?;
    let mut seq = first - 1;
    while let Some(entry) = walk.next() {
        entry.map_err(|stop| damage(path, stop.at, seq, stop.what))?;
        seq += 1;
    }
    if seq != last {
        return Err(damage(path, bytes.len(), seq, "entries are missing at its end").into());
    }
    Ok(walk.before)
}

fn begin<'a>(
    bytes: &'a [u8],
    path: &Path,
    first: u64,
    before: Option<Hash>,
) -> Result<Walk<'a>, Damage> {
    match segment::parse_header(bytes) {
        Some((number, hash)) if number == first && before.is_none_or(|before| before == hash) => {
            Ok(Walk::new(bytes, hash))
        }
        Some((number, _)) if number == first => {
            Err(damage(path, 0, first - 1, "it does not follow the segment before it"))
        }
        _ => Err(damage(path, 0, first - 1, "its header is not a ledger's")),
    }
}

fn damage(path: &Path, at: usize, last: u64, what: &str) -> Damage {
    Damage { file: path.to_owned(), offset: at as u64, last, what: what.to_owned() }
}

/// Reads the newest segment; cuts off a batch that a crash left unfinished.
fn resume(
    folder: &Path,
    newest: &(u64, PathBuf),
    before: Option<Hash>,
) -> Result<(Tail, Found), Error> {
    let (first, path) = newest;
    let bytes = std::fs::read(path).map_err(disk(path))?;
    if bytes.len() < HEADER && bytes.iter().all(|byte| *byte == 0) || bytes.is_empty() {
        return begun_and_no_more(folder, *first, path, before);
    }
    let mut walk = begin(&bytes, path, *first, before)?;
    let mut last = first - 1;
    let mut whole = (last, walk.before, None);
    let mut newest_json = None;
    let mut length = bytes.len();
    loop {
        if walk.is_between_batches() {
            whole = (last, walk.before, newest_json);
        }
        match walk.next() {
            None => break,
            Some(Ok(json)) => {
                last += 1;
                newest_json = Some(json);
            }
            Some(Err(stop)) => {
                length = stop.torn_after.ok_or_else(|| damage(path, stop.at, last, stop.what))?;
                break;
            }
        }
    }
    let (last, before, newest_json) = whole;
    let file = OpenOptions::new().write(true).open(path).map_err(disk(path))?;
    if length < bytes.len() {
        file.set_len(length as u64).and_then(|()| file.sync_all()).map_err(disk(path))?;
    }
    let anchor = match newest_json {
        None => None,
        Some(json) => {
            let record = parse(json, path, last)?;
            Some((Anchor { lab: record.entry.at, uptime: record.uptime }, record.boot))
        }
    };
    let found = Found { last, cut: (bytes.len() - length) as u64, anchor };
    let (folder, path) = (folder.to_owned(), path.clone());
    Ok((
        Tail { folder, file, path, length: length as u64, last, before, buffer: Vec::new() },
        found,
    ))
}

/// A crash left the newest segment without its header: it is begun again.
fn begun_and_no_more(
    folder: &Path,
    first: u64,
    path: &Path,
    before: Option<Hash>,
) -> Result<(Tail, Found), Error> {
    let before = match before {
        Some(before) => before,
        None if first == 1 => GENESIS,
        None => return Err(damage(path, 0, first - 1, "its header is missing").into()),
    };
    std::fs::remove_file(path).map_err(disk(path))?;
    let tail = Tail::begin(folder, first, before)?;
    Ok((tail, Found { last: first - 1, cut: 0, anchor: None }))
}

fn parse(json: &[u8], path: &Path, last: u64) -> Result<Record, Damage> {
    serde_json::from_slice(json)
        .map_err(|error| damage(path, 0, last, &format!("an entry is not understood: {error}")))
}

impl Tail {
    /// Begins a segment. It and its name are on disk when this returns.
    fn begin(folder: &Path, first: u64, before: Hash) -> Result<Tail, Error> {
        let path = folder.join(format!("{first:020}.ledger"));
        let mut file =
            OpenOptions::new().write(true).create_new(true).open(&path).map_err(disk(&path))?;
        file.write_all(&segment::header(first, &before))
            .and_then(|()| file.sync_all())
            .map_err(disk(&path))?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(disk(folder))?;
        Ok(Tail {
            folder: folder.to_owned(),
            file,
            path,
            length: HEADER as u64,
            last: first - 1,
            before,
            buffer: Vec::new(),
        })
    }

    /// Writes a batch. It is on disk when this returns; if it fails, nothing of it is.
    pub(super) fn append(&mut self, records: &[Record]) -> io::Result<()> {
        if self.length >= FULL {
            *self =
                Tail::begin(&self.folder, self.last + 1, self.before).map_err(io::Error::other)?;
        }
        let count = records.len() as u64;
        self.buffer.clear();
        let before = segment::encode(records, self.before, &mut self.buffer)?;
        let written =
            self.file.write_all_at(&self.buffer, self.length).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // If even this fails, the next batch overwrites what is left of this one.
            let _ = self.file.set_len(self.length);
            let why = format!("{}: {error}", self.path.display());
            return Err(io::Error::new(error.kind(), why));
        }
        self.length += self.buffer.len() as u64;
        self.last += count;
        self.before = before;
        Ok(())
    }
}

/// Reads the entries of `range`, at most `most`.
pub(super) fn read(
    folder: &Path,
    range: RangeInclusive<u64>,
    most: usize,
) -> Result<Vec<Arc<Committed>>, Error> {
    let mut entries = Vec::new();
    let segments = segments(folder)?;
    for (index, (first, path)) in segments.iter().enumerate() {
        let next = segments.get(index + 1).map_or(u64::MAX, |(next, _)| *next);
        if next <= *range.start() || first > range.end() || entries.len() >= most {
            continue;
        }
        let range = *range.start().max(first)..=*range.end();
        walk(path, *first, range, |entry| {
            entries.push(entry);
            entries.len() < most
        })?;
    }
    Ok(entries)
}

/// The newest entries up to number `last` that are wanted, oldest first.
pub(super) fn newest(
    folder: &Path,
    last: u64,
    most: usize,
    is_wanted: impl Fn(&Entry) -> bool,
) -> Result<Vec<Arc<Committed>>, Error> {
    let mut found = Vec::new();
    for (first, path) in segments(folder)?.into_iter().rev() {
        let mut here = Vec::new();
        walk(&path, first, first..=last, |entry| {
            if is_wanted(&entry.entry) {
                here.push(entry);
            }
            true
        })?;
        found.splice(0..0, here);
        if found.len() >= most {
            break;
        }
    }
    found.drain(..found.len().saturating_sub(most));
    Ok(found)
}

/// Shows the entries of one segment that lie in `range` to `see`, until it has seen enough.
fn walk(
    path: &Path,
    first: u64,
    range: RangeInclusive<u64>,
    mut see: impl FnMut(Arc<Committed>) -> bool,
) -> Result<(), Error> {
    let bytes = std::fs::read(path).map_err(disk(path))?;
    let mut walk = begin(&bytes, path, first, None)?;
    for seq in first..=*range.end() {
        let json = match walk.next() {
            None => return Ok(()),
            Some(entry) => entry.map_err(|stop| damage(path, stop.at, seq - 1, stop.what))?,
        };
        if seq >= *range.start() {
            let Record { entry, writes, .. } = parse(json, path, seq - 1)?;
            if !see(Arc::new(Committed { entry, writes })) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Compares every hash up to entry `last`. Returns how many entries there are.
pub(super) fn verify(folder: &Path, last: u64) -> Result<u64, Error> {
    let segments = segments(folder)?;
    let mut before = None;
    let mut entries = 0;
    for (index, (first, path)) in segments.iter().enumerate() {
        let end = segments.get(index + 1).map_or(last, |(next, _)| *next - 1);
        let bytes = std::fs::read(path).map_err(disk(path))?;
        let mut walk = begin(&bytes, path, *first, before)?;
        for seq in *first..=end {
            let entry = walk.next().ok_or_else(|| {
                damage(path, bytes.len(), seq - 1, "entries are missing at its end")
            })?;
            let json = entry.map_err(|stop| damage(path, stop.at, seq - 1, stop.what))?;
            let record = parse(json, path, seq - 1)?;
            if record.entry.seq != seq {
                return Err(damage(path, 0, seq - 1, "an entry has another's number").into());
            }
            entries += 1;
        }
        before = Some(walk.before);
    }
    Ok(entries)
}

/// How far the chain is whole.
pub(super) struct Extent {
    /// The last entry of the last whole batch.
    pub(super) last: u64,
    /// What is wrong after that, if anything.
    pub(super) damage: Option<Damage>,
    /// How many bytes of the damaged segment are whole batches.
    pub(super) whole: u64,
    /// The segments after the damaged one.
    pub(super) later: Vec<PathBuf>,
}

/// Reads the chain up to its first damage.
pub(super) fn extent(folder: &Path) -> Result<Extent, Error> {
    let segments = segments(folder)?;
    let mut extent = Extent { last: 0, damage: None, whole: 0, later: Vec::new() };
    let mut before = None;
    for (index, (first, path)) in segments.iter().enumerate() {
        let bytes = std::fs::read(path).map_err(disk(path))?;
        let is_missing_some = before.is_some() && extent.last + 1 != *first;
        let walk = begin(&bytes, path, *first, before);
        let outcome = match walk {
            Ok(_) if is_missing_some => {
                Err(damage(path, 0, extent.last, "entries before it are missing"))
            }
            Ok(walk) => measure(walk, path, *first, &mut extent).map(|hash| before = Some(hash)),
            Err(damage) => Err(damage),
        };
        if let Err(damage) = outcome {
            extent.damage = Some(damage);
            extent.later = segments[index + 1..].iter().map(|(_, path)| path.clone()).collect();
            break;
        }
    }
    Ok(extent)
}

/// Walks to the end of a segment, and keeps the extent up with it.
fn measure(
    mut walk: Walk<'_>,
    path: &Path,
    first: u64,
    extent: &mut Extent,
) -> Result<Hash, Damage> {
    let mut last = first - 1;
    (extent.last, extent.whole) = (last, HEADER as u64);
    while let Some(entry) = walk.next() {
        entry.map_err(|stop| damage(path, stop.at, extent.last, stop.what))?;
        last += 1;
        if walk.is_between_batches() {
            (extent.last, extent.whole) = (last, walk.position() as u64);
        }
    }
    Ok(walk.before)
}
