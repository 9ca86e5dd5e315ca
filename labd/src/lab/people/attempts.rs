//! Logins that are under way: where each stands, until it comes to something or ten minutes are over.
//!
//! There are so many in all and from one source: where all places are taken, the oldest gives way that has come
//! to nothing yet. What opens one is compared by its hash, and good once. All
//! of them are forgotten when the daemon ends. What they are for is [`super::vouched`]'s.

use protocol::{Span, Time};

use crate::provider::{Challenge, Person};
use crate::rules::guard::Source;

/// So long may it take.
pub(super) const PATIENCE: Span = Span::minutes(10);
/// So many are under way at most: in all, and from one source.
const MOST: (usize, usize) = (256, 8);
/// So often may a code be typed wrong.
const TRIES: u32 = 3;

/// All of them.
#[derive(Default)]
pub(in crate::lab) struct Attempts {
    all: Vec<Attempt>,
    next: u64,
}

/// One of them.
struct Attempt {
    number: u64,
    /// Of what its beginner asks by how it stands.
    handle: blake3::Hash,
    provider: String,
    source: Source,
    /// By steady time.
    until: Time,
    /// What the terminal shows, for the browser.
    code: String,
    stage: Stage,
}

/// Where it stands.
pub(super) enum Stage {
    /// A browser is on its way to the provider.
    Away(Challenge),
    /// Somebody types a code elsewhere; not to be asked before then.
    Elsewhere { secret: String, interval: Span, next: Time },
    /// The provider is being asked.
    Asking,
    /// It is known who is at the browser, by what; not yet that it is also who began.
    Unconfirmed { ticket: blake3::Hash, tries: u32, person: Person },
    /// It is known who it is.
    Known(Person),
    /// It has come to nothing.
    Refused(String),
}

/// How it stands, for whoever began.
pub(super) enum Look {
    Wait(Span),
    /// The provider is to be asked now, and the answer told with [`Attempts::put`].
    Ask {
        number: u64,
        secret: String,
        interval: Span,
    },
    Known(Person),
    Refused(String),
}

/// A code that was typed into a browser.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Typed {
    Right,
    /// So often may another be typed.
    Wrong(u32),
    /// There is no such login, or no longer.
    Nowhere,
}

/// There are too many from one source.
#[derive(Debug)]
pub(super) struct Crowd;

impl Attempts {
    pub(super) fn begin(
        &mut self,
        provider: &str,
        source: Source,
        now: Time,
    ) -> Result<u64, Crowd> {
        self.all.retain(|it| it.until > now);
        let theirs = self.all.iter().filter(|it| it.source == source).count();
        if theirs >= MOST.1 {
            return Err(Crowd);
        }
        if self.all.len() >= MOST.0 {
            let is_open = |it: &Attempt| !matches!(it.stage, Stage::Known(_) | Stage::Refused(_));
            let oldest = self.all.iter().position(is_open).unwrap_or_default();
            self.all.remove(oldest);
        }
        self.next += 1;
        self.all.push(Attempt {
            number: self.next,
            // Of nothing that anybody can say.
            handle: blake3::Hash::from_bytes([0; 32]),
            provider: provider.to_owned(),
            source,
            until: now + PATIENCE,
            code: String::new(),
            stage: Stage::Asking,
        });
        Ok(self.next)
    }

    /// It is on its way.
    pub(super) fn sent(&mut self, number: u64, handle: &str, code: &str, stage: Stage) {
        if let Some(attempt) = self.all.iter_mut().find(|it| it.number == number) {
            attempt.handle = blake3::hash(handle.as_bytes());
            code.clone_into(&mut attempt.code);
            attempt.stage = stage;
        }
    }

    /// The browser is back with what it was sent with: its login's number, provider and challenge. Once.
    pub(super) fn back(&mut self, state: &str, now: Time) -> Option<(u64, String, Challenge)> {
        let state = blake3::hash(state.as_bytes());
        let is_it = |it: &&mut Attempt| match &it.stage {
            Stage::Away(challenge) => blake3::hash(challenge.state().as_bytes()) == state,
            _ => false,
        };
        let attempt = self.all.iter_mut().filter(|it| it.until > now).find(is_it)?;
        match std::mem::replace(&mut attempt.stage, Stage::Asking) {
            Stage::Away(challenge) => Some((attempt.number, attempt.provider.clone(), challenge)),
            other => {
                attempt.stage = other;
                None
            }
        }
    }

    /// Where it stands from now on.
    pub(super) fn put(&mut self, number: u64, stage: Stage) {
        if let Some(attempt) = self.all.iter_mut().find(|it| it.number == number) {
            attempt.stage = stage;
        }
    }

    /// It is forgotten.
    pub(super) fn forget(&mut self, number: u64) {
        self.all.retain(|it| it.number != number);
    }

    /// A code is typed by whoever has the browser's ticket.
    pub(super) fn confirm(&mut self, ticket: &str, code: &str, now: Time) -> Typed {
        let ticket = blake3::hash(ticket.as_bytes());
        let is_it = |it: &&mut Attempt| matches!(&it.stage, Stage::Unconfirmed { ticket: theirs, .. } if *theirs == ticket);
        let Some(attempt) = self.all.iter_mut().filter(|it| it.until > now).find(is_it) else {
            return Typed::Nowhere;
        };
        let Stage::Unconfirmed { tries, person, .. } = &mut attempt.stage else {
            return Typed::Nowhere;
        };
        if blake3::hash(code.as_bytes()) == blake3::hash(attempt.code.as_bytes()) {
            attempt.stage = Stage::Known(person.clone());
            return Typed::Right;
        }
        *tries += 1;
        let left = TRIES - *tries;
        if left == 0 {
            attempt.stage = Stage::Refused("the code was typed wrong too often".to_owned());
        }
        Typed::Wrong(left)
    }

    /// How it stands, with its provider. What it has come to is told once.
    pub(super) fn look(&mut self, handle: &str, now: Time) -> Option<(String, Look)> {
        let handle = blake3::hash(handle.as_bytes());
        let index = self.all.iter().position(|it| it.handle == handle && it.until > now)?;
        let attempt = &mut self.all[index];
        let provider = attempt.provider.clone();
        let wait = Span::seconds(2);
        let look = match std::mem::replace(&mut attempt.stage, Stage::Asking) {
            Stage::Elsewhere { secret, interval, next } if next <= now => {
                Look::Ask { number: attempt.number, secret, interval }
            }
            Stage::Known(person) => Look::Known(person),
            Stage::Refused(why) => Look::Refused(why),
            going_on => {
                let wait = match &going_on {
                    Stage::Elsewhere { next, .. } => next.since(now).max(Span::millis(1)),
                    _ => wait,
                };
                attempt.stage = going_on;
                Look::Wait(wait)
            }
        };
        if matches!(look, Look::Known(_) | Look::Refused(_)) {
            self.all.remove(index);
        }
        Some((provider, look))
    }
}

#[cfg(test)]
mod tests;
