//! Who is at the other end of a Unix socket: the kernel says which user, the system who that is,
//! and the configuration what they may do.

use std::ffi::CString;
use std::sync::Arc;

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use protocol::Error;
use protocol::user::{BadName, Role, UserName, Who};
use tokio::net::unix::UCred;

use crate::config::{Access, Config, Principal};
use crate::rules::access::{self, Verb};

/// Who the peer is.
///
/// The daemon's own user and root are administrators. In a lab whose configuration says nothing of
/// access, whoever may open the socket is a user.
///
/// # Errors
/// [`Error::NotAllowed`] for somebody who has no role here.
pub async fn of_peer(peer: UCred, config: Arc<Config>) -> Result<Who, Error> {
    ask_system(move || {
        let uid = Uid::from_raw(peer.uid());
        let user = User::from_uid(uid).ok().flatten();
        let name = user.as_ref().map_or_else(|| format!("uid{uid}"), |user| user.name.clone());
        let bad = |bad: BadName| Error::Bad { why: bad.to_string() };
        let name: UserName = name.parse().map_err(bad)?;
        let known = known(name.clone(), Some(uid), user, config.access.as_ref());
        known.ok_or_else(|| access::refusal(name, Verb::See))
    })
    .await
}

/// Who somebody of that name is here.
///
/// # Errors
/// [`Error::NoSuch`] if neither the system nor the configuration knows them, or they have no role.
pub async fn of_name(name: UserName, config: Arc<Config>) -> Result<Who, Error> {
    ask_system(move || {
        let access = config.access.as_ref();
        let user = User::from_name(name.as_str()).ok().flatten();
        let named = |principal: &Principal| *principal == Principal::User(name.to_string());
        let lists = access.into_iter().flat_map(|it| [&it.admin, &it.user, &it.viewer]);
        let is_known = user.is_some() || lists.flatten().any(named);
        let uid = user.as_ref().map(|user| user.uid);
        let known = || known(name.clone(), uid, user, access);
        is_known.then(known).flatten().ok_or_else(|| Error::NoSuch {
            what: "user".to_owned(),
            name: name.to_string(),
            near: None,
        })
    })
    .await
}

/// The system may have to ask a directory server: no thread that serves others waits for that.
async fn ask_system(
    ask: impl FnOnce() -> Result<Who, Error> + Send + 'static,
) -> Result<Who, Error> {
    let asked = tokio::task::spawn_blocking(ask).await;
    asked.unwrap_or_else(|_| Err(Error::Bad { why: "the system does not say who you are".into() }))
}

fn known(
    name: UserName,
    uid: Option<Uid>,
    user: Option<User>,
    access: Option<&Access>,
) -> Option<Who> {
    if uid.is_some_and(|uid| uid.is_root() || uid == Uid::effective()) {
        return Some(Who { name, role: Role::Admin });
    }
    let groups = user.map(|user| groups(&user)).unwrap_or_default();
    role(&name, &groups, access).map(|role| Who { name, role })
}

fn groups(user: &User) -> Vec<String> {
    let name = CString::new(user.name.as_str()).unwrap_or_default();
    let groups = getgrouplist(&name, user.gid).unwrap_or_default();
    groups.into_iter().filter_map(group_name).collect()
}

fn group_name(gid: Gid) -> Option<String> {
    Group::from_gid(gid).ok().flatten().map(|group| group.name)
}

/// The highest role that the configuration gives to a user or one of their groups.
fn role(name: &UserName, groups: &[String], access: Option<&Access>) -> Option<Role> {
    let Some(access) = access else { return Some(Role::User) };
    let includes = |principal: &Principal| match principal {
        Principal::User(user) => user == name.as_str(),
        Principal::Group(group) => groups.contains(group),
        Principal::Everybody => true,
    };
    let roles =
        [(&access.admin, Role::Admin), (&access.user, Role::User), (&access.viewer, Role::Viewer)];
    roles.into_iter().find(|(principals, _)| principals.iter().any(includes)).map(|(_, role)| role)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role_of(name: &str, groups: &[&str], access: Option<&Access>) -> Option<Role> {
        let groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
        role(&name.parse().expect("a name"), &groups, access)
    }

    #[test]
    fn the_highest_role_counts_and_strangers_have_none() {
        let access = Access {
            admin: vec![Principal::User("root".to_owned()), Principal::Group("ops".to_owned())],
            user: vec![Principal::Group("lab".to_owned())],
            viewer: vec![Principal::User("guest".to_owned())],
        };
        let access = Some(&access);
        assert_eq!(role_of("ada", &["lab", "ops"], access), Some(Role::Admin));
        assert_eq!(role_of("bob", &["lab"], access), Some(Role::User));
        assert_eq!(role_of("guest", &[], access), Some(Role::Viewer));
        assert_eq!(role_of("eve", &["users"], access), None);
    }

    #[test]
    fn a_section_that_names_nobody_is_for_nobody_and_none_is_for_everybody() {
        assert_eq!(role_of("eve", &["users"], Some(&Access::default())), None);
        assert_eq!(role_of("eve", &["users"], None), Some(Role::User));
    }
}
