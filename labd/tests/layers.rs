//! Who may know whom: arrows point down only. See the map in `labd/src/lib.rs`.

use std::fs;
use std::path::{Path, PathBuf};

/// Each room with the modules of this crate that it may name.
const MAY_KNOW: [(&str, &[&str]); 18] = [
    ("program", &["program"]),
    ("provider", &["provider", "config", "setting_words"]),
    ("service_manager", &["service_manager"]),
    ("rules", &["rules"]),
    ("doorstep", &["doorstep", "rules::guard"]),
    (
        "rpc",
        &[
            "rpc",
            "doorstep",
            "lab",
            "journal",
            "rules::access",
            "rules::guard",
            "rules::once",
            "config",
        ],
    ),
    ("http", &["http", "lab", "rpc", "doorstep", "rules::guard"]),
    (
        "tls",
        &[
            "tls",
            "rpc::listen",
            "http::Site",
            "lab",
            "doorstep",
            "authority",
            "clock",
            "config",
            "rules::guard",
        ],
    ),
    // A program that runs for a visitor talks to the lab as any other.
    (
        "ssh",
        &["ssh", "doorstep", "rules::guard", "lab", "rpc::listen", "rpc::identity", "rpc::inside"],
    ),
    // Its visitors are served by what they would find at the socket.
    (
        "serial_ports",
        &[
            "serial_ports",
            "doorstep",
            "lab",
            "rpc::identity",
            "rpc::inside",
            "rules::limit",
            "config",
        ],
    ),
    ("ledger", &["ledger", "clock"]),
    ("store", &["store", "ledger"]),
    ("journal", &["journal", "ledger"]),
    ("memory", &["memory", "ledger", "store", "journal", "clock"]),
    ("power", &["power", "config", "program", "qemu", "sim", "setting_words"]),
    (
        "console",
        &[
            "console",
            "config",
            "qemu",
            "sim",
            "setting_words",
            "clock",
            "journal",
            "ledger",
            "rules",
            "service_manager",
            "watcher",
        ],
    ),
    ("watcher", &["watcher", "clock", "journal", "ledger", "rules"]),
    (
        "keeper",
        &["keeper", "config", "clock", "journal", "ledger", "power", "program", "rules", "watcher"],
    ),
];

#[test]
fn arrows_point_down_only() {
    let mut wrong = Vec::new();
    for (room, known) in MAY_KNOW {
        for file in files(room) {
            let text = fs::read_to_string(&file).expect("a source file");
            for (number, module) in named(&text) {
                if !known
                    .iter()
                    .any(|known| module == *known || module.starts_with(&format!("{known}::")))
                {
                    wrong
                        .push(format!("{}:{number}: {room} may not know {module}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rules_know_neither_time_nor_files_nor_tasks() {
    for file in files("rules") {
        let text = fs::read_to_string(&file).expect("a source file");
        for word in
            ["tokio", "sled", "std::fs", "std::io", "Instant", "SystemTime", ".await", "async "]
        {
            assert!(!text.contains(word), "{} says {word}", file.display());
        }
    }
}

#[test]
fn one_file_says_sled_and_one_asks_the_time() {
    for file in all(&source()) {
        let text = fs::read_to_string(&file).expect("a source file");
        if !file.ends_with("store.rs") {
            assert!(!text.contains("sled::"), "{} says sled", file.display());
        }
        if !file.ends_with("clock.rs") {
            for word in ["SystemTime::now", "clock_gettime", "Timestamp::now"] {
                assert!(!text.contains(word), "{} asks the time by {word}", file.display());
            }
        }
    }
}

/// The modules of this crate that a text names, with their lines.
fn named(text: &str) -> Vec<(usize, &str)> {
    let code = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
    code.flat_map(|(index, line)| {
        let names = line.match_indices("crate::").map(|(at, _)| &line[at + 7..]);
        names.map(move |rest| {
            let end = rest
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':')
                .unwrap_or(rest.len());
            (index + 1, rest[..end].trim_end_matches(':'))
        })
    })
    .collect()
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(room: &str) -> Vec<PathBuf> {
    let mut files = all(&source().join(room));
    files.push(source().join(room).with_extension("rs"));
    files
}

fn all(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| if path.is_dir() { all(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|end| end == "rs"))
        .collect()
}
