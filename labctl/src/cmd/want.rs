//! Which board: by name, by class, by tags. Shared by the commands that take one.

use std::str::FromStr;

use clap_complete::engine::ArgValueCandidates;
use protocol::board::{self, BoardName, Filter};
use protocol::hold::Want as Wanted;
use protocol::tags::TagExpr;

use super::offer;

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
    offered(|board| (board.name.to_string(), describe(board)))
}

/// The classes of the lab, for completion.
pub(super) fn classes() -> ArgValueCandidates {
    offered(|board| (board.class.clone(), String::new()))
}

fn offered(of: fn(&board::Board) -> (String, String)) -> ArgValueCandidates {
    offer::from_lab(async move |lab| {
        let boards = lab.boards(Filter::default()).await?;
        Ok(boards.iter().map(of).collect())
    })
}

fn describe(board: &board::Board) -> String {
    match &board.hold {
        Some(hold) => format!("{}, {} by {}", board.class, board.state, hold.who),
        None => format!("{}, {}", board.class, board.state),
    }
}
