//! `labctl ssh`: the ssh client of this machine, on a board that one holds.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::Context;
use protocol::board::BoardName;

use super::want;
use crate::At;

const ABOUT: &str = "\
What stands behind the board is ssh's: its options, and a command to run there. Who answers is the \
lab's word: boards are flashed, and their host keys are made anew each time, so they are not compared; \
'-o StrictHostKeyChecking=yes -o UserKnownHostsFile=FILE' compares them.";

/// ssh's options that take something, see ssh(1).
const TAKE: &str = "BbcDEeFIiJLlmOoPpQRSWw";

/// Come to a shell of a board you hold, by ssh.
#[derive(Debug, clap::Args)]
#[command(after_help = ABOUT)]
pub struct Ssh {
    /// The board, perhaps with the user there
    #[arg(value_name = "[USER@]BOARD", add = want::boards())]
    target: String,
    /// For ssh
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    rest: Vec<OsString>,
}

impl Ssh {
    /// The ssh client takes this program's place; comes back only if it could not be started.
    pub(super) fn run(self, at: &At) -> anyhow::Result<()> {
        let (user, board) = match self.target.split_once('@') {
            Some((user, board)) => (Some(user), board),
            None => (None, &*self.target),
        };
        let board: BoardName = board.parse()?;
        let (options, command) = divided(self.rest);
        let own = std::env::current_exe().context("labctl does not know where it is")?;
        let own = own.to_str().context("the path of labctl is not UTF-8")?;
        let lab = at.address();
        let proxy = [&quoted(own), "--lab", &quoted(&lab.to_string()), "proxy", "%h", "%p"];
        let mut ssh = Command::new("ssh");
        // What is said first counts.
        ssh.args(options);
        for option in [
            format!("ProxyCommand={}", proxy.join(" ")),
            "StrictHostKeyChecking=no".to_owned(),
            "UserKnownHostsFile=/dev/null".to_owned(),
            "LogLevel=ERROR".to_owned(),
            // A board may be anybody's work.
            "ForwardAgent=no".to_owned(),
            "ForwardX11=no".to_owned(),
        ] {
            ssh.arg("-o").arg(option);
        }
        ssh.args(user.into_iter().flat_map(|user| ["-l", user]));
        ssh.arg("--").arg(board.as_str()).args(command);
        Err(ssh.exec()).context("ssh cannot be started; it is in the package openssh-client")
    }
}

/// ssh's options, and the command that stands behind them.
fn divided(mut rest: Vec<OsString>) -> (Vec<OsString>, Vec<OsString>) {
    let mut at = 0;
    while let Some(word) = rest.get(at).map(|word| word.to_string_lossy().into_owned()) {
        let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
            break;
        };
        at += 1;
        if letters == "-" {
            break;
        }
        // Where the letter that takes something is the last, that is the next word.
        let taking = letters.find(|letter| TAKE.contains(letter));
        at += usize::from(taking == Some(letters.len() - 1));
    }
    let command = rest.split_off(at.min(rest.len()));
    rest.retain(|word| word != "--");
    (rest, command)
}

/// As one word of a shell, in which ssh replaces nothing.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''").replace('%', "%%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_stand_before_the_command() {
        let words = |text: &str| text.split_whitespace().map(OsString::from).collect::<Vec<_>>();
        for (rest, options, command) in [
            ("", "", ""),
            ("uname -a", "", "uname -a"),
            ("-v -L 1:x:2", "-v -L 1:x:2", ""),
            ("-v uname -a", "-v", "uname -a"),
            ("-v -- uname -a", "-v", "uname -a"),
            ("-- uname -a", "", "uname -a"),
            ("-i id -p22 -vL 1:x:2 uname", "-i id -p22 -vL 1:x:2", "uname"),
            ("-oUser=x -o User=y -t top", "-oUser=x -o User=y -t", "top"),
            ("-i", "-i", ""),
            ("uname -- -a", "", "uname -- -a"),
        ] {
            assert_eq!(divided(words(rest)), (words(options), words(command)), "{rest}");
        }
    }

    #[test]
    fn a_word_is_one_word_whatever_is_in_it() {
        assert_eq!(quoted("/opt/it's 100%/labctl"), r"'/opt/it'\''s 100%%/labctl'");
    }
}
