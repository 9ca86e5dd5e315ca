//! `labd repair`: for a ledger that labd refuses to open.

use std::io::Write;

use super::Places;
use crate::memory::repair;

/// Say what is wrong with the ledger, and what would be lost without the damaged part.
#[derive(Debug, clap::Args)]
pub struct Repair {
    /// Go on without it: the damaged file is kept beside, and nothing after the damage counts
    #[arg(long)]
    accept_loss: bool,
}

impl Repair {
    pub(super) fn run(self, places: &Places) -> anyhow::Result<()> {
        let said = repair::run(&places.state(), self.accept_loss)?;
        let mut out = std::io::stdout().lock();
        for line in said {
            writeln!(out, "{line}")?;
        }
        Ok(())
    }
}
