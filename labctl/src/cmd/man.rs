//! `labctl man`: the manual pages, from the same text as `--help`.

use std::path::PathBuf;

use clap::CommandFactory;

/// Write the manual pages.
#[derive(Debug, clap::Args)]
pub struct Man {
    /// The folder for labctl.1, labctl-boards.1, …
    folder: PathBuf,
}

impl Man {
    pub(super) fn run(self) -> anyhow::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        clap_mangen::generate_to(crate::Cli::command(), &self.folder)?;
        Ok(())
    }
}
