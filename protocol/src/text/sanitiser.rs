//! What a board printed, as it may go to a terminal.

use super::is_plain;

/// Lets through what is on its list, whatever pieces the bytes come in.
#[derive(Debug, Clone, Default)]
pub struct Sanitiser {
    state: State,
    /// The sequence or the character so far.
    held: Vec<u8>,
    /// Whether not even what is harmless to a terminal passes.
    text_only: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// Within a character of several bytes; so many are still to come.
    Character(u8),
    /// After ESC.
    Escape,
    /// After ESC and an intermediate byte: one more byte ends it.
    Intermediate,
    /// Within a control sequence.
    Sequence,
    /// Within a string for the terminal (title, clipboard, …), which goes on until it or its line ends.
    ForTerminal,
    /// The same, after ESC.
    ForTerminalEscape,
}

/// A longer control sequence is not one.
const LONGEST: usize = 64;

impl Sanitiser {
    /// Lets no control sequence through, for those who read what was said and do not show it.
    pub fn text_only() -> Sanitiser {
        Sanitiser { text_only: true, ..Sanitiser::default() }
    }

    /// Whether it is between sequences and characters: printable ASCII passes as it is.
    pub fn is_at_rest(&self) -> bool {
        self.state == State::Text
    }

    /// Appends to `out` what may be shown of `bytes`.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for &byte in bytes {
            self.step(byte, out);
        }
    }

    fn step(&mut self, byte: u8, out: &mut Vec<u8>) {
        match self.state {
            State::Text => self.text(byte, out),
            State::Character(left) => self.character(byte, left, out),
            State::Escape => self.escape(byte, out),
            State::Intermediate if (0x20..0x30).contains(&byte) => {}
            State::Intermediate => self.state = self.noise(byte, out),
            State::Sequence => self.sequence(byte, out),
            State::ForTerminal => match byte {
                0x07 | 0x18 | 0x1a => self.state = State::Text,
                0x1b => self.state = State::ForTerminalEscape,
                // Noise may begin what nothing ends; it is not to swallow more than its own line.
                b'\n' => {
                    self.state = State::Text;
                    out.push(byte);
                }
                _ => {}
            },
            State::ForTerminalEscape => {
                self.state = State::Text;
                if byte != b'\\' {
                    self.state = State::Escape;
                    self.escape(byte, out);
                }
            }
        }
    }

    fn text(&mut self, byte: u8, out: &mut Vec<u8>) {
        match byte {
            0x1b => self.state = State::Escape,
            b'\n' | b'\r' | b'\t' | 0x08 | 0x20..=0x7e => out.push(byte),
            0xc2..=0xf4 => {
                self.held.clear();
                self.held.push(byte);
                self.state = State::Character(match byte {
                    0xc2..=0xdf => 1,
                    0xe0..=0xef => 2,
                    _ => 3,
                });
            }
            0x80.. => out.extend_from_slice("\u{fffd}".as_bytes()),
            _ => {}
        }
    }

    fn character(&mut self, byte: u8, left: u8, out: &mut Vec<u8>) {
        if !(0x80..0xc0).contains(&byte) {
            out.extend_from_slice("\u{fffd}".as_bytes());
            self.state = State::Text;
            return self.text(byte, out);
        }
        self.held.push(byte);
        if left > 1 {
            self.state = State::Character(left - 1);
            return;
        }
        self.state = State::Text;
        // 0x80 to 0x9f are control characters in this dress too.
        match std::str::from_utf8(&self.held) {
            Ok(text) if text.chars().all(is_plain) => out.extend_from_slice(&self.held),
            _ => out.extend_from_slice("\u{fffd}".as_bytes()),
        }
    }

    fn escape(&mut self, byte: u8, out: &mut Vec<u8>) {
        self.state = match byte {
            b'[' => {
                self.held.clear();
                State::Sequence
            }
            b']' | b'P' | b'X' | b'^' | b'_' | b'k' => State::ForTerminal,
            0x1b => State::Escape,
            0x20..0x30 => State::Intermediate,
            _ => self.noise(byte, out),
        };
    }

    fn sequence(&mut self, byte: u8, out: &mut Vec<u8>) {
        match byte {
            0x1b => self.state = State::Escape,
            0x20..=0x3f if self.held.len() < LONGEST => self.held.push(byte),
            0x40..=0x7e => {
                self.state = State::Text;
                if !self.text_only && is_harmless(&self.held, byte) {
                    out.extend_from_slice(b"\x1b[");
                    out.extend_from_slice(&self.held);
                    out.push(byte);
                }
            }
            _ => self.state = self.noise(byte, out),
        }
    }

    /// A byte that ends a sequence which is none. A line's end is one all the same.
    fn noise(&self, byte: u8, out: &mut Vec<u8>) -> State {
        if matches!(byte, b'\r' | b'\n') {
            out.push(byte);
        }
        State::Text
    }
}

/// Whether a control sequence only colours, moves the cursor, or erases, inserts and deletes on the screen.
fn is_harmless(parameters: &[u8], last: u8) -> bool {
    let numbers_only = parameters.iter().all(|byte| matches!(byte, b'0'..=b';'));
    match last {
        // With a 3 it would erase the lines above the screen, which are the reader's.
        b'J' => matches!(parameters, b"" | b"0" | b"1" | b"2"),
        b'm' | b'A'..=b'H' | b'f' | b'K' | b'L' | b'M' | b'P' | b'X' | b'@' | b'd' => numbers_only,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        Sanitiser::default().feed(bytes, &mut out);
        out
    }

    #[test]
    fn what_a_session_needs_passes() {
        for text in
            ["plain\r\n", "\x1b[1;31mred\x1b[0m", "\x1b[2K\x1b[10;5Hx", "a\tb\x08", "grüße 漢字"]
        {
            assert_eq!(shown(text.as_bytes()), text.as_bytes(), "{text:?}");
        }
    }

    #[test]
    fn what_does_something_to_a_terminal_does_not() {
        for bytes in [
            &b"\x1b]0;title\x07"[..],
            b"\x1b]52;c;aGk=\x1b\\",
            b"\x1bP$qm\x1b\\",
            b"\x1b_apc\x1b\\",
            b"\x1b^pm\x1b\\",
            b"\x1b[c",
            b"\x1b[6n",
            b"\x1b[?1049h",
            b"\x1b[?2004h",
            b"\x1b[>4;2m",
            b"\x1b[5i",
            b"\x1b[3J",
            b"\x1b[2;3J",
            b"\x1bc",
            b"\x1b#8",
            b"\x1b(0",
            b"\x05\x07\x0e\x0f\x00\x7f",
            b"\x1b[0;0;\"p",
        ] {
            assert_eq!(shown(bytes), b"", "{bytes:?}");
        }
        assert_eq!(shown("a\u{9b}6nb\u{202e}c".as_bytes()), "a\u{fffd}6nb\u{fffd}c".as_bytes());
        assert_eq!(shown(b"\x9b6n"), "\u{fffd}6n".as_bytes());
    }

    #[test]
    fn what_is_never_ended_swallows_its_own_line_only() {
        assert_eq!(shown(b"a\x1b]0;noise\r\nKernel panic"), b"a\nKernel panic");
        assert_eq!(shown(b"a\x1bPnoise\x1b\nb\n"), b"a\nb\n");
    }

    #[test]
    fn text_alone_has_no_colours() {
        let mut out = Vec::new();
        let mut sanitiser = Sanitiser::text_only();
        sanitiser.feed(b"\x1b[1;31mred\x1b[0m\x1b[2K\tx\r\n\x1b", &mut out);
        assert_eq!(out, b"red\tx\r\n");
        assert!(!sanitiser.is_at_rest());
    }

    #[test]
    fn pieces_make_no_difference() {
        let bytes = "ok\x1b[1;31mred\x1b]0;t\x1b\\x漢\x1b[6n\r\ny".as_bytes();
        let mut out = Vec::new();
        let mut sanitiser = Sanitiser::default();
        for byte in bytes {
            sanitiser.feed(&[*byte], &mut out);
        }
        assert_eq!(out, shown(bytes));
    }
}
