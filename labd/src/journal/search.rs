//! Searching recordings: hits by time, as they are found.
//!
//! Each recording is looked at lazily, in the order that was asked for: what the [`index`](super::index)
//! rules out is not read, and nothing is read before its time could be the next. So whoever wants the first
//! hundred hits has them soon, and pays for no more.

use std::collections::{BinaryHeap, HashSet, VecDeque};
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::board::BoardName;
use protocol::search::{Direction, Hit, Search};
use protocol::{Error, Time};

use super::lines::{BLOCK, Lines, blocks, text};
use super::pattern::Pattern;
use super::recording::{Recording, Segment, Times};

/// After this time, what was found so far is told.
const PATIENCE: Duration = Duration::from_millis(20);
/// So is this much.
const HANDFUL: usize = 64;
/// Of a longer line, what is around the first match is told, in bytes;
const LONGEST: usize = 1_000;
/// so much of it before that.
const BEFORE: usize = 200;

/// A search that is under way.
pub struct Searcher {
    ask: Search,
    pattern: Pattern,
    seekers: Vec<Seeker>,
    /// When each seeker's next hit may have been, the most wanted first.
    next: BinaryHeap<(u64, usize)>,
    left: u64,
}

impl Searcher {
    /// Begins to search these recordings.
    ///
    /// # Errors
    /// [`Error::Bad`] for a pattern that is none.
    pub fn new(
        ask: Search,
        recordings: Vec<(BoardName, Arc<Recording>)>,
    ) -> Result<Searcher, Error> {
        let pattern = Pattern::new(&ask)?;
        let seekers: Vec<Seeker> = recordings
            .into_iter()
            .map(|(board, recording)| Seeker::new(&ask, board, recording))
            .collect();
        let due = |(number, seeker): (usize, &Seeker)| Some((seeker.due(&ask)?, number));
        let next = seekers.iter().enumerate().filter_map(due).collect();
        Ok(Searcher { left: ask.limit.unwrap_or(u64::MAX), ask, pattern, seekers, next })
    }

    /// What is found next, which may be nothing yet; none when all has been looked at. Takes a moment.
    ///
    /// # Errors
    /// The disk's, with the file's name.
    pub fn more(&mut self) -> io::Result<Option<Vec<Hit>>> {
        let (began, mut hits) = (Instant::now(), Vec::new());
        while self.left > 0 && hits.len() < HANDFUL && began.elapsed() < PATIENCE {
            let Some((_, number)) = self.next.pop() else { break };
            let seeker = &mut self.seekers[number];
            if let Some(hit) = seeker.step(&self.ask, &self.pattern)? {
                hits.push(hit);
                self.left -= 1;
            }
            self.next.extend(seeker.due(&self.ask).map(|due| (due, number)));
        }
        let is_over = hits.is_empty() && (self.left == 0 || self.next.is_empty());
        Ok((!is_over).then_some(hits))
    }
}

/// Looks through one recording.
struct Seeker {
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
    fn new(ask: &Search, board: BoardName, recording: Arc<Recording>) -> Seeker {
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
    fn due(&self, ask: &Search) -> Option<u64> {
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
    fn step(&mut self, ask: &Search, pattern: &Pattern) -> io::Result<Option<Hit>> {
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

fn is_on_side(ask: &Search, offset: u64) -> bool {
    ask.from.is_none_or(|from| match ask.direction {
        Direction::Forward => offset >= from,
        Direction::Backward => offset < from,
    })
}

/// What is told of a line.
fn around(line: &str, spans: Vec<(usize, usize)>) -> (String, Vec<(usize, usize)>) {
    let start = match line.len() > LONGEST {
        true => line.floor_char_boundary(spans[0].0.saturating_sub(BEFORE)),
        false => 0,
    };
    let end = line.floor_char_boundary(start + LONGEST);
    let spans = spans.into_iter().take_while(|(from, _)| *from <= end);
    let spans = spans.map(|(from, to)| (from - start, to.min(end) - start));
    (line[start..end].to_owned(), spans.collect())
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use protocol::search::Case;
    use protocol::text::plain;

    use super::super::index::tests::{make_all, recording};
    use super::super::lines::tests::{all_lines, segment};
    use super::super::recording::LastRun;
    use super::*;

    fn all(searcher: &mut Searcher) -> Vec<Hit> {
        let mut all = Vec::new();
        while let Some(hits) = searcher.more().expect("reads") {
            all.extend(hits);
        }
        all
    }

    fn search(ask: &Search, recording: &Arc<Recording>) -> Vec<Hit> {
        let board = "rpi4".parse().expect("a name");
        all(&mut Searcher::new(ask.clone(), vec![(board, recording.clone())]).expect("a pattern"))
    }

    fn offsets(ask: &Search, recording: &Arc<Recording>) -> Vec<u64> {
        search(ask, recording).iter().map(|hit| hit.offset).collect()
    }

    /// A pattern without what stands for other letters.
    fn letters(ask: &Search) -> String {
        let escapes = regex::Regex::new(r"\\.").expect("a pattern");
        if ask.regex {
            escapes.replace_all(&ask.pattern, "").into_owned()
        } else {
            ask.pattern.clone()
        }
    }

    /// A small idea of it: every line of every segment from the front, as it is shown.
    fn naive(ask: &Search, segments: &[Vec<u8>]) -> Vec<u64> {
        let ignored = match ask.case {
            Case::Ignored => true,
            Case::Matters => false,
            Case::Smart => !letters(ask).contains(|letter: char| letter.is_ascii_uppercase()),
        };
        let flags = if ignored { "(?i)" } else { "" };
        let pattern = if ask.regex { ask.pattern.clone() } else { regex::escape(&ask.pattern) };
        let regex = regex::Regex::new(&format!("{flags}{pattern}")).expect("a regex");
        let (mut start, mut found) = (0, Vec::new());
        for segment in segments {
            let lines = all_lines(segment).into_iter();
            let lines = lines.filter(|(_, line)| regex.is_match(&plain(line, usize::MAX)));
            found.extend(lines.map(|(at, _)| start + at));
            start += segment.len() as u64;
        }
        found.retain(|offset| is_on_side(ask, *offset));
        if ask.direction == Direction::Backward {
            found.reverse();
        }
        found.truncate(ask.limit.map_or(usize::MAX, |limit| limit as usize));
        found
    }

    fn any_ask() -> impl Strategy<Value = Search> {
        let literal = ("[abcABC ks]{1,5}", Just(false));
        const REGEXES: &[&str] = &[
            "a.*b",
            "(abc|0x1)",
            "[aA]b+c",
            "^ab",
            "abc$",
            "k",
            "s{2}",
            "a?b?",
            "abc.*é",
            "(?i)ABC",
            "1f|b a",
            r"\Sbc",
            "[^a]bc",
            "ab(ab)*c",
            "(?:abc){2}",
            r"\bab",
        ];
        let regex = (proptest::sample::select(REGEXES).prop_map(str::to_owned), Just(true));
        let case = prop_oneof![Just(Case::Smart), Just(Case::Matters), Just(Case::Ignored)];
        let direction = prop_oneof![Just(Direction::Backward), Just(Direction::Forward)];
        let from = proptest::option::of(0_u64..400_000);
        let limit = proptest::option::of(0_u64..50);
        (prop_oneof![literal, regex], case, direction, from, limit).prop_map(
            |((pattern, regex), case, direction, from, limit)| Search {
                pattern,
                regex,
                case,
                direction,
                from,
                limit,
                ..Search::default()
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// With indexes, without them, and with some: the same as reading every line.
        #[test]
        fn what_is_found_is_what_is_there(
            segments in vec(segment(), 1..5),
            asks in vec(any_ask(), 1..12),
            worth in prop_oneof![Just((1, 3)), Just((2, 9)), Just((99, 99))],
        ) {
            let folder = tempfile::tempdir().expect("a folder");
            let segments: Vec<_> =
                segments.into_iter().filter(|segment| !segment.is_empty()).collect();
            let recording = Arc::new(recording(folder.path(), &segments));
            make_all(&recording, worth);
            for ask in asks {
                prop_assert_eq!(offsets(&ask, &recording), naive(&ask, &segments), "{:?}", ask);
            }
        }
    }

    fn literal(pattern: &str) -> Search {
        Search { pattern: pattern.to_owned(), ..Search::default() }
    }

    #[test]
    fn an_index_that_is_damaged_or_gone_hides_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let segments = vec![b"one\nneedle\n".to_vec(), b"two\n".to_vec(), b"three\n".to_vec()];
        let recording = Arc::new(recording(folder.path(), &segments));
        make_all(&recording, (1, 2));
        assert_eq!(recording.shelf().covered().pop(), Some(0..15));
        let name = format!("{:020}-{:020}.trigrams", 0, 15);
        let path = folder.path().join(name);
        let whole = std::fs::read(&path).expect("reads");
        std::fs::write(&path, &whole[..whole.len() - 1]).expect("writes");
        assert_eq!(offsets(&literal("needle"), &recording), [4]);
        assert!(!path.exists() && recording.shelf().covered().is_empty(), "it is taken away");
        make_all(&recording, (1, 2));
        assert_eq!(std::fs::read(&path).expect("it was made again"), whole);
        std::fs::remove_file(&path).expect("deletes");
        assert_eq!(offsets(&literal("needle"), &recording), [4]);
    }

    #[test]
    fn letters_that_others_are_capitals_of_are_found_by_the_index_too() {
        let folder = tempfile::tempdir().expect("a folder");
        let line = "a ta\u{17f}\u{212a} hung, ÄRGER\n".as_bytes().to_vec();
        let recording = Arc::new(recording(folder.path(), &[line, b"x\n".to_vec()]));
        make_all(&recording, (1, 1));
        for pattern in ["a task hung", "hung, ärger", "task"] {
            assert_eq!(offsets(&literal(pattern), &recording), [0], "{pattern}");
        }
    }

    #[test]
    fn an_index_is_believed() {
        let folder = tempfile::tempdir().expect("a folder");
        let segments = vec![b"needle\n".to_vec(), b"x\n".to_vec()];
        let recording = Arc::new(recording(folder.path(), &segments));
        make_all(&recording, (1, 1));
        std::fs::write(folder.path().join(format!("{:020}.bytes", 0)), b"hay-hay").expect("writes");
        assert_eq!(offsets(&literal("hay"), &recording), [0_u64; 0], "or it would save no reading");
    }

    #[test]
    fn what_grows_and_what_is_pruned_meanwhile_is_no_trouble() {
        let folder = tempfile::tempdir().expect("a folder");
        let segments: Vec<_> = (0..3).map(|_| b"needle\n".to_vec()).collect();
        let recording = Arc::new(recording(folder.path(), &segments));
        let ask = Search { direction: Direction::Forward, ..literal("needle") };
        let board: BoardName = "rpi4".parse().expect("a name");
        let mut searcher =
            Searcher::new(ask.clone(), vec![(board, recording.clone())]).expect("a pattern");
        recording.append(Time(2_000), b"a needle\n").expect("appends");
        recording.prune(17, protocol::Span::hours(1), Time(2_000)).expect("prunes");
        let found: Vec<u64> = all(&mut searcher).iter().map(|hit| hit.offset).collect();
        assert_eq!(found, [14], "what there was, and is still there");
        assert_eq!(offsets(&ask, &recording), [14, 21]);
    }

    #[test]
    fn hits_of_many_boards_come_by_time_and_within_the_times() {
        let folder = tempfile::tempdir().expect("a folder");
        let boards: Vec<(BoardName, Arc<Recording>)> = ["rpi4", "rpi5"]
            .map(|name| {
                let own = folder.path().join(name);
                let recording = Recording::open(&own, LastRun::Whole, Time(1)).expect("opens");
                (name.parse().expect("a name"), Arc::new(recording))
            })
            .into();
        for hour in 0..60_u64 {
            let (_, recording) = &boards[hour as usize % 2];
            let at = Time(hour * 3_600_000);
            recording.append(at, format!("hour {hour}\n").as_bytes()).expect("appends");
        }
        let told = |ask: &Search| -> Vec<String> {
            let mut searcher = Searcher::new(ask.clone(), boards.clone()).expect("a pattern");
            all(&mut searcher).into_iter().map(|hit| hit.line).collect()
        };
        let newest = Search { limit: Some(3), ..literal("hour") };
        assert_eq!(told(&newest), ["hour 59", "hour 58", "hour 57"]);
        let oldest = Search { direction: Direction::Forward, ..newest };
        assert_eq!(told(&oldest), ["hour 0", "hour 1", "hour 2"]);
        let (since, until) = (Some(Time(30 * 3_600_000)), Some(Time(32 * 3_600_000)));
        let between = Search { since, until, ..literal("hour") };
        assert_eq!(told(&between), ["hour 32", "hour 31", "hour 30"]);
    }

    #[test]
    fn of_a_long_line_the_part_that_matches_is_told() {
        let line = format!("{}needle{}needle", "é".repeat(900), "x".repeat(5_000));
        let (told, spans) = around(&line, vec![(1_800, 1_806), (6_806, 6_812)]);
        assert_eq!(spans.len(), 1);
        assert_eq!(&told[spans[0].0..spans[0].1], "needle");
        assert!(told.len() <= LONGEST && told.starts_with('é'));
    }
}
