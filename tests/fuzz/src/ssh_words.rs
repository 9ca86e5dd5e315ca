use std::sync::LazyLock;

use clap::CommandFactory;
use labctl::{Cli, visitor};
use labd::ssh::words::{self, Wanted};
use protocol::Error;

static LABCTL: LazyLock<clap::Command> = LazyLock::new(|| {
    let mut command = Cli::command();
    command.build();
    command
});

/// What labctl may be asked for over ssh, with the words before the arguments.
const OPEN: [&str; 31] = [
    "boards", "board", "classes", "reserve", "release", "extend", "give", "holds", "queue", "power",
    "console", "journal", "audit", "note", "wait", "whoami", "auth", "user", "group", "token", "key list",
    "key remove", "reload", "doctor", "admin verify", "admin rebuild", "admin export", "admin import",
    "admin invite", "help", "",
];

pub(crate) fn target(data: &[u8]) {
    match words::wanted(data) {
        Ok(Wanted::Labctl(words)) => labctl(&words),
        Ok(Wanted::Token(_)) => {}
        Err(Error::Bad { why }) => crate::assert_plain(&why),
        Err(other) => panic!("{other:?}"),
    }
}

/// What labctl makes of the words is a command that is let through, with this lab and with no file.
fn labctl(words: &[String]) {
    let mut labctl = LABCTL.clone();
    let line = ["labctl"].into_iter().chain(words.iter().map(String::as_str));
    let Ok(asked) = labctl.try_get_matches_from_mut(line) else { return };
    let name = match asked.subcommand() {
        Some((group @ ("key" | "admin"), rest)) => {
            format!("{group} {}", rest.subcommand_name().unwrap_or_default())
        }
        Some((name, _)) => name.to_owned(),
        None => String::new(),
    };
    assert!(OPEN.contains(&name.as_str()), "'labctl {name}' is let through by {words:?}");
    if visitor::check(&LABCTL, &asked).is_ok() {
        assert!(asked.value_source("lab").is_none(), "another lab is let through by {words:?}");
    }
}
