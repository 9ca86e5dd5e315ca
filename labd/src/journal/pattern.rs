//! What is looked for in a line, and what a text must have in it to be worth a look.

use std::borrow::Cow;

use protocol::Error;
use protocol::search::{Case, Search};
use regex::{Regex, RegexBuilder};
use regex_syntax::hir::literal::{Extractor, Seq};
use regex_syntax::hir::{Hir, HirKind};

/// How large a pattern may become when it is compiled, in bytes.
const LARGEST: usize = 1 << 20;
/// The longest pattern, in bytes.
const LONGEST: usize = 1_000;
/// More literals than this, one of which is needed, are not worth a look.
const FEW: usize = 32;
/// So many matches of a line are told.
const MOST: usize = 64;

/// What is looked for.
#[derive(Debug)]
pub struct Pattern {
    regex: Regex,
    need: Need,
}

/// What the text of a line must have in it if it matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// All of these; of none of them if nothing is known.
    All(Vec<Need>),
    /// One of these.
    Any(Vec<Need>),
    /// These three letters in a row, as [`trigrams`] has them.
    Trigram(u32),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`Error::Bad`], with the place.
    pub fn new(search: &Search) -> Result<Pattern, Error> {
        let bad = |why: String| Error::Bad { why };
        if search.pattern.is_empty() {
            return Err(bad("the pattern is empty".to_owned()));
        }
        if search.pattern.len() > LONGEST {
            return Err(bad(format!("the pattern is longer than {LONGEST} bytes")));
        }
        let source = match search.regex {
            true => Cow::Borrowed(search.pattern.as_str()),
            false => Cow::Owned(regex::escape(&search.pattern)),
        };
        // Capital letters are the business of the trigrams, which know none.
        let hir = regex_syntax::parse(&source).map_err(|error| bad(place(&error)))?;
        let ignored = match search.case {
            Case::Smart => !has_capital(&search.pattern, search.regex),
            Case::Matters => false,
            Case::Ignored => true,
        };
        let mut regex = RegexBuilder::new(&source);
        let regex = regex.case_insensitive(ignored).size_limit(LARGEST).dfa_size_limit(LARGEST);
        let too_large = |_| bad("the pattern is too large".to_owned());
        Ok(Pattern { regex: regex.build().map_err(too_large)?, need: need(&hir) })
    }

    /// What the text of a line must have in it if it matches.
    pub fn need(&self) -> &Need {
        &self.need
    }

    /// From where to where a line matches; nowhere if it does not.
    pub fn spans(&self, line: &str) -> Vec<(usize, usize)> {
        let matches = self.regex.find_iter(line).take(MOST);
        matches.map(|found| (found.start(), found.end())).collect()
    }
}

/// What is wrong with a pattern, and where.
fn place(error: &regex_syntax::Error) -> String {
    let (kind, span) = match error {
        regex_syntax::Error::Parse(error) => (error.kind().to_string(), error.span()),
        regex_syntax::Error::Translate(error) => (error.kind().to_string(), error.span()),
        _ => return error.to_string(),
    };
    let (line, column) = (span.start.line, span.start.column);
    let line = if line > 1 { format!("line {line}, ") } else { String::new() };
    format!("the pattern is no regex: {kind}, at {line}character {column}")
}

/// Whether there is a capital letter, other than in a class such as `\S`.
fn has_capital(pattern: &str, is_regex: bool) -> bool {
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        if is_regex && letter == '\\' {
            letters.next();
        } else if letter.is_uppercase() {
            return true;
        }
    }
    false
}

/// What every match has in it. What is not known to be needed is not said to be.
fn need(hir: &Hir) -> Need {
    let inside = match hir.kind() {
        HirKind::Concat(parts) => {
            // The literals with which a match of the rest begins, from each part on.
            let rests = (0..parts.len()).map(|from| begins(&Hir::concat(parts[from..].to_vec())));
            Need::All(rests.flatten().chain(parts.iter().map(need)).collect())
        }
        HirKind::Alternation(parts) => Need::Any(parts.iter().map(need).collect()),
        HirKind::Capture(capture) => need(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => need(&repetition.sub),
        _ => Need::All(Vec::new()),
    };
    Need::All(begins(hir).into_iter().chain([inside]).collect()).simple()
}

/// The literals with one of which every match begins, if they are known.
fn begins(hir: &Hir) -> Option<Need> {
    let seq: Seq = Extractor::new().limit_total(FEW).extract(hir);
    let text = |text: &[u8]| Need::All(trigrams(text).map(Need::Trigram).collect());
    let literals = seq.literals()?.iter().map(|literal| text(literal.as_bytes()));
    Some(Need::Any(literals.collect()))
}

impl Need {
    /// Whether nothing is needed.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Need::All(needs) if needs.is_empty())
    }

    /// The same in fewer words.
    fn simple(self) -> Need {
        let is_all = matches!(self, Need::All(_));
        let (Need::All(needs) | Need::Any(needs)) = self else { return self };
        let mut simple: Vec<Need> = Vec::new();
        for need in needs.into_iter().map(Need::simple) {
            match need {
                Need::All(inner) if is_all => simple.extend(inner),
                // One of them is met anyhow.
                need if !is_all && need.is_nothing() => return need,
                need => simple.push(need),
            }
        }
        let mut different = Vec::new();
        for need in simple {
            if !different.contains(&need) {
                different.push(need);
            }
        }
        match (is_all, different.len()) {
            (_, 1) => different.remove(0),
            (true, _) => Need::All(different),
            (false, _) => Need::Any(different),
        }
    }
}

/// So many different trigrams are there, at most.
pub const TRIGRAMS: u32 = LETTERS * LETTERS * LETTERS;
const LETTERS: u32 = (b'~' - b' ') as u32 + 1;

/// Each three letters in a row of a text, as a number; a letter here is what ASCII can print, and none is a
/// capital.
pub fn trigrams(text: &[u8]) -> impl Iterator<Item = u32> {
    text.windows(3).filter_map(|letters| {
        let [a, b, c] = [letter(letters[0])?, letter(letters[1])?, letter(letters[2])?];
        Some((a * LETTERS + b) * LETTERS + c)
    })
}

fn letter(byte: u8) -> Option<u32> {
    matches!(byte, b' '..=b'~').then(|| u32::from(byte.to_ascii_lowercase() - b' '))
}

/// The text with those letters of ASCII that others are capitals of: `K` (Kelvin) of `k`, `ſ` of `s`.
pub fn folded(text: Cow<'_, str>) -> Cow<'_, str> {
    match text.is_ascii() {
        true => text,
        false => Cow::Owned(text.replace('\u{212a}', "k").replace('\u{17f}', "s")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regex(pattern: &str) -> Result<Pattern, Error> {
        Pattern::new(&Search { pattern: pattern.to_owned(), regex: true, ..Search::default() })
    }

    fn text(text: &str) -> Need {
        Need::All(trigrams(text.as_bytes()).map(Need::Trigram).collect()).simple()
    }

    #[test]
    fn what_every_match_has_in_it_is_found() {
        let need = |pattern| regex(pattern).expect("a pattern").need;
        assert_eq!(need("Panic"), text("panic"));
        assert_eq!(need(r"\d+ panic: [a-z]+"), text(" panic: "));
        assert_eq!(need("abc.*xyz"), Need::All(vec![text("abc"), text("xyz")]));
        assert_eq!(need("(abc|xyz)+"), Need::Any(vec![text("abc"), text("xyz")]));
        assert_eq!(need("^abc$"), text("abc"));
        for unknown in ["ab", "a.b", "(abc)?", "abc|.", r"\d+", "äöü", "(abc|x)"] {
            assert!(need(unknown).is_nothing(), "{unknown}: {:?}", need(unknown));
        }
    }

    #[test]
    fn a_capital_letter_matters_if_it_is_one_to_look_for() {
        let finds = |pattern, line| !regex(pattern).expect("a pattern").spans(line).is_empty();
        assert!(finds("panic", "PANIC") && !finds("Panic", "PANIC"));
        assert!(finds(r"\Spanic", "xPANIC"), "a class has no capitals");
        let ask = |case| Search { pattern: "Panic".to_owned(), case, ..Search::default() };
        let finds = |case, line| !Pattern::new(&ask(case)).expect("one").spans(line).is_empty();
        assert!(finds(Case::Ignored, "PANIC") && !finds(Case::Matters, "panic"));
    }

    #[test]
    fn a_bad_pattern_says_where() {
        let why = |pattern| regex(pattern).expect_err("bad").to_string();
        assert_eq!(why("a(b"), "the pattern is no regex: unclosed group, at character 2");
        assert!(why(r"\pX").ends_with("at character 1"), "{}", why(r"\pX"));
        assert_eq!(why(r"\pL{1000}{100}"), "the pattern is too large");
        assert_eq!(why(""), "the pattern is empty");
    }
}
