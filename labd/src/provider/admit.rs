//! Whom a provider's word alone makes an account: members of something that the configuration names.

use protocol::user::Role;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::config::reader::Table;
use crate::setting_words;

/// `admit { role = user; groups = [lab]; domain = example.org }`, or at GitHub `organisation = NAME`: one of
/// them is enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Admit {
    pub(super) role: Role,
    pub(super) organisations: Vec<String>,
    groups: Vec<String>,
    domains: Vec<String>,
}

/// A role that a provider's word gives. More is given by name.
struct Given(Role);

setting_words!(Given, "viewer or user", {
    "viewer" => Given(Role::Viewer),
    "user" => Given(Role::User),
});

/// What a provider says of whoever it vouches for, as far as it matters here. Some say it in shapes of
/// their own: that admits nobody, and keeps nobody out who has an account.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Belongs {
    groups: Json,
    /// The domain that the account itself is of; Google's.
    hd: Json,
    email: Json,
    email_verified: Json,
}

impl Admit {
    /// Reads the section `admit`, whose conditions are `keys`.
    pub(super) fn read(table: &mut Table<'_>, keys: &[&'static str]) -> Option<Admit> {
        let value = table.value("admit")?;
        table
            .within(value, |table| {
                let Given(role) = table.or("role", Given(Role::User));
                let mut of = |key: &'static str| match keys.contains(&key) {
                    true => table.or(key, Vec::new()),
                    false => Vec::new(),
                };
                let (organisations, groups, domains) =
                    (of("organisation"), of("groups"), of("domain"));
                let admit = Admit { role, organisations, groups, domains };
                if [&admit.organisations, &admit.groups, &admit.domains]
                    .iter()
                    .all(|it| it.is_empty())
                {
                    let at = table.place().clone();
                    table.fault_at(&at, format!("admit: say whom, by {}", keys.join(" or ")));
                }
                admit
            })
            .into()
    }

    /// The role of somebody of whom that is said.
    pub(super) fn role(&self, belongs: &Belongs) -> Option<Role> {
        let mail = belongs.email.as_str().filter(|_| belongs.email_verified == Json::Bool(true));
        let mail = mail.and_then(|mail| mail.rsplit_once('@')).map(|(_, domain)| domain);
        let of = |domain: &str| self.domains.iter().any(|it| it.eq_ignore_ascii_case(domain));
        let is_of = belongs.hd.as_str().is_some_and(of) || mail.is_some_and(of);
        let groups = belongs.groups.as_array().into_iter().flatten();
        let is_in = groups.filter_map(Json::as_str).any(|it| self.groups.iter().any(|of| of == it));
        (is_of || is_in).then_some(self.role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Planted, and caught: an address that nobody has verified is enough; a part of a domain is.
    #[test]
    fn whoever_belongs_to_something_that_is_named_is_admitted() {
        let admit = Admit {
            role: Role::User,
            organisations: Vec::new(),
            groups: vec!["lab".to_owned()],
            domains: vec!["example.org".to_owned()],
        };
        let role = |said: &str| admit.role(&serde_json::from_str(said).expect("JSON"));
        for said in [
            r#"{"groups":["other","lab"]}"#,
            r#"{"hd":"Example.org"}"#,
            r#"{"email":"ada@example.org","email_verified":true}"#,
        ] {
            assert_eq!(role(said), Some(Role::User), "{said}");
        }
        for said in [
            "{}",
            r#"{"groups":["laboratory"]}"#,
            r#"{"hd":"other.example.org"}"#,
            r#"{"email":"ada@example.org"}"#,
            r#"{"email":"ada@example.org","email_verified":false}"#,
            r#"{"email":"ada@example.org","email_verified":"true"}"#,
            r#"{"groups":{"lab":{}},"hd":["example.org"]}"#,
            r#"{"email":"ada@notexample.org","email_verified":true}"#,
            r#"{"email":"example.org","email_verified":true}"#,
        ] {
            assert_eq!(role(said), None, "{said}");
        }
    }
}
