//! Settings for the drivers' tests, each on a line of its own.

use std::path::PathBuf;
use std::sync::Arc;

use crate::config::fault::{Faults, Weight};
use crate::config::reader::Table;
use crate::config::ucl::{Key, Node, Place, Value};

/// Reads a driver from settings. The first stands on line 1; the section itself on line 0. What this
/// machine lacks does not count.
pub(super) fn read<T>(
    read: impl Fn(&mut Table<'_>) -> Option<T>,
    settings: &[(&str, Node)],
) -> Result<T, Vec<String>> {
    let faults = Faults::default();
    let section = value(0, Node::Object(settings.iter().zip(1..).map(entry).collect()));
    let mut table = Table::new(&section, &faults);
    let driver = read(&mut table);
    table.finish();
    let mut faults = faults.into_sorted();
    faults.retain(|fault| fault.weight == Weight::Fault);
    match faults.is_empty() {
        true => driver.ok_or_else(Vec::new),
        false => Err(faults.iter().map(ToString::to_string).collect()),
    }
}

fn entry(((key, node), line): (&(&str, Node), u32)) -> (Key, Value) {
    let value = value(line, node.clone());
    (Key { text: (*key).to_owned(), at: value.at.clone() }, value)
}

fn value(line: u32, node: Node) -> Value {
    Value::new(node, Place { file: Arc::new(PathBuf::from("conf")), line, column: 1 })
}

/// `key = text`
pub(super) fn text(text: &str) -> Node {
    Node::Text(text.to_owned())
}

/// `key = [a, b]`
pub(super) fn list(nodes: impl IntoIterator<Item = Node>) -> Node {
    Node::Array(nodes.into_iter().map(|node| value(0, node)).collect())
}
