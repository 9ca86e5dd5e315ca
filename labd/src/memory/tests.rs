//! The ledger, the store and the snapshots together.

use std::fs;

use protocol::Time;
use protocol::journal::By;
use tempfile::TempDir;

use super::*;
use crate::ledger::{Draft, Write};

const SIZES: Sizes = Sizes { segment: 4_000, snapshot_every: 20 };

fn open(folder: &Path) -> Result<Memory, Error> {
    let clock = Clock::by_hand(Time(1_700_000_000_000));
    Memory::open(folder, &clock, SIZES).map(|(memory, _)| memory)
}

fn draft(n: u64) -> Draft {
    let key = |n| format!("record/{n:04}");
    // Some are written over, and some go again.
    let writes = match n % 5 {
        0 => vec![Write::put(key(n), &n), Write::Delete(key(n - 2))],
        1 => vec![Write::put(key(n.saturating_sub(3)), &n)],
        _ => vec![Write::put(key(n), &n)],
    };
    Draft {
        by: By::default(),
        board: None,
        offset: None,
        event: Event::Noted { text: n.to_string() },
        writes,
    }
}

async fn append(memory: &Memory, numbers: std::ops::RangeInclusive<u64>) {
    for n in numbers {
        assert_eq!(memory.ledger().stage(draft(n)).await, Ok(n));
    }
}

/// A memory of 75 entries that was closed, and what was in it.
async fn written() -> (TempDir, Snapshot) {
    let dir = TempDir::new().expect("a folder");
    let memory = open(dir.path()).expect("it opens");
    append(&memory, 1..=75).await;
    let state = memory.snapshot().await.expect("it is exported");
    assert_eq!(state.seq, 75);
    memory.close();
    (dir, state)
}

async fn reopened(dir: &TempDir) -> Snapshot {
    let memory = open(dir.path()).expect("it opens");
    let state = memory.snapshot().await.expect("it is exported");
    let said = memory.verify().await;
    assert!(said.iter().any(|said| said.contains("75 entries")), "{said:?}");
    assert!(said.iter().any(|said| said.contains("every record is what")), "{said:?}");
    memory.close();
    state
}

fn snapshots(folder: &Path) -> Vec<PathBuf> {
    snapshot::after(folder, 0).expect("they are listed")
}

#[tokio::test]
async fn a_stop_leaves_nothing_to_catch_up_with() {
    let (dir, state) = written().await;
    let store = Store::open(&dir.path().join("store")).expect("it opens");
    assert_eq!(take(&store).expect("it reads"), state);
}

#[tokio::test]
async fn a_store_that_is_gone_behind_or_broken_is_built_anew_the_same() {
    let (dir, state) = written().await;
    assert_eq!(snapshots(dir.path()).len(), 2);
    let store = dir.path().join("store");
    fs::remove_dir_all(&store).expect("removed");
    assert_eq!(reopened(&dir).await, state);
    fs::write(store.join("db"), [0xA5; 70_000]).expect("written");
    assert_eq!(reopened(&dir).await, state);
    // Without snapshots the whole ledger is replayed.
    fs::remove_dir_all(dir.path().join("snapshots")).expect("removed");
    fs::remove_dir_all(&store).expect("removed");
    assert_eq!(reopened(&dir).await, state);
    // A store that stopped at some entry goes on from there.
    fs::remove_dir_all(&store).expect("removed");
    let behind = Store::open(&store).expect("it opens");
    for n in 1..=33 {
        behind.apply(n, &draft(n).writes).expect("applied");
    }
    drop(behind);
    assert_eq!(reopened(&dir).await, state);
}

#[tokio::test]
async fn a_damaged_snapshot_is_passed_over() {
    let (dir, state) = written().await;
    let mut kept = snapshots(dir.path());
    let newest = kept.pop().expect("a snapshot");
    let before = kept.pop().expect("the one before").file_stem().expect("a name").to_owned();
    let before: u64 = before.to_str().and_then(|name| name.parse().ok()).expect("a number");
    let whole = fs::read(&newest).expect("it reads");
    for at in (0..whole.len() - 1).step_by(101) {
        let mut flipped = whole.clone();
        flipped[at] ^= 2;
        fs::write(&newest, &flipped).expect("written");
        let used = snapshot::newest(dir.path()).expect("it reads").expect("the one before");
        assert_eq!(used.seq, before, "byte {at}");
    }
    fs::remove_dir_all(dir.path().join("store")).expect("removed");
    assert_eq!(reopened(&dir).await, state);
}

#[tokio::test]
async fn an_export_is_read_as_it_was_written() {
    let (_dir, state) = written().await;
    let lines = state.lines();
    assert_eq!(Snapshot::parse(&lines), Ok(state.clone()));
    for index in 0..lines.len() {
        let mut fewer = lines.clone();
        fewer.remove(index);
        assert!(Snapshot::parse(&fewer).is_err(), "without line {index}");
        let mut swapped = lines.clone();
        swapped.swap(index, (index + 1) % lines.len());
        assert!(Snapshot::parse(&swapped).is_err(), "line {index} in the next one's place");
    }
    let mut imported = Snapshot::default();
    imported.apply(state.seq, &state.writes());
    assert_eq!(imported, state);
}

/// The damage is told from a torn write by what the store knows, and nothing is cut.
#[tokio::test]
async fn a_flipped_bit_in_what_was_acknowledged_last_is_refused() {
    let (dir, _) = written().await;
    let ledger = dir.path().join("ledger");
    let mut files: Vec<_> =
        fs::read_dir(&ledger).expect("a folder").map(|file| file.expect("a file").path()).collect();
    files.sort();
    let newest = files.pop().expect("a segment");
    let whole = fs::read(&newest).expect("it reads");
    let mut flipped = whole.clone();
    *flipped.last_mut().expect("a byte") ^= 1;
    fs::write(&newest, &flipped).expect("written");
    let error = open(dir.path()).err().expect("it is refused").to_string();
    assert!(error.contains("is damaged at byte") && error.contains("labd repair"), "{error}");
    assert_eq!(fs::read(&newest).expect("it reads"), flipped);
    // Not even a snapshot or a store that knows of the lost entry keeps a repaired lab from opening.
    assert!(repair::run(dir.path(), false).expect("it reads").concat().contains("--accept-loss"));
    assert_eq!(fs::read(&newest).expect("it reads"), flipped);
    repair::run(dir.path(), true).expect("it repairs");
    let memory = open(dir.path()).expect("it opens");
    assert_eq!(memory.snapshot().await.expect("exported").seq, 74);
    memory.close();
}

#[tokio::test]
async fn a_repaired_lab_opens_although_snapshots_knew_more() {
    let (dir, _) = written().await;
    let first = dir.path().join("ledger").join(format!("{:020}.ledger", 1));
    let mut bytes = fs::read(&first).expect("it reads");
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(&first, bytes).expect("written");
    assert_eq!(snapshots(dir.path()).len(), 2);
    repair::run(dir.path(), true).expect("it repairs");
    assert_eq!(snapshots(dir.path()), Vec::<PathBuf>::new());
    let memory = open(dir.path()).expect("it opens");
    let last = memory.snapshot().await.expect("exported").seq;
    assert!((1..20).contains(&last), "{last}");
    append(&memory, last + 1..=last + 30).await;
    let said = memory.verify().await;
    assert!(said.iter().all(|said| !said.contains("run 'labctl")), "{said:?}");
    memory.close();
}

/// Were a store that failed to go on, or to be taken for empty, holds would be forgotten.
#[tokio::test]
async fn the_ledger_answers_for_a_store_that_was_given_up() {
    let (dir, state) = written().await;
    let memory = open(dir.path()).expect("it opens");
    *memory.store.lock() = None;
    append(&memory, 76..=90).await;
    let records = memory.scan::<u64>("record/").expect("the ledger answers");
    let exported = memory.snapshot().await.expect("exported");
    assert_eq!((exported.seq, records.len()), (90, exported.records.len()));
    assert!(exported.records.len() > state.records.len());
    assert!(memory.verify().await[1].contains("labctl admin rebuild"));
    memory.rebuild().expect("it is built anew");
    assert_eq!(memory.snapshot().await.expect("exported"), exported);
    assert!(memory.verify().await[1].contains("every record is what"));
    memory.close();
}

#[tokio::test]
async fn a_record_that_is_not_understood_costs_no_other() {
    let (dir, _) = written().await;
    let memory = open(dir.path()).expect("it opens");
    let before = memory.scan::<u64>("record/").expect("it reads").len();
    let writes = vec![Write::put("record/9999".to_owned(), &"of a newer labd")];
    let draft = Draft { writes, ..draft(76) };
    memory.ledger().stage(draft).await.expect("it is written");
    memory.caught_up().await;
    assert_eq!(memory.scan::<u64>("record/").expect("it reads").len(), before);
    memory.close();
}

/// The segments of the ledger, oldest first.
fn segments(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder.join("ledger")).expect("a folder");
    let mut files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "ledger"));
    files.sort();
    files
}

/// A memory whose oldest entries were let go; those segments as they were, and what was in it.
async fn retired() -> (TempDir, Vec<(PathBuf, Vec<u8>)>, Snapshot) {
    let (dir, state) = written().await;
    let before = segments(dir.path());
    let before = before.into_iter().map(|path| (path.clone(), fs::read(&path).expect("it reads")));
    let before: Vec<_> = before.collect();
    let memory = open(dir.path()).expect("it opens");
    assert_eq!(memory.retire(Time(1_699_999_999_999)).expect("it reads"), None, "none is so old");
    let last = memory.retire(Time(1_700_000_000_000)).expect("it reads").expect("some are gone");
    assert!((15..=40).contains(&last), "{last} is behind a snapshot");
    assert_eq!(memory.retire(Time(1_700_000_000_000)).expect("it reads"), None, "once is enough");
    let said = memory.verify().await;
    assert!(said[0].contains(&format!("{} entries, every hash", 75 - last)), "{said:?}");
    assert!(said[1].contains("every record is what"), "{said:?}");
    let kept = memory.ledger().read(1, 1).await.expect("it reads");
    assert_eq!(kept[0].entry.seq, last + 1, "who reads from the start begins with what is kept");
    memory.close();
    let left = segments(dir.path());
    let gone: Vec<_> = before.into_iter().filter(|(path, _)| !left.contains(path)).collect();
    assert!(!gone.is_empty() && left.len() > 1, "{left:?}");
    (dir, gone, state)
}

async fn state_of(dir: &TempDir) -> Snapshot {
    let memory = open(dir.path()).expect("it opens");
    let state = memory.snapshot().await.expect("it is exported");
    memory.close();
    state
}

#[tokio::test]
async fn a_memory_does_without_the_segments_that_were_let_go() {
    let (dir, gone, state) = retired().await;
    assert_eq!(state_of(&dir).await, state);
    fs::remove_dir_all(dir.path().join("store")).expect("removed");
    assert_eq!(state_of(&dir).await, state);
    // A crash may come after it is written down, and before all of them are deleted.
    for (path, bytes) in &gone {
        fs::write(path, bytes).expect("written");
    }
    assert_eq!(state_of(&dir).await, state);
    assert!(gone.iter().all(|(path, _)| !path.exists()));
    // One that is gone and was not let go is still missed.
    let next = segments(dir.path()).remove(0);
    fs::rename(&next, dir.path().join("elsewhere")).expect("moved");
    let error = open(dir.path()).err().expect("it is refused").to_string();
    assert!(error.contains("the entries before it are missing"), "{error}");
}

#[tokio::test]
async fn nothing_is_made_up_for_entries_that_no_snapshot_holds() {
    let (dir, _, _) = retired().await;
    let store = dir.path().join("store");
    fs::remove_dir_all(dir.path().join("snapshots")).expect("removed");
    state_of(&dir).await; // the store has them all
    fs::remove_dir_all(&store).expect("removed");
    let error = open(dir.path()).err().expect("it is refused").to_string();
    assert!(error.contains("entry 1 is no longer in the ledger"), "{error}");
}

#[tokio::test]
async fn where_the_ledger_begins_is_believed_only_as_it_was_written() {
    let (dir, _, state) = retired().await;
    let file = dir.path().join("ledger/retired");
    let whole = fs::read(&file).expect("it reads");
    for at in 0..whole.len() {
        for broken in [whole[..at].to_vec(), {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            flipped
        }] {
            fs::write(&file, &broken).expect("written");
            assert!(open(dir.path()).is_err(), "{}", broken.escape_ascii());
        }
    }
    fs::remove_file(&file).expect("removed");
    let error = open(dir.path()).err().expect("it is refused").to_string();
    assert!(error.contains("the entries before it are missing"), "{error}");
    fs::write(&file, &whole).expect("written");
    assert_eq!(state_of(&dir).await, state);
}
