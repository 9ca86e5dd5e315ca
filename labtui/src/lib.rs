//! The lab on one screen.
//!
//! Keys, the lab's news and answers become messages; [`update`] takes each into the [`model`] and says
//! what is to be done; [`view`] draws the model. Nothing that a key does waits for the network.
//!
//! | file | what is in it |
//! | --- | --- |
//! | [`model`], [`table`], [`dialog`], [`batch`], [`notice`] | everything the screen shows |
//! | [`update`] | what a message changes; pure |
//! | [`view`] | the screen, drawn from the model |
//! | [`keys`] | the one key map, of which help is made |
//! | [`palette`], [`filter`], [`fuzzy`] | what is typed after `:` and `/` |
//! | [`mod@settings`], [`theme`], [`files`] | what somebody has made of labtui, and where that is kept |
//! | [`emulator`] | a terminal for a board to print on |
//! | [`audit`] | who did what, looked through |
//! | [`calendar`] | holds and the queue against time |
//! | [`grid`] | consoles side by side, and which of them differ |
//! | [`feed`], [`call`] | following and asking the lab |
//! | [`text`] | what boards say, fit for a terminal |
//! | [`terminal`], [`background`], [`clipboard`] | the reader's terminal, taken and given back |
//! | [`program`] | the loop around all that |
//! | [`plain`] | the same without a screen: lines, for screen readers and logs |
//! | [`about`] | `labtui info`, `keys` and `schema` |

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use protocol::Span;
use protocol::address::Address;
use protocol::demo;
use tracing::level_filters::LevelFilter;

use crate::files::Files;
use crate::program::Start;
use crate::settings::Settings;

pub mod about;
pub mod audit;
pub mod background;
pub mod batch;
pub mod calendar;
pub mod call;
pub mod clipboard;
pub mod dialog;
pub mod emulator;
pub mod feed;
pub mod files;
pub mod filter;
pub mod fuzzy;
pub mod grid;
pub mod keys;
pub mod model;
pub mod notice;
pub mod palette;
pub mod past;
pub mod plain;
pub mod program;
pub mod settings;
pub mod table;
pub mod terminal;
pub mod text;
pub mod theme;
pub mod update;
pub mod view;

/// A demo that was started here goes on this long after the last client has left.
const LINGER: Span = Span::seconds(10);

/// The lab on one screen: boards, who holds them, their power, timelines and consoles.
#[derive(Debug, Parser)]
#[command(name = "labtui", version)]
pub struct Args {
    /// Where the lab is: unix:PATH. Usually found by itself.
    #[arg(long, env = "LAB", value_name = "ADDRESS", global = true)]
    pub lab: Option<Address>,
    /// Change nothing in the lab: keys that would are not there
    #[arg(long, global = true)]
    pub read_only: bool,
    /// No screen: one line for everything that happens, and commands read line by line
    #[arg(long, global = true)]
    pub plain: bool,
    /// Write down what labtui does; `labtui info` says where
    #[arg(long, value_name = "LEVEL", global = true)]
    pub log: Option<LevelFilter>,
    /// What to do instead of showing that lab.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do instead of showing the usual lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Show a lab made of nothing; started if it does not run yet
    Demo,
    /// Tell where labtui keeps its files, and what it makes of this terminal
    Info,
    /// Print every key and command as Markdown, as the settings have them
    Keys,
    /// Print the JSON Schema of the settings file
    Schema,
}

/// Shows the lab until somebody leaves.
///
/// # Errors
/// Why there is no screen to show it on, and what is wrong with the settings.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let files = Files::of_the_user();
    if let Some(level) = args.log {
        about::log(level, files.as_ref())?;
    }
    if args.command == Some(Command::Info) {
        return about::print(&about::info(files.as_ref(), &address(&args)));
    }
    let settings = settings(files.as_ref())?;
    match args.command {
        Some(Command::Keys) => return about::print(&about::keys(&settings)),
        Some(Command::Schema) => {
            let schema = serde_json::to_string_pretty(&settings::schema())?;
            return about::print(&(schema + "\n"));
        }
        Some(Command::Demo) => demo::find_or_start(LINGER).await?,
        _ => {}
    }
    let address = address(&args);
    let start = Start { files, settings, read_only: args.read_only, still: is_still() };
    if args.plain {
        return plain::run(address, start).await;
    }
    if args.command.is_some() && !std::io::stdout().is_terminal() {
        return list(&address).await;
    }
    program::run(address, start).await
}

fn address(args: &Args) -> Address {
    match (args.command, &args.lab) {
        (Some(Command::Demo), _) => Address::demo(),
        (_, Some(lab)) => lab.clone(),
        (_, None) => Address::usual(),
    }
}

/// Whether the environment says that nothing is to move by itself.
fn is_still() -> bool {
    std::env::var_os("NO_MOTION").is_some_and(|value| !value.is_empty())
}

fn settings(files: Option<&Files>) -> anyhow::Result<Settings> {
    let Some(files) = files else { return Ok(Settings::default()) };
    files.settings().map_err(|faults| {
        let path = files.settings.display();
        let lines: Vec<String> = faults.iter().map(|fault| format!("{path}: {fault}")).collect();
        anyhow::anyhow!(lines.join("\n"))
    })
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
