//! Who is asking, and what is there for them.
//!
//! - [`accounts`]: whom the lab knows by itself
//! - [`tokens`], [`keys`], [`logins`]: what they come in with
//! - [`identities`]: who they are to those who vouch for them
//! - [`attempts`]: logins that are under way; [`vouched`]: what becomes of them; [`admit`]: whom the lab makes
//!   an account
//! - [`system`]: whom the system knows
//! - [`peer`]: whom a door has before it; [`standing`]: who that is at this moment
//! - [`reading`]: what of the timeline is there for them
//! - [`absent`]: for whom which board is there while they are away, and what they lose

pub(super) mod absent;
mod accounts;
mod admit;
mod attempts;
mod identities;
mod keys;
mod logins;
mod peer;
mod reading;
mod standing;
pub(crate) mod system;
mod tokens;
mod vouched;

use std::sync::Arc;

use protocol::Error;
use protocol::account::{May, MayAsk};
use protocol::board::BoardName;
use protocol::journal::{By, Event};
use protocol::user::{UserName, Verb, Who};

pub(super) use self::attempts::Attempts;
pub use self::peer::{Peer, Proof};
use self::standing::established;
pub use self::vouched::{Back, CALLBACK, Greeting};
use super::{Board, Lab, Remembered, request, sees};
use crate::config::{BoardConfig, Config};
use crate::ledger::{Draft, Write};
use crate::rules::access::{self, On};
use crate::rules::hold::Book;
use crate::rules::people::{Changed, People};
use crate::rules::refusals::Refused;

impl Lab {
    /// Who somebody is at this moment: what they came in with must still be good, and their roles are
    /// looked up anew.
    ///
    /// # Errors
    /// [`Error::NotKnown`], [`Error::NotAllowed`] for somebody who has no role here.
    pub fn who(&self, peer: &Peer) -> Result<Who, Error> {
        let remembered = self.remembered()?;
        established(&remembered.people, &self.config(), peer, self.clock.now())
    }

    /// Returns when somebody is no longer who they were: for the connection to end, and them to come in
    /// anew.
    pub async fn until_changed(&self, peer: &Peer, who: &Who) {
        tokio::select! {
            () = self.until_other(peer, who) => {}
            () = system::until_in_other_groups(peer) => {}
        }
    }

    /// The same, as far as the lab decides it.
    async fn until_other(&self, peer: &Peer, who: &Who) {
        let mut changes = self.access_changes();
        loop {
            changes.mark_unchanged();
            if self.who(peer).as_ref() != Ok(who) {
                return;
            }
            let next = {
                let (now, people) = (self.clock.now(), &self.book.lock().people);
                let granted = people.next_end(&peer.name, now);
                let login = peer.proof.login().and_then(|hash| people.login(hash));
                granted.into_iter().chain(who.until).chain(login.map(|login| login.until)).min()
            };
            let due = async {
                match next {
                    Some(next) => self.clock.until(next).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => {}
                changed = changes.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Returns when a board that there is, is no longer there for somebody.
    pub async fn until_hidden(&self, who: &Who, board: &BoardName) {
        let mut changes = self.access_changes();
        loop {
            changes.mark_unchanged();
            if self.board(board).is_some_and(|board| !sees(who, &board)) {
                return;
            }
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Whether `who` may do it in this lab at all; a refusal is written down.
    ///
    /// # Errors
    /// [`Error::NotAllowed`], [`Error::OutOfScope`].
    pub fn allow(&self, who: &Who, verb: Verb) -> Result<(), Error> {
        access::may(who, verb).inspect_err(|why| self.deny(who, verb, None, why))
    }

    /// Whether `who` may do it with a board; a refusal is written down.
    ///
    /// # Errors
    /// As [`access::may_on`].
    pub(super) fn allow_on(
        &self,
        who: &Who,
        verb: Verb,
        board: &Arc<Board>,
    ) -> Result<Option<u64>, Error> {
        let allowed = access::may_on(who, verb, on(board, &self.book.lock().book));
        allowed.inspect_err(|why| self.deny(who, verb, Some(&board.config.name), why))
    }

    /// What somebody comes in with is nothing for who came with a token that has a scope; a refusal is
    /// written down.
    ///
    /// # Errors
    /// [`Error::NotAllowed`], [`Error::OutOfScope`].
    fn allow_openly(&self, who: &Who, what: &str) -> Result<(), Error> {
        self.allow(who, Verb::See)?;
        if who.scope.is_open() {
            return Ok(());
        }
        let why = Error::OutOfScope { what: what.to_owned() };
        self.deny(who, Verb::See, None, &why);
        Err(why)
    }

    /// Whether the lab knows somebody of that name by itself.
    pub fn has_account(&self, name: &UserName) -> bool {
        self.book.lock().people.account(name).is_some()
    }

    pub(super) fn access_changed(&self) {
        self.access_changes.send_modify(|count| *count += 1);
    }

    /// Writes a refusal down; once, if it is asked again and again: see [`Refusals`](crate::rules::refusals).
    pub(super) fn deny(&self, who: &Who, verb: Verb, board: Option<&BoardName>, why: &Error) {
        let refused = Refused { verb, board: board.cloned(), why: why.to_string() };
        let event = Event::Denied { verb, why: refused.why.clone() };
        if !self.refusals.lock().is_due(&who.name, refused, self.clock.now()) {
            tracing::debug!(who = %who.name, %verb, %why, "a refusal is not written down again");
            return;
        }
        drop(self.ledger().stage(self.entry_by(who, board, event, Vec::new())));
    }

    /// Whether somebody may do something, with the reasons.
    ///
    /// # Errors
    /// [`Error::NoSuch`]; [`Error::NotAllowed`] if it is asked of somebody else.
    pub fn may(&self, who: &Who, about: &Who, ask: &MayAsk) -> Result<May, Error> {
        if who.name != about.name {
            self.allow(who, Verb::Moderate)?;
        }
        let Some(board) = &ask.board else { return Ok(access::explain(about, ask.verb, None)) };
        let board = self.find(who, Verb::See, board)?;
        let remembered = self.book.lock();
        Ok(access::explain(about, ask.verb, Some(on(&board, &remembered.book))))
    }

    /// Who somebody is who comes to a door; that they are nobody here, though what they came with is good,
    /// is written down.
    ///
    /// # Errors
    /// As [`Lab::who`].
    pub fn meet(&self, peer: &Peer) -> Result<Who, Error> {
        self.who(peer).inspect_err(|why| {
            if let Error::NotAllowed { who, .. } = why {
                self.turned_away(Some(who.clone()), peer.via.clone(), why.to_string());
            }
        })
    }

    /// Writes down that a door did not let somebody in.
    pub fn turned_away(&self, who: Option<UserName>, via: String, why: String) {
        let event = Event::Denied { verb: Verb::See, why };
        let by = By { who, via: Some(via), ..request::by(None) };
        let draft = Draft { by, ..self.entry(None, None, event, Vec::new()) };
        drop(self.ledger().stage(draft));
    }

    /// Stages a change to who is known, and waits until it is on disk.
    async fn change(
        &self,
        who: &Who,
        event: Event,
        change: impl FnOnce(&mut People) -> Result<Vec<Changed>, Error>,
    ) -> Result<(), Error> {
        let commit = {
            let mut remembered = self.remembered()?;
            let Remembered { people, generation, .. } = &mut *remembered;
            let changed = change(people)?;
            let draft = self.entry_by(who, None, event, written(people, &changed));
            self.ledger().stage_upon(*generation, [draft])
        };
        let written = commit.await.map_err(|error| Error::CannotRecord { why: error.to_string() });
        if written.is_err() {
            // Who looks now must not see what was just refused.
            drop(self.remembered()?);
        }
        self.access_changed();
        written.map(drop)
    }
}

impl Remembered {
    /// Remembers whose boards are, for when they have left the lab. Returns what is to be written down.
    pub(super) fn remember_whose(&mut self, config: &Config) -> Vec<Write> {
        let mut writes = Vec::new();
        for BoardConfig { name, groups, .. } in &config.boards {
            let key = format!("groups/{name}");
            match self.groups.get(name) {
                known if known.map(Vec::as_slice).unwrap_or_default() == groups => {}
                Some(_) if groups.is_empty() => {
                    self.groups.remove(name);
                    writes.push(Write::Delete(key));
                }
                _ => {
                    self.groups.insert(name.clone(), groups.clone());
                    writes.push(Write::put(key, groups));
                }
            }
        }
        writes
    }
}

/// A board, as far as it matters for who may do something with it.
pub(super) fn on<'a>(board: &'a Board, book: &'a Book) -> On<'a> {
    let config = &board.config;
    On {
        board: &config.name,
        class: &config.class,
        groups: &config.groups,
        hold: book.hold_of(&config.name),
        lent: None,
    }
}

/// What is to be written down of what has changed.
fn written(people: &People, changed: &[Changed]) -> Vec<Write> {
    let write = |changed: &Changed| match changed {
        Changed::Account(name) => put(format!("account/{name}"), people.account(name)),
        Changed::Token(hash) => put(format!("token/{hash}"), people.token(hash)),
        Changed::Key(key) => put(format!("key/{key}"), people.key(key)),
        Changed::Login(hash) => put(format!("login/{hash}"), people.login(hash)),
    };
    changed.iter().map(write).collect()
}

fn put(key: String, record: Option<&impl serde::Serialize>) -> Write {
    match record {
        Some(record) => Write::put(key, record),
        None => Write::Delete(key),
    }
}
