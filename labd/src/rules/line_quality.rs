//! How good a console's line is: what went wrong on it, and whether it is set to a wrong speed.
//!
//! Told by the console's task what its port has counted, and what was read. A port that does not count says
//! nothing of errors, which is not the same as none; a wrong speed shows in the text alone, too.

use std::time::Duration;

use protocol::console::{LineErrors, LineQuality};

/// The timeline has an entry on errors this often at most.
const REST: Duration = Duration::from_secs(60);
/// Fewer bytes say nothing about speed.
const ENOUGH: u64 = 512;
/// As many count; what is older counts for less and less.
const RECENT: u64 = 4 * 1024;
/// One byte of so many is strange on a line that is set right, at most: boards print logos, and files.
const STRANGE: u64 = 4;
/// One framing error among so many bytes is more than a cable does.
const MISFRAMED: u64 = 20;

const WRONG_SPEED: &str = "most of it is no text: is the speed right?";
const MISFRAMES: &str = "many characters do not end where they should: is the speed right?";

/// What is known of a line.
#[derive(Debug, Default)]
pub struct Line {
    /// What the port had counted when it was last looked at; none if it does not.
    seen: Option<LineErrors>,
    /// Since labd began; none if no port has counted.
    errors: Option<LineErrors>,
    bytes: u64,
    /// Not on the timeline yet: errors, and the bytes among which they were.
    untold: (LineErrors, u64),
    told: Option<Duration>,
    recent: Recent,
}

/// What was read of late.
#[derive(Debug, Default)]
struct Recent {
    bytes: u64,
    strange: u64,
    framing: u64,
}

impl Line {
    /// The port was opened, and counts from nothing.
    pub fn opened(&mut self) {
        self.seen = None;
        self.recent = Recent::default();
    }

    /// At `now`, counted from anywhere, `bytes` were read, and the port has counted `errors` since it was
    /// opened. What belongs on the timeline: errors, and among how many bytes they were.
    pub fn read(
        &mut self,
        now: Duration,
        bytes: &[u8],
        errors: Option<LineErrors>,
    ) -> Option<(LineErrors, u64)> {
        let count = bytes.len() as u64;
        self.bytes += count;
        self.untold.1 += count;
        self.recent.add(count, strange(bytes));
        if let Some(errors) = errors {
            let new = errors - self.seen.replace(errors).unwrap_or_default();
            self.errors = Some(self.errors.unwrap_or_default() + new);
            self.untold.0 = self.untold.0 + new;
            self.recent.framing += new.framing;
        }
        let is_due = self.told.is_none_or(|told| now.saturating_sub(told) >= REST);
        if self.untold.0.all() == 0 || !is_due {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }

    /// For whoever asks; none if nothing is known.
    pub fn quality(&self) -> Option<LineQuality> {
        let hint = self.recent.hint().map(str::to_owned);
        if self.errors.is_none() && hint.is_none() {
            return None;
        }
        Some(LineQuality { errors: self.errors, bytes: self.bytes, hint })
    }
}

impl Recent {
    fn add(&mut self, bytes: u64, strange: u64) {
        self.bytes += bytes;
        self.strange += strange;
        while self.bytes > RECENT {
            self.bytes /= 2;
            self.strange /= 2;
            self.framing /= 2;
        }
    }

    fn hint(&self) -> Option<&'static str> {
        match self.bytes {
            ..ENOUGH => None,
            bytes if self.framing * MISFRAMED > bytes => Some(MISFRAMES),
            bytes if self.strange * STRANGE > bytes => Some(WRONG_SPEED),
            _ => None,
        }
    }
}

/// How many of the bytes are of no text: neither UTF-8, nor what terminals obey.
fn strange(bytes: &[u8]) -> u64 {
    let of_terminals = |c: char| "\t\n\r\x07\x08\x0c\x1b\0".contains(c);
    let strange = bytes.utf8_chunks().map(|chunk| {
        let controls = chunk.valid().chars().filter(|c| c.is_control() && !of_terminals(*c));
        controls.count() + chunk.invalid().len()
    });
    strange.sum::<usize>() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: &[u8] =
        "U-Boot 2026.01\r\n\x1b[1mGrüße\x1b[0m Hit any key: \x08\x08 0\r\n".as_bytes();

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn framing(framing: u64) -> Option<LineErrors> {
        Some(LineErrors { framing, ..LineErrors::default() })
    }

    #[test]
    fn errors_are_told_at_most_once_a_minute_and_none_is_left_out() {
        let mut line = Line::default();
        line.opened();
        assert_eq!(line.read(at(0), b"12345", framing(0)), None);
        assert_eq!(line.read(at(1), b"12345", framing(2)), framing(2).map(|it| (it, 10)));
        assert_eq!(line.read(at(2), b"12345", framing(3)), None);
        assert_eq!(line.read(at(60), b"12345", framing(3)), None);
        assert_eq!(line.read(at(61), b"12345", framing(4)), framing(2).map(|it| (it, 15)));
        assert_eq!(line.read(at(200), b"12345", framing(4)), None);
        let all = LineQuality { errors: framing(4), bytes: 30, hint: None };
        assert_eq!(line.quality(), Some(all));
    }

    #[test]
    fn a_port_that_is_opened_again_counts_from_nothing() {
        let mut line = Line::default();
        line.opened();
        line.read(at(0), b"1", framing(5));
        line.opened();
        line.read(at(1), b"1", framing(2));
        assert_eq!(line.quality().map(|it| it.errors), Some(framing(7)));
    }

    #[test]
    fn what_is_not_counted_is_not_none() {
        let mut line = Line::default();
        line.opened();
        assert_eq!(line.read(at(0), BOOT, None), None);
        assert_eq!(line.quality(), None);
        line.read(at(1), BOOT, framing(0));
        assert_eq!(line.quality().map(|it| it.errors), Some(framing(0)));
    }

    /// What a board prints at 115200, read at 9600, and back again.
    #[test]
    fn a_wrong_speed_is_guessed_from_what_is_no_text_and_the_guess_is_taken_back() {
        let mut line = Line::default();
        let noise: Vec<u8> = (0..2_000_u32).map(|at| (at * 167 % 251) as u8).collect();
        line.read(at(0), &noise[..100], None);
        assert_eq!(line.quality(), None, "too little to tell");
        line.read(at(0), &noise, None);
        assert_eq!(line.quality().and_then(|it| it.hint).as_deref(), Some(WRONG_SPEED));
        for _ in 0..200 {
            line.read(at(1), BOOT, None);
        }
        assert_eq!(line.quality(), None);
    }

    #[test]
    fn many_framing_errors_are_a_wrong_speed_and_few_are_a_cable() {
        let text = BOOT.repeat(20);
        for (errors, hint) in [(3, None), (200, Some(MISFRAMES))] {
            let mut line = Line::default();
            line.read(at(0), &text, framing(errors));
            assert_eq!(line.quality().and_then(|it| it.hint).as_deref(), hint, "{errors}");
        }
    }

    #[test]
    fn text_of_every_language_is_no_noise() {
        for text in ["Привет, мир", "你好,世界", "\x1b[2J\x1b[Hlogin: "] {
            assert_eq!(strange(text.as_bytes()), 0, "{text:?}");
        }
        assert_eq!(strange(b"\x01\xfe a"), 2);
    }
}
