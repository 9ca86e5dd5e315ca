//! How labctl ends, and what it says of an error: what went wrong, and what to do next.

use std::fmt;
use std::io;
use std::path::Path;

use protocol::Error;
use protocol::board::BoardName;
use protocol::user::Role;

/// For the end of `--help`.
pub const HELP: &str = "\
Exit status:
  0 done                     6 held by another          10 perhaps done: the link broke
  1 failed                   7 not in time              11 the hold is not, or no longer, yours
  2 wrong usage              8 no labd answers          12 client and labd do not fit together
  3 no such thing            9 board or lab at fault
  5 not allowed

'labctl run' ends as its command does; 124 to 127 as timeout(1), 128 + n by a signal.";

/// What to do if a file cannot be written.
pub const WRITABLE: &str = "name one in a folder that is there, and that you may write to";
/// Wrong usage.
pub const USAGE: u8 = 2;
/// Not allowed.
pub const NOT_ALLOWED: u8 = 5;
/// Held by another.
pub const TAKEN: u8 = 6;
/// Not in time.
pub const NOT_IN_TIME: u8 = 7;

/// An error of labctl's own, with its exit code and the next step to take.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Failure {
    /// What went wrong.
    pub what: String,
    /// The exit code.
    pub code: u8,
    /// The next step.
    pub help: Option<String>,
}

impl Failure {
    /// Wrong usage that clap cannot see.
    pub fn usage(what: impl Into<String>, help: impl Into<String>) -> Failure {
        Failure { what: what.into(), code: USAGE, help: Some(help.into()) }
    }

    /// A file that cannot be read or written.
    pub fn file(path: &Path, error: &io::Error, help: impl Into<String>) -> Failure {
        Failure { what: format!("{}: {error}", path.display()), code: 1, help: Some(help.into()) }
    }

    /// Something did not happen in time.
    pub fn not_in_time(what: impl Into<String>, help: impl Into<String>) -> Failure {
        Failure { what: what.into(), code: NOT_IN_TIME, help: Some(help.into()) }
    }
}

/// The next step, of a command that knows better than [`help`].
#[derive(Debug)]
struct NextStep(String);

impl fmt::Display for NextStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An error of the lab's with another next step than is usual.
pub fn with_help(error: Error, help: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(error).context(NextStep(help.into()))
}

/// The exit code of an error.
pub fn code(error: &anyhow::Error) -> u8 {
    if let Some(failure) = error.downcast_ref::<Failure>() {
        return failure.code;
    }
    match error.downcast_ref::<Error>() {
        None | Some(Error::Config { .. } | Error::Internal { .. } | Error::Unknown) => 1,
        Some(Error::Bad { .. }) => USAGE,
        Some(Error::NoSuch { .. } | Error::Lacks { .. }) => 3,
        Some(Error::NotAllowed { .. } | Error::OutOfScope { .. } | Error::NotKnown { .. }) => {
            NOT_ALLOWED
        }
        Some(
            Error::HeldBy { .. }
            | Error::AllTaken { .. }
            | Error::OthersWait { .. }
            | Error::NoPen { .. },
        ) => TAKEN,
        Some(Error::TimedOut { .. }) => NOT_IN_TIME,
        Some(Error::Unreachable { .. } | Error::Impostor { .. }) => 8,
        Some(
            Error::Device { .. }
            | Error::Setup { .. }
            | Error::CannotRecord { .. }
            | Error::Busy { .. },
        ) => 9,
        Some(Error::Unsure { .. }) => 10,
        Some(Error::NotHeld { .. } | Error::HoldOver { .. }) => 11,
        Some(Error::TooOld { .. }) => 12,
    }
}

/// The next step to take.
pub fn help(error: &anyhow::Error) -> Option<String> {
    if let Some(failure) = error.downcast_ref::<Failure>() {
        return failure.help.clone();
    }
    if let Some(NextStep(help)) = error.downcast_ref() {
        return Some(help.clone());
    }
    let help = match error.downcast_ref::<Error>()? {
        Error::NoSuch { what, .. } if what == "board" => "see them with 'labctl boards'".to_owned(),
        Error::NoSuch { what, .. } if what.contains("class") => {
            "see them with 'labctl classes'".to_owned()
        }
        Error::NoSuch { what, .. } if what.starts_with("board with") => {
            "see the tags of a board with 'labctl board BOARD'".to_owned()
        }
        Error::NoSuch { what, .. } if what.contains("place") => {
            "see your holds with 'labctl holds --mine', and who waits with 'labctl queue'"
                .to_owned()
        }
        Error::NoSuch { what, .. } if what == "account" => {
            "see them with 'labctl user list', or make one with 'labctl user add NAME'".to_owned()
        }
        Error::NoSuch { what, .. } if what == "token" => {
            "see them with 'labctl token list'".to_owned()
        }
        Error::NoSuch { what, .. } if what == "key" => "see them with 'labctl key list'".to_owned(),
        Error::NoSuch { what, .. } if what == "user" => {
            "name somebody whom the system knows, and who may hold boards in this lab".to_owned()
        }
        Error::Unreachable { why, .. } if why.contains("denied") => {
            "ask the lab's administrator to let you in: 'access' in labd.conf, or the group labd"
                .to_owned()
        }
        Error::HeldBy { board, .. } => format!(
            "wait for it with 'labctl reserve {board} --wait', or look on with 'labctl console {board} --read-only'"
        ),
        Error::AllTaken { .. } => "add --wait to wait for the first that is free".to_owned(),
        Error::NotHeld { board } => {
            format!("nobody does: hold it with 'labctl reserve {board}'")
        }
        Error::NoPen { board, .. } => no_pen(board),
        Error::HoldOver { board, .. } => {
            format!("see 'labctl journal {board}', and hold it again with 'labctl reserve {board}'")
        }
        Error::OthersWait { .. } => "see who waits with 'labctl queue'".to_owned(),
        // To somebody without any role the doctor would say the same.
        Error::NotAllowed { needs: Role::Viewer, .. } => {
            "ask the lab's administrator to add you to 'access' in labd.conf".to_owned()
        }
        Error::NotAllowed { .. } => {
            "see who you are to this lab with 'labctl whoami', or ask its administrator".to_owned()
        }
        Error::OutOfScope { .. } => {
            "see what it opens with 'labctl token list'; make another with 'labctl token new'"
                .to_owned()
        }
        Error::NotKnown { .. } => {
            "ask whoever gave it to you for another: 'labctl token new'".to_owned()
        }
        Error::Impostor { .. } => {
            "ask the lab's administrator whether its keys were made anew; if so, 'labctl logout' and log in again"
                .to_owned()
        }
        Error::Device { .. } => "see 'labctl doctor' and the board's 'labctl journal'".to_owned(),
        Error::Setup { board, .. } => {
            format!("see 'labctl journal {board}'; the script is the administrator's")
        }
        Error::Config { .. } => {
            "mend labd.conf; 'labd check FILE' shows each fault in its place".to_owned()
        }
        Error::Unreachable { .. } => {
            "start a lab with 'labctl demo', or name one with --lab unix:PATH or LAB=unix:PATH"
                .to_owned()
        }
        Error::CannotRecord { .. } => {
            "make room on the disk of the daemon's state folder".to_owned()
        }
        Error::Busy { .. } => "ask again in a little while".to_owned(),
        Error::Unsure { .. } => {
            "see what was done with 'labctl journal' before you ask again".to_owned()
        }
        Error::TimedOut { .. } => "see how it stands with 'labctl boards'".to_owned(),
        Error::Lacks { board, what } if what == "reset" => {
            format!("switch it off and on with 'labctl power {board} cycle'")
        }
        Error::Lacks { board, .. } => format!("see what it has with 'labctl board {board}'"),
        _ => return None,
    };
    Some(help)
}

/// What to do without the pen.
pub fn no_pen(board: &BoardName) -> String {
    format!(
        "see who types with 'labctl board {board}'; take the pen with 'labctl console {board}', Ctrl-T f"
    )
}
