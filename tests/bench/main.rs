//! The benchmark: how quick labd and labctl are, each figure beside what it is compared with.
//!
//! `tests/bench/run` builds the programs and runs it; words after that choose groups. Everything is
//! measured from outside, on the programs as they are released, over a Unix socket, or by TLS where a
//! figure says so. Absolute times say more about the machine than about the lab: where it can be, a
//! figure is a ratio to something bare that is measured beside it.
//!
//! - [`figure`]: what is printed, and what the bars are held against
//! - [`process`]: the programs, and what the system says of them
//! - [`board`]: a board on a pty
//! - [`year`]: what a lab's consoles print in a year
//! - `tui::seat`: labtui in a terminal; `tui::link`: a lab far away
//! - `conserver::daemon`: conserver, which Debian's package brings
//! - the others: one group of figures each

mod attach;
mod board;
mod calls;
mod conserver;
mod figure;
mod flood;
mod grants;
mod holds;
mod list;
mod many;
mod patterns;
mod process;
mod react;
mod search;
mod start;
mod tls;
mod tui;
mod tunnel;
mod viewers;
mod year;

use std::process::ExitCode;

use anyhow::Result;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::figure::Report;

/// A group of figures.
type Group = fn(&mut Report) -> Result<()>;

/// In this order: what leaves much for the disk to write comes last.
const GROUPS: [(&str, Group); 16] = [
    ("patterns", patterns::run),
    ("list", list::run),
    ("calls", calls::run),
    ("tls", tls::run),
    ("tunnel", tunnel::run),
    ("flood", flood::run),
    ("attach", attach::run),
    ("react", react::run),
    ("grants", grants::run),
    ("start", start::run),
    ("tui", tui::run),
    ("viewers", viewers::run),
    ("conserver", conserver::run),
    ("holds", holds::run),
    ("many", many::run),
    ("search", search::run),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match run(&words) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Says whether every bar was met.
fn run(words: &[String]) -> Result<bool> {
    if let Some((task, words)) = words.split_first().filter(|(task, _)| task.starts_with("as-")) {
        return process::play(task, words).map(|()| true);
    }
    if cfg!(debug_assertions) {
        eprintln!("bench: figures of a debug build mean nothing; use tests/bench/run");
        return Ok(true);
    }
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    let is_chosen = |name: &str| words.is_empty() || words.iter().any(|word| name == word);
    let mut report = Report::default();
    for (name, group) in GROUPS.into_iter().filter(|(name, _)| is_chosen(name)) {
        if let Err(error) = group(&mut report) {
            report.failed(name, &error);
        }
    }
    report.end()
}
