//! From a UCL tree to typed settings, with every fault found on the way.
//!
//! A [`Table`] is one section being read. It remembers which keys were asked for, so that at its
//! end every other key is a fault that names the nearest key there is.

use std::collections::BTreeMap;

use protocol::Span;

use super::fault::Faults;
use super::ucl::{Key, Node, Place, Value};

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

/// One section being read.
pub struct Table<'a> {
    entries: &'a [(Key, Value)],
    at: Place,
    known: Vec<&'static str>,
    faults: &'a Faults,
}

impl<'a> Table<'a> {
    /// Begins to read a section. If `value` is none, that is a fault, and the section is empty.
    pub fn new(value: &'a Value, faults: &'a Faults) -> Table<'a> {
        let entries = match &value.node {
            Node::Object(entries) => entries.as_slice(),
            _ => {
                faults
                    .add(&value.at, format!("{} is not a section; write {{ … }}", describe(value)));
                &[]
            }
        };
        Table { entries, at: value.at.clone(), known: Vec::new(), faults }
    }

    /// Where the section begins.
    pub fn place(&self) -> &Place {
        &self.at
    }

    /// Where a key's value stands, or else the section.
    pub fn place_of(&self, key: &str) -> &Place {
        self.find(key).map_or(&self.at, |value| &value.at)
    }

    /// A setting that need not be there.
    pub fn optional<T: Setting>(&mut self, key: &'static str) -> Option<T> {
        let value = self.value(key)?;
        match T::read(value) {
            Ok(setting) => Some(setting),
            Err(why) => {
                let why =
                    why.unwrap_or_else(|| format!("{} is not {}", describe(value), T::WANTED));
                self.faults.add(&value.at, format!("{key}: {why}"));
                None
            }
        }
    }

    /// A setting with a default.
    pub fn or<T: Setting>(&mut self, key: &'static str, default: T) -> T {
        self.optional(key).unwrap_or(default)
    }

    /// A setting that must be there.
    pub fn required<T: Setting>(&mut self, key: &'static str) -> Option<T> {
        if self.find(key).is_none() {
            self.known.push(key);
            self.faults.add(&self.at, format!("'{key}' is missing; write {key} = {}", T::WANTED));
            return None;
        }
        self.optional(key)
    }

    /// The value of a key as it stands.
    pub fn value(&mut self, key: &'static str) -> Option<&'a Value> {
        self.known.push(key);
        self.find(key)
    }

    /// The named sections under a key: `classes { rpi4 { … } rpi5 { … } }`.
    pub fn sections(&mut self, key: &'static str) -> Vec<(&'a Key, &'a Value)> {
        match self.value(key) {
            None => Vec::new(),
            Some(Value { node: Node::Object(entries), .. }) => {
                entries.iter().map(|(key, value)| (key, value)).collect()
            }
            // The same section given twice is an array of two; their parts belong together.
            Some(Value { node: Node::Array(values), .. }) => values
                .iter()
                .filter_map(|value| match &value.node {
                    Node::Object(entries) => Some(entries),
                    _ => {
                        self.faults
                            .add(&value.at, format!("{key}: {} is not a section", describe(value)));
                        None
                    }
                })
                .flatten()
                .map(|(key, value)| (key, value))
                .collect(),
            Some(other) => {
                self.faults.add(
                    &other.at,
                    format!("{key}: {} is not a section; write {{ … }}", describe(other)),
                );
                Vec::new()
            }
        }
    }

    /// The sections of a list: `boards [ { … }, { … } ]`; one section alone is a list of one.
    pub fn list(&mut self, key: &'static str) -> Vec<&'a Value> {
        match self.value(key) {
            None => Vec::new(),
            Some(Value { node: Node::Array(values), .. }) => values.iter().collect(),
            Some(one) => vec![one],
        }
    }

    /// Every key not asked for by now, taken as it stands: attributes of a class.
    pub fn rest(&mut self) -> BTreeMap<String, serde_json::Value> {
        let rest = self.entries.iter().filter(|(key, _)| !self.known.contains(&key.text.as_str()));
        let rest = rest.map(|(key, value)| (key.text.clone(), to_json(value))).collect();
        self.entries = &[];
        rest
    }

    /// A fault at a key's value, or at the section if there is no such key.
    pub fn fault(&self, key: &str, message: impl Into<String>) {
        self.faults.add(self.place_of(key), message.into());
    }

    /// Ends the section: what was not asked for is not known.
    pub fn finish(self) {
        for (key, _) in self.entries {
            if !self.known.contains(&key.text.as_str()) {
                let near = nearest(&key.text, self.known.iter().copied());
                let help = match near {
                    Some(near) => format!("did you mean '{near}'?"),
                    None => format!("known here: {}", self.known.join(", ")),
                };
                self.faults.add(
                    &key.at,
                    format!("'{}' is not known here; {help}", key.text.escape_debug()),
                );
            }
        }
    }

    fn find(&self, key: &str) -> Option<&'a Value> {
        self.entries.iter().find(|(has, _)| has.text == key).map(|(_, value)| value)
    }
}

/// The nearest of some names, if it is near enough to have been meant.
pub fn nearest<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    names
        .into_iter()
        .map(|near| (strsim::damerau_levenshtein(name, near), near))
        .filter(|(distance, near)| *distance <= (near.chars().count().max(2) / 3).clamp(1, 3))
        .min()
        .map(|(_, near)| near)
}

/// A value in a few words, for faults.
pub fn describe(value: &Value) -> String {
    match &value.node {
        Node::Null => "null".to_owned(),
        Node::Bool(b) => b.to_string(),
        Node::Int(n) => n.to_string(),
        Node::Float(n) => n.to_string(),
        Node::Seconds(s) => format!("{s} seconds"),
        Node::Text(text) => format!("'{}'", text.escape_debug()),
        Node::Array(_) => "a list".to_owned(),
        Node::Object(_) => "a section".to_owned(),
    }
}

/// A value as JSON: times become seconds.
pub fn to_json(value: &Value) -> serde_json::Value {
    match &value.node {
        Node::Null => serde_json::Value::Null,
        Node::Bool(b) => (*b).into(),
        Node::Int(n) => (*n).into(),
        Node::Float(n) | Node::Seconds(n) => (*n).into(),
        Node::Text(text) => text.as_str().into(),
        Node::Array(values) => values.iter().map(to_json).collect(),
        Node::Object(entries) => {
            entries.iter().map(|(key, value)| (key.text.clone(), to_json(value))).collect()
        }
    }
}

impl Setting for String {
    const WANTED: &'static str = "a text";

    /// A number or a word such as `on` is a text too, where a text is wanted.
    fn read(value: &Value) -> Result<String, Option<String>> {
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
            Node::Int(n) if *n >= 1_000_000 && n % 1_000_000 == 0 => Err(Some(format!(
                "{n} is not a span of time; in UCL 'm' is a million, write {}min",
                n / 1_000_000
            ))),
            _ => Err(None),
        }
    }
}

/// A list; one value alone is a list of one.
impl<T: Setting> Setting for Vec<T> {
    const WANTED: &'static str = T::WANTED;

    fn read(value: &Value) -> Result<Vec<T>, Option<String>> {
        match &value.node {
            Node::Array(values) => values.iter().map(T::read).collect(),
            _ => T::read(value).map(|one| vec![one]),
        }
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
