//! What a setting can be: texts, choices, numbers, spans, and lists of them.

use protocol::Span;

use super::{describe, elements};
use crate::config::ucl::{Node, Value};

/// Something that a setting can be.
pub trait Setting: Sized {
    /// What to write, for the fault that says that something else was written.
    const WANTED: &'static str;

    /// Reads it.
    ///
    /// # Errors
    /// Why it is not one, in a few words, if [`Setting::WANTED`] does not say enough.
    fn read(value: &Value) -> Result<Self, Option<String>>;
}

impl Setting for String {
    const WANTED: &'static str = "a text";

    /// A number or a word such as `on` is a text too, where a text is wanted.
    fn read(value: &Value) -> Result<String, Option<String>> {
        if let Some(written) = &value.written {
            return Ok(written.to_string());
        }
        match &value.node {
            Node::Text(text) => Ok(text.clone()),
            Node::Int(n) => Ok(n.to_string()),
            Node::Float(n) => Ok(n.to_string()),
            Node::Bool(b) => Ok(b.to_string()),
            _ => Err(None),
        }
    }
}

impl Setting for bool {
    const WANTED: &'static str = "yes or no";

    fn read(value: &Value) -> Result<bool, Option<String>> {
        match value.node {
            Node::Bool(b) => Ok(b),
            _ => Err(None),
        }
    }
}

macro_rules! whole_numbers {
    ($($type:ty: $wanted:literal,)*) => {$(
        impl Setting for $type {
            const WANTED: &'static str = $wanted;

            fn read(value: &Value) -> Result<$type, Option<String>> {
                match value.node {
                    Node::Int(n) => <$type>::try_from(n).map_err(|_| None),
                    _ => Err(None),
                }
            }
        }
    )*};
}

whole_numbers! {
    u8: "a whole number from 0 to 255",
    u16: "a whole number from 0 to 65535",
    u32: "a whole number from 0 to 4294967295",
    u64: "a whole number",
}

impl Setting for Span {
    const WANTED: &'static str = "a span of time such as 30s, 5min or 2h";

    fn read(value: &Value) -> Result<Span, Option<String>> {
        match &value.node {
            Node::Seconds(s) if *s >= 0.0 && *s < 1e12 => Ok(Span((s * 1_000.0).round() as u64)),
            Node::Text(text) => text.parse().map_err(|_| None),
            // In UCL a bare 'm' means a million.
            Node::Int(n) if value.written.as_ref().is_some_and(|word| word.ends_with('m')) => {
                let minutes = n / 1_000_000;
                Err(Some(format!("in UCL 'm' is a million, not a minute; write {minutes}min")))
            }
            Node::Int(n) => Err(Some(format!("{n} has no unit; write for example {n}s or {n}min"))),
            _ => Err(None),
        }
    }
}

/// A list; one value alone is a list of one.
impl<T: Setting> Setting for Vec<T> {
    const WANTED: &'static str = T::WANTED;

    fn read(value: &Value) -> Result<Vec<T>, Option<String>> {
        let word = |element: &Value| match T::read(element) {
            Err(None) => Err(Some(format!("{} is not {}", describe(element), T::WANTED))),
            other => other,
        };
        elements(value).into_iter().map(word).collect()
    }
}

/// A choice of words. `setting_words!(Parity, "none, even or odd", { "none" => None, … })`
#[macro_export]
macro_rules! setting_words {
    ($type:ty, $wanted:literal, { $($word:literal => $value:expr),* $(,)? }) => {
        impl $crate::config::reader::Setting for $type {
            const WANTED: &'static str = $wanted;

            fn read(value: &$crate::config::ucl::Value) -> Result<$type, Option<String>> {
                match <String as $crate::config::reader::Setting>::read(value)?.as_str() {
                    $($word => Ok($value),)*
                    _ => Err(None),
                }
            }
        }
    };
}
