//! What a console's screen looked like every so often, so that it is there at once: as it is now, and as
//! it was at any time.
//!
//! ```text
//! consoles/rpi4/00000000000000000000.frames   (offset, length, checksum, what paints it), one behind the other
//! ```
//!
//! Frames are made of the bytes, behind the line's back, and never the truth: what is missing or damaged
//! is not used, and made again. They go with their segment.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use protocol::screen::{self, Painter};

use super::Recording;
use super::segment::named;

/// A frame is made when so many bytes were printed since the one before.
const EVERY: u64 = 64 * 1024;
/// And so many times as many as it takes itself: a board may paint what takes much to paint again.
const WORTH: u64 = 4;
/// A screen is not looked for farther back: where there are no frames, it is as if the console had
/// printed no more than this.
const REACH: u64 = 4 << 20;
/// So many bytes are read at once.
const PIECE: u64 = 64 * 1024;

const HEADER: usize = 8 + 4 + 8;

/// A screen as it stood when so many bytes were printed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    /// So many.
    pub offset: u64,
    /// What paints it.
    pub paint: Vec<u8>,
}

impl Recording {
    /// The screen as it stood at `offset`, or a little before, if the byte there is within a character or
    /// a control sequence.
    ///
    /// # Errors
    /// The disk's, with the file's name.
    pub fn screen_at(&self, offset: u64) -> io::Result<Frame> {
        let newest = self.newest().filter(|frame| frame.offset <= offset);
        let before = match newest {
            Some(newest) => newest,
            None => self.frame_before(offset)?,
        };
        self.play(&before, offset)
    }

    /// Makes the frames that are due. One task does.
    ///
    /// # Errors
    /// The disk's, with the file's name.
    pub fn keep_frames(&self) -> io::Result<()> {
        let end = self.end();
        let newest = self.newest();
        let mut newest = match newest {
            Some(newest) if end - newest.offset <= REACH => newest,
            Some(_) => self.frame_before(end)?,
            None => {
                self.mend_frames()?;
                self.frame_before(end)?
            }
        };
        while end - newest.offset >= EVERY.max(WORTH * newest.paint.len() as u64) {
            let due = newest.offset + EVERY.max(WORTH * newest.paint.len() as u64);
            newest = self.play(&newest, due)?;
            self.write_frame(&newest)?;
        }
        *self.frame.lock() = Some(newest);
        Ok(())
    }

    /// The newest frame that is known, if what came behind it is still kept.
    fn newest(&self) -> Option<Frame> {
        let newest = self.frame.lock().clone();
        newest.filter(|frame| frame.offset >= self.start())
    }

    /// What a screen became when more was printed.
    fn play(&self, from: &Frame, to: u64) -> io::Result<Frame> {
        let mut painter = Painter::new(screen::SIZE);
        painter.print(&from.paint);
        let (mut next, mut piece) = (from.offset, vec![0; PIECE as usize]);
        while next < to {
            let most = (to - next).min(PIECE) as usize;
            let (start, read) = self.read(next, &mut piece[..most])?;
            if start != next {
                // What is no longer kept, or never came, ends nothing that was begun before.
                painter.cancel();
                next = start;
            }
            if read == 0 || start >= to {
                break;
            }
            let read = read.min((to - start) as usize);
            painter.print(&piece[..read]);
            next += read as u64;
        }
        let offset = next - painter.terminal().held() as u64;
        Ok(Frame { offset, paint: painter.paint() })
    }

    /// The newest frame at or before `offset`; an empty screen, if there is none in reach.
    fn frame_before(&self, offset: u64) -> io::Result<Frame> {
        let inner = self.inner.lock();
        let starts: Vec<_> = inner.segments.iter().map(|segment| segment.start).collect();
        drop(inner);
        let reach = offset.saturating_sub(REACH);
        for (index, start) in starts.iter().enumerate().rev() {
            let next = starts.get(index + 1);
            if *start > offset || next.is_some_and(|next| *next < reach) {
                continue;
            }
            let frames = read_frames(&frames_path(&self.folder, *start))?;
            let is_before = |frame: &Frame| frame.offset <= offset && frame.offset >= reach;
            if let Some(frame) = frames.into_iter().rfind(is_before) {
                return Ok(frame);
            }
        }
        let offset = if reach > self.start() { self.line_start(reach)? } else { self.start() };
        Ok(Frame { offset, paint: Vec::new() })
    }

    fn write_frame(&self, frame: &Frame) -> io::Result<()> {
        let inner = self.inner.lock();
        let after = inner.segments.partition_point(|segment| segment.start <= frame.offset);
        let segment = after.checked_sub(1).map(|index| inner.segments[index].start);
        drop(inner);
        let Some(start) = segment else { return Ok(()) };
        let path = frames_path(&self.folder, start);
        let file =
            OpenOptions::new().create(true).append(true).open(&path).map_err(named(&path))?;
        (&file).write_all(&frame.record()).map_err(named(&path))
    }

    /// Cuts what is damaged off the newest frames, so that those to come are found.
    fn mend_frames(&self) -> io::Result<()> {
        let newest = self.inner.lock().segments.last().map(|segment| segment.start);
        let Some(start) = newest else { return Ok(()) };
        let path = frames_path(&self.folder, start);
        let whole: usize = read_frames(&path)?.iter().map(|frame| frame.record().len()).sum();
        match OpenOptions::new().write(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            file => file.and_then(|file| file.set_len(whole as u64)).map_err(named(&path)),
        }
    }
}

impl Frame {
    fn record(&self) -> Vec<u8> {
        let length = u32::try_from(self.paint.len()).unwrap_or(u32::MAX);
        let mut record = [&self.offset.to_le_bytes()[..], &length.to_le_bytes()].concat();
        record.extend_from_slice(&self.checksum());
        record.extend_from_slice(&self.paint);
        record
    }

    fn checksum(&self) -> [u8; 8] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.offset.to_le_bytes()).update(&self.paint);
        hasher.finalize().as_bytes().first_chunk().copied().unwrap_or_default()
    }
}

pub(super) fn frames_path(folder: &Path, start: u64) -> PathBuf {
    folder.join(format!("{start:020}.frames"))
}

/// The frames in a file, up to the first that is damaged.
fn read_frames(path: &Path) -> io::Result<Vec<Frame>> {
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        bytes => bytes.map_err(named(path))?,
    };
    let (mut rest, mut frames) = (bytes.as_slice(), Vec::new());
    while let Some((frame, more)) = read_frame(rest) {
        rest = more;
        frames.push(frame);
    }
    Ok(frames)
}

fn read_frame(bytes: &[u8]) -> Option<(Frame, &[u8])> {
    let (header, rest) = bytes.split_first_chunk::<HEADER>()?;
    let (offset, header) = header.split_first_chunk()?;
    let (length, checksum) = header.split_first_chunk()?;
    let (paint, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let frame = Frame { offset: u64::from_le_bytes(*offset), paint: paint.to_vec() };
    (frame.checksum() == checksum).then_some((frame, rest))
}

#[cfg(test)]
mod tests {
    use protocol::{Span, Time};

    use super::super::LastRun;
    use super::*;

    fn recording(folder: &Path) -> Recording {
        Recording::open(folder, LastRun::Whole, Time(1_000)).expect("opens")
    }

    /// A screen that only whoever knows all of what was printed can have: a line at the top that does not
    /// scroll, and a colour.
    fn print(recording: &Recording, bytes: u64) {
        recording
            .append(Time(1_000), b"\x1b[2J\x1b[Htitle\x1b[2;24r\x1b[24H\x1b[32m")
            .expect("appends");
        let lines =
            |from: u64| (from..from + 1_000).map(|n| format!("line {n}\r\n")).collect::<String>();
        for from in (0..).step_by(1_000).take_while(|_| recording.end() < bytes) {
            recording.append(Time(1_000 + from), lines(from).as_bytes()).expect("appends");
        }
    }

    /// As if it had been looked at from the first byte on.
    fn in_full(recording: &Recording, offset: u64) -> Frame {
        let start = Frame { offset: recording.start(), ..Frame::default() };
        recording.play(&start, offset).expect("plays")
    }

    fn frames(folder: &Path) -> Vec<u64> {
        let frames = read_frames(&frames_path(folder, 0)).expect("reads");
        frames.iter().map(|frame| frame.offset).collect()
    }

    #[test]
    fn the_screen_at_any_byte_is_as_if_it_had_been_looked_at_from_the_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let one = recording(folder.path());
        print(&one, 200_000);
        one.append(Time(9_000) + Span::hours(24), b"\x1b[31mnext segment").expect("appends");
        let (end, before) = (one.end(), one.end() - 17);
        for offset in [0, 7, 70_000, 131_072, before, before + 2, end] {
            assert_eq!(one.screen_at(offset).expect("plays"), in_full(&one, offset), "at {offset}");
        }
        one.keep_frames().expect("keeps");
        assert_eq!(frames(folder.path()).len() as u64, 200_000 / EVERY);
        for offset in [0, 7, 70_000, 131_072, before, before + 2, end] {
            assert_eq!(one.screen_at(offset).expect("plays"), in_full(&one, offset), "at {offset}");
        }
        assert_eq!(one.screen_at(before + 2).expect("plays").offset, before, "within a sequence");
    }

    #[test]
    fn frames_go_on_and_what_is_damaged_is_made_again() {
        let folder = tempfile::tempdir().expect("a folder");
        print(&recording(folder.path()), 300_000);
        let path = frames_path(folder.path(), 0);
        let keep = || recording(folder.path()).keep_frames().expect("keeps");
        keep();
        let whole = (fs::read(&path).expect("a file"), frames(folder.path()));
        assert_eq!(whole.1.len(), 4);
        keep();
        assert_eq!(fs::read(&path).expect("a file"), whole.0, "they are there");
        for damage in [0, 30, whole.0.len() / 2, whole.0.len() - 1] {
            let mut bytes = whole.0.clone();
            bytes[damage] ^= 1;
            fs::write(&path, bytes).expect("writes");
            let one = recording(folder.path());
            assert_eq!(
                one.screen_at(one.end()).expect("plays"),
                in_full(&one, one.end()),
                "{damage}"
            );
            keep();
            assert_eq!(fs::read(&path).expect("a file"), whole.0, "damaged at {damage}");
        }
        fs::remove_file(&path).expect("it is there");
        keep();
        assert_eq!(fs::read(&path).expect("a file"), whole.0);
    }

    #[test]
    fn frames_go_with_their_segment() {
        let folder = tempfile::tempdir().expect("a folder");
        let one = recording(folder.path());
        print(&one, 100_000);
        one.keep_frames().expect("keeps");
        assert_eq!(frames(folder.path()).len(), 1);
        one.append(Time(1_000) + Span::hours(48), b"next segment").expect("appends");
        let before = one.screen_at(one.end()).expect("plays");
        one.prune(20, Span::hours(1_000), Time(1_000) + Span::hours(48)).expect("prunes");
        assert!(frames(folder.path()).is_empty());
        let next = one.screen_at(one.end()).expect("plays");
        assert_eq!(next, in_full(&one, one.end()), "what went before is gone");
        assert_ne!(next, before);
    }

    #[test]
    fn what_takes_much_to_paint_is_not_painted_often() {
        let folder = tempfile::tempdir().expect("a folder");
        let one = recording(folder.path());
        let look =
            |n: u64| format!("\x1b[38;2;{};{};9;48;2;9;9;{};1;3;4mx", n % 256, n % 199, n % 101);
        let noise: String = (0..15_000).map(look).collect();
        one.append(Time(1_000), noise.as_bytes()).expect("appends");
        one.keep_frames().expect("keeps");
        let size = fs::metadata(frames_path(folder.path(), 0)).expect("a file").len();
        assert!(size * 3 < one.end(), "{size} of {}", one.end());
    }
}
