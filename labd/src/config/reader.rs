//! From a UCL tree to typed settings, with every fault found on the way.
//!
//! A [`Table`] is one section being read. It remembers which keys were asked for, so that at its
//! end every other key is a fault that names the nearest key there is.

mod setting;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use self::setting::Setting;
use super::fault::Faults;
use super::ucl::{Key, Node, Place, Value};

/// What keys that hold secrets end in.
const SECRETS: [&str; 5] = ["community", "password", "passphrase", "secret", "token"];

/// One section being read.
pub struct Table<'a> {
    entries: &'a [(Key, Value)],
    is_section: bool,
    at: Place,
    known: Vec<&'static str>,
    faults: &'a Faults,
}

impl<'a> Table<'a> {
    /// Begins to read a section. If `value` is none, that is a fault, and the section is empty.
    pub fn new(value: &'a Value, faults: &'a Faults) -> Table<'a> {
        let entries = match &value.node {
            Node::Object(entries) => Some(entries.as_slice()),
            _ => {
                let message = repeated(value).unwrap_or_else(|| {
                    format!("{} is not a section; write {{ … }}", describe(value))
                });
                faults.add(&value.at, message);
                None
            }
        };
        let is_section = entries.is_some();
        let entries = entries.unwrap_or_default();
        Table { entries, is_section, at: value.at.clone(), known: Vec::new(), faults }
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
                let why = why
                    .or_else(|| repeated(value))
                    .unwrap_or_else(|| format!("{} is not {}", describe(value), T::WANTED));
                self.faults.add(&value.at, format!("{key}: {why}{}", swallowed(value)));
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
            // What is no section is told of already.
            if self.is_section {
                self.faults.add(&self.at, format!("{}; write {key} = {}", lacks(key), T::WANTED));
            }
            return None;
        }
        self.optional(key)
    }

    /// The value of a key as it stands.
    pub fn value(&mut self, key: &'static str) -> Option<&'a Value> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        self.find(key)
    }

    /// Reads a section within; what `read` leaves over is a fault.
    pub fn within<T>(&self, value: &Value, read: impl FnOnce(&mut Table<'_>) -> T) -> T {
        let mut section = Table::new(value, self.faults);
        let settings = read(&mut section);
        section.finish();
        settings
    }

    /// The named sections under a key: `classes { rpi4 { … } rpi5 { … } }`.
    pub fn sections(&mut self, key: &'static str) -> Vec<(&'a Key, &'a Value)> {
        match self.value(key) {
            None => Vec::new(),
            // The same section given twice is an array of two; their parts belong together.
            Some(Value { node: Node::Array(values), .. }) => {
                values.iter().flat_map(|value| self.entries_of(key, value)).collect()
            }
            Some(other) => self.entries_of(key, other),
        }
    }

    fn entries_of(&self, key: &str, value: &'a Value) -> Vec<(&'a Key, &'a Value)> {
        let Node::Object(entries) = &value.node else {
            let message = format!("{key}: {} is not a section; write {{ … }}", describe(value));
            self.faults.add(&value.at, message);
            return Vec::new();
        };
        entries.iter().map(|(key, value)| (key, value)).collect()
    }

    /// The sections of a list: `boards [ { … }, { … } ]`; one section alone is a list of one.
    pub fn list(&mut self, key: &'static str) -> Vec<&'a Value> {
        match self.value(key) {
            None => Vec::new(),
            Some(value) => elements(value),
        }
    }

    /// Every key not asked for by now, taken as it stands: attributes of a class. One that is nearly
    /// a key that was asked for is a fault.
    pub fn rest(&mut self) -> BTreeMap<String, serde_json::Value> {
        let rest = self
            .unknown()
            .filter(|(key, _)| !self.is_misspelt(key))
            .map(|(key, value)| (key.text.clone(), to_json(value)))
            .collect();
        self.entries = &[];
        rest
    }

    /// A fault at a key's value, or at the section if there is no such key.
    pub fn fault(&self, key: &str, message: impl Into<String>) {
        self.fault_at(self.place_of(key), message);
    }

    /// A fault at a place within the section.
    pub fn fault_at(&self, at: &Place, message: impl Into<String>) {
        self.faults.add(at, message.into());
    }

    /// A warning at a key's value: what it names is not on this machine.
    pub fn warn(&self, key: &str, message: impl Into<String>) {
        self.faults.warn(self.place_of(key), message.into());
    }

    /// Ends the section: what was not asked for is not known.
    pub fn finish(self) {
        for (key, _) in self.unknown() {
            if !self.is_misspelt(key) {
                let name = key.text.escape_debug();
                let known = self.known.join(", ");
                self.faults
                    .add(&key.at, format!("'{name}' is not known here; known here: {known}"));
            }
        }
    }

    /// Ends a section whose reading stopped at a fault, so that not every key was asked for: what
    /// was not is a fault only if it looks like one that was.
    pub fn abandon(self) {
        for (key, _) in self.unknown() {
            self.is_misspelt(key);
        }
    }

    fn unknown(&self) -> impl Iterator<Item = &'a (Key, Value)> {
        self.entries.iter().filter(|(key, _)| !self.known.contains(&key.text.as_str()))
    }

    /// Reports a key that is nearly a known one, or that holds a secret.
    fn is_misspelt(&self, key: &Key) -> bool {
        if let Some(help) = self.secret(&key.text) {
            let name = key.text.escape_debug();
            self.faults
                .add_secret(&key.at, format!("'{name}' would be a secret in this file; {help}"));
            return true;
        }
        let near = nearest(&key.text, self.known.iter().copied());
        if let Some(near) = near {
            let name = key.text.escape_debug();
            let message = format!("'{name}' is not known here; did you mean '{near}'?");
            self.faults.add(&key.at, message);
            // It is there, under another name.
            self.faults.withdraw(&self.at, &lacks(near));
        }
        near.is_some()
    }

    /// What to do about a key that holds a secret: `auth_password` belongs into the file that
    /// `auth_file` names.
    fn secret(&self, key: &str) -> Option<String> {
        let word = SECRETS.iter().find(|word| key.ends_with(*word));
        let stem = word.map_or(key, |word| key.trim_end_matches(word).trim_end_matches('_'));
        let files = [format!("{key}_file"), format!("{stem}_file")];
        match files.iter().find(|file| self.known.contains(&file.as_str())) {
            Some(file) => {
                self.faults.withdraw(&self.at, &lacks(file));
                Some(format!("write {file} = PATH"))
            }
            None => word.map(|_| "take it away".to_owned()),
        }
    }

    fn find(&self, key: &str) -> Option<&'a Value> {
        self.entries.iter().find(|(has, _)| has.text == key).map(|(_, value)| value)
    }
}

/// How the fault of a key that is not there begins.
fn lacks(key: &str) -> String {
    format!("'{key}' is missing")
}

/// The nearest of some names, if it is near enough to have been meant.
pub fn nearest<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    names
        .into_iter()
        // Three characters at most may differ; what is far longer is not compared at all.
        .filter(|near| near.len().abs_diff(name.len()) <= 12)
        .map(|near| (strsim::damerau_levenshtein(name, near), near))
        .filter(|(distance, near)| *distance <= (near.chars().count().max(2) / 3).clamp(1, 3))
        .min()
        .map(|(_, near)| near)
}

/// The elements of a list; one value alone is a list of one. Lists under a key that was given more
/// than once are one list.
fn elements(value: &Value) -> Vec<&Value> {
    match &value.node {
        Node::Array(values) if value.is_repeated() => values.iter().flat_map(elements).collect(),
        Node::Array(values) => values.iter().collect(),
        _ => vec![value],
    }
}

/// What to say of a value that is many, because its key was given more than once.
fn repeated(value: &Value) -> Option<String> {
    match &value.node {
        Node::Array(values) if value.is_repeated() => {
            let last = &values[values.len() - 1];
            let lines = values[0].at.and(&last.at);
            Some(format!("this is given {} times ({lines}); write it once", values.len()))
        }
        _ => None,
    }
}

/// A hint for a text that has the next setting in it: `host = poe port = 2`.
fn swallowed(value: &Value) -> &'static str {
    match &value.node {
        Node::Text(text) if text.contains('=') => "; is a ';' missing?",
        _ => "",
    }
}

/// A value in a few words, for faults.
pub fn describe(value: &Value) -> String {
    if let Some(written) = &value.written {
        return written.escape_debug().to_string();
    }
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
