//! `labctl holds`: who has what, until when.

use protocol::hold::Hold;

use crate::At;
use crate::print::Output;
use crate::table::Table;

/// List the holds.
#[derive(Debug, clap::Args)]
pub struct Holds {
    /// Only yours
    #[arg(long)]
    mine: bool,
}

impl Holds {
    pub(super) async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<()> {
        let lab = at.connect().await?;
        let mut holds = lab.holds().await?;
        if self.mine {
            let me = lab.whoami().await?.name;
            holds.retain(|hold| hold.who == me);
        }
        out.list("holds", &holds, |out| table(out, &holds))?;
        Ok(())
    }
}

fn table(out: &Output, holds: &[Hold]) -> Table {
    let mut table =
        Table::new(&["BOARD", "HELD BY", "SINCE", "UNTIL", "HOLD", "FOR"], "nobody holds anything");
    for hold in holds {
        table.row([
            (&hold.board).into(),
            (&hold.who).into(),
            out.time(hold.since).into(),
            out.time(hold.until).into(),
            hold.number.into(),
            hold.note.clone().unwrap_or_default().into(),
        ]);
    }
    table
}
