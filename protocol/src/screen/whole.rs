//! Where in a stream of bytes nothing is half told: no character, no control sequence, no string.
//!
//! After what [`Whole::told`] says is told, a terminal's parser is where it was at the beginning.

/// How far into what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Whole {
    #[default]
    Ground,
    /// Within a character of several bytes; so many are still to come.
    Character(u8),
    /// After ESC.
    Escape,
    /// After ESC and an intermediate byte.
    Intermediate,
    /// Within a control sequence.
    Sequence,
    /// Within a string that a bell ends, too.
    Command,
    /// Within another string.
    Text,
}

impl Whole {
    /// Takes bytes. Returns how many of them there are up to the last place at which nothing is half
    /// told; none if there is no such place.
    pub(super) fn told(&mut self, bytes: &[u8]) -> usize {
        let mut told = 0;
        for (at, byte) in bytes.iter().enumerate() {
            *self = self.after(*byte);
            if *self == Whole::Ground {
                told = at + 1;
            }
        }
        told
    }

    fn after(self, byte: u8) -> Whole {
        match (self, byte) {
            (_, 0x1b) => Whole::Escape,
            (_, 0x18 | 0x1a) => Whole::Ground,
            (Whole::Character(1), 0x80..=0xbf) => Whole::Ground,
            (Whole::Character(left), 0x80..=0xbf) => Whole::Character(left - 1),
            (Whole::Ground | Whole::Character(_), 0xc2..=0xdf) => Whole::Character(1),
            (Whole::Ground | Whole::Character(_), 0xe0..=0xef) => Whole::Character(2),
            (Whole::Ground | Whole::Character(_), 0xf0..=0xf4) => Whole::Character(3),
            (Whole::Ground | Whole::Character(_), _) => Whole::Ground,
            (Whole::Escape, b'[') => Whole::Sequence,
            (Whole::Escape, b']') => Whole::Command,
            (Whole::Escape, b'P' | b'X' | b'^' | b'_') => Whole::Text,
            (Whole::Escape, 0x20..=0x2f) => Whole::Intermediate,
            (Whole::Escape | Whole::Intermediate, 0x30..=0x7e) => Whole::Ground,
            (Whole::Sequence, 0x40..=0x7e) => Whole::Ground,
            (Whole::Command, 0x07) => Whole::Ground,
            (within, _) => within,
        }
    }
}
