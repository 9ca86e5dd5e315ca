//! Which blocks of a recording have which three letters in a row.
//!
//! ```text
//! consoles/rpi4/00000000000000000000-00000000000001310720.trigrams
//! ```
//!
//! An index is of neighbouring segments that grow no more; its name says from which offset to which. It is
//! never the truth: whoever searches reads the blocks that it names, and all of them where there is none.
//! So it may be deleted at any time, and is made again. One that is damaged says so, page by page.
//!
//! ```text
//! "labgrams", the length and the checksum of the head
//! head: the segments' starts and lengths; each page's first trigram, end and checksum
//! pages: each trigram, as the distance from the one before, and the blocks that have it
//! ```

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use super::lines::{Lines, blocks, text};
use super::pattern::{Need, TRIGRAMS, folded, trigrams};
use super::recording::{Recording, Segment};

/// Segments are worth an index as soon as they have the first number of blocks, and one instead of several
/// as soon as they have the second.
const WORTH: (u64, u64) = (8, 256);

const MAGIC: &[u8; 8] = b"labgrams";
/// The magic, the head's length, its checksum.
const HEADER: usize = 8 + 4 + 8;
/// No head is this large.
const LARGEST_HEAD: u32 = 1 << 20;
/// A page is closed when it has so many bytes.
const PAGE: usize = 4096;
/// In a pair of a trigram and a block, so many bits are the block's.
const BLOCK_BITS: u32 = 12;

/// The indexes of a recording.
#[derive(Debug)]
pub struct Shelf {
    folder: PathBuf,
    /// What they cover, in order; none until somebody looks.
    covered: Mutex<Option<Vec<Range<u64>>>>,
}

impl Shelf {
    /// That of a recording in a folder.
    pub fn new(folder: PathBuf) -> Shelf {
        Shelf { folder, covered: Mutex::new(None) }
    }

    /// What the indexes cover, in order.
    pub fn covered(&self) -> Vec<Range<u64>> {
        self.with(|covered| covered.clone())
    }

    /// Opens the index that covers just that.
    ///
    /// # Errors
    /// The disk's; [`io::ErrorKind::InvalidData`] if it is damaged.
    pub fn open(&self, range: &Range<u64>) -> io::Result<Index> {
        Index::open(&self.path(range))
    }

    /// Puts one there, whole or not at all, in place of those that cover less of the same.
    ///
    /// # Errors
    /// The disk's.
    pub fn put(&self, range: &Range<u64>, index: &[u8]) -> io::Result<()> {
        let unfinished = self.folder.join("trigrams.new");
        fs::write(&unfinished, index)?;
        fs::rename(&unfinished, self.path(range))?;
        self.with(|covered| {
            covered.retain(|other| other == range || !self.is_done_with(other, range));
            if !covered.contains(range) {
                covered.push(range.clone());
                covered.sort_by_key(|range| range.start);
            }
        });
        Ok(())
    }

    /// Takes one away.
    pub fn forget(&self, range: &Range<u64>) {
        self.with(|covered| covered.retain(|other| other != range));
        // If it is there all the same, it is found again at the next start.
        let _ = fs::remove_file(self.path(range));
    }

    /// Takes those away of which nothing is kept from `start` on.
    pub fn forget_before(&self, start: u64) {
        let over = |range: &Range<u64>| range.end <= start;
        self.covered().into_iter().filter(over).for_each(|range| self.forget(&range));
    }

    /// Whether an index covers no more than another; its file is deleted then.
    fn is_done_with(&self, one: &Range<u64>, other: &Range<u64>) -> bool {
        let is_within = other.start <= one.start && one.end <= other.end;
        if is_within {
            let _ = fs::remove_file(self.path(one));
        }
        is_within
    }

    fn with<T>(&self, look: impl FnOnce(&mut Vec<Range<u64>>) -> T) -> T {
        look(self.covered.lock().get_or_insert_with(|| self.find()))
    }

    /// What is there. Of two that cover the same, as a crash may leave them, the larger stays.
    fn find(&self) -> Vec<Range<u64>> {
        let files = fs::read_dir(&self.folder).into_iter().flatten();
        let names = files.filter_map(|file| file.ok()?.file_name().into_string().ok());
        let mut found: Vec<Range<u64>> = names.filter_map(|name| range_of(&name)).collect();
        found.sort_by_key(|range| (range.start, u64::MAX - range.end));
        let mut kept: Vec<Range<u64>> = Vec::new();
        for range in found {
            let is_done = kept.last().is_some_and(|last| self.is_done_with(&range, last));
            if !is_done {
                kept.push(range);
            }
        }
        kept
    }

    fn path(&self, range: &Range<u64>) -> PathBuf {
        self.folder.join(format!("{:020}-{:020}.trigrams", range.start, range.end))
    }
}

fn range_of(name: &str) -> Option<Range<u64>> {
    let (start, end) = name.strip_suffix(".trigrams")?.split_once('-')?;
    Some(start.parse().ok()?..end.parse().ok()?)
}

/// Makes one index that a recording lacks. Says whether there was one to make.
///
/// # Errors
/// The disk's.
pub fn make_one(recording: &Recording) -> io::Result<bool> {
    make_one_of(recording, WORTH)
}

fn make_one_of(recording: &Recording, worth: (u64, u64)) -> io::Result<bool> {
    let (segments, shelf) = (recording.segments(), recording.shelf());
    let Some((_, finished)) = segments.split_last() else { return Ok(false) };
    let Some(due) = due(finished, &shelf.covered(), worth) else { return Ok(false) };
    let mut builder = Builder::new(due);
    for segment in due {
        let file = match recording.bytes(segment) {
            // It was pruned meanwhile; its blocks have nothing.
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            file => Some(file?),
        };
        for block in 0..blocks(segment.length) {
            match &file {
                Some(file) => builder.add(&Lines::read(file, segment.length, block)?),
                None => builder.blocks += 1,
            }
        }
    }
    let (start, end) = (due.first().map(|first| first.start), due.last().map(Segment::end));
    shelf.put(&(start.unwrap_or_default()..end.unwrap_or_default()), &builder.finish())?;
    Ok(true)
}

/// The neighbours among finished segments that are to have an index next.
fn due<'a>(
    finished: &'a [Segment],
    covered: &[Range<u64>],
    (few, many): (u64, u64),
) -> Option<&'a [Segment]> {
    let size = |segments: &[Segment]| segments.iter().map(|one| blocks(one.length)).sum::<u64>();
    let by = |segment: &Segment| covered.iter().find(|range| range.contains(&segment.start));
    // An index that has lost its first segments to pruning stays as it is.
    let within = |range: &Range<u64>| {
        let first = finished.partition_point(|segment| segment.start < range.start);
        let after = finished.partition_point(|segment| segment.start < range.end);
        let is_cut = finished.get(first).is_none_or(|segment| segment.start != range.start);
        if is_cut { many } else { size(&finished[first..after]) }
    };
    let is_small = |segment: &Segment| by(segment).is_none_or(|range| within(range) < many);
    let mut rest = finished;
    while let Some(start) = rest.iter().position(is_small) {
        let run = &rest[start..];
        let length = run.iter().take_while(|segment| is_small(segment)).count();
        let (run, after) = run.split_at(length);
        let enough = |most: u64, run: &'a [Segment]| {
            (1..=run.len()).map(|length| &run[..length]).find(|some| size(some) >= most)
        };
        let bare = run.iter().position(|segment| by(segment).is_none());
        let due = enough(many, run).or_else(|| enough(few, &run[bare?..]));
        if due.is_some() {
            return due;
        }
        rest = after;
    }
    None
}

/// An index as it is made.
struct Builder<'a> {
    segments: &'a [Segment],
    blocks: u32,
    /// The trigrams of the block at hand.
    seen: Vec<bool>,
    /// Each a trigram, and in the last bits a block that has it.
    pairs: Vec<u32>,
}

impl<'a> Builder<'a> {
    fn new(segments: &'a [Segment]) -> Builder<'a> {
        Builder { segments, blocks: 0, seen: vec![false; TRIGRAMS as usize], pairs: Vec::new() }
    }

    /// Adds the next block.
    fn add(&mut self, lines: &Lines) {
        let first = self.pairs.len();
        for (_, line) in lines.iter() {
            for trigram in trigrams(folded(text(line)).as_bytes()) {
                if !std::mem::replace(&mut self.seen[trigram as usize], true) {
                    self.pairs.push(trigram << BLOCK_BITS | self.blocks);
                }
            }
        }
        for pair in &self.pairs[first..] {
            self.seen[(pair >> BLOCK_BITS) as usize] = false;
        }
        self.blocks += 1;
    }

    /// The file.
    fn finish(mut self) -> Vec<u8> {
        self.pairs.sort_unstable();
        let (mut head, mut pages, mut body) = (Vec::new(), Vec::new(), Vec::new());
        let (mut first, mut before, mut page) = (0, 0, Vec::new());
        for pairs in self.pairs.chunk_by(|one, other| one >> BLOCK_BITS == other >> BLOCK_BITS) {
            let trigram = pairs[0] >> BLOCK_BITS;
            if page.is_empty() {
                (first, before) = (trigram, trigram);
            }
            push_number(&mut page, trigram - before);
            before = trigram;
            let blocks: Vec<u32> =
                pairs.iter().map(|pair| pair & ((1 << BLOCK_BITS) - 1)).collect();
            push_blocks(&mut page, &blocks, self.blocks);
            if page.len() >= PAGE {
                close_page(&mut pages, &mut body, first, &mut page);
            }
        }
        close_page(&mut pages, &mut body, first, &mut page);
        head.extend_from_slice(&(self.segments.len() as u32).to_le_bytes());
        for segment in self.segments {
            head.extend_from_slice(&segment.start.to_le_bytes());
            head.extend_from_slice(&segment.length.to_le_bytes());
        }
        head.extend_from_slice(&pages);
        let length = (head.len() as u32).to_le_bytes();
        [MAGIC.as_slice(), &length, &checksum(&head).to_le_bytes(), &head, &body].concat()
    }
}

/// A page's first trigram, its end and its checksum in the head, and itself in the body.
fn close_page(head: &mut Vec<u8>, body: &mut Vec<u8>, first: u32, page: &mut Vec<u8>) {
    if page.is_empty() {
        return;
    }
    body.extend_from_slice(page);
    head.extend_from_slice(&first.to_le_bytes());
    head.extend_from_slice(&(body.len() as u32).to_le_bytes());
    head.extend_from_slice(&checksum(page).to_le_bytes());
    page.clear();
}

/// `0` if all blocks have it, `1` and a bit for each block, or one more than how many have it and the
/// distances between those.
fn push_blocks(page: &mut Vec<u8>, having: &[u32], blocks: u32) {
    if having.len() == blocks as usize {
        return push_number(page, 0);
    }
    let mut list = Vec::new();
    push_number(&mut list, having.len() as u32 + 1);
    let mut before = 0;
    for block in having {
        push_number(&mut list, block - before);
        before = *block;
    }
    let mut bits = vec![0; 1 + blocks.div_ceil(8) as usize];
    bits[0] = 1;
    having.iter().for_each(|block| bits[1 + *block as usize / 8] |= 1 << (block % 8));
    page.extend_from_slice(if list.len() <= bits.len() { &list } else { &bits });
}

/// Seven bits a byte, the lowest first.
fn push_number(to: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        to.push(number as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

fn checksum(bytes: &[u8]) -> u64 {
    let hash = blake3::hash(bytes);
    u64::from_le_bytes(*hash.as_bytes().first_chunk().unwrap_or(&[0; 8]))
}

/// An index.
#[derive(Debug)]
pub struct Index {
    file: File,
    /// The start and the length of each segment.
    segments: Vec<(u64, u64)>,
    blocks: u32,
    pages: Vec<Page>,
    /// Pages that were read.
    read: Mutex<HashMap<usize, Vec<u8>>>,
}

#[derive(Debug)]
struct Page {
    first: u32,
    place: Range<u64>,
    checksum: u64,
}

/// Which of an index's blocks have something.
type Having = Vec<bool>;

impl Index {
    fn open(path: &Path) -> io::Result<Index> {
        let file = File::open(path)?;
        let mut header = [0; HEADER];
        file.read_exact_at(&mut header, 0).map_err(|_| damaged())?;
        let mut rest = header.strip_prefix(MAGIC).ok_or_else(damaged)?;
        let (length, sum) = (take_u32(&mut rest)?, take_u64(&mut rest)?);
        if length > LARGEST_HEAD {
            return Err(damaged());
        }
        let mut head = vec![0; length as usize];
        file.read_exact_at(&mut head, HEADER as u64).map_err(|_| damaged())?;
        if checksum(&head) != sum {
            return Err(damaged());
        }
        let mut rest = head.as_slice();
        let count = take_u32(&mut rest)?;
        let segments = (0..count).map(|_| Ok((take_u64(&mut rest)?, take_u64(&mut rest)?)));
        let segments = segments.collect::<io::Result<Vec<_>>>()?;
        let body = HEADER as u64 + u64::from(length);
        let (mut pages, mut start) = (Vec::new(), body);
        while !rest.is_empty() {
            let (first, end) = (take_u32(&mut rest)?, body + u64::from(take_u32(&mut rest)?));
            pages.push(Page { first, place: start..end, checksum: take_u64(&mut rest)? });
            start = end;
        }
        let count: u64 = segments.iter().map(|(_, length)| blocks(*length)).sum();
        Ok(Index { file, segments, blocks: count as u32, pages, read: Mutex::default() })
    }

    /// The blocks that have what is needed, each as the start of its segment and its number in that.
    ///
    /// # Errors
    /// The disk's; [`io::ErrorKind::InvalidData`] if it is damaged.
    pub fn find(&self, need: &Need) -> io::Result<Vec<(u64, u64)>> {
        let having = self.having(need)?;
        let each = self
            .segments
            .iter()
            .flat_map(|(start, length)| (0..blocks(*length)).map(move |block| (*start, block)));
        Ok(each.zip(having).filter_map(|(block, has)| has.then_some(block)).collect())
    }

    fn having(&self, need: &Need) -> io::Result<Having> {
        match need {
            Need::Trigram(trigram) => self.having_trigram(*trigram),
            Need::All(needs) => {
                let mut all = vec![true; self.blocks as usize];
                for need in needs {
                    let having = self.having(need)?;
                    all.iter_mut().zip(having).for_each(|(all, has)| *all &= has);
                    if !all.contains(&true) {
                        break;
                    }
                }
                Ok(all)
            }
            Need::Any(needs) => {
                let mut any = vec![false; self.blocks as usize];
                for need in needs {
                    let having = self.having(need)?;
                    any.iter_mut().zip(having).for_each(|(any, has)| *any |= has);
                }
                Ok(any)
            }
        }
    }

    fn having_trigram(&self, wanted: u32) -> io::Result<Having> {
        let mut having = vec![false; self.blocks as usize];
        let after = self.pages.partition_point(|page| page.first <= wanted);
        let Some(number) = after.checked_sub(1) else { return Ok(having) };
        let mut read = self.read.lock();
        let page = match read.entry(number) {
            std::collections::hash_map::Entry::Occupied(page) => page.into_mut(),
            std::collections::hash_map::Entry::Vacant(gap) => gap.insert(self.page(number)?),
        };
        let (mut rest, mut trigram) = (page.as_slice(), self.pages[number].first);
        while !rest.is_empty() {
            trigram += take_number(&mut rest)?;
            let is_it = trigram == wanted;
            take_blocks(&mut rest, self.blocks, |block| {
                if is_it && let Some(has) = having.get_mut(block as usize) {
                    *has = true;
                }
            })?;
            if trigram >= wanted {
                break;
            }
        }
        Ok(having)
    }

    fn page(&self, number: usize) -> io::Result<Vec<u8>> {
        let Page { place, checksum: sum, .. } = &self.pages[number];
        let length = place.end.checked_sub(place.start).ok_or_else(damaged)?;
        let mut page = vec![0; length as usize];
        self.file.read_exact_at(&mut page, place.start).map_err(|_| damaged())?;
        if checksum(&page) == *sum { Ok(page) } else { Err(damaged()) }
    }
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the index is damaged")
}

fn take_u32(from: &mut &[u8]) -> io::Result<u32> {
    take(from).map(u32::from_le_bytes)
}

fn take_u64(from: &mut &[u8]) -> io::Result<u64> {
    take(from).map(u64::from_le_bytes)
}

fn take<const LENGTH: usize>(from: &mut &[u8]) -> io::Result<[u8; LENGTH]> {
    let (taken, rest) = from.split_first_chunk().ok_or_else(damaged)?;
    *from = rest;
    Ok(*taken)
}

fn take_number(from: &mut &[u8]) -> io::Result<u32> {
    let mut number = 0;
    for shift in [0, 7, 14, 21, 28] {
        let [byte] = take(from)?;
        number |= u32::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(damaged())
}

fn take_blocks(from: &mut &[u8], blocks: u32, mut tell: impl FnMut(u32)) -> io::Result<()> {
    match take_number(from)? {
        0 => (0..blocks).for_each(tell),
        1 => {
            let bits = from.split_off(..blocks.div_ceil(8) as usize).ok_or_else(damaged)?;
            let is_set = |block: &u32| bits[*block as usize / 8] >> (block % 8) & 1 == 1;
            (0..blocks).filter(is_set).for_each(tell);
        }
        more => {
            let mut block = 0;
            for _ in 1..more {
                block += take_number(from)?;
                tell(block);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use std::slice;

    use proptest::collection::vec;
    use proptest::prelude::*;
    use protocol::Time;

    use super::*;
    use crate::journal::lines::BLOCK;
    use crate::journal::recording::LastRun;

    /// A recording of these segments, the last of which grows.
    pub(in crate::journal) fn recording(folder: &Path, segments: &[Vec<u8>]) -> Recording {
        let mut start = 0;
        for bytes in segments {
            let times = [b"labtimes".as_slice(), &1_000_u64.to_le_bytes()].concat();
            fs::write(folder.join(format!("{start:020}.times")), times).expect("writes");
            fs::write(folder.join(format!("{start:020}.bytes")), bytes).expect("writes");
            start += bytes.len();
        }
        Recording::open(folder, LastRun::Whole, Time(1_000)).expect("opens")
    }

    /// Makes every index that is worth it.
    pub(in crate::journal) fn make_all(recording: &Recording, worth: (u64, u64)) {
        while make_one_of(recording, worth).expect("makes one") {}
    }

    fn of_blocks(sizes: &[u64]) -> Vec<Segment> {
        let mut start = 0;
        let segment = |blocks: &u64| {
            let segment = Segment { start, length: blocks * BLOCK, since: Time(0) };
            start = segment.end();
            segment
        };
        sizes.iter().map(segment).collect()
    }

    /// In blocks.
    fn made(sizes: &[u64], covered: &[(u64, u64)]) -> Option<Range<u64>> {
        let covered: Vec<_> =
            covered.iter().map(|(start, end)| start * BLOCK..end * BLOCK).collect();
        let finished = of_blocks(sizes);
        let due = due(&finished, &covered, (4, 16))?;
        Some(due[0].start / BLOCK..due[due.len() - 1].end() / BLOCK)
    }

    #[test]
    fn few_segments_wait_for_more_and_many_indexes_become_one() {
        assert_eq!(made(&[], &[]), None);
        assert_eq!(made(&[1, 1, 1], &[]), None);
        assert_eq!(made(&[1, 1, 1, 1, 1], &[]), Some(0..4));
        assert_eq!(made(&[1, 1, 1, 1, 1], &[(0, 4)]), None);
        assert_eq!(made(&[16, 1], &[]), Some(0..16));
        assert_eq!(made(&[4, 4, 4, 4, 1], &[(0, 4), (4, 8), (8, 12)]), Some(0..16));
        assert_eq!(made(&[4, 4, 4, 4, 1], &[(0, 16)]), None);
        assert_eq!(made(&[4, 4, 4], &[(0, 4), (8, 12)]), Some(4..8), "one was damaged");
        let pruned = &of_blocks(&[4, 8, 8, 8, 1])[2..];
        let covered = [0..20 * BLOCK, 20 * BLOCK..28 * BLOCK];
        assert_eq!(due(pruned, &covered, (4, 16)), None, "the first has lost segments, no more");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// Sooner or later all but a few blocks at the end are covered, by few indexes, whatever was there.
        #[test]
        fn everything_comes_to_be_covered(
            sizes in vec(1_u64..6, 0..40),
            there in vec((0_usize..40, 1_usize..8), 0..6),
        ) {
            let finished = of_blocks(&sizes);
            let mut covered: Vec<Range<u64>> = there
                .iter()
                .filter_map(|(from, count)| {
                    let run = finished.get(*from..from + count)?;
                    Some(run[0].start..run[run.len() - 1].end())
                })
                .collect();
            covered.sort_by_key(|range| (range.start, u64::MAX - range.end));
            covered.dedup_by_key(|range| range.start);
            for round in 0.. {
                let Some(due) = due(&finished, &covered, (4, 16)) else { break };
                prop_assert!(round < 100, "there is no end to it");
                let range = due[0].start..due[due.len() - 1].end();
                covered.retain(|one| one.start < range.start || one.end > range.end);
                covered.push(range);
                covered.sort_by_key(|range| range.start);
            }
            let is_bare = |one: &&Segment| !covered.iter().any(|range| range.contains(&one.start));
            let bare: u64 = finished.iter().filter(is_bare).map(|one| one.length / BLOCK).sum();
            prop_assert!(bare < 4 * (1 + there.len() as u64), "{bare} blocks, {covered:?}");
        }

        /// An index names just the blocks that have a trigram.
        #[test]
        fn blocks_with_a_trigram_are_named(texts in vec("[ab\\n]{0,12}", 1..20), wanted in "[ab]{3}") {
            let folder = tempfile::tempdir().expect("a folder");
            let mut segments: Vec<_> = texts.iter().map(|text| text.clone().into_bytes()).collect();
            segments.push(Vec::new());
            let segments: Vec<_> =
                segments.into_iter().map(|text| [text, b"\n".to_vec()].concat()).collect();
            let recording = recording(folder.path(), &segments);
            make_all(&recording, (1, 64));
            let trigram = trigrams(wanted.as_bytes()).next().expect("one");
            let mut named = Vec::new();
            for range in recording.shelf().covered() {
                let index = recording.shelf().open(&range).expect("opens");
                named.extend(index.find(&Need::Trigram(trigram)).expect("reads"));
            }
            let all = recording.segments();
            let having = texts.iter().zip(&all).filter(|(text, _)| text.contains(&wanted));
            let having: Vec<_> = having.map(|(_, segment)| (segment.start, 0)).collect();
            prop_assert_eq!(named, having);
        }
    }

    /// A recording of ten segments with an index, and where that is.
    fn indexed(folder: &Path) -> (Recording, PathBuf) {
        let mut random = 1_u32;
        let mut line = |_| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            format!("{random:x} {}\n", random.wrapping_mul(7))
        };
        let segments: Vec<Vec<u8>> =
            (0..11).map(|_| (0..500).map(&mut line).collect::<String>().into_bytes()).collect();
        let recording = recording(folder, &segments);
        make_all(&recording, (10, 100));
        let range = recording.shelf().covered().remove(0);
        let path = recording.shelf().path(&range);
        (recording, path)
    }

    #[test]
    fn every_damaged_byte_is_noticed() {
        let folder = tempfile::tempdir().expect("a folder");
        let (_, path) = indexed(folder.path());
        let whole = fs::read(&path).expect("reads");
        let all = |path: &Path| -> io::Result<()> {
            let index = Index::open(path)?;
            (0..index.pages.len()).try_for_each(|page| index.page(page).map(drop))
        };
        assert!(whole.len() > 2 * PAGE, "{} bytes", whole.len());
        all(&path).expect("it is whole");
        for at in (0..whole.len()).step_by(97).chain(0..HEADER) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            fs::write(&path, &bytes).expect("writes");
            let error = all(&path).expect_err("it is damaged");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "byte {at}: {error}");
            fs::write(&path, &whole[..at]).expect("writes");
            let error = all(&path).expect_err("it is cut");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{at} bytes: {error}");
        }
    }

    #[test]
    fn what_a_crash_leaves_is_no_index_and_what_is_pruned_has_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let (recording, path) = indexed(folder.path());
        fs::write(folder.path().join("trigrams.new"), b"labgrams half of one").expect("writes");
        let range = recording.shelf().covered().remove(0);
        let within = range.start..recording.segments()[3].start;
        fs::copy(&path, recording.shelf().path(&within)).expect("copies");
        let again = Recording::open(folder.path(), LastRun::Whole, Time(1_000)).expect("opens");
        assert_eq!(again.shelf().covered(), slice::from_ref(&range), "the larger one is enough");
        assert!(!recording.shelf().path(&within).exists());

        let last = again.segments().pop().expect("a segment");
        again.prune(last.length + 1, protocol::Span::hours(1), Time(1_000)).expect("prunes");
        assert_eq!(again.shelf().covered(), []);
        assert!(!path.exists());
    }
}
