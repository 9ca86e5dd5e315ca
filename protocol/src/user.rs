//! Who is asking, and what they may do.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::board::BoardName;
use crate::time::Time;

/// A person's or a program's name in the lab: 1 to 64 of letters, digits, `.`, `_`, `-` and `@`.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
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

/// Whether a text can be the name of a group: as a user's.
pub fn is_group(text: &str) -> bool {
    UserName::try_from(text.to_owned()).is_ok()
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
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// May look at boards, consoles and journals.
    Viewer,
    /// May hold boards, and use the boards they hold: a program's role.
    Machine,
    /// May also hand boards over, and make tokens and keys of their own.
    User,
    /// May also break holds, and see the boards of every group.
    Moderator,
    /// May use any board, and administer the lab.
    Admin,
}

impl Role {
    /// Every role, the least first.
    pub const ALL: [Role; 5] =
        [Role::Viewer, Role::Machine, Role::User, Role::Moderator, Role::Admin];
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Role::Viewer => "viewer",
            Role::Machine => "machine",
            Role::User => "user",
            Role::Moderator => "moderator",
            Role::Admin => "admin",
        })
    }
}

/// Why a text is no role.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is not a role: viewer, machine, user, moderator or admin", .0.escape_debug())]
pub struct BadRole(String);

impl FromStr for Role {
    type Err = BadRole;

    fn from_str(text: &str) -> Result<Role, BadRole> {
        let is_it = |role: &Role| role.to_string() == text;
        Role::ALL.into_iter().find(is_it).ok_or_else(|| BadRole(text.to_owned()))
    }
}

/// What can be asked of the lab, as far as it matters for who may.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, Hash,
)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// Look at boards, consoles, journals.
    See,
    /// Hold a board, wait for one, write something down about it.
    Hold,
    /// Type on a board's console.
    Type,
    /// Switch a board.
    Power,
    /// Reach a board's own network services through the lab.
    Tunnel,
    /// Write to a board's disks.
    Flash,
    /// Hand a board over; have tokens and keys of one's own.
    Share,
    /// End somebody else's hold, take somebody else's pen.
    Moderate,
    /// Look after the lab: reload, repair, users and what they may.
    Administer,
}

impl Verb {
    /// Every verb.
    pub const ALL: [Verb; 9] = [
        Verb::See,
        Verb::Hold,
        Verb::Type,
        Verb::Power,
        Verb::Tunnel,
        Verb::Flash,
        Verb::Share,
        Verb::Moderate,
        Verb::Administer,
    ];
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verb::See => "see",
            Verb::Hold => "hold",
            Verb::Type => "type",
            Verb::Power => "power",
            Verb::Tunnel => "tunnel",
            Verb::Flash => "flash",
            Verb::Share => "share",
            Verb::Moderate => "moderate",
            Verb::Administer => "administer",
        })
    }
}

/// Why a text is no verb.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{}' is not a verb: see, hold, type, power, tunnel, flash, share, moderate or administer", .0.escape_debug()
)]
pub struct BadVerb(String);

impl FromStr for Verb {
    type Err = BadVerb;

    fn from_str(text: &str) -> Result<Verb, BadVerb> {
        let is_it = |verb: &Verb| verb.to_string() == text;
        Verb::ALL.into_iter().find(is_it).ok_or_else(|| BadVerb(text.to_owned()))
    }
}

/// What a token opens of all that its owner may. A list without entries sets no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Scope {
    /// These boards,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub boards: Vec<BoardName>,
    /// and those of these classes;
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// for this.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verbs: Vec<Verb>,
}

impl Scope {
    /// Whether it sets no limit.
    pub fn is_open(&self) -> bool {
        *self == Scope::default()
    }

    /// Whether every board is within it.
    pub fn has_all_boards(&self) -> bool {
        self.boards.is_empty() && self.classes.is_empty()
    }

    /// Whether a board is within it.
    pub fn has_board(&self, board: &BoardName, class: &str) -> bool {
        self.has_all_boards()
            || self.boards.contains(board)
            || self.classes.iter().any(|name| name == class)
    }

    /// Whether it is for `verb`. Whoever may do anything may look at it.
    pub fn has_verb(&self, verb: Verb) -> bool {
        verb == Verb::See || self.verbs.is_empty() || self.verbs.contains(&verb)
    }
}

/// Who is asking, as the door established it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Who {
    /// Their name.
    pub name: UserName,
    /// What they may do now; looked up anew for each request.
    pub role: Role,
    /// Their groups in the lab and in the system.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// What the token opens with which they came.
    #[serde(default, skip_serializing_if = "Scope::is_open")]
    pub scope: Scope,
    /// Until when what they came with is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// Where they came from and with what: `unix`, `tls 192.0.2.7 token t4k9`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
}

impl Who {
    /// Somebody of whom no more is known.
    pub fn new(name: UserName, role: Role) -> Who {
        Who { name, role, groups: Vec::new(), scope: Scope::default(), until: None, via: None }
    }
}
