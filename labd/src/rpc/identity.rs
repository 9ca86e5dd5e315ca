//! Who is at the other end of a Unix socket: the kernel says which user, the system who that is,
//! and the configuration what they may do.

use std::ffi::CString;

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use protocol::user::{Role, UserName, Who};
use tokio::net::unix::UCred;

use crate::config::{Access, Principal};

/// Who the peer is; none if they have no role here.
///
/// The daemon's own user and root are administrators. In a lab whose configuration says nothing of
/// access, whoever may open the socket is a user.
pub fn of_peer(peer: &UCred, access: Option<&Access>) -> Option<Who> {
    let uid = Uid::from_raw(peer.uid());
    known(name_of(peer)?, Some(uid), User::from_uid(uid).ok().flatten(), access)
}

/// What the system calls the peer; by their number, if it has no name for them.
pub fn name_of(peer: &UCred) -> Option<UserName> {
    let uid = Uid::from_raw(peer.uid());
    let user = User::from_uid(uid).ok().flatten();
    user.map_or_else(|| format!("uid{uid}"), |user| user.name).parse().ok()
}

/// Who somebody of that name is here; none if neither the system nor the configuration knows them, or
/// they have no role.
pub fn of_name(name: &UserName, access: Option<&Access>) -> Option<Who> {
    let user = User::from_name(name.as_str()).ok().flatten();
    let named = |principal: &Principal| *principal == Principal::User(name.to_string());
    let lists = access.into_iter().flat_map(|it| [&it.admin, &it.user, &it.viewer]);
    let is_configured = lists.flatten().any(named);
    if user.is_none() && !is_configured {
        return None;
    }
    known(name.clone(), user.as_ref().map(|user| user.uid), user, access)
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
