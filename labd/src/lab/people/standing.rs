//! Who somebody is at this moment, by what they came in with and what is known of them.

use protocol::user::{Role, Scope, UserName, Verb, Who};
use protocol::{Error, Time};

use super::{Peer, Proof};
use crate::config::{Access, Config, Principal};
use crate::rules::access;
use crate::rules::people::People;

/// Who somebody is, by what is known of people. In a lab whose configuration says nothing of access,
/// whomever the system knows is a user.
///
/// # Errors
/// As [`crate::lab::Lab::who`].
pub(super) fn established(
    people: &People,
    config: &Config,
    peer: &Peer,
    now: Time,
) -> Result<Who, Error> {
    let (scope, until) = proven(people, peer, now)?;
    let account = people.account(&peer.name);
    let in_lab = account.into_iter().flat_map(|account| &account.groups);
    let groups: Vec<String> = peer.groups.iter().chain(in_lab).cloned().collect();
    let configured = role(&peer.name, &groups, config.access.as_ref());
    let given = account.and_then(|account| account.role(now));
    let usual = (config.access.is_none() && peer.is_of_system).then_some(Role::User);
    let role = peer.role.max(usual).max(configured).max(given);
    let role = role.ok_or_else(|| access::refusal(peer.name.clone(), Verb::See))?;
    let (name, via) = (peer.name.clone(), Some(peer.via.clone()));
    Ok(Who { name, role, groups, scope, until, via })
}

/// What somebody's proof opens, and until when.
fn proven(people: &People, peer: &Peer, now: Time) -> Result<(Scope, Option<Time>), Error> {
    let why = match &peer.proof {
        Proof::System => return Ok((Scope::default(), None)),
        Proof::Key(key) => match people.key(key) {
            Some(key) if key.who == peer.name => return Ok((Scope::default(), None)),
            _ => "this key was removed".to_owned(),
        },
        Proof::Entered(hash) => match people.login(hash) {
            Some(login) if login.who == peer.name => return Ok((Scope::default(), None)),
            _ => "this login was revoked; log in again".to_owned(),
        },
        Proof::Login(hash) => match people.login(hash) {
            // It is renewed as it is used: no end for what is made by whoever came with it.
            Some(login) if login.who == peer.name && login.until > now => {
                return Ok((Scope::default(), None));
            }
            Some(_) => "this login is over; log in again".to_owned(),
            None => "this login was revoked; log in again".to_owned(),
        },
        Proof::Token(hash) => match people.token(hash) {
            Some(token) if token.exchanged.is_some() => {
                "this was good once, and became a login; ask for another".to_owned()
            }
            Some(token) if token.until > now => {
                return Ok((token.scope.clone(), Some(token.until)));
            }
            Some(_) => "this token is over".to_owned(),
            None => "this token was revoked".to_owned(),
        },
    };
    Err(Error::NotKnown { why })
}

/// The highest role that the configuration gives to a user or one of their groups.
fn role(name: &UserName, groups: &[String], access: Option<&Access>) -> Option<Role> {
    let access = access?;
    let includes = |principal: &Principal| match principal {
        Principal::User(user) => user == name.as_str(),
        Principal::Group(group) => groups.contains(group),
        Principal::Everybody => true,
    };
    let roles =
        [(&access.admin, Role::Admin), (&access.user, Role::User), (&access.viewer, Role::Viewer)];
    roles.into_iter().find(|(principals, _)| principals.iter().any(includes)).map(|(_, role)| role)
}
