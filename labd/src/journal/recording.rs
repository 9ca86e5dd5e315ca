//! Everything a console ever printed, by offset.
//!
//! ```text
//! consoles/rpi4/00000000000000000000.bytes   the bytes, as they came
//! consoles/rpi4/00000000000000000000.times   when: (offset, time) pairs, one a millisecond at most
//! ```
//!
//! Beside them are [`frames`], which can be done without.
//!
//! A segment's name is the offset of its first byte. It ends with a line, if that ends in time: whoever
//! [searches](super::search) looks at each by itself. The line appends and then shows; followers read
//! the files, which for what is new means the page cache. Bytes are on disk within a second, times
//! within a second of being in memory: a crash of the machine may lose that second. An offset is
//! never used twice all the same, see [`Recording::open`].

pub mod frames;
mod rotation;
mod segment;
mod times;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::fcntl::{SpliceFFlags, splice};
use parking_lot::Mutex;
use protocol::Time;
use tokio::sync::watch;

use self::frames::Frame;
pub use self::segment::Segment;
use self::segment::{begin, bytes_path, find_segments, named};
pub use self::times::Times;
use super::index::Shelf;

/// How far a recording jumps ahead when the machine was not shut down: more than a console can have
/// printed in the second that was not yet on disk.
const GAP: u64 = 64 << 20;

/// A console's bytes. The line appends; anybody reads.
#[derive(Debug)]
pub struct Recording {
    folder: PathBuf,
    inner: Mutex<Inner>,
    shelf: Shelf,
    end: watch::Sender<u64>,
    /// The newest; none until somebody has looked.
    frame: Mutex<Option<Frame>>,
}

#[derive(Debug)]
struct Inner {
    /// In order; the last is the one that grows. None until something is printed or settled.
    segments: Vec<Segment>,
    /// The one that grows.
    file: Option<Arc<File>>,
    /// Marks not yet in the newest segment's file of times.
    marks: Vec<u8>,
    last_mark: Time,
    dirty: bool,
    /// Files that grow no more, the end of which is yet to be synced.
    finished: Vec<Arc<File>>,
}

/// How the last run of the daemon ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastRun {
    /// All that was appended is in the files.
    Whole,
    /// The machine crashed: what followers were shown in the last second may be lost.
    Crashed,
}

impl Recording {
    /// Opens the recording in `folder`, which is made later if it is not there: a thousand new
    /// folders are not what a starting lab should wait for. After a crash of the machine it goes on
    /// at an offset that nobody can have seen.
    ///
    /// # Errors
    /// The disk's, with the file's name.
    pub fn open(folder: &Path, last_run: LastRun, now: Time) -> io::Result<Recording> {
        let mut segments = find_segments(folder)?;
        let file = match (segments.last(), last_run) {
            (None, _) => None,
            (Some(last), LastRun::Crashed) if last.end() > 0 => {
                let (file, segment) = begin(folder, last.end() + GAP, now)?;
                segments.push(segment);
                Some(Arc::new(file))
            }
            (Some(last), _) => {
                let path = bytes_path(folder, last.start);
                let file = OpenOptions::new().read(true).write(true).open(&path);
                Some(Arc::new(file.map_err(named(&path))?))
            }
        };
        let end = segments.last().map_or(0, Segment::end);
        let inner = Mutex::new(Inner {
            segments,
            file,
            marks: Vec::new(),
            last_mark: Time::default(),
            dirty: false,
            finished: Vec::new(),
        });
        let (folder, shelf) = (folder.to_owned(), Shelf::new(folder.to_owned()));
        let (end, frame) = (watch::Sender::new(end), Mutex::new(None));
        Ok(Recording { folder, inner, shelf, end, frame })
    }

    /// Appends what the console printed at `now`, then shows it to whoever follows.
    ///
    /// # Errors
    /// The disk's. Nothing is shown then, and the same bytes may be appended again.
    pub fn append(&self, now: Time, bytes: &[u8]) -> io::Result<()> {
        let write = |file: &File, end| file.write_all_at(bytes, end).map(|()| bytes.len());
        self.grow(now, write).map(drop)
    }

    /// Appends as many as `most` bytes from a pipe. They leave it in the same moment: whoever is killed has
    /// them in one or the other. Says how many; fewer than there are if the disk is full.
    ///
    /// # Errors
    /// The disk's. The bytes are still in the pipe then.
    pub fn append_from(&self, now: Time, pipe: impl AsFd, most: usize) -> io::Result<usize> {
        self.grow(now, |file, end| {
            let mut end = i64::try_from(end).map_err(io::Error::other)?;
            let at_once = SpliceFFlags::SPLICE_F_NONBLOCK;
            match splice(pipe, None, file, Some(&mut end), most, at_once)? {
                0 => Err(io::ErrorKind::WriteZero.into()),
                taken => Ok(taken),
            }
        })
    }

    /// Has somebody write at the end of the newest segment, who says how many bytes that were.
    fn grow(
        &self,
        now: Time,
        write: impl FnOnce(&File, u64) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let mut inner = self.inner.lock();
        self.rotate_if_due(&mut inner, now)?;
        let (Some(segment), Some(file)) = (inner.segments.last().copied(), &inner.file) else {
            return Ok(0);
        };
        let written = write(file, segment.length).map_err(named(&self.folder))?;
        inner.mark(&segment, now);
        let end = segment.end() + written as u64;
        if let Some(segment) = inner.segments.last_mut() {
            segment.length += written as u64;
        }
        inner.dirty = true;
        drop(inner);
        self.end.send_replace(end);
        Ok(written)
    }

    /// Reads from `offset` on, what there is and fits. Returns where the bytes really begin, which
    /// is later than asked if those before are no longer kept, and how many there are: none at the
    /// end.
    ///
    /// # Errors
    /// The disk's, with the file's name.
    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<(u64, usize)> {
        let inner = self.inner.lock();
        let index = inner.segments.partition_point(|segment| segment.end() <= offset);
        let Some(segment) = inner.segments.get(index).copied() else {
            return Ok((offset, 0));
        };
        let newest = inner.file.clone().filter(|_| index + 1 == inner.segments.len());
        drop(inner);
        let file = match newest {
            Some(file) => file,
            None => {
                let path = bytes_path(&self.folder, segment.start);
                Arc::new(File::open(&path).map_err(named(&path))?)
            }
        };
        let start = offset.max(segment.start);
        let most = usize::try_from(segment.end() - start).unwrap_or(usize::MAX).min(buffer.len());
        let read = file.read_at(&mut buffer[..most], start - segment.start);
        Ok((start, read.map_err(named(&self.folder))?))
    }

    /// The oldest byte that is kept.
    pub fn start(&self) -> u64 {
        self.inner.lock().segments.first().map_or(0, |segment| segment.start)
    }

    /// The next byte to come.
    pub fn end(&self) -> u64 {
        *self.end.borrow()
    }

    /// The end as it grows.
    pub fn growth(&self) -> watch::Receiver<u64> {
        self.end.subscribe()
    }

    /// What there is, in order. Nothing is added but to the last.
    pub fn segments(&self) -> Vec<Segment> {
        self.inner.lock().segments.clone()
    }

    /// The bytes of a segment.
    ///
    /// # Errors
    /// The disk's, with the file's name; they may have been pruned.
    pub fn bytes(&self, segment: &Segment) -> io::Result<File> {
        let path = bytes_path(&self.folder, segment.start);
        File::open(&path).map_err(named(&path))
    }

    /// Where it may be found what its segments hold.
    pub fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// The start of the line that holds byte `offset`, looked for up to 64 KiB back.
    ///
    /// # Errors
    /// The disk's, with the file's name.
    pub fn line_start(&self, offset: u64) -> io::Result<u64> {
        let mut buffer = vec![0; 64 * 1024];
        let from = offset.saturating_sub(buffer.len() as u64).max(self.start());
        let (from, read) = self.read(from, &mut buffer)?;
        let before = usize::try_from(offset.saturating_sub(from)).unwrap_or(0).min(read);
        let newline = buffer[..before].iter().rposition(|byte| *byte == b'\n');
        Ok(newline.map_or(from.max(offset - before as u64), |at| from + at as u64 + 1))
    }
}

#[cfg(test)]
mod tests;
