//! Somebody who vouches for people, on loopback: OpenID Connect and GitHub in one; and lies, if told to.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use axum::body::Body;
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use protocol::web::{self, Ask, Url};
use rcgen::{KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

/// What the lab is to it.
pub const CLIENT: &str = "the lab";
/// And how it knows that.
pub const SECRET: &str = "correct horse: battery%staple";

/// What it says that is not so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// Nothing.
    None,
    /// The browser comes back with another state.
    State,
    /// The browser comes back as another provider's.
    Back,
    /// It calls itself by another name.
    Name,
    /// The token is requested at another machine's address, without TLS.
    Place,
    /// The token is of another login.
    Nonce,
    /// The token is of no login.
    NoNonce,
    /// The token is for somebody else,
    Audience,
    /// or for several, and was given to one of the others.
    Party,
    /// The token is another issuer's.
    Issuer,
    /// The token was good an hour ago.
    Over,
    /// The token will be good in an hour.
    NotYet,
    /// The token is signed by nobody,
    Unsigned,
    /// or with the public key, as if that were a secret,
    PublicSecret,
    /// or by a key of somebody else's, of the same name,
    ForeignKey,
    /// or of another name.
    UnknownKey,
    /// The token was changed after it was signed.
    Changed,
    /// There is no token of who it is.
    NoToken,
    /// What it says of somebody is about somebody else.
    Subject,
    /// It sends the lab elsewhere for the token,
    Elsewhere,
    /// and for the keys.
    KeysElsewhere,
    /// Its answer has no end.
    Huge,
    /// Its answer does not come.
    Slow,
    /// It says nothing that is understood.
    Nonsense,
}

/// Somebody whom it knows.
#[derive(Debug, Clone)]
pub struct Somebody {
    /// Theirs for good.
    pub subject: String,
    /// What they are called now.
    pub called: String,
}

/// The provider.
#[derive(Clone)]
pub struct TestProvider {
    shared: Arc<Shared>,
}

struct Shared {
    port: u16,
    key: EncodingKey,
    jwk: Jwk,
    foreign: EncodingKey,
    /// The seconds since 1970 by the lab's clock, if it is not the machine's.
    now: AtomicU64,
    said: Mutex<Said>,
}

struct Said {
    lie: Lie,
    somebody: Somebody,
    belongs: Value,
    codes: HashMap<String, Code>,
    devices: HashMap<String, Device>,
    tokens: HashMap<String, Somebody>,
    count: u64,
}

/// What was given to a browser.
#[derive(Clone)]
struct Code {
    challenge: String,
    nonce: String,
    back: String,
    somebody: Somebody,
}

/// What was given to a terminal.
struct Device {
    code: String,
    by: Option<Result<Somebody, &'static str>>,
    is_hurried: bool,
}

type Words = HashMap<String, String>;

impl TestProvider {
    /// It listens, and knows Ada.
    ///
    /// # Errors
    /// The system's.
    pub async fn start() -> Result<TestProvider> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let key = key()?;
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::RS256)?;
        jwk.common.key_id = Some("1".to_owned());
        let said = Said {
            lie: Lie::None,
            somebody: Somebody { subject: "583231".to_owned(), called: "ada".to_owned() },
            belongs: json!({}),
            codes: HashMap::new(),
            devices: HashMap::new(),
            tokens: HashMap::new(),
            count: 0,
        };
        let shared = Shared {
            port,
            key,
            jwk,
            foreign: self::key()?,
            now: AtomicU64::new(0),
            said: Mutex::new(said),
        };
        let provider = TestProvider { shared: Arc::new(shared) };
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/keys", get(keys))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .route("/device", post(device))
            .route("/userinfo", get(userinfo))
            .route("/login/oauth/authorize", get(authorize))
            .route("/login/oauth/access_token", post(token))
            .route("/login/device/code", post(device))
            .route("/api/v3/user", get(user))
            .route("/api/v3/user/memberships/orgs/{name}", get(membership))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Ok(provider)
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.shared.port)
    }

    /// What it says from now on that is not so.
    pub fn lie(&self, lie: Lie) {
        self.said().lie = lie;
    }

    /// Who is at the browser from now on.
    pub fn knows(&self, subject: &str, called: &str) {
        self.said().somebody = Somebody { subject: subject.to_owned(), called: called.to_owned() };
    }

    /// What it says of them besides: claims, and how they stand in GitHub's organisations, by name.
    pub fn says_besides(&self, belongs: Value) {
        self.said().belongs = belongs;
    }

    /// What time it is, in seconds.
    pub fn set_clock(&self, seconds: u64) {
        self.shared.now.store(seconds, Ordering::Relaxed);
    }

    /// Somebody types a code, and says yes, or no.
    pub fn type_code(&self, code: &str, says: Result<(), &'static str>) -> bool {
        let mut said = self.said();
        let somebody = said.somebody.clone();
        let device = said.devices.values_mut().find(|device| device.code == code);
        device.is_some_and(|device| {
            device.by = Some(says.map(|()| somebody));
            true
        })
    }

    /// It would be asked less often.
    pub fn is_hurried(&self) {
        self.said().devices.values_mut().for_each(|device| device.is_hurried = true);
    }

    /// A browser that opens a page here. Where it is sent.
    ///
    /// # Errors
    /// If it is sent nowhere.
    pub async fn browse(&self, page: &str) -> Result<String> {
        let url: Url = page.parse()?;
        let answer = web::ask(&url, &protocol::tls::Trust::System, Ask::get()).await?;
        Ok(String::from_utf8(answer.body)?)
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.shared.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        match self.shared.now.load(Ordering::Relaxed) {
            0 => jsonwebtoken::get_current_timestamp(),
            now => now,
        }
    }

    /// A token of who somebody is.
    fn id_token(&self, lie: Lie, somebody: &Somebody, nonce: &str) -> Result<String> {
        let now = self.now();
        let mut claims = json!({
            "iss": self.url(),
            "sub": somebody.subject,
            "aud": CLIENT,
            "exp": now + 300,
            "iat": now,
            "nonce": nonce,
            "preferred_username": somebody.called,
        });
        let besides = self.said().belongs.clone();
        if let (Some(claims), Value::Object(besides)) = (claims.as_object_mut(), besides) {
            claims.extend(besides);
        }
        match lie {
            Lie::Nonce => claims["nonce"] = "another".into(),
            Lie::NoNonce => drop(claims.as_object_mut().map(|it| it.remove("nonce"))),
            Lie::Audience => claims["aud"] = "another".into(),
            Lie::Party => {
                claims["aud"] = json!([CLIENT, "another"]);
                claims["azp"] = "another".into();
            }
            Lie::Issuer => claims["iss"] = "https://id.example.org".into(),
            Lie::Over => claims["exp"] = (now - 3_600).into(),
            Lie::NotYet => claims["nbf"] = (now + 3_600).into(),
            _ => {}
        }
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some("1".to_owned());
        let part = |what: &Value| URL_SAFE_NO_PAD.encode(what.to_string());
        Ok(match lie {
            Lie::Unsigned => {
                format!("{}.{}.", part(&json!({ "alg": "none", "kid": "1" })), part(&claims))
            }
            Lie::PublicSecret => {
                let header = Header { alg: Algorithm::HS256, ..header };
                let public = serde_json::to_value(&self.shared.jwk)?;
                let modulus = public["n"].as_str().unwrap_or_default();
                let key = EncodingKey::from_secret(&URL_SAFE_NO_PAD.decode(modulus)?);
                encode(&header, &claims, &key)?
            }
            Lie::ForeignKey => encode(&header, &claims, &self.shared.foreign)?,
            Lie::UnknownKey => {
                header.kid = Some("2".to_owned());
                encode(&header, &claims, &self.shared.foreign)?
            }
            Lie::Changed => {
                let token = encode(&header, &claims, &self.shared.key)?;
                claims["sub"] = "1".into();
                let parts: Vec<_> = token.split('.').collect();
                format!("{}.{}.{}", parts[0], part(&claims), parts[2])
            }
            _ => encode(&header, &claims, &self.shared.key)?,
        })
    }

    /// Whether it is the lab that asks.
    fn is_lab(&self, headers: &HeaderMap, words: &Words) -> bool {
        let form =
            |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let both = STANDARD.encode(format!("{}:{}", form(CLIENT), form(SECRET)));
        let basic = headers.get("authorization").and_then(|it| it.to_str().ok());
        let is = |name: &str, value: &str| words.get(name).is_some_and(|it| it == value);
        basic == Some(&format!("Basic {both}"))
            || (is("client_id", CLIENT) && is("client_secret", SECRET))
    }
}

/// PKCS #8 is 26 bytes around a key of 2048 bits.
fn key() -> Result<EncodingKey> {
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
    Ok(EncodingKey::from_rsa_der(&key.serialize_der()[26..]))
}

async fn metadata(State(it): State<TestProvider>) -> Response {
    let (url, lie) = (it.url(), it.said().lie);
    let mut metadata = json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "device_authorization_endpoint": format!("{url}/device"),
        "userinfo_endpoint": format!("{url}/userinfo"),
        "jwks_uri": format!("{url}/keys"),
    });
    match lie {
        Lie::Name => metadata["issuer"] = "https://id.example.org".into(),
        Lie::Place => metadata["token_endpoint"] = "http://192.0.2.1/token".into(),
        _ => {}
    }
    Json(metadata).into_response()
}

async fn keys(State(it): State<TestProvider>) -> Response {
    if it.said().lie == Lie::KeysElsewhere {
        return Redirect::temporary(&format!("{}/.well-known/openid-configuration", it.url()))
            .into_response();
    }
    Json(json!({ "keys": [it.shared.jwk] })).into_response()
}

/// Where the browser is to go is the whole answer: it is played by the story.
async fn authorize(
    State(it): State<TestProvider>,
    uri: Uri,
    Query(words): Query<Words>,
) -> Response {
    let said = |name: &str| words.get(name).cloned().unwrap_or_default();
    let is_fine = said("client_id") == CLIENT
        && said("response_type") == "code"
        && said("code_challenge_method") == "S256";
    if !is_fine {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let mut own = it.said();
    own.count += 1;
    let code = format!("code {}", own.count);
    let (lie, somebody) = (own.lie, own.somebody.clone());
    let given = Code {
        challenge: said("code_challenge"),
        nonce: said("nonce"),
        back: said("redirect_uri"),
        somebody,
    };
    own.codes.insert(code.clone(), given);
    drop(own);
    let state = if lie == Lie::State { "another".to_owned() } else { said("state") };
    // GitHub is at the same place, and calls itself otherwise.
    let own = format!("{}{}", it.url(), uri.path().trim_end_matches("/authorize"));
    let issuer = if lie == Lie::Back { "https://id.example.org".to_owned() } else { own };
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("code", &code)
        .append_pair("state", &state)
        .append_pair("iss", &issuer)
        .finish();
    format!("{}?{query}", said("redirect_uri")).into_response()
}

async fn token(
    State(it): State<TestProvider>,
    headers: HeaderMap,
    Form(words): Form<Words>,
) -> Response {
    let lie = it.said().lie;
    match lie {
        Lie::Elsewhere => return Redirect::temporary("http://192.0.2.1/token").into_response(),
        Lie::Nonsense => return "<html>".into_response(),
        Lie::Slow => std::future::pending().await,
        Lie::Huge => {
            let more = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 65_536]));
            return Body::from_stream(more).into_response();
        }
        _ => {}
    }
    if !it.is_lab(&headers, &words) {
        return refused("invalid_client");
    }
    let said = |name: &str| words.get(name).cloned().unwrap_or_default();
    let (somebody, nonce) = if said("grant_type") == "authorization_code" {
        // A code is good once.
        let Some(code) = it.said().codes.remove(&said("code")) else {
            return refused("invalid_grant");
        };
        let proof = URL_SAFE_NO_PAD.encode(Sha256::digest(said("code_verifier")));
        if proof != code.challenge || said("redirect_uri") != code.back {
            return refused("invalid_grant");
        }
        (code.somebody, code.nonce)
    } else {
        let mut own = it.said();
        let Some(device) = own.devices.get_mut(&said("device_code")) else {
            return refused("expired_token");
        };
        if std::mem::take(&mut device.is_hurried) {
            return refused("slow_down");
        }
        match device.by.clone() {
            None => return refused("authorization_pending"),
            Some(Err(why)) => return refused(why),
            Some(Ok(somebody)) => {
                own.devices.remove(&said("device_code"));
                (somebody, String::new())
            }
        }
    };
    let id_token = match it.id_token(lie, &somebody, &nonce) {
        Ok(token) => token,
        Err(error) => {
            return (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response();
        }
    };
    let mut own = it.said();
    own.count += 1;
    let access = format!("access-{}", own.count);
    own.tokens.insert(access.clone(), somebody);
    let mut answer =
        json!({ "access_token": access, "token_type": "bearer", "id_token": id_token });
    if lie == Lie::NoToken {
        answer.as_object_mut().map(|it| it.remove("id_token"));
    }
    Json(answer).into_response()
}

/// As GitHub refuses.
fn refused(why: &str) -> Response {
    Json(json!({ "error": why })).into_response()
}

async fn device(
    State(it): State<TestProvider>,
    headers: HeaderMap,
    Form(words): Form<Words>,
) -> Response {
    if !it.is_lab(&headers, &words) {
        return refused("invalid_client");
    }
    let mut own = it.said();
    own.count += 1;
    let (secret, code) = (format!("device {}", own.count), format!("WDJB-{:04}", own.count));
    own.devices.insert(secret.clone(), Device { code: code.clone(), by: None, is_hurried: false });
    Json(json!({
        "device_code": secret,
        "user_code": code,
        "verification_uri": format!("{}/device", it.url()),
        "expires_in": 900,
        "interval": 1,
    }))
    .into_response()
}

fn owner(it: &TestProvider, headers: &HeaderMap) -> Option<Somebody> {
    let bearer = headers.get("authorization")?.to_str().ok()?.strip_prefix("Bearer ")?;
    it.said().tokens.get(bearer).cloned()
}

async fn userinfo(State(it): State<TestProvider>, headers: HeaderMap) -> Response {
    let Some(somebody) = owner(&it, &headers) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let lies = it.said().lie == Lie::Subject;
    let subject = if lies { "1".to_owned() } else { somebody.subject };
    Json(json!({ "sub": subject, "preferred_username": somebody.called })).into_response()
}

async fn user(State(it): State<TestProvider>, headers: HeaderMap) -> Response {
    let Some(somebody) = owner(&it, &headers) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let id: u64 = somebody.subject.parse().unwrap_or_default();
    Json(json!({ "id": id, "login": somebody.called })).into_response()
}

async fn membership(
    State(it): State<TestProvider>,
    headers: HeaderMap,
    Path(name): Path<String>,
) -> Response {
    if owner(&it, &headers).is_none() {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    match it.said().belongs.get(&name) {
        Some(state) => Json(json!({ "state": state })).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
