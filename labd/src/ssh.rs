//! The lab's door for whoever has only an ssh client: consoles, labctl, labtui, and the boards' own sshd.
//!
//! The key says who somebody is, the ssh user name what is wanted: a board's name is its console, `lab`
//! is the lab itself. Nobody gets a shell, a file, or an address of their own choice.
//!
//! - [`host_key`]: by what clients know the lab again
//! - [`visit`]: one connection: which keys are good, and which channels are opened
//! - [`visitor`]: somebody who has come in
//! - [`shares`]: what one user's visits may take of the daemon
//! - [`session`]: one channel: what the client asks for, and how it ends
//! - [`console`]: a board's console
//! - [`words`]: what may be run, and with which words
//! - [`program`]: labctl and labtui, run for the visitor
//! - [`token`]: a token, as bitelab hands them out
//! - [`tunnel`]: bytes to and from a board's own sshd

pub mod console;
pub mod host_key;
pub mod program;
pub mod session;
mod shares;
pub mod token;
pub mod tunnel;
pub mod visit;
pub mod visitor;
pub mod words;

use std::borrow::Cow;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use nix::sys::socket::{Shutdown, shutdown};
use protocol::carry;
use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PrivateKey};
use russh::server::{Config, RunningSession, run_stream};
use russh::{
    Disconnect, Error, MethodKind, MethodSet, Preferred, SshId, cipher, compression, kex, mac,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout, timeout_at};

use self::shares::Shares;
use self::visit::Visit;
use self::visitor::{Stay, Visitor};
use crate::doorstep::{self, Doorstep, Place};
use crate::lab::Lab;
use crate::lab::tunnel::SshVisitor;
use crate::rules::guard::Offence;

/// Whoever connects has shown a key within this time.
const GRACE: Duration = Duration::from_secs(20);
/// Each step on the way out may take so long.
const LAST_WORDS: Duration = Duration::from_millis(300);
/// A client that is not heard of for three times so long is gone.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// What those are told for whom there is no room.
const CROWD: &str = "you have as many connections to this lab as one user may have, or it has as many as there may be; close some";

/// What the door stands on besides the lab.
#[derive(Debug)]
pub struct Ground {
    /// Where labctl and labtui are.
    pub programs: PathBuf,
    /// The door's own folder, of which nobody else may see anything.
    pub folder: PathBuf,
    /// By what clients know the lab.
    pub host_key: PrivateKey,
    /// Where they are before they have shown a key.
    pub doorstep: Arc<Doorstep>,
}

/// The door.
pub struct Door {
    lab: Arc<Lab>,
    programs: PathBuf,
    folder: PathBuf,
    config: Arc<Config>,
    doorstep: Arc<Doorstep>,
    shares: Shares,
    /// Names the rooms in which programs run.
    rooms: AtomicU64,
}

impl Door {
    /// A door to `lab`. What visitors of a daemon that was killed left behind is cleared away.
    ///
    /// # Errors
    /// The folder's.
    pub fn new(lab: Arc<Lab>, ground: Ground) -> io::Result<Arc<Door>> {
        let Ground { programs, folder, host_key, doorstep } = ground;
        program::clear(&folder)?;
        let config = Arc::new(config(host_key));
        let rooms = AtomicU64::new(1);
        let shares = Shares::new();
        Ok(Arc::new(Door { lab, programs, folder, config, doorstep, shares, rooms }))
    }

    /// Lets in whoever may come, until the lab ends.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        let _open = self.lab.keep_out_tunnels(&listener);
        let mut ending = self.lab.ending();
        while let Some((stream, from)) = doorstep::next(&listener, &mut ending).await {
            self.meet(stream, from, format!("ssh {from}"));
        }
    }

    /// Lets in whoever is led here from another door, until the lab ends.
    pub async fn serve_led(self: Arc<Self>, mut led: mpsc::Receiver<SshVisitor>) {
        while let Some(SshVisitor { stream, from, via }) = led.recv().await {
            // A session ends by its line being shut down, so it has one.
            match UnixStream::pair() {
                Ok((here, there)) => {
                    self.meet(here, from, format!("ssh through {via}"));
                    tokio::spawn(async move {
                        // Each end sees for itself that the other has gone.
                        let _ = carry::both(stream, there).await;
                    });
                }
                Err(error) => tracing::warn!(%error, "an ssh connection could not be accepted"),
            }
        }
    }

    /// Lets somebody onto the doorstep, unless they are turned away.
    fn meet(self: &Arc<Self>, stream: impl Line, from: IpAddr, via: String) {
        if let Some(place) = self.doorstep.admit_line(from, &stream) {
            tokio::spawn(self.clone().receive(stream, via, place));
        }
    }

    /// One connection. If nobody has come in by its end, that is held against where it came from.
    async fn receive(self: Arc<Self>, stream: impl Line, via: String, place: Place) {
        let due = Instant::now() + GRACE;
        let (known, refused) = (watch::Sender::new(None), Arc::default());
        let mut stranger = Stranger { place: Some(place), visitor: known.subscribe() };
        let visit = Visit::new(self.clone(), via.clone(), known, Arc::clone(&refused));
        let outcome = self.attend(stream, visit, due, &mut stranger).await;
        if let Err(error) = &outcome {
            tracing::debug!(%via, %error, "an ssh connection ended");
        }
        let Some(place) = stranger.left() else { return };
        let refused = refused.lock();
        if !refused.is_empty() {
            let keys: Vec<_> = refused.iter().map(String::as_str).collect();
            let why = format!("nobody here has the key {}", keys.join(", or "));
            self.lab.turned_away(None, via, why);
        }
        place.offend(match outcome {
            _ if Instant::now() >= due => Offence::TooSlow,
            // One good key is enough: a client has others, too.
            _ if !refused.is_empty() => Offence::BadProof,
            Ok(())
            | Err(Error::IO(_) | Error::Disconnect | Error::HUP | Error::NoCommonAlgo { .. }) => {
                Offence::Silent
            }
            Err(_) => Offence::Nonsense,
        });
    }

    /// From its first byte until it ends, or whoever is there is no longer who they were.
    async fn attend(
        &self,
        stream: impl Line,
        visit: Visit,
        due: Instant,
        stranger: &mut Stranger,
    ) -> Result<(), Error> {
        // The session has the stream to itself, and a client may never close its side.
        let line = stream.as_fd().try_clone_to_owned()?;
        let Ok(session) = timeout_at(due, run_stream(self.config.clone(), stream, visit)).await
        else {
            return Ok(());
        };
        let mut session = session?;
        let mut visitor = stranger.visitor.clone();
        let outcome = tokio::select! {
            outcome = &mut session => outcome,
            why = self.until_over(due, stranger) => {
                show_out(session, &mut visitor, why).await
            }
        };
        ends(&mut visitor, Stay::Left);
        // If the client has closed it already, so much the better.
        let _ = shutdown(line.as_raw_fd(), Shutdown::Both);
        outcome
    }

    /// Returns when a connection must end, and why.
    async fn until_over(&self, due: Instant, stranger: &mut Stranger) -> &'static str {
        let mut ending = self.lab.ending();
        let known = match timeout_at(due, stranger.visitor.wait_for(Option::is_some)).await {
            Err(_) => return "you have shown no key in time",
            Ok(Ok(known)) => known.clone(),
            Ok(Err(_)) => None,
        };
        let Some(known) = known else { return std::future::pending().await };
        if let (Err(_), Some(place)) = (self.lab.meet(&known.peer), &stranger.place) {
            // They are told why on each channel.
            place.offend(Offence::BadProof);
        }
        let Ok(_here) = self.doorstep.come_in(&known.peer.name) else { return CROWD };
        stranger.place = None;
        tokio::select! {
            () = known.until_somebody_else() => {
                "you are not who you were to this lab any more; if you still may, come in again"
            }
            _ = ending.changed() => "the lab is being closed",
        }
    }
}

/// What a session goes over: it can be shut down though the session has it.
trait Line: AsyncRead + AsyncWrite + AsFd + Unpin + Send + 'static {}

impl<IO: AsyncRead + AsyncWrite + AsFd + Unpin + Send + 'static> Line for IO {}

/// Somebody at the door.
struct Stranger {
    /// Their place on the doorstep, until they have come in.
    place: Option<Place>,
    /// Who they are, when they have.
    visitor: watch::Receiver<Option<Arc<Visitor>>>,
}

impl Stranger {
    /// Their place, if they have gone and never came in.
    fn left(self) -> Option<Place> {
        self.place.filter(|_| self.visitor.borrow().is_none())
    }
}

/// Ends a connection, and says why.
async fn show_out(
    mut session: RunningSession<Visit>,
    visitor: &mut watch::Receiver<Option<Arc<Visitor>>>,
    why: &'static str,
) -> Result<(), Error> {
    if let Some(visitor) = ends(visitor, Stay::ShownOut(why)) {
        // Programs leave the visitor's terminal as it was, and each session says why it ends.
        let _ = timeout(LAST_WORDS, visitor.until_idle()).await;
    }
    // A client that has nothing left to do leaves by itself; else it is told to.
    if let Ok(outcome) = timeout(LAST_WORDS, &mut session).await {
        return outcome;
    }
    let told = async {
        // Whoever is gone is told nothing.
        let (handle, by) = (session.handle(), Disconnect::ByApplication);
        let _ = handle.disconnect(by, why.to_owned(), String::new()).await;
        session.await
    };
    timeout(LAST_WORDS, told).await.unwrap_or(Ok(()))
}

/// Whatever the visitor has begun ends, if anybody has come in.
fn ends(visitor: &mut watch::Receiver<Option<Arc<Visitor>>>, how: Stay) -> Option<Arc<Visitor>> {
    let visitor = visitor.borrow_and_update().clone();
    visitor.inspect(|visitor| visitor.ends(how))
}

/// What is offered to a client: nothing that is known to be weak, and no way in but a key.
fn config(host_key: PrivateKey) -> Config {
    let curve = |curve| Algorithm::Ecdsa { curve };
    let rsa = |hash| Algorithm::Rsa { hash: Some(hash) };
    let keys = vec![
        Algorithm::Ed25519,
        Algorithm::SkEd25519,
        curve(EcdsaCurve::NistP256),
        curve(EcdsaCurve::NistP384),
        curve(EcdsaCurve::NistP521),
        Algorithm::SkEcdsaSha2NistP256,
        rsa(HashAlg::Sha512),
        rsa(HashAlg::Sha256),
    ];
    Config {
        server_id: SshId::Standard(Cow::Borrowed("SSH-2.0-labd")),
        methods: MethodSet::from(&[MethodKind::PublicKey][..]),
        // There is nothing to guess.
        auth_rejection_time: Duration::from_millis(50),
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![host_key],
        preferred: Preferred {
            kex: Cow::Borrowed(&[
                kex::MLKEM768X25519_SHA256,
                kex::CURVE25519,
                kex::CURVE25519_PRE_RFC_8731,
                kex::EXTENSION_SUPPORT_AS_SERVER,
                kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
            ]),
            key: Cow::Owned(keys),
            cipher: Cow::Borrowed(&[
                cipher::CHACHA20_POLY1305,
                cipher::AES_256_GCM,
                cipher::AES_128_GCM,
            ]),
            mac: Cow::Borrowed(&[mac::HMAC_SHA512_ETM, mac::HMAC_SHA256_ETM]),
            compression: Cow::Borrowed(&[compression::NONE]),
            ..Preferred::DEFAULT
        },
        inactivity_timeout: None,
        keepalive_interval: Some(KEEPALIVE),
        nodelay: true,
        ..Config::default()
    }
}
