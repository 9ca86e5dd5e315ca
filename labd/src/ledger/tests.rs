//! What is on disk, byte by byte.

use std::fs;
use std::sync::mpsc::{Receiver, sync_channel};

use protocol::Time;
use tempfile::TempDir;

use super::*;

/// Small enough that a few entries fill a segment.
const SMALL: u64 = 2_000;

struct Open {
    ledger: Ledger,
    found: Found,
    applied: Receiver<Arc<Committed>>,
}

fn open(folder: &Path, known: u64, full: u64) -> Result<Open, segment::Error> {
    let (apply, applied) = sync_channel(10_000);
    let clock = Clock::by_hand(Time(1_700_000_000_000));
    let opening = Opening { folder, trusted: 0, known, full };
    let (ledger, found) = Ledger::open(&opening, clock, apply)?;
    Ok(Open { ledger, found, applied })
}

fn draft(n: u64) -> Draft {
    let writes = vec![Write::put(format!("note/{n}"), &n)];
    Draft {
        by: By::default(),
        board: None,
        offset: None,
        event: Event::Noted { text: n.to_string() },
        writes,
    }
}

/// Appends entries one by one: each is a batch of its own.
async fn append(ledger: &Ledger, numbers: std::ops::RangeInclusive<u64>) {
    for n in numbers {
        assert_eq!(ledger.stage(draft(n)).await, Ok(n));
    }
}

fn numbers(entries: &[Arc<Committed>]) -> Vec<u64> {
    for committed in entries {
        assert_eq!(committed.entry.event, Event::Noted { text: committed.entry.seq.to_string() });
    }
    entries.iter().map(|committed| committed.entry.seq).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "ledger"));
    files.sort();
    files
}

/// A ledger of `entries` batches, closed.
async fn written(entries: u64, full: u64) -> TempDir {
    let dir = TempDir::new().expect("a folder");
    let Open { ledger, .. } = open(dir.path(), 0, full).expect("a new ledger opens");
    append(&ledger, 1..=entries).await;
    ledger.close();
    dir
}

fn damage_of(outcome: Result<Open, segment::Error>) -> Damage {
    match outcome.map(|open| open.found) {
        Err(segment::Error::Damaged(damage)) => damage,
        other => panic!("no damage: {other:?}"),
    }
}

#[tokio::test]
async fn what_was_committed_is_there_when_it_is_opened_again() {
    let dir = written(5, FULL).await;
    let Open { ledger, found, .. } = open(dir.path(), 5, FULL).expect("it opens");
    assert_eq!((found.last, found.cut), (5, 0));
    let (anchor, boot) = found.anchor.expect("a clock");
    assert_eq!((anchor.lab, boot), (Time(1_700_000_000_000), crate::clock::boot_id()));
    append(&ledger, 6..=7).await;
    assert_eq!(numbers(&ledger.read(1, 100).await.expect("it reads")), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(numbers(&ledger.read(6, 1).await.expect("it reads")), [6]);
    assert_eq!(ledger.verify().await.expect("it is whole"), 7);
    ledger.close();
    assert_eq!(ledger.stage(draft(8)).await, Err(CannotRecord("the ledger is closed".to_owned())));
}

#[tokio::test]
async fn entries_staged_together_keep_their_order_and_all_who_wait_are_told() {
    let dir = TempDir::new().expect("a folder");
    let Open { ledger, applied, .. } = open(dir.path(), 0, FULL).expect("it opens");
    let commits: Vec<_> =
        (0..100).map(|pair| ledger.stage_all([draft(2 * pair + 1), draft(2 * pair + 2)])).collect();
    for (pair, commit) in (0..).zip(commits) {
        assert_eq!(commit.await, Ok(2 * pair + 2));
    }
    ledger.close();
    let applied: Vec<_> = applied.try_iter().collect();
    assert_eq!(numbers(&applied), (1..=200).collect::<Vec<_>>());
    let reread = chain::read(dir.path(), 1..=200, 1_000).expect("it reads");
    assert_eq!(numbers(&reread), (1..=200).collect::<Vec<_>>());
}

#[tokio::test]
async fn full_segments_are_followed_by_new_ones_and_are_one_chain() {
    let dir = written(60, SMALL).await;
    let segments = files(dir.path());
    assert!(segments.len() > 5, "{segments:?}");
    let Open { ledger, found, .. } = open(dir.path(), 60, SMALL).expect("it opens");
    assert_eq!(found.last, 60);
    append(&ledger, 61..=70).await;
    assert_eq!(ledger.verify().await.expect("it is whole"), 70);
    let all = chain::read(dir.path(), 1..=70, 1_000).expect("it reads");
    assert_eq!(numbers(&all), (1..=70).collect::<Vec<_>>());
    let some = chain::read(dir.path(), 23..=48, 1_000).expect("it reads");
    assert_eq!(numbers(&some), (23..=48).collect::<Vec<_>>());
    let newest = ledger.newest(11, |entry| entry.seq % 2 == 0).await.expect("it reads");
    assert_eq!(numbers(&newest), (25..=35).map(|half| half * 2).collect::<Vec<_>>());
}

/// What a crash can leave of the last batch: any beginning of it, or its room with nothing in it.
#[tokio::test]
async fn a_torn_tail_is_cut_to_the_last_whole_batch() {
    let dir = written(3, FULL).await;
    let file = files(dir.path()).pop().expect("a segment");
    let before = fs::read(&file).expect("it reads").len();
    let Open { ledger, .. } = open(dir.path(), 3, FULL).expect("it opens");
    ledger.stage_all([draft(4), draft(5)]).await.expect("it is written");
    ledger.close();
    let whole = fs::read(&file).expect("it reads");
    for length in before..whole.len() {
        for room in [0, whole.len() - length] {
            let torn = [&whole[..length], &vec![0; room]].concat();
            fs::write(&file, &torn).expect("it writes");
            let Open { ledger, found, .. } = open(dir.path(), 3, FULL).expect("it opens");
            assert_eq!((found.last, found.cut), (3, (torn.len() - before) as u64), "{length}");
            append(&ledger, 4..=4).await;
            assert_eq!(ledger.verify().await.expect("it is whole"), 4);
            ledger.close();
        }
        fs::write(&file, &whole).expect("it writes");
    }
    assert_eq!(open(dir.path(), 5, FULL).expect("it opens").found.last, 5);
}

/// The same bytes are no torn write if somebody was told of them, and are left as they are.
#[tokio::test]
async fn an_acknowledged_tail_is_not_cut() {
    let dir = written(3, FULL).await;
    let file = files(dir.path()).pop().expect("a segment");
    let whole = fs::read(&file).expect("it reads");
    let mut flipped = whole.clone();
    *flipped.last_mut().expect("a byte") ^= 1;
    fs::write(&file, &flipped).expect("it writes");
    let damage = damage_of(open(dir.path(), 3, FULL));
    assert_eq!((&damage.file, damage.last), (&file, 2));
    assert_eq!(fs::read(&file).expect("it reads"), flipped, "nothing was changed");
    assert_eq!(open(dir.path(), 2, FULL).expect("nobody knew of it").found.last, 2);
    // What is gone without a trace is refused as well.
    for known in [3, 4] {
        let outcome = open(dir.path(), known, FULL).map(|open| open.found);
        let shortened = Err::<Found, _>(segment::Error::Shortened {
            folder: dir.path().into(),
            last: 2,
            known,
        });
        assert_eq!(format!("{outcome:?}"), format!("{shortened:?}"));
    }
}

#[tokio::test]
async fn damage_before_the_last_batch_is_refused_with_its_place() {
    let dir = written(12, SMALL).await;
    for file in files(dir.path()) {
        let whole = fs::read(&file).expect("it reads");
        let is_newest = Some(&file) == files(dir.path()).last();
        // The last batch of all is the one that may be torn.
        let end = if is_newest { last_batch(&whole) } else { whole.len() };
        for at in 0..end {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x10;
            fs::write(&file, &flipped).expect("it writes");
            let damage = damage_of(open(dir.path(), 0, SMALL));
            // What is wrong with a batch's header may show only at its first entry.
            assert!(damage.offset <= at as u64 + 16, "{damage:?}, byte {at}");
            let said = damage.to_string();
            for needed in [file.to_str().expect("a path"), &format!("byte {}", damage.offset)] {
                assert!(said.contains(needed), "{said}");
            }
            assert!(said.contains(&format!("after entry {}", damage.last)), "{said}");
            assert_eq!(fs::read(&file).expect("it reads"), flipped, "nothing was changed");
        }
        fs::write(&file, &whole).expect("it writes");
    }
}

fn last_batch(bytes: &[u8]) -> usize {
    let mark = b"\xF5batch\r\n";
    bytes.windows(mark.len()).rposition(|window| window == mark).expect("a batch")
}

#[tokio::test]
async fn a_missing_segment_is_missed() {
    let dir = written(60, SMALL).await;
    let segments = files(dir.path());
    let kept = dir.path().join("kept");
    for (index, file) in segments.iter().enumerate() {
        fs::rename(file, &kept).expect("it moves");
        let outcome = open(dir.path(), 60, SMALL).map(|open| open.found);
        assert!(outcome.is_err(), "{index}: {outcome:?}");
        let read = chain::read(dir.path(), 1..=60, 1_000);
        let is_newest = index + 1 == segments.len();
        assert!(read.is_err(), "{index}, {is_newest}: {}", read.map_or(0, |read| read.len()));
        assert!(chain::verify(dir.path(), 60).is_err(), "{index}");
        fs::rename(&kept, file).expect("it moves");
    }
    assert_eq!(open(dir.path(), 60, SMALL).expect("it opens").found.last, 60);
}

/// A crash between making a segment and writing its header, or before anything was written to it.
#[tokio::test]
async fn a_segment_that_was_only_begun_is_begun_again() {
    let dir = written(12, SMALL).await;
    let (_, found) =
        chain::open(&Opening { folder: dir.path(), trusted: 0, known: 12, full: SMALL })
            .expect("it opens");
    let header = fs::read(&files(dir.path())[0]).expect("it reads")[..segment::HEADER].to_vec();
    let begun = dir.path().join(format!("{:020}.ledger", 13));
    let torn = (0..segment::HEADER).map(|length| header[..length].to_vec());
    for left in torn.chain([vec![0; segment::HEADER], vec![0; 20]]) {
        fs::write(&begun, &left).expect("it writes");
        // Segments of the snapshot's time need not be read, but this one's hash is needed.
        for trusted in [0, 12] {
            let opening = Opening { folder: dir.path(), trusted, known: 12, full: SMALL };
            let (_, again) = chain::open(&opening).expect("it opens");
            assert_eq!((again.last, &again.anchor), (12, &found.anchor), "{left:?}");
            fs::write(&begun, &left).expect("it writes");
        }
        let opening = Opening { folder: dir.path(), trusted: 0, known: 13, full: SMALL };
        assert!(chain::open(&opening).is_err(), "an entry of it was acknowledged");
    }
    let Open { ledger, .. } = open(dir.path(), 12, SMALL).expect("it opens");
    append(&ledger, 13..=14).await;
    assert_eq!(ledger.verify().await.expect("it is whole"), 14);
}

#[tokio::test]
async fn verify_finds_a_flipped_bit() {
    let dir = written(30, SMALL).await;
    let Open { ledger, .. } = open(dir.path(), 30, SMALL).expect("it opens");
    for file in files(dir.path()) {
        let whole = fs::read(&file).expect("it reads");
        for at in (0..whole.len()).step_by(7) {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x04;
            fs::write(&file, &flipped).expect("it writes");
            assert!(ledger.verify().await.is_err(), "{}, byte {at}", file.display());
        }
        fs::write(&file, &whole).expect("it writes");
    }
    assert_eq!(ledger.verify().await.expect("it is whole"), 30);
}

#[tokio::test]
async fn repair_cuts_at_the_damage_and_keeps_what_it_cuts() {
    for round in 0..2 {
        let dir = written(30, SMALL).await;
        let segments = files(dir.path());
        let damaged = &segments[2];
        let mut bytes = fs::read(damaged).expect("it reads");
        // In the header, or in the last batch.
        let at = if round == 0 { 20 } else { last_batch(&bytes) + 100 };
        bytes[at] ^= 1;
        fs::write(damaged, &bytes).expect("it writes");
        let repair::Cut { last, damage } = repair::examine(dir.path()).expect("it reads");
        assert_eq!(damage.expect("damage").file, *damaged);
        let kept = repair::cut_at(dir.path()).expect("it cuts");
        assert_eq!(kept.len(), segments.len() - 2);
        assert_eq!(fs::read(&kept[0]).expect("it is kept"), bytes);
        let Open { ledger, found, .. } = open(dir.path(), last, SMALL).expect("it opens");
        assert_eq!((found.last, found.cut), (last, 0));
        append(&ledger, last + 1..=last + 9).await;
        assert_eq!(ledger.verify().await.expect("it is whole"), last + 9);
        ledger.close();
        // What was kept once is not written over by a second time.
        let newest = files(dir.path()).pop().expect("a segment");
        fs::write(&newest, b"rubbish of more bytes than a header has, to be taken for damage")
            .expect("it writes");
        let again = repair::cut_at(dir.path()).expect("it cuts");
        assert!(again.iter().all(|path| !kept.contains(path)), "{again:?}");
        assert_eq!(fs::read(&kept[0]).expect("it is kept"), bytes);
    }
}

/// What was decided upon a commit that failed is void, even if it is staged when writing is
/// possible again.
#[tokio::test]
async fn a_failed_write_voids_everything_since() {
    let dir = TempDir::new().expect("a folder");
    let Open { ledger, .. } = open(dir.path(), 0, SMALL).expect("it opens");
    let mut last = 0;
    while files(dir.path()).len() < 2 {
        last += 1;
        append(&ledger, last..=last).await;
    }
    // The next segment cannot be made: its name is taken.
    let full = files(dir.path()).pop().expect("a segment");
    while fs::metadata(&full).expect("it is there").len() < SMALL {
        last += 1;
        append(&ledger, last..=last).await;
    }
    let obstacle = dir.path().join(format!("{:020}.ledger", last + 1));
    fs::create_dir(&obstacle).expect("it is made");
    let before = ledger.generation();
    let failed = [ledger.stage(draft(0)), ledger.stage(draft(0))];
    for commit in failed {
        assert!(commit.await.is_err());
    }
    assert!(ledger.generation() > before);
    assert_eq!(*ledger.committed().borrow(), last);
    fs::remove_dir(&obstacle).expect("it is removed");
    assert!(ledger.stage_upon(before, [draft(0)]).await.is_err());
    let generation = ledger.generation();
    assert_eq!(ledger.stage_upon(generation, [draft(last + 1)]).await, Ok(last + 1));
    assert_eq!(ledger.verify().await.expect("it is whole"), last + 1);
}

#[tokio::test]
async fn what_is_not_older_than_a_time_begins_where_it_was_written() {
    let dir = TempDir::new().expect("a folder");
    let (apply, _applied) = sync_channel(10_000);
    let clock = Clock::by_hand(Time(1_000));
    let opening = Opening { folder: dir.path(), trusted: 0, known: 0, full: SMALL };
    let (ledger, _) = Ledger::open(&opening, clock.clone(), apply).expect("it opens");
    for n in 1..=60 {
        append(&ledger, n..=n).await;
        clock.advance(protocol::Span::millis(10));
    }
    assert!(files(dir.path()).len() > 3);
    // Entry n is of 990 + 10 n.
    for (time, first) in
        [(0, 1), (1_000, 1), (1_001, 2), (1_300, 31), (1_305, 32), (1_590, 60), (1_591, 61)]
    {
        assert_eq!(ledger.since(Time(time)).await.expect("it is read"), first, "{time}");
    }
    // Of what is looked through, nothing is before the segment in which it is.
    fs::write(&files(dir.path())[0], "damaged").expect("written");
    assert_eq!(ledger.since(Time(1_591)).await.expect("it is read"), 61);
}
