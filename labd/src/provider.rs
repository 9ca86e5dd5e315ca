//! Those who vouch for people: GitHub, and whoever speaks OpenID Connect.
//!
//! Asked by [`crate::lab::people`], which decides what becomes of whom they vouch for. Nothing that they say
//! is believed without a reason: what is not what was asked for is refused, and said in words.
//!
//! - [`oauth`]: what they have in common (RFC 6749, 7636, 8628)
//! - [`admit`]: whom their word alone makes an account
//! - [`github`], [`oidc`]: what is each one's own
//! - [`id_token`]: a signed word on who somebody is

mod admit;
mod github;
mod id_token;
mod oauth;
mod oidc;

use std::time::Duration;

use protocol::provider::Identity;
use protocol::user::Role;
use protocol::web::{BadUrl, Url};
use protocol::{Span, Time};
use tokio::time::timeout;

use self::github::GitHub;
pub use self::oauth::Challenge;
use self::oauth::{Client, Endpoints, Token};
use self::oidc::Oidc;
use crate::config::fault::Faults;
use crate::config::reader::{Setting, Table, describe};
use crate::config::ucl::{Key, Node, Value};

/// Whoever is asked has answered within this time: sooner than who waits for it is shown out of the
/// [doorstep](crate::doorstep).
const PATIENCE: Duration = Duration::from_secs(8);

/// GitHub's name among the providers.
const GITHUB: &str = "github";

/// `login { github { … } oidc NAME { … } }`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// As people call it.
    pub name: String,
    client: Client,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    GitHub(GitHub),
    Oidc(Oidc),
}

/// Somebody who is vouched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Who it is.
    pub identity: Identity,
    /// What they are called there: for people to read, and for what an account is called that is made
    /// because of [`Person::admitted`].
    pub called: String,
    /// The role of an account that is to be made for them, if they have none.
    pub admitted: Option<Role>,
}

/// What a browser brings back from a provider.
#[derive(Debug, Clone)]
pub struct Word {
    /// What the provider gives a token for.
    pub code: String,
    /// Who the provider says that it is (RFC 9207).
    pub issuer: Option<String>,
}

/// What somebody with a browser elsewhere is to type, and where.
#[derive(Debug, Clone)]
pub struct Device {
    /// What the provider is asked by how it stands.
    pub secret: String,
    /// What is to be typed,
    pub code: String,
    /// and where.
    pub url: String,
    /// For how long it is good.
    pub lasts: Span,
    /// How often the provider may be asked.
    pub interval: Span,
}

/// How it stands with somebody who types a code elsewhere.
#[derive(Debug, Clone)]
pub enum Standing {
    /// They have not yet.
    Waiting,
    /// They have not, and the provider would be asked less often.
    TooFast,
    /// They have.
    Known(Person),
}

/// Why nobody is vouched for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Nothing is heard that is understood.
    #[error("{0}")]
    Silent(String),
    /// They say no.
    #[error("{0}")]
    Refused(String),
    /// What they say is not to be believed.
    #[error("what it says is not to be believed: {0}")]
    Unbelievable(String),
}

impl Provider {
    /// Reads the section `login`.
    pub fn read_all(top: &mut Table<'_>, faults: &Faults) -> Vec<Provider> {
        let Some(value) = top.value("login") else { return Vec::new() };
        let mut table = Table::new(value, faults);
        let github = table.value(GITHUB).and_then(|value| Provider::github(value, faults));
        let oidc = table.sections("oidc");
        table.finish();
        let oidc = oidc.into_iter().filter_map(|(key, value)| Provider::oidc(key, value, faults));
        github.into_iter().chain(oidc).collect()
    }

    fn github(value: &Value, faults: &Faults) -> Option<Provider> {
        let mut table = Table::new(value, faults);
        let client = Client::read_with_secret(&mut table);
        let kind = Kind::GitHub(GitHub::read(&mut table));
        table.finish();
        Some(Provider { name: GITHUB.to_owned(), client: client?, kind })
    }

    fn oidc(key: &Key, value: &Value, faults: &Faults) -> Option<Provider> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let name = &key.text;
        if !matches!(value.node, Node::Object(_)) {
            let what = describe(value);
            faults.add(&value.at, format!("oidc: {what} is no provider; write oidc NAME {{ … }}"));
            return None;
        }
        if name == GITHUB || !name.chars().all(fits) {
            let what = name.escape_debug();
            let why = "a provider's name is its own, of letters, digits, '-', '_' and '.'";
            faults.add(&key.at, format!("oidc: '{what}' is taken or no name; {why}"));
        }
        let mut table = Table::new(value, faults);
        let (client, oidc) = (Client::read(&mut table), Oidc::read(&mut table));
        table.finish();
        Some(Provider { name: name.clone(), client: client?, kind: Kind::Oidc(oidc?) })
    }

    /// By what whoever is vouched for is known, besides their subject.
    pub fn issuer(&self) -> &str {
        match &self.kind {
            Kind::GitHub(github) => github.issuer(),
            Kind::Oidc(oidc) => oidc.issuer(),
        }
    }

    /// What to open with a browser that is to come back to `back`.
    ///
    /// # Errors
    /// [`Failure`]; so do the others.
    pub async fn page(&self, back: &str, challenge: &Challenge) -> Result<String, Failure> {
        let endpoints = in_time(self.endpoints()).await?;
        Ok(self.client.page(&endpoints, self.scope(), back, challenge))
    }

    /// Who it was that came back.
    pub async fn person(
        &self,
        back: &str,
        challenge: &Challenge,
        word: &Word,
        now: Time,
    ) -> Result<Person, Failure> {
        self.check_issuer(word.issuer.as_deref())?;
        in_time(async {
            let endpoints = self.endpoints().await?;
            let token = self.client.exchange(&endpoints, back, challenge, &word.code).await?;
            self.owner(&endpoints, &token, Some(challenge.nonce()), now).await
        })
        .await
    }

    /// What to type into a browser elsewhere.
    pub async fn device(&self) -> Result<Device, Failure> {
        in_time(async { self.client.device(&self.endpoints().await?, self.scope()).await }).await
    }

    /// Whether it was typed, and by whom.
    pub async fn typed(&self, secret: &str, now: Time) -> Result<Standing, Failure> {
        in_time(async {
            let endpoints = self.endpoints().await?;
            match self.client.typed(&endpoints, secret).await? {
                oauth::Typed::No => Ok(Standing::Waiting),
                oauth::Typed::TooFast => Ok(Standing::TooFast),
                oauth::Typed::Yes(token) => {
                    self.owner(&endpoints, &token, None, now).await.map(Standing::Known)
                }
            }
        })
        .await
    }

    /// A browser that was at one provider's is not to be taken for one that was at another's.
    fn check_issuer(&self, said: Option<&str>) -> Result<(), Failure> {
        match said.filter(|said| *said != self.issuer()) {
            None => Ok(()),
            Some(said) => {
                let said: String = said.chars().take(200).collect();
                let (said, ours) = (said.escape_debug(), self.issuer());
                Err(Failure::Unbelievable(format!("the answer is by '{said}', not by {ours}")))
            }
        }
    }

    fn scope(&self) -> &str {
        match &self.kind {
            Kind::GitHub(github) => github.scope(),
            Kind::Oidc(oidc) => oidc.scope(),
        }
    }

    async fn endpoints(&self) -> Result<Endpoints, Failure> {
        match &self.kind {
            Kind::GitHub(github) => github.endpoints(),
            Kind::Oidc(oidc) => oidc.endpoints().await,
        }
    }

    async fn owner(
        &self,
        endpoints: &Endpoints,
        token: &Token,
        nonce: Option<&str>,
        now: Time,
    ) -> Result<Person, Failure> {
        match &self.kind {
            Kind::GitHub(github) => github.owner(token).await,
            Kind::Oidc(oidc) => oidc.owner(&self.client.id, endpoints, token, nonce, now).await,
        }
    }
}

async fn in_time<T>(what: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let late = |_| Failure::Silent(format!("no answer within {} s", PATIENCE.as_secs()));
    timeout(PATIENCE, what).await.map_err(late)?
}

impl Setting for Url {
    const WANTED: &'static str = "an address such as https://id.example.org";

    fn read(value: &Value) -> Result<Url, Option<String>> {
        String::read(value)?.parse().map_err(|bad| match bad {
            BadUrl::Plain => Some(bad.to_string()),
            BadUrl::Other => None,
        })
    }
}
