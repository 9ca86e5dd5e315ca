//! The lab's whole state as lines of text: backup, migration and a way out of the store in one.
//!
//! ```text
//! {"labd-export":1,"seq":4711}
//! {"key":"board/rpi4","record":{…}}
//! …
//! {"hash":"…"}
//! ```
//!
//! The hash is BLAKE3, in hexadecimal, over the lines before it with their ends.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Error, disk};
use crate::ledger::Write;

/// How many snapshots are kept: the newest, and the one before it in case it is damaged.
const KEPT: usize = 2;

/// The lab's state behind one entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The entry's number.
    pub seq: u64,
    /// The records, by key, as JSON.
    pub records: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct Head {
    #[serde(rename = "labd-export")]
    version: u32,
    seq: u64,
}

#[derive(Serialize, Deserialize)]
struct Line {
    key: String,
    record: Box<RawValue>,
}

#[derive(Serialize, Deserialize)]
struct Foot {
    hash: String,
}

impl Snapshot {
    /// As lines, without their ends.
    pub fn lines(&self) -> Vec<String> {
        let head = Head { version: 1, seq: self.seq };
        let mut lines = vec![serde_json::to_string(&head).unwrap_or_default()];
        for (key, record) in &self.records {
            let key = serde_json::to_string(key).unwrap_or_default();
            lines.push(format!(r#"{{"key":{key},"record":{record}}}"#));
        }
        lines.push(serde_json::to_string(&Foot { hash: hash(&lines) }).unwrap_or_default());
        lines
    }

    /// From lines.
    ///
    /// # Errors
    /// What is wrong with them, and in which.
    pub fn parse(lines: &[impl AsRef<str>]) -> Result<Snapshot, String> {
        let lines: Vec<&str> = lines.iter().map(AsRef::as_ref).collect();
        let [head, records @ .., foot] = lines.as_slice() else {
            return Err("this is not an export of labd: it has no first and last line".to_owned());
        };
        let head: Head = serde_json::from_str(head)
            .map_err(|error| format!("line 1 is not the beginning of an export: {error}"))?;
        if head.version != 1 {
            return Err(format!(
                "this export has version {}, and this labd knows version 1",
                head.version
            ));
        }
        let foot: Foot = serde_json::from_str(foot)
            .map_err(|error| format!("the last line is not the end of an export: {error}"))?;
        if hash(&lines[..lines.len() - 1]) != foot.hash {
            return Err("the export is not as it was written: its hash is wrong".to_owned());
        }
        let record = |(index, line): (usize, &&str)| {
            let line: Line = serde_json::from_str(line)
                .map_err(|error| format!("line {} is not a record: {error}", index + 2))?;
            Ok((line.key, line.record.get().to_owned()))
        };
        let records = records.iter().enumerate().map(record).collect::<Result<_, String>>()?;
        Ok(Snapshot { seq: head.seq, records })
    }

    /// What an empty store must write to become this.
    pub fn writes(&self) -> Vec<Write> {
        let put = |(key, record): (&String, &String)| {
            RawValue::from_string(record.clone()).ok().map(|record| Write::Put(key.clone(), record))
        };
        self.records.iter().filter_map(put).collect()
    }

    /// Goes on to entry `seq`.
    pub fn apply(&mut self, seq: u64, writes: &[Write]) {
        self.seq = seq;
        for write in writes {
            match write {
                Write::Put(key, record) => {
                    self.records.insert(key.clone(), record.get().to_owned());
                }
                Write::Delete(key) => {
                    self.records.remove(key);
                }
            }
        }
    }

    /// The first key whose record is not the same in both.
    pub fn first_difference(&self, other: &Snapshot) -> Option<String> {
        let keys = self.records.keys().chain(other.records.keys());
        keys.filter(|key| self.records.get(*key) != other.records.get(*key)).min().cloned()
    }
}

fn hash(lines: &[impl AsRef<str>]) -> String {
    let mut hasher = blake3::Hasher::new();
    for line in lines {
        hasher.update(line.as_ref().as_bytes()).update(b"\n");
    }
    hasher.finalize().to_hex().to_string()
}

fn folder_in(folder: &Path) -> PathBuf {
    folder.join("snapshots")
}

/// Writes a snapshot down beside the ledger. If that fails the log says so, and the one before
/// serves on.
pub(super) fn write(folder: &Path, snapshot: &Snapshot) {
    let folder = folder_in(folder);
    let path = folder.join(format!("{:020}.jsonl", snapshot.seq));
    let written = fs::create_dir_all(&folder)
        .and_then(|()| write_whole(&path, &snapshot.lines()))
        .and_then(|()| File::open(&folder)?.sync_all())
        .and_then(|()| forget_old(&folder));
    if let Err(error) = written {
        tracing::warn!(%error, file = %path.display(), "a snapshot could not be written");
    }
}

fn write_whole(path: &Path, lines: &[String]) -> io::Result<()> {
    let unfinished = path.with_extension("unfinished");
    let mut file = File::create(&unfinished)?;
    file.write_all((lines.join("\n") + "\n").as_bytes())?;
    file.sync_all()?;
    fs::rename(&unfinished, path)
}

fn forget_old(folder: &Path) -> io::Result<()> {
    let mut files = files(folder)?;
    files.truncate(files.len().saturating_sub(KEPT));
    files.iter().try_for_each(fs::remove_file)
}

/// The snapshots in a folder, oldest first.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files: Vec<_> =
        fs::read_dir(folder)?.map(|file| Ok(file?.path())).collect::<io::Result<_>>()?;
    files.retain(|path| path.extension().is_some_and(|end| end == "jsonl"));
    files.sort();
    Ok(files)
}

/// The newest snapshot that is as it was written.
///
/// # Errors
/// The disk's.
pub(super) fn newest(folder: &Path) -> Result<Option<Snapshot>, Error> {
    let folder = folder_in(folder);
    if !folder.exists() {
        return Ok(None);
    }
    for path in files(&folder).map_err(disk(&folder))?.into_iter().rev() {
        if let Some(snapshot) = read(&path)? {
            return Ok(Some(snapshot));
        }
    }
    Ok(None)
}

/// The number of the entry behind which all snapshots are that are to be kept, each of them whole; 0
/// if there is one too few.
///
/// # Errors
/// The disk's.
pub(super) fn covered(folder: &Path) -> Result<u64, Error> {
    let folder = folder_in(folder);
    if !folder.exists() {
        return Ok(0);
    }
    let files = files(&folder).map_err(disk(&folder))?;
    if files.len() < KEPT {
        return Ok(0);
    }
    let mut covered = u64::MAX;
    for path in files {
        covered = covered.min(read(&path)?.map_or(0, |snapshot| snapshot.seq));
    }
    Ok(covered)
}

/// A snapshot, if it is as it was written.
fn read(path: &Path) -> Result<Option<Snapshot>, Error> {
    let bytes = fs::read(path).map_err(disk(path))?;
    let text = String::from_utf8_lossy(&bytes);
    let parsed = Snapshot::parse(&text.lines().collect::<Vec<_>>());
    if let Err(why) = &parsed {
        tracing::error!(why, file = %path.display(), "a snapshot is damaged");
    }
    Ok(parsed.ok())
}

/// The snapshots of states behind an entry later than `last`, whether they are whole or not.
///
/// # Errors
/// The disk's.
pub(super) fn after(folder: &Path, last: u64) -> Result<Vec<PathBuf>, Error> {
    let folder = folder_in(folder);
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut files = files(&folder).map_err(disk(&folder))?;
    files.retain(|path| {
        let stem = path.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
        stem.is_none_or(|seq| seq > last)
    });
    Ok(files)
}
