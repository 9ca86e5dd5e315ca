//! Who is asking, and what is there for them.
//!
//! - [`accounts`]: whom the lab knows by itself
//! - [`tokens`], [`keys`], [`logins`]: what they come in with
//! - [`identities`]: who they are to those who vouch for them
//! - [`attempts`]: logins that are under way; [`vouched`]: what becomes of them; [`admit`]: whom the lab makes
//!   an account
//! - [`system`]: whom the system knows
//! - [`absent`]: for whom which board is there while they are away, and what they lose

pub(super) mod absent;
mod accounts;
mod admit;
mod attempts;
mod identities;
mod keys;
mod logins;
pub(crate) mod system;
mod tokens;
mod vouched;

use std::sync::Arc;

use protocol::account::{May, MayAsk};
use protocol::board::BoardName;
use protocol::hold::{Ended, Want};
use protocol::journal::{By, Entry, Event};
use protocol::user::{Role, Scope, UserName, Verb, Who};
use protocol::{Error, Time};

pub(super) use self::attempts::Attempts;
pub use self::vouched::{Back, CALLBACK, Greeting};
use super::{Board, Lab, Remembered, request, sees};
use crate::config::{Access, BoardConfig, Config, Principal};
use crate::ledger::{Draft, Write};
use crate::rules::access::{self, On};
use crate::rules::hold::Book;
use crate::rules::people::{Changed, People};

/// Somebody at a door, as the door established it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Their name.
    pub name: UserName,
    /// The role that the door vouches for: root's and labd's own user's.
    pub role: Option<Role>,
    /// Whether the system knows them.
    pub is_of_system: bool,
    /// Their groups in the system.
    pub groups: Vec<String>,
    /// What they came in with.
    pub proof: Proof,
    /// Where they came from and with what, for the timeline.
    pub via: String,
}

impl Peer {
    /// Somebody whom the lab's own surroundings vouch for.
    pub fn vouched(name: UserName, role: Role) -> Peer {
        Peer { role: Some(role), ..Peer::new(name, Proof::System, "here".to_owned()) }
    }

    /// Somebody of whom no more is known than what they came in with.
    pub fn new(name: UserName, proof: Proof, via: String) -> Peer {
        Peer { name, role: None, is_of_system: false, groups: Vec::new(), proof, via }
    }
}

/// What somebody came in with; it must still be good at each request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// The system says who they are.
    System,
    /// A token, by its hash.
    Token(String),
    /// An ssh key, by its fingerprint.
    Key(String),
    /// A certificate of the lab's own authority, by its hash.
    Login(String),
    /// The same, for what was opened while it was good, and goes on after its end; not after it is revoked.
    Entered(String),
}

impl Proof {
    /// What tells it from others of the same person.
    pub fn mark(&self) -> &str {
        match self {
            Proof::System => "",
            Proof::Token(hash) | Proof::Key(hash) | Proof::Login(hash) | Proof::Entered(hash) => {
                hash
            }
        }
    }

    /// As it counts for what is opened with it, and cannot be opened anew and go on.
    #[must_use]
    pub fn entered(self) -> Proof {
        if let Proof::Login(hash) = self { Proof::Entered(hash) } else { self }
    }

    /// The hash of a token, if it is one.
    fn token(&self) -> Option<&str> {
        if let Proof::Token(hash) = self { Some(hash) } else { None }
    }

    /// The hash of a certificate, if it is one.
    fn login(&self) -> Option<&str> {
        if let Proof::Login(hash) = self { Some(hash) } else { None }
    }
}

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

    /// An entry of the timeline as somebody may read it, if they may.
    pub fn readable(&self, who: &Who, entry: &Entry) -> Option<Entry> {
        let mut entry = self.may_read(who, entry).then(|| entry.clone())?;
        if entry.who.as_ref() != Some(&who.name) && who.role < Role::Moderator {
            // Where others work, and with what they come, is not everybody's to know.
            entry.via = None;
        }
        if let Event::Queued { want, .. } = &mut entry.event {
            *want = self.want_shown(who, want);
        }
        Some(entry)
    }

    /// Not one of a board that is not there for them, and of what concerns who may do what only their
    /// own.
    fn may_read(&self, who: &Who, entry: &Entry) -> bool {
        let is_private = matches!(
            entry.event,
            Event::Account { .. }
                | Event::Token { .. }
                | Event::Key { .. }
                | Event::Login { .. }
                | Event::Denied { .. }
        );
        let is_own = entry.who.as_ref() == Some(&who.name);
        if is_private && !is_own && who.role < Role::Moderator {
            return false;
        }
        let boards = self.boards_now();
        match (&entry.board, &entry.event) {
            // Whoever loses a board that is no longer there for them is told so.
            (Some(_), Event::Ended { holder, how: Ended::Hidden, .. }) if *holder == who.name => {
                true
            }
            (Some(board), _) => match boards.get(board) {
                Some(board) => sees(who, board),
                None => self.may_look_back(who, board),
            },
            (None, Event::Queued { want, .. }) => boards.values().any(|board| {
                let BoardConfig { name, class, tags, .. } = &board.config;
                want.is_met_by(name, class, tags) && sees(who, board)
            }),
            (None, _) => true,
        }
    }

    /// Whether a board that has left the lab was there for somebody.
    pub(super) fn may_look_back(&self, who: &Who, board: &BoardName) -> bool {
        if let Some(present) = self.board(board) {
            return sees(who, &present);
        }
        let remembered = self.book.lock();
        let groups = remembered.groups.get(board).map(Vec::as_slice).unwrap_or_default();
        // Of what class it was nobody knows any more.
        access::sees(who, On { board, class: "", groups, hold: None, lent: None })
    }

    /// What is wanted, as far as it is there for whoever asks.
    pub(super) fn narrowed(&self, who: &Who, want: Want) -> Want {
        let boards = self.boards_now();
        let would_do =
            |board: &&BoardConfig| want.is_met_by(&board.name, &board.class, &board.tags);
        let all: Vec<_> = boards.values().map(|board| &board.config).filter(would_do).collect();
        let theirs =
            |config: &&&BoardConfig| boards.get(&config.name).is_some_and(|board| sees(who, board));
        let open: Vec<_> = all.iter().filter(theirs).map(|config| config.name.clone()).collect();
        if open.len() == all.len() || matches!(want, Want::Board { .. }) {
            return want;
        }
        Want::Among { want: Box::new(want), boards: open }
    }

    pub(super) fn access_changed(&self) {
        self.access_changes.send_modify(|count| *count += 1);
    }

    /// Writes a refusal down.
    pub(super) fn deny(&self, who: &Who, verb: Verb, board: Option<&BoardName>, why: &Error) {
        let event = Event::Denied { verb, why: why.to_string() };
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
        let board = self.find(who, board)?;
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

/// Who somebody is, by what is known of people. In a lab whose configuration says nothing of access,
/// whomever the system knows is a user.
///
/// # Errors
/// As [`Lab::who`].
fn established(people: &People, config: &Config, peer: &Peer, now: Time) -> Result<Who, Error> {
    let (scope, until) = proven(people, peer, now)?;
    let account = people.account(&peer.name);
    let in_lab = account.into_iter().flat_map(|account| &account.groups);
    let groups: Vec<String> = peer.groups.iter().chain(in_lab).cloned().collect();
    let configured = role(&peer.name, &groups, config.access.as_ref());
    let given = account.and_then(|account| account.role(now));
    let usual = (config.access.is_none() && peer.is_of_system).then_some(Role::User);
    let role = peer.role.max(usual).max(configured).max(given);
    let role = role.ok_or_else(|| access::refusal(peer.name.clone(), Verb::See))?;
    let (name, via) = (peer.name.clone(), Some(peer.via.clone()));
    Ok(Who { name, role, groups, scope, until, via })
}

/// What somebody's proof opens, and until when.
fn proven(people: &People, peer: &Peer, now: Time) -> Result<(Scope, Option<Time>), Error> {
    let why = match &peer.proof {
        Proof::System => return Ok((Scope::default(), None)),
        Proof::Key(key) => match people.key(key) {
            Some(key) if key.who == peer.name => return Ok((Scope::default(), None)),
            _ => "this key was removed".to_owned(),
        },
        Proof::Entered(hash) => match people.login(hash) {
            Some(login) if login.who == peer.name => return Ok((Scope::default(), None)),
            _ => "this login was revoked; log in again".to_owned(),
        },
        Proof::Login(hash) => match people.login(hash) {
            // It is renewed as it is used: no end for what is made by whoever came with it.
            Some(login) if login.who == peer.name && login.until > now => {
                return Ok((Scope::default(), None));
            }
            Some(_) => "this login is over; log in again".to_owned(),
            None => "this login was revoked; log in again".to_owned(),
        },
        Proof::Token(hash) => match people.token(hash) {
            Some(token) if token.exchanged.is_some() => {
                "this was good once, and became a login; ask for another".to_owned()
            }
            Some(token) if token.until > now => {
                return Ok((token.scope.clone(), Some(token.until)));
            }
            Some(_) => "this token is over".to_owned(),
            None => "this token was revoked".to_owned(),
        },
    };
    Err(Error::NotKnown { why })
}

/// The highest role that the configuration gives to a user or one of their groups.
fn role(name: &UserName, groups: &[String], access: Option<&Access>) -> Option<Role> {
    let access = access?;
    let includes = |principal: &Principal| match principal {
        Principal::User(user) => user == name.as_str(),
        Principal::Group(group) => groups.contains(group),
        Principal::Everybody => true,
    };
    let roles =
        [(&access.admin, Role::Admin), (&access.user, Role::User), (&access.viewer, Role::Viewer)];
    roles.into_iter().find(|(principals, _)| principals.iter().any(includes)).map(|(_, role)| role)
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
