use labd::ledger::record;
use labd::memory::snapshot::Snapshot;
use labd::rules::hold::{Record, Waiting};
use labd::rules::power::Job;
use protocol::account::{Account, Key, Login, Token};
use protocol::journal::Entry;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) fn target(data: &[u8]) {
    again::<record::Record>(data);
    again::<Entry>(data);
    again::<Record>(data);
    again::<Waiting>(data);
    again::<Job>(data);
    again::<Account>(data);
    again::<Token>(data);
    again::<Key>(data);
    again::<Login>(data);
    if let Ok(entry) = serde_json::from_slice::<Entry>(data) {
        let shown = protocol::text::plain(entry.event.to_string().as_bytes(), usize::MAX);
        crate::assert_plain(&shown);
    }
    backup(&String::from_utf8_lossy(data));
}

/// What is read is written so that it is read as the same.
fn again<T: Serialize + DeserializeOwned>(data: &[u8]) {
    let Ok(record) = serde_json::from_slice::<T>(data) else { return };
    let written = serde_json::to_string(&record).expect("it was JSON");
    let read: T = serde_json::from_str(&written).expect("it was understood");
    assert_eq!(serde_json::to_string(&read).expect("JSON"), written);
}

fn backup(text: &str) {
    let lines: Vec<&str> = text.lines().collect();
    // Nobody guesses a hash: what is between the first line and the last is given one that is right.
    for lines in [lines.iter().map(|line| (*line).to_owned()).collect(), hashed(&lines)] {
        let Ok(snapshot) = Snapshot::parse(&lines) else { continue };
        assert!(snapshot.writes().len() == snapshot.records.len());
        assert_eq!(Snapshot::parse(&snapshot.lines()), Ok(snapshot));
    }
}

/// The lines, and as the last one the hash of them.
fn hashed(lines: &[&str]) -> Vec<String> {
    let mut hasher = blake3::Hasher::new();
    for line in lines {
        hasher.update(line.as_bytes()).update(b"\n");
    }
    let foot = format!(r#"{{"hash":"{}"}}"#, hasher.finalize().to_hex());
    lines.iter().map(|line| (*line).to_owned()).chain([foot]).collect()
}
