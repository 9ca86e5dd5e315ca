//! `labctl release`: give a board back.

use protocol::Error;
use protocol::board::BoardName;
use protocol::hold;

use super::want;
use crate::At;
use crate::exit;
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
    #[arg(long, value_name = "NUMBER", value_parser = want::number::<u64>)]
    number: Option<u64>,
}

impl Release {
    pub(super) async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<()> {
        let breaks = self.breaking.is_some();
        let release = hold::Release { number: self.number, breaking: self.breaking };
        let released = at.connect().await?.release(self.board, release).await;
        let hold = released.map_err(advise)?;
        let hold::Hold { board, who, .. } = &hold;
        let sentence = match breaks {
            true => format!("{who}'s hold of {board} is over"),
            false => format!("{board} is given back"),
        };
        out.tell("hold", &hold, sentence)?;
        Ok(())
    }
}

fn advise(error: Error) -> anyhow::Error {
    let help = match &error {
        Error::HeldBy { board, who, .. } => format!(
            "only {who} can give it back; an administrator can take it with 'labctl release {board} --break REASON'"
        ),
        Error::NotHeld { .. } => {
            "nobody does; see what you hold with 'labctl holds --mine'".to_owned()
        }
        _ => return error.into(),
    };
    exit::with_help(error, help)
}
