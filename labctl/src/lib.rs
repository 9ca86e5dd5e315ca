//! labctl: the lab's command line, for people and scripts.
//!
//! A command is its arguments, one call, one sentence: see [`cmd`]. Results go to standard output,
//! talk to standard error. What a command prints, and as what, is [print](mod@print)'s; how it ends is
//! [`exit`]'s; what it does not do for somebody at another machine, [`visitor`]'s.

pub mod cmd;
pub mod exit;
pub mod print;
pub mod style;
pub mod table;
pub mod visitor;

use std::io::Write;
use std::process::ExitCode;

use clap::{ArgAction, CommandFactory, FromArgMatches, Parser};
use clap_complete::env::CompleteEnv;
use protocol::Error;
use protocol::address::Address;
use protocol::client::Client;

use crate::cmd::Command;
use crate::exit::Failure;
use crate::print::Output;
use crate::style::Colour;

/// Boards in a shared lab: hold them, switch them, type on their consoles.
#[derive(Debug, Parser)]
#[command(name = "labctl", version, after_help = exit::HELP, max_term_width = 100)]
#[command(disable_help_flag = true, disable_version_flag = true)]
pub struct Cli {
    #[command(flatten)]
    at: At,
    /// Print JSON: one object, with the members described in the book
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    json: bool,
    /// auto, always or never; auto respects NO_COLOR and CLICOLOR_FORCE
    #[arg(long, global = true, value_enum, default_value_t, hide_default_value = true)]
    #[arg(value_name = "WHEN", hide_possible_values = true, help_heading = EVERYWHERE)]
    color: Colour,
    /// Print help
    #[arg(short, long, global = true, action = ArgAction::Help, help_heading = EVERYWHERE)]
    help: Option<bool>,
    /// Print version
    #[arg(short = 'V', long, action = ArgAction::Version)]
    version: Option<bool>,
    #[command(subcommand)]
    command: Command,
}

/// Above the options that go with every command, below a command's own.
const EVERYWHERE: &str = "Options of every command";

/// Which lab.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct At {
    /// Which lab: as LAB says in the environment, the one you logged in to last, your own daemon's, or
    /// else the system's
    #[arg(long, global = true, value_name = "ADDRESS", help_heading = EVERYWHERE)]
    lab: Option<Address>,
}

impl At {
    /// With what the environment says, where the command line says nothing. clap could, but would print
    /// it as a part of the usage.
    fn or_environment(self) -> anyhow::Result<At> {
        let said = std::env::var("LAB").unwrap_or_default();
        if self.lab.is_some() || said.is_empty() {
            return Ok(self);
        }
        let wrong = |error| {
            Failure::usage(format!("LAB: {error}"), "export LAB=unix:PATH, or LAB=tls://HOST:PORT")
        };
        Ok(At { lab: Some(said.parse().map_err(wrong)?) })
    }

    /// The lab's address.
    pub fn address(&self) -> Address {
        self.lab.clone().unwrap_or_else(Address::usual)
    }

    /// Connects for calls.
    ///
    /// # Errors
    /// [`Error::Unreachable`].
    pub async fn connect(&self) -> Result<Client, Error> {
        Client::connect(&self.address()).await
    }
}

/// The whole program, from its arguments to its exit code.
pub fn main() -> ExitCode {
    CompleteEnv::with_factory(Cli::command).complete();
    let mut command = Cli::command();
    let understood = command
        .try_get_matches_from_mut(std::env::args_os())
        .and_then(|asked| Ok((Cli::from_arg_matches(&asked)?, asked)));
    let (cli, asked) = match understood {
        Ok(understood) => understood,
        Err(error) => {
            return not_understood(&error);
        }
    };
    let mut output = Output::new(cli.json, cli.color);
    if visitor::is_one()
        && let Err(why) = visitor::check(&command, &asked)
    {
        return output.fail(&why.into());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => {
            let outcome = runtime.block_on(async {
                let at = cli.at.or_environment()?;
                cli.command.run(&at, &mut output).await
            });
            // A thread may still wait for a key that is never pressed.
            runtime.shutdown_background();
            outcome
        }
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(code) => code.unwrap_or(ExitCode::SUCCESS),
        // Whoever read this has had enough of it: nothing went wrong.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => output.fail(&error),
    }
}

/// What was asked for is shown, or why it is not understood; with what was typed quoted in it.
fn not_understood(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // If even this cannot be printed there is nobody to tell.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let words = error.render();
    let coloured = Colour::default().suits(&std::io::stderr());
    let text = if coloured { words.ansi().to_string() } else { words.to_string() };
    let _ = write!(std::io::stderr(), "{}", protocol::text::page(&text));
    ExitCode::from(exit::USAGE)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
