//! Who people are to those who vouch for them.

use protocol::Error;
use protocol::account::AccountAsk;
use protocol::provider::Identity;

use super::super::Lab;
use crate::provider::Provider;

impl Lab {
    /// Somebody who vouches for people to this lab.
    ///
    /// # Errors
    /// [`Error::NoSuch`], with the nearest name.
    pub(super) fn provider(&self, name: &str) -> Result<Provider, Error> {
        let config = self.config();
        let found = config.login.iter().find(|provider| provider.name == name).cloned();
        found.ok_or_else(|| {
            let names = config.login.iter().map(|provider| provider.name.as_str());
            let near = crate::config::reader::nearest(name, names).map(str::to_owned);
            Error::NoSuch { what: "provider".to_owned(), name: name.to_owned(), near }
        })
    }

    /// Who is meant in a change of an account, if anybody is.
    ///
    /// # Errors
    /// [`Error::Bad`], [`Error::NoSuch`].
    pub(super) fn identity_in(&self, ask: &AccountAsk) -> Result<Option<Identity>, Error> {
        let (AccountAsk::Identify { identity: text } | AccountAsk::Disown { identity: text }) = ask
        else {
            return Ok(None);
        };
        let bad = |why: protocol::provider::BadIdentity| Error::Bad { why: why.to_string() };
        // Also of a provider that the configuration no longer names.
        if text.contains("://") {
            return text.parse().map(Some).map_err(bad);
        }
        let (name, subject) = text.split_once(':').unwrap_or((text, ""));
        let issuer = self.provider(name)?.issuer().to_owned();
        Identity::new(&issuer, subject).map(Some).map_err(bad)
    }
}

/// An identity as an administrator names it on a command line.
pub(super) fn named(provider: &Provider, identity: &Identity) -> String {
    let text = format!("{}:{}", provider.name, identity.subject());
    shlex::try_quote(&text).map_or(text.clone(), |quoted| quoted.into_owned())
}
