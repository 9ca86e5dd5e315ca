//! Keys by their names, as settings write them and help shows them: `p`, `Ctrl-t`, `PgUp`, `F5`.

use std::fmt;
use std::str::FromStr;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A key as the map names it. Shift is part of the letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A letter, a digit, a sign.
    Char(char),
    /// Ctrl and a letter.
    Ctrl(char),
    /// Any other.
    Named(KeyCode),
    /// Alt and an arrow.
    Alt(KeyCode),
}

const ARROWS: [KeyCode; 4] = [KeyCode::Up, KeyCode::Down, KeyCode::Left, KeyCode::Right];

/// The keys that have a name of their own, and how it is written.
pub const NAMES: [(&str, Key); 28] = [
    ("Space", Key::Char(' ')),
    ("Enter", Key::Named(KeyCode::Enter)),
    ("Esc", Key::Named(KeyCode::Esc)),
    ("Tab", Key::Named(KeyCode::Tab)),
    ("Shift-Tab", Key::Named(KeyCode::BackTab)),
    ("Backspace", Key::Named(KeyCode::Backspace)),
    ("Delete", Key::Named(KeyCode::Delete)),
    ("Insert", Key::Named(KeyCode::Insert)),
    ("Home", Key::Named(KeyCode::Home)),
    ("End", Key::Named(KeyCode::End)),
    ("PgUp", Key::Named(KeyCode::PageUp)),
    ("PgDn", Key::Named(KeyCode::PageDown)),
    ("Up", Key::Named(KeyCode::Up)),
    ("Down", Key::Named(KeyCode::Down)),
    ("Left", Key::Named(KeyCode::Left)),
    ("Right", Key::Named(KeyCode::Right)),
    ("F1", Key::Named(KeyCode::F(1))),
    ("F2", Key::Named(KeyCode::F(2))),
    ("F3", Key::Named(KeyCode::F(3))),
    ("F4", Key::Named(KeyCode::F(4))),
    ("F5", Key::Named(KeyCode::F(5))),
    ("F6", Key::Named(KeyCode::F(6))),
    ("F7", Key::Named(KeyCode::F(7))),
    ("F8", Key::Named(KeyCode::F(8))),
    ("F9", Key::Named(KeyCode::F(9))),
    ("F10", Key::Named(KeyCode::F(10))),
    ("F11", Key::Named(KeyCode::F(11))),
    ("F12", Key::Named(KeyCode::F(12))),
];

/// No key has that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no key '{0}'")]
pub struct NoSuchKey(pub String);

impl Key {
    /// The key that was pressed; none if the map has no name for it.
    pub fn pressed(event: KeyEvent) -> Option<Key> {
        if event.modifiers == KeyModifiers::ALT && ARROWS.contains(&event.code) {
            return Some(Key::Alt(event.code));
        }
        if event.modifiers.intersects(KeyModifiers::ALT | KeyModifiers::SUPER) {
            return None;
        }
        match event.code {
            KeyCode::Char(c) if event.modifiers.contains(KeyModifiers::CONTROL) => {
                Some(Key::Ctrl(controlled(c)))
            }
            KeyCode::Char(c) => Some(Key::Char(c)),
            code => Some(Key::Named(code)),
        }
    }

    /// The event of pressing it.
    pub fn event(self) -> KeyEvent {
        match self {
            Key::Char(c) => KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE),
            Key::Ctrl(c) => KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL),
            Key::Named(code) => KeyEvent::new(code, KeyModifiers::NONE),
            Key::Alt(code) => KeyEvent::new(code, KeyModifiers::ALT),
        }
    }
}

/// Some terminals say 4 to 7 where `\`, `]`, `^` and `_` are meant.
fn controlled(c: char) -> char {
    match c {
        '4' => '\\',
        '5' => ']',
        '6' => '^',
        '7' => '_',
        c => c.to_ascii_lowercase(),
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (NAMES.iter().find(|(_, key)| key == self), self) {
            (Some((name, _)), _) => f.write_str(name),
            (None, Key::Char(c)) => write!(f, "{c}"),
            (None, Key::Ctrl(c)) => write!(f, "^{}", c.to_ascii_uppercase()),
            (None, Key::Named(code)) => write!(f, "{code}"),
            (None, Key::Alt(code)) => write!(f, "Alt-{}", Key::Named(*code)),
        }
    }
}

impl FromStr for Key {
    type Err = NoSuchKey;

    fn from_str(text: &str) -> Result<Key, NoSuchKey> {
        let mut chars = text.chars();
        if let (Some(c), None) = (chars.next(), chars.next()) {
            return if c.is_control() {
                Err(NoSuchKey(c.escape_default().to_string()))
            } else {
                Ok(Key::Char(c))
            };
        }
        if let Some(Ok(Key::Named(code))) = text.strip_prefix("Alt-").map(str::parse)
            && ARROWS.contains(&code)
        {
            return Ok(Key::Alt(code));
        }
        let named = NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        let with_ctrl =
            ["Ctrl-", "ctrl-", "C-", "^"].iter().find_map(|ctrl| text.strip_prefix(ctrl));
        match (named, with_ctrl.map(|rest| rest.chars().collect::<Vec<_>>()).as_deref()) {
            (Some((_, key)), _) => Ok(*key),
            (None, Some([c])) if c.is_ascii_graphic() => Ok(Key::Ctrl(c.to_ascii_lowercase())),
            _ => Err(NoSuchKey(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_reads_as_it_is_written() {
        let letters = ['a', 'Z', '?', '-', 'é'].map(Key::Char);
        let controls = ['a', 't', ']', '\\', '^', '_'].map(Key::Ctrl);
        let alts = ARROWS.map(Key::Alt);
        let names = NAMES.map(|(_, key)| key);
        for key in names.into_iter().chain(letters).chain(controls).chain(alts) {
            assert_eq!(key.to_string().parse(), Ok(key));
        }
        assert_eq!("Ctrl-T".parse(), Ok(Key::Ctrl('t')));
        assert_eq!("pgup".parse(), Ok(Key::Named(KeyCode::PageUp)));
        assert_eq!("Entre".parse::<Key>(), Err(NoSuchKey("Entre".to_owned())));
        assert_eq!("".parse::<Key>(), Err(NoSuchKey(String::new())));
    }

    #[test]
    fn a_digit_with_ctrl_is_the_sign_that_the_terminal_meant() {
        let event = KeyEvent::new(KeyCode::Char('5'), KeyModifiers::CONTROL);
        assert_eq!(Key::pressed(event), Some(Key::Ctrl(']')));
    }
}
