//! `labctl power`: switch a board, or see how it stands.

use protocol::board::BoardName;
use protocol::power::PowerAsk;

use super::want;
use crate::At;
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
            What::Reset => lab.power(self.board.clone(), PowerAsk::Reset).await?,
            What::Status => lab.outlet(self.board.clone()).await?,
        };
        out.tell("power", &detail, format_args!("{}: power is {}", self.board, detail.state))?;
        Ok(())
    }
}
