//! `labctl boots`: how a board boots, and what has become slower.

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use protocol::board::BoardName;
use protocol::boot::{self, Outcome, Reached, Seconds, Usual};
use protocol::{Span, Time};
use serde::Serialize;

use super::audit::moment;
use super::want;
use crate::At;
use crate::print::Output;
use crate::style::Style;
use crate::table::{Cell, Table};

/// List a board's boots, newest last. A stage with '!' took longer to reach than in 95 of 100 boots of
/// its class.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Boots {
    #[command(subcommand)]
    look: Option<Look>,
    /// The board
    #[arg(required = true, add = want::boards())]
    board: Option<BoardName>,
    /// Not before this
    #[arg(short, long, value_name = "WHEN", value_parser = moment)]
    since: Option<Time>,
}

/// What else can be seen of boots.
#[derive(Debug, Subcommand)]
enum Look {
    /// Lay two boots side by side, stage by stage
    Compare(Compare),
}

#[derive(Debug, Args)]
struct Compare {
    /// The board
    #[arg(add = want::boards())]
    board: BoardName,
    /// One boot's number
    #[arg(value_parser = want::number::<u64>)]
    one: u64,
    /// The other's
    #[arg(value_parser = want::number::<u64>)]
    other: u64,
}

impl Boots {
    pub(super) async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<()> {
        if let Some(Look::Compare(compare)) = self.look {
            return compare.run(at, out).await;
        }
        let board = self.board.context("which board?")?;
        let boots = at.connect().await?.boots(board.clone(), self.since).await?;
        let empty = format!("{board} has not booted since the lab looks");
        if out.is_json() {
            return Ok(out.tell("boots", &boots, "")?);
        }
        out.list("boots", &boots.boots, |out| table(out, &boots, empty))?;
        Ok(())
    }
}

fn table(out: &Output, boots: &boot::Boots, empty: String) -> Table {
    let head = ["BOOT", "BEGAN", "BY", "OUTCOME", "TOOK", "OFFSET", "STAGES"];
    let mut table = Table::new(&head, empty);
    for boot in &boots.boots {
        let steps = boot.steps().map(|(before, reached, took)| {
            let mark = if is_slow(&boots.usual, before, took) { "!" } else { "" };
            format!("{} {}{mark}", reached.stage, Seconds(reached.after))
        });
        let steps: Vec<String> = steps.collect();
        table.row([
            boot.number.into(),
            out.instant(boot.at).into(),
            boot.cause.into(),
            outcome(boot),
            boot.took.map(|took| Seconds(took).to_string()).unwrap_or_default().into(),
            boot.offset.into(),
            steps.join("  ").into(),
        ]);
    }
    table
}

fn outcome(boot: &boot::Boot) -> Cell {
    let style = match boot.outcome {
        _ if boot.hung => return Cell::styled("hung", Style::Bad),
        Outcome::Done => Style::Good,
        Outcome::Panicked => Style::Bad,
        Outcome::Going => Style::Busy,
        Outcome::Cut | Outcome::Unknown => Style::Plain,
    };
    Cell::styled(boot.outcome, style)
}

/// Whether boots of the class are faster from that stage to the next.
fn is_slow(usual: &[Usual], before: Option<&str>, took: Span) -> bool {
    usual.iter().any(|usual| usual.stage.as_deref() == before && took > usual.p95)
}

/// A stage of two boots.
#[derive(Debug, Serialize)]
struct Pair {
    stage: String,
    /// How long each took from the stage before to this one.
    one: Option<Span>,
    other: Option<Span>,
    /// How much longer the other took, in milliseconds.
    difference: Option<i64>,
}

impl Compare {
    async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<()> {
        let Compare { board, one, other } = self;
        let boots = at.connect().await?.boots(board.clone(), None).await?.boots;
        let find = |number| {
            let found = boots.iter().find(|boot| boot.number == number);
            found
                .with_context(|| format!("{board} has no boot {number}; see: labctl boots {board}"))
        };
        let pairs = pairs(find(one)?, find(other)?);
        if pairs.is_empty() {
            bail!("neither of these boots has reached anything");
        }
        out.list("stages", &pairs, |_| side_by_side(&pairs))?;
        Ok(())
    }
}

/// The stages of either, in the order of the one and then the other.
fn pairs(one: &boot::Boot, other: &boot::Boot) -> Vec<Pair> {
    let took = |boot: &boot::Boot, stage: &str| {
        boot.steps().find(|(_, reached, _)| reached.stage == stage).map(|(_, _, took)| took)
    };
    let mut stages: Vec<&Reached> = one.stages.iter().collect();
    for reached in &other.stages {
        if !stages.iter().any(|known| known.stage == reached.stage) {
            stages.push(reached);
        }
    }
    let pair = |stage: &str| {
        let (one, other) = (took(one, stage), took(other, stage));
        let difference = one.zip(other).map(|(one, other)| other.0 as i64 - one.0 as i64);
        Pair { stage: stage.to_owned(), one, other, difference }
    };
    stages.into_iter().map(|reached| pair(&reached.stage)).collect()
}

fn side_by_side(pairs: &[Pair]) -> Table {
    let mut table = Table::new(&["STAGE", "ONE", "OTHER", "DIFFERENCE"], "");
    let shown = |took: Option<Span>| took.map_or("-".to_owned(), |took| Seconds(took).to_string());
    for pair in pairs {
        let difference = pair.difference.map(|ms| {
            let sign = if ms < 0 { '-' } else { '+' };
            format!("{sign}{}", Seconds(Span(ms.unsigned_abs())))
        });
        table.row([
            (&pair.stage).into(),
            shown(pair.one).into(),
            shown(pair.other).into(),
            difference.unwrap_or_default().into(),
        ]);
    }
    table
}
