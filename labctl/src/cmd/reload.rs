//! `labctl reload`: have labd read its configuration again.

use protocol::Error;

use crate::At;
use crate::exit;
use crate::print::Output;

/// Have labd read its configuration again.
#[derive(Debug, clap::Args)]
pub struct Reload {}

impl Reload {
    pub(super) async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<()> {
        let changes = at.connect().await?.reload().await.map_err(advise)?;
        let sentence =
            if changes.is_empty() { "nothing has changed".to_owned() } else { changes.join("\n") };
        out.tell("changes", &changes, sentence)?;
        Ok(())
    }
}

fn advise(error: Error) -> anyhow::Error {
    match &error {
        Error::Bad { .. } => {
            let help =
                "for a lab of your own, write a labd.conf, see 'labd check FILE', and start labd";
            exit::with_help(error, help)
        }
        Error::HeldBy { board, .. } => {
            let help = format!(
                "it is not in labd.conf any more; wait for the hold's end, or 'labctl release {board} --break REASON'"
            );
            exit::with_help(error, help)
        }
        _ => error.into(),
    }
}
