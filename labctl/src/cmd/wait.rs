//! `labctl wait`: wait until a board is in a certain state.

use std::time::Duration;

use clap::ValueEnum;
use protocol::board::{Board, BoardName, State};
use protocol::client;
use protocol::console::ConsoleState;
use protocol::power::PowerState;
use protocol::wire::Follow;
use protocol::{Error, Span};

use super::want;
use crate::At;
use crate::exit::Failure;
use crate::print::Output;

/// Between two tries to connect again.
const AGAIN: Duration = Duration::from_millis(500);

/// Wait until a board is in a certain state.
#[derive(Debug, clap::Args)]
#[command(after_help = "For a line of its console, see 'labctl console --expect'.")]
pub struct Wait {
    /// The board
    #[arg(add = want::boards())]
    board: BoardName,
    /// free, held, on, off, or open: its console's device is there
    #[arg(value_enum, hide_possible_values = true)]
    until: Until,
    /// No longer than this
    #[arg(long, value_name = "SPAN")]
    timeout: Option<Span>,
}

/// What to wait for.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Until {
    /// Nobody holds it
    Free,
    /// Somebody holds it
    Held,
    /// It has power
    On,
    /// It has no power
    Off,
    /// Its console's device is there
    Open,
}

impl Until {
    fn is_met_by(self, board: &Board) -> bool {
        match self {
            Until::Free => board.state == State::Free,
            Until::Held => board.state == State::Held,
            Until::On => board.power == PowerState::On,
            Until::Off => board.power == PowerState::Off,
            Until::Open => board.console == ConsoleState::Open,
        }
    }
}

impl Wait {
    pub(super) async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<()> {
        // Asked first, so that a name that is wrong is an error and not a wait without end.
        // It stays: a login is renewed as long as somebody is there to do it.
        let lab = at.connect().await?;
        lab.board(self.board.clone()).await?;
        let patience = self.timeout.unwrap_or(Span(u64::MAX / 2));
        let met = tokio::time::timeout(patience.duration(), self.watch(at)).await;
        let board = met.map_err(|_| {
            let until = self.until.to_possible_value().map(|value| value.get_name().to_owned());
            Failure::not_in_time(
                format!("{} was not {} within {patience}", self.board, until.unwrap_or_default()),
                format!("see how it stands with 'labctl board {}'", self.board),
            )
        })??;
        out.tell(
            "board",
            &board,
            format_args!("{}: {}, power {}", board.name, board.state, board.power),
        )?;
        Ok(())
    }

    /// Looks on until it is so, also after the connection broke: the table is then told anew.
    async fn watch(&self, at: &At) -> Result<Board, Error> {
        loop {
            let (mut flow, _) = match client::follow(&at.address(), Follow::Boards).await {
                Err(Error::Unreachable { .. } | Error::TooOld { .. }) => {
                    tokio::time::sleep(AGAIN).await;
                    continue;
                }
                followed => followed?,
            };
            while let Ok(Some(line)) = client::next_line(&mut flow).await {
                // An empty line ends the table.
                let Ok(board) = serde_json::from_str::<Board>(&line) else { continue };
                if board.name == self.board && self.until.is_met_by(&board) {
                    return Ok(board);
                }
            }
        }
    }
}
