//! The files of a stopped lab are damaged, one fault at a time. What is not as it was must be made
//! good or refused; a lab that silently has less than it acknowledged is the one thing that must
//! not be.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use lab_tests::dice::Dice;
use labd::clock::Clock;
use labd::ledger::{Draft, Write};
use labd::memory::snapshot::Snapshot;
use labd::memory::{Memory, Sizes, repair};
use protocol::Time;
use protocol::journal::{By, Entry, Event};
use tempfile::TempDir;

use super::tell;

const SEED: u64 = 0x0BAD_5EED;
const FAULTS: u64 = 510;
const ENTRIES: u64 = 2_100;
const SIZES: Sizes = Sizes { segment: 64 << 10, snapshot_every: 500 };
/// A memory that takes longer to open than this hangs.
const LIMIT: Duration = Duration::from_secs(30);

/// What became of a damaged memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// Nothing is amiss.
    Whole,
    /// The store was built anew, and nothing is lost.
    Repaired,
    /// It opens with nothing of its state lost, and names the damaged place to who reads that far
    /// back in the journal, and to `verify`.
    OldDamage,
    /// It does not open, and says where the damage is and what to do; `labd repair` makes it open.
    Refused,
    SilentLoss,
    Panic,
    Hang,
    /// It does not open, or is not repaired, and says nothing useful.
    Unclear,
}

/// What is done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Flip,
    Zero,
    Truncate,
    Swap,
    Remove,
}

const KINDS: [Fault; 5] = [Fault::Flip, Fault::Zero, Fault::Truncate, Fault::Swap, Fault::Remove];
const PARTS: [&str; 3] = ["ledger", "snapshots", "store"];

/// A lab as it was when it was stopped.
struct Original {
    dir: TempDir,
    state: Snapshot,
    entries: Vec<Entry>,
}

fn clock() -> Clock {
    Clock::by_hand(Time(1_700_000_000_000))
}

fn draft(n: u64, dice: &mut Dice) -> Draft {
    let key = |n| format!("record/{n:03}");
    let record = "x".repeat(dice.index(120));
    let mut writes = vec![Write::put(key(dice.below(300)), &(n, record))];
    if dice.one_in(4) {
        writes.push(Write::Delete(key(dice.below(300))));
    }
    Draft {
        by: By::default(),
        board: None,
        offset: None,
        event: Event::Noted { text: n.to_string() },
        writes,
    }
}

async fn original() -> Result<Original> {
    let dir = TempDir::new()?;
    let (memory, _) = Memory::open(dir.path(), &clock(), SIZES)?;
    let mut dice = Dice::new(SEED);
    let mut n = 0;
    while n < ENTRIES {
        let size = 1 + dice.below(6);
        let drafts: Vec<_> = (n + 1..=n + size).map(|n| draft(n, &mut dice)).collect();
        n = memory.ledger().stage_all(drafts).await?;
    }
    let state = memory.snapshot().await?;
    let entries = entries(&memory)?;
    memory.close();
    Ok(Original { dir, state, entries })
}

fn entries(memory: &Memory) -> Result<Vec<Entry>> {
    let read = memory.ledger().read_waiting(1, usize::MAX)?;
    Ok(read.iter().map(|committed| committed.entry.clone()).collect())
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for file in fs::read_dir(folder)? {
        let path = file?.path();
        if path.is_dir() {
            files.extend(self::files(&path)?);
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for file in fs::read_dir(from)? {
        let path = file?.path();
        let name = path.file_name().context("a name")?;
        if path.is_dir() {
            copy(&path, &to.join(name))?;
        } else {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}

/// Damages a file. The newest segment is chosen more often, and its end, which a crash may tear.
fn damage(folder: &Path, part: &str, fault: Fault, dice: &mut Dice) -> Result<String> {
    let mut files = files(&folder.join(part))?;
    files.retain(|path| fs::metadata(path).is_ok_and(|about| about.len() > 0));
    let is_end = part == "ledger" && dice.one_in(3);
    let file = if is_end { files.last() } else { files.get(dice.index(files.len())) };
    let file = file.with_context(|| format!("nothing in {part}"))?;
    let mut bytes = fs::read(file)?;
    let length = bytes.len();
    let at = if is_end { length - 1 - dice.index(length.min(900)) } else { dice.index(length) };
    let block = |at: usize| (at / 512 * 512, (at / 512 * 512 + 512).min(length));
    match fault {
        Fault::Flip => bytes[at] ^= 1 << dice.below(8),
        Fault::Zero => bytes[at..(at + 512).min(length)].fill(0),
        Fault::Truncate => bytes.truncate(at),
        Fault::Swap => {
            let (one, other) = (block(at), block(dice.index(length)));
            let size = (one.1 - one.0).min(other.1 - other.0);
            for n in 0..size {
                bytes.swap(one.0 + n, other.0 + n);
            }
        }
        Fault::Remove => {}
    }
    match fault {
        Fault::Remove => fs::remove_file(file)?,
        _ => fs::write(file, bytes)?,
    }
    let name = file.strip_prefix(folder).unwrap_or(file).display();
    Ok(format!("{fault:?} {name} at {at} of {length}"))
}

/// Opens a damaged memory and compares it with what it was.
fn judge(folder: &Path, original: &Original) -> Result<(Class, String)> {
    let memory = match Memory::open(folder, &clock(), SIZES) {
        Ok((memory, _)) => memory,
        Err(error) => return after_repair(folder, original, &error.to_string()),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let state = runtime.block_on(memory.snapshot())?;
    let read = entries(&memory);
    let said = runtime.block_on(memory.verify());
    memory.close();
    if state != original.state {
        return Ok((Class::SilentLoss, format!("its state is that of entry {}", state.seq)));
    }
    match read {
        Ok(entries) if entries == original.entries => {
            ensure!(said.iter().all(|said| !said.contains("damaged")), "{said:?}");
            let is_rebuilt = fs::read_dir(folder)?
                .flatten()
                .any(|file| file.file_name().to_string_lossy().starts_with("store.aside"));
            Ok((if is_rebuilt { Class::Repaired } else { Class::Whole }, String::new()))
        }
        Ok(_) => Ok((Class::SilentLoss, "its journal is another".to_owned())),
        Err(error) => {
            let is_told = is_clear(folder, &error.to_string()) && is_clear(folder, &said[0]);
            Ok((if is_told { Class::OldDamage } else { Class::Unclear }, error.to_string()))
        }
    }
}

/// Whether a message names the place and the next step.
fn is_clear(folder: &Path, said: &str) -> bool {
    said.contains(&folder.display().to_string()) && said.contains("labd repair")
}

/// What is refused can be repaired, and is then a beginning of what it was.
fn after_repair(folder: &Path, original: &Original, said: &str) -> Result<(Class, String)> {
    if !is_clear(folder, said) {
        return Ok((Class::Unclear, said.to_owned()));
    }
    repair::run(folder, true).context("the repair")?;
    let (memory, _) = Memory::open(folder, &clock(), SIZES).context("after the repair")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let left = entries(&memory);
    let verified = runtime.block_on(memory.verify());
    memory.close();
    let left = left.context("after the repair")?;
    let is_whole = verified.iter().all(|said| !said.contains("labctl") && !said.contains("repair"));
    if !is_whole || !original.entries.starts_with(&left) {
        return Ok((Class::Unclear, format!("after the repair: {verified:?}")));
    }
    Ok((Class::Refused, String::new()))
}

fn judge_in_time(folder: PathBuf, original: &Arc<Original>) -> (Class, String) {
    let (tell, told) = channel();
    let original = original.clone();
    let spawned = std::thread::Builder::new().name(QUIET.to_owned()).spawn(move || {
        let judged = catch_unwind(AssertUnwindSafe(|| judge(&folder, &original)));
        tell.send(match judged {
            Ok(Ok(judged)) => judged,
            Ok(Err(error)) => (Class::Unclear, format!("{error:#}")),
            Err(_) => (Class::Panic, "it panicked".to_owned()),
        })
    });
    match (spawned, told.recv_timeout(LIMIT)) {
        (Ok(_), Ok(judged)) => judged,
        (Ok(_), Err(_)) => (Class::Hang, format!("longer than {LIMIT:?}")),
        (Err(error), _) => (Class::Unclear, error.to_string()),
    }
}

/// Threads of this name panic on purpose: sled does, within, and that is caught.
const QUIET: &str = "judge";

fn quieten_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().name() != Some(QUIET) {
            usual(panic);
        }
    }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_lab_is_made_good_or_refused_and_never_silently_less() -> Result<()> {
    quieten_panics();
    let original = Arc::new(original().await?);
    let judged = Arc::new(Mutex::new(Vec::new()));
    let next = Arc::new(AtomicUsize::new(0));
    let workers: Vec<_> = (0..2)
        .map(|_| {
            let (original, judged, next) = (original.clone(), judged.clone(), next.clone());
            std::thread::spawn(move || -> Result<()> {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n as u64 >= FAULTS {
                        return Ok(());
                    }
                    let dir = TempDir::new()?;
                    copy(original.dir.path(), dir.path())?;
                    let mut dice = Dice::new(SEED + n as u64);
                    let (part, fault) = (PARTS[n % 3], KINDS[n / 3 % 5]);
                    let what = damage(dir.path(), part, fault, &mut dice)?;
                    if part == "snapshots" {
                        // Else nobody would need them.
                        fs::remove_dir_all(dir.path().join("store"))?;
                    }
                    let (class, why) = judge_in_time(dir.path().to_owned(), &original);
                    let mut judged = judged.lock().map_err(|_| anyhow!("another panicked"))?;
                    judged.push((part, class, format!("fault {n}: {what}: {why}")));
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().map_err(|_| anyhow!("a worker panicked"))??;
    }
    let judged = judged.lock().map_err(|_| anyhow!("a worker panicked"))?;
    let mut table: BTreeMap<(&str, Class), usize> = BTreeMap::new();
    for (part, class, _) in judged.iter() {
        *table.entry((part, *class)).or_default() += 1;
    }
    tell(&format!("corruption, {} faults: {table:?}", judged.len()));
    let bad: Vec<_> = judged.iter().filter(|(_, class, _)| *class > Class::Refused).collect();
    ensure!(bad.is_empty(), "{} of {}: {bad:#?}", bad.len(), judged.len());
    Ok(())
}
