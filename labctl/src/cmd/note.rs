//! `labctl note`: write something down on a board's timeline.

use protocol::board::BoardName;

use super::want;
use crate::At;
use crate::print::Output;

/// Write something down.
#[derive(Debug, clap::Args)]
pub struct Note {
    /// The board
    #[arg(add = want::boards())]
    board: BoardName,
    /// What
    text: String,
}

impl Note {
    pub(super) async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<()> {
        at.connect().await?.note(self.board.clone(), self.text.clone()).await?;
        out.tell(
            "note",
            &self.text,
            format_args!("written down on the timeline of {}", self.board),
        )?;
        Ok(())
    }
}
