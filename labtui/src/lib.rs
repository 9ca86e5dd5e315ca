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

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use protocol::address::Address;

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
    /// Show the lab that `labd demo` plays.
    Demo,
}

/// Shows the lab until somebody leaves.
///
/// # Errors
/// Why there is no screen to show it on.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let address = match args.command {
        Some(Command::Demo) => Address::demo(),
        None => args.lab.unwrap_or_else(Address::usual),
    };
    program::run(address).await
}
