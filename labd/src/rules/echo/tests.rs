//! The rule against a board that knows whether it echoes.
//!
//! Planted, and caught: an echo that may begin anywhere; a line whose end need not be echoed; the prompt
//! looked for by the first line too; a completion that reaches into the next line; a line that needs no
//! echo because the one before had its.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

const AT_REST: Screen<'_> = Screen { prompt: b"# ", is_behind: false };

/// A board at a prompt: it reads keys, and answers each line that is entered.
#[derive(Default)]
struct Board {
    said: Vec<u8>,
    column: usize,
}

impl Board {
    /// Somebody types a line, and the board answers it.
    fn line(&mut self, keys: &str, echoes: bool, answer: &str) {
        for key in keys.bytes() {
            match key {
                _ if !echoes => {}
                0x7f if self.column == 0 => self.said.push(0x07),
                0x7f => {
                    self.column -= 1;
                    self.said.extend(b"\x08 \x08");
                }
                letter => {
                    // As wide as two letters, and readline.
                    if self.column > 0 && self.column.is_multiple_of(2) {
                        self.said.extend(b" \r");
                    }
                    self.column += 1;
                    self.said.push(letter);
                }
            }
        }
        self.column = 0;
        self.said.extend(b"\r\n");
        self.said.extend(answer.bytes());
    }

    fn plain(&self) -> Vec<u8> {
        plain(&self.said)
    }
}

fn plain(bytes: &[u8]) -> Vec<u8> {
    let mut filter = Plain::default();
    bytes.iter().copied().filter(|byte| filter.lets(*byte)).collect()
}

fn text(of: &'static [&'static str], most: usize) -> impl Strategy<Value = String> {
    vec(select(of), 0..most).prop_map(|parts| parts.concat())
}

fn any_keys() -> impl Strategy<Value = String> {
    text(&["a", "b", "c", "\x7f"], 6)
}

/// Anything, and often what was typed.
fn any_answer() -> impl Strategy<Value = String> {
    text(&["a", "b", "c", " ", "\r", "\r\n", "\x08", "# ", "\x1b[K", "\x07", "*"], 24)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever a board says behind the line end, what it did not echo is not written down.
    #[test]
    fn what_is_not_echoed_stays_hidden(keys in any_keys(), answer in any_answer()) {
        let mut board = Board::default();
        board.line(&keys, false, &format!("{answer}{keys}\r\n# {keys}\r\n{answer}"));
        let echo = echo_of(format!("{keys}\r").as_bytes(), &board.plain(), AT_REST);
        prop_assert_eq!(echo.is_some(), !keys.contains(|key| key != '\x7f'));
    }

    /// Whatever it says behind an echo, the echo is found, and is all that is taken for it.
    #[test]
    fn what_is_echoed_is_found(keys in any_keys(), answer in any_answer()) {
        let (mut board, mut bare) = (Board::default(), Board::default());
        bare.line(&keys, true, "");
        board.line(&keys, true, &format!("x{answer}"));
        let echo = echo_of(format!("{keys}\r").as_bytes(), &board.plain(), AT_REST);
        let hides = keys.contains(|key| key != '\x7f');
        prop_assert_eq!(echo, Some(if hides { bare.plain().len() } else { 0 }));
    }

    /// A line of letters is echoed by that line, and by no other.
    #[test]
    fn every_letter_counts(keys in text(&["a", "b"], 5), echo in text(&["a", "b", "*"], 5)) {
        let found = echo_of(format!("{keys}\r").as_bytes(), format!("{echo}\r\n").as_bytes(), AT_REST);
        prop_assert_eq!(found.is_some(), keys == echo || keys.is_empty());
    }

    /// Of several lines at once, one that is not echoed hides them all.
    #[test]
    fn lines_that_are_typed_ahead_are_found_behind_the_prompt(
        lines in vec((any_keys(), prop::bool::weighted(0.9), text(&["x\r\n", "\r\n"], 4)), 1..5),
    ) {
        let (mut board, mut typed, mut hides) = (Board::default(), String::new(), false);
        for (keys, echoes, answer) in &lines {
            board.line(keys, *echoes, &format!("{answer}# "));
            typed += &format!("{keys}\r");
            hides |= !echoes && keys.contains(|key| key != '\x7f');
        }
        let found = echo_of(typed.as_bytes(), &board.plain(), AT_REST);
        let needs_none = !typed.contains(|key| !matches!(key, '\x7f' | '\r'));
        prop_assert_eq!(found.is_some(), needs_none || !hides, "{:?}", board.said.escape_ascii().to_string());
    }
}

#[track_caller]
fn check(typed: &str, printed: &str, is_echoed: bool) {
    let found = echo_of(typed.as_bytes(), &plain(printed.as_bytes()), AT_REST);
    assert_eq!(found.is_some(), is_echoed, "{typed:?} {printed:?}");
}

#[test]
fn a_command_is_echoed() {
    check("uname -a\r", "uname -a\r\nLinux", true);
    check("uname -a\r", "uname -a\n", true);
    check("uname -a\r", "uname -a\r", true);
    check("\r", "", true);
    // Bash, with bracketed paste; busybox, which clears; an editor without a cursor.
    check("id\r", "\x1b[?2004hid\r\n\x1b[?2004l\rroot", true);
    check("lx\x7fs\r", "lx\x08\x1b[Js\r\n", true);
    check("lx\x7fs\r", "lx\x08 \x08s\r\n", true);
    check("cd /et\tinit\r", "cd /etc/init\r\n", true);
    check("ls\x1b[D\x1b[C\r", "l\x07s\x08s\r\n", true);
    check("a\rb\r", "a\r\nb\r\n# ", true);
    // Not all of it yet.
    check("id\r", "id", false);
    check("id", "id", true);
    check("id", "idle", false);
}

#[test]
fn a_password_is_not() {
    check("hunter2\r", "\r\nLogin incorrect\r\n", false);
    check("hunter2\r", "\r\nthe hunter2 is out\r\n", false);
    check("hunter2\r", "\r\nhunter2\r\n", false);
    check("Login\r", "Login incorrect\r\n", false);
    check("secret\r", "******\r\n", false);
    check("\tsecret\r", "\r\n# secret\r\n", false);
    check("root\rsecret\r", "root\r\nPassword: \r\nno secret\r\n", false);
}
