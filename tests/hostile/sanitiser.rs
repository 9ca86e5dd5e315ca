//! The one piece of code that all use.

use lab_tests::hostile::{Screen, Sequence, corpus};
use protocol::text::{Sanitiser, is_plain, json, page, plain};

fn shown(pieces: &[&[u8]]) -> Vec<u8> {
    let (mut sanitiser, mut safe) = (Sanitiser::default(), Vec::new());
    pieces.iter().for_each(|piece| sanitiser.feed(piece, &mut safe));
    safe
}

#[test]
fn there_are_hundreds_of_sequences_and_each_has_a_name_of_its_own() {
    let mut names: Vec<_> = corpus().iter().map(|sequence| sequence.name).collect();
    assert!(names.len() >= 300, "{}", names.len());
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}

/// Else the stories here would show nothing.
#[test]
fn a_terminal_that_is_given_them_as_they_are_obeys_many() {
    let obeyed = corpus().into_iter().filter(|Sequence { bytes, .. }| {
        let mut screen = Screen::default();
        let before = screen.modes();
        screen.show(bytes);
        screen.modes() != before || !screen.said().is_empty()
    });
    let obeyed = obeyed.count();
    assert!(obeyed > 70, "{obeyed}");
}

#[test]
fn no_sequence_does_anything_to_a_terminal() {
    for Sequence { name, bytes } in corpus() {
        let mut screen = Screen::default();
        let before = screen.modes();
        screen.show(&shown(&[&bytes]));
        assert_eq!(screen.modes(), before, "{name}");
        assert_eq!(format!("{:?}", screen.said()), "[]", "{name}");
    }
}

#[test]
fn wherever_a_sequence_is_cut_it_comes_to_the_same() {
    for Sequence { name, bytes } in corpus() {
        let whole = shown(&[&bytes]);
        let each: Vec<&[u8]> = bytes.chunks(1).collect();
        assert!(shown(&each) == whole, "{name}, byte by byte");
        for at in 0..bytes.len().min(500) {
            assert!(shown(&[&bytes[..at], &bytes[at..]]) == whole, "{name}, cut at {at}");
        }
    }
}

#[test]
fn no_sequence_hides_the_next_line() {
    for Sequence { name, bytes } in corpus() {
        let safe = shown(&[&bytes, b"\nnext"]);
        assert!(safe.ends_with(b"\nnext"), "{name}: {:?}", safe.escape_ascii().to_string());
    }
}

#[test]
fn a_line_a_page_and_json_of_it_are_plain() {
    let is_page = |c: char| is_plain(c) || c == '\n' || c == '\t';
    for Sequence { name, bytes } in corpus() {
        let text = String::from_utf8_lossy(&bytes);
        assert!(plain(&bytes, 1_000).chars().all(is_plain), "{name}");
        let paged = page(&text);
        for part in paged.split('\x1b').skip(1) {
            let colours = part.trim_start_matches(['[', ';', ':']);
            let last = colours.trim_start_matches(|c: char| c.is_ascii_digit() || ";:".contains(c));
            assert!(part.starts_with('[') && last.starts_with('m'), "{name}: {paged:?}");
        }
        assert!(paged.replace('\x1b', "").chars().all(is_page), "{name}: {paged:?}");
        let written = serde_json::to_string(&text).unwrap();
        assert!(json(&written).chars().all(is_plain), "{name}");
        assert_eq!(serde_json::from_str::<String>(&json(&written)).unwrap(), text, "{name}");
    }
}
