//! `labctl give`: hand a board over.

use protocol::board::BoardName;
use protocol::user::UserName;

use super::want;
use crate::At;
use crate::print::Output;

/// Hand a board you hold over to somebody else. The board is never free in between.
#[derive(Debug, clap::Args)]
pub struct Give {
    /// The board
    #[arg(add = want::boards())]
    board: BoardName,
    /// To whom
    to: UserName,
}

impl Give {
    pub(super) async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<()> {
        let hold = at.connect().await?.give(self.board, self.to).await?;
        let sentence = format!("{} is {}'s until {}", hold.board, hold.who, out.time(hold.until));
        out.tell("hold", &hold, sentence)?;
        Ok(())
    }
}
