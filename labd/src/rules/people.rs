//! Whom the lab knows by itself: accounts, and the tokens and keys with which they come in.
//!
//! Asked by `lab` under the book's lock, like [`super::hold`]: every method says what it changed, which
//! is written down before anybody is told. It never sees a secret, only what a secret's hash is.

use std::collections::BTreeMap;

use protocol::account::{Account, AccountAsk, Grant, Key, Login, Token};
use protocol::provider::Identity;
use protocol::user::{Role, UserName, is_group};
use protocol::{Error, Span, Time};

#[cfg(test)]
mod tests;

/// When a token was last used is remembered to this.
const USED: Span = Span::minutes(10);
/// The most tokens, and the most keys, that one person may have.
const MOST: usize = 100;
/// A certificate that was renewed is good for so long, for what is under way.
const HANDOVER: Span = Span::minutes(10);
/// A certificate is remembered for so long after its end: what was opened with it may still be open, and ends
/// when it is revoked.
const REMEMBERED: Span = Span::hours(7 * 24);

/// Everybody whom the lab knows by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct People {
    accounts: BTreeMap<UserName, Account>,
    /// By the hash of the secret.
    tokens: BTreeMap<String, Token>,
    /// By fingerprint.
    keys: BTreeMap<String, Key>,
    /// By the hash of the certificate.
    logins: BTreeMap<String, Login>,
}

/// Something of which what is remembered has changed, or gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// An account.
    Account(UserName),
    /// A token, by its hash.
    Token(String),
    /// A key, by its fingerprint.
    Key(String),
    /// A certificate, by its hash.
    Login(String),
}

impl People {
    /// What was written down.
    pub fn restore(
        accounts: Vec<Account>,
        tokens: Vec<(String, Token)>,
        keys: Vec<Key>,
        logins: Vec<(String, Login)>,
    ) -> People {
        People {
            accounts: accounts.into_iter().map(|known| (known.name.clone(), known)).collect(),
            tokens: tokens.into_iter().collect(),
            keys: keys.into_iter().map(|key| (key.fingerprint.clone(), key)).collect(),
            logins: logins.into_iter().collect(),
        }
    }

    /// Every account.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    /// The account of that name.
    pub fn account(&self, name: &UserName) -> Option<&Account> {
        self.accounts.get(name)
    }

    /// Every token.
    pub fn tokens(&self) -> impl Iterator<Item = &Token> {
        self.tokens.values()
    }

    /// The token of that hash, whether it is still good or not.
    pub fn token(&self, hash: &str) -> Option<&Token> {
        self.tokens.get(hash)
    }

    /// Every key.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.keys.values()
    }

    /// The key of that fingerprint.
    pub fn key(&self, fingerprint: &str) -> Option<&Key> {
        self.keys.get(fingerprint)
    }

    /// Changes an account. `is_backed` says that the configuration names administrators, too.
    ///
    /// # Errors
    /// [`Error::Bad`], [`Error::NoSuch`]. Then nothing has changed.
    pub fn change(
        &mut self,
        name: &UserName,
        ask: &AccountAsk,
        is_backed: bool,
        now: Time,
    ) -> Result<Vec<Changed>, Error> {
        let known = self.accounts.get(name);
        let changed = match (ask, known) {
            (AccountAsk::Add { .. }, Some(_)) => {
                let help = format!("'labctl user role {name} ROLE' gives it another role");
                return Err(bad(format!("there is an account {name} already; {help}")));
            }
            (AccountAsk::Add { role, span }, None) => Some(Account {
                name: name.clone(),
                roles: vec![grant(*role, *span, now)?],
                groups: Vec::new(),
                identities: Vec::new(),
                since: now,
            }),
            (_, None) => return Err(no("account", name.as_str())),
            (AccountAsk::Remove, Some(_)) => None,
            (ask, Some(known)) => Some(edited(known.clone(), ask, now)?),
        };
        self.check_last_admin(name, changed.as_ref(), is_backed)?;
        Ok(match changed {
            Some(account) => {
                self.accounts.insert(name.clone(), account);
                vec![Changed::Account(name.clone())]
            }
            None => self.remove(name),
        })
    }

    /// Somebody must be left who can put things right.
    fn check_last_admin(
        &self,
        name: &UserName,
        changed: Option<&Account>,
        is_backed: bool,
    ) -> Result<(), Error> {
        let is_admin = |account: &Account| {
            let for_good = |grant: &Grant| grant.role == Role::Admin && grant.until.is_none();
            account.roles.iter().any(for_good)
        };
        let was = self.accounts.get(name).is_some_and(is_admin);
        let mut others = self.accounts.values().filter(|other| other.name != *name);
        if is_backed || !was || changed.is_some_and(is_admin) || others.any(is_admin) {
            return Ok(());
        }
        Err(bad(format!("{name} is the last administrator; give somebody else the role first")))
    }

    /// Whose account somebody is, who is vouched for.
    pub fn identified(&self, identity: &Identity) -> Option<&UserName> {
        let is_it = |account: &&Account| account.identities.contains(identity);
        self.accounts.values().find(is_it).map(|account| &account.name)
    }

    /// Whether somebody still is who they were vouched for as, if they were.
    ///
    /// # Errors
    /// [`Error::NotKnown`].
    pub fn check_identity(
        &self,
        name: &UserName,
        identity: Option<&Identity>,
    ) -> Result<(), Error> {
        match identity {
            Some(identity) if self.identified(identity) != Some(name) => {
                Err(Error::NotKnown { why: format!("{name} is no longer {identity}") })
            }
            _ => Ok(()),
        }
    }

    /// `name` is who `identity` is, from now on.
    ///
    /// # Errors
    /// [`Error::NoSuch`]; [`Error::Bad`] if somebody is already, or they are too many.
    pub fn identify(&mut self, name: &UserName, identity: Identity) -> Result<Vec<Changed>, Error> {
        if let Some(known) = self.identified(&identity) {
            return Err(bad(format!("{identity} is {known} already")));
        }
        let account = self.accounts.get_mut(name).ok_or_else(|| no("account", name.as_str()))?;
        if account.identities.len() >= MOST {
            return Err(bad(format!("{name} is {MOST} others already")));
        }
        account.identities.push(identity);
        Ok(vec![Changed::Account(name.clone())])
    }

    /// `name` is no longer who `identity` is; what came of it goes.
    ///
    /// # Errors
    /// [`Error::NoSuch`], [`Error::Bad`].
    pub fn disown(&mut self, name: &UserName, identity: &Identity) -> Result<Vec<Changed>, Error> {
        let account = self.accounts.get_mut(name).ok_or_else(|| no("account", name.as_str()))?;
        let before = account.identities.len();
        account.identities.retain(|known| known != identity);
        if account.identities.len() == before {
            return Err(bad(format!("{name} is not {identity}")));
        }
        let came_of = |of: &Option<Identity>| of.as_ref() == Some(identity);
        let mut changed = vec![Changed::Account(name.clone())];
        let tokens = self.tokens.extract_if(.., |_, token| came_of(&token.identity));
        changed.extend(tokens.map(|(hash, _)| Changed::Token(hash)));
        let logins = self.logins.extract_if(.., |_, login| came_of(&login.identity));
        changed.extend(logins.map(|(hash, _)| Changed::Login(hash)));
        Ok(changed)
    }

    fn remove(&mut self, name: &UserName) -> Vec<Changed> {
        self.accounts.remove(name);
        let mut changed = vec![Changed::Account(name.clone())];
        let tokens = self.tokens.extract_if(.., |_, token| token.who == *name);
        changed.extend(tokens.map(|(hash, _)| Changed::Token(hash)));
        let keys = self.keys.extract_if(.., |_, key| key.who == *name);
        changed.extend(keys.map(|(fingerprint, _)| Changed::Key(fingerprint)));
        let logins = self.logins.extract_if(.., |_, login| login.who == *name);
        changed.extend(logins.map(|(hash, _)| Changed::Login(hash)));
        changed
    }

    /// Adds a token. Those of the same person that are over go, and of those that were good once and are used
    /// up the oldest, if they are as many as one may have.
    ///
    /// # Errors
    /// [`Error::Bad`] if they have too many; [`Error::NotKnown`] if they are no longer who they were
    /// vouched for as.
    pub fn add_token(
        &mut self,
        hash: String,
        token: Token,
        now: Time,
    ) -> Result<Vec<Changed>, Error> {
        let who = token.who.clone();
        self.check_identity(&who, token.identity.as_ref())?;
        let theirs = self.tokens.values().filter(|other| other.who == who && other.until > now);
        if theirs.filter(|other| !is_used_up(other)).count() >= MOST {
            return Err(bad(format!("{who} has {MOST} tokens already; revoke some of them")));
        }
        let over = self.tokens.extract_if(.., |_, old| old.who == who && old.until <= now);
        let mut changed: Vec<_> = over.map(|(hash, _)| Changed::Token(hash)).collect();
        let used_up = self.tokens.iter().filter(|(_, old)| old.who == who && is_used_up(old));
        let mut used_up: Vec<_> = used_up.map(|(hash, old)| (old.used, hash.clone())).collect();
        used_up.sort();
        for (_, hash) in used_up.into_iter().rev().skip(MOST) {
            self.tokens.remove(&hash);
            changed.push(Changed::Token(hash));
        }
        self.tokens.insert(hash.clone(), token);
        changed.push(Changed::Token(hash));
        Ok(changed)
    }

    /// Somebody comes in with a token. One that is good for once lets nobody else in; it stays until its
    /// time is over, for whoever came with it to be seen, and shown out.
    ///
    /// # Errors
    /// [`Error::NotKnown`].
    pub fn spend(&mut self, hash: &str, now: Time) -> Result<(Token, Vec<Changed>), Error> {
        let why = "the lab does not know this token: it was revoked, or is another lab's";
        let unknown = || Error::NotKnown { why: why.to_owned() };
        let token = self.tokens.get_mut(hash).ok_or_else(unknown)?;
        if token.until <= now {
            let why = "this token is over; make another with 'labctl token new'".to_owned();
            return Err(Error::NotKnown { why });
        }
        if is_used_up(token) && token.exchanged.is_none() {
            let why =
                "this token was good once and is used up; make another with 'labctl token new'";
            return Err(Error::NotKnown { why: why.to_owned() });
        }
        if token.used.is_some_and(|used| now.since(used) < USED) {
            return Ok((token.clone(), Vec::new()));
        }
        token.used = Some(now);
        Ok((token.clone(), vec![Changed::Token(hash.to_owned())]))
    }

    /// A token becomes a certificate of that key. Nothing has changed if it is none that does.
    pub fn exchange(&mut self, hash: &str, key: String) -> Option<Changed> {
        let token = self.tokens.get_mut(hash).filter(|token| token.joins)?;
        token.exchanged = Some(key);
        Some(Changed::Token(hash.to_owned()))
    }

    /// Revokes the token of that id, if it is one of `of`'s; of anybody's if there is no `of`.
    ///
    /// # Errors
    /// [`Error::NoSuch`].
    pub fn revoke(
        &mut self,
        id: &str,
        of: Option<&UserName>,
    ) -> Result<(Token, Vec<Changed>), Error> {
        let is_it = |token: &Token| token.id == id && of.is_none_or(|who| token.who == *who);
        let found = self.tokens.iter().find(|(_, token)| is_it(token));
        let hash = found.map(|(hash, _)| hash.clone()).ok_or_else(|| no("token", id))?;
        let token = self.tokens.remove(&hash).ok_or_else(|| no("token", id))?;
        Ok((token, vec![Changed::Token(hash)]))
    }

    /// Adds a key.
    ///
    /// # Errors
    /// [`Error::Bad`] if it is somebody's already, or they have too many.
    pub fn add_key(&mut self, key: Key) -> Result<Vec<Changed>, Error> {
        if let Some(known) = self.keys.get(&key.fingerprint) {
            let is_own = known.who == key.who;
            let whose =
                if is_own { format!("{}'s", key.who) } else { "somebody else's".to_owned() };
            return Err(bad(format!("the key {} is {whose} already", key.fingerprint)));
        }
        if self.keys.values().filter(|other| other.who == key.who).count() >= MOST {
            return Err(bad(format!("{} has {MOST} keys already; remove some of them", key.who)));
        }
        let changed = vec![Changed::Key(key.fingerprint.clone())];
        self.keys.insert(key.fingerprint.clone(), key);
        Ok(changed)
    }

    /// Removes a key, if it is one of `of`'s; anybody's if there is no `of`.
    ///
    /// # Errors
    /// [`Error::NoSuch`].
    pub fn remove_key(
        &mut self,
        fingerprint: &str,
        of: Option<&UserName>,
    ) -> Result<(Key, Vec<Changed>), Error> {
        let is_it = |key: &&Key| of.is_none_or(|who| key.who == *who);
        self.keys.get(fingerprint).filter(is_it).ok_or_else(|| no("key", fingerprint))?;
        let key = self.keys.remove(fingerprint).ok_or_else(|| no("key", fingerprint))?;
        Ok((key, vec![Changed::Key(fingerprint.to_owned())]))
    }

    /// Every certificate.
    pub fn logins(&self) -> impl Iterator<Item = &Login> {
        self.logins.values()
    }

    /// The certificate of that hash.
    pub fn login(&self, hash: &str) -> Option<&Login> {
        self.logins.get(hash)
    }

    /// Adds a certificate. Those of the same person that have been over for [`REMEMBERED`] go.
    ///
    /// # Errors
    /// [`Error::Bad`] if they have too many; [`Error::NotKnown`] if they are no longer who they were
    /// vouched for as.
    pub fn add_login(
        &mut self,
        hash: String,
        login: Login,
        now: Time,
    ) -> Result<Vec<Changed>, Error> {
        let who = login.who.clone();
        self.check_identity(&who, login.identity.as_ref())?;
        let is_forgotten = |old: &Login| old.who == who && old.until + REMEMBERED <= now;
        let over = self.logins.extract_if(.., |_, old| is_forgotten(old));
        let mut changed: Vec<_> = over.map(|(hash, _)| Changed::Login(hash)).collect();
        let theirs = self.logins.values().filter(|other| other.who == who && other.until > now);
        if theirs.count() >= MOST {
            return Err(bad(format!("{who} is logged in {MOST} times already; log out somewhere")));
        }
        self.logins.insert(hash.clone(), login);
        changed.push(Changed::Login(hash));
        Ok(changed)
    }

    /// A certificate was renewed: whoever has not got the new one yet has so much time left.
    pub fn supersede(&mut self, hash: &str, now: Time) -> Option<Changed> {
        let login = self.logins.get_mut(hash)?;
        login.until = login.until.min(now + HANDOVER);
        Some(Changed::Login(hash.to_owned()))
    }

    /// Revokes the certificate of that id, if it is one of `of`'s; of anybody's if there is no `of`. Those
    /// that it renews go with it, and those that renew it.
    ///
    /// # Errors
    /// [`Error::NoSuch`].
    pub fn log_out(
        &mut self,
        id: &str,
        of: Option<&UserName>,
    ) -> Result<(Login, Vec<Changed>), Error> {
        let is_it = |login: &Login| login.id == id && of.is_none_or(|who| login.who == *who);
        let found = self.logins.iter().find(|(_, login)| is_it(login));
        let hash = found.map(|(hash, _)| hash.clone()).ok_or_else(|| no("login", id))?;
        let login = self.logins.remove(&hash).ok_or_else(|| no("login", id))?;
        let is_of_them = |other: &Login| other.who == login.who && other.first() == login.first();
        let others = self.logins.extract_if(.., |_, other| is_of_them(other));
        let mut changed: Vec<_> = others.map(|(hash, _)| Changed::Login(hash)).collect();
        changed.push(Changed::Login(hash));
        Ok((login, changed))
    }

    /// When something that was granted is over next.
    pub fn next_end(&self, name: &UserName, now: Time) -> Option<Time> {
        let grants = self.accounts.get(name).into_iter().flat_map(|account| &account.roles);
        grants.filter_map(|grant| grant.until).filter(|until| *until > now).min()
    }
}

/// Whether a token was good once, and lets nobody in any more.
fn is_used_up(token: &Token) -> bool {
    token.once && token.used.is_some()
}

fn edited(mut account: Account, ask: &AccountAsk, now: Time) -> Result<Account, Error> {
    let name = account.name.clone();
    match ask {
        AccountAsk::Grant { role, span } => {
            account.roles.retain(|grant| grant.role != *role);
            account.roles.push(grant(*role, *span, now)?);
        }
        AccountAsk::Withdraw { role } => {
            let before = account.roles.len();
            account.roles.retain(|grant| grant.role != *role);
            if account.roles.len() == before {
                return Err(bad(format!("{name} has not been given the role '{role}'")));
            }
        }
        AccountAsk::Join { group } if !is_group(group) => {
            return Err(bad(format!("'{}' is not the name of a group", group.escape_debug())));
        }
        AccountAsk::Join { group } => {
            account.groups.retain(|known| known != group);
            account.groups.push(group.clone());
        }
        AccountAsk::Leave { group } => {
            let before = account.groups.len();
            account.groups.retain(|known| known != group);
            if account.groups.len() == before {
                return Err(bad(format!("{name} is not in the group {}", group.escape_debug())));
            }
        }
        // Who somebody is elsewhere is [`People::identify`]'s.
        AccountAsk::Identify { .. } | AccountAsk::Disown { .. } => {}
        AccountAsk::Add { .. } | AccountAsk::Remove => {}
    }
    Ok(account)
}

fn grant(role: Role, span: Option<Span>, now: Time) -> Result<Grant, Error> {
    match span {
        Some(Span(0)) => {
            Err(bad("a role for no time is none; say for how long, as in 7d".to_owned()))
        }
        span => Ok(Grant { role, until: span.map(|span| now + span) }),
    }
}

fn bad(why: String) -> Error {
    Error::Bad { why }
}

fn no(what: &str, name: &str) -> Error {
    Error::NoSuch { what: what.to_owned(), name: name.to_owned(), near: None }
}
