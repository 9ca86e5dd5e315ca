//! Which refusals are written down: one that repeats itself is one entry a minute, and nobody has more of them
//! written down than a disk bears.

use std::collections::HashMap;

use protocol::board::BoardName;
use protocol::user::{UserName, Verb};
use protocol::{Span, Time};

/// So long the same refusal is one.
const SAME: Span = Span::minutes(1);
/// So many different ones of one user are written down within that.
const MOST: usize = 1_000;

/// What was refused to somebody, and why.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Refused {
    /// What they wanted to do.
    pub verb: Verb,
    /// With which board, if with one.
    pub board: Option<BoardName>,
    /// What they are told.
    pub why: String,
}

/// What was written down lately.
#[derive(Debug, Default)]
pub struct Refusals {
    of: HashMap<UserName, HashMap<Refused, Time>>,
}

impl Refusals {
    /// Whether a refusal at `now` is to be written down.
    pub fn is_due(&mut self, who: &UserName, refused: Refused, now: Time) -> bool {
        // A clock that was set back makes nothing last longer.
        let is_recent = |at: Time| at <= now && now.since(at) < SAME;
        self.of.retain(|_, theirs| {
            theirs.retain(|_, at| is_recent(*at));
            !theirs.is_empty()
        });
        let theirs = self.of.entry(who.clone()).or_default();
        let is_due = theirs.len() < MOST && !theirs.contains_key(&refused);
        if is_due {
            theirs.insert(refused, now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(verb: Verb, board: &str) -> Refused {
        Refused { verb, board: Some(board.parse().expect("a name")), why: "no".to_owned() }
    }

    #[test]
    fn what_repeats_itself_is_one_entry_a_minute_and_there_is_a_most() {
        let mut refusals = Refusals::default();
        let (ada, bob) = ("ada".parse().expect("a name"), "bob".parse().expect("a name"));
        let mut ask = |who, verb, board: &str, second: u64| {
            refusals.is_due(who, refused(verb, board), Time(second * 1_000))
        };
        assert!(ask(&ada, Verb::Type, "rpi4", 100));
        assert!(!ask(&ada, Verb::Type, "rpi4", 130));
        assert!(ask(&bob, Verb::Type, "rpi4", 130));
        assert!(ask(&ada, Verb::Type, "x86", 130));
        assert!(ask(&ada, Verb::Power, "rpi4", 130));
        assert!(ask(&ada, Verb::Type, "rpi4", 160));
        assert!(ask(&ada, Verb::Type, "rpi4", 20), "the clock was set back");
        let due = |count: &usize| ask(&ada, Verb::See, &format!("b{count}"), 300);
        assert_eq!((0..2 * MOST).filter(due).count(), MOST);
        assert!(ask(&bob, Verb::See, "b0", 300), "others have room of their own");
        assert!(ask(&ada, Verb::See, "b1999", 360));
    }
}
