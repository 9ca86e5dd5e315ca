//! `labctl triggers`: what the lab does when consoles show something.

use protocol::trigger::Trigger;

use crate::At;
use crate::print::Output;
use crate::table::Table;

/// List what the lab does when consoles show something.
#[derive(Debug, clap::Args)]
pub struct Triggers {}

impl Triggers {
    pub(super) async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<()> {
        let triggers = at.connect().await?.triggers().await?;
        out.list("triggers", &triggers, |_| table(&triggers))?;
        Ok(())
    }
}

fn table(triggers: &[Trigger]) -> Table {
    let head = ["TRIGGER", "DOES", "AT MOST", "BOARDS", "MATCHES"];
    let mut table = Table::new(&head, "this lab has no triggers");
    for trigger in triggers {
        let deeds = [&["mark".to_owned()], trigger.deeds.as_slice()].concat();
        table.row([
            (&trigger.name).into(),
            deeds.join(", ").into(),
            format!("{} in {}", trigger.times, trigger.every).into(),
            trigger.boards.len().into(),
            (&trigger.pattern).into(),
        ]);
    }
    table
}
