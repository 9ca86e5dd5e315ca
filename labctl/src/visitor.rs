//! What labctl does not do for a visitor: somebody at another machine, for whom labd runs it here.
//!
//! Files, programs and sockets would be labd's, and what is fetched, by its machine; so no argument may name
//! one. What an argument is its type says, so that no new one is forgotten. labd for its part lets only some
//! commands through.

use std::any::TypeId;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};
use protocol::address::{Address, VISITOR};
use protocol::web::Url;

use crate::exit::Failure;

/// Commands that start other programs, have something to do with this machine's ports, or may read its files.
const CLOSED: [&str; 7] = ["demo", "forward", "play", "proxy", "run", "serial", "ssh"];

/// Whether labctl runs for a visitor.
pub fn is_one() -> bool {
    std::env::var_os(VISITOR).is_some()
}

/// Whether a visitor may have what was asked for.
///
/// # Errors
/// What they may not have.
pub fn check(command: &Command, asked: &ArgMatches) -> Result<(), Failure> {
    let closed = |what: String| Failure::usage(what, "use the labctl of your own machine for that");
    let is_said = |arg: &&Arg| {
        let id = arg.get_id().as_str();
        asked.try_contains_id(id).is_ok()
            && asked.value_source(id) == Some(ValueSource::CommandLine)
    };
    if let Some(arg) = command.get_arguments().filter(is_said).find(|arg| is_local(arg)) {
        return Err(closed(format!("{arg} would be the lab's own, not yours")));
    }
    let Some((name, asked)) = asked.subcommand() else { return Ok(()) };
    match command.find_subcommand(name).filter(|_| !CLOSED.contains(&name)) {
        Some(command) => check(command, asked),
        None => Err(closed(format!("'labctl {name}' would run on the lab's own machine"))),
    }
}

/// Whether an argument names something on the machine on which labctl runs.
pub fn is_local(arg: &Arg) -> bool {
    let is = arg.get_value_parser().type_id();
    let local = [
        TypeId::of::<PathBuf>(),
        TypeId::of::<OsString>(),
        TypeId::of::<Address>(),
        TypeId::of::<Url>(),
    ];
    local.into_iter().any(|local| is == local)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::Cli;

    fn refused(words: &[&str]) -> bool {
        let mut command = Cli::command();
        let words = ["labctl"].iter().chain(words);
        let asked = command.try_get_matches_from_mut(words).expect("it is understood");
        check(&command, &asked).is_err()
    }

    #[test]
    fn a_visitor_names_no_file_program_or_socket() {
        for words in [
            &["reserve", "rpi4", "--key", "/etc/shadow"][..],
            &["reserve", "rpi4", "-k/etc/shadow"],
            &["reserve", "rpi4", "-qk/etc/shadow"],
            &["reserve", "rpi4", "--key=/etc/shadow"],
            &["admin", "export", "/tmp/x"],
            &["admin", "import", "/etc/shadow"],
            &["key", "import", "--from", "https://127.0.0.1/x"],
            &["key", "import", "--github", "ada"],
            &["man", "/tmp"],
            &["run", "rpi4", "--", "id"],
            &["record", "rpi4", "/tmp/x"],
            &["play", "/etc/shadow"],
            &["demo"],
            &["--lab", "unix:/run/labd/labd.sock", "boards"],
            &["boards", "--lab", "unix:/run/labd/labd.sock"],
            &["admin", "verify", "--lab=/run/labd/labd.sock"],
        ] {
            assert!(refused(words), "{words:?}");
        }
        for words in [
            &["boards"][..],
            &["--json", "board", "rpi4"],
            &["reserve", "rpi4", "-q", "--note", "/etc/shadow"],
            &["admin", "export"],
            &["console", "rpi4", "--send", "a\\r", "--expect", "#"],
            &["note", "rpi4", "--", "--lab"],
        ] {
            assert!(!refused(words), "{words:?}");
        }
    }
}
