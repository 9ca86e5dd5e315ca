//! Whoever speaks OpenID Connect: Keycloak, Dex, Authentik, GitLab, Google, Entra, …
//!
//! Where they are asked what, they say themselves (OpenID Connect Discovery), and who somebody is, by a
//! signed word.

use jsonwebtoken::jwk::JwkSet;
use protocol::Time;
use protocol::provider::Identity;
use protocol::web::Url;
use serde::Deserialize;

use super::admit::{Admit, Belongs};
use super::id_token::{self, Claims};
use super::oauth::{self, Endpoints, Token};
use super::{Failure, Person};
use crate::config::reader::Table;

/// `oidc NAME { issuer = "https://id.example.org"; client_id = …; client_secret_file = …; scopes = [profile] }`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Oidc {
    issuer: Url,
    /// With blanks between.
    scope: String,
    admit: Option<Admit>,
}

/// What a provider says of itself.
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    userinfo_endpoint: Option<String>,
    #[serde(default)]
    device_authorization_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// What is said of somebody to whoever has their token.
#[derive(Deserialize)]
struct UserInfo {
    sub: String,
    #[serde(default)]
    preferred_username: Option<String>,
    #[serde(flatten)]
    belongs: Belongs,
}

impl Oidc {
    pub(super) fn read(table: &mut Table<'_>) -> Option<Oidc> {
        let scopes: Vec<String> = table.or("scopes", vec!["profile".to_owned()]);
        let asked = scopes.into_iter().filter(|scope| scope != "openid");
        let scopes: Vec<_> = std::iter::once("openid".to_owned()).chain(asked).collect();
        if scopes.iter().any(|scope| scope.contains(char::is_whitespace)) {
            table.fault("scopes", "scopes: one a word, as in scopes = [profile, email]");
        }
        let admit = Admit::read(table, &["groups", "domain"]);
        Some(Oidc { issuer: table.required("issuer")?, scope: scopes.join(" "), admit })
    }

    pub(super) fn issuer(&self) -> &str {
        self.issuer.as_str()
    }

    pub(super) fn scope(&self) -> &str {
        &self.scope
    }

    pub(super) async fn endpoints(&self) -> Result<Endpoints, Failure> {
        let page = self.issuer.at("/.well-known/openid-configuration");
        let page = page.map_err(|bad| Failure::Silent(bad.to_string()))?;
        let said: Metadata = oauth::get(&page, None).await?;
        if said.issuer != self.issuer.as_str() {
            let theirs = said.issuer.escape_debug();
            let why = format!("it calls itself '{theirs}', and labd.conf '{}'", self.issuer);
            return Err(Failure::Unbelievable(why));
        }
        let methods = said.token_endpoint_auth_methods_supported;
        let takes = |method: &str| methods.iter().flatten().any(|it| it == method);
        Ok(Endpoints {
            authorization: self.place(&said.authorization_endpoint)?,
            token: self.place(&said.token_endpoint)?,
            device: self.place_of(said.device_authorization_endpoint.as_deref())?,
            userinfo: self.place_of(said.userinfo_endpoint.as_deref())?,
            keys: Some(self.place(&said.jwks_uri)?),
            takes_basic: takes("client_secret_basic") || !takes("client_secret_post"),
        })
    }

    /// Nobody from elsewhere sends the lab to this machine's own servers.
    fn place(&self, text: &str) -> Result<Url, Failure> {
        let url = text.parse::<Url>();
        url.ok().filter(|url| url.is_secret() || !self.issuer.is_secret()).ok_or_else(|| {
            let text: String = text.chars().take(200).collect();
            Failure::Unbelievable(format!("it is asked at '{}'", text.escape_debug()))
        })
    }

    fn place_of(&self, text: Option<&str>) -> Result<Option<Url>, Failure> {
        text.map(|text| self.place(text)).transpose()
    }

    pub(super) async fn owner(
        &self,
        client: &str,
        endpoints: &Endpoints,
        token: &Token,
        nonce: Option<&str>,
        now: Time,
    ) -> Result<Person, Failure> {
        let unbelievable = |why: &str| Failure::Unbelievable(why.to_owned());
        let word = token.id_token.as_ref().ok_or_else(|| unbelievable("there is no ID token"))?;
        let keys = endpoints.keys.as_ref().ok_or_else(|| unbelievable("it has no keys"))?;
        let keys: JwkSet = oauth::get(keys, None).await?;
        let claims = id_token::read(word, &keys)?;
        claims.check(self.issuer(), client, nonce, now)?;
        let info = match &endpoints.userinfo {
            Some(page) => Some(oauth::get::<UserInfo>(page, Some(&token.access_token)).await?),
            None => None,
        };
        self.person(claims, info)
    }

    fn person(&self, claims: Claims, info: Option<UserInfo>) -> Result<Person, Failure> {
        if info.as_ref().is_some_and(|info| info.sub != claims.sub) {
            let why = "its ID token is one person's, and what it says of them another's";
            return Err(Failure::Unbelievable(why.to_owned()));
        }
        let identity = Identity::new(self.issuer(), &claims.sub)
            .map_err(|bad| Failure::Unbelievable(bad.to_string()))?;
        let said = [Some(&claims.belongs), info.as_ref().map(|info| &info.belongs)];
        let admitted = |admit: &Admit| said.into_iter().flatten().find_map(|it| admit.role(it));
        let admitted = self.admit.as_ref().and_then(admitted);
        let called = claims.preferred_username.or(info.and_then(|info| info.preferred_username));
        Ok(Person { called: called.unwrap_or(claims.sub), identity, admitted })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oidc(issuer: &str) -> Oidc {
        Oidc {
            issuer: issuer.parse().expect("an address"),
            scope: "openid".to_owned(),
            admit: None,
        }
    }

    /// Planted, and caught: whoever is trusted from elsewhere sends the lab to this machine's servers.
    #[test]
    fn nobody_from_elsewhere_sends_the_lab_to_this_machine() {
        let (here, there) = ("http://127.0.0.1:8080/token", "https://other.example.org/token");
        assert!(oidc("https://id.example.org").place(there).is_ok());
        assert!(oidc("https://id.example.org").place(here).is_err());
        assert!(oidc("http://127.0.0.1:9090").place(here).is_ok());
        assert!(oidc("http://127.0.0.1:9090").place("http://192.0.2.1/token").is_err());
    }
}
