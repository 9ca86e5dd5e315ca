//! Texts that come from boards, fit for a terminal: nothing in them moves, hides or reorders.

use std::borrow::Cow;

pub use protocol::text::is_plain;
use protocol::text::plain;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The text on one line, as [`plain`] leaves it.
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(plain(text.as_bytes(), usize::MAX))
}

/// As much of the text as fits into `width` cells, marked with `…` if some does not.
pub fn fit(text: &str, width: usize) -> Cow<'_, str> {
    if text.width() <= width {
        return Cow::Borrowed(text);
    }
    if width == 0 {
        return Cow::Borrowed("");
    }
    let mut fitted = head(text, width - 1).to_owned();
    fitted.push('…');
    Cow::Owned(fitted)
}

/// The longest beginning of the text that fits into `width` cells.
fn head(text: &str, width: usize) -> &str {
    let mut used = 0;
    let end = text.char_indices().find(|(_, c)| {
        used += c.width().unwrap_or(0);
        used > width
    });
    end.map_or(text, |(at, _)| &text[..at])
}

/// The text in lines of at most `width` cells, broken between words where that is possible.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for mut word in text.split_whitespace() {
        let last = lines.last_mut().expect("there is always one");
        let joint = usize::from(!last.is_empty());
        if last.width() + joint + word.width() <= width {
            last.push_str(if joint == 1 { " " } else { "" });
            last.push_str(word);
            continue;
        }
        if last.is_empty() {
            lines.pop();
        }
        while word.width() > width {
            let first = word.chars().next().map_or(0, char::len_utf8);
            let part = head(word, width).len().max(first);
            lines.push(word[..part].to_owned());
            word = &word[part..];
        }
        lines.push(word.to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_board_says_cannot_move_hide_or_reorder() {
        assert_eq!(clean("U-Boot 2026.01"), "U-Boot 2026.01");
        assert_eq!(clean("a\tb\r\nc"), "a b c");
        assert_eq!(clean("\u{1b}[2Jx\u{9b}31my\u{7f}"), "x\u{fffd}31my");
        assert_eq!(clean("user\u{202e}nimda\u{200b}"), "user\u{fffd}nimda\u{fffd}");
    }

    #[test]
    fn lines_are_broken_between_words() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("", 8), [""]);
        assert_eq!(wrap("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrap("漢字漢字", 3), ["漢", "字", "漢", "字"]);
        assert_eq!(wrap("漢a", 1), ["漢", "a"]);
    }

    #[test]
    fn what_does_not_fit_says_so() {
        assert_eq!(fit("abc", 3), "abc");
        assert_eq!(fit("abcd", 3), "ab…");
        assert_eq!(fit("漢字", 3), "漢…");
        assert_eq!(fit("abc", 0), "");
    }
}
