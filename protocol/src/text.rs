//! What a board printed, made safe for a terminal, a log line or an error.
//!
//! Console bytes are hostile: they may set a terminal's title or clipboard, ask it questions whose
//! answers arrive as typed input, or spoil its modes. [`Sanitiser`] lets through what a console
//! session needs (text, line ends, colours, cursor movement, erasing) and nothing else. Every place
//! that shows such bytes uses it:
//!
//! - [`plain`]: one line of text, for a cell, a name, a message
//! - [`page`]: what a program of the lab's says, in lines and colours of its own
//! - [`json`]: what a script reads, and a person may look at

mod sanitiser;

use std::borrow::Cow;

pub use sanitiser::Sanitiser;

/// Whether a terminal may be given this character. Control characters are not, nor what changes the
/// direction of text, nor what is there and cannot be seen.
pub fn is_plain(c: char) -> bool {
    !c.is_control()
        && !matches!(c,
            '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// The text alone, on one line of at most `most` characters: for tables, logs and errors. Lines are
/// joined by a blank; a carriage return overwrites its line from the start, as it does on a terminal.
pub fn plain(bytes: &[u8], most: usize) -> String {
    let mut safe = Vec::with_capacity(bytes.len());
    Sanitiser::default().feed(bytes, &mut safe);
    let text = String::from_utf8_lossy(&safe);
    let mut line: Vec<char> = Vec::new();
    let (mut start, mut at) = (0_usize, 0_usize);
    let mut letters = text.trim_end_matches(['\r', '\n']).chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\u{1b}' => drop(sequence(&mut letters)),
            '\r' => at = start,
            '\u{8}' => at = at.saturating_sub(1).max(start),
            '\n' => {
                line.push(' ');
                (start, at) = (line.len(), line.len());
            }
            letter => {
                let letter = if letter.is_control() { ' ' } else { letter };
                if at < line.len() {
                    line[at] = letter;
                } else {
                    line.push(letter);
                }
                at += 1;
            }
        }
    }
    line.truncate(most);
    line.into_iter().collect::<String>().trim_end().to_owned()
}

/// What a program says, whatever was quoted in it: lines, tabs, and colours. Nothing that moves the cursor,
/// so that no line is drawn over another.
pub fn page(text: &str) -> String {
    let mut safe = Vec::with_capacity(text.len());
    Sanitiser::default().feed(text.as_bytes(), &mut safe);
    let safe = String::from_utf8_lossy(&safe);
    let mut page = String::with_capacity(safe.len());
    let mut letters = safe.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\u{1b}' => {
                let sequence = sequence(&mut letters);
                if sequence.ends_with('m') {
                    page.push('\u{1b}');
                    page.push_str(&sequence);
                }
            }
            '\r' | '\u{8}' => {}
            letter => page.push(letter),
        }
    }
    page
}

/// JSON that a terminal shows as it is: what is not plain stands there by its number.
pub fn json(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_plain(letter) {
            safe.push(letter);
        } else {
            // In JSON they stand in texts only, where their number in UTF-16 means the same.
            let units = letter.encode_utf16(&mut [0; 2]).to_vec();
            safe.extend(units.iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    Cow::Owned(safe)
}

/// The rest of a control sequence that the sanitiser let through, which is `ESC [ … letter`.
fn sequence(letters: &mut std::str::Chars<'_>) -> String {
    let mut sequence = String::new();
    for letter in letters.by_ref() {
        sequence.push(letter);
        if letter.is_ascii_alphabetic() || letter == '@' {
            break;
        }
    }
    sequence
}

/// What a line says: a Linux kernel's lines without the time in front, `[    1.234567] `, which
/// leaves little room in a column and means nothing beside other boards'.
pub fn saying(line: &str) -> &str {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let message = || {
        let (time, rest) = line.strip_prefix('[')?.split_once(']')?;
        let (seconds, micros) = time.trim_start().split_once('.')?;
        let message = rest.trim_start();
        (digits(seconds) && digits(micros) && !message.is_empty()).then_some(message)
    };
    message().unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_before_a_kernels_line_goes_and_nothing_else() {
        assert_eq!(
            saying("[    1.234567] Kernel panic - not syncing"),
            "Kernel panic - not syncing"
        );
        assert_eq!(saying("[12345.6] x"), "x");
        for line in
            ["[  OK  ] Started", "[    1.234567]", "[1.2.3] x", "[.5] x", "", "[1.5 x", "login:"]
        {
            assert_eq!(saying(line), line);
        }
    }

    #[test]
    fn one_line_of_text_remains() {
        assert_eq!(plain(b"\x1b[32m[  OK  ]\x1b[0m Started\tssh\r\n", 99), "[  OK  ] Started ssh");
        assert_eq!(plain(b"loading  10%\rloading  20%", 99), "loading  20%");
        assert_eq!(plain(b"autoboot:  3\x08\x08 2 ", 99), "autoboot:  2");
        assert_eq!(plain(b"one\r\ntwo\rT\n\x08x", 99), "one Two x");
        assert_eq!(plain(b"abcdef", 3), "abc");
    }

    #[test]
    fn a_page_has_lines_and_colours_and_nothing_moves() {
        assert_eq!(page("\x1b[1mrpi4\x1b[0m\ton\nx"), "\x1b[1mrpi4\x1b[0m\ton\nx");
        assert_eq!(page("a\x1b[2A\x1b[2Kb\rc\x08\x1b]0;t\x07d\u{9b}6n"), "abcd\u{fffd}6n");
    }

    #[test]
    fn json_means_what_it_meant() {
        let text =
            serde_json::to_string("a\u{9b}6n \u{202e} \u{e0041} \x7f\x1b grüße 漢").expect("JSON");
        let safe = json(&text);
        assert!(safe.chars().all(is_plain), "{safe}");
        let (one, other) =
            (serde_json::from_str::<String>(&text), serde_json::from_str::<String>(&safe));
        assert_eq!(one.expect("JSON"), other.expect("JSON"));
    }
}
