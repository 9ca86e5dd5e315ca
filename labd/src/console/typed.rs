//! What is typed, on its way to the timeline.
//!
//! Keystrokes are gathered into spans: one author, up to a line. A span is written down when the
//! board has echoed it, or has not done so in time, in which case only its length is.

use protocol::journal::Event;
use protocol::user::UserName;
use tokio::time::{Duration, Instant, sleep_until};

use crate::rules::echo::{self, Plain, Screen};

/// A board that echoes does so within this time.
const ECHO: Duration = Duration::from_millis(300);
/// A line that is not ended is written down after so long without a keystroke.
const IDLE: Duration = Duration::from_secs(3);
/// A span grows to this many bytes at most.
const LONGEST: usize = 512;
/// So much of what the board prints is looked at for the echo.
const PRINTED: usize = 4 * 1024;
/// A prompt that is longer is none.
const PROMPT: usize = 256;

/// The span that is being typed.
#[derive(Debug, Default)]
pub(super) struct Typed {
    span: Option<Span>,
    filter: Plain,
    /// What the board has printed of the present line.
    line: Vec<u8>,
}

#[derive(Debug)]
struct Span {
    who: UserName,
    text: Vec<u8>,
    bytes: u64,
    /// What stood on the line before.
    prompt: Vec<u8>,
    printed: Vec<u8>,
    /// Ended by a line end, by its length, or by an answer of the board.
    is_whole: bool,
    due: Instant,
}

impl Typed {
    /// Somebody types. Returns the spans that this ends.
    pub(super) fn type_in(
        &mut self,
        who: UserName,
        bytes: &[u8],
        now: Instant,
    ) -> Vec<(UserName, Event)> {
        let goes_on = |span: &Span| span.who == who && !span.is_whole;
        let ended = match &self.span {
            Some(span) if !goes_on(span) => self.write_down(),
            _ => Vec::new(),
        };
        let span = self.span.get_or_insert_with(|| Span {
            who,
            text: Vec::new(),
            bytes: 0,
            prompt: if self.line.len() < PROMPT { self.line.clone() } else { Vec::new() },
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
    pub(super) fn printed(&mut self, bytes: &[u8]) -> Vec<(UserName, Event)> {
        let filter = &mut self.filter;
        for byte in bytes.iter().copied().filter(|byte| filter.lets(*byte)) {
            match byte {
                b'\r' | b'\n' => self.line.clear(),
                _ if self.line.len() < PROMPT => self.line.push(byte),
                _ => {}
            }
            if let Some(span) = self.span.as_mut().filter(|span| span.printed.len() < PRINTED) {
                span.printed.push(byte);
                // A key that is answered before the line is entered: the next begins another.
                span.is_whole |= byte == b'\n';
            }
        }
        let done = self.span.as_ref().is_some_and(|span| span.is_whole && span.is_echoed());
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
    pub(super) fn settle(&mut self, now: Instant) -> Vec<(UserName, Event)> {
        let due = self.span.as_ref().is_some_and(|span| span.due <= now);
        if due { self.write_down() } else { Vec::new() }
    }

    fn write_down(&mut self) -> Vec<(UserName, Event)> {
        let Some(span) = self.span.take() else { return Vec::new() };
        let text = span
            .is_echoed()
            .then(|| String::from_utf8_lossy(&span.text).escape_debug().to_string());
        vec![(span.who, Event::Typed { text, bytes: span.bytes })]
    }
}

impl Span {
    fn is_echoed(&self) -> bool {
        let screen = Screen { prompt: &self.prompt, is_behind: false };
        echo::echo_of(&self.text, &self.printed, screen).is_some()
    }
}
