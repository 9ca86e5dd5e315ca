//! Planted, and caught: no scroll region, no saved cursor, a cursor behind the last cell is in it, the
//! screen beneath the alternate one is lost, wide letters count once.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// All of a screen that can be seen, or that makes a difference later.
#[derive(Debug, PartialEq)]
struct Seen {
    mode: TermMode,
    rows: Vec<String>,
    cells: Vec<(Look, Vec<char>)>,
    cursor: (usize, usize, bool, Look),
    saved: (usize, usize, bool, Look),
}

fn seen(terminal: &Terminal) -> Seen {
    let (term, grid) = (terminal.term(), terminal.term().grid());
    let all = |line: usize| (0..grid.columns()).map(move |column| (line, column));
    let cursor = |cursor: &Cursor<Cell>| {
        let (line, column) = at(cursor);
        (line, column, cursor.input_needs_wrap, Look::of(&cursor.template))
    };
    let cell = |(line, column)| {
        let cell: &Cell = &grid[Line(line as i32)][Column(column)];
        (Look::of(cell), cell.zerowidth().unwrap_or_default().to_vec())
    };
    let lines = 0..grid.screen_lines();
    let row = |line| all(line).map(|(line, column)| letter(grid, line, column)).collect();
    Seen {
        mode: *term.mode(),
        rows: lines.clone().map(row).collect(),
        cells: lines.flat_map(all).map(cell).collect(),
        cursor: cursor(&grid.cursor),
        saved: cursor(&grid.saved_cursor),
    }
}

const SIZE: (u16, u16) = (12, 6);

/// What a board may print that a screen has to do with.
fn piece(has_wide: bool) -> impl Strategy<Value = Vec<u8>> {
    let number = 0_u16..15;
    let sequence = (vec(number.clone(), 0..3), select(b"ABCDEFGHdfmmmmmrrrSTLMsuI".to_vec()));
    let sequence = sequence.prop_map(|(numbers, last)| {
        let numbers: Vec<_> = numbers.iter().map(u16::to_string).collect();
        format!("\x1b[{}{}", numbers.join(";"), char::from(last)).into_bytes()
    });
    let look = (0_u16..110, 0_u16..256);
    let look = look.prop_map(|(one, other)| format!("\x1b[{one};38;5;{other};4:3m").into_bytes());
    // Half a wide letter is more than can be painted.
    let halving = (number, select(b"PX@KJ".to_vec()));
    let halving =
        halving.prop_map(|(count, last)| format!("\x1b[{count}{}", char::from(last)).into_bytes());
    let wide = select(vec!["漢", "字x", "e\u{301}", "👍", "한\u{200d}"]);
    let wide = wide.prop_map(|text| text.as_bytes().to_vec());
    let other = if has_wide { wide.boxed() } else { halving.boxed() };
    let modes = select(vec![1, 6, 7, 25, 1000, 1002, 1004, 1006, 1049, 1049, 2004, 2026, 3]);
    let modes = (modes, select(vec!['h', 'l']))
        .prop_map(|(mode, way)| format!("\x1b[?{mode}{way}").into_bytes());
    let odd = select(vec![
        "\x1b7",
        "\x1b8",
        "\x1bM",
        "\x1bD",
        "\x1bE",
        "\x1b(0",
        "\x1b(B",
        "\x1b)0",
        "\x0e",
        "\x0f",
        "\x1b=",
        "\x1b>",
        "\x1b#8",
        "\x1bc",
        "\x1b[20h",
        "\x1b[20l",
        "\x1b]0;title\x07",
        "\x1b]8;;x\x1b\\",
        "\x1bP1$q\x1b\\",
        "\x1b_apc\x1b\\",
        "\x1b[",
        "\x1b",
        "\x18",
        "\x1b]52;",
        "\u{9b}3J",
        "\x07",
        "\t",
    ]);
    let inserting = select(if has_wide { vec!["\x1b[4l"] } else { vec!["\x1b[4h", "\x1b[4l"] });
    prop_oneof![
        6 => "[ -~]{1,16}".prop_map(String::into_bytes),
        4 => select(vec!["\r\n", "\n", "\r", "\x08"]).prop_map(|text| text.as_bytes().to_vec()),
        4 => sequence,
        2 => look,
        3 => other,
        2 => modes,
        2 => odd.prop_map(|text| text.as_bytes().to_vec()),
        1 => inserting.prop_map(|text| text.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 1..6),
    ]
}

fn printed() -> impl Strategy<Value = Vec<u8>> {
    any::<bool>().prop_flat_map(|has_wide| vec(piece(has_wide), 0..60)).prop_map(|all| all.concat())
}

/// A painter that was told it in such pieces.
fn told(bytes: &[u8], piece: usize) -> Painter {
    let mut painter = Painter::new(SIZE);
    bytes.chunks(piece).for_each(|piece| painter.print(piece));
    painter
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// Painted, and then told what followed, a new terminal shows what the old one shows.
    #[test]
    fn what_is_painted_goes_on_as_what_was_printed(bytes in printed(), cut: prop::sample::Index) {
        let cut = cut.index(bytes.len() + 1);
        let mut whole = told(&bytes[..cut], 1_000);
        let from = cut - whole.terminal().held();
        prop_assume!(!is_astray(&whole));
        let paint = whole.paint();
        let mut painted = Painter::new(SIZE);
        // Whatever was there before.
        painted.print(b"\x1b[31;44m\x1b#8\x1b[2;3r\x1b[?6h\x0e\x1b[4h\x1b(0");
        painted.print(&paint);
        prop_assert_eq!(painted.terminal().held(), 0);
        prop_assert_eq!(difference(painted.terminal(), whole.terminal()), None, "at {}", from);
        whole.print(&bytes[cut..]);
        painted.print(&bytes[from..]);
        prop_assert_eq!(difference(painted.terminal(), whole.terminal()), None, "after {}", from);
    }

    /// The pieces in which it comes make no difference.
    #[test]
    fn a_screen_is_of_what_was_printed_and_not_of_its_pieces(bytes in printed(), piece in 1_usize..9) {
        let (one, other) = (told(&bytes, piece), told(&bytes, usize::MAX));
        prop_assert_eq!(one.terminal().held(), other.terminal().held());
        prop_assert_eq!(difference(one.terminal(), other.terminal()), None);
    }
}

/// Where two screens differ, shortly.
fn difference(one: &Terminal, other: &Terminal) -> Option<String> {
    let (one, other) = (seen(one), seen(other));
    if one == other {
        return None;
    }
    let cells = one.cells.iter().zip(&other.cells).filter(|(one, other)| one != other);
    let cells: Vec<_> = cells.take(2).collect();
    let beside = |seen: &Seen| {
        format!("{:#?} {:?} {:?} {:?}", seen.rows, seen.cursor, seen.saved, seen.mode)
    };
    Some(format!("{}\n{}\n{cells:?}", beside(&one), beside(&other)))
}

/// Lines are counted from the first that scrolls, and yet the cursor is above it or below the last: there
/// it comes only by what was saved before.
fn is_astray(painter: &Painter) -> bool {
    let (term, (top, bottom)) = (painter.terminal().term(), painter.unsaid.region);
    let line = at(&term.grid().cursor).0;
    term.mode().contains(TermMode::ORIGIN) && !(top.saturating_sub(1)..bottom).contains(&line)
}

fn rows(painter: &Painter) -> Vec<String> {
    seen(painter.terminal()).rows.iter().map(|row| row.trim_end().to_owned()).collect()
}

#[test]
fn lines_that_were_too_long_are_whole_where_there_is_room() {
    let mut small = told(b"$ cat a\r\nabcdefghijklmnopq\r\n$ ", 100);
    assert_eq!(rows(&small)[1..3], ["abcdefghijkl", "mnopq"]);
    let mut large = Painter::new((30, 10));
    large.print(&small.paint());
    large.print(b"ls");
    assert_eq!(rows(&large)[..4], ["$ cat a", "abcdefghijklmnopq", "$ ls", ""]);
}

#[test]
fn a_string_that_nothing_ends_is_waited_out() {
    let mut painter = Painter::new(SIZE);
    painter.print(b"\x1b]0;");
    painter.print(&b"x".repeat(super::super::LONGEST_STRING - 5));
    assert_eq!(painter.terminal().held(), super::super::LONGEST_STRING - 1);
    painter.print(b"xkernel");
    assert_eq!(rows(&painter)[0], "kernel");
    assert!(painter.paint().len() < 100);
}

#[test]
fn marks_without_end_are_not_painted_without_end() {
    let mut painter = told("e\u{301}".as_bytes(), 100);
    (0..1_000).for_each(|_| painter.print("\u{301}".as_bytes()));
    assert!(painter.paint().len() < 100);
}
