//! `labctl whoami`: who you are to the lab.

use protocol::user::Who;

use super::token::opens;
use crate::At;
use crate::print::Output;
use crate::style::Style;

/// Show who you are to the lab.
#[derive(Debug, clap::Args)]
pub struct Whoami {}

impl Whoami {
    pub(super) async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<()> {
        let who = at.connect().await?.whoami().await?;
        let text = lines(out, &who);
        out.tell("who", &who, text)?;
        Ok(())
    }
}

fn lines(out: &Output, who: &Who) -> String {
    let known = [
        ("user", who.name.to_string()),
        ("role", who.role.to_string()),
        ("groups", who.groups.join(", ")),
        ("came by", who.via.clone().unwrap_or_default()),
        ("opens", if who.scope.is_open() { String::new() } else { opens(&who.scope) }),
        ("until", who.until.map(|until| out.time(until)).unwrap_or_default()),
    ];
    let said = known.iter().filter(|(_, text)| !text.is_empty());
    let line = |(label, text): &(&str, String)| {
        format!("{} {text}", out.paint(format!("{label:<8}"), Style::Head))
    };
    said.map(line).collect::<Vec<_>>().join("\n")
}
