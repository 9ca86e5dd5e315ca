//! The one port for those from elsewhere, behind TLS 1.3: the lab's own clients, and whoever speaks HTTPS.
//!
//! Whoever comes has a certificate of the lab's own authority, or says a token. Until then they are on the
//! [`doorstep`]. What is spoken is agreed on by ALPN: `lab` is [`crate::rpc`]'s, all else
//! [`crate::http`]'s.
//!
//! - [`shown`]: what the lab shows of itself; [`renewed`]: that the site's certificate was replaced

mod renewed;
mod shown;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use protocol::silence::Watched;
use protocol::tls;
use rustls::pki_types::UnixTime;
use rustls::server::WebPkiClientVerifier;
use rustls::time_provider::TimeProvider;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, interval, timeout_at};
use tokio_rustls::TlsAcceptor;

use self::renewed::Files;
use self::shown::Shown;
use crate::authority::{self, Authority};
use crate::clock::Clock;
use crate::config::Tls;
use crate::doorstep::{self, Doorstep, Stranger};
use crate::http::Site;
use crate::lab::Lab;
use crate::rpc::listen;
use crate::rules::guard::Offence;

/// The site's files are looked at this often.
const LOOK: Duration = Duration::from_secs(2);
/// Whoever comes is known within this time.
const PATIENCE: Duration = Duration::from_secs(10);

/// The door.
pub struct Door {
    lab: Arc<Lab>,
    acceptor: TlsAcceptor,
    shown: Arc<Shown>,
    doorstep: Arc<Doorstep>,
    site: Site,
}

impl Door {
    /// A door that shows what the configuration says, or what the lab's own authority says of it.
    ///
    /// # Errors
    /// The system's; what is wrong with the site's certificate.
    pub fn new(lab: Arc<Lab>, tls: &Tls, doorstep: Arc<Doorstep>) -> io::Result<Arc<Door>> {
        let authority = lab.open_authority()?;
        let files = Files::of(tls);
        let shown = Arc::new(Shown::new(&authority, tls)?);
        let config =
            server(&authority, shown.clone(), lab.clock().clone()).map_err(io::Error::other)?;
        let (acceptor, site) = (TlsAcceptor::from(Arc::new(config)), Site::new(lab.clone()));
        let door = Arc::new(Door { lab, acceptor, shown, doorstep, site });
        tokio::spawn(door.clone().keep_shown(files));
        Ok(door)
    }

    /// Serves whoever comes until the lab ends.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        let _open = self.lab.keep_out_tunnels(&listener);
        let mut ending = self.lab.ending();
        while let Some((stream, from)) = doorstep::next(&listener, &mut ending).await {
            let Some(place) = self.doorstep.admit_line(from, &stream) else { continue };
            let stranger = Stranger { from, due: Instant::now() + PATIENCE, place };
            tokio::spawn(self.lab.answer(self.clone().receive(stream, stranger)));
        }
    }

    /// Shows what the configuration says, and what its files say: whoever renews the site's certificate
    /// replaces them.
    async fn keep_shown(self: Arc<Self>, mut files: Files) {
        let (mut reloads, mut ending) = (self.lab.reloads(), self.lab.ending());
        let mut looks = interval(LOOK);
        loop {
            let is_reload = tokio::select! {
                Ok(()) = reloads.changed() => true,
                _ = looks.tick() => false,
                _ = ending.changed() => return,
            };
            let config = self.lab.config();
            if let Some(tls) = &config.tls
                && (files.are_replaced(tls) || is_reload)
            {
                self.show_anew(tls);
            }
        }
    }

    fn show_anew(&self, tls: &Tls) {
        match self.lab.open_authority().and_then(|it| self.shown.renew(&it, tls)) {
            Ok(()) => tracing::info!(name = tls.name, "the lab's certificate is taken over"),
            Err(error) => {
                tracing::error!(%error, "the lab shows the certificate that it showed before");
            }
        }
    }

    /// Hears what somebody speaks, and hands them on to whom they speak it with.
    async fn receive(self: Arc<Self>, stream: TcpStream, stranger: Stranger) {
        let Ok(stream) = Watched::new(stream) else { return };
        let accepted = self.acceptor.accept(tls::read_ahead(stream));
        let stream = match timeout_at(stranger.due, accepted).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return stranger.place.offend(offence(&error)),
            Err(_) => return stranger.place.offend(Offence::TooSlow),
        };
        let session = stream.get_ref().1;
        let login = session.peer_certificates().and_then(<[_]>::first).map(authority::hash);
        match session.alpn_protocol() == Some(tls::ALPN) {
            true => listen::receive(self.lab.clone(), "tls", stranger, login, stream).await,
            false => self.site.serve(stranger, login, stream).await,
        }
    }
}

/// What is to be thought of whoever does not finish a handshake.
fn offence(error: &io::Error) -> Offence {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => Offence::Silent,
        _ => Offence::Nonsense,
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
    config.alpn_protocols = vec![tls::ALPN.to_vec(), tls::HTTP.to_vec()];
    config.time_provider = Arc::new(LabTime(clock));
    Ok(config)
}
