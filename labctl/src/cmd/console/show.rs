//! What is shown of what a board prints.

use std::borrow::Cow;
use std::io::IsTerminal;

use protocol::text::Sanitiser;

use super::Console;

/// Bytes as they are for a pipe, a file and `--raw`; else as far as they are safe for a terminal.
pub(super) struct Show {
    sanitiser: Option<Sanitiser>,
}

impl Show {
    /// For what standard output is.
    pub(super) fn new(console: &Console) -> Show {
        let is_safe = console.raw || !std::io::stdout().is_terminal();
        Show { sanitiser: (!is_safe).then(Sanitiser::default) }
    }

    /// What may be shown of `bytes`, which follow those before.
    pub(super) fn of<'a>(&mut self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(sanitiser) = &mut self.sanitiser else { return Cow::Borrowed(bytes) };
        let mut safe = Vec::with_capacity(bytes.len());
        sanitiser.feed(bytes, &mut safe);
        Cow::Owned(safe)
    }
}
