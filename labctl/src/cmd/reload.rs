//! `labctl reload`: have labd read its configuration again.

use crate::At;
use crate::print::Output;

/// Have labd read its configuration again.
#[derive(Debug, clap::Args)]
pub struct Reload {}

impl Reload {
    pub(super) async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<()> {
        let changes = at.connect().await?.reload().await?;
        let sentence =
            if changes.is_empty() { "nothing has changed".to_owned() } else { changes.join("\n") };
        out.tell("changes", &changes, sentence)?;
        Ok(())
    }
}
