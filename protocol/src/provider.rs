//! Logging in by way of somebody who vouches for people: GitHub, or whoever speaks OpenID Connect.
//!
//! Whoever has neither a certificate nor a token asks the lab to begin, goes to the provider with a
//! browser, and asks the lab how it stands until there is a token that is good once, which becomes a
//! certificate as an invitation's does: see [`crate::login`].

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::account::Secret;
use crate::address::Address;
use crate::error::Error;
use crate::time::{Span, Time};
use crate::tls::Trust;
use crate::web::{self, Ask, Url};

/// Where it is asked for, behind the lab's address.
pub const PATH: &str = "/api/v1/login";

/// Who somebody is, wherever they are known: by whom, and as what. Names and addresses of mail pass from
/// one person to another; this does not. `https://github.com#583231`
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub struct Identity {
    issuer: String,
    subject: String,
}

/// Why a text is no identity.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{}' is no identity: PROVIDER:NUMBER as the lab says it to whoever it does not know", .0.escape_debug()
)]
pub struct BadIdentity(String);

/// The longest issuer, and the longest subject, in bytes.
const LONGEST: usize = 255;

impl Identity {
    /// What `issuer` vouches for: its subject, visible ASCII.
    ///
    /// # Errors
    /// [`BadIdentity`].
    pub fn new(issuer: &str, subject: &str) -> Result<Identity, BadIdentity> {
        let fits = |text: &str| {
            !text.is_empty()
                && text.len() <= LONGEST
                && text.bytes().all(|it| it.is_ascii_graphic())
        };
        if !fits(issuer) || !fits(subject) || issuer.contains('#') {
            return Err(BadIdentity(format!("{issuer}#{subject}")));
        }
        Ok(Identity { issuer: issuer.to_owned(), subject: subject.to_owned() })
    }

    /// Who vouches.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// For whom.
    pub fn subject(&self) -> &str {
        &self.subject
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.issuer, self.subject)
    }
}

impl FromStr for Identity {
    type Err = BadIdentity;

    fn from_str(text: &str) -> Result<Identity, BadIdentity> {
        let (issuer, subject) = text.split_once('#').ok_or_else(|| BadIdentity(text.to_owned()))?;
        Identity::new(issuer, subject)
    }
}

impl TryFrom<String> for Identity {
    type Error = BadIdentity;

    fn try_from(text: String) -> Result<Identity, BadIdentity> {
        text.parse()
    }
}

impl From<Identity> for String {
    fn from(identity: Identity) -> String {
        identity.to_string()
    }
}

/// Somebody who vouches for people to this lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Offer {
    /// As the configuration calls them: `github`.
    pub name: String,
}

/// How somebody would like to log in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Begin {
    /// By way of whom; an [`Offer`]'s name.
    pub provider: String,
    /// With a browser anywhere, into which a code is typed that the provider gives.
    #[serde(default)]
    pub device: bool,
}

/// What somebody is to do who logs in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Begun {
    /// Opens nothing but [`Progress`]: whoever began keeps it for themselves.
    pub handle: String,
    /// What to open with a browser.
    pub url: String,
    /// What to type there, once asked for it.
    pub code: String,
    /// Until when.
    pub until: Time,
    /// How long to wait before asking how it stands, each time.
    pub interval: Span,
}

/// Asks how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Progress {
    /// As it was given.
    pub handle: String,
}

/// How it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Standing {
    /// The provider, or the person at the browser, has not said yet.
    Waiting {
        /// How long to wait before asking again.
        interval: Span,
    },
    /// It is known who it is.
    Known {
        /// Good once, for ten minutes: to be exchanged for a certificate.
        token: Secret,
    },
    /// It has come to nothing.
    Refused {
        /// Why, and what to do.
        why: String,
    },
    /// Said by a newer daemon.
    #[serde(other)]
    Unknown,
}

/// Who vouches for people to the lab at an address.
///
/// # Errors
/// What the lab said; [`Error::Unreachable`].
pub async fn offers(at: &Address) -> Result<Vec<Offer>, Error> {
    said(at, "", Ask::get()).await
}

/// Begins to log in.
///
/// # Errors
/// What the lab said; [`Error::Unreachable`].
pub async fn begin(at: &Address, begin: &Begin) -> Result<Begun, Error> {
    said(at, "", json(begin)?).await
}

/// How it stands.
///
/// # Errors
/// [`Error::NotKnown`] if there is no such login; what else the lab said; [`Error::Unreachable`].
pub async fn progress(at: &Address, progress: &Progress) -> Result<Standing, Error> {
    said(at, "/progress", json(progress)?).await
}

fn json(what: &impl Serialize) -> Result<Ask, Error> {
    let body = serde_json::to_string(what).map_err(|bad| Error::Bad { why: bad.to_string() })?;
    Ok(Ask::post("application/json", body))
}

/// What the lab says to a request, if it is the lab.
async fn said<T: DeserializeOwned>(at: &Address, path: &str, ask: Ask) -> Result<T, Error> {
    let unreachable = |why: String| Error::Unreachable { address: at.to_string(), why };
    let Address::Tls { host, port, pin } = at else {
        let why = "a lab on this machine knows you by your user".to_owned();
        return Err(Error::Bad { why });
    };
    let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    let url: Url = format!("https://{host}:{port}{PATH}{path}")
        .parse()
        .map_err(|bad: web::BadUrl| unreachable(bad.to_string()))?;
    let trust = pin.map_or(Trust::System, Trust::Pinned);
    let answer = web::ask(&url, &trust, ask).await;
    let answer = answer.map_err(|failure| unreachable(failure.to_string()))?;
    if answer.status.is_success() {
        let strange = |_| unreachable("its answer is not understood; update labctl".to_owned());
        return serde_json::from_slice(&answer.body).map_err(strange);
    }
    let strange = |_| unreachable(format!("it answers {}; is this a lab?", answer.status));
    Err(serde_json::from_slice(&answer.body).map_err(strange)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_read_as_it_is_written_and_is_by_whom_and_as_what() {
        let text = "https://id.example.org/realms/lab#auth0|4711#x";
        let identity: Identity = text.parse().expect("an identity");
        assert_eq!(identity.issuer(), "https://id.example.org/realms/lab");
        assert_eq!(identity.subject(), "auth0|4711#x");
        assert_eq!(identity.to_string(), text);
        let other: Identity = "https://other.example.org#4711".parse().expect("an identity");
        assert_ne!("https://id.example.org#4711".parse(), Ok(other));
        for text in ["", "#", "https://a#", "#b", "https://a", "https://a#b c", "https://a#\u{e9}"]
        {
            assert!(text.parse::<Identity>().is_err(), "{text}");
        }
        assert!(Identity::new("https://a", &"x".repeat(256)).is_err());
        assert!(Identity::new("https://a#b", "c").is_err());
    }
}
