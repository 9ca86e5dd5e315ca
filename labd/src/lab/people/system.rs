//! Whom the system knows, and in which of its groups they are.

use std::ffi::CString;
use std::time::Duration;

use nix::unistd::{Group, Uid, User, getgrouplist};
use protocol::Error;
use protocol::user::{Role, UserName};
use tokio::sync::Mutex;
use tokio::time::sleep;

use super::super::Lab;
use super::{Peer, Proof};
use crate::config::Principal;

/// What the system says of somebody is good for so long.
pub(crate) const LOOK: Duration = Duration::from_secs(5);
/// Whoever asks whether somebody is in other groups by now.
static ASKING: Mutex<()> = Mutex::const_new(());

impl Lab {
    /// Somebody of that name, as if they came by themselves.
    ///
    /// # Errors
    /// [`Error::NoSuch`] if nobody knows them: not the system, the configuration, or the lab.
    pub async fn of_name(&self, name: UserName) -> Result<Peer, Error> {
        let (config, has_account) = (self.config(), self.has_account(&name));
        ask(move || {
            let user = User::from_name(name.as_str()).ok().flatten();
            let named = |principal: &Principal| *principal == Principal::User(name.to_string());
            let lists = config.access.iter().flat_map(|it| [&it.admin, &it.user, &it.viewer]);
            if !has_account && user.is_none() && !lists.flatten().any(named) {
                let (what, name) = ("user".to_owned(), name.to_string());
                return Err(Error::NoSuch { what, name, near: None });
            }
            let uid = user.as_ref().map(|user| user.uid);
            Ok(known(name, uid, user, "asked for".to_owned()))
        })
        .await
    }
}

/// The system may have to ask a directory server: no thread that serves others waits for that.
pub(crate) async fn ask<T: Send + 'static>(
    question: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let asked = tokio::task::spawn_blocking(question).await;
    asked.unwrap_or_else(|_| Err(unsaid()))
}

/// Returns when the system has somebody in other groups than when they came.
pub(super) async fn until_in_other_groups(peer: &Peer) {
    loop {
        sleep(LOOK).await;
        if is_in_other_groups(peer).await {
            return;
        }
    }
}

/// Whether the system has somebody whom it knew in other groups than when they came.
pub(crate) async fn is_in_other_groups(peer: &Peer) -> bool {
    if !peer.is_of_system {
        return false;
    }
    // However many are here, and however slow a directory server: it is asked of one after the other.
    let _turn = ASKING.lock().await;
    groups_of(peer.name.clone()).await.is_ok_and(|groups| groups != peer.groups)
}

/// The groups in which the system has somebody of that name; none if there is nobody.
async fn groups_of(name: UserName) -> Result<Vec<String>, Error> {
    ask(move || {
        let user = User::from_name(name.as_str()).map_err(|_| unsaid())?;
        user.map_or(Ok(Vec::new()), |user| groups(&user)).map_err(|_| unsaid())
    })
    .await
}

/// Whether the system answers at all what is asked of a name: a directory server that is away must not make
/// somebody nobody.
pub(super) async fn answers(name: UserName) -> bool {
    groups_of(name).await.is_ok()
}

pub(crate) fn unsaid() -> Error {
    Error::Bad { why: "the system does not say who you are".to_owned() }
}

/// Somebody as the system knows them. What the configuration says of them is looked up at each request.
pub(crate) fn known(name: UserName, uid: Option<Uid>, user: Option<User>, via: String) -> Peer {
    let is_own = uid.is_some_and(|uid| uid.is_root() || uid == Uid::effective());
    let groups = user.and_then(|user| groups(&user).ok()).unwrap_or_default();
    Peer {
        role: is_own.then_some(Role::Admin),
        is_of_system: uid.is_some(),
        groups,
        ..Peer::new(name, Proof::System, via)
    }
}

fn groups(user: &User) -> nix::Result<Vec<String>> {
    let name = CString::new(user.name.as_str()).unwrap_or_default();
    let groups = getgrouplist(&name, user.gid)?.into_iter().map(Group::from_gid);
    groups.filter_map(|group| Some(group.transpose()?.map(|group| group.name))).collect()
}
