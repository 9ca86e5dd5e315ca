//! Getting to a lab: a stream to an address, and what is said there first.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::account::Secret;
use crate::address::Address;
use crate::context::{Context, Proof};
use crate::error::Error;
use crate::silence::Watched;
use crate::tls::{self, Identity, Pin, Trust};
use crate::wire::{self, Purpose, Welcome};
use crate::{login, proxy, websocket};

/// A daemon that lives answers the first line within this time, also with a long history to look through.
const FIRST_ANSWER: Duration = Duration::from_secs(30);
/// A machine that is there takes a connection within this time.
const CONNECT: Duration = Duration::from_secs(15);

/// Whatever bytes travel on.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<IO: AsyncRead + AsyncWrite + Send + Unpin> Stream for IO {}

/// A connection that something flows on.
pub type Flow = BufReader<Box<dyn Stream>>;

/// What a client comes in with.
#[derive(Debug, Default)]
pub(crate) struct Credentials {
    identity: Option<Identity>,
    token: Option<Secret>,
}

/// Connects and asks for `purpose`, with what is known of that lab here. A login is renewed first, if that is
/// due, except for calls: whoever makes them renews it by one.
///
/// # Errors
/// [`Error::Unreachable`], [`Error::Impostor`], [`Error::NotKnown`]; what the lab said.
pub async fn dial(address: &Address, purpose: &Purpose) -> Result<(Flow, Welcome), Error> {
    match address {
        Address::Unix(_) => greet(address, open_unix(address).await?, None, purpose).await,
        _ => {
            if !matches!(purpose, Purpose::Call) {
                login::refresh(address).await;
            }
            dial_with(address, Context::at(address), token()?, purpose).await
        }
    }
}

/// The same, with what `known` says of that lab, and nothing else.
///
/// # Errors
/// [`Error::Unreachable`], [`Error::Impostor`], [`Error::NotKnown`]; what the lab said.
pub async fn dial_known(
    address: &Address,
    known: Option<Context>,
    purpose: &Purpose,
) -> Result<(Flow, Welcome), Error> {
    dial_with(address, known, None, purpose).await
}

async fn dial_with(
    address: &Address,
    known: Option<Context>,
    token: Option<Secret>,
    purpose: &Purpose,
) -> Result<(Flow, Welcome), Error> {
    let Some((_, _, pin)) = address.elsewhere() else {
        return greet(address, open_unix(address).await?, None, purpose).await;
    };
    let believed = |known: &Context| known.address.elsewhere().and_then(|(_, _, pin)| pin);
    // Nothing is shown to a lab that is said to be another one.
    let known = known.filter(|known| pin.is_none() || believed(known) == pin);
    let pin = pin.or_else(|| known.as_ref().and_then(believed));
    let trust = pin.map_or(Trust::System, Trust::Pinned);
    let Credentials { identity, token } = match (purpose, token) {
        // It asks by itself who one is.
        (Purpose::Ssh, _) => Credentials::default(),
        (_, Some(secret)) => Credentials { identity: None, token: Some(secret) },
        (_, None) => credentials(known)?,
    };
    let stream = open(address, &trust, identity).await?;
    greet(address, stream, token, purpose).await
}

/// Connects to a lab that is not known here yet, with nothing but a token: whoever answers. Returns
/// the stream, and who it is that answered.
///
/// # Errors
/// [`Error::Unreachable`], [`Error::NotKnown`].
pub async fn dial_new(
    address: &Address,
    token: Option<Secret>,
    purpose: &Purpose,
) -> Result<(Flow, Welcome), Error> {
    let Some((_, _, pin)) = address.elsewhere() else {
        return greet(address, open_unix(address).await?, None, purpose).await;
    };
    let trust = pin.map_or(Trust::System, Trust::Pinned);
    let stream = open(address, &trust, None).await?;
    greet(address, stream, token, purpose).await
}

/// Who answers at an address, for a person to compare; nothing is said to them.
///
/// # Errors
/// [`Error::Unreachable`].
pub async fn who_answers(address: &Address) -> Result<Pin, Error> {
    let seen = Arc::new(OnceLock::new());
    drop(open_tls(address, &Trust::Anybody(seen.clone()), None).await?);
    seen.get().copied().ok_or_else(|| unreachable(address)("it does not show who it is"))
}

/// What the environment says to come in with.
pub(crate) fn token() -> Result<Option<Secret>, Error> {
    let text = std::env::var("LAB_TOKEN").unwrap_or_default();
    let bad = |bad: crate::account::BadSecret| Error::Bad { why: format!("LAB_TOKEN: {bad}") };
    (!text.is_empty()).then(|| text.trim().parse().map_err(bad)).transpose()
}

fn credentials(known: Option<Context>) -> Result<Credentials, Error> {
    Ok(match known.map(|known| known.proof) {
        None => Credentials::default(),
        Some(Proof::Token { secret }) => Credentials { identity: None, token: Some(secret) },
        Some(Proof::Certificate { certificate, key, .. }) => {
            Credentials { identity: Some(identity(&certificate, &key)?), token: None }
        }
    })
}

fn identity(certificate: &str, key: &str) -> Result<Identity, Error> {
    let bad = |error: rustls::pki_types::pem::Error| Error::NotKnown {
        why: format!("what is kept of this login is damaged: {error:?}"),
    };
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).map_err(bad)?;
    Ok((certificate, PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(bad)?))
}

async fn open_unix(address: &Address) -> Result<Box<dyn Stream>, Error> {
    let Address::Unix(path) = address else {
        return Err(unreachable(address)("it is no Unix socket"));
    };
    Ok(Box::new(UnixStream::connect(path).await.map_err(unreachable(address))?))
}

/// A stream to a lab elsewhere.
async fn open(
    address: &Address,
    trust: &Trust,
    identity: Option<Identity>,
) -> Result<Box<dyn Stream>, Error> {
    let stream = open_tls(address, trust, identity).await?;
    match address {
        Address::Https { host, port, .. } => {
            let within = timeout(CONNECT, websocket::client(host, *port, stream)).await;
            let late = |_| unreachable(address)("no answer to the request for a WebSocket");
            Ok(Box::new(within.map_err(late)?.map_err(unreachable(address))?))
        }
        _ => Ok(Box::new(stream)),
    }
}

async fn open_tls(
    address: &Address,
    trust: &Trust,
    identity: Option<Identity>,
) -> Result<TlsStream<BufReader<Watched>>, Error> {
    let (host, port, _) = address.elsewhere().ok_or_else(|| {
        let why = "only labs at tls:// and https:// addresses show who they are".to_owned();
        Error::Bad { why }
    })?;
    let speaks = if matches!(address, Address::Https { .. }) { tls::HTTP } else { tls::ALPN };
    let config = tls::client(trust, identity, speaks).map_err(unreachable(address))?;
    let name = ServerName::try_from(host.to_owned()).map_err(unreachable(address))?;
    let connect = async {
        let stream = proxy::connect(host, port).await.map_err(unreachable(address))?;
        stream.set_nodelay(true).map_err(unreachable(address))?;
        let stream = Watched::new(stream).map_err(unreachable(address))?;
        let connector = TlsConnector::from(Arc::new(config));
        let stream = connector.connect(name, tls::read_ahead(stream)).await;
        stream.map_err(|error| refused(address, trust, &error))
    };
    let late = |_| unreachable(address)(format!("no answer within {} s", CONNECT.as_secs()));
    timeout(CONNECT, connect).await.map_err(late)?
}

/// Why there is no TLS, as what a person can do about it.
fn refused(address: &Address, trust: &Trust, error: &io::Error) -> Error {
    use rustls::{CertificateError, Error as TlsError};
    let found = error.get_ref().and_then(|error| error.downcast_ref::<TlsError>());
    let why = match (trust, found) {
        (
            Trust::Pinned(_),
            Some(TlsError::InvalidCertificate(CertificateError::ApplicationVerificationFailure)),
        ) => {
            return Error::Impostor {
                address: address.to_string(),
                why: "the lab there is not the one that is known here: somebody may be listening in, \
                      or its keys were made anew"
                    .to_owned(),
            };
        }
        (Trust::System, Some(TlsError::InvalidCertificate(_))) => {
            format!("it is not known here; log in first with 'labctl login {address}'")
        }
        _ => error.to_string(),
    };
    unreachable(address)(why)
}

/// Says who one is and what for, and hears the answers.
async fn greet(
    address: &Address,
    stream: Box<dyn Stream>,
    token: Option<Secret>,
    purpose: &Purpose,
) -> Result<(Flow, Welcome), Error> {
    let mut stream = BufReader::with_capacity(64 * 1024, stream);
    let greet = async {
        if let Some(secret) = token {
            wire::ask(&mut stream, &Purpose::Prove(secret)).await.map_err(unreachable(address))?;
            wire::answer(&mut stream).await?;
        }
        wire::ask(&mut stream, purpose).await.map_err(unreachable(address))?;
        wire::answer(&mut stream).await
    };
    let silent =
        |_| unreachable(address)(format!("it said nothing within {} s", FIRST_ANSWER.as_secs()));
    let welcome = timeout(FIRST_ANSWER, greet).await.map_err(silent)??;
    Ok((stream, welcome))
}

fn unreachable<Why: ToString>(address: &Address) -> impl Fn(Why) -> Error {
    let address = address.to_string();
    move |why| Error::Unreachable { address: address.clone(), why: why.to_string() }
}
