//! `labctl queue`: who waits, for what, and why.

use protocol::hold::Place;

use super::want;
use crate::At;
use crate::print::Output;
use crate::table::Table;

/// List who waits, first served first.
#[derive(Debug, clap::Args)]
pub struct Queue {
    /// Give up a place of yours
    #[arg(long, value_name = "PLACE", value_parser = want::number::<u64>)]
    leave: Option<u64>,
}

impl Queue {
    pub(super) async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<()> {
        let lab = at.connect().await?;
        if let Some(place) = self.leave {
            lab.unqueue(place).await?;
            out.tell("left", &place, format_args!("place {place} is given up"))?;
            return Ok(());
        }
        let places = lab.queue().await?;
        out.list("places", &places, |out| table(out, &places))?;
        Ok(())
    }
}

fn table(out: &Output, places: &[Place]) -> Table {
    let head = ["PLACE", "WHO", "WANTS", "SINCE", "NEXT IN LINE", "AT THE LATEST", "BECAUSE"];
    let mut table = Table::new(&head, "nobody waits");
    for place in places {
        let because = place
            .because
            .iter()
            .map(|it| format!("{} is held by {} until {}", it.board, it.who, out.time(it.until)));
        table.row([
            place.number.into(),
            (&place.who).into(),
            (&place.want).into(),
            out.time(place.since).into(),
            place.position.into(),
            place.expected.map_or("?".to_owned(), |time| out.time(time)).into(),
            because.collect::<Vec<_>>().join("; ").into(),
        ]);
    }
    table
}
