//! `labctl classes`: the classes, and how their boards stand.

use protocol::board::Class;

use crate::At;
use crate::print::Output;
use crate::table::Table;

/// List the classes.
#[derive(Debug, clap::Args)]
pub struct Classes {}

impl Classes {
    pub(super) async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<()> {
        let classes = at.connect().await?.classes().await?;
        out.list("classes", &classes, |_| table(&classes))?;
        Ok(())
    }
}

fn table(classes: &[Class]) -> Table {
    let head = ["CLASS", "BOARDS", "FREE", "WAITING", "ATTRIBUTES"];
    let mut table = Table::new(&head, "this lab has no classes");
    for class in classes {
        let text = |value: &serde_json::Value| {
            value.as_str().map_or_else(|| value.to_string(), str::to_owned)
        };
        let attributes: Vec<_> = class
            .attributes
            .iter()
            .map(|(name, value)| format!("{name}={}", text(value)))
            .collect();
        table.row([
            (&class.name).into(),
            class.boards.into(),
            class.free.into(),
            class.waiting.into(),
            attributes.join(" ").into(),
        ]);
    }
    table
}
