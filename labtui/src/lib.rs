//! The lab on one screen.
//!
//! Keys, the lab's news and answers become messages; [`update`] takes each into the [`model`] and says
//! what is to be done; [`view`] draws the model. Nothing that a key does waits for the network.
//!
//! | file | what is in it |
//! | --- | --- |
//! | [`model`], [`table`], [`dialog`], [`notice`] | everything the screen shows |
//! | [`update`] | what a message changes; pure |
//! | [`view`] | the screen, drawn from the model |
//! | [`keys`] | the one key map, of which help is made |
//! | [`emulator`] | a terminal for a board to print on |
//! | [`feed`], [`call`] | following and asking the lab |
//! | [`text`] | what boards say, fit for a terminal |
//! | [`terminal`] | the reader's terminal, taken and given back |
//! | [`program`] | the loop around all that |

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use protocol::Span;
use protocol::address::Address;
use protocol::demo;

pub mod call;
pub mod dialog;
pub mod emulator;
pub mod feed;
pub mod keys;
pub mod model;
pub mod notice;
pub mod program;
pub mod table;
pub mod terminal;
pub mod text;
pub mod update;
pub mod view;

/// A demo that was started here goes on this long after the last client has left.
const LINGER: Span = Span::seconds(10);

/// The lab on one screen: boards, who holds them, their power, timelines and consoles.
#[derive(Debug, Parser)]
#[command(name = "labtui", version)]
pub struct Args {
    /// Where the lab is: unix:PATH. Usually found by itself.
    #[arg(long, env = "LAB", value_name = "ADDRESS")]
    pub lab: Option<Address>,
    /// What to do instead of showing that lab.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do instead of showing the usual lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Show a lab made of nothing; started if it does not run yet
    Demo,
}

/// Shows the lab until somebody leaves.
///
/// # Errors
/// Why there is no screen to show it on.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let address = match args.command {
        Some(Command::Demo) => {
            demo::find_or_start(LINGER).await?;
            Address::demo()
        }
        None => args.lab.unwrap_or_else(Address::usual),
    };
    if args.command.is_some() && !std::io::stdout().is_terminal() {
        return list(&address).await;
    }
    program::run(address).await
}

/// The demo for those who are not at a terminal: its boards, and what to do next.
async fn list(address: &Address) -> anyhow::Result<ExitCode> {
    let boards = demo::table(address).await?;
    let mut out = std::io::stdout().lock();
    for board in boards {
        let (name, class, state, power) = (board.name, board.class, board.state, board.power);
        writeln!(out, "{name:<10} {class:<12} {state:<10} {power:<8} {}", board.last_line)?;
    }
    writeln!(out, "{}", demo::next_steps(address))?;
    Ok(ExitCode::SUCCESS)
}
