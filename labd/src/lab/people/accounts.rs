//! Accounts: whom the lab knows by itself.

use std::sync::Arc;

use protocol::account::{Account, AccountAsk};
use protocol::journal::Event;
use protocol::user::{Role, UserName, Verb, Who};
use protocol::{Error, Span, Time};

use super::super::Lab;
use crate::rules::access;

impl Lab {
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
    /// second: also the boards of the group that they hold or wait for.
    ///
    /// # Errors
    /// [`Error::NotAllowed`], [`Error::NoSuch`], [`Error::Bad`], [`Error::CannotRecord`].
    pub async fn change_account(
        self: &Arc<Self>,
        who: &Who,
        name: &UserName,
        ask: &AccountAsk,
    ) -> Result<Option<Account>, Error> {
        self.allow(who, Verb::Administer)?;
        let is_backed =
            self.config().access.as_ref().is_some_and(|access| !access.admin.is_empty());
        let event = Event::Account { name: name.clone(), what: sentence(ask) };
        let now = self.clock.now();
        let identity = self.identity_in(ask)?;
        let changed = self.change(who, event, |people| match (ask, identity) {
            (AccountAsk::Identify { .. }, Some(identity)) => people.identify(name, identity),
            (AccountAsk::Disown { .. }, Some(identity)) => people.disown(name, &identity),
            _ => people.change(name, ask, is_backed, now),
        });
        changed.await.map_err(|error| self.with_nearest_account(error))?;
        self.withdraw_hidden(Some(name)).await?;
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
}

/// Without the roles that are over.
fn lasting(account: &mut Account, now: Time) {
    account.roles.retain(|grant| grant.until.is_none_or(|until| until > now));
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
        AccountAsk::Identify { identity } => format!("is {identity}"),
        AccountAsk::Disown { identity } => format!("is no longer {identity}"),
        AccountAsk::Remove => "removed".to_owned(),
    }
}
