//! Becoming known to a lab from elsewhere, and staying so.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::FutureExt;
use futures::future::BoxFuture;
use rcgen::KeyPair;
use tokio::time::sleep;

use crate::account::{Enrolled, Secret};
use crate::address::Address;
use crate::client::Client;
use crate::context::{Context, Proof};
use crate::dial;
use crate::error::Error;
use crate::time::{Span, Time};
use crate::wire::Purpose;

/// It is looked this often whether a certificate is to be renewed: the machine may have slept, or somebody
/// else have renewed it.
const LOOK: Duration = Duration::from_secs(60);

/// So often is an invitation shown again of which no answer was heard.
const TRIES: u32 = 3;

/// What an administrator gives to somebody who is to join: where the lab is, who it is, and a token
/// that is good once. `tls://lab_…@lab.example.org:7443#sha256:…`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The lab.
    pub address: Address,
    /// The token.
    pub secret: Secret,
}

impl fmt::Display for Invitation {
    /// The whole text, with the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.address.to_string();
        let (scheme, place) = address.split_once("://").unwrap_or(("tls", &address));
        write!(f, "{scheme}://{}@{place}", self.secret.as_str())
    }
}

/// Why a text is no invitation.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("that is not an invitation: tls://TOKEN@HOST:PORT#FINGERPRINT, copied whole")]
pub struct BadInvitation;

impl FromStr for Invitation {
    type Err = BadInvitation;

    fn from_str(text: &str) -> Result<Invitation, BadInvitation> {
        let (scheme, rest) = text.trim().split_once("://").ok_or(BadInvitation)?;
        let (secret, place) = rest.split_once('@').ok_or(BadInvitation)?;
        let address = format!("{scheme}://{place}").parse().map_err(|_| BadInvitation)?;
        Ok(Invitation { address, secret: secret.parse().map_err(|_| BadInvitation)? })
    }
}

/// Comes to a lab with the token of an invitation, and exchanges it as [`join`] does. If the link breaks before
/// the answer is there, the same is asked again with the same key.
///
/// # Errors
/// As [`join`].
pub async fn enter(name: String, address: &Address, secret: &Secret) -> Result<Context, Error> {
    let key = key()?;
    let mut tries = TRIES;
    let enrolled = loop {
        let (flow, _) = dial::dial_new(address, Some(secret.clone()), &Purpose::Call).await?;
        let lab = Client::over(flow, address.clone());
        match lab.enrol(key.public_key_pem()).await {
            Err(Error::Unreachable { .. }) if tries > 0 => tries -= 1,
            answer => break answer?,
        }
    };
    Ok(Context { name, address: address.clone(), proof: proof(enrolled, &key) })
}

/// Exchanges an invitation, with whose token `lab` was reached, for a certificate of a key that is made here and never leaves.
///
/// # Errors
/// The lab's; [`Error::NotKnown`] for a token that is no invitation's.
pub async fn join(name: String, lab: &Client) -> Result<Context, Error> {
    let key = key()?;
    let enrolled = lab.enrol(key.public_key_pem()).await?;
    Ok(Context { name, address: lab.address().clone(), proof: proof(enrolled, &key) })
}

/// Renews the certificate with which `lab` was reached as often as it must be, the first time after
/// `next`, until it is dropped.
pub(crate) async fn stay(lab: Client, mut next: Duration) {
    loop {
        sleep(next).await;
        next = renew(&lab).await;
    }
}

/// Renews the certificate with which `lab` was reached, if two thirds of its time are over. What cannot
/// be renewed now is renewed next time: returns in how long.
pub(crate) async fn renew(lab: &Client) -> Duration {
    let Some((known, left)) = kept(lab.address()) else { return LOOK };
    if !left.is_zero() {
        return left.min(LOOK);
    }
    let Ok(key) = key() else { return LOOK };
    if let Ok(enrolled) = lab.enrol(key.public_key_pem()).await {
        let renewed = Context { proof: proof(enrolled, &key), ..known };
        let _ = renewed.save();
    }
    LOOK
}

/// Renews the certificate with which one comes to `address`, if that is due: for whoever makes no calls.
/// If it cannot be done, what they come for says why.
pub(crate) fn refresh(address: &Address) -> BoxFuture<'_, ()> {
    // On the heap: connecting may lead here.
    async move {
        if kept(address).is_some_and(|(_, left)| left.is_zero()) {
            // This does it.
            let _ = Client::connect(address).await;
        }
    }
    .boxed()
}

/// The same as often as it must be, for whoever makes no calls and stays; it never returns.
pub async fn keep(address: &Address) {
    loop {
        refresh(address).await;
        sleep(LOOK).await;
    }
}

/// What is kept of the lab at `address`, if it is a certificate that is good, and how long it is until it is
/// to be renewed.
fn kept(address: &Address) -> Option<(Context, Duration)> {
    // Whoever comes with a token of the environment's does not come with what is kept.
    let Ok(None) = dial::token() else { return None };
    let known = Context::at(address)?;
    let Proof::Certificate { since, until, .. } = known.proof else { return None };
    let (due, now) = (since + Span(until.since(since).0 / 3 * 2), now());
    (now < until).then(|| (known, due.since(now).duration()))
}

fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(since.as_millis().try_into().unwrap_or(u64::MAX))
}

fn key() -> Result<KeyPair, Error> {
    let cannot = |error: rcgen::Error| Error::Bad { why: format!("no key can be made: {error}") };
    KeyPair::generate().map_err(cannot)
}

fn proof(Enrolled { certificate, since, until, .. }: Enrolled, key: &KeyPair) -> Proof {
    Proof::Certificate { certificate, key: key.serialize_pem(), since, until }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invitation_is_read_as_it_is_written() {
        let pin = format!("sha256:{}", "ab".repeat(32));
        let address = format!("tls://lab.example.org:7443#{pin}").parse().expect("an address");
        let invitation = Invitation { address, secret: Secret::new([7; 32]) };
        let text = invitation.to_string();
        assert_eq!(text.parse(), Ok(invitation));
        assert!(text.starts_with("tls://lab_") && text.ends_with(&pin), "{text}");
        for at in 0..text.len() {
            assert_ne!(text[..at].parse::<Invitation>().map(|it| it.to_string()), Ok(text.clone()));
        }
        assert!("tls://lab.example.org:7443".parse::<Invitation>().is_err());
    }
}
