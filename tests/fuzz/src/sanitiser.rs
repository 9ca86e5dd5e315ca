use lab_tests::hostile::Screen;
use protocol::text::{Sanitiser, is_plain, plain};

/// What ends the sequences that are let through.
const HARMLESS: &[u8] = b"mABCDEFGHfJKLMPX@d";

/// The first byte says where the rest is cut in two.
pub(crate) fn target(data: &[u8]) {
    let [cut, bytes @ ..] = data else { return };
    let safe = shown(&[bytes]);
    let (one, other) = bytes.split_at(usize::from(*cut).min(bytes.len()));
    assert_eq!(shown(&[one, other]), safe, "the pieces make a difference");
    assert_eq!(shown(&[&safe]), safe, "what is safe is changed");
    assert_listed(&safe);
    assert_unmoved(&safe);
    let line = plain(bytes, usize::from(*cut));
    assert!(line.chars().all(is_plain), "{line:?}");
    assert!(line.chars().count() <= usize::from(*cut));
}

fn shown(pieces: &[&[u8]]) -> Vec<u8> {
    let (mut sanitiser, mut safe) = (Sanitiser::default(), Vec::new());
    pieces.iter().for_each(|piece| sanitiser.feed(piece, &mut safe));
    safe
}

/// Nothing but plain text, line ends, tabs, backspaces, and sequences on the list.
fn assert_listed(safe: &[u8]) {
    let mut rest = std::str::from_utf8(safe).expect("whole characters");
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '\x1b' => sequence(rest.as_bytes()).unwrap_or_else(|| panic!("{rest:?}")),
            '\n' | '\r' | '\t' | '\x08' => 1,
            c => {
                assert!(is_plain(c), "{c:?}");
                c.len_utf8()
            }
        };
        rest = &rest[length..];
    }
}

/// The length of a sequence on the list.
fn sequence(bytes: &[u8]) -> Option<usize> {
    let parameters = bytes.strip_prefix(b"\x1b[")?;
    let length = parameters.iter().position(|byte| !matches!(byte, b'0'..=b';'))?;
    let (numbers, last) = (&parameters[..length], parameters[length]);
    let is_harmless = HARMLESS.contains(&last) && (last != b'J' || !numbers.contains(&b'3'));
    is_harmless.then_some(length + 3)
}

/// A terminal's modes are as before, and it has nothing to say.
fn assert_unmoved(safe: &[u8]) {
    let mut screen = Screen::default();
    let before = screen.modes();
    screen.show(safe);
    assert_eq!(screen.modes(), before);
    let said = screen.said();
    assert!(said.is_empty(), "{said:?}");
}
