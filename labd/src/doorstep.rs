//! The doorstep of those who come over the network: whoever is there is not known yet.
//!
//! What is decided about them is [`crate::rules::guard`]'s.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::rules::guard::{Guard, Offence, Source};

/// Whoever comes is known within this time.
const PATIENCE: Duration = Duration::from_secs(10);

/// The doorstep.
#[derive(Debug)]
pub struct Doorstep {
    guard: Mutex<Guard>,
    /// Steady time begins here.
    since: Instant,
}

/// Somebody on the doorstep; no longer, when this is dropped.
#[derive(Debug)]
pub struct Stranger {
    /// Where they come from.
    pub from: SocketAddr,
    /// Until when they may stay without being known.
    pub due: tokio::time::Instant,
    source: Source,
    doorstep: Arc<Doorstep>,
}

impl Doorstep {
    /// With nobody on it.
    pub fn new() -> Arc<Doorstep> {
        Arc::new(Doorstep { guard: Mutex::default(), since: Instant::now() })
    }

    /// Lets somebody onto the doorstep, unless they are to be turned away.
    pub fn come(self: &Arc<Self>, from: SocketAddr) -> Option<Stranger> {
        let source = Source::from(from.ip());
        if let Err(refusal) = self.guard.lock().come(source, self.since.elapsed()) {
            tracing::debug!(%from, ?refusal, "somebody is turned away");
            return None;
        }
        let due = tokio::time::Instant::now() + PATIENCE;
        Some(Stranger { from, due, source, doorstep: self.clone() })
    }
}

impl Stranger {
    /// They were not let in.
    pub fn note(&self, offence: Offence) {
        tracing::debug!(from = %self.from, ?offence, "somebody was not let in");
        let mut guard = self.doorstep.guard.lock();
        guard.note(self.source, offence, self.doorstep.since.elapsed());
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.doorstep.guard.lock().leave(self.source);
    }
}
