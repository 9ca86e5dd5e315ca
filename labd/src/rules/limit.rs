//! How often something may happen: what repeats itself too often is muted for a while.

use std::collections::VecDeque;

use protocol::{Span, Time};

/// So many times within such a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// More often is too often.
    pub times: usize,
    /// Within this, and so long it is muted.
    pub every: Span,
}

/// How often something has happened lately.
#[derive(Debug, Clone, Default)]
pub struct Lately {
    times: VecDeque<Time>,
    muted_until: Option<Time>,
}

/// Whether it may happen again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Allowed,
    /// Not for a while, from now on.
    Muted,
    /// It was muted before.
    StillMuted,
}

impl Lately {
    /// It is about to happen at `now`.
    pub fn again(&mut self, limit: Limit, now: Time) -> Verdict {
        if self.muted_until.is_some_and(|until| now < until) {
            return Verdict::StillMuted;
        }
        if self.muted_until.take().is_some() {
            self.times.clear();
        }
        while self.times.front().is_some_and(|first| now.since(*first) >= limit.every) {
            self.times.pop_front();
        }
        if self.times.len() >= limit.times {
            self.muted_until = Some(now + limit.every);
            return Verdict::Muted;
        }
        self.times.push_back(now);
        Verdict::Allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_repeats_itself_is_muted_and_heard_again() {
        let limit = Limit { times: 2, every: Span::seconds(10) };
        let mut lately = Lately::default();
        let told: Vec<_> = [0, 1, 2, 3, 11, 12, 13, 14, 30, 41, 42]
            .map(|second| lately.again(limit, Time(second * 1_000)))
            .into();
        use Verdict::{Allowed as Yes, Muted as Now, StillMuted as Still};
        assert_eq!(told, [Yes, Yes, Now, Still, Still, Yes, Yes, Now, Yes, Yes, Yes]);
    }
}
