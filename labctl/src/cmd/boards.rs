//! `labctl boards`: the board table.

use protocol::board::{Board, Filter, State};
use protocol::console::ConsoleState;
use protocol::hold::Want;
use protocol::power::PowerState;
use protocol::tags::TagExpr;

use crate::At;
use crate::print::Output;
use crate::style::Style;
use crate::table::{Cell, Table};

/// List the boards.
#[derive(Debug, clap::Args)]
pub struct Boards {
    /// Only those of a class
    #[arg(short, long)]
    class: Option<String>,
    /// Only those whose tags satisfy an expression
    #[arg(short, long, value_name = "EXPRESSION", conflicts_with = "class")]
    tags: Option<TagExpr>,
    /// Only those that you hold
    #[arg(long)]
    mine: bool,
    /// Only those that nobody holds
    #[arg(long)]
    free: bool,
}

impl Boards {
    pub(super) async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<()> {
        let class = self.class.map(|name| Want::Class { name });
        let want = class.or(self.tags.map(|expr| Want::Tags { expr }));
        let filter = Filter { want, mine: self.mine };
        let mut boards = at.connect().await?.boards(filter).await?;
        if self.free {
            boards.retain(|board| board.state == State::Free);
        }
        out.list("boards", &boards, |out| table(out, &boards))?;
        Ok(())
    }
}

/// The board table for people.
pub(super) fn table(out: &Output, boards: &[Board]) -> Table {
    let head =
        ["BOARD", "CLASS", "STATE", "POWER", "CONSOLE", "HELD BY", "UNTIL", "QUEUE", "LAST LINE"];
    let mut table = Table::new(&head, "no board is like that; 'labctl boards' lists all");
    for board in boards {
        let (who, until) = match &board.hold {
            Some(hold) => (hold.who.to_string(), out.time(hold.until)),
            None => ("-".to_owned(), "-".to_owned()),
        };
        let queue = if board.waiting == 0 { "-".to_owned() } else { board.waiting.to_string() };
        let last = match &board.fault {
            Some(fault) => Cell::styled(format!("! {fault}"), Style::Bad),
            None => Cell::styled(protocol::text::saying(&board.last_line), Style::Faint),
        };
        table.row([
            (&board.name).into(),
            (&board.class).into(),
            state(board.state),
            power(board.power),
            console(board.console),
            who.into(),
            until.into(),
            queue.into(),
            last,
        ]);
    }
    table
}

fn state(state: State) -> Cell {
    let style = match state {
        State::Free => Style::Good,
        State::Preparing | State::Held | State::Releasing => Style::Busy,
        State::Gone | State::Unknown => Style::Bad,
    };
    Cell::styled(state, style)
}

/// A board's power.
pub(super) fn power(power: PowerState) -> Cell {
    let style = match power {
        PowerState::On => Style::Good,
        PowerState::Off | PowerState::None => Style::Faint,
        PowerState::Unknown => Style::Bad,
    };
    Cell::styled(power, style)
}

fn console(console: ConsoleState) -> Cell {
    let style = match console {
        ConsoleState::Open => Style::Good,
        ConsoleState::None => Style::Faint,
        ConsoleState::Away | ConsoleState::Unknown => Style::Bad,
    };
    Cell::styled(console, style)
}
