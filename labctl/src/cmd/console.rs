//! `labctl console`: a terminal on a board's console; or a pipe, or a tool for scripts.
//!
//! - at a terminal every key goes to the board but the escape, Ctrl-T: see [`terminal`]
//! - with `--send` and `--expect` it is a conversation: see [`script`]
//! - else standard input goes to the board, and the board's bytes to standard output: see [`pipe`]
//!
//! [`link`] is what the three share: a console that is followed, and followed again from the same
//! byte when the connection breaks; [`desk`]: who is there; and [`show`]: what a terminal is shown of its bytes.

mod desk;
mod link;
mod pipe;
mod script;
mod show;
mod terminal;

use std::io::IsTerminal;

use protocol::Span;
use protocol::board::BoardName;
use protocol::console::{From, Pen};

use super::steps::Steps;
use super::want;
use crate::At;
use crate::exit::Failure;
use crate::print::Output;

const ABOUT: &str = "\
At a terminal, Ctrl-T is the escape: Ctrl-T q leaves, Ctrl-T ? lists the others. Who does not \
hold the board looks on. With --send or --expect, steps are taken in the order given, and the exit \
status says whether all came true. Otherwise standard input is typed, and what the board prints \
goes to standard output as it is, until standard input ends. A terminal is shown what is safe for it; \
--raw shows all.";

/// Attach to a board's console.
#[derive(Debug, clap::Args)]
#[command(after_help = ABOUT)]
pub struct Console {
    /// The board
    #[arg(add = want::boards())]
    board: BoardName,
    /// Only look
    #[arg(short, long, conflicts_with = "send")]
    read_only: bool,
    /// Begin in the past: boot, start, 10m, or @OFFSET; at a terminal, else with the screen as it is
    #[arg(short, long, value_name = "WHEN")]
    since: Option<From>,
    /// Show what there is, and end
    #[arg(long, conflicts_with_all = ["send", "expect"])]
    history: bool,
    #[command(flatten)]
    steps: Steps,
    /// No --expect and no --send may take longer than this
    #[arg(long, value_name = "SPAN", default_value = "60s")]
    timeout: Span,
    /// After standard input has ended, go on with what the board prints for so long
    #[arg(long, value_name = "SPAN", default_value = "2s")]
    linger: Span,
    /// Show everything as it is, also what does something to your terminal
    #[arg(long)]
    raw: bool,
    /// No escape key: every key goes to the board
    #[arg(long)]
    no_escape: bool,
    /// Show who is at the console, and who types
    #[arg(long, conflicts_with_all = ["send", "expect", "history", "since"])]
    who: bool,
}

impl Console {
    pub(super) async fn run(mut self, at: &At, out: &mut Output) -> anyhow::Result<()> {
        let steps = std::mem::take(&mut self.steps.0);
        if self.who {
            return desk::run(&self.board, at, out).await;
        }
        if !steps.is_empty() {
            return script::run(&self, steps, at, out).await;
        }
        let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        if terminal && !self.history {
            return terminal::run(&self, at, out).await;
        }
        if std::io::stdin().is_terminal() && !self.read_only && !self.history {
            let help = "add --read-only to look only, or --send to type something";
            return Err(Failure::usage(
                "standard output is not a terminal, but standard input is",
                help,
            )
            .into());
        }
        pipe::run(&self, at, out).await
    }

    /// Says so if the history does not begin at the byte that was asked for.
    fn say_if_elsewhere(&self, start: u64, out: &Output) {
        let Some(From::Offset { offset }) = self.since else { return };
        let board = &self.board;
        if start < offset {
            out.say(format_args!(
                "{board} has printed no more than {start} bytes; beginning there"
            ));
        } else if start > offset {
            out.say(format_args!("what {board} printed before @{start} is no longer kept"));
        }
    }

    fn pen(&self) -> Pen {
        if self.read_only || self.history { Pen::Unwanted } else { Pen::Wanted }
    }
}
