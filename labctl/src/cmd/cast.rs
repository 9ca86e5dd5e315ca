//! asciicast, version 2: a recording that asciinema plays, and web pages, and `labctl play`.
//!
//! ```text
//! {"version":2,"width":80,"height":24,"timestamp":1906707600,"title":"rpi4"}
//! [0.0,"m","power was seen to be on"]
//! [1.25,"o","U-Boot 2026.01\r\n"]
//! [2.5,"m","ada types"]
//! [2.5,"i","boot\r"]
//! ```
//!
//! A marker says what happened to the board, and who types from then on.

use protocol::journal::{Entry, Event as Happened};
use protocol::replay::Moment;
use protocol::screen;
use protocol::text;
use protocol::user::UserName;
use protocol::{Span, Time};
use serde::{Deserialize, Serialize};

/// A marker has at most so many characters.
const LONGEST: usize = 200;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) version: u8,
    pub(super) width: u16,
    pub(super) height: u16,
    /// Seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) timestamp: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) title: Option<String>,
}

impl Header {
    /// Of what began then.
    pub(super) fn new(title: String, begun: Time) -> Header {
        let (width, height) = screen::SIZE;
        let timestamp = Some(begun.0 / 1_000);
        Header { version: 2, width, height, timestamp, title: Some(title) }
    }
}

/// What an event is of; others there may be mean nothing here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    /// What was printed.
    #[serde(rename = "o")]
    Output,
    /// What was typed.
    #[serde(rename = "i")]
    Input,
    /// A place to go to.
    #[serde(rename = "m")]
    Marker,
    #[serde(other, rename = "r")]
    Other,
}

/// Another line: after so many seconds, of what kind, what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Event(pub(super) f64, pub(super) Kind, pub(super) String);

/// A board's past as events.
#[derive(Debug, Default)]
pub(super) struct Caster {
    begun: Option<Time>,
    /// How long it has lasted.
    span: Span,
    /// The beginning of a character.
    held: Vec<u8>,
    /// Who typed last.
    typist: Option<UserName>,
    /// What paints the screen at the beginning, until something begins.
    painted: Option<String>,
}

impl Caster {
    /// Begins with a screen.
    pub(super) fn on(paint: &[u8]) -> Caster {
        let painted = String::from_utf8_lossy(paint).into_owned();
        Caster { painted: Some(painted).filter(|paint| !paint.is_empty()), ..Caster::default() }
    }

    /// When it began; none as long as nothing has.
    pub(super) fn begun(&self) -> Option<Time> {
        self.begun
    }

    /// What comes of a moment.
    pub(super) fn take(&mut self, moment: Moment) -> Vec<Event> {
        let (at, events) = match moment {
            Moment::Printed { at, bytes, .. } => (at, vec![(Kind::Output, self.text(bytes))]),
            Moment::Happened { entry } => (entry.at, self.happened(&entry)),
            Moment::Unknown => return Vec::new(),
        };
        let begun = *self.begun.get_or_insert(at);
        self.span = at.since(begun).max(self.span);
        let seconds = self.span.0 as f64 / 1e3;
        let painted = self.painted.take().map(|paint| (Kind::Output, paint));
        let events = painted.into_iter().chain(events);
        let events = events.filter(|(kind, text)| *kind != Kind::Output || !text.is_empty());
        events.map(|(kind, text)| Event(seconds, kind, text)).collect()
    }

    /// Bytes as text. A character may come in two pieces.
    fn text(&mut self, bytes: Vec<u8>) -> String {
        let mut bytes = [std::mem::take(&mut self.held), bytes].concat();
        let from = bytes.len().saturating_sub(3);
        let is_begun = |at: &usize| {
            let broken = std::str::from_utf8(&bytes[*at..]).err();
            bytes[*at] >= 0xc2 && broken.is_some_and(|broken| broken.error_len().is_none())
        };
        if let Some(at) = (from..bytes.len()).find(is_begun) {
            self.held = bytes.split_off(at);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn happened(&mut self, entry: &Entry) -> Vec<(Kind, String)> {
        let by = entry.who.as_ref().map(|who| format!("{who}: ")).unwrap_or_default();
        let marker = |text: String| (Kind::Marker, text::plain(text.as_bytes(), LONGEST));
        match &entry.event {
            Happened::Typed { text: Some(text), .. } => {
                let changed = std::mem::replace(&mut self.typist, entry.who.clone()) != entry.who;
                let who = entry.who.as_ref().filter(|_| changed);
                let types = who.map(|who| marker(format!("{who} types")));
                types.into_iter().chain([(Kind::Input, unescaped(text))]).collect()
            }
            Happened::PenTaken { .. }
            | Happened::PenAsked { .. }
            | Happened::PenDropped { .. }
            | Happened::PowerSent { .. }
            | Happened::PowerStep { .. }
            | Happened::Queued { .. }
            | Happened::Unqueued { .. }
            | Happened::Denied { .. }
            | Happened::Unknown => Vec::new(),
            event => vec![marker(format!("{by}{event}"))],
        }
    }
}

/// What was typed, of what the timeline says of it: `ls\r`, with `\r` as the key.
fn unescaped(text: &str) -> String {
    let (mut typed, mut rest) = (String::new(), text.chars());
    while let Some(letter) = rest.next() {
        typed.extend(match (letter, letter == '\\') {
            (letter, false) => Some(letter),
            (_, true) => match rest.next() {
                Some('n') => Some('\n'),
                Some('r') => Some('\r'),
                Some('t') => Some('\t'),
                Some('0') => Some('\0'),
                Some('u') => {
                    let number: String = rest.by_ref().skip(1).take_while(|c| *c != '}').collect();
                    u32::from_str_radix(&number, 16).ok().and_then(char::from_u32)
                }
                other => other,
            },
        });
    }
    typed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_had_back_as_it_was() {
        for text in ["ls -l\r", "echo \"it's\" \\n\t\u{3}\u{1b}[A\0ü\n", ""] {
            assert_eq!(unescaped(&text.escape_debug().to_string()), text);
        }
    }

    #[test]
    fn a_character_that_came_in_two_pieces_is_one() {
        let mut caster = Caster::default();
        let mut text = String::new();
        for bytes in "grüße 漢\u{1f44d}!"
            .as_bytes()
            .iter()
            .map(|byte| vec![*byte])
            .chain([b"\xff\xe6".into()])
        {
            let moment = Moment::Printed { at: Time(5), offset: 0, bytes };
            text.extend(caster.take(moment).into_iter().map(|Event(_, _, text)| text));
        }
        assert_eq!(text, "grüße 漢\u{1f44d}!\u{fffd}");
    }
}
