//! Who is asking, and what they may do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A person's or a program's name in the lab: 1 to 64 of letters, digits, `.`, `_`, `-` and `@`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct UserName(String);

/// Why a text is no name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is not a name: use 1 to 64 letters, digits, '.', '_' or '-', a letter or digit first", .0.escape_debug())]
pub struct BadName(pub(crate) String);

pub(crate) fn is_name(text: &str, besides: &[char]) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || besides.contains(&c))
}

impl TryFrom<String> for UserName {
    type Error = BadName;

    fn try_from(text: String) -> Result<UserName, BadName> {
        if is_name(&text, &['.', '_', '-', '@', '$']) {
            Ok(UserName(text))
        } else {
            Err(BadName(text))
        }
    }
}

impl FromStr for UserName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<UserName, BadName> {
        UserName::try_from(text.to_owned())
    }
}

impl UserName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What somebody may do; each role may do all that the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// May look at boards, consoles and journals.
    Viewer,
    /// May hold boards, and use the boards they hold.
    User,
    /// May break holds, use any board, and administer the lab.
    Admin,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Role::Viewer => "viewer",
            Role::User => "user",
            Role::Admin => "admin",
        })
    }
}

/// Who is asking, as the door established it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// Their name.
    pub name: UserName,
    /// What they may do now; looked up anew for each connection.
    pub role: Role,
}
