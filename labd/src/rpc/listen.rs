//! Sockets, and the first line of each connection.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use parking_lot::Mutex;
use protocol::user::Role;
use protocol::wire::{self, Purpose, Welcome};
use protocol::{Error, Span};
use tarpc::server::{BaseChannel, Channel, Serve, serve as answering};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout_at;

use super::calls::Caller;
use super::frames::Heard;
use super::once::Once;
use super::{follow, frames, identity};
use crate::doorstep::Stranger;
use crate::doorstep::guests::{Guests, User};
use crate::lab::Lab;
use crate::lab::people::Peer;
use crate::lab::tunnel::SshVisitor;
use crate::rules::guard::Offence;

/// So many are told at a time that there is no room.
const REFUSED: usize = 32;
/// So many calls of one connection are answered at a time; more are refused.
const CALLS: usize = 64;

/// Whoever connects says what for within this time.
const FIRST_LINE: Duration = Duration::from_secs(10);
/// Answers are on their way for so long when somebody is no longer who they were.
const LAST_WORDS: Duration = Duration::from_millis(250);

/// A user of the system who has no role here is written down no more often than this.
const WRITTEN: Duration = Duration::from_secs(600);

/// When each user of the system was written down who has no role here: they cannot be barred, and what
/// anybody can have written down as often as they like fills a disk.
#[derive(Default)]
struct Refused(Mutex<HashMap<u32, Instant>>);

impl Refused {
    fn is_due(&self, uid: u32) -> bool {
        let (mut last, now) = (self.0.lock(), Instant::now());
        let is_due = last.get(&uid).is_none_or(|last| now - *last >= WRITTEN);
        if is_due {
            last.insert(uid, now);
        }
        is_due
    }
}

/// Binds a Unix socket that `mode` may use. A socket that a daemon left behind is replaced; one at
/// which a daemon still answers is not.
///
/// # Errors
/// The system's; [`io::ErrorKind::AddrInUse`] if a daemon answers there.
pub fn bind(path: &Path, mode: u32) -> io::Result<UnixListener> {
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        let why = format!("another labd answers at {}", path.display());
        return Err(io::Error::new(io::ErrorKind::AddrInUse, why));
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    Ok(listener)
}

/// Serves whoever connects until the lab ends, as long as there is room among the `guests`.
pub async fn serve(lab: Arc<Lab>, listener: UnixListener, guests: Arc<Guests>) {
    let mut ending = lab.ending();
    let threshold = Arc::new(Semaphore::new(REFUSED));
    let refused = Arc::<Refused>::default();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = ending.changed() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                let uid = stream.peer_cred().map_or(u32::MAX, |peer| peer.uid());
                match (guests.admit(User::Here(uid)), threshold.clone().try_acquire_owned()) {
                    (Ok(guest), _) => {
                        let (lab, refused) = (lab.clone(), refused.clone());
                        tokio::spawn(async move {
                            // A connection that panics has ended, too.
                            let _here = guest;
                            greet(lab, stream, &refused).await;
                        });
                    }
                    (Err(why), Ok(place)) => {
                        tokio::spawn(async move {
                            let _place = place;
                            refuse_stranger(stream, &why).await
                        });
                    }
                    // Whoever comes in such numbers is not told why each time.
                    (Err(_), Err(_)) => drop(stream),
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                // Out of descriptors, most likely: some will be closed soon.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Returns `linger` after the last connection has ended; never, if there is no `linger`.
pub async fn until_left(mut guests: watch::Receiver<usize>, linger: Option<Span>) {
    let Some(linger) = linger else { return std::future::pending().await };
    loop {
        let somebody = guests.wait_for(|count| *count > 0);
        let quiet = tokio::time::timeout(linger.duration(), somebody).await.is_err();
        if quiet {
            return;
        }
        // The count's sender lives as long as the lab is served.
        let _ = guests.wait_for(|count| *count == 0).await;
    }
}

async fn greet(lab: Arc<Lab>, stream: UnixStream, refused: &Refused) {
    let credentials = stream.peer_cred().ok();
    let mut reloads = lab.reloads();
    let peer = identity::of_peer(credentials).await;
    if let (Ok(peer), Some(credentials)) = (&peer, credentials)
        && lab.who(peer).is_err()
        && refused.is_due(credentials.uid())
    {
        // They are told why when they have said what they are here for.
        let _ = lab.meet(peer);
    }
    let same = async || identity::of_peer(credentials).await == peer;
    let changed = async { while reloads.changed().await.is_ok() && same().await {} };
    let conversation = async {
        match peer.clone() {
            Ok(peer) => converse(lab.clone(), peer, stream).await,
            Err(why) => refuse_stranger(stream, &why).await,
        }
    };
    let outcome = tokio::select! {
        outcome = conversation => outcome,
        // Whoever is somebody else to the system now comes in anew, as who they are.
        () = changed => Ok(()),
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "a connection ended");
    }
}

async fn refuse_stranger(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    why: &Error,
) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    // Heard out first: who is still talking when the door closes does not read why.
    let _ = tokio::time::timeout(FIRST_LINE, wire::listen(&mut stream)).await;
    wire::refuse(&mut stream, why).await
}

/// Serves one connection of somebody whom a door knows.
///
/// # Errors
/// The connection's.
pub async fn converse(
    lab: Arc<Lab>,
    peer: Peer,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let from = peer.via.clone();
    let conversation = async {
        match introduce(&lab, Some(peer), &from, &mut stream).await {
            Ok(met) => {
                lead(lab.clone(), met, (Ipv4Addr::LOCALHOST.into(), from.clone()), stream).await
            }
            Err(why) => wire::refuse(&mut stream, &why).await,
        }
    };
    lab.answer(conversation).await
}

/// Serves one connection of somebody who is still on the doorstep, with the login that they showed if they
/// did. The `door` is `tls` or `https`.
pub async fn receive(
    lab: Arc<Lab>,
    door: &str,
    stranger: Stranger,
    login: Option<String>,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) {
    let via = format!("{door} {}", stranger.from);
    let mut stream = BufReader::new(stream);
    let known = login.map(|login| lab.logged_in(login, &via));
    // Their link may drop, or their program be at fault: they are no stranger.
    let is_known = matches!(known, Some(Ok(_)));
    let met = async {
        let known = match known.transpose()? {
            Some(known) => Some(identity::completed(known, &lab).await?),
            None => None,
        };
        let met = introduce(&lab, known, &via, &mut stream).await?;
        if let (Some(peer), Purpose::Call | Purpose::Follow(_)) = &met
            && lab.exchanged(peer).is_none()
        {
            lab.meet(peer)?;
        }
        Ok(met)
    };
    let met = match timeout_at(stranger.due, met).await {
        Ok(Ok(met)) => met,
        Ok(Err(why)) => {
            // Who has no role here is written down each time they come.
            let is_counted = !is_known || matches!(why, Error::NotAllowed { .. });
            if let Some(offence) = offence(&why).filter(|_| is_counted) {
                stranger.place.offend(offence);
            }
            // Who does not wait for the answer need not have it.
            let _ = timeout_at(stranger.due, wire::refuse(&mut stream, &why)).await;
            return;
        }
        Err(_) => return stranger.place.offend(Offence::TooSlow),
    };
    // The ssh door has a doorstep of its own for whoever goes on there.
    let theirs = met.0.as_ref().filter(|_| !matches!(met.1, Purpose::Ssh));
    let guest = theirs.map(|peer| stranger.place.doorstep().come_in(&peer.name)).transpose();
    let _here = match guest {
        Ok(guest) => guest,
        Err(why) => return drop(timeout_at(stranger.due, wire::refuse(&mut stream, &why)).await),
    };
    let from = stranger.from;
    drop(stranger);
    if let Err(error) = lead(lab, met, (from, via), stream).await {
        tracing::debug!(%error, "a connection ended");
    }
}

/// What is to be thought of whoever is not let in for this reason.
pub(crate) fn offence(why: &Error) -> Option<Offence> {
    match why {
        Error::NotKnown { .. } | Error::NotAllowed { .. } => Some(Offence::BadProof),
        Error::Bad { .. } => Some(Offence::Nonsense),
        Error::Unreachable { .. } => Some(Offence::Silent),
        _ => None,
    }
}

/// Hears what somebody is here for; and before, who they are, if they say so by a token.
///
/// # Errors
/// What they are to be told with [`wire::refuse`]: [`Error::NotKnown`] if they are nobody.
pub async fn introduce(
    lab: &Lab,
    mut known: Option<Peer>,
    from: &str,
    stream: &mut (impl AsyncBufRead + AsyncWrite + Unpin),
) -> Result<(Option<Peer>, Purpose), Error> {
    let mut has_proven = false;
    loop {
        let heard = tokio::time::timeout(FIRST_LINE, wire::listen(stream)).await;
        let silent = |_| format!("you said nothing within {} s", FIRST_LINE.as_secs());
        match heard.map_err(silent).map_err(|why| Error::Bad { why })?? {
            Purpose::Prove(_) if has_proven => {
                return Err(Error::Bad { why: "one token is enough".to_owned() });
            }
            Purpose::Prove(secret) => {
                known = Some(identity::completed(lab.come_in(&secret, from).await?, lab).await?);
                has_proven = true;
                let gone = |error: io::Error| Error::Bad { why: error.to_string() };
                wire::accept(stream, &Welcome::default()).await.map_err(gone)?;
            }
            Purpose::Call | Purpose::Follow(_) if known.is_none() => return Err(stranger()),
            purpose => return Ok((known, purpose)),
        }
    }
}

fn stranger() -> Error {
    let why = "the lab does not know you: log in with 'labctl login', or give a token in LAB_TOKEN";
    Error::NotKnown { why: why.to_owned() }
}

/// Leads somebody who has said what they are here for to where it is done. The ssh door alone is for those,
/// too, who are not known yet.
async fn lead(
    lab: Arc<Lab>,
    (peer, purpose): (Option<Peer>, Purpose),
    from: (IpAddr, String),
    mut stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> io::Result<()> {
    match (peer, purpose) {
        (_, Purpose::Ssh) => to_ssh(&lab, from, stream).await,
        // Of its own on the heap: what is done there is deep.
        (Some(peer), purpose) => Box::pin(attend(lab, peer, purpose, stream)).await,
        (None, _) => wire::refuse(&mut stream, &stranger()).await,
    }
}

/// Does what somebody is here for, as long as they are who they were.
///
/// # Errors
/// The connection's; [`io::ErrorKind::PermissionDenied`] if they are no longer.
pub async fn attend(
    lab: Arc<Lab>,
    peer: Peer,
    purpose: Purpose,
    mut stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> io::Result<()> {
    let who = match lab.who(&peer) {
        Ok(who) => who,
        Err(_) if matches!(purpose, Purpose::Call) && lab.exchanged(&peer).is_some() => {
            return hear_again(lab, peer, stream).await;
        }
        Err(why) => return wire::refuse(&mut stream, &why).await,
    };
    let is_for_calls = !matches!(purpose, Purpose::Follow(_));
    let peer = match &purpose {
        // That a login has run out of time cuts nothing that cannot go on elsewhere.
        Purpose::Follow(what) if !what.resumes() => Peer { proof: peer.proof.entered(), ..peer },
        _ => peer,
    };
    let served = async {
        match purpose {
            Purpose::Follow(what) => follow::serve(lab.clone(), who.clone(), what, stream).await,
            Purpose::Ssh | Purpose::Prove(_) | Purpose::Call => {
                let run = Some(lab.run());
                wire::accept(&mut stream, &Welcome { run, ..Welcome::default() }).await?;
                let caller = Caller { lab: lab.clone(), peer: peer.clone() };
                answer_calls(caller, who.role, stream).await;
                Ok(())
            }
        }
    };
    let changed = async {
        lab.until_changed(&peer, &who).await;
        if is_for_calls {
            // Whoever asked for it, as when they revoke their own token, is to hear that it is done. What
            // they ask now is asked by whom they are now.
            tokio::time::sleep(LAST_WORDS).await;
        }
    };
    tokio::select! {
        outcome = served => outcome,
        () = changed => Err(io::ErrorKind::PermissionDenied.into()),
    }
}

/// Somebody comes again with what has become a certificate, of which they may not have heard: for that one
/// call, which is all that they are allowed.
async fn hear_again(
    lab: Arc<Lab>,
    peer: Peer,
    mut stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> io::Result<()> {
    let run = Some(lab.run());
    wire::accept(&mut stream, &Welcome { run, ..Welcome::default() }).await?;
    let answered = answer_calls(Caller { lab, peer }, Role::Viewer, stream);
    let _ = tokio::time::timeout(FIRST_LINE, answered).await;
    Ok(())
}

/// Hands somebody on to the ssh door.
async fn to_ssh(
    lab: &Lab,
    (from, via): (IpAddr, String),
    mut stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> io::Result<()> {
    if let Err(why) = lab.has_ssh() {
        return wire::refuse(&mut stream, &why).await;
    }
    wire::accept(&mut stream, &Welcome::default()).await?;
    lab.to_ssh(SshVisitor { stream: Box::new(stream), from, via }).await;
    Ok(())
}

async fn answer_calls(
    caller: Caller,
    role: Role,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) {
    let lab = caller.lab.clone();
    let mut ending = lab.ending();
    let largest = if role == Role::Admin { wire::LARGEST_FRAME } else { wire::LARGEST_CALL };
    let caller = Once(caller);
    let answer = answering(async move |context, heard| match heard {
        Heard::Call(call) => caller.serve(context, call).await,
        Heard::TooLarge(why) => Err(why),
    });
    let answers = BaseChannel::with_defaults(frames::carry(stream, largest))
        .max_concurrent_requests(CALLS)
        .execute(answer)
        .for_each(|answer| async { drop(tokio::spawn(lab.answer(answer))) });
    tokio::select! {
        () = answers => {}
        _ = ending.changed() => {}
    }
}
