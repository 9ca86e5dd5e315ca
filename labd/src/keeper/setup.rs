//! The setup script: what a site does to a board before a hold begins and after it has ended.
//!
//! ```text
//! SCRIPT reserve BOARD USER [SSH-PUBLIC-KEY]
//! SCRIPT release BOARD USER
//! ```
//!
//! In its environment are `LAB_BOARD`, `LAB_CLASS`, `LAB_USER`, `LAB_HOLD`; what is known of the board
//! is JSON on its standard input. What `reserve` prints, one JSON object or nothing, becomes the
//! board's attributes: its address, for one.

use std::collections::BTreeMap;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use protocol::hold::Hold;
use serde_json::Value as Json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use crate::config::Setup;
use crate::program::{self, Group, Remains};

/// What a script may print on its standard output.
const MOST_OUTPUT: usize = 64 * 1024;
/// What a script has printed when it ends has arrived within this time.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// So much of the end of what it printed is kept.
const KEPT: usize = 4 * 1024;

/// When the script is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Before a hold begins.
    Reserve,
    /// After it has ended, or could not begin.
    Release,
}

impl Verb {
    /// As the script is told.
    pub fn word(self) -> &'static str {
        match self {
            Verb::Reserve => "reserve",
            Verb::Release => "release",
        }
    }
}

/// Why a script did not do its work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Failed {
    /// How it failed.
    pub why: String,
    /// The end of what it printed, on either output.
    pub output: String,
}

/// What a script is told of its board.
pub struct Subject<'a> {
    /// The hold that begins or has ended.
    pub hold: &'a Hold,
    /// The board's class.
    pub class: &'a str,
    /// What is known of the board.
    pub attributes: &'a BTreeMap<String, Json>,
    /// The holder's ssh public key.
    pub ssh_key: Option<&'a str>,
}

/// Runs the script, and returns the attributes it printed.
///
/// # Errors
/// [`Failed`]: it could not be started, ended with another status than 0, printed something else
/// than an object, or took too long. Then it and all it started are killed.
pub async fn run(
    setup: &Setup,
    verb: Verb,
    about: Subject<'_>,
) -> Result<BTreeMap<String, Json>, Failed> {
    let purpose = purpose(setup, verb, about.hold);
    let cannot_start = |error| Failed {
        why: format!("{} cannot be started: {error}", setup.script.display()),
        output: String::new(),
    };
    program::end_left(&purpose, Remains::All).await.map_err(cannot_start)?;
    let mut child = start(setup, verb, &about, &purpose).map_err(cannot_start)?;
    let mut group = Group::of(&child);
    let input = serde_json::to_vec(about.attributes).unwrap_or_default();
    let (mut printed, mut complaints) = (Vec::new(), Vec::new());
    let talk = async {
        let stdin = child.stdin.take();
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let feed = async {
            if let Some(mut stdin) = stdin {
                // A script that does not care for its input closes it.
                let _ = stdin.write_all(&input).await;
            }
        };
        let outputs = async {
            tokio::join!(feed, drink(stdout, &mut printed), drink(stderr, &mut complaints))
        };
        tokio::pin!(outputs);
        tokio::select! {
            _ = &mut outputs => child.wait().await,
            status = child.wait() => {
                // What it left running in the background may keep the pipes open: that is not waited for.
                let _ = tokio::time::timeout(LAST_WORDS, outputs).await;
                status
            }
        }
    };
    let ended = tokio::time::timeout(setup.limit.duration(), talk).await;
    if ended.is_ok() {
        group.forget();
    }
    let output = || tail(&complaints, &printed);
    let failed = |why| Failed { why, output: output() };
    match ended {
        Err(_) => Err(failed(format!("it took longer than {}", setup.limit))),
        Ok(Err(error)) => Err(failed(format!("it was lost: {error}"))),
        Ok(Ok(status)) if !status.success() => Err(failed(describe(status))),
        Ok(Ok(_)) => attributes(&printed).map_err(failed),
    }
}

/// What tells a run from every other: a daemon that goes on with what a crash cut short has another
/// run of the same.
fn purpose(setup: &Setup, verb: Verb, Hold { board, number, .. }: &Hold) -> String {
    format!("{} {} {board} {number}", setup.script.display(), verb.word())
}

fn start(setup: &Setup, verb: Verb, about: &Subject<'_>, purpose: &str) -> std::io::Result<Child> {
    let Subject { hold, class, ssh_key, .. } = about;
    let mut command = Command::new(&setup.script);
    command.arg(verb.word()).arg(hold.board.as_str()).arg(hold.who.as_str());
    if verb == Verb::Reserve {
        command.args(*ssh_key);
    }
    command
        .env("LAB_BOARD", hold.board.as_str())
        .env("LAB_CLASS", class)
        .env("LAB_USER", hold.who.as_str())
        .env("LAB_HOLD", hold.number.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    program::lead(&mut command, purpose).spawn()
}

/// Reads to the end, and keeps as much as may matter.
async fn drink(from: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) {
    let Some(mut from) = from else { return };
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if into.len() <= MOST_OUTPUT {
            into.extend_from_slice(&buffer[..read]);
        }
    }
}

fn attributes(printed: &[u8]) -> Result<BTreeMap<String, Json>, String> {
    if printed.trim_ascii().is_empty() {
        return Ok(BTreeMap::new());
    }
    if printed.len() > MOST_OUTPUT {
        return Err(format!("it printed more than {MOST_OUTPUT} bytes"));
    }
    serde_json::from_slice(printed).map_err(|error| {
        format!(
            "what it printed is not one JSON object ({error}); print messages on standard error"
        )
    })
}

fn describe(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("it ended with status {code}"),
        None => "it was killed".to_owned(),
    }
}

fn tail(complaints: &[u8], printed: &[u8]) -> String {
    let all = if complaints.is_empty() { printed } else { complaints };
    let text = String::from_utf8_lossy(&all[all.len().saturating_sub(KEPT)..]).into_owned();
    let lines = text.lines().map(|line| protocol::text::plain(line.as_bytes(), 400));
    lines.collect::<Vec<_>>().join("\n")
}
