//! What is typed, on its way to the timeline.
//!
//! Keystrokes are gathered into spans: one author, up to the end of a line or of what was pasted. A span is
//! written down when the board has echoed it; if it has not in time, only how long it was. Time counts
//! from when the board has taken the last of it, which may be long after it was typed.

use std::collections::VecDeque;

use protocol::journal::{By, Event};
use tokio::time::{Duration, Instant, sleep_until};

use crate::rules::echo::{self, Plain, Screen};

#[cfg(test)]
mod tests;

/// A board that echoes does so within this time.
const ECHO: Duration = Duration::from_millis(300);
/// A line that is not ended is written down after so long without a keystroke.
const IDLE: Duration = Duration::from_secs(3);
/// A span grows to this many bytes at most: what is longer becomes several, and a line that is longer is
/// not looked for in the echo, so that only its length is written down.
const LONGEST: usize = 4 * 1024;
/// So much of what the board prints meanwhile is looked at for the echo.
const PRINTED: usize = 4 * LONGEST;
/// A prompt that is longer is none.
const PROMPT: usize = 256;

/// What was typed and is not written down yet, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Typed {
    spans: VecDeque<Span>,
    /// What the board has printed since the oldest span began.
    printed: Vec<u8>,
    filter: Plain,
    /// What the board has printed of the present line.
    line: Vec<u8>,
}

#[derive(Debug)]
struct Span {
    by: By,
    text: Vec<u8>,
    /// How much of it the board has not taken yet.
    left: usize,
    /// What stood on the line before.
    prompt: Vec<u8>,
    /// Whether the echo of another was still to come.
    is_behind: bool,
    /// How much was printed before.
    from: usize,
    /// Ended by a line end, by its length, by another author, or by an answer of the board.
    is_whole: bool,
    due: Instant,
}

impl Typed {
    /// Somebody types, and the board is to take it from now on.
    pub(super) fn type_in(&mut self, by: &By, bytes: &[u8], now: Instant) {
        for line in bytes.split_inclusive(is_end) {
            line.chunks(LONGEST).for_each(|part| self.add(by, part, now));
        }
        if let Some(span) = self.spans.back_mut() {
            span.is_whole |= bytes.last().is_some_and(is_end);
        }
    }

    fn add(&mut self, by: &By, part: &[u8], now: Instant) {
        let goes_on = |span: &Span| {
            span.by == *by && !span.is_whole && span.text.len() + part.len() <= LONGEST
        };
        if !self.spans.back().is_some_and(goes_on) {
            let before = self.spans.back_mut();
            let is_behind = before.is_some();
            let prompt = match before {
                Some(before) => {
                    before.is_whole = true;
                    before.prompt.clone()
                }
                None if self.line.len() < PROMPT => self.line.clone(),
                None => Vec::new(),
            };
            self.spans.push_back(Span {
                by: by.clone(),
                text: Vec::new(),
                left: 0,
                prompt,
                is_behind,
                from: self.printed.len(),
                is_whole: false,
                due: now,
            });
        }
        if let Some(span) = self.spans.back_mut() {
            span.text.extend_from_slice(part);
            span.left += part.len();
        }
    }

    /// The board has taken so many bytes.
    pub(super) fn wrote(&mut self, mut bytes: usize, now: Instant) {
        for span in self.spans.iter_mut().filter(|span| span.left > 0) {
            let taken = span.left.min(bytes);
            (span.left, bytes) = (span.left - taken, bytes - taken);
            span.due = now + if span.is_whole { ECHO } else { IDLE };
            if bytes == 0 {
                return;
            }
        }
    }

    /// What the board has not taken, it will not.
    pub(super) fn give_up(&mut self) {
        for span in &mut self.spans {
            span.text.truncate(span.text.len() - span.left);
            span.left = 0;
        }
        self.spans.retain(|span| !span.text.is_empty());
    }

    /// The board prints. Returns the spans that are echoed now.
    pub(super) fn printed(&mut self, bytes: &[u8]) -> Vec<(By, Event)> {
        let filter = &mut self.filter;
        for byte in bytes.iter().copied().filter(|byte| filter.lets(*byte)) {
            match byte {
                b'\r' | b'\n' => self.line.clear(),
                _ if self.line.len() < PROMPT => self.line.push(byte),
                _ => {}
            }
            let Some(span) = self.spans.back_mut() else { continue };
            if self.printed.len() < PRINTED {
                self.printed.push(byte);
            }
            // A key that is answered before the line is entered: the next begins another.
            span.is_whole |= byte == b'\n' && span.left == 0 && !span.text.iter().any(is_end);
        }
        self.write_down(None)
    }

    /// Returns when the oldest span is to be written down, echoed or not.
    pub(super) async fn due(&self) {
        match self.spans.front() {
            Some(span) if span.left == 0 => sleep_until(span.due).await,
            _ => std::future::pending().await,
        }
    }

    /// Returns the spans that are due.
    pub(super) fn settle(&mut self, now: Instant) -> Vec<(By, Event)> {
        self.write_down(Some(now))
    }

    /// Takes out the spans that are echoed, or due, in their order.
    fn write_down(&mut self, now: Option<Instant>) -> Vec<(By, Event)> {
        let mut done = Vec::new();
        while let Some(span) = self.spans.front().filter(|span| span.left == 0) {
            let is_due = now.is_some_and(|now| span.due <= now);
            let echo = if span.is_whole || is_due { span.echo_in(&self.printed) } else { None };
            if echo.is_none() && !is_due {
                break;
            }
            let end = span.from + echo.unwrap_or_default();
            let bytes = span.text.len() as u64;
            let text = String::from_utf8_lossy(&span.text).escape_debug().to_string();
            let text = echo.map(|_| text);
            done.extend(self.spans.pop_front().map(|span| (span.by, Event::Typed { text, bytes })));
            // The echo of the next is behind this one's.
            for span in &mut self.spans {
                span.from = span.from.max(end);
            }
            let seen = self.spans.front().map_or(self.printed.len(), |span| span.from);
            self.printed.drain(..seen);
            for span in &mut self.spans {
                span.from -= seen;
            }
        }
        done
    }
}

impl Span {
    fn echo_in(&self, printed: &[u8]) -> Option<usize> {
        // What comes where no more is looked at may be anything.
        let printed = printed.get(self.from..).filter(|_| printed.len() < PRINTED)?;
        let screen = Screen { prompt: &self.prompt, is_behind: self.is_behind };
        echo::echo_of(&self.text, printed, screen)
    }
}

fn is_end(byte: &u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}
