//! What labd says of itself: on standard error, and as much as `LABD_LOG` chooses.

use std::io::{self, IsTerminal, Write};

use protocol::text;
use tracing_subscriber::EnvFilter;

/// Begins. A second lab in one process logs with the first one's.
pub(super) fn start(usually: &str) {
    let filter = EnvFilter::try_from_env("LABD_LOG").unwrap_or_else(|_| EnvFilter::new(usually));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_writer(|| Lines(io::stderr()))
        .with_target(false);
    let _ = log.try_init();
}

/// An event is a line, and does nothing to whoever reads it: names, paths and what devices answered are
/// quoted in it.
struct Lines<W>(W);

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let line = String::from_utf8_lossy(event).trim_end().replace('\n', " ");
        self.0.write_all(format!("{}\n", text::page(&line)).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_line_whatever_is_quoted_in_it() {
        let mut lines = Lines(Vec::new());
        let event = "\x1b[32mINFO\x1b[0m a\n2030 ERROR forged \u{9b}6n\x1b]0;t\x07\u{202e}\r\n";
        lines.write_all(event.as_bytes()).expect("a vector takes it");
        let written = String::from_utf8(lines.0).expect("text");
        let expected = "\x1b[32mINFO\x1b[0m a 2030 ERROR forged \u{fffd}6n\u{fffd}\n";
        assert_eq!(written, expected);
    }
}
