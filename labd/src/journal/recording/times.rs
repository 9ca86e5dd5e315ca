//! When each byte of a recording came.

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use protocol::{Span, Time};

use super::segment::{HEADER, named, times_path};
use super::{Inner, Recording, Segment};

/// So many marks are read at once.
const HANDFUL: u64 = 512;

/// The length of a mark: an offset and a time.
const MARK: usize = 8;

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

impl Recording {
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

    /// When the bytes in `range` were printed: the offsets at which it was another millisecond than
    /// before, with the time, the first of them where the range begins. The range lies in one segment,
    /// as what was [read](Recording::read) at once does.
    ///
    /// # Errors
    /// The disk's, with the file's name.
    pub fn times(&self, range: Range<u64>) -> io::Result<Vec<(u64, Time)>> {
        let inner = self.inner.lock();
        let index = inner.segments.partition_point(|segment| segment.end() <= range.start);
        let Some(segment) = inner.segments.get(index).copied() else { return Ok(Vec::new()) };
        let is_newest = index + 1 == inner.segments.len();
        let unwritten = if is_newest { inner.marks.clone() } else { Vec::new() };
        drop(inner);
        let mut marks = self.written(&segment, &range)?;
        // Those that have been written since are in both.
        let last = marks.last().map(|(offset, _)| *offset);
        let unwritten = unwritten.as_chunks::<MARK>().0.iter().map(|mark| segment.moment(mark));
        marks.extend(unwritten.filter(|(offset, _)| last.is_none_or(|last| *offset > last)));
        let first = marks.partition_point(|(offset, _)| *offset <= range.start);
        let at_first = first.checked_sub(1).map_or(segment.since, |index| marks[index].1);
        let rest = marks[first..].iter().copied().take_while(|(offset, _)| *offset < range.end);
        Ok([(range.start, at_first)].into_iter().chain(rest).collect())
    }

    /// The marks in the segment's file of times that say something about `range`, and a few more.
    fn written(&self, segment: &Segment, range: &Range<u64>) -> io::Result<Vec<(u64, Time)>> {
        let path = times_path(&self.folder, segment.start);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            file => file.map_err(named(&path))?,
        };
        let length = file.metadata().map_err(named(&path))?.len();
        let count = length.saturating_sub(HEADER as u64) / MARK as u64;
        let read = |from: u64, most: u64| {
            let mut bytes = vec![0; most.min(count - from) as usize * MARK];
            let place = HEADER as u64 + from * MARK as u64;
            file.read_exact_at(&mut bytes, place).map_err(named(&path))?;
            let marks = bytes.as_chunks::<MARK>().0.iter().map(|mark| segment.moment(mark));
            io::Result::Ok(marks.collect::<Vec<_>>())
        };
        let (mut first, mut behind) = (0, count);
        while first < behind {
            let middle = first.midpoint(behind);
            match read(middle, 1)?.first() {
                Some((offset, _)) if *offset <= range.start => first = middle + 1,
                _ => behind = middle,
            }
        }
        let (mut marks, mut next) = (Vec::new(), first.saturating_sub(1));
        while next < count && marks.last().is_none_or(|(offset, _)| *offset < range.end) {
            marks.extend(read(next, HANDFUL)?);
            next += HANDFUL;
        }
        Ok(marks)
    }
}

impl Segment {
    fn moment(&self, mark: &[u8; MARK]) -> (u64, Time) {
        let at = Time(self.since.0 + u64::from(tenths_of(mark)) / 10);
        (self.start + u64::from(offset_of(mark)), at)
    }
}

impl Inner {
    /// Notes when the byte at the segment's end came, if the last note is of another millisecond.
    pub(super) fn mark(&mut self, segment: &Segment, now: Time) {
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

#[cfg(test)]
mod tests {
    use super::super::LastRun;
    use super::*;

    #[test]
    fn each_byte_has_its_millisecond_wherever_its_mark_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let one = Recording::open(folder.path(), LastRun::Whole, Time(1_000)).expect("opens");
        // Two bytes each time: all but the last few are written down, a few more than a handful.
        for time in 0..1_400 {
            one.append(Time(1_000 + 3 * time), b"ab").expect("appends");
            if time == 1_300 {
                one.settle(Time(9_000)).expect("settles");
            }
        }
        one.append(Time(1_000) + Span::hours(24), b"next segment").expect("appends");
        one.append(Time(1_000) + Span::hours(25), b", later").expect("appends");
        for from in [0, 1, 2, 3, 1_001, 2_598, 2_602, 2_799] {
            let times = one.times(from..2_800).expect("reads");
            let whole: Vec<_> = (from..2_800)
                .filter(|offset| *offset == from || offset % 2 == 0)
                .map(|offset| (offset, Time(1_000 + 3 * (offset / 2))))
                .collect();
            assert_eq!(times, whole, "from {from}");
        }
        assert_eq!(one.times(10..11).expect("reads"), [(10, Time(1_015))]);
        let next = [24, 25].map(|hours| Time(1_000) + Span::hours(hours));
        let times = one.times(2_801..2_813).expect("reads");
        assert_eq!(times, [(2_801, next[0]), (2_812, next[1])]);
    }
}
