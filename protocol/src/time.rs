//! Instants and spans, in whole milliseconds.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An instant of the lab's clock: milliseconds since 1970-01-01 00:00 UTC.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
pub struct Time(pub u64);

/// How long something lasts, in milliseconds.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
pub struct Span(pub u64);

impl Time {
    /// How long after `earlier` this is; nothing if it is before it.
    pub fn since(self, earlier: Time) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// This instant moved by `ms`, which may be negative.
    pub fn shifted(self, ms: i64) -> Time {
        Time(self.0.saturating_add_signed(ms))
    }
}

impl Add<Span> for Time {
    type Output = Time;

    fn add(self, span: Span) -> Time {
        Time(self.0.saturating_add(span.0))
    }
}

impl Sub<Span> for Time {
    type Output = Time;

    fn sub(self, span: Span) -> Time {
        Time(self.0.saturating_sub(span.0))
    }
}

const UNITS: [(&str, u64); 5] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];

impl Span {
    /// A span of `n` milliseconds.
    pub const fn millis(n: u64) -> Span {
        Span(n)
    }

    /// A span of `n` seconds.
    pub const fn seconds(n: u64) -> Span {
        Span(n * 1_000)
    }

    /// A span of `n` minutes.
    pub const fn minutes(n: u64) -> Span {
        Span(n * 60_000)
    }

    /// A span of `n` hours.
    pub const fn hours(n: u64) -> Span {
        Span(n * 3_600_000)
    }

    /// The same span as the standard library writes it.
    pub const fn duration(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }
}

impl From<std::time::Duration> for Span {
    fn from(duration: std::time::Duration) -> Span {
        Span(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }
}

/// At most two units, the largest first: `2d4h`, `1h30m`, `45s`, `250ms`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1_000 {
            return write!(f, "{}ms", self.0);
        }
        let first = UNITS.iter().position(|(_, ms)| self.0 >= *ms).unwrap_or(UNITS.len() - 1);
        let (unit, ms) = UNITS[first];
        write!(f, "{}{unit}", self.0 / ms)?;
        match UNITS.get(first + 1) {
            Some((unit, smaller)) if self.0 % ms / smaller > 0 => {
                write!(f, "{}{unit}", self.0 % ms / smaller)
            }
            _ => Ok(()),
        }
    }
}

/// Why a text is not a span.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a span of time; write for example 30s, 45min, 1h30m, 2d")]
pub struct BadSpan(String);

/// `30s`, `45min`, `1h30m`, `2d`, `250ms`: whole numbers, each with its unit.
impl FromStr for Span {
    type Err = BadSpan;

    fn from_str(text: &str) -> Result<Span, BadSpan> {
        let bad = || BadSpan(text.to_owned());
        let mut rest = text.trim();
        let mut total = None::<u64>;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
            let number: u64 = rest[..digits].parse().map_err(|_| bad())?;
            rest = &rest[digits..];
            let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
            let ms = unit(&rest[..letters]).ok_or_else(bad)?;
            rest = rest[letters..].trim_start();
            let part = number.checked_mul(ms).ok_or_else(bad)?;
            total = Some(total.unwrap_or(0).checked_add(part).ok_or_else(bad)?);
        }
        total.map(Span).ok_or_else(bad)
    }
}

fn unit(name: &str) -> Option<u64> {
    let short = match name {
        "ms" => return Some(1),
        "min" | "mins" | "minute" | "minutes" => "m",
        "sec" | "secs" | "second" | "seconds" => "s",
        "hour" | "hours" => "h",
        "day" | "days" => "d",
        "week" | "weeks" => "w",
        other => other,
    };
    UNITS.iter().find(|(unit, _)| *unit == short).map(|(_, ms)| *ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_people_write_them() {
        for (text, span) in [
            ("30s", Span::seconds(30)),
            ("45min", Span::minutes(45)),
            ("1h30m", Span::minutes(90)),
            ("1h 30m", Span::minutes(90)),
            ("2d", Span::hours(48)),
            ("250ms", Span(250)),
        ] {
            assert_eq!(text.parse(), Ok(span), "{text}");
        }
        for text in ["", "5", "h", "-1h", "1x", "99999999999999999999h", "1h30"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn spans_are_printed_with_two_units_at_most() {
        assert_eq!(Span::minutes(90).to_string(), "1h30m");
        assert_eq!(Span(3_600_000 + 59_000).to_string(), "1h");
        assert_eq!(Span(61_000).to_string(), "1m1s");
        assert_eq!(Span(999).to_string(), "999ms");
    }
}
