//! The files of a segment, and their names.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use protocol::Time;

const MAGIC: &[u8; 8] = b"labtimes";
/// The magic, and when the segment was begun.
pub(super) const HEADER: usize = MAGIC.len() + 8;

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
    pub(super) fn ends_a_line(&self, file: &File) -> bool {
        let mut last = [b'\n'];
        let read = file.read_at(&mut last, self.length.saturating_sub(1));
        read.is_err() || last == *b"\n"
    }
}

pub(super) fn bytes_path(folder: &Path, start: u64) -> PathBuf {
    folder.join(format!("{start:020}.bytes"))
}

pub(super) fn times_path(folder: &Path, start: u64) -> PathBuf {
    folder.join(format!("{start:020}.times"))
}

pub(super) fn named(file: &Path) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", file.display()))
}

/// Begins a segment, and the folder with it. Its times come first, so that no bytes are ever without.
pub(super) fn begin(folder: &Path, start: u64, now: Time) -> io::Result<(File, Segment)> {
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

pub(super) fn find_segments(folder: &Path) -> io::Result<Vec<Segment>> {
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
