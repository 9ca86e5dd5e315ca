//! `labctl extend`: hold a board longer.

use protocol::Span;
use protocol::board::BoardName;

use super::want;
use crate::At;
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
        let hold = at.connect().await?.extend(self.board, self.span).await?;
        let sentence = format!("{} is yours until {}", hold.board, out.time(hold.until));
        out.tell("hold", &hold, sentence)?;
        Ok(())
    }
}
