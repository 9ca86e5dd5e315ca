//! `labctl auth`: whether somebody may do something, and why.

use std::process::ExitCode;

use clap::Subcommand;
use protocol::account::{May, MayAsk};
use protocol::board::BoardName;
use protocol::text::plain;
use protocol::user::{UserName, Verb};

use super::{offer, want};
use crate::At;
use crate::exit::NOT_ALLOWED;
use crate::print::Output;

/// Ask whether somebody may do something.
#[derive(Debug, Subcommand)]
pub enum Auth {
    /// Print yes, or no with exit status 5
    CanI(Ask),
    /// Print the reasons, a line each, the deciding one last
    Why(Ask),
}

/// Who may do what with which board.
#[derive(Debug, clap::Args)]
pub struct Ask {
    /// see, hold, type, power, tunnel, flash, share, moderate or administer
    #[arg(add = offer::verbs())]
    verb: Verb,
    /// With which board; without one, in this lab at all
    #[arg(add = want::boards())]
    board: Option<BoardName>,
    /// Who, if not you; that takes a moderator
    #[arg(short, long, add = offer::users())]
    user: Option<UserName>,
}

impl Auth {
    pub(super) async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<ExitCode> {
        let lab = at.connect().await?;
        let (Auth::CanI(Ask { verb, board, user }) | Auth::Why(Ask { verb, board, user })) = &self;
        let ask = MayAsk { verb: *verb, board: board.clone(), who: user.clone() };
        let may: May = lab.may(ask).await?;
        if let Auth::CanI(_) = self {
            out.tell("may", &may, if may.allowed { "yes" } else { "no" })?;
            return Ok(ExitCode::from(if may.allowed { 0 } else { NOT_ALLOWED }));
        }
        let lines = may.because.iter().map(|line| plain(line.as_bytes(), 1_000));
        out.tell("may", &may, lines.collect::<Vec<_>>().join("\n"))?;
        Ok(ExitCode::SUCCESS)
    }
}
