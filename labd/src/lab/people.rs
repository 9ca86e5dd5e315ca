//! Who is asking, and whom the lab knows by itself: accounts, tokens, keys.

use std::io;
use std::sync::Arc;

use protocol::account::{
    Account, AccountAsk, CERTIFICATE, Enrolled, Key, Login, May, MayAsk, NewToken, Secret, Token,
    TokenAsk,
};
use protocol::address::Address;
use protocol::board::BoardName;
use protocol::hold::Want;
use protocol::journal::{By, Entry, Event};
use protocol::user::{Role, Scope, UserName, Verb, Who};
use protocol::{Error, Span, Time};

use super::{Board, Lab, Remembered, internal, request, sees};
use crate::authority::Authority;
use crate::config::{Access, BoardConfig, Config, Principal};
use crate::ledger::{Draft, Write};
use crate::rules::access::{self, On};
use crate::rules::hold::Book;
use crate::rules::key;
use crate::rules::people::{Changed, People};

/// How long a token lasts if nothing is said, and at most.
const TOKEN: (Span, Span) = (Span::hours(8), Span::hours(90 * 24));
/// How long a token lasts that lets somebody join.
const JOIN: Span = Span::minutes(10);
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
    /// A certificate of the lab's own authority, by its hash.
    Login(String),
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

    /// Whether the lab knows somebody of that name by itself.
    pub fn has_account(&self, name: &UserName) -> bool {
        self.book.lock().people.account(name).is_some()
    }

    /// An entry of the timeline as somebody may read it, if they may.
    pub fn readable(&self, who: &Who, entry: &Entry) -> Option<Entry> {
        let mut entry = self.may_read(who, entry).then(|| entry.clone())?;
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
        access::sees(who, On { board, class: "", groups, hold: None })
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

    /// The accounts, with the roles that last: everybody's for who moderates, else one's own.
    pub fn accounts(&self, who: &Who) -> Vec<Account> {
        let all = access::may(who, Verb::Moderate).is_ok();
        let (now, remembered) = (self.clock.now(), self.book.lock());
        let seen = |account: &&Account| all || account.name == who.name;
        let mut accounts: Vec<_> = remembered.people.accounts().filter(seen).cloned().collect();
        accounts.iter_mut().for_each(|account| lasting(account, now));
        accounts
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
        let changed = self.change(who, event, |people| people.change(name, ask, is_backed, now));
        changed.await.map_err(|error| self.with_nearest_account(error))?;
        let mut account = self.book.lock().people.account(name).cloned();
        account.iter_mut().for_each(|account| lasting(account, now));
        Ok(account)
    }

    fn with_nearest_account(&self, error: Error) -> Error {
        match error {
            Error::NoSuch { what, name, near: None } if what == "account" => {
                let remembered = self.book.lock();
                let names = remembered.people.accounts().map(|account| account.name.as_str());
                let near = crate::config::reader::nearest(&name, names).map(str::to_owned);
                Error::NoSuch { what, name, near }
            }
            other => other,
        }
    }

    /// The tokens that are good, by owner, what ends first first: everybody's for an administrator, else
    /// one's own.
    pub fn tokens(&self, who: &Who) -> Vec<Token> {
        let all = access::may(who, Verb::Administer).is_ok();
        let (now, remembered) = (self.clock.now(), self.book.lock());
        let seen = |token: &&Token| token.until > now && (all || token.who == who.name);
        let mut tokens: Vec<_> = remembered.people.tokens().filter(seen).cloned().collect();
        // They are known by their hashes, whose order is chance.
        tokens.sort_by(|a, b| (&a.who, a.until, &a.id).cmp(&(&b.who, b.until, &b.id)));
        tokens
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
        let is_own = owner == who.name && !ask.joins;
        self.allow(who, if is_own { Verb::Share } else { Verb::Administer })?;
        let bad = |why: String| Error::Bad { why };
        if !who.scope.is_open() {
            let what = "tokens for others".to_owned();
            return Err(Error::OutOfScope { what });
        }
        if ask.note.as_ref().is_some_and(|note| note.len() > LONGEST_NOTE) {
            return Err(bad(format!("a note has at most {LONGEST_NOTE} bytes")));
        }
        let (usual, most) = if ask.joins { (JOIN, JOIN) } else { TOKEN };
        let span = ask.span.unwrap_or(usual);
        if span == Span(0) || span > most {
            let days = most.0 / Span::hours(24).0;
            return Err(bad(format!("a token lasts more than nothing and at most {days} days")));
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
            once: ask.once || ask.joins,
            joins: ask.joins,
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
        let classes = self.classes(who);
        let is_there = |name: &&String| classes.iter().any(|class| class.name == **name);
        match scope.classes.iter().find(|name| !is_there(name)) {
            None => Ok(()),
            Some(class) => {
                let (what, name) = ("class".to_owned(), class.clone());
                Err(self.with_nearest(who, Error::NoSuch { what, name, near: None }))
            }
        }
    }

    /// Revokes a token; an administrator, anybody's. Whoever is here with it is out within a second.
    ///
    /// # Errors
    /// [`Error::NoSuch`], [`Error::CannotRecord`].
    pub async fn revoke_token(&self, who: &Who, id: &str) -> Result<Token, Error> {
        self.allow(who, Verb::See)?;
        let of = access::may(who, Verb::Administer).is_err().then_some(&who.name);
        let known = {
            let remembered = self.book.lock();
            let token = remembered.people.tokens().find(|token| token.id == id);
            token.map(|token| token.who.clone())
        };
        let owner = known.unwrap_or_else(|| who.name.clone());
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

    /// Somebody comes in with a token: whose it is, and what it opens. What the system knows of them is
    /// for the door to add.
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
                let (who, via) = (Some(token.who.clone()), Some(from.to_owned()));
                let by = By { who, via, ..request::by(None) };
                let draft = Draft { by, ..self.entry(None, None, event, writes) };
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

    /// Opens the lab's authority, if it is not open yet.
    ///
    /// # Errors
    /// The system's.
    pub fn open_authority(&self) -> io::Result<Arc<Authority>> {
        if let Some(authority) = self.authority.get() {
            return Ok(authority.clone());
        }
        let authority = Arc::new(Authority::open(&self.folder.join("authority"))?);
        Ok(self.authority.get_or_init(|| authority).clone())
    }

    /// Where the lab is found from elsewhere, and by what it is known.
    ///
    /// # Errors
    /// [`Error::Bad`] if it is not.
    pub fn found_at(&self, who: &Who) -> Result<Address, Error> {
        self.allow(who, Verb::See)?;
        let config = self.config();
        let (Some(tls), Some(authority)) = (&config.tls, self.authority.get()) else {
            let why = "this lab has no door for those from elsewhere; write tls { listen = … } in labd.conf";
            return Err(Error::Bad { why: why.to_owned() });
        };
        let pin = tls.site.is_none().then(|| authority.pin());
        Ok(Address::Tls { host: tls.name.clone(), port: tls.port(), pin })
    }

    /// Somebody exchanges what they came with for a certificate of their public key.
    ///
    /// # Errors
    /// [`Error::NotKnown`] for what cannot be exchanged; [`Error::Bad`], [`Error::CannotRecord`].
    pub async fn enrol(&self, peer: &Peer, key: &str) -> Result<Enrolled, Error> {
        let who = self.who(peer)?;
        let may_join = match &peer.proof {
            Proof::Login(_) => true,
            Proof::Spent(token) => token.joins,
            Proof::System | Proof::Token(_) | Proof::Key(_) => false,
        };
        let bad = |why: String| Error::Bad { why };
        if !may_join {
            let why = "only an invitation becomes a login; an administrator makes one with 'labctl admin invite'";
            return Err(Error::NotKnown { why: why.to_owned() });
        }
        let authority = self.open_authority().map_err(|error| bad(error.to_string()))?;
        let since = self.clock.now();
        let (certificate, hash) = authority.certify(&who.name, key, since).map_err(|error| {
            bad(format!("that is no public key that can be certified: {error}"))
        })?;
        let (id, until) = (hash[..8].to_owned(), since + CERTIFICATE);
        let from = who.via.clone().unwrap_or_default();
        let login = Login { id: id.clone(), who: who.name.clone(), from, since, until };
        let event = Event::Login { id, of: who.name.clone(), what: "made".to_owned() };
        self.change(&who, event, |people| people.add_login(hash, login, since)).await?;
        Ok(Enrolled { who: who.name, certificate, since, until })
    }

    /// Who came with a certificate, by its hash.
    ///
    /// # Errors
    /// [`Error::NotKnown`].
    pub fn logged_in(&self, hash: String, from: &str) -> Result<Peer, Error> {
        let remembered = self.remembered()?;
        let why = "this login was revoked, or is another lab's; log in again".to_owned();
        let login = remembered.people.login(&hash).ok_or(Error::NotKnown { why })?;
        let (name, via) = (login.who.clone(), format!("{from} certificate {}", login.id));
        Ok(Peer { name, role: None, groups: Vec::new(), proof: Proof::Login(hash), via })
    }

    /// The certificates: everybody's for an administrator, else one's own.
    pub fn logins(&self, who: &Who) -> Vec<Login> {
        let all = access::may(who, Verb::Administer).is_ok();
        let remembered = self.book.lock();
        let logins = remembered.people.logins();
        logins.filter(|login| all || login.who == who.name).cloned().collect()
    }

    /// Revokes a certificate; an administrator, anybody's. Whoever is here with it is out within a second.
    ///
    /// # Errors
    /// [`Error::NoSuch`], [`Error::CannotRecord`].
    pub async fn log_out(&self, who: &Who, id: &str) -> Result<Login, Error> {
        self.allow(who, Verb::See)?;
        let of = access::may(who, Verb::Administer).is_err().then_some(&who.name);
        let owner = self.logins(who).into_iter().find(|login| login.id == id);
        let owner = owner.map_or_else(|| who.name.clone(), |login| login.who);
        let event = Event::Login { id: id.to_owned(), of: owner, what: "revoked".to_owned() };
        let mut revoked = None;
        self.change(who, event, |people| {
            let (login, changed) = people.log_out(id, of)?;
            revoked = Some(login);
            Ok(changed)
        })
        .await?;
        revoked.ok_or_else(|| internal("a login was revoked and is not there"))
    }

    /// The key of that fingerprint, for a door to know whose it is.
    pub fn key(&self, fingerprint: &str) -> Option<Key> {
        self.book.lock().people.key(fingerprint).cloned()
    }

    /// Adds an ssh public key; an administrator, for others, too. A key opens everything, and for good:
    /// who came with what does not, adds none.
    ///
    /// # Errors
    /// [`Error::NotAllowed`], [`Error::OutOfScope`], [`Error::Bad`], [`Error::CannotRecord`].
    pub async fn add_key(&self, who: &Who, owner: &Who, line: &str) -> Result<Key, Error> {
        let owner = owner.name.clone();
        self.allow(who, if owner == who.name { Verb::Share } else { Verb::Administer })?;
        if !who.scope.is_open() || who.until.is_some() {
            return Err(Error::OutOfScope { what: "a key, which would last longer".to_owned() });
        }
        let key::Taken { fingerprint, line } = key::read(line)?;
        let (since, what) = (self.clock.now(), "added".to_owned());
        let event = Event::Key { fingerprint: fingerprint.clone(), of: owner.clone(), what };
        let key = Key { fingerprint, who: owner, line, since };
        let added = key.clone();
        self.change(who, event, |people| people.add_key(added)).await?;
        Ok(key)
    }

    /// Removes an ssh public key; an administrator, anybody's. Whoever is here with it is out within a
    /// second.
    ///
    /// # Errors
    /// [`Error::NotAllowed`], [`Error::OutOfScope`], [`Error::NoSuch`], [`Error::CannotRecord`].
    pub async fn remove_key(&self, who: &Who, fingerprint: &str) -> Result<Key, Error> {
        self.allow(who, Verb::See)?;
        if !who.scope.is_open() {
            return Err(Error::OutOfScope { what: "keys".to_owned() });
        }
        let of = access::may(who, Verb::Administer).is_err().then_some(&who.name);
        let known = self.book.lock().people.key(fingerprint).map(|key| key.who.clone());
        let owner = known.unwrap_or_else(|| who.name.clone());
        let (fingerprint, what) = (fingerprint.to_owned(), "removed".to_owned());
        let event = Event::Key { fingerprint: fingerprint.clone(), of: owner, what };
        let mut removed = None;
        self.change(who, event, |people| {
            let (key, changed) = people.remove_key(&fingerprint, of)?;
            removed = Some(key);
            Ok(changed)
        })
        .await?;
        removed.ok_or_else(|| internal("a key was removed and is not there"))
    }

    /// Writes down that a door did not let somebody in whom the lab does not know.
    pub fn turned_away(&self, via: String, why: String) {
        let event = Event::Denied { verb: Verb::See, why };
        let by = By { via: Some(via), ..request::by(None) };
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
        Proof::Login(hash) => match people.login(hash) {
            Some(login) if login.who == peer.name => return Ok((Scope::default(), None)),
            _ => "this login was revoked; log in again".to_owned(),
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

/// Without the roles that are over.
fn lasting(account: &mut Account, now: Time) {
    account.roles.retain(|grant| grant.until.is_none_or(|until| until > now));
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
