//! A timeline, entry by entry, and again from the next one when the connection breaks.

use std::time::Duration;

use protocol::board::BoardName;
use protocol::client::{self, Flow};
use protocol::journal::Entry;
use protocol::wire::Follow;
use protocol::{Error, Time};
use tokio::time::sleep;

use crate::At;

/// The first pause before a connection is made again, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// A timeline that is followed.
pub(super) struct Timeline {
    at: At,
    what: Follow,
    flow: Flow,
}

impl Timeline {
    /// The board's, or the lab's, from an entry on, or so many of the newest. It ends after the last entry
    /// there is, or never.
    ///
    /// # Errors
    /// The lab's.
    pub(super) async fn open(
        at: &At,
        board: Option<BoardName>,
        from: Option<u64>,
        tail: u32,
        stop_at_end: bool,
    ) -> Result<Timeline, Error> {
        let what = Follow::Journal { board, from, since: None, tail, stop_at_end };
        Timeline::of(at, what).await
    }

    /// The board's, or the lab's, from a time on.
    ///
    /// # Errors
    /// The lab's.
    pub(super) async fn since(
        at: &At,
        board: Option<BoardName>,
        since: Option<Time>,
        stop_at_end: bool,
    ) -> Result<Timeline, Error> {
        let what = Follow::Journal { board, from: Some(1), since, tail: 0, stop_at_end };
        Timeline::of(at, what).await
    }

    async fn of(at: &At, what: Follow) -> Result<Timeline, Error> {
        let (flow, welcome) = client::follow(&at.address(), what.clone()).await?;
        let mut timeline = Timeline { at: at.clone(), what, flow };
        timeline.go_on_at(welcome.start);
        Ok(timeline)
    }

    /// The next entry, and its line as it came; none at the end.
    ///
    /// # Errors
    /// The lab's, if it answers and refuses; what cannot be read.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<(String, Entry)>> {
        loop {
            match client::next_line(&mut self.flow).await {
                Ok(Some(line)) => {
                    let entry: Entry = serde_json::from_str(&line)?;
                    self.go_on_at(entry.seq + 1);
                    return Ok(Some((line, entry)));
                }
                Ok(None) if self.stops() => return Ok(None),
                Ok(None) | Err(_) => self.mend().await?,
            }
        }
    }

    fn stops(&self) -> bool {
        matches!(self.what, Follow::Journal { stop_at_end: true, .. })
    }

    fn go_on_at(&mut self, next: u64) {
        if let Follow::Journal { from, .. } = &mut self.what {
            *from = Some(next);
        }
    }

    async fn mend(&mut self) -> Result<(), Error> {
        let mut pause = PAUSE.0;
        loop {
            match client::follow(&self.at.address(), self.what.clone()).await {
                Ok((flow, _)) => {
                    self.flow = flow;
                    return Ok(());
                }
                Err(Error::Unreachable { .. } | Error::TooOld { .. }) => {
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSE.1);
                }
                Err(why) => return Err(why),
            }
        }
    }
}
