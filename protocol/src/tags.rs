//! The small language that chooses boards by their tags: `arm64 and (poe or usb3) and not flaky`.
//!
//! `and`, `or`, `not` may be written `&`, `|`, `!`; two tags side by side mean `and`.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An expression over tags. On the wire it is its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub enum TagExpr {
    /// The board has this tag.
    Tag(String),
    /// It does not meet this.
    Not(Box<TagExpr>),
    /// It meets both.
    And(Box<TagExpr>, Box<TagExpr>),
    /// It meets either.
    Or(Box<TagExpr>, Box<TagExpr>),
}

impl TagExpr {
    /// Whether the expression is true of something whose tags `has` knows.
    pub fn is_met_by(&self, has: &dyn Fn(&str) -> bool) -> bool {
        match self {
            TagExpr::Tag(tag) => has(tag),
            TagExpr::Not(inner) => !inner.is_met_by(has),
            TagExpr::And(a, b) => a.is_met_by(has) && b.is_met_by(has),
            TagExpr::Or(a, b) => a.is_met_by(has) || b.is_met_by(has),
        }
    }

    /// Every tag it names.
    pub fn tags(&self) -> Vec<&str> {
        match self {
            TagExpr::Tag(tag) => vec![tag],
            TagExpr::Not(inner) => inner.tags(),
            TagExpr::And(a, b) | TagExpr::Or(a, b) => [a.tags(), b.tags()].concat(),
        }
    }
}

impl fmt::Display for TagExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TagExpr::Tag(tag) => write!(f, "{tag}"),
            TagExpr::Not(inner) => match **inner {
                TagExpr::Tag(_) | TagExpr::Not(_) => write!(f, "not {inner}"),
                _ => write!(f, "not ({inner})"),
            },
            TagExpr::And(a, b) => {
                let side = |f: &mut fmt::Formatter<'_>, e: &TagExpr| match e {
                    TagExpr::Or(..) => write!(f, "({e})"),
                    _ => write!(f, "{e}"),
                };
                side(f, a)?;
                write!(f, " and ")?;
                side(f, b)
            }
            TagExpr::Or(a, b) => write!(f, "{a} or {b}"),
        }
    }
}

impl From<TagExpr> for String {
    fn from(expr: TagExpr) -> String {
        expr.to_string()
    }
}

impl TryFrom<String> for TagExpr {
    type Error = BadTags;

    fn try_from(text: String) -> Result<TagExpr, BadTags> {
        text.parse()
    }
}

/// Why a text is not a tag expression.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why} in '{text}'; write for example: arm64 and (poe or usb3) and not flaky")]
pub struct BadTags {
    text: String,
    why: String,
}

/// Deeper nesting is refused, so that no text exhausts the stack.
const DEEPEST: usize = 64;
/// A longer expression is refused for the same reason: `a and b and c …` nests to the left.
const MOST_WORDS: usize = 256;

impl FromStr for TagExpr {
    type Err = BadTags;

    fn from_str(text: &str) -> Result<TagExpr, BadTags> {
        let words = words(text);
        let mut parser = Parser { words: &words, at: 0 };
        let parsed = if words.len() > MOST_WORDS {
            Err("too many words".to_owned())
        } else {
            parser.either(0).and_then(|expr| match parser.peek() {
                None => Ok(expr),
                Some(word) => Err(format!("unexpected '{word}'")),
            })
        };
        parsed.map_err(|why| BadTags { text: text.to_owned(), why })
    }
}

fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let sign = |c: char| "()!&|".contains(c);
        let length = if sign(first) {
            1
        } else {
            rest.find(|c: char| sign(c) || c.is_whitespace()).unwrap_or(rest.len())
        };
        words.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    words
}

struct Parser<'a> {
    words: &'a [&'a str],
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.words.get(self.at).copied()
    }

    fn take(&mut self, any: &[&str]) -> bool {
        let found = self.peek().is_some_and(|word| any.contains(&word));
        self.at += usize::from(found);
        found
    }

    fn either(&mut self, depth: usize) -> Result<TagExpr, String> {
        let mut left = self.both(depth)?;
        while self.take(&["or", "|"]) {
            self.take(&["|"]);
            left = TagExpr::Or(Box::new(left), Box::new(self.both(depth)?));
        }
        Ok(left)
    }

    fn both(&mut self, depth: usize) -> Result<TagExpr, String> {
        let mut left = self.one(depth)?;
        loop {
            if self.take(&["and", "&"]) {
                self.take(&["&"]);
            } else if matches!(self.peek(), None | Some(")" | "or" | "|")) {
                return Ok(left);
            }
            left = TagExpr::And(Box::new(left), Box::new(self.one(depth)?));
        }
    }

    fn one(&mut self, depth: usize) -> Result<TagExpr, String> {
        if depth > DEEPEST {
            return Err("too many brackets".to_owned());
        }
        if self.take(&["not", "!"]) {
            return Ok(TagExpr::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.take(&["("]) {
            let inner = self.either(depth + 1)?;
            return if self.take(&[")"]) { Ok(inner) } else { Err("a missing ')'".to_owned()) };
        }
        match self.peek() {
            None => Err("a tag is missing at the end".to_owned()),
            Some(word @ (")" | "and" | "or" | "&" | "|")) => Err(format!("unexpected '{word}'")),
            Some(word) => {
                self.at += 1;
                Ok(TagExpr::Tag(word.to_owned()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(expr: &str, tags: &[&str]) -> bool {
        expr.parse::<TagExpr>().expect(expr).is_met_by(&|tag| tags.contains(&tag))
    }

    #[test]
    fn expressions_choose_as_they_read() {
        assert!(met("arm64", &["arm64"]));
        assert!(met("arm64 poe", &["arm64", "poe"]));
        assert!(!met("arm64 and not poe", &["arm64", "poe"]));
        assert!(met("arm64&(poe||usb3)", &["arm64", "usb3"]));
        assert!(met("a or b and c", &["a"]), "'and' binds tighter than 'or'");
        assert!(met("!a | b", &["b", "a"]));
    }

    #[test]
    fn what_is_printed_reads_back_the_same() {
        for text in ["a", "not a", "a and (b or c)", "not (a and b) or c", "a and not not b"] {
            let expr: TagExpr = text.parse().expect(text);
            assert_eq!(expr.to_string().parse(), Ok(expr), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_its_reason() {
        for text in ["", "and", "a or", "(a", "a)", "not", &"(".repeat(9999), &"! ".repeat(200)] {
            assert!(text.parse::<TagExpr>().is_err(), "{text}");
        }
        assert!("(a".parse::<TagExpr>().expect_err("bracket").to_string().contains("')'"));
    }
}
