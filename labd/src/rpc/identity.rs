//! Who is at the other end of a Unix socket: the kernel says which user, and the system who that is. What
//! they may do is [`Lab::who`]'s to say.

use nix::unistd::{Uid, User};
use protocol::Error;
use protocol::user::{BadName, UserName};
use tokio::net::unix::UCred;

use crate::lab::Lab;
use crate::lab::people::Peer;
use crate::lab::people::system::{ask, known, unsaid};

/// Who is at the other end.
///
/// The daemon's own user and root are administrators.
///
/// # Errors
/// [`Error::Bad`] if the system does not say.
pub async fn of_peer(peer: Option<UCred>) -> Result<Peer, Error> {
    let peer = peer.ok_or_else(unsaid)?;
    let via = peer.pid().map_or_else(|| "unix".to_owned(), |pid| format!("unix pid {pid}"));
    of_uid(peer.uid(), via).await
}

/// That user of the system; they came in that way.
///
/// # Errors
/// [`Error::Bad`] if the system does not say who that is.
pub async fn of_uid(uid: u32, via: String) -> Result<Peer, Error> {
    ask(move || {
        let uid = Uid::from_raw(uid);
        let user = User::from_uid(uid).ok().flatten();
        let name = user.as_ref().map_or_else(|| format!("uid{uid}"), |user| user.name.clone());
        let name = name.parse().map_err(|bad: BadName| Error::Bad { why: bad.to_string() })?;
        Ok(known(name, Some(uid), user, via))
    })
    .await
}

/// Somebody of that name, as if they came by themselves.
///
/// # Errors
/// [`Error::NoSuch`] if nobody knows them: not the system, the configuration, or the lab.
pub async fn of_name(name: UserName, lab: &Lab) -> Result<Peer, Error> {
    lab.of_name(name).await
}

/// Somebody who came in with a token or a key, with the role and the groups that the system has for
/// whoever has their name.
///
/// # Errors
/// As [`of_name`].
pub async fn completed(peer: Peer, lab: &Lab) -> Result<Peer, Error> {
    let known = of_name(peer.name.clone(), lab).await?;
    Ok(Peer { name: peer.name, proof: peer.proof, via: peer.via, ..known })
}
