//! `labctl break` and `labctl line`: what labd.conf has under a name, sent on a console.

use std::collections::BTreeMap;

use protocol::Error;
use protocol::board::BoardName;
use protocol::console::Signal;

use super::want;
use crate::At;
use crate::print::Output;

/// Send a BREAK, or a sequence.
#[derive(Debug, clap::Args)]
pub struct Break {
    /// The board
    #[arg(add = want::boards())]
    board: BoardName,
    /// Its name in labd.conf; a plain BREAK, if not said
    name: Option<String>,
    /// List the names
    #[arg(long, conflicts_with = "name")]
    list: bool,
}

/// Set DTR and RTS as a sequence says.
#[derive(Debug, clap::Args)]
pub struct Line {
    /// The board
    #[arg(add = want::boards())]
    board: BoardName,
    /// Its name in labd.conf
    #[arg(required_unless_present = "list")]
    name: Option<String>,
    /// List the names
    #[arg(long, conflicts_with = "name")]
    list: bool,
}

impl Break {
    pub(super) async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<()> {
        if self.list {
            return list("breaks", known(at, &self.board).await?.0, out);
        }
        let said = self.name.clone().unwrap_or_else(|| "a BREAK".to_owned());
        send(at, self.board, Signal::Break { name: self.name }, &said, out).await
    }
}

impl Line {
    pub(super) async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<()> {
        match self.name {
            Some(name) => {
                let said = name.clone();
                send(at, self.board, Signal::Line { name }, &said, out).await
            }
            None => list("lines", known(at, &self.board).await?.1, out),
        }
    }
}

type Sequences = BTreeMap<String, String>;

/// What a board's console knows by name: breaks, and lines.
async fn known(at: &At, board: &BoardName) -> anyhow::Result<(Sequences, Sequences)> {
    let lacks = || Error::Lacks { board: board.clone(), what: "console".to_owned() };
    let console = at.connect().await?.board(board.clone()).await?.line.ok_or_else(lacks)?;
    Ok((console.breaks, console.lines))
}

fn list(what: &'static str, known: Sequences, out: &mut Output) -> anyhow::Result<()> {
    let lines: Vec<_> = known.iter().map(|(name, steps)| format!("{name:<16} {steps}")).collect();
    let text = if lines.is_empty() {
        format!("none; an administrator writes them as {what} {{ NAME = \"…\" }} in labd.conf")
    } else {
        lines.join("\n")
    };
    out.tell(what, &known, text)?;
    Ok(())
}

async fn send(
    at: &At,
    board: BoardName,
    signal: Signal,
    said: &str,
    out: &mut Output,
) -> anyhow::Result<()> {
    at.connect().await?.signal(board.clone(), signal.clone()).await?;
    out.tell("sent", &signal, format_args!("sent {said} to {board}"))?;
    Ok(())
}
