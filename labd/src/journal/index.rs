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

mod builder;
mod due;
mod format;
mod shelf;

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use parking_lot::Mutex;

pub use self::due::make_one;
use self::format::{
    HEADER, LARGEST_HEAD, MAGIC, checksum, damaged, take_blocks, take_number, take_u32, take_u64,
};
pub use self::shelf::Shelf;
use super::lines::blocks;
use super::pattern::Need;

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

#[cfg(test)]
pub(super) mod tests;
