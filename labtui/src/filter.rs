//! Which boards the table shows.
//!
//! Words, all of which must hold: a regular expression, `!` and one that must not be found,
//! `-l class=rpi4,tag=poe`, `-f` and letters in order. Patterns look at name, class, holder, state and
//! tags, whatever their case.

use protocol::board::Board;
use regex::{Regex, RegexBuilder};

use crate::fuzzy;

/// A filter as it was typed, and what it means.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    text: String,
    terms: Vec<Term>,
    fault: Option<String>,
}

#[derive(Debug, Clone)]
enum Term {
    Pattern { regex: Regex, found: bool },
    Label { name: String, value: String },
    Fuzzy(String),
}

/// What `-l` knows besides tags.
pub const LABELS: [&str; 7] = ["name", "class", "state", "power", "holder", "group", "tag"];

impl Filter {
    /// What has been typed by now. While it means nothing, what it meant before goes on.
    pub fn typed(&self, text: String) -> Filter {
        match terms(&text) {
            Ok(terms) => Filter { text, terms, fault: None },
            Err(fault) => Filter { text, terms: self.terms.clone(), fault: Some(fault) },
        }
    }

    /// What was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is wrong with it.
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// Whether it finds the board.
    pub fn finds(&self, board: &Board) -> bool {
        if self.terms.is_empty() {
            return true;
        }
        let text = text_of(board);
        self.terms.iter().all(|term| match term {
            Term::Pattern { regex, found } => regex.is_match(&text) == *found,
            Term::Label { name, value } => has(board, name, value),
            Term::Fuzzy(letters) => fuzzy::score(letters, board.name.as_str()).is_some(),
        })
    }
}

fn holder(board: &Board) -> &str {
    board.hold.as_ref().map_or("", |hold| hold.who.as_str())
}

/// What patterns look at, each on a line of its own.
fn text_of(board: &Board) -> String {
    let state = board.state.to_string();
    let fields = [board.name.as_str(), &board.class, holder(board), &state];
    let tags = board.tags.iter().map(String::as_str);
    fields.into_iter().chain(tags).collect::<Vec<_>>().join("\n")
}

fn has(board: &Board, name: &str, value: &str) -> bool {
    let is = |text: &str| text.eq_ignore_ascii_case(value);
    match name {
        "name" => is(board.name.as_str()),
        "class" => is(&board.class),
        "state" => is(&board.state.to_string()),
        "power" => is(&board.power.to_string()),
        "holder" => is(holder(board)),
        "group" => board.groups.iter().any(|group| is(group)),
        "tag" => board.tags.iter().any(|tag| is(tag)),
        _ => board.tags.iter().any(|tag| tag.eq_ignore_ascii_case(&format!("{name}={value}"))),
    }
}

/// What is not finished, such as a lone `!`, is left out: it would hide everything.
fn terms(text: &str) -> Result<Vec<Term>, String> {
    let (mut terms, mut words) = (Vec::new(), text.split_whitespace());
    while let Some(word) = words.next() {
        match word {
            "-l" => terms.extend(words.next().into_iter().flat_map(labels)),
            "-f" => terms.extend(words.next().map(|letters| Term::Fuzzy(letters.to_owned()))),
            "!" => {}
            word => match word.strip_prefix('!') {
                Some(word) => terms.push(Term::Pattern { regex: regex(word)?, found: false }),
                None => terms.push(Term::Pattern { regex: regex(word)?, found: true }),
            },
        }
    }
    Ok(terms)
}

fn labels(text: &str) -> impl Iterator<Item = Term> {
    let label = |text: &str| {
        let (name, value) = text.split_once('=').unwrap_or(("tag", text));
        Term::Label { name: name.to_owned(), value: value.to_owned() }
    };
    text.split(',').filter(|text| !text.is_empty()).map(label)
}

fn regex(word: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(word).case_insensitive(true).multi_line(true).build();
    built.map_err(|why| match why.to_string().lines().last() {
        Some(last) => last.trim_start_matches("error: ").to_owned(),
        None => "no regular expression".to_owned(),
    })
}
