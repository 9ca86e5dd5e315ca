//! One recording, looked through in the order that was asked for.

use std::collections::{HashSet, VecDeque};
use std::fs::File;
use std::io;
use std::sync::Arc;

use protocol::Time;
use protocol::board::BoardName;
use protocol::search::{Direction, Hit, Search};

use crate::journal::lines::{BLOCK, Lines, blocks, text};
use crate::journal::pattern::Pattern;
use crate::journal::recording::{Recording, Segment, Times};

/// Of a longer line, what is around the first match is told, in bytes;
pub(super) const LONGEST: usize = 1_000;
/// so much of it before that.
const BEFORE: usize = 200;

/// Looks through one recording.
pub(super) struct Seeker {
    board: BoardName,
    recording: Arc<Recording>,
    /// What is yet to be looked at, next first, each with when the one after it began.
    segments: VecDeque<(Segment, Time)>,
    /// Blocks that may have a hit.
    blocks: VecDeque<(Segment, Time, u64)>,
    hits: VecDeque<Hit>,
    open: Option<Open>,
}

/// A segment that is read.
struct Open {
    start: u64,
    file: File,
    times: Option<Times>,
}

impl Seeker {
    pub(super) fn new(ask: &Search, board: BoardName, recording: Arc<Recording>) -> Seeker {
        let all = recording.segments();
        let after = all.iter().skip(1).map(|next| next.since).chain([Time(u64::MAX)]);
        let is_wanted = |(segment, until): &(Segment, Time)| {
            let is_reached = match (ask.from, ask.direction) {
                (None, _) => true,
                (Some(from), Direction::Backward) => segment.start < from,
                (Some(from), Direction::Forward) => segment.end() > from,
            };
            is_reached
                && ask.since.is_none_or(|since| since <= *until)
                && ask.until.is_none_or(|until| segment.since <= until)
        };
        let mut segments: VecDeque<_> = all.iter().copied().zip(after).filter(is_wanted).collect();
        if ask.direction == Direction::Backward {
            segments.make_contiguous().reverse();
        }
        let (blocks, hits) = (VecDeque::new(), VecDeque::new());
        Seeker { board, recording, segments, blocks, hits, open: None }
    }

    /// When its next hit may have been, as a number that grows with how soon that is wanted; none if there
    /// can be none.
    pub(super) fn due(&self, ask: &Search) -> Option<u64> {
        let (from, until) = match (self.hits.front(), self.blocks.front(), self.segments.front()) {
            (Some(hit), _, _) => (hit.at, hit.at),
            (_, Some((segment, until, _)), _) | (_, _, Some((segment, until))) => {
                (segment.since, *until)
            }
            (None, None, None) => return None,
        };
        Some(match ask.direction {
            Direction::Backward => until.0,
            Direction::Forward => u64::MAX - from.0,
        })
    }

    /// Goes one step: tells a hit, or looks through a block, or into an index.
    pub(super) fn step(&mut self, ask: &Search, pattern: &Pattern) -> io::Result<Option<Hit>> {
        if let Some(hit) = self.hits.pop_front() {
            return Ok(Some(hit));
        }
        if let Some((segment, _, block)) = self.blocks.pop_front() {
            match self.look_through(ask, pattern, segment, block) {
                // It was pruned meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => self.open = None,
                looked => looked?,
            }
        } else {
            self.choose_blocks(ask, pattern);
        }
        Ok(None)
    }

    /// Chooses the blocks of the next segments that may have a hit.
    fn choose_blocks(&mut self, ask: &Search, pattern: &Pattern) {
        let Some((first, _)) = self.segments.front() else { return };
        let covered = self.recording.shelf().covered();
        let range = covered.into_iter().find(|range| range.contains(&first.start));
        let range = range.filter(|_| !pattern.need().is_nothing());
        let named = range.as_ref().and_then(|range| self.named(range, pattern));
        let is_its = |segment: &Segment| match &range {
            Some(range) => range.contains(&segment.start),
            None => segment == first,
        };
        let count = self.segments.iter().take_while(|(segment, _)| is_its(segment)).count();
        for (segment, until) in self.segments.drain(..count) {
            let is_named = |block: &u64| {
                named.as_ref().is_none_or(|named| named.contains(&(segment.start, *block)))
            };
            let mut chosen: Vec<u64> = (0..blocks(segment.length)).filter(is_named).collect();
            if ask.direction == Direction::Backward {
                chosen.reverse();
            }
            self.blocks.extend(chosen.into_iter().map(|block| (segment, until, block)));
        }
    }

    /// The blocks that an index names; none if it cannot be read. One that is damaged is taken away.
    fn named(
        &self,
        range: &std::ops::Range<u64>,
        pattern: &Pattern,
    ) -> Option<HashSet<(u64, u64)>> {
        let shelf = self.recording.shelf();
        match shelf.open(range).and_then(|index| index.find(pattern.need())) {
            Ok(named) => Some(named.into_iter().collect()),
            Err(error) => {
                tracing::warn!(board = %self.board, %error, "an index cannot be read");
                shelf.forget(range);
                None
            }
        }
    }

    fn look_through(
        &mut self,
        ask: &Search,
        pattern: &Pattern,
        segment: Segment,
        block: u64,
    ) -> io::Result<()> {
        if is_beyond(ask, &segment, block) {
            return Ok(());
        }
        if self.open.as_ref().is_none_or(|open| open.start != segment.start) {
            let file = self.recording.bytes(&segment)?;
            self.open = Some(Open { start: segment.start, file, times: None });
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        let lines = Lines::read(&open.file, segment.length, block)?;
        for (at, line) in lines.iter() {
            let (offset, text) = (segment.start + at, text(line));
            let spans = pattern.spans(&text);
            if spans.is_empty() || !is_on_side(ask, offset) {
                continue;
            }
            let times = match &mut open.times {
                Some(times) => times,
                none => none.insert(self.recording.times_of(&segment)?),
            };
            let at = times.at(offset);
            if ask.since.is_none_or(|since| since <= at)
                && ask.until.is_none_or(|until| at <= until)
            {
                let (line, spans) = around(&text, spans);
                self.hits.push_back(Hit { board: self.board.clone(), at, offset, line, spans });
            }
        }
        if ask.direction == Direction::Backward {
            self.hits.make_contiguous().reverse();
        }
        Ok(())
    }
}

/// Whether no line of a block can be on the side that was asked for.
fn is_beyond(ask: &Search, segment: &Segment, block: u64) -> bool {
    let start = segment.start + block * BLOCK;
    ask.from.is_some_and(|from| match ask.direction {
        Direction::Forward => start + BLOCK <= from,
        // Its first line may have begun in the block before.
        Direction::Backward => start >= from.saturating_add(BLOCK),
    })
}

pub(super) fn is_on_side(ask: &Search, offset: u64) -> bool {
    ask.from.is_none_or(|from| match ask.direction {
        Direction::Forward => offset >= from,
        Direction::Backward => offset < from,
    })
}

/// What is told of a line.
pub(super) fn around(line: &str, spans: Vec<(usize, usize)>) -> (String, Vec<(usize, usize)>) {
    let start = match line.len() > LONGEST {
        true => line.floor_char_boundary(spans[0].0.saturating_sub(BEFORE)),
        false => 0,
    };
    let end = line.floor_char_boundary(start + LONGEST);
    let spans = spans.into_iter().take_while(|(from, _)| *from <= end);
    let spans = spans.map(|(from, to)| (from - start, to.min(end) - start));
    (line[start..end].to_owned(), spans.collect())
}
