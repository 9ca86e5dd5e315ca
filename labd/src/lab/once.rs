//! What changes something is done once, however often it is asked: the connection on which the answer should
//! have come may have broken.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::tasks::ended;
use super::{Lab, request};
use crate::rules::once::{Key, Refusal};

/// Where the outcome of a request is, or will be.
pub(super) type Outcome = watch::Receiver<Option<Arc<[u8]>>>;

impl Lab {
    /// Names this run of the daemon: what it remembers of requests, another does not.
    pub fn run(&self) -> u64 {
        self.run
    }

    /// Does `work` in a task of its own, which goes on when the caller leaves. If this was asked before, that
    /// one's outcome is told instead, also if it is still to come. `first` is how long ago that was.
    ///
    /// # Errors
    /// [`Refusal`]: then it is not done now.
    pub async fn once(
        self: &Arc<Self>,
        key: Key,
        first: Option<Duration>,
        work: impl Future<Output = Vec<u8>> + Send + 'static,
    ) -> Result<Arc<[u8]>, Refusal> {
        let (tell, told) = watch::channel(None);
        let earlier = {
            let now = self.since.elapsed();
            self.once.lock().ask(&key, first, told.clone(), now)?.cloned()
        };
        let mut outcome = earlier.unwrap_or_else(|| {
            request::spawn(self.clone().carry_out(key, tell, work));
            told
        });
        match outcome.wait_for(Option::is_some).await.map(|outcome| outcome.clone()) {
            Ok(Some(outcome)) => Ok(outcome),
            // The lab ends, and with it the connection: the caller asks the next one.
            _ => std::future::pending().await,
        }
    }

    async fn carry_out(
        self: Arc<Self>,
        key: Key,
        tell: watch::Sender<Option<Arc<[u8]>>>,
        work: impl Future<Output = Vec<u8>>,
    ) {
        let mut ending = self.ending();
        let outcome: Arc<[u8]> = tokio::select! {
            outcome = work => outcome.into(),
            () = ended(&mut ending) => return,
        };
        self.once.lock().done(key, outcome.len(), self.since.elapsed());
        tell.send_replace(Some(outcome));
    }
}
