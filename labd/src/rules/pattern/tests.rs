use proptest::collection::vec;
use proptest::prelude::*;
use regex::bytes::{Regex, RegexBuilder};

use super::*;

const PATTERNS: [&str; 9] =
    ["ab", "a.*b", "^b", "(?i)B+c", "login: ", r"\bc\b", "a$", "[^a]{3}", "é"];

/// Every match in pieces, as (pattern, bytes up to its end).
fn found<'a>(
    patterns: &Patterns,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<(usize, usize)> {
    let (mut scan, mut found, mut before) = (Scan::default(), Vec::new(), 0);
    for piece in pieces {
        scan.see(patterns, piece, |Match { pattern, end }, _| found.push((pattern, before + end)));
        before += piece.len();
    }
    found.sort_unstable();
    found
}

/// A smaller idea of it: each pattern is asked of the line, after each byte.
fn model(patterns: &[&str], bytes: &[u8]) -> Vec<(usize, usize)> {
    let regex = |pattern: &&str| RegexBuilder::new(pattern).unicode(false).build();
    let regexes: Vec<Regex> =
        patterns.iter().map(|pattern| regex(pattern).expect("a pattern")).collect();
    let (mut line, mut told) = (Vec::new(), vec![false; regexes.len()]);
    let mut found = Vec::new();
    let mut sanitiser = Sanitiser::text_only();
    for (index, byte) in bytes.iter().enumerate() {
        let mut text = Vec::new();
        sanitiser.feed(&[*byte], &mut text);
        for byte in text {
            if matches!(byte, b'\r' | b'\n') || (line.len() == LONGEST && byte != 8) {
                line.clear();
                told.fill(false);
            }
            if matches!(byte, b'\r' | b'\n' | 8) {
                continue;
            }
            line.push(byte);
            for (pattern, regex) in regexes.iter().enumerate() {
                if !told[pattern] && regex.is_match(&line) {
                    told[pattern] = true;
                    found.push((pattern, index + 1));
                }
            }
        }
    }
    found.sort_unstable();
    found
}

/// What boards print, as far as these patterns see: little that is not in one of them.
fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => "[abcB ]".prop_map(String::into_bytes),
        1 => Just(b"login: ".to_vec()),
        1 => Just("é".as_bytes().to_vec()),
        1 => Just(b"\r\n".to_vec()),
        1 => Just(b"\x1b[1;31m".to_vec()),
        1 => Just(b"\x1b]0;title\x07".to_vec()),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    vec(piece, 0..200).prop_map(|pieces| pieces.concat())
}

/// Bytes, cut somewhere.
fn any_pieces() -> impl Strategy<Value = Vec<Vec<u8>>> {
    (any_bytes(), vec(1..20_usize, 0..60)).prop_map(|(mut bytes, lengths)| {
        let mut pieces = Vec::new();
        for length in lengths {
            let rest = bytes.split_off(length.min(bytes.len()));
            pieces.push(std::mem::replace(&mut bytes, rest));
        }
        pieces.push(bytes);
        pieces
    })
}

proptest! {
    /// The same is found in whatever pieces, and it is what each pattern alone finds.
    #[test]
    fn pieces_make_no_difference(pieces in any_pieces()) {
        let patterns = Patterns::new(&PATTERNS).expect("patterns");
        let of_all = model(&PATTERNS, &pieces.concat());
        prop_assert_eq!(found(&patterns, pieces.iter().map(Vec::as_slice)), of_all);
    }

    /// Two consoles have the automaton in turn, and its states have to be made anew all the time.
    #[test]
    fn states_made_anew_make_no_difference(one in any_pieces(), other in any_pieces()) {
        let patterns = Patterns::within(&PATTERNS, 1).expect("patterns");
        let mut scans = [Scan::default(), Scan::default()];
        let mut seen = [(Vec::new(), 0), (Vec::new(), 0)];
        for index in 0..one.len().max(other.len()) {
            for (console, pieces) in [&one, &other].into_iter().enumerate() {
                let Some(piece) = pieces.get(index) else { continue };
                let (matches, before) = &mut seen[console];
                scans[console].see(&patterns, piece, |Match { pattern, end }, _| {
                    matches.push((pattern, *before + end));
                });
                *before += piece.len();
            }
        }
        for ((mut matches, _), pieces) in seen.into_iter().zip([one, other]) {
            matches.sort_unstable();
            prop_assert_eq!(matches, model(&PATTERNS, &pieces.concat()));
        }
    }
}

#[test]
fn a_prompt_is_told_at_its_last_byte() {
    let patterns = Patterns::new(&["=> $", "autoboot"]).expect("patterns");
    let text = b"\x1b[0mHit any key to stop autoboot:  2 \x08\x08 1 \r\n=> ";
    assert_eq!(found(&patterns, [&text[..]]), [(0, text.len()), (1, 32)]);
}

#[test]
fn a_line_without_end_is_cut() {
    let patterns = Patterns::new(&["^x", "xy"]).expect("patterns");
    let text = [vec![b'x'; 2 * LONGEST], b"y".to_vec()].concat();
    assert_eq!(
        found(&patterns, [&text[..]]),
        [(0, 1), (0, LONGEST + 1), (0, 2 * LONGEST + 1)][..2]
    );
}

#[test]
fn what_cannot_be_looked_for_is_said() {
    for (pattern, why) in [
        ("(a", "unclosed group"),
        ("a|b*", "it would match every line"),
        ("((a{1,99}){1,99}){1,99}", "it is too large"),
        ("[é]", "Unicode not allowed here"),
    ] {
        assert_eq!(check(pattern), Err(why.to_owned()), "{pattern}");
    }
    assert_eq!(check(r"U-Boot [0-9]{4}\.[0-9]+"), Ok(()));
}
