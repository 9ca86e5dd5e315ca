//! The ssh public keys with which people come in.

use protocol::Error;
use protocol::account::Key;
use protocol::journal::Event;
use protocol::user::{Verb, Who};

use super::super::{Lab, internal};
use crate::rules::access;
use crate::rules::key;

impl Lab {
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

    /// Adds an ssh public key; an administrator, for others, too. A key opens everything, and for good:
    /// who came with what does not, adds none.
    ///
    /// # Errors
    /// [`Error::NotAllowed`], [`Error::OutOfScope`], [`Error::Bad`], [`Error::CannotRecord`].
    pub async fn add_key(&self, who: &Who, owner: &Who, line: &str) -> Result<Key, Error> {
        let owner = owner.name.clone();
        self.allow(who, if owner == who.name { Verb::Share } else { Verb::Administer })?;
        if !who.scope.is_open() || who.until.is_some() {
            let why = Error::OutOfScope { what: "a key, which would last longer".to_owned() };
            self.deny(who, Verb::Share, None, &why);
            return Err(why);
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
        self.allow_openly(who, "keys")?;
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
}
