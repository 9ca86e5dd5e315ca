//! A conversation with a console: what to send, what to expect, in the order in which it was
//! written on the command line.

use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command};
use regex::bytes::Regex;

/// One step.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Type this.
    Send(Vec<u8>),
    /// Wait until the console has printed something like this.
    Expect(Regex),
}

/// The steps, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Steps(pub(super) Vec<Step>);

impl clap::Args for Steps {
    fn augment_args(command: Command) -> Command {
        command
            .arg(
                Arg::new("send")
                    .long("send")
                    .value_name("TEXT")
                    .action(ArgAction::Append)
                    .value_parser(unescape)
                    .help("Type this; \\n, \\r, \\t, \\e, \\xNN and \\\\ are understood"),
            )
            .arg(
                Arg::new("expect")
                    .long("expect")
                    .value_name("REGEX")
                    .action(ArgAction::Append)
                    .value_parser(NonEmptyStringValueParser::new())
                    .help("Wait until the console prints this; what colours or moves the cursor does not count"),
            )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Steps::augment_args(command)
    }
}

impl clap::FromArgMatches for Steps {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Steps, clap::Error> {
        let mut steps = Vec::new();
        let sends = matches.indices_of("send").into_iter().flatten();
        for (index, bytes) in sends.zip(matches.get_many::<Vec<u8>>("send").into_iter().flatten()) {
            steps.push((index, Step::Send(bytes.clone())));
        }
        let expects = matches.indices_of("expect").into_iter().flatten();
        for (index, text) in expects.zip(matches.get_many::<String>("expect").into_iter().flatten())
        {
            let regex = regex::bytes::RegexBuilder::new(text).multi_line(true).build();
            let regex = regex.map_err(|error| {
                clap::Error::raw(
                    clap::error::ErrorKind::ValueValidation,
                    format!("--expect: {error}\n"),
                )
            })?;
            steps.push((index, Step::Expect(regex)));
        }
        steps.sort_by_key(|(index, _)| *index);
        Ok(Steps(steps.into_iter().map(|(_, step)| step).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Steps::from_arg_matches(matches)?;
        Ok(())
    }
}

fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut rest = text.chars();
    while let Some(letter) = rest.next() {
        if letter != '\\' {
            bytes.extend(letter.to_string().bytes());
            continue;
        }
        match rest.next() {
            Some('n') => bytes.push(b'\n'),
            Some('r') => bytes.push(b'\r'),
            Some('t') => bytes.push(b'\t'),
            Some('e') => bytes.push(0x1b),
            Some('\\') => bytes.push(b'\\'),
            Some('x') => {
                let digits: String = rest.by_ref().take(2).collect();
                let byte = u8::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 2);
                bytes
                    .push(byte.ok_or_else(|| format!("'\\x{digits}' is not a byte; write \\x1b"))?);
            }
            other => {
                let other = other.map(String::from).unwrap_or_default();
                return Err(format!("'\\{other}' is not understood; write \\\\ for a backslash"));
            }
        }
    }
    Ok(bytes)
}

/// What a console printed, without what colours and moves the cursor, and where each byte came from.
#[derive(Debug, Default)]
pub(super) struct Heard {
    sanitiser: protocol::text::Sanitiser,
    text: Vec<u8>,
    offsets: Vec<u64>,
}

/// So much is kept for a match that has not come yet.
const KEPT: usize = 256 * 1024;

impl Heard {
    /// Hears more, that begins at `offset`.
    pub(super) fn hear(&mut self, offset: u64, bytes: &[u8]) {
        let mut safe = Vec::new();
        for (index, byte) in bytes.iter().enumerate() {
            safe.clear();
            self.sanitiser.feed(std::slice::from_ref(byte), &mut safe);
            // A sequence comes out whole when its last byte has gone in.
            let text = if safe.first() == Some(&0x1b) { &[][..] } else { &safe };
            for byte in text {
                self.text.push(*byte);
                self.offsets.push(offset + index as u64 + 1);
            }
        }
        let surplus = self.text.len().saturating_sub(KEPT);
        self.text.drain(..surplus);
        self.offsets.drain(..surplus);
    }

    /// The first match, and the offset behind it. What is before its end is forgotten.
    pub(super) fn take(&mut self, regex: &Regex) -> Option<(Vec<u8>, u64)> {
        let found = regex.find(&self.text)?;
        let (text, end) = (found.as_bytes().to_vec(), found.end());
        let offset = self.offsets.get(end.checked_sub(1)?).copied()?;
        self.text.drain(..end);
        self.offsets.drain(..end);
        Some((text, offset))
    }

    /// The newest lines, for an error.
    pub(super) fn tail(&self, lines: usize) -> String {
        let text = String::from_utf8_lossy(&self.text);
        let all: Vec<_> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        let newest = &all[all.len().saturating_sub(lines)..];
        newest
            .iter()
            .map(|line| format!("\n  | {}", protocol::text::plain(line.as_bytes(), 200)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_match_is_found_across_pieces_and_colours_and_says_where_it_ends() {
        let regex = Regex::new("login: $").expect("a regex");
        let mut heard = Heard::default();
        heard.hear(100, b"rpi4 \x1b[1mlo");
        assert!(heard.take(&regex).is_none());
        heard.hear(111, b"gin\x1b[0m: ");
        assert_eq!(heard.take(&regex), Some((b"login: ".to_vec(), 120)));
        assert!(heard.take(&regex).is_none(), "no match is found twice");
    }

    #[test]
    fn escapes_are_understood_and_nonsense_is_not() {
        assert_eq!(unescape(r"a\r\x1b\\é"), Ok("a\r\x1b\\é".as_bytes().to_vec()));
        assert!(unescape(r"\x1").is_err());
        assert!(unescape(r"\q").is_err());
    }
}
