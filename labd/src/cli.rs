//! What the program `labd` can be asked to do.
//!
//! - without a command: [`run`], the daemon
//! - `labd demo`: [`demo`], a lab made of nothing
//! - `labd check FILE`: every fault of a configuration, and nothing else
//! - `labd repair`: [`repair`], for a ledger that labd refuses
//!
//! What it says meanwhile is [`log`]'s.

pub mod demo;
mod log;
pub mod repair;
pub mod run;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use protocol::{address, text};

use crate::config;

/// The lab daemon: boards, holds, power and consoles.
#[derive(Debug, Parser)]
#[command(name = "labd", version, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    places: Places,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Where things are. Root's daemon is the system's: /etc/labd, /var/lib/labd, /run/labd. Anybody
/// else's is their own, in the folders of the XDG conventions.
#[derive(Debug, clap::Args)]
pub struct Places {
    /// The configuration
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder of the lab's state; systemd's, if it names one
    #[arg(long, global = true, value_name = "FOLDER", env = "STATE_DIRECTORY")]
    state: Option<PathBuf>,
    /// The Unix socket to listen on
    #[arg(long, global = true, value_name = "PATH")]
    socket: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a lab made of nothing: no root, no hardware, no configuration
    Demo(demo::Demo),
    /// Say every fault of a configuration, with its place, and what to write instead
    Check {
        /// The configuration
        file: PathBuf,
    },
    /// Say what is wrong with a ledger that labd refuses; cut it off there if told to
    Repair(repair::Repair),
}

impl Places {
    /// The configuration's file.
    pub fn config(&self) -> PathBuf {
        self.config.clone().unwrap_or_else(|| match address::project() {
            Some(dirs) if !is_system() => dirs.config_dir().join("labd.conf"),
            _ => "/etc/labd/labd.conf".into(),
        })
    }

    /// The state's folder.
    pub fn state(&self) -> PathBuf {
        let state = self.state.clone().unwrap_or_else(|| match address::project() {
            Some(dirs) if !is_system() => {
                dirs.state_dir().unwrap_or(dirs.data_local_dir()).to_owned()
            }
            _ => "/var/lib/labd".into(),
        });
        // What runs elsewhere is told of it, too.
        std::path::absolute(&state).unwrap_or(state)
    }

    /// The socket's path.
    pub fn socket(&self) -> PathBuf {
        self.socket.clone().unwrap_or_else(|| {
            if is_system() { address::SYSTEM_SOCKET.into() } else { address::own_socket() }
        })
    }
}

fn is_system() -> bool {
    nix::unistd::Uid::effective().is_root()
}

/// The whole program, from its arguments to its exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        None => run::run(&cli.places),
        Some(Command::Demo(demo)) => demo.run(&cli.places),
        Some(Command::Repair(repair)) => repair.run(&cli.places),
        Some(Command::Check { file }) => match config::check(&file, &mut io::stdout().lock()) {
            Ok(true) => Ok(()),
            Ok(false) => return ExitCode::FAILURE,
            Err(error) => Err(error.into()),
        },
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let causes: Vec<_> = error.chain().map(ToString::to_string).collect();
            // If even this cannot be said there is nobody to hear it.
            let _ = writeln!(io::stderr(), "labd: {}", text::page(&causes.join(": ")));
            ExitCode::FAILURE
        }
    }
}
