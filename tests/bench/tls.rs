//! A call by TLS, and coming in, beside a bare rustls acceptor that sends back what it is sent.

use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use labd::authority::Authority;
use protocol::client::Client;
use protocol::tls::{self, NAME, Pin, Trust};
use rustls::pki_types::ServerName;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::figure::{Bar, Report, Sample};
use crate::process::{FRAME, Lab, Running, other};

const ROUNDS: usize = 20;
const CALLS: usize = 200;
const COMING_IN: usize = 20;

pub(crate) fn run(report: &mut Report) -> Result<()> {
    let lab = Lab::start_with_door()?;
    let folder = tempfile::tempdir()?;
    let _echo = Running::start(other("as-tls-echo")?.arg(folder.path()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut calls, mut bare_calls) = (Sample::new(), Sample::new());
    let (mut coming_in, mut bare_handshakes) = (Sample::new(), Sample::new());
    runtime.block_on(async {
        let (address, known) = lab.way_in().await?;
        let client = Client::connect_as(&address, known.clone()).await?;
        let bare = Bare::find(folder.path()).await?;
        let mut stream = bare.connect().await?;
        for _ in 0..ROUNDS {
            for _ in 0..CALLS {
                calls.time(client.whoami()).await?;
            }
            for _ in 0..CALLS {
                bare_calls.time(ping(&mut stream)).await?;
            }
            for _ in 0..COMING_IN {
                coming_in.time(Client::connect_as(&address, known.clone())).await?;
            }
            for _ in 0..COMING_IN {
                bare_handshakes.time(bare.comes_in()).await?;
            }
        }
        anyhow::Ok(())
    })?;
    let (call, bare) = (calls.median() * 1e6, bare_calls.median() * 1e6);
    let beside = format!("{call:.0} us; a bare frame there and back by TLS {bare:.0} us");
    report.figure("tls-call-p50", call / bare, "x", &beside, Bar::Most(6.0))?;
    let (lab, bare) = (1.0 / coming_in.median(), 1.0 / bare_handshakes.median());
    let beside = format!("{lab:.0} come in a second, one after the other; bare {bare:.0}");
    report.figure("tls-coming-in", lab / bare, "x", &beside, Bar::Least(0.5))
}

async fn ping(stream: &mut TlsStream<TcpStream>) -> Result<()> {
    let mut frame = [0; FRAME];
    stream.write_all(&frame).await?;
    stream.flush().await?;
    stream.read_exact(&mut frame).await?;
    Ok(())
}

/// The bare acceptor, as a client sees it.
struct Bare {
    port: u16,
    config: Arc<ClientConfig>,
}

impl Bare {
    /// Waits until it listens.
    async fn find(folder: &Path) -> Result<Bare> {
        let port = loop {
            match fs::read_to_string(folder.join("port")) {
                Ok(port) => break port.parse()?,
                Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        };
        let authority = Authority::open(&folder.join("authority"))?;
        let trust = Trust::Pinned(Pin::of(authority.certificate()));
        Ok(Bare { port, config: Arc::new(tls::client(&trust, None, tls::ALPN)?) })
    }

    /// Who it is, what for: each is answered.
    async fn comes_in(&self) -> Result<()> {
        let mut stream = self.connect().await?;
        ping(&mut stream).await?;
        ping(&mut stream).await
    }

    /// As the lab's clients do: nothing is resumed.
    async fn connect(&self) -> Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
        stream.set_nodelay(true)?;
        let mut config = ClientConfig::clone(&self.config);
        config.resumption = rustls::client::Resumption::disabled();
        let name = ServerName::try_from(NAME)?;
        Ok(TlsConnector::from(Arc::new(config)).connect(name, stream).await?)
    }
}

/// Shows one certificate.
#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

/// Sends back every frame by TLS, on a runtime as labd's. Where it listens is written into `folder`.
pub(crate) fn echo(folder: &Path) -> Result<()> {
    let authority = Authority::open(&folder.join("authority"))?;
    let shown = Arc::new(Shown(Arc::new(authority.server(&["127.0.0.1".to_owned()])?)));
    let mut config = ServerConfig::builder_with_provider(tls::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(shown);
    config.alpn_protocols = vec![tls::ALPN.to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        fs::write(folder.join("draft"), port.to_string())?;
        fs::rename(folder.join("draft"), folder.join("port")).context("the port")?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(answer(stream, acceptor.clone()));
        }
    })
}

async fn answer(stream: TcpStream, acceptor: TlsAcceptor) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = acceptor.accept(stream).await?;
    let mut frame = [0; FRAME];
    loop {
        stream.read_exact(&mut frame).await?;
        stream.write_all(&frame).await?;
        stream.flush().await?;
    }
}
