//! Whom the system knows, and in which of its groups they are.

use std::ffi::CString;

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use protocol::Error;
use protocol::user::{Role, UserName};

use super::super::Lab;
use super::{Peer, Proof};
use crate::config::Principal;

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

/// Whether the system answers at all what is asked of a name: a directory server that is away must not make
/// somebody nobody.
pub(super) async fn answers(name: UserName) -> bool {
    let question = move || match User::from_name(name.as_str()) {
        Ok(Some(user)) => group_ids(&user).map(drop).map_err(|_| unsaid()),
        Ok(None) => Ok(()),
        Err(_) => Err(unsaid()),
    };
    ask(question).await.is_ok()
}

pub(crate) fn unsaid() -> Error {
    Error::Bad { why: "the system does not say who you are".to_owned() }
}

/// Somebody as the system knows them. What the configuration says of them is looked up at each request.
pub(crate) fn known(name: UserName, uid: Option<Uid>, user: Option<User>, via: String) -> Peer {
    let is_own = uid.is_some_and(|uid| uid.is_root() || uid == Uid::effective());
    let groups = user.map(|user| groups(&user)).unwrap_or_default();
    Peer {
        role: is_own.then_some(Role::Admin),
        is_of_system: uid.is_some(),
        groups,
        ..Peer::new(name, Proof::System, via)
    }
}

fn groups(user: &User) -> Vec<String> {
    let groups = group_ids(user).unwrap_or_default();
    groups.into_iter().filter_map(group_name).collect()
}

fn group_ids(user: &User) -> nix::Result<Vec<Gid>> {
    let name = CString::new(user.name.as_str()).unwrap_or_default();
    getgrouplist(&name, user.gid)
}

fn group_name(gid: Gid) -> Option<String> {
    Group::from_gid(gid).ok().flatten().map(|group| group.name)
}
