//! Certificates of the lab's own authority, with which people from elsewhere come in.

use std::io;
use std::sync::Arc;

use protocol::Error;
use protocol::account::{CERTIFICATE, Enrolled, Login, Token};
use protocol::address::Address;
use protocol::journal::Event;
use protocol::provider::Identity;
use protocol::user::{Role, Verb, Who};

use super::super::{Lab, internal};
use super::{Peer, Proof};
use crate::authority::Authority;
use crate::rules::access;

impl Lab {
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

    /// Somebody exchanges what they came with for a certificate of their public key. Whoever did not hear
    /// the answer comes again with the same key; with another, what they came with is revoked.
    ///
    /// # Errors
    /// [`Error::NotKnown`] for what cannot be exchanged; [`Error::Bad`], [`Error::CannotRecord`].
    pub async fn enrol(&self, peer: &Peer, key: &str) -> Result<Enrolled, Error> {
        let hash_of_key = blake3::hash(key.as_bytes()).to_hex().to_string();
        let who = match self.exchanged(peer) {
            None => self.who(peer)?,
            Some(token) => {
                let who = Who { via: Some(peer.via.clone()), ..Who::new(token.who, Role::Viewer) };
                if token.exchanged.as_ref() != Some(&hash_of_key) {
                    let (id, of, what) = (token.id.clone(), who.name.clone(), "revoked".to_owned());
                    let event = Event::Token { id: id.clone(), of, what };
                    self.change(&who, event, |people| Ok(people.revoke(&id, None)?.1)).await?;
                    let why =
                        "this was good once, and became a login of another key; ask for another";
                    return Err(Error::NotKnown { why: why.to_owned() });
                }
                who
            }
        };
        let Some(identity) = self.joins_as(&peer.proof) else {
            let why = "only an invitation becomes a login; an administrator makes one with 'labctl admin invite'";
            return Err(Error::NotKnown { why: why.to_owned() });
        };
        let bad = |why: String| Error::Bad { why };
        let authority = self.open_authority().map_err(|error| bad(error.to_string()))?;
        let since = self.clock.now();
        let (certificate, hash) = authority.certify(&who.name, key, since).map_err(|error| {
            bad(format!("that is no public key that can be certified: {error}"))
        })?;
        let (id, until) = (hash[..8].to_owned(), since + CERTIFICATE);
        let from = who.via.clone().unwrap_or_default();
        let first = self.renewed_by(peer).map(|old| old.first().to_owned());
        let login =
            Login { id: id.clone(), who: who.name.clone(), from, identity, first, since, until };
        let event = Event::Login { id, of: who.name.clone(), what: "made".to_owned() };
        self.change(&who, event, |people| {
            let mut changed = people.add_login(hash, login, since)?;
            let token = peer.proof.token();
            changed.extend(token.and_then(|token| people.exchange(token, hash_of_key)));
            let renewed = peer.proof.login();
            changed.extend(renewed.and_then(|old| people.supersede(old, since)));
            Ok(changed)
        })
        .await?;
        Ok(Enrolled { who: who.name, certificate, since, until })
    }

    /// What somebody came with, if it has become a certificate already, and its time is not over: it opens
    /// nothing but [`Lab::enrol`].
    pub fn exchanged(&self, peer: &Peer) -> Option<Token> {
        let (now, remembered) = (self.clock.now(), self.book.lock());
        let token = remembered.people.token(peer.proof.token()?)?;
        (token.exchanged.is_some() && token.until > now).then(|| token.clone())
    }

    /// The certificate that somebody came with, and renews.
    fn renewed_by(&self, peer: &Peer) -> Option<Login> {
        self.book.lock().people.login(peer.proof.login()?).cloned()
    }

    /// Whether what somebody came with becomes a certificate; and as whom they were vouched for, if they
    /// were.
    fn joins_as(&self, proof: &Proof) -> Option<Option<Identity>> {
        let people = &self.book.lock().people;
        match proof {
            Proof::Login(hash) => Some(people.login(hash)?.identity.clone()),
            Proof::Token(hash) => {
                let token = people.token(hash).filter(|token| token.joins)?;
                Some(token.identity.clone())
            }
            Proof::System | Proof::Key(_) | Proof::Entered(_) => None,
        }
    }

    /// Who came with a certificate, by its hash.
    ///
    /// # Errors
    /// [`Error::NotKnown`].
    pub fn logged_in(&self, hash: String, from: &str) -> Result<Peer, Error> {
        let remembered = self.remembered()?;
        let why = "this login was revoked, or is another lab's; log in again".to_owned();
        let Some(login) = remembered.people.login(&hash) else {
            drop(remembered);
            self.turned_away(None, format!("{from} certificate {}", &hash[..8]), why.clone());
            return Err(Error::NotKnown { why });
        };
        let via = format!("{from} certificate {}", login.id);
        Ok(Peer::new(login.who.clone(), Proof::Login(hash), via))
    }

    /// The certificates: everybody's for an administrator, else one's own.
    pub fn logins(&self, who: &Who) -> Vec<Login> {
        let all = access::may(who, Verb::Administer).is_ok();
        let (now, remembered) = (self.clock.now(), self.book.lock());
        let logins = remembered.people.logins().filter(|login| login.until > now);
        logins.filter(|login| all || login.who == who.name).cloned().collect()
    }

    /// Revokes a certificate; an administrator, anybody's. Whoever is here with it is out within a second.
    ///
    /// # Errors
    /// [`Error::OutOfScope`], [`Error::NoSuch`], [`Error::CannotRecord`].
    pub async fn log_out(&self, who: &Who, id: &str) -> Result<Login, Error> {
        self.allow_openly(who, "logins")?;
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
}
