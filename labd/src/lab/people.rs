//! Who is asking, and whom the lab knows by itself: accounts, tokens, keys.

use std::sync::Arc;

use protocol::account::{Account, AccountAsk, Key, May, MayAsk, NewToken, Secret, Token, TokenAsk};
use protocol::board::BoardName;
use protocol::hold::Want;
use protocol::journal::{Entry, Event};
use protocol::user::{Role, Scope, UserName, Verb, Who};
use protocol::{Error, Span, Time};
use russh::keys::{HashAlg, PublicKey};

use super::{Board, Lab, Remembered, internal, sees};
use crate::config::{Access, BoardConfig, Principal};
use crate::ledger::{Draft, Write};
use crate::rules::access::{self, On};
use crate::rules::hold::Book;
use crate::rules::people::{Changed, People};

/// How long a token lasts if nothing is said, and at most.
const TOKEN: (Span, Span) = (Span::hours(8), Span::hours(90 * 24));
/// The longest note on a token.
const LONGEST_NOTE: usize = 200;

/// Somebody at a door, as the door established it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Their name.
    pub name: UserName,
    /// The role that the door vouches for: root's and labd's own user's.
    pub role: Option<Role>,
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
        let (groups, via) = (Vec::new(), "here".to_owned());
        Peer { name, role: Some(role), groups, proof: Proof::System, via }
    }
}

/// What somebody came in with; it must still be good at each request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// The system says who they are.
    System,
    /// A token, by its hash.
    Token(String),
    /// A token that was good for once.
    Spent(Token),
    /// An ssh key, by its fingerprint.
    Key(String),
}

impl Lab {
    /// Who somebody is at this moment: what they came in with must still be good, and their roles are
    /// looked up anew.
    ///
    /// # Errors
    /// [`Error::NotKnown`], [`Error::NotAllowed`] for somebody who has no role here.
    pub fn who(&self, peer: &Peer) -> Result<Who, Error> {
        let now = self.clock.now();
        let remembered = self.remembered()?;
        let people = &remembered.people;
        let (scope, until) = proven(people, peer, now)?;
        let account = people.account(&peer.name);
        let in_lab = account.into_iter().flat_map(|account| &account.groups);
        let groups: Vec<String> = peer.groups.iter().chain(in_lab).cloned().collect();
        let configured = role(&peer.name, &groups, self.config().access.as_ref());
        let given = account.and_then(|account| account.role(now));
        let role = peer.role.max(configured).max(given);
        let role = role.ok_or_else(|| access::refusal(peer.name.clone(), Verb::See))?;
        let (name, via) = (peer.name.clone(), Some(peer.via.clone()));
        Ok(Who { name, role, groups, scope, until, via })
    }

    /// Returns when somebody is no longer who they were: for the connection to end, and them to come in
    /// anew.
    pub async fn until_changed(&self, peer: &Peer, who: &Who) {
        let mut changes = self.access_changes();
        loop {
            changes.mark_unchanged();
            if self.who(peer).as_ref() != Ok(who) {
                return;
            }
            let next = {
                let now = self.clock.now();
                let granted = self.book.lock().people.next_end(&peer.name, now);
                granted.into_iter().chain(who.until).min()
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

    /// Whether `who` may do it in this lab at all; a refusal is written down.
    ///
    /// # Errors
    /// [`Error::NotAllowed`], [`Error::OutOfScope`].
    pub(super) fn allow(&self, who: &Who, verb: Verb) -> Result<(), Error> {
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

    /// Whether the lab knows somebody of that name by itself.
    pub fn has_account(&self, name: &UserName) -> bool {
        self.book.lock().people.account(name).is_some()
    }

    /// Whether somebody may read an entry of the timeline: not one of a board that is not there for
    /// them, and of what concerns who may do what only their own.
    pub fn may_read(&self, who: &Who, entry: &Entry) -> bool {
        let is_private = matches!(
            entry.event,
            Event::Account { .. } | Event::Token { .. } | Event::Key { .. } | Event::Denied { .. }
        );
        let is_own = entry.who.as_ref() == Some(&who.name);
        if is_private && !is_own && who.role < Role::Moderator {
            return false;
        }
        let boards = self.boards_now();
        match (&entry.board, &entry.event) {
            (Some(board), _) => match boards.get(board) {
                Some(board) => sees(who, board),
                // Of a board that has left the lab nobody knows whose it was.
                None => who.scope.is_open() && who.role >= Role::Moderator,
            },
            (None, Event::Queued { want, .. }) => boards.values().any(|board| {
                let BoardConfig { name, class, tags, .. } = &board.config;
                want.is_met_by(name, class, tags) && sees(who, board)
            }),
            (None, _) => true,
        }
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

    fn access_changed(&self) {
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

    /// The accounts: everybody's for who moderates, else one's own.
    pub fn accounts(&self, who: &Who) -> Vec<Account> {
        let all = access::may(who, Verb::Moderate).is_ok();
        let remembered = self.book.lock();
        let accounts = remembered.people.accounts();
        accounts.filter(|account| all || account.name == who.name).cloned().collect()
    }

    /// Makes, changes or removes an account. Who loses a role or a group loses what came of it within a
    /// second.
    ///
    /// # Errors
    /// [`Error::NotAllowed`], [`Error::NoSuch`], [`Error::Bad`], [`Error::CannotRecord`].
    pub async fn change_account(
        &self,
        who: &Who,
        name: &UserName,
        ask: &AccountAsk,
    ) -> Result<Option<Account>, Error> {
        self.allow(who, Verb::Administer)?;
        let is_backed =
            self.config().access.as_ref().is_some_and(|access| !access.admin.is_empty());
        let event = Event::Account { name: name.clone(), what: sentence(ask) };
        let now = self.clock.now();
        self.change(who, event, |people| people.change(name, ask, is_backed, now)).await?;
        Ok(self.book.lock().people.account(name).cloned())
    }

    /// The tokens: everybody's for an administrator, else one's own.
    pub fn tokens(&self, who: &Who) -> Vec<Token> {
        let all = access::may(who, Verb::Administer).is_ok();
        let remembered = self.book.lock();
        let tokens = remembered.people.tokens();
        tokens.filter(|token| all || token.who == who.name).cloned().collect()
    }

    /// Makes a token; an administrator, for others, too. It opens no more and lasts no longer than what
    /// the caller came with.
    ///
    /// # Errors
    /// [`Error::NotAllowed`], [`Error::OutOfScope`], [`Error::Bad`], [`Error::CannotRecord`].
    pub async fn make_token(
        &self,
        who: &Who,
        owner: &Who,
        ask: TokenAsk,
    ) -> Result<NewToken, Error> {
        let owner = owner.name.clone();
        self.allow(who, if owner == who.name { Verb::Share } else { Verb::Administer })?;
        let bad = |why: String| Error::Bad { why };
        if !who.scope.is_open() {
            let what = "tokens for others".to_owned();
            return Err(Error::OutOfScope { what });
        }
        if ask.note.as_ref().is_some_and(|note| note.len() > LONGEST_NOTE) {
            return Err(bad(format!("a note has at most {LONGEST_NOTE} bytes")));
        }
        let (usual, most) = TOKEN;
        let span = ask.span.unwrap_or(usual);
        if span == Span(0) || span > most {
            return Err(bad(format!("a token lasts more than nothing and at most {most}")));
        }
        self.check_scope(who, &ask.scope)?;
        let now = self.clock.now();
        let secret = Secret::new(random()?);
        let hash = hash(&secret);
        let token = Token {
            id: hash[..8].to_owned(),
            who: owner.clone(),
            note: ask.note,
            scope: ask.scope,
            since: now,
            until: who.until.map_or(now + span, |until| until.min(now + span)),
            once: ask.once,
            used: None,
        };
        let event = Event::Token { id: token.id.clone(), of: owner, what: "made".to_owned() };
        let added = token.clone();
        self.change(who, event, |people| people.add_token(hash, added, now)).await?;
        Ok(NewToken { token, secret })
    }

    /// What a token is to open must be there.
    fn check_scope(&self, who: &Who, scope: &Scope) -> Result<(), Error> {
        scope.boards.iter().try_for_each(|board| self.find(who, board).map(drop))?;
        let config = self.config();
        match scope.classes.iter().find(|class| !config.classes.contains_key(*class)) {
            None => Ok(()),
            Some(class) => Err(self.with_nearest(Error::NoSuch {
                what: "class".to_owned(),
                name: class.clone(),
                near: None,
            })),
        }
    }

    /// Revokes a token; an administrator, anybody's. Whoever is here with it is out within a second.
    ///
    /// # Errors
    /// [`Error::NoSuch`], [`Error::CannotRecord`].
    pub async fn revoke_token(&self, who: &Who, id: &str) -> Result<Token, Error> {
        self.allow(who, Verb::See)?;
        let of = access::may(who, Verb::Administer).is_err().then_some(&who.name);
        let owner = self.tokens(who).into_iter().find(|token| token.id == id);
        let owner = owner.map_or_else(|| who.name.clone(), |token| token.who);
        let event = Event::Token { id: id.to_owned(), of: owner, what: "revoked".to_owned() };
        let mut revoked = None;
        self.change(who, event, |people| {
            let (token, changed) = people.revoke(id, of)?;
            revoked = Some(token);
            Ok(changed)
        })
        .await?;
        revoked.ok_or_else(|| internal("a token was revoked and is not there"))
    }

    /// Somebody comes in with a token: whose it is, and what it opens.
    ///
    /// # Errors
    /// [`Error::NotKnown`], [`Error::CannotRecord`].
    pub async fn come_in(&self, secret: &Secret, from: &str) -> Result<Peer, Error> {
        let (now, hash) = (self.clock.now(), hash(secret));
        let (token, commit) = {
            let mut remembered = self.remembered()?;
            let (token, changed) = remembered.people.spend(&hash, now)?;
            let (id, of) = (token.id.clone(), token.who.clone());
            let event = Event::Token { id, of, what: "used".to_owned() };
            let commit = (!changed.is_empty()).then(|| {
                let writes = written(&remembered.people, &changed);
                let who = Some(&token.who);
                let draft =
                    Draft { via: Some(from.to_owned()), ..self.entry(None, who, event, writes) };
                self.ledger().stage_upon(remembered.generation, [draft])
            });
            (token, commit)
        };
        if let Some(commit) = commit.filter(|_| token.once) {
            // It is used up before it opens anything.
            commit.await.map_err(|error| Error::CannotRecord { why: error.to_string() })?;
        }
        let via = format!("{from} token {}", token.id);
        let name = token.who.clone();
        let proof = if token.once { Proof::Spent(token) } else { Proof::Token(hash) };
        Ok(Peer { name, role: None, groups: Vec::new(), proof, via })
    }

    /// The keys: everybody's for an administrator, else one's own.
    pub fn keys(&self, who: &Who) -> Vec<Key> {
        let all = access::may(who, Verb::Administer).is_ok();
        let remembered = self.book.lock();
        let keys = remembered.people.keys();
        keys.filter(|key| all || key.who == who.name).cloned().collect()
    }

    /// The key of that fingerprint, for a door to know whose it is.
    pub fn key(&self, fingerprint: &str) -> Option<Key> {
        self.book.lock().people.key(fingerprint).cloned()
    }

    /// Adds a key of `owner`'s: its line in authorized_keys.
    ///
    /// # Errors
    /// [`Error::NotAllowed`], [`Error::Bad`], [`Error::CannotRecord`].
    pub async fn add_key(&self, who: &Who, owner: &UserName, line: &str) -> Result<Key, Error> {
        self.allow(who, if who.name == *owner { Verb::Share } else { Verb::Administer })?;
        let public = PublicKey::from_openssh(line.trim())
            .map_err(|error| Error::Bad { why: format!("that is no ssh public key: {error}") })?;
        let fingerprint = public.fingerprint(HashAlg::Sha256).to_string();
        let (line, since) = (line.trim().to_owned(), self.clock.now());
        let key = Key { fingerprint: fingerprint.clone(), who: owner.clone(), line, since };
        let event = Event::Key { fingerprint, of: owner.clone(), what: "added".to_owned() };
        let added = key.clone();
        self.change(who, event, |people| people.add_key(added)).await?;
        Ok(key)
    }

    /// Removes a key; an administrator, anybody's. Whoever is here with it is out within a second.
    ///
    /// # Errors
    /// [`Error::NotAllowed`], [`Error::NoSuch`], [`Error::CannotRecord`].
    pub async fn remove_key(&self, who: &Who, fingerprint: &str) -> Result<(), Error> {
        self.allow(who, Verb::See)?;
        let of = access::may(who, Verb::Administer).is_err().then_some(&who.name);
        let owner = self.key(fingerprint).map_or_else(|| who.name.clone(), |key| key.who);
        let what = "removed".to_owned();
        let event = Event::Key { fingerprint: fingerprint.to_owned(), of: owner, what };
        let remove = |people: &mut People| Ok(people.remove_key(fingerprint, of)?.1);
        self.change(who, event, remove).await
    }

    /// Writes down that a door did not let somebody in whom the lab does not know.
    pub fn turned_away(&self, via: String, why: String) {
        let event = Event::Denied { verb: Verb::See, why };
        let draft = Draft { via: Some(via), ..self.entry(None, None, event, Vec::new()) };
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

/// A board, as far as it matters for who may do something with it.
pub(super) fn on<'a>(board: &'a Board, book: &'a Book) -> On<'a> {
    let config = &board.config;
    On {
        board: &config.name,
        class: &config.class,
        groups: &config.groups,
        hold: book.hold_of(&config.name),
    }
}

/// What somebody's proof opens, and until when.
fn proven(people: &People, peer: &Peer, now: Time) -> Result<(Scope, Option<Time>), Error> {
    let why = match &peer.proof {
        Proof::System => return Ok((Scope::default(), None)),
        Proof::Key(key) => match people.key(key) {
            Some(key) if key.who == peer.name => return Ok((Scope::default(), None)),
            _ => "this key was removed".to_owned(),
        },
        Proof::Token(hash) => match people.token(hash) {
            Some(token) if token.until > now => {
                return Ok((token.scope.clone(), Some(token.until)));
            }
            Some(_) => "this token is over".to_owned(),
            None => "this token was revoked".to_owned(),
        },
        Proof::Spent(token) if token.until > now => {
            return Ok((token.scope.clone(), Some(token.until)));
        }
        Proof::Spent(_) => "this token is over".to_owned(),
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
    };
    changed.iter().map(write).collect()
}

fn put(key: String, record: Option<&impl serde::Serialize>) -> Write {
    match record {
        Some(record) => Write::put(key, record),
        None => Write::Delete(key),
    }
}

/// What is kept of a secret: with 256 random bits, a plain hash cannot be turned back.
fn hash(secret: &Secret) -> String {
    blake3::hash(secret.as_str().as_bytes()).to_hex().to_string()
}

/// Bits that nobody can guess.
fn random() -> Result<[u8; 32], Error> {
    let mut bits = [0; 32];
    getrandom::fill(&mut bits).map_err(internal)?;
    Ok(bits)
}

/// What is so now.
fn sentence(ask: &AccountAsk) -> String {
    let role = |role: &Role, span: &Option<Span>| match span {
        Some(span) => format!("role {role} for {span}"),
        None => format!("role {role} for good"),
    };
    match ask {
        AccountAsk::Add { role: given, span } => format!("added with {}", role(given, span)),
        AccountAsk::Grant { role: given, span } => role(given, span),
        AccountAsk::Withdraw { role } => format!("role {role} withdrawn"),
        AccountAsk::Join { group } => format!("in group {group}"),
        AccountAsk::Leave { group } => format!("no longer in group {group}"),
        AccountAsk::Remove => "removed".to_owned(),
    }
}
