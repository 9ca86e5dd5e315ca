//! GitHub, and GitHub Enterprise. It knows no OpenID Connect for people: who somebody is, its API says.

use protocol::provider::Identity;
use protocol::user::Role;
use protocol::web::Url;
use serde::Deserialize;

use super::admit::Admit;
use super::oauth::{self, Endpoints, Token};
use super::{Failure, Person};
use crate::config::reader::Table;

/// GitHub's own.
const USUAL: &str = "https://github.com";

/// `github { client_id = …; client_secret_file = …; url = "https://github.example.org" }`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GitHub {
    /// GitHub Enterprise's own, or github.com.
    base: String,
    is_usual: bool,
    /// As GitHub calls itself where it vouches for people (RFC 8414).
    issuer: String,
    admit: Option<Admit>,
}

/// Somebody's place in an organisation.
#[derive(Deserialize)]
struct Membership {
    /// `active`; `pending` for whoever was invited and has not said yes.
    state: String,
}

/// Somebody, as GitHub has them.
#[derive(Deserialize)]
struct User {
    /// Theirs for good.
    id: u64,
    /// Theirs until they take another; then it may be somebody else's.
    login: String,
}

impl GitHub {
    pub(super) fn read(table: &mut Table<'_>) -> GitHub {
        let url: Option<Url> = table.optional("url");
        let base = url.as_ref().map_or(USUAL, Url::as_str).trim_end_matches('/').to_owned();
        let (issuer, admit) =
            (format!("{base}/login/oauth"), Admit::read(table, &["organisation"]));
        GitHub { issuer, is_usual: url.is_none(), base, admit }
    }

    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(super) fn endpoints(&self) -> Result<Endpoints, Failure> {
        Ok(Endpoints {
            authorization: self.at("/login/oauth/authorize")?,
            token: self.at("/login/oauth/access_token")?,
            device: Some(self.at("/login/device/code")?),
            userinfo: None,
            keys: None,
            takes_basic: false,
        })
    }

    pub(super) async fn owner(&self, token: &Token) -> Result<Person, Failure> {
        let user: User = oauth::get(&self.api("/user")?, Some(&token.access_token)).await?;
        let identity = Identity::new(self.issuer(), &user.id.to_string())
            .map_err(|bad| Failure::Unbelievable(bad.to_string()))?;
        Ok(Person { identity, called: user.login, admitted: self.admitted(token).await? })
    }

    /// What else must be asked for.
    pub(super) fn scope(&self) -> &str {
        if self.admit.is_some() { "read:org" } else { "" }
    }

    async fn admitted(&self, token: &Token) -> Result<Option<Role>, Failure> {
        let Some(Admit { role, organisations, .. }) = &self.admit else { return Ok(None) };
        for organisation in organisations {
            let name: String = form_urlencoded::byte_serialize(organisation.as_bytes()).collect();
            let page = self.api(&format!("/user/memberships/orgs/{name}"))?;
            match oauth::get::<Membership>(&page, Some(&token.access_token)).await {
                Ok(membership) if membership.state == "active" => return Ok(Some(*role)),
                // Who is in none of them is told so by a refusal.
                Ok(_) | Err(Failure::Refused(_)) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(None)
    }

    fn api(&self, path: &str) -> Result<Url, Failure> {
        match self.is_usual {
            true => address(&format!("https://api.github.com{path}")),
            false => self.at(&format!("/api/v3{path}")),
        }
    }

    fn at(&self, path: &str) -> Result<Url, Failure> {
        address(&format!("{}{path}", self.base))
    }
}

fn address(text: &str) -> Result<Url, Failure> {
    text.parse().map_err(|bad| Failure::Silent(format!("{text}: {bad}")))
}
