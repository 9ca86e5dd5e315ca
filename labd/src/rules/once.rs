//! What was done for whom, so that nothing is done twice because it is asked twice.
//!
//! Whoever did not hear the answer asks again, under the same id, and says how long ago they asked first.
//! Outcomes are remembered while they are in hand and for [`KEPT`] after that, so many and so large at
//! most. Of what is forgotten, the time remains: whoever first asked after that has not been heard before.
//!
//! Time is steady: since the daemon started, whatever the wall clock does.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use protocol::request::RequestId;
use protocol::user::UserName;

#[cfg(test)]
mod tests;

/// An outcome is remembered for so long. Whoever asks again has noticed within seconds that the connection
/// broke, and tries for half a minute.
pub const KEPT: Duration = Duration::from_secs(180);
/// A call may have been so long on its way, so that it was asked earlier than it seems.
const ON_THE_WAY: Duration = Duration::from_secs(10);

/// Whose request: their name, for they may come back with a login that was renewed meanwhile. Nobody
/// else knows the id.
pub type Key = (UserName, RequestId);

/// How much is remembered at most.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// So many are in hand at a time.
    pub in_hand: usize,
    /// So many outcomes.
    pub outcomes: usize,
    /// So many bytes of outcomes.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { in_hand: 4_096, outcomes: 16_384, bytes: 8 << 20 }
    }
}

/// Why a request is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It may have been done already.
    Forgotten,
    /// Too many are in hand.
    Full,
}

/// Requests and their outcomes; `T` is where an outcome is, or will be.
#[derive(Debug)]
pub struct Once<T> {
    limits: Limits,
    requests: HashMap<Key, T>,
    /// Those that are done, by when; with their sizes.
    done: VecDeque<(Duration, Key, usize)>,
    bytes: usize,
    /// When the newest of those was done that are forgotten.
    forgotten: Option<Duration>,
}

impl<T> Default for Once<T> {
    fn default() -> Once<T> {
        Once::new(Limits::default())
    }
}

impl<T> Once<T> {
    /// Nothing was asked yet.
    pub fn new(limits: Limits) -> Once<T> {
        let (requests, done) = (HashMap::new(), VecDeque::new());
        Once { limits, requests, done, bytes: 0, forgotten: None }
    }

    /// Somebody asks; `first` is how long ago they did so first, if this is again. Returns where the outcome
    /// of the first time is. If there is none, it is to be done now, and its outcome will be in `here`.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn ask(
        &mut self,
        key: &Key,
        first: Option<Duration>,
        here: T,
        now: Duration,
    ) -> Result<Option<&T>, Refusal> {
        self.forget(now);
        if self.requests.contains_key(key) {
            return Ok(self.requests.get(key));
        }
        if first.is_some_and(|ago| self.forgotten >= Some(now.saturating_sub(ago + ON_THE_WAY))) {
            return Err(Refusal::Forgotten);
        }
        if self.requests.len() - self.done.len() >= self.limits.in_hand {
            return Err(Refusal::Full);
        }
        self.requests.insert(key.clone(), here);
        Ok(None)
    }

    /// A request is done; its outcome has so many bytes.
    pub fn done(&mut self, key: Key, bytes: usize, now: Duration) {
        self.done.push_back((now, key, bytes));
        self.bytes += bytes;
        self.forget(now);
    }

    /// How many bytes are remembered.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn forget(&mut self, now: Duration) {
        while let Some((at, ..)) = self.done.front()
            && (*at + KEPT <= now
                || self.done.len() > self.limits.outcomes
                || self.bytes > self.limits.bytes)
        {
            if let Some((at, key, bytes)) = self.done.pop_front() {
                self.requests.remove(&key);
                self.bytes -= bytes;
                self.forgotten = Some(at);
            }
        }
    }
}
