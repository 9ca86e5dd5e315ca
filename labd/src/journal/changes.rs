//! Which boards look different than they did: what a follower of the board table waits for.
//!
//! A change is a number that grows. A follower remembers the newest it has seen and asks for the
//! boards with a newer one; many changes in between are one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

/// The lab's changes.
#[derive(Debug, Clone)]
pub struct Changes(Arc<watch::Sender<u64>>);

/// One board's newest change.
#[derive(Debug)]
pub struct Mark {
    changes: Changes,
    newest: AtomicU64,
}

impl Changes {
    /// Nothing has changed yet.
    #[expect(
        clippy::new_without_default,
        reason = "an empty lab is nothing to start from by accident"
    )]
    pub fn new() -> Changes {
        Changes(Arc::new(watch::Sender::new(1)))
    }

    /// The newest change, as it grows.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }

    /// The mark of a board.
    pub fn mark(&self) -> Mark {
        let mark = Mark { changes: self.clone(), newest: AtomicU64::new(0) };
        mark.touch();
        mark
    }
}

impl Mark {
    /// The board looks different now.
    pub fn touch(&self) {
        self.changes.0.send_modify(|newest| {
            *newest += 1;
            self.newest.store(*newest, Ordering::Release);
        });
    }

    /// The board's newest change.
    pub fn newest(&self) -> u64 {
        self.newest.load(Ordering::Acquire)
    }
}
