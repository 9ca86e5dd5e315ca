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
    /// Lay two boots side by side, stage by stage; '!' marks what took longer than usual
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
            let mark = mark(is_slow(&boots.usual, before, took));
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

fn mark(is_slow: bool) -> &'static str {
    if is_slow { "!" } else { "" }
}

/// A stage of two boots.
#[derive(Debug, Serialize)]
struct Pair {
    stage: String,
    /// How long each took from the stage before to this one.
    one: Option<Span>,
    other: Option<Span>,
    /// Whether that is longer than in 95 of 100 boots of the class.
    one_slow: bool,
    other_slow: bool,
    /// How much longer the other took, in milliseconds.
    difference: Option<i64>,
}

impl Compare {
    async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<()> {
        let Compare { board, one, other } = self;
        let boot::Boots { boots, usual } = at.connect().await?.boots(board.clone(), None).await?;
        let find = |number| {
            let found = boots.iter().find(|boot| boot.number == number);
            found
                .with_context(|| format!("{board} has no boot {number}; see: labctl boots {board}"))
        };
        let pairs = pairs(find(one)?, find(other)?, &usual);
        if pairs.is_empty() {
            bail!("neither of these boots has reached anything");
        }
        out.list("stages", &pairs, |_| side_by_side(&pairs))?;
        Ok(())
    }
}

/// The stages of either, in the order of the one and then the other.
fn pairs(one: &boot::Boot, other: &boot::Boot, usual: &[Usual]) -> Vec<Pair> {
    let step = |boot: &boot::Boot, stage: &str| {
        let (before, _, took) = boot.steps().find(|(_, reached, _)| reached.stage == stage)?;
        Some((took, is_slow(usual, before, took)))
    };
    let mut stages: Vec<&Reached> = one.stages.iter().collect();
    for reached in &other.stages {
        if !stages.iter().any(|known| known.stage == reached.stage) {
            stages.push(reached);
        }
    }
    let pair = |stage: &str| {
        let (one, one_slow) = step(one, stage).unzip();
        let (other, other_slow) = step(other, stage).unzip();
        let difference = one.zip(other).map(|(one, other)| other.0 as i64 - one.0 as i64);
        let [one_slow, other_slow] = [one_slow, other_slow].map(Option::unwrap_or_default);
        Pair { stage: stage.to_owned(), one, other, one_slow, other_slow, difference }
    };
    stages.into_iter().map(|reached| pair(&reached.stage)).collect()
}

fn side_by_side(pairs: &[Pair]) -> Table {
    let mut table = Table::new(&["STAGE", "ONE", "OTHER", "DIFFERENCE"], "");
    let shown = |took: Option<Span>, is_slow| match took {
        Some(took) => format!("{}{}", Seconds(took), mark(is_slow)),
        None => "-".to_owned(),
    };
    for pair in pairs {
        table.row([
            (&pair.stage).into(),
            shown(pair.one, pair.one_slow).into(),
            shown(pair.other, pair.other_slow).into(),
            pair.difference.map(signed).unwrap_or_default().into(),
        ]);
    }
    table
}

/// Milliseconds with their sign, if what is shown of them is not nothing.
fn signed(ms: i64) -> String {
    let sign = match ms {
        ..=-10 => "-",
        -9..=9 => "",
        10.. => "+",
    };
    format!("{sign}{}", Seconds(Span(ms.unsigned_abs())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_as_nothing_has_no_sign() {
        let shown = [-1_234, -10, -9, 0, 9, 10, 1_234].map(signed);
        assert_eq!(shown, ["-1.23s", "-0.01s", "0.00s", "0.00s", "0.00s", "+0.01s", "+1.23s"]);
    }
}
