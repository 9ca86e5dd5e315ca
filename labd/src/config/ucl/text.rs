//! Texts: in quotes, without them, and as heredocs; and the variables in them.

use std::fs;
use std::path::Path;

use super::Place;
use super::cursor::Cursor;

/// What is wrong within a text.
pub(super) struct BadText {
    pub(super) at: Place,
    pub(super) message: String,
}

type Result<T> = std::result::Result<T, BadText>;

/// A text without quotes as it stands, and whether it has escapes in it (and so is no number).
pub(super) struct Unquoted {
    pub(super) text: String,
    pub(super) escaped: bool,
}

/// Reads `"…"` with the escapes of JSON.
pub(super) fn double_quoted(cursor: &mut Cursor<'_>) -> Result<String> {
    let open = cursor.clone();
    cursor.bump();
    let mut text = String::new();
    loop {
        match cursor.peek() {
            None | Some('\n') => return Err(never_closed(cursor, open)),
            Some('"') => {
                cursor.bump();
                return Ok(text);
            }
            Some('\\') => text.push(escape(cursor)?),
            Some(c) => {
                text.push(c);
                cursor.bump();
            }
        }
    }
}

/// Reads `'…'`, where only `\'` and a `\` at the end of a line mean something else.
pub(super) fn single_quoted(cursor: &mut Cursor<'_>) -> Result<String> {
    let open = cursor.clone();
    cursor.bump();
    let mut text = String::new();
    loop {
        if cursor.take("\\'") {
            text.push('\'');
        } else if cursor.take("\\\n") || cursor.take("\\\r\n") {
        } else {
            match cursor.bump() {
                None | Some('\n') => return Err(never_closed(cursor, open)),
                Some('\'') => return Ok(text),
                Some(c) => text.push(c),
            }
        }
    }
}

/// Goes back to a quote, so that the brackets behind it count when reading goes on.
fn never_closed<'t>(cursor: &mut Cursor<'t>, open: Cursor<'t>) -> BadText {
    let at = open.place();
    *cursor = open;
    let quote = cursor.bump().unwrap_or_default();
    let message =
        format!("this {quote} is not closed on its line; write {quote} at the text's end");
    BadText { at, message }
}

/// Reads one escape, from its backslash on.
fn escape(cursor: &mut Cursor<'_>) -> Result<char> {
    let at = cursor.place();
    cursor.bump();
    let plain = match cursor.bump() {
        Some('b') => '\u{8}',
        Some('f') => '\u{c}',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('u') => return unicode(cursor, at),
        Some(c) if c.is_ascii_punctuation() || c == ' ' => c,
        c => {
            let c = c.filter(|c| *c != '\n').map(String::from).unwrap_or_default();
            let message =
                format!("'\\{}' is no escape; write \\\\ for a backslash", c.escape_debug());
            return Err(BadText { at, message });
        }
    };
    Ok(plain)
}

/// Reads the digits of `\u00e9`, or of a pair such as `\ud83d\ude00`.
fn unicode(cursor: &mut Cursor<'_>, at: Place) -> Result<char> {
    let bad = |why: &str| BadText { at: at.clone(), message: why.to_owned() };
    let digits = "'\\u' wants four hexadecimal digits, as in \\u00e9";
    let first = four_digits(cursor).ok_or_else(|| bad(digits))?;
    let code = match first {
        0xd800..0xdc00 => {
            let half = "this is half a character; write both halves, as in \\ud83d\\ude00";
            let second = if cursor.take("\\u") { four_digits(cursor) } else { None };
            match second {
                Some(second @ 0xdc00..0xe000) => {
                    0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
                }
                _ => return Err(bad(half)),
            }
        }
        other => other,
    };
    char::from_u32(code).ok_or_else(|| bad("this second half of a character has no first"))
}

fn four_digits(cursor: &mut Cursor<'_>) -> Option<u32> {
    let mut code = 0;
    for _ in 0..4 {
        code = code * 16 + cursor.peek()?.to_digit(16)?;
        cursor.bump();
    }
    Some(code)
}

/// Reads a text without quotes: to the end of the line, a separator, a comment, or a bracket that
/// closes more than the text itself has opened. `closing` is a bracket that ends it besides.
pub(super) fn unquoted(cursor: &mut Cursor<'_>, closing: Option<char>) -> Result<Unquoted> {
    let (mut text, mut escaped) = (String::new(), false);
    let (mut braces, mut squares) = (0, 0);
    while let Some(c) = cursor.peek() {
        let after_blank = text.is_empty() || text.ends_with([' ', '\t']);
        match c {
            '\n' | '\r' | ';' | ',' | '\0' => break,
            '}' if braces == 0 => break,
            ']' if squares == 0 => break,
            _ if Some(c) == closing || cursor.rest().starts_with("/*") => break,
            '#' | '/' if (c == '#' || after_blank) && cursor.at_line_comment() => break,
            '\\' => {
                text.push(escape(cursor)?);
                escaped = true;
                continue;
            }
            '{' => braces += 1,
            '}' => braces -= 1,
            '[' => squares += 1,
            ']' => squares -= 1,
            _ => {}
        }
        text.push(c);
        cursor.bump();
    }
    text.truncate(text.trim_end().len());
    Ok(Unquoted { text, escaped })
}

/// Reads a heredoc if one begins here: `<<EOD`, lines, and a line that is `EOD`.
/// The newlines next to the two marks are not part of the text.
pub(super) fn heredoc(cursor: &mut Cursor<'_>) -> Option<Result<String>> {
    let open = cursor.place();
    let mut ahead = cursor.clone();
    if !ahead.take("<<") {
        return None;
    }
    let mark = ahead.take_while(|c| c.is_ascii_uppercase());
    if mark.is_empty() || !(ahead.take("\n") || ahead.take("\r\n")) {
        return None;
    }
    *cursor = ahead;
    let mut lines = Vec::new();
    loop {
        let line = cursor.clone();
        if cursor.take(mark) && cursor.peek().is_none_or(|c| "\r\n;,".contains(c)) {
            return Some(Ok(lines.join("\n")));
        }
        *cursor = line;
        lines.push(cursor.take_while(|c| c != '\n').trim_end_matches('\r'));
        if cursor.bump().is_none() {
            let message = format!("this text is not ended; write {mark} on a line of its own");
            return Some(Err(BadText { at: open, message }));
        }
    }
}

/// What `$NAME` and `${NAME}` stand for in one file.
pub(super) struct Variables([(&'static str, String); 2]);

impl Variables {
    /// The two that libucl defines by itself.
    pub(super) fn of(file: &Path) -> Variables {
        let full = fs::canonicalize(file).or_else(|_| std::path::absolute(file));
        let full = full.unwrap_or_else(|_| file.to_owned());
        let folder = full.parent().unwrap_or(Path::new("/"));
        Variables([
            ("FILENAME", full.display().to_string()),
            ("CURDIR", folder.display().to_string()),
        ])
    }

    /// Puts values for variables. Unknown ones stay as they are; so does everything, `$$` too, in
    /// a text without any known one.
    pub(super) fn expand(&self, text: String) -> String {
        let (mut expanded, mut rest, mut found) = (String::new(), text.as_str(), false);
        while let Some(dollar) = rest.find('$') {
            expanded.push_str(&rest[..dollar]);
            rest = &rest[dollar + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                expanded.push('$');
                rest = after;
            } else if let Some((value, after)) = self.variable(rest) {
                expanded.push_str(value);
                rest = after;
                found = true;
            } else {
                expanded.push('$');
            }
        }
        expanded.push_str(rest);
        if found { expanded } else { text }
    }

    /// The variable that `text` begins with, and what follows it.
    fn variable<'t>(&self, text: &'t str) -> Option<(&str, &'t str)> {
        self.0.iter().find_map(|(name, value)| {
            let after = match text.strip_prefix('{') {
                Some(braced) => braced.strip_prefix(name)?.strip_prefix('}')?,
                None => text.strip_prefix(name)?,
            };
            Some((value.as_str(), after))
        })
    }
}
