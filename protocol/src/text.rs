//! What a board printed, made safe for a terminal, a log line or an error.
//!
//! Console bytes are hostile: they may set a terminal's title or clipboard, ask it questions whose
//! answers arrive as typed input, or spoil its modes. [`Sanitiser`] lets through what a console
//! session needs (text, line ends, colours, cursor movement, erasing) and nothing else. Every place
//! that shows such bytes uses it, or [`plain`], which leaves only the text.

/// Lets through what is on its list, whatever pieces the bytes come in.
#[derive(Debug, Clone, Default)]
pub struct Sanitiser {
    state: State,
    /// The sequence or the character so far.
    held: Vec<u8>,
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
    /// Within a string for the terminal (title, clipboard, …), which goes on until it is ended.
    ForTerminal,
    /// The same, after ESC.
    ForTerminalEscape,
}

/// A longer control sequence is not one.
const LONGEST: usize = 64;

impl Sanitiser {
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
            State::Escape => self.escape(byte),
            State::Intermediate => {
                self.state = if (0x20..0x30).contains(&byte) { self.state } else { State::Text }
            }
            State::Sequence => self.sequence(byte, out),
            State::ForTerminal => match byte {
                0x07 | 0x18 | 0x1a => self.state = State::Text,
                0x1b => self.state = State::ForTerminalEscape,
                _ => {}
            },
            State::ForTerminalEscape => {
                self.state = State::Text;
                if byte != b'\\' {
                    self.state = State::Escape;
                    self.escape(byte);
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

    fn escape(&mut self, byte: u8) {
        self.state = match byte {
            b'[' => {
                self.held.clear();
                State::Sequence
            }
            b']' | b'P' | b'X' | b'^' | b'_' | b'k' => State::ForTerminal,
            0x1b => State::Escape,
            0x20..0x30 => State::Intermediate,
            _ => State::Text,
        };
    }

    fn sequence(&mut self, byte: u8, out: &mut Vec<u8>) {
        match byte {
            0x1b => self.state = State::Escape,
            0x20..=0x3f if self.held.len() < LONGEST => self.held.push(byte),
            0x40..=0x7e => {
                self.state = State::Text;
                if is_harmless(&self.held, byte) {
                    out.extend_from_slice(b"\x1b[");
                    out.extend_from_slice(&self.held);
                    out.push(byte);
                }
            }
            // A line end within a sequence is one all the same: the sequence was noise.
            b'\r' | b'\n' => {
                self.state = State::Text;
                out.push(byte);
            }
            _ => self.state = State::Text,
        }
    }
}

/// Whether a control sequence only colours, moves the cursor, or erases, inserts and deletes.
fn is_harmless(parameters: &[u8], last: u8) -> bool {
    let numbers_only = parameters.iter().all(|byte| matches!(byte, b'0'..=b';'));
    numbers_only
        && matches!(
            last,
            b'm' | b'A'..=b'H' | b'f' | b'J' | b'K' | b'L' | b'M' | b'P' | b'X' | b'@' | b'd'
        )
}

/// Whether a terminal may be given this character. Control characters are not, nor what changes the
/// direction of text, nor what is there and cannot be seen.
pub fn is_plain(c: char) -> bool {
    !c.is_control()
        && !matches!(c,
            '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// The text alone, on one line of at most `most` characters: for tables, logs and errors. A carriage
/// return overwrites the line from its start, as it does on a terminal.
pub fn plain(bytes: &[u8], most: usize) -> String {
    let mut safe = Vec::with_capacity(bytes.len());
    Sanitiser::default().feed(bytes, &mut safe);
    let text = String::from_utf8_lossy(&safe);
    let mut line: Vec<char> = Vec::new();
    let mut at = 0_usize;
    let mut letters = text.trim_end_matches(['\r', '\n']).chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\u{1b}' => skip_sequence(&mut letters),
            '\r' => at = 0,
            '\u{8}' => at = at.saturating_sub(1),
            letter => {
                let letter = if letter.is_control() { ' ' } else { letter };
                if at < line.len() {
                    line[at] = letter;
                } else {
                    line.push(letter);
                }
                at += 1;
            }
        }
    }
    line.truncate(most);
    line.into_iter().collect::<String>().trim_end().to_owned()
}

/// What the sanitiser let through of a control sequence is `ESC [ … letter`.
fn skip_sequence(letters: &mut std::str::Chars<'_>) {
    letters.next();
    for letter in letters.by_ref() {
        if letter.is_ascii_alphabetic() || letter == '@' {
            return;
        }
    }
}

/// What a line says: a Linux kernel's lines without the time in front, `[    1.234567] `, which
/// leaves little room in a column and means nothing beside other boards'.
pub fn saying(line: &str) -> &str {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let message = || {
        let (time, rest) = line.strip_prefix('[')?.split_once(']')?;
        let (seconds, micros) = time.trim_start().split_once('.')?;
        let message = rest.trim_start();
        (digits(seconds) && digits(micros) && !message.is_empty()).then_some(message)
    };
    message().unwrap_or(line)
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
    fn pieces_make_no_difference() {
        let bytes = "ok\x1b[1;31mred\x1b]0;t\x1b\\x漢\x1b[6n\r\ny".as_bytes();
        let mut out = Vec::new();
        let mut sanitiser = Sanitiser::default();
        for byte in bytes {
            sanitiser.feed(&[*byte], &mut out);
        }
        assert_eq!(out, shown(bytes));
    }

    #[test]
    fn the_time_before_a_kernels_line_goes_and_nothing_else() {
        assert_eq!(
            saying("[    1.234567] Kernel panic - not syncing"),
            "Kernel panic - not syncing"
        );
        assert_eq!(saying("[12345.6] x"), "x");
        for line in
            ["[  OK  ] Started", "[    1.234567]", "[1.2.3] x", "[.5] x", "", "[1.5 x", "login:"]
        {
            assert_eq!(saying(line), line);
        }
    }

    #[test]
    fn one_line_of_text_remains() {
        assert_eq!(plain(b"\x1b[32m[  OK  ]\x1b[0m Started\tssh\r\n", 99), "[  OK  ] Started ssh");
        assert_eq!(plain(b"loading  10%\rloading  20%", 99), "loading  20%");
        assert_eq!(plain(b"autoboot:  3\x08\x08 2 ", 99), "autoboot:  2");
        assert_eq!(plain(b"abcdef", 3), "abc");
    }
}
