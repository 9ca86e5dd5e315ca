//! Asking the terminal what its own background is (OSC 11), so that `auto` looks well on both.
//!
//! Nothing waits for the answer: labtui draws at once, and again if the answer is another than it
//! thought. It comes among the keys, from which it is read out, so that none of it is taken for one.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};

use crate::theme::Background;

/// The question. Terminals that do not know it say nothing.
pub const QUESTION: &str = "\x1b]11;?\x1b\\";

/// The longest answer there is: `11;rgba:ffff/ffff/ffff/ffff`.
const LONGEST: usize = 32;

/// Reads the answer out of what comes from the terminal.
#[derive(Debug, Default)]
pub struct Listener {
    held: Vec<Event>,
    read: String,
}

/// What came from the terminal.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// A part of the answer, or what may become one.
    Part,
    /// The end of the answer.
    Answer(Option<Background>),
    /// What somebody typed.
    Typed(Vec<Event>),
}

impl Listener {
    /// Takes an event in.
    pub fn take(&mut self, event: Event) -> Heard {
        let key = match &event {
            Event::Key(key) => Some(*key),
            _ => None,
        };
        let begun = !self.held.is_empty();
        match key.and_then(sign) {
            Some(Sign::Begin) if !begun => {}
            Some(Sign::End) if begun => {
                self.held.clear();
                return Heard::Answer(background(&std::mem::take(&mut self.read)));
            }
            Some(Sign::Letter(c)) if begun && self.may_go_on(c) => self.read.push(c),
            _ => {
                self.read.clear();
                let mut typed = std::mem::take(&mut self.held);
                typed.push(event);
                return Heard::Typed(typed);
            }
        }
        self.held.push(event);
        Heard::Part
    }

    fn may_go_on(&self, c: char) -> bool {
        const START: &str = "11;rgb";
        match START.chars().nth(self.read.len()) {
            Some(expected) => c == expected,
            None => self.read.len() < LONGEST && (c.is_ascii_hexdigit() || ":/a".contains(c)),
        }
    }
}

enum Sign {
    Begin,
    Letter(char),
    End,
}

fn sign(key: KeyEvent) -> Option<Sign> {
    match (key.code, key.modifiers - KeyModifiers::SHIFT) {
        (KeyCode::Char(']'), KeyModifiers::ALT) => Some(Sign::Begin),
        (KeyCode::Char('\\'), KeyModifiers::ALT) => Some(Sign::End),
        (KeyCode::Char('g'), KeyModifiers::CONTROL) => Some(Sign::End),
        (KeyCode::Char(c), KeyModifiers::NONE) => Some(Sign::Letter(c)),
        _ => None,
    }
}

/// What `11;rgb:1e1e/2020/3030` says.
fn background(answer: &str) -> Option<Background> {
    let (_, parts) = answer.split_once(':')?;
    let part = |hex: &str| {
        let most = (1_u32 << (4 * hex.len().min(7))) - 1;
        Some(f64::from(u32::from_str_radix(hex, 16).ok()?) / f64::from(most))
    };
    let parts: Vec<f64> = parts.split('/').map(part).collect::<Option<_>>()?;
    let [red, green, blue, ..] = parts[..] else { return None };
    let light = 0.299 * red + 0.587 * green + 0.114 * blue;
    Some(if light > 0.5 { Background::Light } else { Background::Dark })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As crossterm reads such bytes.
    fn events(text: &str) -> Vec<Event> {
        let mut alt = false;
        let mut events = Vec::new();
        for c in text.chars() {
            let (c, modifiers) = match c {
                '\x1b' => {
                    alt = true;
                    continue;
                }
                '\x07' => ('g', KeyModifiers::CONTROL),
                c if std::mem::take(&mut alt) => (c, KeyModifiers::ALT),
                c => (c, KeyModifiers::NONE),
            };
            events.push(Event::Key(KeyEvent::new(KeyCode::Char(c), modifiers)));
        }
        events
    }

    #[test]
    fn the_answer_is_read_and_no_letter_of_it_is_a_key() {
        for (answer, expected) in [
            ("\x1b]11;rgb:ffff/ffff/ffff\x1b\\", Some(Background::Light)),
            ("\x1b]11;rgb:1e1e/2020/3030\x07", Some(Background::Dark)),
            ("\x1b]11;rgba:ff/ff/e0/ff\x07", Some(Background::Light)),
            ("\x1b]11;rgb:\x07", None),
        ] {
            let mut listener = Listener::default();
            let mut heard: Vec<Heard> =
                events(answer).into_iter().map(|event| listener.take(event)).collect();
            assert_eq!(heard.pop(), Some(Heard::Answer(expected)), "{answer:?}");
            assert!(heard.iter().all(|it| *it == Heard::Part), "{answer:?}");
        }
    }

    #[test]
    fn what_somebody_types_meanwhile_is_theirs() {
        for typed in ["rp", "\x1b]r", "\x1b]11;x", "\x1b]\x1b]", "\x1b\\"] {
            let mut listener = Listener::default();
            let mut passed = Vec::new();
            for event in events(typed).into_iter().chain(events("q")) {
                if let Heard::Typed(all) = listener.take(event) {
                    passed.extend(all);
                }
            }
            let expected: Vec<Event> = events(typed).into_iter().chain(events("q")).collect();
            assert_eq!(passed, expected, "{typed:?}");
        }
    }
}
