//! A hold or a place that the lab keeps as long as this process lives: over a connection of its own, which is
//! made again when it breaks.

use std::time::Duration;

use protocol::Error;
use protocol::client::{self, Flow};
use protocol::wire::Follow;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::At;

/// Between two tries to connect again: much shorter than any grace.
const AGAIN: Duration = Duration::from_millis(500);

/// A hold or a place that is kept. It is let go when this is dropped.
pub(super) struct Kept(JoinHandle<Error>);

impl Kept {
    /// Keeps the hold or the place of that number.
    ///
    /// # Errors
    /// The lab's.
    pub(super) async fn new(at: &At, number: u64) -> Result<Kept, Error> {
        let flow = keep(at, number).await?;
        Ok(Kept(tokio::spawn(go_on(at.clone(), number, flow))))
    }

    /// Returns when there is nothing more to keep.
    pub(super) async fn until_over(&mut self) {
        // It ends because it has ended: whoever wants to know how asks the lab.
        let _ = (&mut self.0).await;
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Goes on until the lab says that there is no such hold and no such place.
async fn go_on(at: At, number: u64, mut flow: Flow) -> Error {
    loop {
        // Nothing flows; that it ends is all there is to know.
        let _ = client::next_line(&mut flow).await;
        flow = loop {
            match keep(&at, number).await {
                Ok(flow) => break flow,
                Err(Error::Unreachable { .. } | Error::TooOld { .. }) => sleep(AGAIN).await,
                Err(why) => return why,
            }
        };
    }
}

async fn keep(at: &At, number: u64) -> Result<Flow, Error> {
    client::follow(&at.address(), Follow::Keep { number }).await.map(|(flow, _)| flow)
}
