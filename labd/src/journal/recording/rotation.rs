//! When a recording goes to the disk, begins a new segment, and lets go of the oldest.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::sync::Arc;

use protocol::{Span, Time};

use super::frames::frames_path;
use super::segment::{begin, bytes_path, named, times_path};
use super::{Inner, Recording, Segment};

/// A segment that has grown to this many bytes is followed by a new one.
pub(super) const FULL: u64 = 16 << 20;
/// So is one that is this old; the times within it fit 32 bits for five days.
const OLD: Span = Span::hours(24);
/// For the end of its line a segment waits this much longer.
const LATE: (u64, Span) = (FULL + (64 << 10), Span::hours(96));

impl Recording {
    /// Writes the times down, and returns the files to sync: those that changed since last time.
    /// A recording without files gets them at `now`, so that a console need not wait for them.
    ///
    /// # Errors
    /// The disk's, with the file's name.
    pub fn settle(&self, now: Time) -> io::Result<Vec<Arc<File>>> {
        let mut inner = self.inner.lock();
        if inner.segments.is_empty() {
            self.rotate(&mut inner, now)?;
        }
        if !std::mem::take(&mut inner.dirty) {
            return Ok(Vec::new());
        }
        self.write_marks(&mut inner)?;
        let mut files = std::mem::take(&mut inner.finished);
        files.extend(inner.file.clone());
        Ok(files)
    }

    /// Deletes the oldest segments until no more than `size` bytes are kept, none older than `age`.
    ///
    /// # Errors
    /// The disk's, with the file's name.
    pub fn prune(&self, size: u64, age: Span, now: Time) -> io::Result<()> {
        let mut inner = self.inner.lock();
        let mut total: u64 = inner.segments.iter().map(|segment| segment.length).sum();
        while let [first, next, ..] = inner.segments[..] {
            if total <= size && now.since(next.since) <= age {
                return Ok(());
            }
            for path in
                [bytes_path(&self.folder, first.start), times_path(&self.folder, first.start)]
            {
                fs::remove_file(&path).map_err(named(&path))?;
            }
            let frames = frames_path(&self.folder, first.start);
            match fs::remove_file(&frames) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed.map_err(named(&frames))?,
            }
            total -= first.length;
            inner.segments.remove(0);
            self.shelf.forget_before(next.start);
        }
        Ok(())
    }

    /// Begins a new segment if there is anything in the newest: nothing more is to come, and what is
    /// there is to be pruned some day.
    ///
    /// # Errors
    /// The disk's, with the file's name.
    pub fn seal(&self, now: Time) -> io::Result<()> {
        let mut inner = self.inner.lock();
        match inner.segments.last() {
            Some(last) if last.length > 0 => self.rotate(&mut inner, now),
            _ => Ok(()),
        }
    }

    pub(super) fn rotate_if_due(&self, inner: &mut Inner, now: Time) -> io::Result<()> {
        let is_over = |last: &Segment, (size, age)| {
            last.length > 0 && (last.length >= size || now.since(last.since) >= age)
        };
        match (inner.segments.last(), &inner.file) {
            (Some(last), _) if !is_over(last, (FULL, OLD)) => Ok(()),
            (Some(last), Some(file)) if !is_over(last, LATE) && !last.ends_a_line(file) => Ok(()),
            _ => self.rotate(inner, now),
        }
    }

    fn rotate(&self, inner: &mut Inner, now: Time) -> io::Result<()> {
        self.write_marks(inner)?;
        let start = inner.segments.last().map_or(0, Segment::end);
        let (file, segment) = begin(&self.folder, start, now)?;
        let before = inner.file.replace(Arc::new(file));
        let dirty = inner.dirty;
        inner.finished.extend(before.filter(|_| dirty));
        inner.segments.push(segment);
        inner.last_mark = Time::default();
        Ok(())
    }

    fn write_marks(&self, inner: &mut Inner) -> io::Result<()> {
        let Some(segment) = inner.segments.last() else { return Ok(()) };
        if inner.marks.is_empty() {
            return Ok(());
        }
        let path = times_path(&self.folder, segment.start);
        let file = OpenOptions::new().append(true).open(&path).map_err(named(&path))?;
        io::Write::write_all(&mut &file, &inner.marks).map_err(named(&path))?;
        inner.marks.clear();
        Ok(())
    }
}
