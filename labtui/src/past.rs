//! Consoles as they looked earlier: the places in their history that one goes to, and what is looked
//! for there.

use std::ops::Range;

use protocol::Time;
use protocol::board::BoardName;
use protocol::boot::{Boot, Outcome, Usual};
use protocol::journal::{Entry, Event};
use protocol::search::{Direction, Hit, Search};

use crate::emulator::Emulator;
use crate::text::{clean, is_plain};

/// How many lines a search of the whole lab finds at most.
pub const MOST_HITS: usize = 500;

/// A place in a console's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// How many bytes the console had printed by then.
    pub offset: u64,
    /// When that was, where it is known.
    pub at: Option<Time>,
    /// What is there, for the status line.
    pub about: String,
    /// Whether it is the line there that is meant, and not the screen before it.
    pub is_line: bool,
}

/// What a console printed around a place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Printed {
    /// The offset at which `after` begins: later than what was asked for, if that is no longer kept.
    pub offset: u64,
    /// What shows the screen as it looked then.
    pub before: Vec<u8>,
    /// What was printed next, as far as it was read.
    pub after: Vec<u8>,
}

/// A console as it looked at a place. It goes on as it did then when one scrolls down.
pub struct Past {
    /// Where one went.
    pub place: Place,
    /// Its screen.
    pub emulator: Emulator,
    /// Whether the line that is meant is the last that is printed.
    pub is_at_line: bool,
    printed: Printed,
    shown: usize,
}

/// What somebody looks for in a console's history.
#[derive(Debug, Clone, Default)]
pub struct Quest {
    /// As it was typed.
    pub text: String,
    /// Where one was before; none is the live console.
    pub origin: Option<Place>,
    /// What is to be asked as soon as the last question is answered.
    pub wanted: Option<Box<Search>>,
    /// What was asked.
    pub asked: Option<Box<Search>>,
    /// Why nothing is found by what is typed.
    pub fault: Option<String>,
}

/// What a search of all consoles has found.
#[derive(Debug, Clone)]
pub struct Hits {
    /// As it was typed.
    pub text: String,
    /// What was asked.
    pub asked: Box<Search>,
    /// The lines, newest first; none as long as they are looked for.
    pub found: Option<Vec<Hit>>,
}

/// A board's boots.
#[derive(Debug, Clone)]
pub struct BootList {
    /// Whose.
    pub board: BoardName,
    /// Newest first; none as long as they are read.
    pub boots: Option<Vec<Boot>>,
    /// How long boots of its class stay in each stage.
    pub usual: Vec<Usual>,
}

/// What one can go to in a console's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// The beginning of a boot.
    Boot,
    /// What somebody wrote down, or a trigger found.
    Note,
    /// The outlet was switched, or seen to be.
    Power,
    /// A panic.
    Panic,
}

/// What is asked by what somebody typed: a text, or a regex after `-e`.
pub fn wish(text: &str) -> Search {
    let (pattern, regex) = match text.strip_prefix("-e ") {
        Some(pattern) => (pattern, true),
        None => (text, false),
    };
    Search { pattern: pattern.to_owned(), regex, ..Search::default() }
}

impl Place {
    /// The line that a search found.
    pub fn of_hit(hit: &Hit, text: &str) -> Place {
        Place { offset: hit.offset, at: Some(hit.at), about: format!("/{text}"), is_line: true }
    }

    /// The screen when a boot began.
    pub fn of_boot(boot: &Boot) -> Place {
        let about = format!("boot {}", boot.number);
        Place { offset: boot.offset, at: Some(boot.at), about, is_line: false }
    }

    /// The screen when something happened; none if that is nowhere on the console.
    pub fn of_entry(entry: &Entry) -> Option<Place> {
        let about = match &entry.who {
            Some(who) => format!("{who}: {}", clean(&entry.event.to_string())),
            None => clean(&entry.event.to_string()).into_owned(),
        };
        Some(Place { offset: entry.offset?, at: Some(entry.at), about, is_line: false })
    }
}

impl Past {
    /// A console as it looked at a place, on a screen of this size.
    pub fn new(place: Place, printed: Printed, (width, height): (u16, u16)) -> Past {
        let mut emulator = Emulator::new(width, height);
        emulator.print(&printed.before);
        let (is_at_line, shown) = (place.is_line, 0);
        let mut past = Past { place, emulator, is_at_line, printed, shown };
        if is_at_line {
            past.print(past.line().len());
        }
        past
    }

    /// The rest of the line, without what ends it.
    fn line(&self) -> &[u8] {
        let rest = self.printed.after.get(self.shown..).unwrap_or_default();
        let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
        line.strip_suffix(b"\r").unwrap_or(line)
    }

    fn print(&mut self, length: usize) {
        let end = (self.shown + length).min(self.printed.after.len());
        self.emulator.print(&self.printed.after[self.shown..end]);
        self.shown = end;
    }

    /// Prints so many more lines, as the board did then; false if no more were read.
    pub fn go_on(&mut self, lines: usize) -> bool {
        let rest = &self.printed.after[self.shown..];
        let ends = rest.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        let length = ends.map(|(place, _)| place + 1).nth(lines.saturating_sub(1));
        let length = length.unwrap_or(rest.len());
        self.is_at_line &= length == 0;
        self.print(length);
        length > 0
    }

    /// How much the console had printed when it looked like this.
    pub fn offset(&self) -> u64 {
        self.printed.offset + self.shown as u64
    }
}

impl Quest {
    /// The next line to look for, from a place on.
    pub fn next(&mut self, board: &BoardName, direction: Direction, from: Option<u64>) {
        let boards = vec![board.clone()];
        let search = Search { boards, direction, from, limit: Some(1), ..wish(&self.text) };
        self.wanted = Some(Box::new(search)).filter(|search| !search.pattern.is_empty());
    }
}

impl BootList {
    /// Whether boots of the class are faster from that stage to the next.
    pub fn is_slow(&self, before: Option<&str>, took: protocol::Span) -> bool {
        self.usual.iter().any(|usual| usual.stage.as_deref() == before && took > usual.p95)
    }
}

impl Mark {
    /// Whether something that happened is one.
    pub fn is(self, event: &Event) -> bool {
        let panicked = Outcome::Panicked;
        match self {
            Mark::Boot => matches!(event, Event::BootBegan { .. }),
            Mark::Note => matches!(event, Event::Noted { .. } | Event::Matched { .. }),
            Mark::Power => matches!(event, Event::PowerSent { .. } | Event::PowerSeen { .. }),
            Mark::Panic => match event {
                Event::BootEnded { outcome, .. } => *outcome == panicked,
                event => matches!(event, Event::Panicked),
            },
        }
    }

    /// What it is called.
    pub fn title(self) -> &'static str {
        match self {
            Mark::Boot => "boot",
            Mark::Note => "note or mark",
            Mark::Power => "power edge",
            Mark::Panic => "panic",
        }
    }
}

/// The parts of a hit's line and whether each was looked for. What a daemon says of it is not believed.
pub fn parts(hit: &Hit) -> Vec<(String, bool)> {
    let mut parts = Vec::new();
    let mut part = |range: Range<usize>, found| {
        let text = hit.line.get(range).unwrap_or_default();
        parts.push((text.chars().filter(|c| is_plain(*c)).collect(), found));
    };
    let mut at = 0;
    for (from, to) in &hit.spans {
        if at <= *from && from <= to && hit.line.get(*from..*to).is_some() {
            part(at..*from, false);
            part(*from..*to, true);
            at = *to;
        }
    }
    part(at..hit.line.len(), false);
    parts
}
