//! What those who vouch have in common: OAuth 2.0 with a code (RFC 6749) and its proof (PKCE, RFC 7636),
//! and with a code that is typed elsewhere (RFC 8628).

use std::io;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use form_urlencoded::Serializer;
use protocol::Span;
use protocol::tls::Trust;
use protocol::web::{self, Ask, Url, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::{Device, Failure};
use crate::config::reader::Table;
use crate::config::secret::SecretFile;

/// What goes with a code that is typed elsewhere.
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// How often a provider is asked that does not say how often, and by how much less if it was too often
/// (RFC 8628).
const INTERVAL: Span = Span::seconds(5);

/// What the lab is to a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Client {
    pub(super) id: String,
    secret: Option<SecretFile>,
}

/// Where a provider is asked what.
#[derive(Debug, Clone)]
pub(super) struct Endpoints {
    pub(super) authorization: Url,
    pub(super) token: Url,
    pub(super) device: Option<Url>,
    pub(super) userinfo: Option<Url>,
    pub(super) keys: Option<Url>,
    /// Whether the secret is sent as a password of HTTP, or with all else.
    pub(super) takes_basic: bool,
}

/// What nobody can guess, and each is good for one login.
#[derive(Clone)]
pub struct Challenge {
    state: String,
    nonce: String,
    verifier: String,
}

/// What a code was exchanged for.
#[derive(Deserialize)]
pub(super) struct Token {
    pub(super) access_token: String,
    pub(super) id_token: Option<String>,
}

/// Whether a code was typed.
pub(super) enum Typed {
    No,
    TooFast,
    Yes(Token),
}

/// What a provider says, if it is not what was asked for.
#[derive(Debug, Deserialize)]
struct Refusal {
    error: String,
    #[serde(default)]
    error_description: Option<String>,
}

impl Challenge {
    /// A new one.
    ///
    /// # Errors
    /// The system's, if it has no chance to give.
    pub fn new() -> io::Result<Challenge> {
        Ok(Challenge { state: random()?, nonce: random()?, verifier: random()? })
    }

    /// What the browser is to bring back.
    pub fn state(&self) -> &str {
        &self.state
    }

    pub(super) fn nonce(&self) -> &str {
        &self.nonce
    }
}

/// 256 random bits as text that fits everywhere.
fn random() -> io::Result<String> {
    let mut bits = [0; 32];
    getrandom::fill(&mut bits).map_err(io::Error::other)?;
    Ok(URL_SAFE_NO_PAD.encode(bits))
}

impl Client {
    /// With a secret, or without: then only the proof shows that it is the lab that has a code.
    pub(super) fn read(table: &mut Table<'_>) -> Option<Client> {
        let secret = table.optional("client_secret_file");
        Client::with(table, secret)
    }

    /// With a secret.
    pub(super) fn read_with_secret(table: &mut Table<'_>) -> Option<Client> {
        let secret = table.required("client_secret_file");
        Client::with(table, secret)
    }

    fn with(table: &mut Table<'_>, secret: Option<SecretFile>) -> Option<Client> {
        if let Some(Err(why)) = secret.as_ref().map(SecretFile::read) {
            table.warn("client_secret_file", why.to_string());
        }
        Some(Client { id: table.required("client_id")?, secret })
    }

    pub(super) fn page(
        &self,
        endpoints: &Endpoints,
        scope: &str,
        back: &str,
        challenge: &Challenge,
    ) -> String {
        let proof = URL_SAFE_NO_PAD.encode(Sha256::digest(&challenge.verifier));
        let mut query = Serializer::new(String::new());
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.id)
            .append_pair("redirect_uri", back)
            .append_pair("state", &challenge.state)
            .append_pair("nonce", &challenge.nonce)
            .append_pair("code_challenge", &proof)
            .append_pair("code_challenge_method", "S256");
        if !scope.is_empty() {
            query.append_pair("scope", scope);
        }
        let page = endpoints.authorization.as_str();
        let joint = if page.contains('?') { '&' } else { '?' };
        format!("{page}{joint}{}", query.finish())
    }

    pub(super) async fn exchange(
        &self,
        endpoints: &Endpoints,
        back: &str,
        challenge: &Challenge,
        code: &str,
    ) -> Result<Token, Failure> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", back),
            ("code_verifier", &challenge.verifier),
        ];
        match self.ask(&endpoints.token, endpoints, &form).await? {
            Ok(token) => Ok(token),
            Err(refusal) => Err(refusal.into()),
        }
    }

    pub(super) async fn device(
        &self,
        endpoints: &Endpoints,
        scope: &str,
    ) -> Result<Device, Failure> {
        #[derive(Deserialize)]
        struct Given {
            device_code: String,
            user_code: String,
            verification_uri: Page,
            expires_in: u64,
            interval: Option<u64>,
        }
        let none = || Failure::Refused("it offers no login without a browser beside it".to_owned());
        let page = endpoints.device.as_ref().ok_or_else(none)?;
        let given: Given = match self.ask(page, endpoints, &[("scope", scope)]).await? {
            Ok(given) => given,
            Err(refusal) => return Err(refusal.into()),
        };
        let Page(url) = given.verification_uri;
        if given.user_code.len() > 64 || !given.user_code.bytes().all(|it| it.is_ascii_graphic()) {
            let why = "the code that is to be typed is none".to_owned();
            return Err(Failure::Unbelievable(why));
        }
        Ok(Device {
            secret: given.device_code,
            code: given.user_code,
            url: url.to_string(),
            lasts: Span::seconds(given.expires_in.min(3_600)),
            interval: given.interval.map_or(INTERVAL, |it| Span::seconds(it.clamp(1, 60))),
        })
    }

    pub(super) async fn typed(
        &self,
        endpoints: &Endpoints,
        secret: &str,
    ) -> Result<Typed, Failure> {
        let form = [("grant_type", DEVICE), ("device_code", secret)];
        match self.ask(&endpoints.token, endpoints, &form).await? {
            Ok(token) => Ok(Typed::Yes(token)),
            Err(refusal) => match refusal.error.as_str() {
                "authorization_pending" => Ok(Typed::No),
                "slow_down" => Ok(Typed::TooFast),
                _ => Err(refusal.into()),
            },
        }
    }

    /// What the provider says to a form, which is what it is asked for or a refusal.
    async fn ask<T: DeserializeOwned>(
        &self,
        url: &Url,
        endpoints: &Endpoints,
        form: &[(&str, &str)],
    ) -> Result<Result<T, Refusal>, Failure> {
        let ask = self.form(endpoints, form)?;
        let answer = heard(url, ask).await?;
        // GitHub refuses with a 200.
        if let Ok(refusal) = serde_json::from_slice(&answer.body) {
            return Ok(Err(refusal));
        }
        understood(url, answer).map(Ok)
    }

    fn form(&self, endpoints: &Endpoints, form: &[(&str, &str)]) -> Result<Ask, Failure> {
        let secret = self.secret.as_ref().map(SecretFile::read).transpose();
        let secret = secret.map_err(|error| Failure::Silent(error.to_string()))?;
        let mut body = Serializer::new(String::new());
        body.extend_pairs(form);
        let mut password = None;
        match &secret {
            Some(secret) if endpoints.takes_basic => {
                password = Some(basic(&self.id, secret.expose()));
            }
            Some(secret) => {
                body.append_pair("client_id", &self.id)
                    .append_pair("client_secret", secret.expose());
            }
            None => {
                body.append_pair("client_id", &self.id);
            }
        }
        let ask = Ask::post("application/x-www-form-urlencoded", body.finish())
            .header(header::ACCEPT, "application/json");
        Ok(password.into_iter().fold(ask, |ask, it| ask.header(header::AUTHORIZATION, it)))
    }
}

/// A page that people are sent to.
struct Page(Url);

impl<'de> Deserialize<'de> for Page {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Page, D::Error> {
        String::deserialize(from)?.parse().map(Page).map_err(serde::de::Error::custom)
    }
}

/// RFC 6749, 2.3.1: both are encoded as in a form first.
fn basic(id: &str, secret: &str) -> String {
    let form = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", STANDARD.encode(format!("{}:{}", form(id), form(secret))))
}

/// What is found at an address, for whoever has a token if one is given.
pub(super) async fn get<T: DeserializeOwned>(url: &Url, token: Option<&str>) -> Result<T, Failure> {
    let ask = Ask::get().header(header::ACCEPT, "application/json");
    let ask = match token {
        Some(token) => ask.header(header::AUTHORIZATION, format!("Bearer {token}")),
        None => ask,
    };
    understood(url, heard(url, ask).await?)
}

async fn heard(url: &Url, ask: Ask) -> Result<web::Answer, Failure> {
    let answer = web::ask(url, &Trust::System, ask).await;
    answer.map_err(|why| Failure::Silent(format!("{} does not answer: {why}", place(url))))
}

fn understood<T: DeserializeOwned>(url: &Url, answer: web::Answer) -> Result<T, Failure> {
    let (status, place) = (answer.status, place(url));
    if status.is_redirection() {
        let why = format!("{place} sends the lab elsewhere, where it does not go");
        return Err(Failure::Unbelievable(why));
    }
    if !status.is_success() {
        return Err(Failure::Refused(format!("{place} answers {status}")));
    }
    serde_json::from_slice(&answer.body).map_err(|error| {
        Failure::Silent(format!("{place}: what it says is not understood: {error}"))
    })
}

/// An address without what only the provider is to see.
fn place(url: &Url) -> &str {
    url.as_str().split('?').next().unwrap_or_default()
}

impl From<Refusal> for Failure {
    fn from(Refusal { error, error_description }: Refusal) -> Failure {
        let said = error_description.unwrap_or(error);
        let short: String = said.chars().take(200).collect();
        Failure::Refused(format!("it says no: {}", short.escape_debug()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_as_the_standard_has_it() {
        // RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned();
        let challenge = Challenge { state: "s".into(), nonce: "n".into(), verifier };
        let url = |text: &str| text.parse::<Url>().expect("an address");
        let endpoints = Endpoints {
            authorization: url("https://id.example.org/authorize?tenant=lab"),
            token: url("https://id.example.org/token"),
            device: None,
            userinfo: None,
            keys: None,
            takes_basic: true,
        };
        let client = Client { id: "the lab".to_owned(), secret: None };
        let page = client.page(&endpoints, "openid profile", "https://lab/back", &challenge);
        assert_eq!(
            page,
            "https://id.example.org/authorize?tenant=lab&response_type=code&client_id=the+lab\
             &redirect_uri=https%3A%2F%2Flab%2Fback&state=s&nonce=n\
             &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256\
             &scope=openid+profile"
        );
    }

    #[test]
    fn each_challenge_is_another() {
        let [one, other] = [(); 2].map(|()| Challenge::new().expect("chance"));
        let all =
            [&one.state, &one.nonce, &one.verifier, &other.state, &other.nonce, &other.verifier];
        let different: std::collections::BTreeSet<_> = all.into_iter().collect();
        assert_eq!(different.len(), 6);
        assert!(different.iter().all(|it| it.len() == 43));
    }
}
