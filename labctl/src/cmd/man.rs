//! `labctl man`: the manual pages, from the same text as `--help`.

use std::path::PathBuf;

use clap::CommandFactory;

use crate::exit::{Failure, WRITABLE};
use crate::print::Output;

/// Write the manual pages.
#[derive(Debug, clap::Args)]
pub struct Man {
    /// The folder for labctl.1, labctl-boards.1, …, such as /usr/local/share/man/man1
    folder: PathBuf,
}

impl Man {
    pub(super) fn run(self, out: &Output) -> anyhow::Result<()> {
        std::fs::create_dir_all(&self.folder)
            .and_then(|()| clap_mangen::generate_to(crate::Cli::command(), &self.folder))
            .map_err(|error| Failure::file(&self.folder, &error, WRITABLE))?;
        out.say(format_args!("written to {}", self.folder.display()));
        Ok(())
    }
}
