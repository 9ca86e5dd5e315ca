//! The door for those from elsewhere: calls and follows behind TLS 1.3.
//!
//! Whoever comes has a certificate of the lab's own authority, or says a token first. Until then they
//! are on the doorstep, for ten seconds at most, with whom [`crate::rules::guard`] deals.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use protocol::{Error, tls, wire};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::BufReader;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{identity, listen};
use crate::authority::{self, Authority};
use crate::clock::Clock;
use crate::config::{Site, Tls};
use crate::doorstep::Doorstep;
use crate::lab::Lab;
use crate::lab::people::Peer;
use crate::rules::guard::Offence;

/// Whoever comes is through the door within this time.
const DOORSTEP: Duration = Duration::from_secs(10);

/// The door.
pub struct Door {
    lab: Arc<Lab>,
    acceptor: TlsAcceptor,
    shown: Arc<Shown>,
    doorstep: Arc<Doorstep>,
}

impl Door {
    /// A door that shows what the configuration says, or what the lab's own authority says of it.
    ///
    /// # Errors
    /// The system's; what is wrong with the site's certificate.
    pub fn new(lab: Arc<Lab>, tls: &Tls, doorstep: Arc<Doorstep>) -> io::Result<Arc<Door>> {
        let authority = lab.open_authority()?;
        let shown = Arc::new(Shown(RwLock::new(Arc::new(certificate(&authority, tls)?))));
        let config =
            server(&authority, shown.clone(), lab.clock().clone()).map_err(io::Error::other)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Arc::new(Door { lab, acceptor, shown, doorstep }))
    }

    /// Serves whoever comes until the lab ends.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        let mut ending = self.lab.ending();
        let mut reloads = self.lab.reloads();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = ending.changed() => return,
                Ok(()) = reloads.changed() => {
                    self.show_anew();
                    continue;
                }
            };
            match accepted {
                Ok((stream, from)) => self.clone().meet(stream, from),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    // Out of descriptors, most likely: some will be closed soon.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    /// A reload is also how the lab hears of the site's renewed certificate.
    fn show_anew(&self) {
        let config = self.lab.config();
        let Some(tls) = &config.tls else { return };
        let certificate =
            self.lab.open_authority().and_then(|authority| certificate(&authority, tls));
        match certificate {
            Ok(certificate) => *self.shown.0.write() = Arc::new(certificate),
            Err(error) => {
                tracing::error!(%error, "the lab shows the certificate that it showed before")
            }
        }
    }

    /// Lets somebody onto the doorstep, or turns them away.
    fn meet(self: Arc<Self>, stream: TcpStream, from: SocketAddr) {
        let Some(place) = self.doorstep.admit(from.ip()) else { return };
        let lab = self.lab.clone();
        tokio::spawn(lab.answer(async move {
            let met = tokio::time::timeout(DOORSTEP, self.let_in(stream, from)).await;
            match met.unwrap_or(Err(Some(Offence::TooSlow))) {
                Ok((peer, purpose, stream)) => {
                    drop(place);
                    let attended = listen::attend(self.lab.clone(), peer, purpose, stream);
                    if let Err(error) = attended.await {
                        tracing::debug!(%error, "a connection ended");
                    }
                }
                Err(Some(offence)) => place.offend(offence),
                Err(None) => {}
            }
        }));
    }

    /// Hears who somebody is and what for; else, what is to be thought of them.
    async fn let_in(
        &self,
        stream: TcpStream,
        from: SocketAddr,
    ) -> Result<(Peer, wire::Purpose, BufReader<TlsStream<TcpStream>>), Option<Offence>> {
        // Without it keystrokes wait for each other; if it cannot be had, they do.
        let _ = stream.set_nodelay(true);
        let _ = tls::notice_silence(&stream);
        let stream = self.acceptor.accept(stream).await.map_err(|error| {
            let went = matches!(
                error.kind(),
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
            );
            Some(if went { Offence::Silent } else { Offence::Nonsense })
        })?;
        let via = format!("tls {}", from.ip());
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let known = shown.map(|shown| self.lab.logged_in(authority::hash(shown), &via));
        let is_known = matches!(known, Some(Ok(_)));
        let mut stream = BufReader::new(stream);
        let met = async {
            let known = match known.transpose()? {
                Some(known) => Some(identity::completed(known, &self.lab).await?),
                None => None,
            };
            listen::introduce(&self.lab, known, &via, &mut stream).await
        };
        let met = met.await;
        match met {
            Ok((peer, purpose)) => Ok((peer, purpose, stream)),
            Err(why) => {
                // Who does not wait for the answer need not have it.
                let _ = wire::refuse(&mut stream, &why).await;
                Err(match why {
                    // Their link dropped, or their program is at fault: they are no stranger.
                    _ if is_known => None,
                    Error::NotKnown { .. } => Some(Offence::BadProof),
                    Error::Bad { .. } => Some(Offence::Nonsense),
                    Error::Unreachable { .. } => Some(Offence::Silent),
                    _ => None,
                })
            }
        }
    }
}

/// What the lab shows of itself; another on the next connection, if it was renewed.
#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().clone())
    }
}

/// Certificates are good by the clock by which they were made.
#[derive(Debug)]
struct LabTime(Clock);

impl TimeProvider for LabTime {
    fn current_time(&self) -> Option<UnixTime> {
        let LabTime(clock) = self;
        Some(UnixTime::since_unix_epoch(Duration::from_millis(clock.now().0)))
    }
}

fn server(
    authority: &Authority,
    shown: Arc<Shown>,
    clock: Clock,
) -> Result<ServerConfig, Box<dyn std::error::Error + Send + Sync>> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate().clone())?;
    let provider = tls::provider();
    // Who has none may still have a token.
    let people = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone())
        .allow_unauthenticated()
        .build()?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(people)
        .with_cert_resolver(shown);
    config.alpn_protocols = vec![tls::ALPN.to_vec()];
    config.time_provider = Arc::new(LabTime(clock));
    Ok(config)
}

fn certificate(authority: &Authority, tls: &Tls) -> io::Result<CertifiedKey> {
    let Some(Site { certificate, key }) = &tls.site else {
        return authority.server(std::slice::from_ref(&tls.name));
    };
    let wrong = |file: &std::path::Path, what: String| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{}: {what}", file.display()))
    };
    let read =
        |file: &std::path::Path| fs::read(file).map_err(|error| wrong(file, error.to_string()));
    let chain = CertificateDer::pem_slice_iter(&read(certificate)?).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| wrong(certificate, format!("{error:?}")))?;
    let private = PrivateKeyDer::from_pem_slice(&read(key)?);
    let private = private.map_err(|error| wrong(key, format!("{error:?}")))?;
    let provider = tls::provider();
    CertifiedKey::from_der(chain, private, &provider)
        .map_err(|error| wrong(certificate, error.to_string()))
}
