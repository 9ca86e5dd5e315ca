//! `labctl extend`: hold a board longer.

use protocol::board::BoardName;
use protocol::{Error, Span};

use super::{reserve, want};
use crate::At;
use crate::exit;
use crate::print::Output;

/// Hold a board longer.
#[derive(Debug, clap::Args)]
pub struct Extend {
    /// The board
    #[arg(add = want::boards())]
    board: BoardName,
    /// Until so long from now, if that is later than the hold would end
    #[arg(value_name = "SPAN")]
    span: Span,
}

impl Extend {
    pub(super) async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<()> {
        let answer = at.connect().await?.extend(self.board, self.span).await;
        let hold = answer.map_err(advise)?;
        let sentence = format!("{} is yours until {}", hold.board, out.time(hold.until));
        out.tell("hold", &hold, sentence)?;
        reserve::say_if_cut(out, &hold, Some(self.span));
        Ok(())
    }
}

fn advise(error: Error) -> anyhow::Error {
    match &error {
        Error::HeldBy { board, who, .. } => {
            let help = format!(
                "only {who} can make it longer; wait for it with 'labctl reserve {board} --wait'"
            );
            exit::with_help(error, help)
        }
        _ => error.into(),
    }
}
