//! What is sent on a console under a name: texts, waits, BREAKs, and how DTR and RTS are to be.
//!
//! `"break 't'"`, `"dtr- 100ms dtr+"`, `"'\x03' 250ms 'reset\r'"`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use protocol::Span;

use super::fault::Faults;
use super::reader::{Setting, Table};
use super::ucl::Value;

/// A step of a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// `'text'`, with `\r`, `\n`, `\t`, `\e`, `\\`, `\'` and `\x1f` in it.
    Text(Vec<u8>),
    /// `100ms`
    Wait(Span),
    /// `break`, which is one of 250 ms.
    Break,
    /// `dtr+`, `dtr-`
    Dtr(bool),
    /// `rts+`, `rts-`
    Rts(bool),
}

/// Steps, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequence {
    /// The steps.
    pub steps: Vec<Step>,
    text: String,
}

/// All the waits of a sequence together: nobody types meanwhile.
const LONGEST: Span = Span::seconds(10);

/// How a BREAK for Linux is followed, by name.
const USUAL: [(&str, &str); 6] = [
    ("sysrq-b", "break 'b'"),
    ("sysrq-h", "break 'h'"),
    ("sysrq-s", "break 's'"),
    ("sysrq-t", "break 't'"),
    ("sysrq-u", "break 'u'"),
    ("uboot-stop", "' ' 100ms ' ' 100ms ' '"),
];

/// What may be sent where nothing is said.
pub(super) fn usual() -> BTreeMap<String, Sequence> {
    let known = |(name, text): &(&str, &str)| Some((String::from(*name), text.parse().ok()?));
    USUAL.iter().filter_map(known).collect()
}

/// `breaks { NAME = "…" }`, if it is there.
pub(super) fn read(
    table: &mut Table<'_>,
    key: &'static str,
    faults: &Faults,
) -> Option<BTreeMap<String, Sequence>> {
    table.value(key)?;
    let mut sequences = BTreeMap::new();
    for (name, value) in table.sections(key) {
        match Sequence::read(value) {
            Ok(sequence) => drop(sequences.insert(name.text.clone(), sequence)),
            Err(why) => {
                let why = why.unwrap_or_else(|| format!("this is not {}", Sequence::WANTED));
                faults.add(&value.at, format!("{}: {why}", name.text.escape_debug()));
            }
        }
    }
    Some(sequences)
}

/// By name, as they are written.
pub fn texts(sequences: BTreeMap<String, Sequence>) -> BTreeMap<String, String> {
    sequences.into_iter().map(|(name, sequence)| (name, sequence.text)).collect()
}

impl Setting for Sequence {
    const WANTED: &'static str = "a sequence, such as \"break 100ms 'b'\"";

    fn read(value: &Value) -> Result<Sequence, Option<String>> {
        String::read(value)?.parse().map_err(|bad: BadSequence| Some(bad.to_string()))
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// Why a text is no sequence.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSequence {
    /// There is nothing in it.
    #[error("nothing is sent; write break, 100ms, 'text', dtr+, dtr-, rts+ or rts-")]
    Empty,
    /// A word is no step.
    #[error("'{}' is no step; write break, 100ms, 'text', dtr+, dtr-, rts+ or rts-", .0.escape_debug())]
    Word(String),
    /// A text has no end.
    #[error("a text that begins with ' does not end with one")]
    Open,
    /// What follows a backslash means nothing.
    #[error("'\\{}' means nothing; write \\r, \\n, \\t, \\e, \\\\, \\' or \\x1f", .0.escape_debug())]
    Escape(String),
    /// It waits too long.
    #[error("it waits for longer than {LONGEST}, in which nobody could type")]
    Long,
}

impl FromStr for Sequence {
    type Err = BadSequence;

    fn from_str(text: &str) -> Result<Sequence, BadSequence> {
        let (mut steps, mut rest) = (Vec::new(), text.trim_start());
        while !rest.is_empty() {
            let (step, behind) = match rest.strip_prefix('\'') {
                Some(quoted) => quoted_text(quoted)?,
                None => {
                    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                    (word(&rest[..end])?, &rest[end..])
                }
            };
            steps.push(step);
            rest = behind.trim_start();
        }
        let waits = steps.iter().map(|step| if let Step::Wait(span) = step { span.0 } else { 0 });
        match waits.fold(0, u64::saturating_add) {
            _ if steps.is_empty() => Err(BadSequence::Empty),
            waits if waits > LONGEST.0 => Err(BadSequence::Long),
            _ => Ok(Sequence { steps, text: shown(text.trim()) }),
        }
    }
}

/// Without control characters, which a text may have as they are.
fn shown(text: &str) -> String {
    let show = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.into() };
    text.chars().map(show).collect()
}

fn word(word: &str) -> Result<Step, BadSequence> {
    Ok(match word {
        "break" => Step::Break,
        "dtr+" => Step::Dtr(true),
        "dtr-" => Step::Dtr(false),
        "rts+" => Step::Rts(true),
        "rts-" => Step::Rts(false),
        span => Step::Wait(span.parse().map_err(|_| BadSequence::Word(span.to_owned()))?),
    })
}

/// A text up to its end, and what is behind that.
fn quoted_text(text: &str) -> Result<(Step, &str), BadSequence> {
    let (mut bytes, mut chars) = (Vec::new(), text.chars());
    loop {
        match chars.next().ok_or(BadSequence::Open)? {
            '\'' => return Ok((Step::Text(bytes), chars.as_str())),
            '\\' => bytes.push(escaped(&mut chars)?),
            other => bytes.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

fn escaped(chars: &mut std::str::Chars<'_>) -> Result<u8, BadSequence> {
    Ok(match chars.next().ok_or(BadSequence::Open)? {
        'r' => b'\r',
        'n' => b'\n',
        't' => b'\t',
        'e' => 0x1b,
        '\\' => b'\\',
        '\'' => b'\'',
        'x' => {
            let digits: String = chars.by_ref().take(2).collect();
            let byte = u8::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 2);
            byte.ok_or_else(|| BadSequence::Escape(format!("x{digits}")))?
        }
        other => return Err(BadSequence::Escape(other.to_string())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(text: &str) -> Result<Vec<Step>, String> {
        let parsed: Result<Sequence, _> = text.parse();
        parsed.map(|sequence| sequence.steps).map_err(|bad| bad.to_string())
    }

    #[test]
    fn a_sequence_is_texts_waits_breaks_and_lines() {
        let text = |text: &str| Step::Text(text.into());
        assert_eq!(steps("break 't'"), Ok(vec![Step::Break, text("t")]));
        let reset = vec![Step::Dtr(false), Step::Wait(Span(100)), Step::Dtr(true)];
        assert_eq!(steps(" dtr-  100ms dtr+ "), Ok(reset));
        let both = vec![Step::Rts(true), Step::Wait(Span(2_000)), Step::Rts(false)];
        assert_eq!(steps("rts+ 2s rts-"), Ok(both));
        assert_eq!(steps(r"'\x03a\'\\ \r\n\t\e'"), Ok(vec![text("\x03a'\\ \r\n\t\x1b")]));
        assert_eq!(usual().len(), USUAL.len());
    }

    #[test]
    fn what_is_none_is_told_why() {
        let words = "write break, 100ms, 'text', dtr+, dtr-, rts+ or rts-";
        assert_eq!(steps(" "), Err(format!("nothing is sent; {words}")));
        assert_eq!(steps("break dtr"), Err(format!("'dtr' is no step; {words}")));
        assert_eq!(steps("'b"), Err("a text that begins with ' does not end with one".to_owned()));
        for bad in [r"'\x0'", r"'\xg0'", r"'\q'"] {
            assert!(steps(bad).unwrap_err().contains("means nothing"), "{bad}");
        }
        let long = "it waits for longer than 10s, in which nobody could type";
        assert_eq!(steps("6s break 5s"), Err(long.to_owned()));
    }
}
