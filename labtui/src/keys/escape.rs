//! How labtui is called from within a console, where every other key is the board's.

use super::Key;

/// What is typed before a key that is for labtui.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escape {
    /// One key after another.
    pub prefix: Vec<Key>,
    /// Where it counts.
    pub place: Place,
    /// Leaves the console after the prefix, beside the keys of the map.
    pub detach: Option<Key>,
}

/// Where a prefix counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Everywhere.
    Anywhere,
    /// After Enter, and at the very beginning.
    LineStart,
}

/// The presets: of other programs, as fingers know them.
pub const PRESETS: [&str; 6] = ["tio", "screen", "conserver", "ssh", "telnet", "microcom"];

impl Escape {
    /// A preset by its name.
    pub fn preset(name: &str) -> Option<Escape> {
        let anywhere = |prefix: &[Key], detach: char| Escape {
            prefix: prefix.to_vec(),
            place: Place::Anywhere,
            detach: Some(Key::Char(detach)),
        };
        Some(match name {
            "tio" => anywhere(&[Key::Ctrl('t')], 'q'),
            "screen" => anywhere(&[Key::Ctrl('a')], 'd'),
            "conserver" => anywhere(&[Key::Ctrl('e'), Key::Char('c')], '.'),
            "ssh" => Escape { place: Place::LineStart, ..anywhere(&[Key::Char('~')], '.') },
            "telnet" => anywhere(&[Key::Ctrl(']')], 'q'),
            "microcom" => anywhere(&[Key::Ctrl('\\')], 'q'),
            _ => return None,
        })
    }

    /// A prefix of one key.
    pub fn key(key: Key) -> Escape {
        Escape { prefix: vec![key], place: Place::Anywhere, detach: None }
    }

    /// The prefix as it is typed: `^T`, `^E c`.
    pub fn label(&self) -> String {
        self.prefix.iter().map(Key::to_string).collect::<Vec<_>>().join(" ")
    }
}

impl Default for Escape {
    fn default() -> Escape {
        Escape::key(Key::Ctrl('t'))
    }
}
