//! Which board: by name, by class, by tags. Shared by the commands that take one; and the names
//! that completion offers.

use std::str::FromStr;
use std::time::Duration;

use clap::builder::StyledStr;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use protocol::address::Address;
use protocol::board::{self, BoardName, Filter};
use protocol::client::Client;
use protocol::hold::Want as Wanted;
use protocol::tags::TagExpr;

/// A lab that does not answer the completion in this time is not asked.
const COMPLETION: Duration = Duration::from_millis(150);

/// Which board.
#[derive(Debug, Clone, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct Want {
    /// The board
    #[arg(value_name = "BOARD", add = boards())]
    board: Option<BoardName>,
    /// Any board of a class
    #[arg(short, long, add = classes())]
    class: Option<String>,
    /// Any board whose tags satisfy an expression: 'arm64 and (poe or usb3) and not flaky'
    #[arg(short, long, value_name = "EXPRESSION")]
    tags: Option<TagExpr>,
}

impl Want {
    /// As it is asked for.
    pub(super) fn wanted(&self) -> Wanted {
        match (&self.board, &self.class, &self.tags) {
            (Some(name), _, _) => Wanted::Board { name: name.clone() },
            (_, Some(name), _) => Wanted::Class { name: name.clone() },
            // clap sees to it that one of the three is there.
            (_, _, tags) => {
                Wanted::Tags { expr: tags.clone().unwrap_or(TagExpr::Tag(String::new())) }
            }
        }
    }
}

/// A whole number; clap would speak of digits in strings.
pub(super) fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| "it is not a whole number".to_owned())
}

/// The boards of the lab, for completion.
pub(super) fn boards() -> ArgValueCandidates {
    ArgValueCandidates::new(|| candidates(|board| (board.name.to_string(), describe(board))))
}

/// The classes of the lab, for completion.
fn classes() -> ArgValueCandidates {
    ArgValueCandidates::new(|| candidates(|board| (board.class.clone(), String::new())))
}

fn describe(board: &board::Board) -> String {
    match &board.hold {
        Some(hold) => format!("{}, {} by {}", board.class, board.state, hold.who),
        None => format!("{}, {}", board.class, board.state),
    }
}

/// Asks the lab; offers nothing if it does not answer at once.
fn candidates(of: impl Fn(&board::Board) -> (String, String)) -> Vec<CompletionCandidate> {
    let lab =
        std::env::var("LAB").ok().and_then(|lab| lab.parse().ok()).unwrap_or_else(Address::usual);
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return Vec::new();
    };
    let ask = async {
        let client = Client::connect(&lab).await.ok()?;
        client.boards(Filter::default()).await.ok()
    };
    let boards = runtime.block_on(async { tokio::time::timeout(COMPLETION, ask).await });
    let mut names: Vec<_> = boards.ok().flatten().unwrap_or_default().iter().map(of).collect();
    names.dedup_by(|a, b| a.0 == b.0);
    names
        .into_iter()
        .map(|(name, help)| CompletionCandidate::new(name).help(Some(StyledStr::from(help))))
        .collect()
}
