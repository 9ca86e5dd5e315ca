//! A section while it is being read: what becomes of a key that is there already.

use std::collections::HashMap;

use super::{Key, Node, Place, Value};
use crate::setting_words;

/// What to do about a key that is there already: `.include(duplicate = merge) …`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Duplicate {
    /// Keep both, as an array; but the one of higher priority wins.
    #[default]
    Append,
    /// Put sections together; otherwise as [`Duplicate::Append`].
    Merge,
    /// Keep the later one.
    Rewrite,
    /// Refuse.
    Error,
}

setting_words!(Duplicate, "append, merge, rewrite or error", {
    "append" => Duplicate::Append,
    "merge" => Duplicate::Merge,
    "rewrite" => Duplicate::Rewrite,
    "error" => Duplicate::Error,
});

/// How one source's settings stand to those of others.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Standing {
    /// 0 to 15; a higher one replaces a lower one.
    pub(super) priority: u8,
    pub(super) duplicate: Duplicate,
}

/// The entries so far, in the order of the source.
#[derive(Default)]
pub(super) struct Section {
    entries: Vec<Entry>,
    index: HashMap<String, usize>,
}

struct Entry {
    key: Key,
    value: Value,
    priority: u8,
    origin: Origin,
}

#[derive(PartialEq)]
enum Origin {
    /// Given once.
    Given,
    /// Given more than once: its value is the array of all.
    Repeated,
    /// Taken over from another section: whatever is given here replaces it.
    Inherited,
}

impl Section {
    /// Adds an entry.
    ///
    /// # Errors
    /// Where the key stands already, if duplicates are refused.
    pub(super) fn insert(&mut self, key: Key, value: Value, by: Standing) -> Result<(), Place> {
        let Some(&at) = self.index.get(&key.text) else {
            self.push(key, value, by.priority, Origin::Given);
            return Ok(());
        };
        let old = &mut self.entries[at];
        let replaced = Entry { key, value, priority: by.priority, origin: Origin::Given };
        match by.duplicate {
            Duplicate::Error => return Err(old.key.at.clone()),
            Duplicate::Rewrite => *old = replaced,
            _ if old.origin == Origin::Inherited || by.priority > old.priority => *old = replaced,
            Duplicate::Merge if is_nested(&old.value) && is_nested(&replaced.value) => {
                merge(&mut old.value, replaced.value);
            }
            _ if by.priority == old.priority => old.repeat(replaced.value),
            Duplicate::Append | Duplicate::Merge => {}
        }
        Ok(())
    }

    /// Takes over what another section says, except for what is said here already.
    pub(super) fn inherit(&mut self, entries: &[(Key, Value)]) {
        for (key, value) in entries {
            if !self.index.contains_key(&key.text) {
                self.push(key.clone(), value.clone(), 0, Origin::Inherited);
            }
        }
    }

    /// The value of a key so far.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.index.get(key).map(|at| &self.entries[*at].value)
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.index.get(key).map(|at| &mut self.entries[*at].value)
    }

    /// The section as it will be read.
    pub(super) fn done(self) -> Node {
        Node::Object(self.entries.into_iter().map(|entry| (entry.key, entry.value)).collect())
    }

    fn push(&mut self, key: Key, value: Value, priority: u8, origin: Origin) {
        self.index.insert(key.text.clone(), self.entries.len());
        self.entries.push(Entry { key, value, priority, origin });
    }
}

impl Entry {
    fn repeat(&mut self, value: Value) {
        if self.origin == Origin::Repeated
            && let Node::Array(values) = &mut self.value.node
        {
            values.push(value);
            return;
        }
        gather(&mut self.value, value);
        self.origin = Origin::Repeated;
    }
}

fn is_nested(value: &Value) -> bool {
    matches!(value.node, Node::Object(_) | Node::Array(_))
}

/// Puts the entries of two sections, or the elements of two lists, together.
fn merge(old: &mut Value, new: Value) {
    match (&mut old.node, new.node) {
        (Node::Object(old), Node::Object(new)) => {
            let mut section = Section::default();
            for (key, value) in std::mem::take(old).into_iter().chain(new) {
                // Merging never refuses.
                let _ = section.insert(
                    key,
                    value,
                    Standing { priority: 0, duplicate: Duplicate::Merge },
                );
            }
            if let Node::Object(entries) = section.done() {
                *old = entries;
            }
        }
        (Node::Array(old), Node::Array(new)) => old.extend(new),
        (Node::Array(old), node) => old.push(Value::new(node, new.at)),
        (_, node) => gather(old, Value::new(node, new.at)),
    }
}

/// Makes an array of a value and a second one.
fn gather(first: &mut Value, second: Value) {
    let array = Value::new(Node::Array(Vec::new()), first.at.clone());
    let first_alone = std::mem::replace(first, array);
    first.node = Node::Array(vec![first_alone, second]);
}
