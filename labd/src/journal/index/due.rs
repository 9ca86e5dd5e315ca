//! Which index is to be made next, and that it is made.

use std::io;
use std::ops::Range;

use super::builder::Builder;
use crate::journal::lines::{Lines, blocks};
use crate::journal::recording::{Recording, Segment};

/// Segments are worth an index as soon as they have the first number of blocks, and one instead of several
/// as soon as they have the second.
const WORTH: (u64, u64) = (8, 256);

/// Makes one index that a recording lacks. Says whether there was one to make.
///
/// # Errors
/// The disk's.
pub fn make_one(recording: &Recording) -> io::Result<bool> {
    make_one_of(recording, WORTH)
}

pub(super) fn make_one_of(recording: &Recording, worth: (u64, u64)) -> io::Result<bool> {
    let (segments, shelf) = (recording.segments(), recording.shelf());
    let Some((_, finished)) = segments.split_last() else { return Ok(false) };
    let Some(due) = due(finished, &shelf.covered(), worth) else { return Ok(false) };
    let mut builder = Builder::new(due);
    for segment in due {
        let file = match recording.bytes(segment) {
            // It was pruned meanwhile; its blocks have nothing.
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            file => Some(file?),
        };
        for block in 0..blocks(segment.length) {
            match &file {
                Some(file) => builder.add(&Lines::read(file, segment.length, block)?),
                None => builder.skip(),
            }
        }
    }
    let (start, end) = (due.first().map(|first| first.start), due.last().map(Segment::end));
    shelf.put(&(start.unwrap_or_default()..end.unwrap_or_default()), &builder.finish())?;
    Ok(true)
}

/// The neighbours among finished segments that are to have an index next.
pub(super) fn due<'a>(
    finished: &'a [Segment],
    covered: &[Range<u64>],
    (few, many): (u64, u64),
) -> Option<&'a [Segment]> {
    let size = |segments: &[Segment]| segments.iter().map(|one| blocks(one.length)).sum::<u64>();
    let by = |segment: &Segment| covered.iter().find(|range| range.contains(&segment.start));
    // An index that has lost its first segments to pruning stays as it is.
    let within = |range: &Range<u64>| {
        let first = finished.partition_point(|segment| segment.start < range.start);
        let after = finished.partition_point(|segment| segment.start < range.end);
        let is_cut = finished.get(first).is_none_or(|segment| segment.start != range.start);
        if is_cut { many } else { size(&finished[first..after]) }
    };
    let is_small = |segment: &Segment| by(segment).is_none_or(|range| within(range) < many);
    let mut rest = finished;
    while let Some(start) = rest.iter().position(is_small) {
        let run = &rest[start..];
        let length = run.iter().take_while(|segment| is_small(segment)).count();
        let (run, after) = run.split_at(length);
        let enough = |most: u64, run: &'a [Segment]| {
            (1..=run.len()).map(|length| &run[..length]).find(|some| size(some) >= most)
        };
        let bare = run.iter().position(|segment| by(segment).is_none());
        let due = enough(many, run).or_else(|| enough(few, &run[bare?..]));
        if due.is_some() {
            return due;
        }
        rest = after;
    }
    None
}
