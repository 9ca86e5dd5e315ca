use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};

use labd::clock::Clock;
use labd::ledger::{Draft, Ledger, Opening, chain};
use protocol::Time;
use protocol::journal::{By, Event};
use tempfile::TempDir;

/// How many entries were written.
const ENTRIES: u64 = 12;
/// So small that there are several segments.
const FULL: u64 = 1_024;

/// A ledger as it was written: its files, each with its bytes, and where they are.
struct Written {
    folder: TempDir,
    files: Vec<(PathBuf, Vec<u8>)>,
}

static WRITTEN: LazyLock<Mutex<Written>> = LazyLock::new(|| Mutex::new(write()));

fn write() -> Written {
    let memory = Path::new("/dev/shm");
    let folder = match memory.is_dir() {
        true => TempDir::new_in(memory),
        false => TempDir::new(),
    };
    let folder = folder.expect("a folder");
    let opening = Opening { folder: folder.path(), trusted: 0, known: 0, full: FULL };
    let (apply, applied) = std::sync::mpsc::sync_channel(ENTRIES as usize);
    let clock = Clock::by_hand(Time(1_906_707_600_000));
    let (ledger, _) = Ledger::open(&opening, clock, apply).expect("a ledger");
    for number in 0..ENTRIES {
        let event = Event::Noted { text: format!("entry {number}") };
        let (by, board, offset) = (By::default(), None, None);
        let draft = Draft { by, board, offset, event, writes: Vec::new() };
        drop(ledger.stage(draft));
        applied.recv().expect("it is written");
    }
    ledger.close();
    let mut files: Vec<PathBuf> = fs::read_dir(folder.path())
        .expect("its folder")
        .map(|file| file.expect("a file").path())
        .collect();
    files.sort();
    let files = files.into_iter().map(|path| (path.clone(), fs::read(path).expect("its bytes")));
    let files = files.collect();
    Written { folder, files }
}

/// Each four bytes change one of the ledger's: which file, where in it, and to what. Three that are left
/// cut a file short.
pub(crate) fn target(data: &[u8]) {
    let written = WRITTEN.lock().expect("nobody panicked");
    let mut files: Vec<Vec<u8>> = written.files.iter().map(|(_, bytes)| bytes.clone()).collect();
    let mut edits = data.chunks_exact(4);
    for edit in edits.by_ref() {
        let (file, at) = place(&mut files, edit);
        file[at] = edit[3];
    }
    if let rest @ [_, _, _] = edits.remainder() {
        let (file, at) = place(&mut files, rest);
        file.truncate(at);
    }
    for ((path, _), bytes) in written.files.iter().zip(&files) {
        fs::write(path, bytes).expect("it is written");
    }
    let is_as_written = written.files.iter().map(|(_, bytes)| bytes).eq(&files);
    let verified = chain::verify(written.folder.path(), ENTRIES);
    assert_eq!(verified.is_ok(), is_as_written, "{verified:?}");
}

/// Which file is meant, and where in it.
fn place<'a>(files: &'a mut [Vec<u8>], edit: &[u8]) -> (&'a mut Vec<u8>, usize) {
    let count = files.len();
    let file = &mut files[usize::from(edit[0]) % count];
    let at = usize::from(u16::from_be_bytes([edit[1], edit[2]])) % file.len();
    (file, at)
}
