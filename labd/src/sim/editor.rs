//! A line being typed at a prompt: echo, backspace, Ctrl-C, Ctrl-U.

/// Longer lines are cut.
const LONGEST: usize = 255;

/// A line being typed.
#[derive(Debug, Default)]
pub(super) struct Editor {
    line: Vec<u8>,
    sequence: Sequence,
    hidden: bool,
}

/// How far into an escape sequence (an arrow key) the typing is. They are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Sequence {
    #[default]
    None,
    Escape,
    Control,
}

/// What a key did.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Edit {
    /// The line goes on; this is shown.
    Going(String),
    /// Enter.
    Entered(String),
    /// Ctrl-C.
    Interrupted,
    /// Ctrl-D on an empty line.
    Closed,
}

impl Editor {
    /// For a password: nothing is shown.
    pub(super) fn hidden() -> Editor {
        Editor { hidden: true, ..Editor::default() }
    }

    /// Takes a key.
    pub(super) fn key(&mut self, key: u8) -> Edit {
        if self.in_sequence(key) {
            return Edit::Going(String::new());
        }
        match key {
            b'\r' | b'\n' => Edit::Entered(self.take()),
            0x03 => Edit::Interrupted,
            0x04 if self.line.is_empty() => Edit::Closed,
            0x08 | 0x7f => self.erase(1),
            0x15 => self.erase(self.line.len()),
            b' '..=b'~' if self.line.len() < LONGEST => {
                self.line.push(key);
                self.show(char::from(key).to_string())
            }
            _ => Edit::Going(String::new()),
        }
    }

    fn take(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned()
    }

    fn erase(&mut self, count: usize) -> Edit {
        let left = self.line.len().saturating_sub(count);
        let erased = self.line.len() - left;
        self.line.truncate(left);
        self.show("\x08 \x08".repeat(erased))
    }

    fn show(&self, echo: String) -> Edit {
        Edit::Going(if self.hidden { String::new() } else { echo })
    }

    fn in_sequence(&mut self, key: u8) -> bool {
        let before = self.sequence;
        self.sequence = match (before, key) {
            (_, 0x1b) => Sequence::Escape,
            (Sequence::Escape, b'[' | b'O') => Sequence::Control,
            (Sequence::Control, b' '..=b'?') => Sequence::Control,
            _ => Sequence::None,
        };
        before != Sequence::None || self.sequence != Sequence::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &str) -> (String, Option<Edit>) {
        let (mut editor, mut screen) = (Editor::default(), String::new());
        for key in keys.bytes() {
            match editor.key(key) {
                Edit::Going(echo) => screen.push_str(&echo),
                end => return (screen, Some(end)),
            }
        }
        (screen, None)
    }

    #[test]
    fn what_is_typed_is_shown_and_can_be_taken_back() {
        let (screen, end) = typed("lx\x7fs\r");
        assert_eq!(screen, "lx\x08 \x08s");
        assert_eq!(end, Some(Edit::Entered("ls".into())));
        assert_eq!(typed("abc\x15d\r").1, Some(Edit::Entered("d".into())));
    }

    #[test]
    fn arrow_keys_leave_no_trace() {
        assert_eq!(
            typed("l\x1b[As\x1bOB\x1b[1;5C\r"),
            ("ls".into(), Some(Edit::Entered("ls".into())))
        );
    }

    #[test]
    fn control_keys_end_a_line() {
        assert_eq!(typed("reboot\x03").1, Some(Edit::Interrupted));
        assert_eq!(typed("\x04").1, Some(Edit::Closed));
        assert_eq!(typed("x\x04").1, None);
    }

    #[test]
    fn a_line_has_an_end() {
        let (screen, end) = typed(&("x".repeat(10_000) + "\r"));
        assert_eq!(screen.len(), LONGEST);
        assert_eq!(end, Some(Edit::Entered("x".repeat(LONGEST))));
    }
}
