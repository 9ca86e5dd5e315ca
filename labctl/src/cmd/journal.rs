//! `labctl journal`: a board's timeline, or the lab's.

use protocol::board::BoardName;
use protocol::client;
use protocol::console::{From, Pen};
use protocol::journal::{Entry, Event};
use protocol::text;
use protocol::wire::Follow;
use tokio::io::AsyncReadExt;

use super::timeline::Timeline;
use super::want;
use crate::At;
use crate::print::Output;
use crate::style::Style;

/// A sentence has at most so many characters.
const LONGEST: usize = 1_000;

/// Show a board's timeline, or the lab's.
#[derive(Debug, clap::Args)]
pub struct Journal {
    /// The board; without one, the whole lab
    #[arg(add = want::boards())]
    board: Option<BoardName>,
    /// So many of the newest entries
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 50)]
    #[arg(value_parser = want::number::<u32>, conflicts_with = "from")]
    last: u32,
    /// From this entry on
    #[arg(long, value_name = "NUMBER", value_parser = want::number::<u64>)]
    from: Option<u64>,
    /// Go on with what happens
    #[arg(short, long)]
    follow: bool,
    /// With what the console printed in between
    #[arg(short, long, requires = "board", conflicts_with = "follow")]
    console: bool,
}

impl Journal {
    pub(super) async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<()> {
        // Who follows for days renews their login meanwhile.
        let _lab = if self.follow { Some(at.connect().await?) } else { None };
        let (board, stop_at_end) = (self.board.clone(), !self.follow);
        let mut timeline = Timeline::open(at, board, self.from, self.last, stop_at_end).await?;
        let mut printed = None;
        while let Some((line, entry)) = timeline.next().await? {
            if out.is_json() {
                out.json(&line)?;
                continue;
            }
            if let (true, Some(board), Some(offset)) = (self.console, &self.board, entry.offset) {
                let from = printed.replace(offset).unwrap_or(offset);
                between(at, out, board, from, offset).await?;
            }
            out.line(sentence(out, &entry))?;
            if let Event::SetupFailed { output, .. } = &entry.event {
                quote(out, output.as_bytes())?;
            }
        }
        Ok(())
    }
}

fn sentence(out: &Output, entry: &Entry) -> String {
    let at = out.paint(out.instant(entry.at), Style::Faint);
    let board = entry.board.as_ref().map(|board| format!("{board} ")).unwrap_or_default();
    let who = entry.who.as_ref().map(|who| format!("{who}: ")).unwrap_or_default();
    format!("{at} {board}{who}{}", event(out, &entry.event))
}

/// What happened, and what it leads up to.
pub(super) fn event(out: &Output, event: &Event) -> String {
    let until = event.until().map(|until| format!(" until {}", out.time(until)));
    let event = text::plain(event.to_string().as_bytes(), LONGEST);
    format!("{event}{}", until.unwrap_or_default())
}

/// What the console printed between two entries, as text.
async fn between(
    at: &At,
    out: &mut Output,
    board: &BoardName,
    from: u64,
    to: u64,
) -> anyhow::Result<()> {
    if to <= from {
        return Ok(());
    }
    let what = Follow::Console {
        board: board.clone(),
        from: From::Offset { offset: from },
        pen: Pen::Unwanted,
        stop_at_end: true,
    };
    let (flow, welcome) = client::follow(&at.address(), what).await?;
    let mut bytes = Vec::new();
    flow.take(to.saturating_sub(welcome.start)).read_to_end(&mut bytes).await?;
    quote(out, &bytes)?;
    Ok(())
}

/// What a board or a script printed, as text.
fn quote(out: &mut Output, bytes: &[u8]) -> std::io::Result<()> {
    for line in bytes.split(|byte| *byte == b'\n') {
        let line = text::plain(line, LONGEST);
        if !line.is_empty() {
            out.line(format_args!("    | {line}"))?;
        }
    }
    Ok(())
}
