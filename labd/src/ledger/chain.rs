//! The segments as one chain: opening, appending, reading.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::ops::RangeInclusive;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::Time;
use protocol::journal::Entry;

use super::record::Record;
use super::retired::Beginning;
use super::segment::{self, Damage, Error, GENESIS, HEADER, Hash, Walk};
use super::{Committed, Found, Opening};
use crate::clock::Anchor;

/// The end of the chain, where entries are appended.
pub(super) struct Tail {
    folder: PathBuf,
    file: File,
    path: PathBuf,
    length: u64,
    last: u64,
    before: Hash,
    /// At this many bytes the next segment is begun.
    full: u64,
    buffer: Vec<u8>,
}

pub(super) fn disk(file: &Path) -> impl Fn(io::Error) -> Error {
    move |source| Error::Disk { file: file.to_owned(), source }
}

/// Where the chain begins, and its segments in order, each with the number of its first entry.
fn chain(folder: &Path) -> Result<(Beginning, Vec<(u64, PathBuf)>), Error> {
    let beginning = Beginning::read(folder)?;
    let mut segments = segments(folder)?;
    // A crash may have left some that were retired.
    segments.retain(|(first, _)| *first >= beginning.first);
    Ok((beginning, segments))
}

/// All segments in order, each with the number of its first entry.
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

/// The segments with the entries that should be in each.
type Spans = Vec<(RangeInclusive<u64>, PathBuf)>;

/// Where the chain begins, and its segments up to entry `last`.
fn spans(folder: &Path, last: u64) -> Result<(Beginning, Spans), Error> {
    let (beginning, segments) = chain(folder)?;
    let ends: Vec<u64> =
        segments.iter().skip(1).map(|(next, _)| (next - 1).min(last)).chain([last]).collect();
    let spans = segments.into_iter().zip(ends).map(|((first, path), end)| (first..=end, path));
    let spans: Vec<_> = spans.filter(|(span, _)| !span.is_empty()).collect();
    if let Some((span, path)) = spans.first() {
        check_beginning(&beginning, *span.start(), path)?;
    }
    Ok((beginning, spans))
}

/// The oldest segment begins with the first entry that is kept. One without a whole header is for
/// whoever reads it.
fn check_beginning(beginning: &Beginning, first: u64, path: &Path) -> Result<(), Error> {
    let last = beginning.first - 1;
    if first != beginning.first {
        return Err(damage(path, 0, last, "the entries before it are missing").into());
    }
    let mut header = [0; HEADER];
    let read = File::open(path).and_then(|file| file.read_exact_at(&mut header, 0));
    match segment::parse_header(&header).filter(|_| read.is_ok()) {
        Some((_, before)) if before != beginning.before => {
            Err(damage(path, 0, last, "it does not follow the entries that were let go").into())
        }
        _ => Ok(()),
    }
}

/// Makes a folder whose name outlasts a power cut, and those above it.
pub(super) fn make_folder(folder: &Path) -> Result<(), Error> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().filter(|above| !above.as_os_str().is_empty());
    let above = above.unwrap_or(Path::new("."));
    make_folder(above)?;
    std::fs::create_dir(folder).map_err(disk(folder))?;
    sync_folder(above)
}

/// Brings the names in a folder to the disk.
pub(super) fn sync_folder(folder: &Path) -> Result<(), Error> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(disk(folder))
}

/// Opens the chain for appending. Nothing is changed unless all that is known to have been
/// acknowledged is there.
pub(super) fn open(opening: &Opening<'_>) -> Result<(Tail, Found), Error> {
    let folder = opening.folder;
    make_folder(folder)?;
    let (beginning, segments) = chain(folder)?;
    let Beginning { first, before } = beginning;
    let Some((newest, older)) = segments.split_last() else {
        check_known(opening, first - 1, None)?;
        let tail = Tail::begin(folder, first, before, opening.full)?;
        return Ok((tail, Found { last: first - 1, cut: 0, anchor: None }));
    };
    check_beginning(&beginning, segments[0].0, &segments[0].1)?;
    delete_before(folder, first)?;
    let newest_length = std::fs::metadata(&newest.1).map_err(disk(&newest.1))?.len();
    let is_begun_only = newest_length <= HEADER as u64;
    let mut before = None;
    for ((first, path), (next, _)) in older.iter().zip(&segments[1..]) {
        // What was going on last stands in the segment before one that has just been begun.
        if *next > opening.trusted + 1 || (is_begun_only && *next == newest.0) {
            before = Some(check_whole(&beginning, path, *first, *next - 1, before.as_ref())?);
        }
    }
    resume(opening, &beginning, newest, before)
}

/// Refuses an end before the last entry that is known to have been there.
fn check_known(opening: &Opening<'_>, last: u64, torn: Option<&Damage>) -> Result<(), Error> {
    if last >= opening.known {
        return Ok(());
    }
    Err(match torn {
        Some(damage) => damage.clone().into(),
        None => Error::Shortened { folder: opening.folder.to_owned(), last, known: opening.known },
    })
}

/// A segment that was read to its end, which is whole.
struct Whole {
    /// The hash of its last entry.
    before: Hash,
    newest: Record,
}

impl Whole {
    fn anchor(self) -> (Anchor, String) {
        (Anchor { lab: self.newest.entry.at, uptime: self.newest.uptime }, self.newest.boot)
    }
}

/// Reads a segment that is not the last: it must be whole.
fn check_whole(
    beginning: &Beginning,
    path: &Path,
    first: u64,
    last: u64,
    before: Option<&Whole>,
) -> Result<Whole, Error> {
    let bytes = std::fs::read(path).map_err(disk(path))?;
    let mut walk = begin(&bytes, path, first, link(beginning, first, before))?;
    let mut seq = first - 1;
    let mut newest = None;
    while let Some(entry) = walk.next() {
        newest = Some(entry.map_err(|stop| damage(path, stop.at, seq, stop.what))?);
        seq += 1;
    }
    match newest {
        Some(json) if seq == last => {
            Ok(Whole { before: walk.before, newest: parse(json, path, seq - 1)? })
        }
        _ => Err(damage(path, bytes.len(), seq, "entries are missing at its end").into()),
    }
}

/// The hash before entry `first`, if it is known.
fn link(beginning: &Beginning, first: u64, before: Option<&Whole>) -> Option<Hash> {
    let begins = || (first == beginning.first).then_some(beginning.before);
    before.map(|whole| whole.before).or_else(begins)
}

/// Goes behind the header of a segment; `before` is the hash that must stand there, if it is known.
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
    opening: &Opening<'_>,
    beginning: &Beginning,
    (first, path): &(u64, PathBuf),
    before: Option<Whole>,
) -> Result<(Tail, Found), Error> {
    let bytes = std::fs::read(path).map_err(disk(path))?;
    if bytes.len() <= HEADER && segment::parse_header(&bytes).is_none() {
        return begin_again(opening, *first, path, before);
    }
    let mut walk = begin(&bytes, path, *first, link(beginning, *first, before.as_ref()))?;
    let mut last = first - 1;
    let mut whole = (last, walk.before, None);
    let mut newest_json = None;
    let mut length = bytes.len();
    let mut torn = None;
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
                let damage = damage(path, stop.at, last, stop.what);
                let Some(whole) = stop.torn_after else { return Err(damage.into()) };
                (length, torn) = (whole, Some(damage));
                break;
            }
        }
    }
    let (last, hash, newest_json) = whole;
    check_known(opening, last, torn.as_ref())?;
    let file = OpenOptions::new().write(true).open(path).map_err(disk(path))?;
    if length < bytes.len() {
        file.set_len(length as u64).and_then(|()| file.sync_all()).map_err(disk(path))?;
    }
    let newest = match newest_json {
        Some(json) => Some(Whole { before: hash, newest: parse(json, path, last)? }),
        None => before,
    };
    let cut = (bytes.len() - length) as u64;
    let found = Found { last, cut, anchor: newest.map(Whole::anchor) };
    let (folder, path, full) = (opening.folder.to_owned(), path.clone(), opening.full);
    let (length, buffer) = (length as u64, Vec::new());
    Ok((Tail { folder, file, path, length, last, before: hash, full, buffer }, found))
}

/// A crash left the newest segment without its header: it is begun again.
fn begin_again(
    opening: &Opening<'_>,
    first: u64,
    path: &Path,
    before: Option<Whole>,
) -> Result<(Tail, Found), Error> {
    check_known(opening, first - 1, Some(&damage(path, 0, first - 1, "its header is missing")))?;
    std::fs::remove_file(path).map_err(disk(path))?;
    let hash = before.as_ref().map_or(GENESIS, |whole| whole.before);
    let tail = Tail::begin(opening.folder, first, hash, opening.full)?;
    Ok((tail, Found { last: first - 1, cut: 0, anchor: before.map(Whole::anchor) }))
}

fn parse(json: &[u8], path: &Path, last: u64) -> Result<Record, Damage> {
    serde_json::from_slice(json)
        .map_err(|error| damage(path, 0, last, &format!("an entry is not understood: {error}")))
}

impl Tail {
    /// Begins a segment. It and its name are on disk when this returns; if it fails, there is none.
    fn begin(folder: &Path, first: u64, before: Hash, full: u64) -> Result<Tail, Error> {
        let path = folder.join(format!("{first:020}.ledger"));
        let mut file =
            OpenOptions::new().write(true).create_new(true).open(&path).map_err(disk(&path))?;
        let begun = file
            .write_all(&segment::header(first, &before))
            .and_then(|()| file.sync_all())
            .map_err(disk(&path))
            .and_then(|()| sync_folder(folder));
        if let Err(error) = begun {
            // If even this fails, so does every commit until labd is started again.
            let _ = std::fs::remove_file(&path);
            return Err(error);
        }
        let (folder, length, last) = (folder.to_owned(), HEADER as u64, first - 1);
        Ok(Tail { folder, file, path, length, last, before, full, buffer: Vec::new() })
    }

    /// Writes a batch. It is on disk when this returns; if it fails, nothing of it is.
    pub(super) fn append(&mut self, records: &[Record]) -> io::Result<()> {
        if self.length >= self.full {
            *self = Tail::begin(&self.folder, self.last + 1, self.before, self.full)
                .map_err(io::Error::other)?;
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

/// Reads the entries of `range` that are kept, at most `most`.
pub(super) fn read(
    folder: &Path,
    range: RangeInclusive<u64>,
    most: usize,
) -> Result<Vec<Arc<Committed>>, Error> {
    let mut entries = Vec::new();
    let (beginning, spans) = spans(folder, *range.end())?;
    for (span, path) in spans {
        if span.end() < range.start() || entries.len() >= most {
            continue;
        }
        walk(&beginning, &path, span, *range.start(), |entry| {
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
    let (beginning, spans) = spans(folder, last)?;
    for (span, path) in spans.into_iter().rev() {
        let mut here = Vec::new();
        walk(&beginning, &path, span, 0, |entry| {
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

/// The number of the first entry that was not written before `time`, up to number `last` and the next one.
pub(super) fn since(folder: &Path, last: u64, time: Time) -> Result<u64, Error> {
    let mut first = last + 1;
    let (beginning, spans) = spans(folder, last)?;
    for (span, path) in spans.into_iter().rev() {
        let mut begins_before = false;
        walk(&beginning, &path, span, 0, |committed| {
            let entry = &committed.entry;
            let is_before = entry.at < time;
            begins_before |= is_before;
            if !is_before {
                first = entry.seq;
            }
            is_before
        })?;
        if begins_before {
            break;
        }
    }
    Ok(first)
}

/// Shows the entries of one segment from number `from` on to `see`, until it has seen enough. All
/// of `span` must be in it.
fn walk(
    beginning: &Beginning,
    path: &Path,
    span: RangeInclusive<u64>,
    from: u64,
    mut see: impl FnMut(Arc<Committed>) -> bool,
) -> Result<(), Error> {
    let bytes = std::fs::read(path).map_err(disk(path))?;
    let mut walk = begin(&bytes, path, *span.start(), link(beginning, *span.start(), None))?;
    for seq in span {
        let json = next(&mut walk, path, seq, bytes.len())?;
        if seq >= from {
            let Record { entry, writes, .. } = parse(json, path, seq - 1)?;
            if !see(Arc::new(Committed { entry, writes })) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The JSON of entry `seq`, which must be there.
fn next<'a>(walk: &mut Walk<'a>, path: &Path, seq: u64, end: usize) -> Result<&'a [u8], Damage> {
    let entry =
        walk.next().ok_or_else(|| damage(path, end, seq - 1, "entries are missing at its end"))?;
    entry.map_err(|stop| damage(path, stop.at, seq - 1, stop.what))
}

/// Compares every hash up to entry `last`. Returns how many entries there are.
pub fn verify(folder: &Path, last: u64) -> Result<u64, Error> {
    let (beginning, spans) = spans(folder, last)?;
    let mut before = Some(beginning.before);
    let mut entries = 0;
    for (span, path) in spans {
        let bytes = std::fs::read(&path).map_err(disk(&path))?;
        let mut walk = begin(&bytes, &path, *span.start(), before)?;
        for seq in span {
            let record = parse(next(&mut walk, &path, seq, bytes.len())?, &path, seq - 1)?;
            if record.entry.seq != seq {
                return Err(damage(&path, 0, seq - 1, "an entry has another's number").into());
            }
            entries += 1;
        }
        before = Some(walk.before);
    }
    let end = beginning.first - 1 + entries;
    if end < last {
        return Err(Error::Shortened { folder: folder.to_owned(), last: end, known: last });
    }
    Ok(entries)
}

/// The number of the first entry that is kept.
pub(super) fn first(folder: &Path) -> Result<u64, Error> {
    Ok(Beginning::read(folder)?.first)
}

/// Lets go of the segments all of whose entries are older than `age` and have a number up to
/// `covered`. Returns the number of the last entry that is gone with them, if there are any.
pub(super) fn retire(folder: &Path, covered: u64, age: Time) -> Result<Option<u64>, Error> {
    let (was, segments) = chain(folder)?;
    let mut beginning = was;
    // A segment is over when the next one begins.
    for (first, path) in segments.iter().skip(1).take_while(|(first, _)| *first <= covered + 1) {
        let bytes = std::fs::read(path).map_err(disk(path))?;
        let mut walk = begin(&bytes, path, *first, None)?;
        let before = walk.before;
        let Some(Ok(json)) = walk.next() else { break };
        if parse(json, path, *first - 1)?.entry.at > age {
            break;
        }
        beginning = Beginning { first: *first, before };
    }
    if beginning == was {
        return Ok(None);
    }
    beginning.write(folder)?;
    delete_before(folder, beginning.first)?;
    Ok(Some(beginning.first - 1))
}

/// Deletes the segments that begin before entry `first`, which begins one.
fn delete_before(folder: &Path, first: u64) -> Result<(), Error> {
    for (_, path) in segments(folder)?.iter().filter(|(begins, _)| *begins < first) {
        std::fs::remove_file(path).map_err(disk(path))?;
    }
    Ok(())
}

/// How far the chain is whole.
pub(super) struct Extent {
    /// The last entry of the last whole batch.
    pub(super) last: u64,
    /// What is wrong after that, if anything.
    pub(super) damage: Option<Damage>,
    /// How many bytes of the damaged segment are its header and whole batches; 0 if not even the
    /// header is as it should be.
    pub(super) whole: u64,
    /// The segments after the damaged one.
    pub(super) later: Vec<PathBuf>,
}

/// Reads the chain up to its first damage.
pub(super) fn extent(folder: &Path) -> Result<Extent, Error> {
    let (beginning, segments) = chain(folder)?;
    let last = beginning.first - 1;
    let mut extent = Extent { last, damage: None, whole: 0, later: Vec::new() };
    let mut before = Some(beginning.before);
    for (index, (first, path)) in segments.iter().enumerate() {
        let bytes = std::fs::read(path).map_err(disk(path))?;
        let is_missing_some = extent.last + 1 != *first;
        extent.whole = 0;
        let walk = begin(&bytes, path, *first, before);
        let outcome = match walk {
            Ok(_) if is_missing_some => {
                Err(damage(path, 0, extent.last, "the entries before it are missing"))
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
