//! `labctl doctor`: what should be mended, and how.

use crate::At;
use crate::print::Output;
use crate::style::Style;

/// Look for what should be mended.
#[derive(Debug, clap::Args)]
pub struct Doctor {}

impl Doctor {
    pub(super) async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<()> {
        let address = at.address();
        let lab = at.connect().await?;
        let who = lab.whoami().await?;
        let found = lab.doctor().await?;
        let good = out.paint("ok", Style::Good);
        let mut lines = vec![
            format!("{good}  a lab answers at {address}"),
            format!("{good}  you are {}, with the role '{}'", who.name, who.role),
        ];
        let bad = out.paint("!!", Style::Bad);
        lines.extend(found.iter().map(|sentence| format!("{bad}  {sentence}")));
        if found.is_empty() {
            lines.push(format!("{good}  nothing needs mending"));
        }
        out.tell("findings", &found, lines.join("\n"))?;
        Ok(())
    }
}
