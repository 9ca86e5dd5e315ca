//! Many regular expressions over what a console prints, a byte at a time.
//!
//! They match within a line of the text, which is what is left without escape sequences. A match is
//! told at the byte that first ends it and not at the line's end, since a prompt's line has none: a
//! pattern is asked of every beginning of the line, as if the line ended there (so that `$` is true
//! everywhere). In a line each is told once. In what pieces the bytes come makes no difference.
//!
//! All patterns are one automaton, the states of which are made when they are first needed, and kept
//! for all consoles that have these patterns.

use parking_lot::{Mutex, MutexGuard};
use protocol::text::Sanitiser;
use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::start;
use regex_automata::util::syntax;
use regex_automata::{Anchored, MatchKind};

/// A longer line is cut, and what follows is a line of its own.
pub const LONGEST: usize = 4 * 1024;
/// What one pattern may come to, in bytes of its automaton.
const LARGEST: usize = 256 * 1024;
/// What the states that were needed may come to before all are made anew.
const STATES: usize = 32 << 20;
/// Why [`DFA::next_state`] cannot fail: it gives up only where it was told when.
const NEVER: &str = "an automaton that never gives up";

/// Patterns that are looked for together.
#[derive(Debug)]
pub struct Patterns {
    dfa: DFA,
    states: Mutex<Cache>,
    count: usize,
}

/// One console's place among the patterns.
#[derive(Debug)]
pub struct Scan {
    sanitiser: Sanitiser,
    /// The text of the line so far.
    line: Vec<u8>,
    /// The automaton's state behind that, and how often all states had been made anew by then; none
    /// if it has to be found.
    state: Option<(LazyStateID, usize)>,
    /// Which patterns this line has had: a bit each.
    told: Vec<u64>,
    /// What a byte of the console comes to as text.
    text: Vec<u8>,
}

/// A pattern has matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    /// Which, counted from 0.
    pub pattern: usize,
    /// How many bytes of the piece there were up to its end.
    pub end: usize,
}

impl Patterns {
    /// Patterns that are each good for [`check`].
    ///
    /// # Errors
    /// Why they cannot be looked for.
    pub fn new(patterns: &[impl AsRef<str>]) -> Result<Patterns, String> {
        Patterns::within(patterns, STATES)
    }

    /// The same, with so many bytes for states; as few as there must be, if that is not enough.
    fn within(patterns: &[impl AsRef<str>], room: usize) -> Result<Patterns, String> {
        let nfa = thompson::Config::new().utf8(false).which_captures(WhichCaptures::None);
        let dfa = DFA::builder()
            .configure(
                DFA::config()
                    .match_kind(MatchKind::All)
                    .cache_capacity(room)
                    .skip_cache_capacity_check(true),
            )
            .syntax(syntax())
            .thompson(nfa)
            .build_many(patterns)
            .map_err(|error| error.to_string())?;
        let states = Mutex::new(dfa.create_cache());
        Ok(Patterns { dfa, states, count: patterns.len() })
    }

    /// The state before the first byte of a line.
    fn start(&self, states: &mut Cache) -> LazyStateID {
        let anywhere = start::Config::new().anchored(Anchored::No);
        self.dfa.start_state(states, &anywhere).expect(NEVER)
    }

    /// The state behind a text that begins a line.
    fn behind(&self, states: &mut Cache, text: &[u8]) -> LazyStateID {
        let start = self.start(states);
        text.iter()
            .fold(start, |state, byte| self.dfa.next_state(states, state, *byte).expect(NEVER))
    }
}

/// Whether a pattern can be looked for.
///
/// # Errors
/// What is wrong with it.
pub fn check(pattern: &str) -> Result<(), String> {
    let hir = syntax::parse_with(pattern, &syntax()).map_err(|error| last_line(&error))?;
    if hir.properties().minimum_len() == Some(0) {
        return Err("it would match every line".to_owned());
    }
    thompson::NFA::compiler()
        .configure(
            thompson::Config::new()
                .utf8(false)
                .which_captures(WhichCaptures::None)
                .nfa_size_limit(Some(LARGEST)),
        )
        .build_from_hir(&hir)
        .map(drop)
        .map_err(|_| "it is too large".to_owned())
}

/// A byte is a character: of other letters than ASCII's, only themselves are understood.
fn syntax() -> syntax::Config {
    syntax::Config::new().unicode(false).utf8(false)
}

/// What a parser's error says below the drawing of where it is.
fn last_line(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    let last = text.lines().next_back().unwrap_or_default();
    last.trim_start_matches("error: ").to_owned()
}

impl Default for Scan {
    fn default() -> Scan {
        Scan {
            sanitiser: Sanitiser::text_only(),
            line: Vec::new(),
            state: None,
            told: Vec::new(),
            text: Vec::new(),
        }
    }
}

impl Scan {
    /// The next piece of what the console prints, for the same patterns as before. What is found comes with
    /// the text of its line so far.
    pub fn see(&mut self, patterns: &Patterns, bytes: &[u8], mut found: impl FnMut(Match, &[u8])) {
        let mut states = patterns.states.lock();
        for (index, byte) in bytes.iter().enumerate() {
            let end = index + 1;
            let mut tell = |pattern, line: &[u8]| found(Match { pattern, end }, line);
            if self.sanitiser.is_at_rest() && (b' '..=b'~').contains(byte) {
                self.step(patterns, &mut states, *byte, &mut tell);
                continue;
            }
            self.sanitiser.feed(std::slice::from_ref(byte), &mut self.text);
            for at in 0..self.text.len() {
                self.step(patterns, &mut states, self.text[at], &mut tell);
            }
            self.text.clear();
        }
    }

    fn step(
        &mut self,
        patterns: &Patterns,
        states: &mut MutexGuard<'_, Cache>,
        byte: u8,
        tell: &mut impl FnMut(usize, &[u8]),
    ) {
        match byte {
            b'\r' | b'\n' => return self.end_line(),
            // What is taken back was there.
            0x08 => return,
            _ if self.line.len() == LONGEST => self.end_line(),
            _ => {}
        }
        let (dfa, made_anew) = (&patterns.dfa, states.clear_count());
        let before = match self.state {
            Some((state, made)) if made == made_anew => state,
            _ => patterns.behind(states, &self.line),
        };
        self.line.push(byte);
        let state = dfa.next_state(states, before, byte).expect(NEVER);
        self.state = Some((state, states.clear_count()));
        let end = dfa.next_eoi_state(states, state).expect(NEVER);
        if end.is_match() {
            for index in 0..dfa.match_len(states, end) {
                self.once(patterns, dfa.match_pattern(states, end, index).as_usize(), tell);
            }
        }
    }

    fn once(&mut self, patterns: &Patterns, pattern: usize, tell: &mut impl FnMut(usize, &[u8])) {
        self.told.resize(patterns.count.div_ceil(64), 0);
        let (word, bit) = (pattern / 64, 1 << (pattern % 64));
        if self.told[word] & bit == 0 {
            self.told[word] |= bit;
            tell(pattern, &self.line);
        }
    }

    /// What comes next begins a line, whether or not this one was ended.
    pub fn end_line(&mut self) {
        self.line.clear();
        self.state = None;
        self.told.clear();
    }
}

#[cfg(test)]
mod tests;
