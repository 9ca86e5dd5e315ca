//! What is typed, on its way to the timeline.
//!
//! Keystrokes are gathered into spans: one author, up to a line. A span is written down when the
//! board has echoed it, or has not done so in time, in which case only its length is.

use protocol::journal::{By, Event};
use tokio::time::{Duration, Instant, sleep_until};

use crate::rules::echo;

/// A board that echoes does so within this time.
const ECHO: Duration = Duration::from_millis(300);
/// A line that is not ended is written down after so long without a keystroke.
const IDLE: Duration = Duration::from_secs(3);
/// A span grows to this many bytes at most.
const LONGEST: usize = 512;
/// So much of what the board prints is looked at for the echo.
const PRINTED: usize = 4 * 1024;

/// The span that is being typed.
#[derive(Debug, Default)]
pub(super) struct Typed {
    span: Option<Span>,
}

#[derive(Debug)]
struct Span {
    by: By,
    text: Vec<u8>,
    bytes: u64,
    printed: Vec<u8>,
    /// Ended by a line end, by its length, or by another author.
    is_whole: bool,
    due: Instant,
}

impl Typed {
    /// Somebody types. Returns the spans that this ends.
    pub(super) fn type_in(&mut self, by: By, bytes: &[u8], now: Instant) -> Vec<(By, Event)> {
        let goes_on = |span: &Span| span.by.is_also(&by) && !span.is_whole;
        let ended = match &self.span {
            Some(span) if !goes_on(span) => self.write_down(),
            _ => Vec::new(),
        };
        let span = self.span.get_or_insert_with(|| Span {
            by,
            text: Vec::new(),
            bytes: 0,
            printed: Vec::new(),
            is_whole: false,
            due: now,
        });
        let room = LONGEST.saturating_sub(span.text.len()).min(bytes.len());
        span.text.extend_from_slice(&bytes[..room]);
        span.bytes += bytes.len() as u64;
        span.is_whole =
            bytes.iter().any(|byte| matches!(byte, b'\r' | b'\n')) || span.text.len() >= LONGEST;
        span.due = now + if span.is_whole { ECHO } else { IDLE };
        ended
    }

    /// The board prints. Returns the span if it is whole and echoed now.
    pub(super) fn printed(&mut self, bytes: &[u8]) -> Vec<(By, Event)> {
        let Some(span) = &mut self.span else { return Vec::new() };
        let room = PRINTED.saturating_sub(span.printed.len()).min(bytes.len());
        span.printed.extend_from_slice(&bytes[..room]);
        let done = span.is_whole && echo::was_echoed(&span.text, &span.printed);
        if done { self.write_down() } else { Vec::new() }
    }

    /// Returns when the span is to be written down, echoed or not.
    pub(super) async fn due(&self) {
        match &self.span {
            Some(span) => sleep_until(span.due).await,
            None => std::future::pending().await,
        }
    }

    /// Writes the span down if it is due.
    pub(super) fn settle(&mut self, now: Instant) -> Vec<(By, Event)> {
        let due = self.span.as_ref().is_some_and(|span| span.due <= now);
        if due { self.write_down() } else { Vec::new() }
    }

    fn write_down(&mut self) -> Vec<(By, Event)> {
        let Some(span) = self.span.take() else { return Vec::new() };
        let echoed = echo::was_echoed(&span.text, &span.printed);
        let text = echoed.then(|| String::from_utf8_lossy(&span.text).escape_debug().to_string());
        vec![(span.by, Event::Typed { text, bytes: span.bytes })]
    }
}
