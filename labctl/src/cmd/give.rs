//! `labctl give`: hand a board over.

use protocol::Error;
use protocol::board::BoardName;
use protocol::user::UserName;

use super::want;
use crate::At;
use crate::exit;
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
        let answer = at.connect().await?.give(self.board, self.to).await;
        let hold = answer.map_err(advise)?;
        let sentence = format!("{} is {}'s until {}", hold.board, hold.who, out.time(hold.until));
        out.tell("hold", &hold, sentence)?;
        Ok(())
    }
}

fn advise(error: Error) -> anyhow::Error {
    match &error {
        Error::HeldBy { board, who, .. } => {
            let help = format!(
                "only {who} can hand it over; wait for it with 'labctl reserve {board} --wait'"
            );
            exit::with_help(error, help)
        }
        _ => error.into(),
    }
}
