//! `labctl run`: hold a board, run a command with it, and give it back whatever happens.
//!
//! The daemon frees the board: the hold is tied to this process, so it ends even if this process
//! is killed or its machine vanishes.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use protocol::board::BoardDetail;
use protocol::client::Client;
use protocol::hold::{Ask, Hold, IfTaken, Placed, Release};
use protocol::{Error, Span, limits};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

use super::kept::Kept;
use super::reserve;
use super::want::Want;
use crate::At;
use crate::print::Output;

/// labctl itself failed.
const OWN_FAULT: u8 = 125;
/// The hold ended before the command did.
const HOLD_OVER: u8 = 124;
/// A command that is told to end is given this long.
const LAST_WORDS: Span = Span::seconds(10);

const ABOUT: &str = "\
The command finds LAB_BOARD, LAB_CLASS, LAB_HOLD, LAB_UNTIL (in milliseconds since 1970), LAB, and \
what is known of the board as LAB_ATTRIBUTES (JSON) and LAB_ATTR_IP, LAB_ATTR_ARCH, … in its \
environment.";

/// Hold a board, run a command with it, and give it back whatever happens.
#[derive(Debug, clap::Args)]
#[command(after_help = ABOUT)]
pub struct Run {
    #[command(flatten)]
    want: Want,
    /// For how long at most; the board's default if not said
    #[arg(short = 'f', long = "for", value_name = "SPAN")]
    span: Option<Span>,
    /// Wait for a board no longer than this
    #[arg(short, long, value_name = "SPAN", default_value = "52w")]
    wait: Span,
    /// How long the board stays yours if this process, or its link to the lab, is gone
    #[arg(long, value_name = "SPAN", default_value = "30s")]
    grace: Span,
    /// What you need it for; others see it
    #[arg(short, long)]
    note: Option<String>,
    /// The command
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl Run {
    pub(super) async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<ExitCode> {
        let lab = at.connect().await?;
        let ask = Ask {
            want: self.want.wanted(),
            span: self.span,
            if_taken: IfTaken::Queue,
            grace: Some(self.grace),
            note: self.note.clone().or_else(|| Some(self.summary())),
            ssh_key: reserve::ssh_key(None)?,
        };
        let (hold, kept) = match lab.reserve(ask).await? {
            Placed::Held { hold } => {
                let kept = Kept::new(at, hold.number).await?;
                (hold, kept)
            }
            Placed::Queued { place } => {
                let kept = Kept::new(at, place.number).await?;
                (reserve::wait(&lab, place, self.wait, out).await?, kept)
            }
        };
        out.say(format_args!("{} is yours until {}", hold.board, out.time(hold.until)));
        let code = self.with(at, &lab, &hold, kept, out).await;
        let release = Release { number: Some(hold.number), breaking: None };
        match lab.release(hold.board.clone(), release).await {
            // It ended before the command did, and that is said.
            Ok(_) | Err(Error::HoldOver { .. } | Error::NotHeld { .. }) => {}
            Err(error) => out.say(format_args!(
                "{}: {error}; the lab frees it within {}",
                hold.board, self.grace
            )),
        }
        code
    }

    /// Runs the command with the board.
    async fn with(
        &self,
        at: &At,
        lab: &Client,
        hold: &Hold,
        kept: Kept,
        out: &Output,
    ) -> anyhow::Result<ExitCode> {
        // Before there is a command that would outlive an end without notice.
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let detail = lab.board(hold.board.clone()).await?;
        let mut child = match self.start(at, hold, &detail) {
            Ok(child) => child,
            Err(error) => {
                out.say(format_args!("{}: {error}", self.line()));
                let missing = error.kind() == std::io::ErrorKind::NotFound;
                return Ok(ExitCode::from(if missing { 127 } else { 126 }));
            }
        };
        let over = hold_is_over(lab, hold, kept);
        tokio::pin!(over);
        loop {
            tokio::select! {
                status = child.wait() => return Ok(status.map_or(ExitCode::from(OWN_FAULT), code_of)),
                why = &mut over => {
                    out.say(format_args!("{} is no longer yours: {why}", hold.board));
                    end(&mut child).await;
                    return Ok(ExitCode::from(HOLD_OVER));
                }
                // A terminal has sent it to the command too; nobody else has.
                _ = interrupt.recv() => if !std::io::stdin().is_terminal() {
                    pass_on(&child, Signal::SIGINT);
                },
                _ = hangup.recv() => {
                    end(&mut child).await;
                    return Ok(ExitCode::from(128 + 1));
                }
                _ = terminate.recv() => {
                    end(&mut child).await;
                    return Ok(ExitCode::from(128 + 15));
                }
            }
        }
    }

    fn start(&self, at: &At, hold: &Hold, detail: &BoardDetail) -> std::io::Result<Child> {
        let mut command = Command::new(&self.command[0]);
        command
            .args(&self.command[1..])
            .env("LAB", at.address().to_string())
            .env("LAB_BOARD", hold.board.as_str())
            .env("LAB_CLASS", &detail.board.class)
            .env("LAB_HOLD", hold.number.to_string())
            .env("LAB_UNTIL", hold.until.0.to_string())
            .env("LAB_ATTRIBUTES", serde_json::to_string(&detail.attributes)?)
            .kill_on_drop(true);
        for (name, value) in &detail.attributes {
            let name: String =
                name.chars()
                    .map(|letter| {
                        if letter.is_ascii_alphanumeric() {
                            letter.to_ascii_uppercase()
                        } else {
                            '_'
                        }
                    })
                    .collect();
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            command.env(format!("LAB_ATTR_{name}"), value);
        }
        command.spawn()
    }

    /// The command, as much of it as a note may have.
    fn summary(&self) -> String {
        let line = self.line();
        line[..line.floor_char_boundary(limits::NOTE)].to_owned()
    }

    fn line(&self) -> String {
        let words: Vec<_> = self.command.iter().map(|word| word.to_string_lossy()).collect();
        words.join(" ")
    }
}

/// Returns when the hold is over, and why.
async fn hold_is_over(lab: &Client, hold: &Hold, mut kept: Kept) -> String {
    kept.until_over().await;
    loop {
        match lab.placed(hold.number, Span::default()).await {
            Err(Error::Unreachable { .. } | Error::TimedOut { .. }) => {}
            Err(error) => return error.to_string(),
            // The end is not on disk yet.
            Ok(_) => tokio::time::sleep(Span::millis(500).duration()).await,
        }
    }
}

/// Tells a command to end, and ends it if it does not.
async fn end(child: &mut Child) {
    pass_on(child, Signal::SIGTERM);
    if tokio::time::timeout(LAST_WORDS.duration(), child.wait()).await.is_err() {
        // If it is gone already, so much the better.
        let _ = child.kill().await;
    }
}

fn pass_on(child: &Child, signal: Signal) {
    if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
        // A command that is gone needs no signal.
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

fn code_of(status: ExitStatus) -> ExitCode {
    let code = status.code().or(status.signal().map(|signal| 128 + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(OWN_FAULT))
}
