//! Tokens: what programs, and people from elsewhere, come in with.

use protocol::account::{NewToken, Secret, Token, TokenAsk};
use protocol::journal::{By, Event};
use protocol::user::{Scope, Verb, Who};
use protocol::{Error, Span};

use super::super::{Lab, internal, request};
use super::{Peer, Proof, written};
use crate::ledger::Draft;
use crate::rules::access;

/// How long a token lasts if nothing is said, and at most.
const TOKEN: (Span, Span) = (Span::hours(8), Span::hours(90 * 24));
/// How long a token lasts that lets somebody join.
pub(super) const JOIN: Span = Span::minutes(10);
/// The longest note on a token.
const LONGEST_NOTE: usize = 200;

impl Lab {
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
        self.allow_openly(who, "tokens for others")?;
        if ask.joins && !ask.scope.is_open() {
            let why = "whoever joins may do all that their role allows: an invitation has no scope; \
                       make one without, or a token that does not join";
            return Err(bad(why.to_owned()));
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
            identity: None,
            exchanged: None,
        };
        let event = Event::Token { id: token.id.clone(), of: owner, what: "made".to_owned() };
        let added = token.clone();
        self.change(who, event, |people| people.add_token(hash, added, now)).await?;
        Ok(NewToken { token, secret })
    }

    /// What a token is to open must be there.
    fn check_scope(&self, who: &Who, scope: &Scope) -> Result<(), Error> {
        scope.boards.iter().try_for_each(|board| self.find(who, Verb::Share, board).map(drop))?;
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

    /// Revokes a token; an administrator, anybody's. Who came with a token that has a scope revokes that
    /// one and no other. Whoever is here with it is out within a second.
    ///
    /// # Errors
    /// [`Error::OutOfScope`], [`Error::NoSuch`], [`Error::CannotRecord`].
    pub async fn revoke_token(&self, peer: &Peer, id: &str) -> Result<Token, Error> {
        let who = &self.who(peer)?;
        let (known, came) = {
            let remembered = self.book.lock();
            let token = remembered.people.tokens().find(|token| token.id == id);
            let came = peer.proof.token().and_then(|hash| remembered.people.token(hash));
            (token.map(|token| token.who.clone()), came.map(|token| token.id.clone()))
        };
        if came.as_deref() != Some(id) {
            self.allow_openly(who, "other tokens")?;
        }
        let of = access::may(who, Verb::Administer).is_err().then_some(&who.name);
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
            let (token, changed) = match remembered.people.spend(&hash, now) {
                Ok(spent) => spent,
                Err(why) => {
                    drop(remembered);
                    // As often as the doorstep bears with whoever shows such a thing.
                    self.turned_away(None, format!("{from} token {}", &hash[..8]), why.to_string());
                    return Err(why);
                }
            };
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
        Ok(Peer::new(token.who, Proof::Token(hash), via))
    }
}

/// What is kept of a secret: with 256 random bits, a plain hash cannot be turned back.
pub(super) fn hash(secret: &Secret) -> String {
    blake3::hash(secret.as_str().as_bytes()).to_hex().to_string()
}

/// Bits that nobody can guess.
pub(super) fn random() -> Result<[u8; 32], Error> {
    let mut bits = [0; 32];
    getrandom::fill(&mut bits).map_err(internal)?;
    Ok(bits)
}
