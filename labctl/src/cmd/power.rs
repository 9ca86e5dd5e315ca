//! `labctl power`: switch a board, or see how it stands.

use protocol::Error;
use protocol::board::BoardName;
use protocol::client::Client;
use protocol::power::{PowerAsk, PowerState};

use super::want;
use crate::At;
use crate::exit;
use crate::print::Output;

/// Switch a board.
#[derive(Debug, clap::Args)]
pub struct Power {
    /// The board
    #[arg(add = want::boards())]
    board: BoardName,
    /// on, off, cycle (off, a pause, on), or status (asks the outlet); answers when it is seen to be done
    #[arg(value_enum, hide_possible_values = true)]
    what: What,
}

/// What to do.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum What {
    /// On; a board that is on is not disturbed
    On,
    /// Off
    Off,
    /// Off, a pause, and on again
    Cycle,
    /// The reset button, of boards that have one; power stays
    Reset,
    /// Ask the outlet how it stands
    Status,
}

impl Power {
    pub(super) async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<()> {
        let lab = at.connect().await?;
        let detail = match self.what {
            What::On => lab.power(self.board.clone(), PowerAsk::On).await?,
            What::Off => lab.power(self.board.clone(), PowerAsk::Off).await?,
            What::Cycle => lab.power(self.board.clone(), PowerAsk::Cycle).await?,
            What::Reset => match lab.power(self.board.clone(), PowerAsk::Reset).await {
                Err(error @ Error::Device { .. }) if is_off(&lab, &self.board).await => {
                    let help = format!("switch it on first with 'labctl power {} on'", self.board);
                    return Err(exit::with_help(error, help));
                }
                answer => answer?,
            },
            What::Status => lab.outlet(self.board.clone()).await?,
        };
        out.tell("power", &detail, format_args!("{}: power is {}", self.board, detail.state))?;
        Ok(())
    }
}

async fn is_off(lab: &Client, board: &BoardName) -> bool {
    let detail = lab.board(board.clone()).await;
    detail.is_ok_and(|detail| detail.board.power == PowerState::Off)
}
