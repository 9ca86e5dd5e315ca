use proptest::collection::vec;
use proptest::prelude::*;
use protocol::Time;
use protocol::search::{Case, Direction};
use protocol::text::plain;

use super::super::index::tests::{make_all, recording};
use super::super::lines::tests::{all_lines, segment};
use super::super::recording::LastRun;
use super::seeker::{LONGEST, around, is_on_side};
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
    if ask.regex { escapes.replace_all(&ask.pattern, "").into_owned() } else { ask.pattern.clone() }
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
