//! Accounts: whom the lab knows by itself, and what they come in with.
//!
//! A user of the daemon's own system needs none: `access` in labd.conf says what they may. An
//! account is for whoever comes from elsewhere, or is to have another role for a while; where both
//! know a name, the higher role counts.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::board::BoardName;
use crate::provider::Identity;
use crate::time::{Span, Time};
use crate::user::{Role, Scope, UserName, Verb};

/// Somebody whom the lab knows by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Account {
    /// Their name.
    pub name: UserName,
    /// Their roles; the highest that lasts counts.
    #[serde(default)]
    pub roles: Vec<Grant>,
    /// Their groups.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Who else vouches for them, and as whom.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<Identity>,
    /// Since when.
    pub since: Time,
}

/// A role, for a while or for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Grant {
    /// Which.
    pub role: Role,
    /// Until when; none for good.
    #[serde(default)]
    pub until: Option<Time>,
}

impl Account {
    /// The highest role that lasts.
    pub fn role(&self, now: Time) -> Option<Role> {
        let lasts = |grant: &&Grant| grant.until.is_none_or(|until| until > now);
        self.roles.iter().filter(lasts).map(|grant| grant.role).max()
    }
}

/// A change to an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum AccountAsk {
    /// There is to be one.
    Add {
        /// With this role,
        role: Role,
        /// for so long; none for good.
        #[serde(default)]
        span: Option<Span>,
    },
    /// They have this role as well,
    Grant {
        /// which,
        role: Role,
        /// for so long; none for good.
        #[serde(default)]
        span: Option<Span>,
    },
    /// They no longer have this role.
    Withdraw {
        /// Which.
        role: Role,
    },
    /// They are in this group.
    Join {
        /// Which.
        group: String,
    },
    /// They are no longer in this group.
    Leave {
        /// Which.
        group: String,
    },
    /// They are who this is, too: `PROVIDER:SUBJECT`, or as an [`Identity`] is written.
    Identify {
        /// Who.
        identity: String,
    },
    /// They are no longer who this is; what came of it is over.
    Disown {
        /// Who.
        identity: String,
    },
    /// There is to be none, and nothing that it came in with.
    Remove,
}

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Token {
    /// Names it, in lists and in the audit; it opens nothing.
    pub id: String,
    /// Whose.
    pub who: UserName,
    /// What for.
    #[serde(default)]
    pub note: Option<String>,
    /// What it opens.
    #[serde(default)]
    pub scope: Scope,
    /// Since when.
    pub since: Time,
    /// Until when.
    pub until: Time,
    /// Good for one connection only.
    #[serde(default)]
    pub once: bool,
    /// May be exchanged for a certificate: whoever has it becomes its owner.
    #[serde(default)]
    pub joins: bool,
    /// When it was last used, to ten minutes.
    #[serde(default)]
    pub used: Option<Time>,
    /// Who vouched for its owner, if that is how it came about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// The hash of the public key for which it was exchanged for a certificate. From then on it opens
    /// nothing, but that again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchanged: Option<String>,
}

/// A wish for a token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenAsk {
    /// Whose it is to be, if not the caller's.
    #[serde(default)]
    pub who: Option<UserName>,
    /// What for.
    #[serde(default)]
    pub note: Option<String>,
    /// What it opens.
    #[serde(default)]
    pub scope: Scope,
    /// For how long; 8 h if not said, 90 days at most.
    #[serde(default)]
    pub span: Option<Span>,
    /// Good for one connection only.
    #[serde(default)]
    pub once: bool,
    /// May be exchanged for a certificate: then it is good once, for ten minutes, and an
    /// administrator's to make.
    #[serde(default)]
    pub joins: bool,
}

/// A token, with the secret that is told once and kept nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NewToken {
    /// The token.
    pub token: Token,
    /// What opens the lab.
    pub secret: Secret,
}

/// The text of a token: `lab_`, 43 letters and digits that carry 256 random bits, and six that
/// check them, so that what searches for leaked secrets knows one when it sees it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Secret(String);

/// Why a text is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("that is not a token of a lab: 'lab_' and 49 letters and digits, copied whole")]
pub struct BadSecret;

const MARK: &str = "lab_";
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 62 to the 43rd is more than 2 to the 256th.
const BODY: usize = 43;
const CHECK: usize = 6;

impl Secret {
    /// The token of 256 random bits.
    pub fn new(bits: [u8; 32]) -> Secret {
        let body = digits(&bits, BODY);
        let check = check(&body);
        Secret(format!("{MARK}{body}{check}"))
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A number in base 62, its highest digit first.
fn digits(bytes: &[u8], count: usize) -> String {
    let mut number = bytes.to_vec();
    let mut digits = vec![0; count];
    for digit in digits.iter_mut().rev() {
        let mut rest = 0_u32;
        for byte in &mut number {
            let value = rest << 8 | u32::from(*byte);
            *byte = (value / 62) as u8;
            rest = value % 62;
        }
        *digit = DIGITS[rest as usize];
    }
    digits.into_iter().map(char::from).collect()
}

/// Six digits of the CRC-32 (ISO-HDLC) of a token's body.
fn check(body: &str) -> String {
    let crc = body.bytes().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    });
    digits(&(!crc).to_be_bytes(), CHECK)
}

impl TryFrom<String> for Secret {
    type Error = BadSecret;

    fn try_from(text: String) -> Result<Secret, BadSecret> {
        let whole = text.strip_prefix(MARK).ok_or(BadSecret)?;
        if whole.len() != BODY + CHECK || !whole.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(BadSecret);
        }
        let (body, last) = whole.split_at(BODY);
        if check(body) == last { Ok(Secret(text)) } else { Err(BadSecret) }
    }
}

impl FromStr for Secret {
    type Err = BadSecret;

    fn from_str(text: &str) -> Result<Secret, BadSecret> {
        Secret::try_from(text.to_owned())
    }
}

impl From<Secret> for String {
    fn from(secret: Secret) -> String {
        secret.0
    }
}

/// Never the secret itself: it would end up in a log.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{MARK}…")
    }
}

/// An ssh public key with which somebody comes in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Key {
    /// `SHA256:…`, as ssh-keygen -l prints it.
    pub fingerprint: String,
    /// Whose.
    pub who: UserName,
    /// As in authorized_keys: kind, base64, comment.
    pub line: String,
    /// Since when.
    pub since: Time,
}

/// How long a certificate lasts; a client renews its own when a third of that is left.
pub const CERTIFICATE: Span = Span::hours(24);

/// A certificate with which somebody comes in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Login {
    /// Names it, in lists and in the audit; it opens nothing.
    pub id: String,
    /// Whose.
    pub who: UserName,
    /// Where they were when it was made.
    pub from: String,
    /// Who vouched for them, if that is how it came about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// The first of those that it renews, by its id; revoking one of them revokes all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// Since when.
    pub since: Time,
    /// Until when.
    pub until: Time,
}

impl Login {
    /// The first of those that it renews; itself, if it renews none.
    pub fn first(&self) -> &str {
        self.first.as_deref().unwrap_or(&self.id)
    }
}

/// A certificate that was just made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Enrolled {
    /// Whose.
    pub who: UserName,
    /// PEM.
    pub certificate: String,
    /// Since when.
    pub since: Time,
    /// Until when.
    pub until: Time,
}

/// Whether somebody may do something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MayAsk {
    /// What.
    pub verb: Verb,
    /// With which board; none for the lab as such.
    #[serde(default)]
    pub board: Option<BoardName>,
    /// Who, if not the caller.
    #[serde(default)]
    pub who: Option<UserName>,
}

/// The answer, with its reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct May {
    /// Whether they may.
    pub allowed: bool,
    /// What was looked at, a sentence each, the deciding one last.
    pub because: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_its_check_and_by_nothing_less() {
        for bits in [[0; 32], [255; 32], std::array::from_fn(|at| at as u8 * 7)] {
            let secret = Secret::new(bits);
            let text = secret.as_str().to_owned();
            assert_eq!(text.len(), 53, "{text}");
            assert_eq!(text.parse(), Ok(secret.clone()));
            for at in 0..text.len() {
                let mut wrong = text.clone().into_bytes();
                wrong[at] = if wrong[at] == b'x' { b'y' } else { b'x' };
                let wrong = String::from_utf8(wrong).expect("ASCII");
                assert_eq!(wrong.parse::<Secret>(), Err(BadSecret), "{wrong}");
                assert_eq!(text[..at].parse::<Secret>(), Err(BadSecret));
            }
            assert!(!format!("{secret:?}").contains(&text[4..12]));
        }
        assert_eq!(digits(&[255; 32], BODY).len(), BODY);
        assert_ne!(Secret::new([1; 32]), Secret::new([2; 32]));
        // The check value of the standard.
        assert_eq!(check("123456789"), digits(&0xCBF4_3926_u32.to_be_bytes(), CHECK));
    }
}
