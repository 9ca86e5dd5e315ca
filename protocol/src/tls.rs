//! TLS 1.3 to a lab: whom a client believes.
//!
//! A lab has a small authority of its own, and a client that has logged in knows it by the hash of its
//! certificate: whatever the lab's names and addresses are, only who has that authority's key can pass
//! for it. Without a pin the system's authorities and the host's name decide, as for any web server.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore,
    SignatureScheme,
};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, BufReader};

/// What the two sides say to each other behind TLS: calls and follows, see [`crate::wire`].
pub const ALPN: &[u8] = b"lab";
/// HTTP/1.1: the same within a WebSocket, and all that [`crate::service`] has as REST.
pub const HTTP: &[u8] = b"http/1.1";

/// Every lab's authority says of the lab that this is its name, beside others.
pub const NAME: &str = "labd";

/// Two records of TLS and their heads.
const READ_AHEAD: usize = 33 * 1024;

/// What TLS reads from. rustls asks for 4 KiB at a time, which for each full record would be five calls of
/// the system.
pub fn read_ahead<IO: AsyncRead>(stream: IO) -> BufReader<IO> {
    BufReader::with_capacity(READ_AHEAD, stream)
}

/// An authority, by the SHA-256 of its certificate; `openssl x509 -fingerprint -sha256` says the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pin([u8; 32]);

impl Pin {
    /// The pin of a certificate.
    pub fn of(certificate: &CertificateDer<'_>) -> Pin {
        Pin(Sha256::digest(certificate).into())
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Why a text is no pin.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("that is not the fingerprint of a lab: 'sha256:' and 64 hexadecimal digits")]
pub struct BadPin;

impl FromStr for Pin {
    type Err = BadPin;

    fn from_str(text: &str) -> Result<Pin, BadPin> {
        let digits = text.strip_prefix("sha256:").ok_or(BadPin)?;
        if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(BadPin);
        }
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            let pair = &digits[2 * index..2 * index + 2];
            *byte = u8::from_str_radix(pair, 16).map_err(|_| BadPin)?;
        }
        Ok(Pin(bytes))
    }
}

/// Whom a client believes that it is at the lab's.
#[derive(Debug, Clone)]
pub enum Trust {
    /// Who has a certificate of this authority.
    Pinned(Pin),
    /// Whom the system's authorities vouch for.
    System,
    /// Anybody, for once: a person is to compare what is then in here.
    Anybody(Arc<OnceLock<Pin>>),
}

/// What a client shows of itself: a certificate and its key.
pub type Identity = (CertificateDer<'static>, PrivateKeyDer<'static>);

/// How a client goes about it, and what it then speaks.
///
/// # Errors
/// What rustls finds wrong with the identity, or with the system's authorities.
pub fn client(
    trust: &Trust,
    identity: Option<Identity>,
    alpn: &[u8],
) -> Result<ClientConfig, TlsError> {
    let provider = provider();
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])?;
    let builder = match trust {
        Trust::System => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            builder.with_root_certificates(roots)
        }
        pinned => {
            let verifier = Verifier { trust: pinned.clone(), provider };
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        }
    };
    let mut config = match identity {
        Some((certificate, key)) => builder.with_client_auth_cert(vec![certificate], key)?,
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![alpn.to_vec()];
    Ok(config)
}

/// The cryptography that both sides use.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(aws_lc_rs::default_provider())).clone()
}

/// Believes a lab that has its certificate from the authority it sends along, if that is the one.
#[derive(Debug)]
struct Verifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let authority = intermediates.last().ok_or(CertificateError::UnknownIssuer)?;
        let pin = Pin::of(authority);
        match &self.trust {
            Trust::Pinned(expected) if *expected != pin => {
                return Err(CertificateError::ApplicationVerificationFailure.into());
            }
            Trust::Anybody(seen) => {
                seen.get_or_init(|| pin);
            }
            Trust::Pinned(_) | Trust::System => {}
        }
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        let usual =
            WebPkiServerVerifier::builder_with_provider(roots.into(), self.provider.clone())
                .build()
                .map_err(|error| TlsError::General(error.to_string()))?;
        let name = ServerName::try_from(NAME).map_err(|_| CertificateError::NotValidForName)?;
        usual.verify_server_cert(end_entity, &[], &name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Err(TlsError::General("this is TLS 1.2".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
