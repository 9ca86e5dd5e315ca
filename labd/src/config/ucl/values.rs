//! What a statement is made of: its key, the names behind it, and its value.

use super::cursor::Cursor;
use super::parser::{Chunk, DEEPEST, End, Lost, Parser};
use super::scalar::{OutOfRange, scalar};
use super::section::Section;
use super::text;
use super::{Key, Node, Place, Value};

impl Parser<'_> {
    pub(super) fn key(&mut self, chunk: &mut Chunk<'_>) -> Result<Key, Lost> {
        let cursor = &mut chunk.cursor;
        let at = cursor.place();
        let text = match cursor.peek() {
            Some('"') => text::double_quoted(cursor),
            Some('\'') => text::single_quoted(cursor),
            _ => Ok(bare_key(cursor).to_owned()),
        };
        let text = self.text(text)?;
        if text.is_empty() && !chunk.cursor.is_at(&at) {
            return Err(self.fault(&at, "a key is empty; write KEY = VALUE"));
        }
        if text.is_empty() {
            let word = chunk.cursor.word();
            return Err(self.fault(&at, format!("{word} begins no setting; write KEY = VALUE")));
        }
        match chunk.cursor.peek() {
            Some(c) if !c.is_whitespace() && !"=:{[;,}])#/\"'".contains(c) => {
                let at = chunk.cursor.place();
                Err(self.fault(
                    &at,
                    format!("'{}' cannot stand in a key; put the key in quotes", c.escape_debug()),
                ))
            }
            _ => Ok(Key { text, at }),
        }
    }

    /// Reads what follows a key: a value, or names and then a section.
    pub(super) fn assigned(&mut self, chunk: &mut Chunk<'_>, key: &Key) -> Result<Value, Lost> {
        self.gap(chunk, Cursor::blanks)?;
        if let Some('=' | ':') = chunk.cursor.peek() {
            chunk.cursor.bump();
            return self.separated(chunk, key);
        }
        if let Some(names) = names(&mut chunk.cursor) {
            return self.named(chunk, names);
        }
        // A section's bracket may stand on a line of its own; a value may not.
        if chunk.cursor.peek() == Some('\n') {
            let mut ahead = chunk.cursor.clone();
            if ahead.lines().is_ok() && matches!(ahead.peek(), Some('{' | '[')) {
                chunk.cursor = ahead;
            }
        }
        self.value(chunk, &key.text)
    }

    /// Reads a value behind `=` or `:`, which may stand on the next line, as in JSON.
    fn separated(&mut self, chunk: &mut Chunk<'_>, key: &Key) -> Result<Value, Lost> {
        let line = chunk.cursor.line();
        let mut ahead = chunk.cursor.clone();
        ahead.lines().map_err(|unclosed| self.unclosed(&unclosed))?;
        if ahead.peek() == Some('=') {
            let at = ahead.place();
            chunk.cursor = ahead;
            return Err(self.fault(&at, "one '=' is enough"));
        }
        // `key =` and on the next line `other = 1` is a forgotten value, not the text 'other = 1'.
        let forgotten = ahead.line() > line && {
            let mut next = ahead.clone();
            let key = bare_key(&mut next);
            let assigned = |rest: &str| rest.starts_with('=') || rest.starts_with(": ");
            !key.is_empty() && next.blanks().is_ok() && assigned(next.rest())
        };
        match forgotten {
            true => Err(self.no_value(chunk, &key.text)),
            false => {
                chunk.cursor = ahead;
                self.value(chunk, &key.text)
            }
        }
    }

    /// Reads the section, or the list, behind `section "a" b`: as if it were `section { a { b`.
    fn named(&mut self, chunk: &mut Chunk<'_>, names: Vec<Key>) -> Result<Value, Lost> {
        let (before, count) = (self.brackets.len(), names.len());
        if before + count > DEEPEST {
            return Err(self.too_deep(&chunk.cursor.place()));
        }
        self.brackets.extend(names.iter().map(|_| '\0'));
        let value = self.value(chunk, "the section");
        self.brackets.truncate(before);
        Ok(names.into_iter().rev().fold(value?, |value, name| {
            let at = name.at.clone();
            Value::new(Node::Object(vec![(name, value)]), at)
        }))
    }

    /// Reads the value of `key`.
    pub(super) fn value(&mut self, chunk: &mut Chunk<'_>, key: &str) -> Result<Value, Lost> {
        let at = chunk.cursor.place();
        let node = match chunk.cursor.peek() {
            Some(open @ ('{' | '[')) => return self.bracketed(chunk, open, at),
            Some('"') => {
                let text = self.text(text::double_quoted(&mut chunk.cursor))?;
                Node::Text(chunk.variables.expand(text))
            }
            Some('\'') => Node::Text(self.text(text::single_quoted(&mut chunk.cursor))?),
            _ => match text::heredoc(&mut chunk.cursor) {
                Some(text) => {
                    self.cut_short |= text.is_err();
                    Node::Text(chunk.variables.expand(self.text(text)?))
                }
                None => return self.bare(chunk, key, at),
            },
        };
        Ok(Value::new(node, at))
    }

    fn bare(&mut self, chunk: &mut Chunk<'_>, key: &str, at: Place) -> Result<Value, Lost> {
        let closing = self.brackets.last().copied().filter(|c| *c == ')');
        let word = self.text(text::unquoted(&mut chunk.cursor, closing))?;
        if word.text.is_empty() {
            return Err(self.no_value(chunk, key));
        }
        let node =
            if word.escaped { Ok(Node::Text(word.text.clone())) } else { scalar(&word.text) };
        match node {
            Ok(Node::Text(text)) => Ok(Value::new(Node::Text(chunk.variables.expand(text)), at)),
            Ok(node) => Ok(Value { node, at, written: Some(word.text.into()) }),
            Err(OutOfRange) => {
                let word = word.text.escape_debug();
                let message = "is too large a number; put it in quotes if it is a text";
                Err(self.fault(&at, format!("{word} {message}")))
            }
        }
    }

    fn bracketed(&mut self, chunk: &mut Chunk<'_>, open: char, at: Place) -> Result<Value, Lost> {
        if self.brackets.len() >= DEEPEST {
            return Err(self.too_deep(&at));
        }
        chunk.cursor.bump();
        let node = if open == '{' {
            self.brackets.push('}');
            self.section(chunk, &End::Bracket('}', at.clone()))
        } else {
            self.brackets.push(']');
            self.list(chunk, &End::Bracket(']', at.clone()))
        };
        self.brackets.pop();
        Ok(Value::new(node, at))
    }

    fn section(&mut self, chunk: &mut Chunk<'_>, end: &End) -> Node {
        self.open.push(Section::default());
        self.statements(chunk, end);
        self.open.pop().unwrap_or_default().done()
    }

    /// Reads the arguments of a macro, from their bracket on.
    pub(super) fn arguments(&mut self, chunk: &mut Chunk<'_>) -> Result<Value, Lost> {
        let at = chunk.cursor.place();
        if self.brackets.len() >= DEEPEST {
            return Err(self.too_deep(&at));
        }
        chunk.cursor.bump();
        self.brackets.push(')');
        let node = self.section(chunk, &End::Bracket(')', at.clone()));
        self.brackets.pop();
        Ok(Value::new(node, at))
    }

    fn list(&mut self, chunk: &mut Chunk<'_>, end: &End) -> Node {
        let mut values = Vec::new();
        loop {
            if self.gap(chunk, Cursor::separators).is_err() || self.is_full() {
                chunk.cursor.end();
            }
            match chunk.cursor.peek() {
                Some(']') => {
                    chunk.cursor.bump();
                    break;
                }
                None | Some('}' | ')') => {
                    if self.stray(chunk, end) {
                        break;
                    }
                }
                Some(_) => match self.value(chunk, "the list's element") {
                    Ok(value) => {
                        values.push(value);
                        if self.after(chunk).is_err() {
                            self.recover(&mut chunk.cursor);
                        }
                    }
                    Err(Lost) => self.recover(&mut chunk.cursor),
                },
            }
        }
        Node::Array(values)
    }

    fn no_value(&mut self, chunk: &Chunk<'_>, key: &str) -> Lost {
        let key = key.escape_debug();
        self.fault(&chunk.cursor.place(), format!("'{key}' has no value; write {key} = VALUE"))
    }

    fn too_deep(&mut self, at: &Place) -> Lost {
        self.fault(at, format!("this is nested more than {DEEPEST} deep"))
    }
}

/// Passes a key without quotes. A comment may follow it directly.
fn bare_key<'t>(cursor: &mut Cursor<'t>) -> &'t str {
    let rest = cursor.rest();
    let comment = |at: usize| ["/*", "//"].iter().any(|mark| rest[at..].starts_with(mark));
    let ends = |(at, c): (usize, char)| {
        !(c.is_alphanumeric() || "_-./@+".contains(c)) || (c == '/' && comment(at))
    };
    let end = rest.char_indices().find(|at| ends(*at)).map_or(rest.len(), |(at, _)| at);
    cursor.take(&rest[..end]);
    &rest[..end]
}

/// Passes the names between a section's key and its bracket, if that is what stands here.
fn names(cursor: &mut Cursor<'_>) -> Option<Vec<Key>> {
    let mut ahead = cursor.clone();
    let mut names = Vec::new();
    while !matches!(ahead.peek(), Some('{' | '[')) {
        let at = ahead.place();
        let text = match ahead.peek()? {
            '"' => text::double_quoted(&mut ahead).ok()?,
            '\'' => text::single_quoted(&mut ahead).ok()?,
            _ => bare_key(&mut ahead).to_owned(),
        };
        if text.is_empty() {
            return None;
        }
        names.push(Key { text, at });
        ahead.blanks().ok()?;
    }
    if names.is_empty() {
        return None;
    }
    *cursor = ahead;
    Some(names)
}
