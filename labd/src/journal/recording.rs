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
mod times;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::fcntl::{SpliceFFlags, splice};
use parking_lot::Mutex;
use protocol::{Span, Time};
use tokio::sync::watch;

use self::frames::{Frame, frames_path};
use super::index::Shelf;

/// A segment that has grown to this many bytes is followed by a new one.
const FULL: u64 = 16 << 20;
/// So is one that is this old; the times within it fit 32 bits for five days.
const OLD: Span = Span::hours(24);
/// For the end of its line a segment waits this much longer.
const LATE: (u64, Span) = (FULL + (64 << 10), Span::hours(96));
/// How far a recording jumps ahead when the machine was not shut down: more than a console can have
/// printed in the second that was not yet on disk.
const GAP: u64 = 64 << 20;

const MAGIC: &[u8; 8] = b"labtimes";
const HEADER: usize = MAGIC.len() + 8;
const MARK: usize = 8;

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

/// A part of a recording, in files of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// The offset of its first byte.
    pub start: u64,
    /// How many bytes there are.
    pub length: u64,
    /// When it was begun.
    pub since: Time,
}

impl Segment {
    /// The offset after its last byte.
    pub fn end(&self) -> u64 {
        self.start + self.length
    }

    /// Whether no line of it is left open. A file that cannot be read leaves none.
    fn ends_a_line(&self, file: &File) -> bool {
        let mut last = [b'\n'];
        let read = file.read_at(&mut last, self.length.saturating_sub(1));
        read.is_err() || last == *b"\n"
    }
}

/// When the bytes of a segment came.
#[derive(Debug)]
pub struct Times {
    segment: Segment,
    marks: Vec<u8>,
}

impl Times {
    fn marks(&self) -> &[[u8; MARK]] {
        self.marks.get(HEADER..).unwrap_or_default().as_chunks::<MARK>().0
    }

    /// When the byte at an offset came.
    pub fn at(&self, offset: u64) -> Time {
        let within = offset.saturating_sub(self.segment.start);
        let after = self.marks().partition_point(|mark| u64::from(offset_of(mark)) <= within);
        let mark = after.checked_sub(1).and_then(|index| self.marks().get(index));
        self.segment.since + Span::millis(u64::from(mark.map_or(0, tenths_of)) / 10)
    }

    /// The offset of the first byte that came at or after `when`.
    fn offset_at(&self, when: Time) -> u64 {
        let tenths = when.since(self.segment.since).0.saturating_mul(10);
        let index = self.marks().partition_point(|mark| u64::from(tenths_of(mark)) < tenths);
        let mark = self.marks().get(index);
        mark.map_or(self.segment.end(), |mark| self.segment.start + u64::from(offset_of(mark)))
    }
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

    /// The offset of the first byte that was printed at or after `when`.
    ///
    /// # Errors
    /// The disk's, with the file's name.
    pub fn offset_at(&self, when: Time) -> io::Result<u64> {
        let inner = self.inner.lock();
        let after = inner.segments.partition_point(|segment| segment.since <= when);
        match after.checked_sub(1).and_then(|index| inner.segments.get(index)) {
            Some(segment) => Ok(self.times_within(&inner, segment)?.offset_at(when)),
            None => Ok(inner.segments.first().map_or(0, |segment| segment.start)),
        }
    }

    /// When the bytes of a segment came: when it was begun, for all we know, if its file of times is lost.
    ///
    /// # Errors
    /// The disk's, with the file's name.
    pub fn times_of(&self, segment: &Segment) -> io::Result<Times> {
        match self.times_within(&self.inner.lock(), segment) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(Times { segment: *segment, marks: Vec::new() })
            }
            times => times,
        }
    }

    fn times_within(&self, inner: &Inner, segment: &Segment) -> io::Result<Times> {
        let path = times_path(&self.folder, segment.start);
        let mut marks = fs::read(&path).map_err(named(&path))?;
        if inner.segments.last().is_some_and(|newest| newest.start == segment.start) {
            marks.truncate(marks.len() - (marks.len() - HEADER.min(marks.len())) % MARK);
            marks.extend_from_slice(&inner.marks);
        }
        Ok(Times { segment: *segment, marks })
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

    fn rotate_if_due(&self, inner: &mut Inner, now: Time) -> io::Result<()> {
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

impl Inner {
    /// Notes when the byte at the segment's end came, if the last note is of another millisecond.
    fn mark(&mut self, segment: &Segment, now: Time) {
        if now > self.last_mark {
            self.last_mark = now;
            let offset = u32::try_from(segment.length).unwrap_or(u32::MAX);
            let tenths = u32::try_from(now.since(segment.since).0 * 10).unwrap_or(u32::MAX);
            self.marks.extend_from_slice(&offset.to_le_bytes());
            self.marks.extend_from_slice(&tenths.to_le_bytes());
        }
    }
}

fn offset_of(mark: &[u8; MARK]) -> u32 {
    u32::from_le_bytes([mark[0], mark[1], mark[2], mark[3]])
}

fn tenths_of(mark: &[u8; MARK]) -> u32 {
    u32::from_le_bytes([mark[4], mark[5], mark[6], mark[7]])
}

fn bytes_path(folder: &Path, start: u64) -> PathBuf {
    folder.join(format!("{start:020}.bytes"))
}

fn times_path(folder: &Path, start: u64) -> PathBuf {
    folder.join(format!("{start:020}.times"))
}

fn named(file: &Path) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", file.display()))
}

/// Begins a segment, and the folder with it. Its times come first, so that no bytes are ever without.
fn begin(folder: &Path, start: u64, now: Time) -> io::Result<(File, Segment)> {
    fs::create_dir_all(folder).map_err(named(folder))?;
    let times = times_path(folder, start);
    let header = [MAGIC.as_slice(), &now.0.to_le_bytes()].concat();
    fs::write(&times, header).map_err(named(&times))?;
    let bytes = bytes_path(folder, start);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(&bytes)
        .map_err(named(&bytes))?;
    Ok((file, Segment { start, length: 0, since: now }))
}

fn find_segments(folder: &Path) -> io::Result<Vec<Segment>> {
    let mut segments = Vec::new();
    let files = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(segments),
        files => files.map_err(named(folder))?,
    };
    for file in files {
        let path = file.map_err(named(folder))?.path();
        let stem = path.extension().filter(|end| *end == "bytes").and(path.file_stem());
        let Some(start) = stem.and_then(|stem| stem.to_str()?.parse().ok()) else { continue };
        let length = fs::metadata(&path).map_err(named(&path))?.len();
        segments.push(Segment { start, length, since: segment_time(folder, start) });
    }
    segments.sort_by_key(|segment| segment.start);
    Ok(segments)
}

/// When a segment was begun; the beginning of time if its file of times is lost.
fn segment_time(folder: &Path, start: u64) -> Time {
    let mut header = [0; HEADER];
    let read =
        File::open(times_path(folder, start)).and_then(|file| file.read_exact_at(&mut header, 0));
    match (read, header.strip_prefix(MAGIC.as_slice())) {
        (Ok(()), Some(&[a, b, c, d, e, f, g, h])) => {
            Time(u64::from_le_bytes([a, b, c, d, e, f, g, h]))
        }
        _ => Time::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording(folder: &Path) -> Recording {
        Recording::open(folder, LastRun::Whole, Time(1_000)).expect("opens")
    }

    fn all(recording: &Recording, from: u64) -> Vec<u8> {
        let (mut at, mut bytes, mut buffer) = (from, Vec::new(), [0; 7]);
        loop {
            let (start, read) = recording.read(at, &mut buffer).expect("reads");
            if read == 0 {
                return bytes;
            }
            bytes.extend_from_slice(&buffer[..read]);
            at = start + read as u64;
        }
    }

    #[test]
    fn what_was_appended_is_read_from_any_offset_also_after_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        recording(folder.path()).append(Time(1_000), b"U-Boot 2026.01\n").expect("appends");
        let again = recording(folder.path());
        again.append(Time(2_000), b"=> ").expect("appends");
        assert_eq!(all(&again, 0), b"U-Boot 2026.01\n=> ");
        assert_eq!(all(&again, 15), b"=> ");
        assert_eq!(again.end(), 18);
    }

    #[test]
    fn what_is_appended_from_a_pipe_has_left_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let one = recording(folder.path());
        one.append(Time(1_000), b"U-Boot ").expect("appends");
        let (exit, entry) = nix::unistd::pipe().expect("a pipe");
        nix::unistd::write(&entry, b"2026.01\n=> ").expect("writes");
        assert_eq!(one.append_from(Time(2_000), &exit, 8).expect("appends"), 8);
        assert_eq!((all(&one, 0), one.end()), (b"U-Boot 2026.01\n".to_vec(), 15));
        assert_eq!(one.append_from(Time(3_000), &exit, 100).expect("appends"), 3);
        let empty = one.append_from(Time(3_000), &exit, 100).expect_err("there is nothing left");
        assert_eq!((empty.kind(), one.end()), (io::ErrorKind::WouldBlock, 18));
        assert_eq!(one.offset_at(Time(1_500)).expect("finds"), 7);
    }

    #[test]
    fn a_new_recording_makes_its_files_when_it_is_settled() {
        let folder = tempfile::tempdir().expect("a folder");
        let own = folder.path().join("rpi4");
        let one = recording(&own);
        assert!(!own.exists());
        assert_eq!((one.start(), one.end(), all(&one, 0).len()), (0, 0, 0));
        assert!(one.settle(Time(2_000)).expect("settles").is_empty(), "there is nothing to sync");
        assert!(bytes_path(&own, 0).exists() && times_path(&own, 0).exists());
        one.append(Time(3_000), b"hello").expect("appends");
        assert_eq!(all(&one, 0), b"hello");
        assert_eq!(one.offset_at(Time(2_500)).expect("finds"), 0);
    }

    #[test]
    fn the_end_of_a_finished_segment_is_synced_too() {
        let folder = tempfile::tempdir().expect("a folder");
        let one = recording(folder.path());
        one.append(Time(1_000), b"before\n").expect("appends");
        one.append(Time(1_000) + Span::hours(24), b"after").expect("appends");
        let lengths = |files: Vec<Arc<File>>| -> Vec<u64> {
            files.iter().map(|file| file.metadata().expect("a file").len()).collect()
        };
        assert_eq!(lengths(one.settle(Time(0)).expect("settles")), [7, 5]);
        assert!(one.settle(Time(0)).expect("settles").is_empty());
    }

    #[test]
    fn a_segment_ends_with_a_line_if_that_ends_in_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let one = recording(folder.path());
        let lengths = |hours, bytes: &[u8]| -> Vec<u64> {
            one.append(Time(1_000) + Span::hours(hours), bytes).expect("appends");
            one.segments().iter().map(|segment| segment.length).collect()
        };
        assert_eq!(lengths(0, b"log"), [3]);
        assert_eq!(lengths(30, b"in: root\n"), [12]);
        assert_eq!(lengths(31, b"# "), [12, 2]);
        assert_eq!(lengths(31 + 96, b"reboot\n"), [12, 2, 7], "its line is too late");
        assert_eq!(lengths(128, &vec![b'x'; FULL as usize]), [12, 2, 7 + FULL]);
        assert_eq!(lengths(128, &[b'x'; 64 << 10]), [12, 2, 7 + FULL + (64 << 10)]);
        assert_eq!(lengths(128, b"y"), [12, 2, 7 + FULL + (64 << 10), 1], "its line is too long");
    }

    #[test]
    fn a_byte_came_when_it_was_appended() {
        let folder = tempfile::tempdir().expect("a folder");
        let one = recording(folder.path());
        one.append(Time(1_000), b"aaaa").expect("appends");
        one.append(Time(2_000), b"bb").expect("appends");
        one.settle(Time(2_500)).expect("settles");
        one.append(Time(3_000), b"c").expect("appends");
        let times = one.times_of(&one.segments()[0]).expect("reads");
        for (offset, came) in [(0, 1_000), (3, 1_000), (4, 2_000), (5, 2_000), (6, 3_000)] {
            assert_eq!(times.at(offset), Time(came), "{offset}");
        }
    }

    #[test]
    fn a_time_leads_to_the_first_byte_printed_since() {
        let folder = tempfile::tempdir().expect("a folder");
        let one = recording(folder.path());
        one.append(Time(1_000), b"aaaa").expect("appends");
        one.append(Time(2_000), b"bb").expect("appends");
        one.settle(Time(2_500)).expect("settles");
        one.append(Time(3_000), b"c").expect("appends");
        for (when, offset) in [(0, 0), (1_000, 0), (1_001, 4), (2_000, 4), (2_500, 6), (3_001, 7)] {
            assert_eq!(one.offset_at(Time(when)).expect("finds"), offset, "at {when}");
        }
    }

    #[test]
    fn after_a_crash_of_the_machine_no_offset_is_used_again() {
        let folder = tempfile::tempdir().expect("a folder");
        recording(folder.path()).append(Time(1_000), b"seen by somebody").expect("appends");
        let after = Recording::open(folder.path(), LastRun::Crashed, Time(9_000)).expect("opens");
        after.append(Time(9_000), b"new").expect("appends");
        let (start, read) = after.read(16, &mut [0; 16]).expect("reads");
        assert_eq!((start, read), (16 + GAP, 3));
    }

    #[test]
    fn the_oldest_segments_go_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let one = recording(folder.path());
        for day in 0..5 {
            one.append(Time(1_000) + Span::hours(24 * day), b"012345678\n").expect("appends");
        }
        one.prune(25, Span::hours(24 * 365), Time(1_000) + Span::hours(96)).expect("prunes");
        assert_eq!(one.start(), 30);
        assert_eq!(all(&one, 0).len(), 20, "what is gone is skipped");
        one.prune(25, Span::hours(12), Time(1_000) + Span::hours(96 + 13)).expect("prunes");
        assert_eq!(one.start(), 40, "the newest stays whatever its age");
    }

    #[test]
    fn a_line_is_found_by_any_byte_in_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let one = recording(folder.path());
        one.append(Time(1_000), b"one\ntwo\nthree").expect("appends");
        for (offset, start) in [(0, 0), (2, 0), (4, 4), (7, 4), (9, 8), (13, 8)] {
            assert_eq!(one.line_start(offset).expect("finds"), start, "of {offset}");
        }
    }
}
