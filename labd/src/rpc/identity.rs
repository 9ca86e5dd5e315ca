//! Who is at the other end of a Unix socket: the kernel says which user, the system who that is,
//! and the configuration what they may do.

use std::ffi::CString;
use std::sync::Arc;

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use protocol::Error;
use protocol::user::{BadName, Role, UserName};
use tokio::net::unix::UCred;

use crate::config::{Config, Principal};
use crate::lab::Lab;
use crate::lab::people::{Peer, Proof};

/// Who is at the other end.
///
/// The daemon's own user and root are administrators. In a lab whose configuration says nothing of
/// access, whoever may open the socket is a user.
///
/// # Errors
/// [`Error::Bad`] if the system does not say.
pub async fn of_peer(peer: Option<UCred>, config: Arc<Config>) -> Result<Peer, Error> {
    let peer = peer.ok_or_else(unsaid)?;
    let via = peer.pid().map_or_else(|| "unix".to_owned(), |pid| format!("unix pid {pid}"));
    ask_system(move || {
        let uid = Uid::from_raw(peer.uid());
        let user = User::from_uid(uid).ok().flatten();
        let name = user.as_ref().map_or_else(|| format!("uid{uid}"), |user| user.name.clone());
        let name = name.parse().map_err(|bad: BadName| Error::Bad { why: bad.to_string() })?;
        Ok(known(name, Some(uid), user, &config, via))
    })
    .await
}

/// Somebody of that name, as if they came by themselves.
///
/// # Errors
/// [`Error::NoSuch`] if nobody knows them: not the system, the configuration, or the lab.
pub async fn of_name(name: UserName, lab: &Lab) -> Result<Peer, Error> {
    let (config, has_account) = (lab.config(), lab.has_account(&name));
    ask_system(move || {
        let user = User::from_name(name.as_str()).ok().flatten();
        let named = |principal: &Principal| *principal == Principal::User(name.to_string());
        let lists = config.access.iter().flat_map(|it| [&it.admin, &it.user, &it.viewer]);
        if !has_account && user.is_none() && !lists.flatten().any(named) {
            let (what, name) = ("user".to_owned(), name.to_string());
            return Err(Error::NoSuch { what, name, near: None });
        }
        let uid = user.as_ref().map(|user| user.uid);
        Ok(known(name, uid, user, &config, "asked for".to_owned()))
    })
    .await
}

/// Somebody who came in with a token or a key, with the role and the groups that the system has for
/// whoever has their name.
///
/// # Errors
/// As [`of_name`].
pub async fn completed(peer: Peer, lab: &Lab) -> Result<Peer, Error> {
    let known = of_name(peer.name.clone(), lab).await?;
    Ok(Peer { role: known.role, groups: known.groups, ..peer })
}

/// The system may have to ask a directory server: no thread that serves others waits for that.
async fn ask_system(
    ask: impl FnOnce() -> Result<Peer, Error> + Send + 'static,
) -> Result<Peer, Error> {
    let asked = tokio::task::spawn_blocking(ask).await;
    asked.unwrap_or_else(|_| Err(unsaid()))
}

fn unsaid() -> Error {
    Error::Bad { why: "the system does not say who you are".to_owned() }
}

fn known(
    name: UserName,
    uid: Option<Uid>,
    user: Option<User>,
    config: &Config,
    via: String,
) -> Peer {
    let is_own = uid.is_some_and(|uid| uid.is_root() || uid == Uid::effective());
    let usual = config.access.is_none() && uid.is_some();
    let role = is_own.then_some(Role::Admin).or(usual.then_some(Role::User));
    let groups = user.map(|user| groups(&user)).unwrap_or_default();
    Peer { name, role, groups, proof: Proof::System, via }
}

fn groups(user: &User) -> Vec<String> {
    let name = CString::new(user.name.as_str()).unwrap_or_default();
    let groups = getgrouplist(&name, user.gid).unwrap_or_default();
    groups.into_iter().filter_map(group_name).collect()
}

fn group_name(gid: Gid) -> Option<String> {
    Group::from_gid(gid).ok().flatten().map(|group| group.name)
}
