//! Whose account somebody is who is vouched for; and whom the lab makes one.

use nix::unistd::User;
use protocol::Error;
use protocol::account::AccountAsk;
use protocol::journal::Event;
use protocol::user::{Role, UserName, Who};

use super::super::Lab;
use super::identities::named;
use crate::config::Principal;
use crate::provider::{Person, Provider};

impl Lab {
    /// The account of somebody who is vouched for, or what theirs would be called; else, what an
    /// administrator can do about it.
    pub(super) async fn welcome(
        &self,
        provider: &Provider,
        person: &Person,
    ) -> Result<UserName, String> {
        let known = {
            let remembered = self.remembered().map_err(|error| error.to_string())?;
            remembered.people.identified(&person.identity).cloned()
        };
        if let Some(name) = known {
            return Ok(name);
        }
        let (called, place) = (person.called.escape_debug(), &provider.name);
        let help = format!(
            "tell its administrator: labctl user identity NAME {}",
            named(provider, &person.identity)
        );
        if person.admitted.is_none() {
            return Err(format!("this lab has no account of '{called}' at {place}; {help}"));
        }
        match person.called.parse::<UserName>() {
            Ok(name) if self.is_free(&name).await => Ok(name),
            _ => Err(format!("'{called}' at {place} cannot be called that here; {help}")),
        }
    }

    /// The account of somebody who is vouched for, which is made if that is enough for one.
    pub(super) async fn admit(
        &self,
        provider: &Provider,
        person: &Person,
        via: &str,
    ) -> Result<UserName, String> {
        let name = self.welcome(provider, person).await?;
        let (Some(role), false) = (person.admitted, self.has_account(&name)) else {
            return Ok(name);
        };
        let identity = person.identity.clone();
        let what = format!("added with role {role} for good, as {identity}");
        let event = Event::Account { name: name.clone(), what };
        let who = Who { via: Some(via.to_owned()), ..Who::new(name.clone(), Role::Viewer) };
        let (add, now) = (AccountAsk::Add { role, span: None }, self.clock.now());
        let made = self.change(&who, event, |people| {
            if let Some(known) = people.identified(&identity) {
                return Err(Error::Bad { why: format!("{identity} is {known} already") });
            }
            let mut changed = people.change(&name, &add, true, now)?;
            changed.extend(people.identify(&name, identity)?);
            Ok(changed)
        });
        made.await.map_err(|error| error.to_string())?;
        Ok(name)
    }

    /// Whether nobody is called that: a name carries what the system and the configuration give to it.
    async fn is_free(&self, name: &UserName) -> bool {
        let config = self.config();
        let lists = config.access.iter().flat_map(|it| [&it.admin, &it.user, &it.viewer]);
        let theirs = Principal::User(name.to_string());
        // Whoever comes over the socket and has no name is called by their number.
        let number = name.as_str().strip_prefix("uid").unwrap_or("-");
        let is_number = number.bytes().all(|digit| digit.is_ascii_digit());
        if self.has_account(name) || is_number || lists.flatten().any(|it| *it == theirs) {
            return false;
        }
        // What an earlier one of that name has left behind is not the next one's.
        let has_left = {
            let (now, remembered) = (self.clock.now(), self.book.lock());
            let mut holds = remembered.book.holds();
            let places = remembered.book.places(now);
            holds.any(|hold| hold.who == *name) || places.iter().any(|place| place.who == *name)
        };
        if has_left {
            return false;
        }
        let name = name.to_string();
        // The system may have to ask a directory server. If it cannot, it does not say that there is none.
        let asked = tokio::task::spawn_blocking(move || User::from_name(&name)).await;
        matches!(asked, Ok(Ok(None)))
    }
}
