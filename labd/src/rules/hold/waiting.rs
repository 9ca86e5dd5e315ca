//! Somebody who waits; and the clients that a hold or a place may be tied to.

use protocol::hold::{Ask, IfTaken, WAITERS_GRACE};
use protocol::user::UserName;
use protocol::{Span, Time};
use serde::{Deserialize, Serialize};

use super::Done;

/// The client that kept a place has gone.
pub(super) const ALONE: Option<&str> = Some("the client that kept the place went away");
/// Nothing is left to wait for.
pub(super) const HOPELESS: Option<&str> = Some("no board that would do is left for them");

/// Somebody who waits; also what is written down of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Names the place.
    pub number: u64,
    /// Who.
    pub who: UserName,
    /// What they asked for.
    pub ask: Ask,
    /// Since when.
    pub since: Time,
    /// Its number, until something else of theirs is served: see [`crate::rules::queue::order`].
    #[serde(default)]
    pub(super) turn: u64,
    #[serde(skip)]
    pub(super) ties: Ties,
}

/// The clients that a hold or a place is tied to, if any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Ties {
    pub(super) connected: u32,
    /// Since when there is none.
    pub(super) gone_since: Time,
}

impl Waiting {
    /// That it is given up.
    pub(super) fn given_up(self, why: Option<&'static str>) -> Done {
        Done::Unqueued { place: self.number, who: self.who, want: self.ask.want, why }
    }

    /// How long the client that keeps the place may be away, if it is tied to one.
    pub(super) fn grace(&self) -> Option<Span> {
        match self.ask.if_taken {
            IfTaken::Wait => Some(WAITERS_GRACE),
            IfTaken::Queue | IfTaken::Refuse => self.ask.grace,
        }
    }
}

impl Ties {
    pub(super) fn gives_up(self, grace: Option<Span>) -> Option<Time> {
        let grace = grace.filter(|_| self.connected == 0)?;
        Some(self.gone_since + grace)
    }

    pub(super) fn given_up(self, grace: Option<Span>, now: Time) -> bool {
        self.gives_up(grace).is_some_and(|when| when <= now)
    }
}
