//! A part of a board's past, from the lab.

use protocol::Error;
use protocol::board::BoardName;
use protocol::client::{self, Flow};
use protocol::console::{From, Pen};
use protocol::replay::Moment;
use protocol::wire::Follow;
use tokio::io::AsyncReadExt;

use super::when::when;
use crate::At;

/// Which part.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Range {
    /// Begin there instead of at the last boot: start, 10m, 14:20, 2026-03-01T02:14, or @OFFSET
    #[arg(short, long, value_name = "WHEN", value_parser = when)]
    since: Option<From>,
    /// End there instead of now
    #[arg(short, long, value_name = "WHEN", value_parser = when)]
    until: Option<From>,
}

/// A part of a board's past.
pub(super) struct Past {
    /// What paints the screen as it stood at the beginning.
    pub(super) paint: Vec<u8>,
    moments: Flow,
}

impl Range {
    /// Whether anything is said of it.
    pub(super) fn is_said(&self) -> bool {
        self.since.is_some() || self.until.is_some()
    }

    /// What is in it.
    ///
    /// # Errors
    /// The lab's.
    pub(super) async fn open(&self, at: &At, board: &BoardName) -> Result<Past, Error> {
        let from = self.since.unwrap_or(From::Boot);
        let what =
            Follow::Replay { board: board.clone(), from, until: self.until, stop_at_end: true };
        let (moments, welcome) = client::follow(&at.address(), what).await?;
        Ok(Past { paint: screen_at(at, board, welcome.start).await?, moments })
    }
}

impl Past {
    /// The next moment; none at the end.
    ///
    /// # Errors
    /// The connection's.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Moment>> {
        let line = client::next_line(&mut self.moments).await?;
        Ok(line.map(|line| serde_json::from_str(&line)).transpose()?)
    }
}

/// What paints the screen as it stood when so many bytes were printed; nothing, if there is no console.
///
/// # Errors
/// The lab's.
pub(super) async fn screen_at(at: &At, board: &BoardName, offset: u64) -> Result<Vec<u8>, Error> {
    let from = From::Screen { offset: Some(offset), tail: 0 };
    let what =
        Follow::Console { board: board.clone(), from, pen: Pen::Unwanted, stop_at_end: true };
    let (flow, welcome) = match client::follow(&at.address(), what).await {
        Err(Error::Lacks { .. }) => return Ok(Vec::new()),
        followed => followed?,
    };
    // And what the board had begun to say by then.
    let length = welcome.painted + offset.saturating_sub(welcome.start);
    let mut paint = Vec::new();
    let read = flow.take(length).read_to_end(&mut paint).await;
    read.map_err(|error| Error::Unreachable {
        address: at.address().to_string(),
        why: error.to_string(),
    })?;
    Ok(paint)
}
