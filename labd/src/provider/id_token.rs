//! A signed word on who somebody is: an ID token (OpenID Connect Core, 3.1.3.7).
//!
//! That it is signed, and by whom, is looked at first, and what it says after that, by the lab's clock.

use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{AlgorithmFamily, DecodingKey, Header, Validation, decode, decode_header};
use protocol::Time;
use serde::Deserialize;

use super::Failure;
use super::admit::Belongs;

/// Clocks of providers may be wrong by this much, in seconds.
const LEEWAY: u64 = 60;

/// What it says.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Claims {
    iss: String,
    pub(super) sub: String,
    aud: Audience,
    #[serde(default)]
    azp: Option<String>,
    exp: f64,
    #[serde(default)]
    nbf: Option<f64>,
    #[serde(default)]
    iat: Option<f64>,
    #[serde(default)]
    nonce: Option<String>,
    #[serde(default)]
    pub(super) preferred_username: Option<String>,
    #[serde(flatten)]
    pub(super) belongs: Belongs,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// What a token says that one of `keys` has signed.
///
/// # Errors
/// [`Failure::Unbelievable`].
pub(super) fn read(token: &str, keys: &JwkSet) -> Result<Claims, Failure> {
    let header = decode_header(token)
        .map_err(|error| unbelievable(format!("its ID token is none that is signed: {error}")))?;
    let key = key(&header, keys)?;
    // Which signatures a key makes, the key says: not the token.
    let mut validation = Validation::new_for_family(key.family());
    validation.required_spec_claims.clear();
    (validation.validate_exp, validation.validate_aud) = (false, false);
    let read = decode::<Claims>(token, &key, &validation);
    read.map(|token| token.claims).map_err(|error| {
        unbelievable(format!("its ID token is not signed as it should be: {error}"))
    })
}

/// The key by which a token says that it was signed.
fn key(header: &Header, keys: &JwkSet) -> Result<DecodingKey, Failure> {
    let alg = format!("{:?}", header.alg);
    let signs = |key: &&Jwk| {
        let common = &key.common;
        let named = common.key_algorithm.is_none_or(|it| format!("{it:?}") == alg);
        named && !matches!(common.public_key_use, Some(PublicKeyUse::Encryption))
    };
    let is_it = |key: &&Jwk| header.kid.is_none() || key.common.key_id == header.kid;
    let mut found = keys.keys.iter().filter(is_it).filter(signs);
    let (Some(jwk), None) = (found.next(), found.next()) else {
        let why = "its ID token is signed by a key that is not one of its own";
        return Err(unbelievable(why.to_owned()));
    };
    let bad = |error| unbelievable(format!("its key is none: {error}"));
    let key = DecodingKey::from_jwk(jwk).map_err(bad)?;
    if key.family() == AlgorithmFamily::Hmac {
        return Err(unbelievable("its ID token is signed by what is no secret".to_owned()));
    }
    Ok(key)
}

impl Claims {
    /// Whether it was said by whom it should be, to the lab, on this login, and lately.
    pub(super) fn check(
        &self,
        issuer: &str,
        client: &str,
        nonce: Option<&str>,
        now: Time,
    ) -> Result<(), Failure> {
        let seconds = now.0 as f64 / 1_000.0;
        let (late, early) = (seconds - LEEWAY as f64, seconds + LEEWAY as f64);
        let others = match &self.aud {
            Audience::One(one) => one != client,
            Audience::Many(many) => !many.iter().any(|it| it == client),
        };
        let is_shared = matches!(&self.aud, Audience::Many(many) if many.len() > 1);
        let party = self.azp.as_deref();
        let why = if self.iss != issuer {
            "its ID token is another issuer's"
        } else if others {
            "its ID token is for somebody else"
        } else if party.map_or(is_shared, |party| party != client) {
            "its ID token was given to somebody else"
        } else if self.exp <= late || !self.exp.is_finite() {
            "its ID token is over"
        } else if [self.nbf, self.iat].into_iter().flatten().any(|since| since > early) {
            "its ID token is not good yet"
        } else if nonce.is_some() && self.nonce.as_deref() != nonce {
            "its ID token is another login's"
        } else {
            return Ok(());
        };
        Err(unbelievable(why.to_owned()))
    }
}

fn unbelievable(why: String) -> Failure {
    Failure::Unbelievable(why)
}
