//! What a word without quotes is: null, a boolean, a number with or without a unit, or a text.

use super::Node;

/// A number that no 64 bits hold.
#[derive(Debug, PartialEq)]
pub(super) struct OutOfRange;

/// Reads a word as libucl does: what is not wholly a number is a text (`10.0.0.1`, `8N1`).
pub(super) fn scalar(word: &str) -> Result<Node, OutOfRange> {
    if word == "null" {
        return Ok(Node::Null);
    }
    if let Some(choice) = boolean(word) {
        return Ok(Node::Bool(choice));
    }
    match number(word) {
        Some(number) => number,
        None => Ok(Node::Text(word.to_owned())),
    }
}

fn boolean(word: &str) -> Option<bool> {
    let is = |any: [&str; 3]| any.iter().any(|one| word.eq_ignore_ascii_case(one));
    if is(["yes", "on", "true"]) {
        Some(true)
    } else if is(["no", "off", "false"]) {
        Some(false)
    } else {
        None
    }
}

fn number(word: &str) -> Option<Result<Node, OutOfRange>> {
    let digits = word.strip_prefix('-').unwrap_or(word);
    if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        return hexadecimal(hex, word.starts_with('-'));
    }
    let (length, whole) = mantissa(digits)?;
    let length = length + word.len() - digits.len();
    let (number, unit) = word.split_at(length);
    let unit = Unit::of(unit)?;
    Some(match unit {
        Unit::None | Unit::Times(_) | Unit::Bytes(_) if whole => counted(number, unit),
        Unit::None | Unit::Times(_) => measured(number, unit.factor()).map(Node::Float),
        Unit::Bytes(_) => measured(number, unit.factor()).and_then(truncated).map(Node::Int),
        Unit::Seconds(_) => measured(number, unit.factor()).map(Node::Seconds),
    })
}

fn hexadecimal(digits: &str, negative: bool) -> Option<Result<Node, OutOfRange>> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let number = i64::from_str_radix(digits, 16).map_err(|_| OutOfRange);
    Some(number.map(|n| Node::Int(if negative { -n } else { n })))
}

/// How many bytes of `12`, `1.5` or `2e-3` begin a word, and whether that is a whole number.
fn mantissa(word: &str) -> Option<(usize, bool)> {
    let digits = |from: usize| word[from..].bytes().take_while(u8::is_ascii_digit).count();
    let mut length = digits(0);
    let mut whole = true;
    if length == 0 {
        return None;
    }
    if word[length..].starts_with('.') {
        let fraction = digits(length + 1);
        if fraction == 0 {
            return None;
        }
        whole = false;
        length += 1 + fraction;
    }
    if word[length..].starts_with(['e', 'E']) {
        let sign = usize::from(word[length + 1..].starts_with(['+', '-']));
        let exponent = digits(length + 1 + sign);
        if exponent == 0 {
            return None;
        }
        whole = false;
        length += 1 + sign + exponent;
    }
    Some((length, whole))
}

/// What stands behind a number.
#[derive(Clone, Copy)]
enum Unit {
    None,
    /// A power of 1000.
    Times(i64),
    /// A power of 1024; always a whole number.
    Bytes(i64),
    /// A time, in seconds.
    Seconds(f64),
}

impl Unit {
    fn of(suffix: &str) -> Option<Unit> {
        Some(match suffix.to_ascii_lowercase().as_str() {
            "" => Unit::None,
            "k" => Unit::Times(1_000),
            "m" => Unit::Times(1_000_000),
            "g" => Unit::Times(1_000_000_000),
            "kb" => Unit::Bytes(1 << 10),
            "mb" => Unit::Bytes(1 << 20),
            "gb" => Unit::Bytes(1 << 30),
            "ms" => Unit::Seconds(0.001),
            "s" => Unit::Seconds(1.0),
            "min" => Unit::Seconds(60.0),
            "h" => Unit::Seconds(3_600.0),
            "d" => Unit::Seconds(86_400.0),
            "w" => Unit::Seconds(604_800.0),
            "y" => Unit::Seconds(31_536_000.0),
            _ => return None,
        })
    }

    fn factor(self) -> f64 {
        match self {
            Unit::None => 1.0,
            Unit::Times(n) | Unit::Bytes(n) => n as f64,
            Unit::Seconds(s) => s,
        }
    }
}

fn counted(number: &str, unit: Unit) -> Result<Node, OutOfRange> {
    let factor = match unit {
        Unit::Times(n) | Unit::Bytes(n) => n,
        Unit::None | Unit::Seconds(_) => 1,
    };
    let number: i64 = number.parse().map_err(|_| OutOfRange)?;
    number.checked_mul(factor).map(Node::Int).ok_or(OutOfRange)
}

fn measured(number: &str, factor: f64) -> Result<f64, OutOfRange> {
    let number: f64 = number.parse().map_err(|_| OutOfRange)?;
    // Milliseconds are divided, not multiplied by a fraction, so that 250ms is exactly a quarter.
    let result = if factor == 0.001 { number / 1_000.0 } else { number * factor };
    if result.is_finite() { Ok(result) } else { Err(OutOfRange) }
}

fn truncated(number: f64) -> Result<i64, OutOfRange> {
    if number.abs() < 9e18 { Ok(number as i64) } else { Err(OutOfRange) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_what_they_look_like() {
        for (word, node) in [
            ("null", Node::Null),
            ("Yes", Node::Bool(true)),
            ("OFF", Node::Bool(false)),
            ("0", Node::Int(0)),
            ("-7", Node::Int(-7)),
            ("0xfF", Node::Int(255)),
            ("10k", Node::Int(10_000)),
            ("10KB", Node::Int(10_240)),
            ("2g", Node::Int(2_000_000_000)),
            ("1gb", Node::Int(1_073_741_824)),
            ("1.5kb", Node::Int(1_536)),
            ("1.5k", Node::Float(1_500.0)),
            ("6.02e23", Node::Float(6.02e23)),
            ("250ms", Node::Seconds(0.25)),
            ("10min", Node::Seconds(600.0)),
            ("1.5h", Node::Seconds(5_400.0)),
            ("2w", Node::Seconds(1_209_600.0)),
            ("1y", Node::Seconds(31_536_000.0)),
        ] {
            assert_eq!(scalar(word), Ok(node), "{word}");
        }
    }

    #[test]
    fn what_only_begins_like_a_number_is_a_text() {
        for word in [
            "10.0.0.1", "8N1", "1.", "1e", "0x", "-", "3 apples", "5x", "1h30m", ".5", "Null",
            "0b1", "12:34", "é",
        ] {
            assert_eq!(scalar(word), Ok(Node::Text(word.to_owned())), "{word}");
        }
    }

    #[test]
    fn numbers_beyond_64_bits_are_refused() {
        for word in ["9223372036854775808", "10000000000g", "1e400", "0xffffffffffffffff"] {
            assert_eq!(scalar(word), Err(OutOfRange), "{word}");
        }
    }
}
