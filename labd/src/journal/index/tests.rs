use std::path::PathBuf;
use std::{fs, slice};

use proptest::collection::vec;
use proptest::prelude::*;
use protocol::Time;

use super::due::{due, make_one_of};
use super::format::PAGE;
use super::*;
use crate::journal::lines::BLOCK;
use crate::journal::pattern::trigrams;
use crate::journal::recording::{LastRun, Recording, Segment};

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
    let covered: Vec<_> = covered.iter().map(|(start, end)| start * BLOCK..end * BLOCK).collect();
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
