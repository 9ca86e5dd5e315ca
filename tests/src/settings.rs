//! Drivers from settings, as the configuration would read them.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use labd::config::fault::{Faults, Weight};
use labd::config::reader::Table;
use labd::config::ucl::{Key, Node, Place, Value};

/// A setting and its value.
pub type Setting = (&'static str, Node);

/// Reads a driver.
///
/// # Errors
/// The faults of the settings.
pub fn read<T>(
    read: impl Fn(&mut Table<'_>) -> Option<T>,
    settings: impl IntoIterator<Item = Setting>,
) -> Result<T> {
    let faults = Faults::default();
    let entries = settings.into_iter().map(|(key, node)| {
        let value = value(node);
        (Key { text: key.to_owned(), at: value.at.clone() }, value)
    });
    let section = value(Node::Object(entries.collect()));
    let mut table = Table::new(&section, &faults);
    let driver = read(&mut table);
    table.finish();
    match faults.into_sorted().iter().find(|fault| fault.weight == Weight::Fault) {
        Some(fault) => bail!("{fault}"),
        None => driver.context("no driver, and no fault"),
    }
}

/// `key = text`
pub fn text(text: impl Into<String>) -> Node {
    Node::Text(text.into())
}

/// `key = [a, b]`
pub fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> Node {
    Node::Array(words.into_iter().map(|word| value(text(word))).collect())
}

fn value(node: Node) -> Value {
    Value::new(node, Place { file: Arc::new(PathBuf::from("test")), line: 1, column: 1 })
}
