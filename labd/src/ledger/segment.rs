//! One file of the ledger.
//!
//! ```text
//! header   "labd ledger 1\n" | number of the first entry | hash of the entry before it
//! batch    mark | number of entries | bytes of entries
//! entry    length | hash | JSON
//! ```
//!
//! Numbers are little-endian; lengths are 32 bits, numbers of entries 64. The hash is BLAKE3 over
//! the hash of the entry before and this entry's JSON: it is the checksum and the chain in one.
//!
//! A batch is written whole, then synced, and only then is the next one begun. So what is damaged in
//! the last batch may be a write that a crash cut short, of which nobody had been told; what is
//! damaged anywhere before it was once whole, and is a fault of the disk. So is the last batch if the
//! store or a snapshot has an entry of it: they are given nothing that is not on disk.

use std::io;
use std::path::PathBuf;

use super::record::Record;

/// The chain's link: the hash of an entry and of all before it.
pub(super) type Hash = [u8; 32];

/// What stands before the first entry there ever was.
pub(super) const GENESIS: Hash = [0; 32];

const MAGIC: &[u8; 14] = b"labd ledger 1\n";
const MARK: &[u8; 8] = b"\xF5batch\r\n";

/// Bytes of a segment's header.
pub(super) const HEADER: usize = MAGIC.len() + 8 + 32;
const BATCH_HEADER: usize = MARK.len() + 8;
const ENTRY_HEADER: usize = 4 + 32;

/// A ledger that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{file} is damaged at byte {offset}, after entry {last}: {what}. Nothing was changed. Restore the file from a \
     backup, or run 'labd repair' to see what would be lost without it", file = .file.display()
)]
pub struct Damage {
    /// Which file.
    pub file: PathBuf,
    /// Where in it.
    pub offset: u64,
    /// The last entry before it that is whole.
    pub last: u64,
    /// What is wrong there.
    pub what: String,
}

/// Why a ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk's.
    #[error("{file}: {source}", file = .file.display())]
    Disk {
        /// Which file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is not as it was written.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// Entries that were once in it are gone without a trace.
    #[error(
        "the ledger in {folder} ends with entry {last}, but entry {known} was in it once: its end was lost. Nothing \
         was changed. Restore the folder from a backup, or run 'labd repair' to see what would be lost without it",
        folder = .folder.display()
    )]
    Shortened {
        /// The ledger's folder.
        folder: PathBuf,
        /// Its last entry.
        last: u64,
        /// The last entry that is known to have been there.
        known: u64,
    },
    /// What is to be replayed was let go.
    #[error(
        "entry {from} is no longer in the ledger in {folder}, which begins with entry {first}, and no snapshot that \
         is whole holds what it wrote. Nothing was changed. Restore the folder above it from a backup",
        folder = .folder.display()
    )]
    Retired {
        /// The ledger's folder.
        folder: PathBuf,
        /// The entry.
        from: u64,
        /// The first that is kept.
        first: u64,
    },
    /// No thread can be had.
    #[error("no thread can be had: {0}")]
    Thread(io::Error),
}

/// A segment's header.
pub(super) fn header(first: u64, before: &Hash) -> Vec<u8> {
    [MAGIC.as_slice(), &first.to_le_bytes(), before].concat()
}

/// What a segment's header says: the number of its first entry, and the hash before it.
pub(super) fn parse_header(bytes: &[u8]) -> Option<(u64, Hash)> {
    let rest = bytes.strip_prefix(MAGIC.as_slice())?;
    let (first, rest) = rest.split_first_chunk::<8>()?;
    let (before, _) = rest.split_first_chunk::<32>()?;
    Some((u64::from_le_bytes(*first), *before))
}

/// Appends a batch to `out`, and returns the hash of its last entry.
pub(super) fn encode(records: &[Record], mut before: Hash, out: &mut Vec<u8>) -> io::Result<Hash> {
    out.extend_from_slice(MARK);
    out.extend_from_slice(&(records.len() as u32).to_le_bytes());
    let length_at = out.len();
    out.extend_from_slice(&[0; 4]);
    for record in records {
        let at = out.len();
        out.extend_from_slice(&[0; ENTRY_HEADER]);
        serde_json::to_writer(&mut *out, record)?;
        let length = (out.len() - at - ENTRY_HEADER) as u32;
        before = link(&before, &out[at + ENTRY_HEADER..]);
        out[at..at + 4].copy_from_slice(&length.to_le_bytes());
        out[at + 4..at + ENTRY_HEADER].copy_from_slice(&before);
    }
    let bytes = (out.len() - length_at - 4) as u32;
    out[length_at..length_at + 4].copy_from_slice(&bytes.to_le_bytes());
    Ok(before)
}

fn link(before: &Hash, json: &[u8]) -> Hash {
    *blake3::Hasher::new().update(before).update(json).finalize().as_bytes()
}

/// A walk over the entries of a segment's bytes.
pub(super) struct Walk<'a> {
    bytes: &'a [u8],
    /// Where the next entry begins.
    at: usize,
    /// Where the present batch ends.
    batch_end: usize,
    /// How many of its entries are yet to come.
    left: u32,
    /// Where the last whole batch ended.
    whole: usize,
    /// The hash of the entry before the next.
    pub(super) before: Hash,
}

/// Why a walk stopped before the end of the bytes.
pub(super) struct Stop {
    /// Where.
    pub(super) at: usize,
    /// What is wrong.
    pub(super) what: &'static str,
    /// Whether a write that was cut short explains it; then the file is whole up to here.
    pub(super) torn_after: Option<usize>,
}

impl<'a> Walk<'a> {
    /// Begins behind the header.
    pub(super) fn new(bytes: &'a [u8], before: Hash) -> Walk<'a> {
        Walk { bytes, at: HEADER, batch_end: HEADER, left: 0, whole: HEADER, before }
    }

    /// Whether all that was walked over so far are whole batches.
    pub(super) fn is_between_batches(&self) -> bool {
        self.at == self.batch_end
    }

    /// Where the next entry begins.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// The JSON of the next entry; none at the end.
    pub(super) fn next(&mut self) -> Option<Result<&'a [u8], Stop>> {
        if self.at == self.batch_end {
            self.whole = self.at;
            if self.at == self.bytes.len() {
                return None;
            }
            if let Err(what) = self.enter_batch() {
                return Some(Err(self.stop(what)));
            }
        }
        Some(self.entry().map_err(|what| self.stop(what)))
    }

    fn enter_batch(&mut self) -> Result<(), &'static str> {
        let rest = &self.bytes[self.at..];
        let header = rest.get(..BATCH_HEADER).ok_or("a batch of entries breaks off")?;
        if !header.starts_with(MARK) {
            return Err("no batch of entries begins here");
        }
        let length = u32_at(header, BATCH_HEADER - 4) as usize;
        let end = self.at + BATCH_HEADER + length;
        if length == 0 || end > self.bytes.len() {
            return Err("a batch of entries breaks off");
        }
        self.at += BATCH_HEADER;
        self.batch_end = end;
        self.left = u32_at(header, MARK.len());
        Ok(())
    }

    fn entry(&mut self) -> Result<&'a [u8], &'static str> {
        let rest = &self.bytes[self.at..self.batch_end];
        let header = rest.get(..ENTRY_HEADER).ok_or("an entry breaks off")?;
        let length = u32_at(header, 0) as usize;
        let json = rest.get(ENTRY_HEADER..ENTRY_HEADER + length).ok_or("an entry breaks off")?;
        let hash = link(&self.before, json);
        if hash != header[4..] {
            return Err("an entry is not what its hash says");
        }
        let at = self.at + ENTRY_HEADER + length;
        if self.left == 0 || (self.left == 1) != (at == self.batch_end) {
            return Err("a batch has not as many entries as it says");
        }
        (self.before, self.at, self.left) = (hash, at, self.left - 1);
        Ok(json)
    }

    /// Damage with another batch behind it was once whole.
    fn stop(&self, what: &'static str) -> Stop {
        let later = &self.bytes[(self.whole + 1).min(self.bytes.len())..];
        let is_last = !later.windows(MARK.len()).any(|window| window == MARK);
        Stop { at: self.at, what, torn_after: is_last.then_some(self.whole) }
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].try_into().map(u32::from_le_bytes).unwrap_or(0)
}
