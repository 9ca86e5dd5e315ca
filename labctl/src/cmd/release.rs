//! `labctl release`: give a board back.

use protocol::board::BoardName;
use protocol::hold;

use super::want;
use crate::At;
use crate::print::Output;

/// Give a board back.
#[derive(Debug, clap::Args)]
pub struct Release {
    /// The board
    #[arg(add = want::boards())]
    board: BoardName,
    /// End somebody else's hold, for a reason that they will see; for administrators
    #[arg(long = "break", value_name = "REASON")]
    breaking: Option<String>,
    /// Only if the hold still has this number
    #[arg(long, value_name = "NUMBER")]
    number: Option<u64>,
}

impl Release {
    pub(super) async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<()> {
        let release = hold::Release { number: self.number, breaking: self.breaking };
        let hold = at.connect().await?.release(self.board, release).await?;
        out.tell("hold", &hold, format_args!("{} is free of {}'s hold", hold.board, hold.who))?;
        Ok(())
    }
}
