//! Which indexes a recording has: as files beside it, and by what they cover.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::PathBuf;

use parking_lot::Mutex;

use super::Index;

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

    pub(super) fn path(&self, range: &Range<u64>) -> PathBuf {
        self.folder.join(format!("{:020}-{:020}.trigrams", range.start, range.end))
    }
}

fn range_of(name: &str) -> Option<Range<u64>> {
    let (start, end) = name.strip_suffix(".trigrams")?.split_once('-')?;
    Some(start.parse().ok()?..end.parse().ok()?)
}
