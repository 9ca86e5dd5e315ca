//! As whom an agent is asked: by a community, or as a user of SNMPv3.

use std::io;
use std::net::SocketAddr;

use snmp::v3::{Auth, AuthProtocol, Cipher, Security};
use snmp::{AsyncSession, Version};

use crate::config::reader::Table;
use crate::config::secret::{Secret, SecretFile};
use crate::setting_words;

/// What most agents take for reading, and some for writing, as they come from the box.
const DEFAULT_COMMUNITY: &str = "public";

/// In bytes, as RFC 3414 §11.2 asks. snmp2 panics on an empty password.
const SHORTEST_PASSWORD: usize = 8;

/// The settings that say who asks.
#[derive(Debug, PartialEq)]
pub(super) enum Identity {
    /// `version = 2c; community_file = /etc/labd/poe.community`
    Community(Version, Option<SecretFile>),
    /// `version = 3; user = lab; auth_file = …; privacy_file = …`
    User(User),
}

/// A user of SNMPv3's user-based security (RFC 3414).
#[derive(Debug, PartialEq)]
pub(super) struct User {
    name: String,
    auth: AuthProtocol,
    auth_file: SecretFile,
    /// Without it, all can read what is asked and answered, and none can change it.
    privacy: Option<(Cipher, SecretFile)>,
}

/// An identity with its secrets, as long as one operation lasts.
pub(super) enum Login {
    /// The version, and the community.
    Community(Version, Secret),
    /// What has no secret file.
    DefaultCommunity(Version),
    /// The user's name and passwords.
    User(Box<Security>),
}

setting_words!(Version, "1, 2c or 3", {
    "1" => Version::V1,
    "2c" => Version::V2C,
    "3" => Version::V3,
});

setting_words!(AuthProtocol, "md5, sha1, sha224, sha256, sha384 or sha512", {
    "md5" => AuthProtocol::Md5,
    "sha1" => AuthProtocol::Sha1,
    "sha224" => AuthProtocol::Sha224,
    "sha256" => AuthProtocol::Sha256,
    "sha384" => AuthProtocol::Sha384,
    "sha512" => AuthProtocol::Sha512,
});

setting_words!(Option<Cipher>, "des, aes128, aes192, aes256 or none", {
    "des" => Some(Cipher::Des),
    "aes128" => Some(Cipher::Aes128),
    "aes192" => Some(Cipher::Aes192),
    "aes256" => Some(Cipher::Aes256),
    "none" => None,
});

impl Identity {
    /// Reads the settings of the version that is asked for; those of the others are faults.
    pub(super) fn read(table: &mut Table<'_>) -> Option<Identity> {
        match table.or("version", Version::V2C) {
            Version::V3 => {
                refuse(table, &["community_file"], "version = 1 and 2c");
                User::read(table).map(Identity::User)
            }
            version => {
                let of_users = ["user", "auth", "auth_file", "privacy", "privacy_file"];
                refuse(table, &of_users, "version = 3");
                let file = table.optional("community_file");
                warn(table, "community_file", file.as_ref(), 1);
                Some(Identity::Community(version, file))
            }
        }
    }

    /// The identity with its secrets, read from their files.
    ///
    /// # Errors
    /// Which file cannot be used, and why.
    pub(super) fn login(&self) -> Result<Login, String> {
        match self {
            Identity::Community(version, None) => Ok(Login::DefaultCommunity(*version)),
            Identity::Community(version, Some(file)) => {
                secret("community_file", file, 1).map(|it| Login::Community(*version, it))
            }
            Identity::User(user) => user.security().map(Box::new).map(Login::User),
        }
    }

    /// What gives the right to write, for those who have not got it.
    pub(super) fn how_to_write(&self) -> String {
        match self {
            Identity::Community(_, None) => format!(
                "community '{DEFAULT_COMMUNITY}' may not write; \
                 set community_file to a file with one that may"
            ),
            Identity::Community(_, Some(file)) => format!(
                "the community in {} may not write; set community_file to a file with one that may",
                file.path().display()
            ),
            Identity::User(user) => {
                format!("user '{}' may not write; let the device's views allow it", user.name)
            }
        }
    }
}

impl User {
    fn read(table: &mut Table<'_>) -> Option<User> {
        let name = table.required("user");
        let auth = table.or("auth", AuthProtocol::Sha256);
        let auth_file = table.required("auth_file");
        warn(table, "auth_file", auth_file.as_ref(), SHORTEST_PASSWORD);
        let privacy = User::read_privacy(table, auth);
        Some(User { name: name?, auth, auth_file: auth_file?, privacy: privacy? })
    }

    fn read_privacy(
        table: &mut Table<'_>,
        auth: AuthProtocol,
    ) -> Option<Option<(Cipher, SecretFile)>> {
        let Some(cipher) = table.or("privacy", Some(Cipher::Aes128)) else {
            refuse(table, &["privacy_file"], "a privacy other than none");
            return Some(None);
        };
        let file = table.required("privacy_file");
        warn(table, "privacy_file", file.as_ref(), SHORTEST_PASSWORD);
        // Makers stretch a short key in two different ways, and no device says in which.
        if cipher.priv_key_needs_extension(&auth) {
            table.fault("privacy", "privacy: this cipher needs a longer auth; write auth = sha256");
            return None;
        }
        Some(Some((cipher, file?)))
    }

    fn security(&self) -> Result<Security, String> {
        let auth = secret("auth_file", &self.auth_file, SHORTEST_PASSWORD)?;
        let level = match &self.privacy {
            None => Auth::AuthNoPriv,
            Some((cipher, file)) => Auth::AuthPriv {
                cipher: *cipher,
                privacy_password: secret("privacy_file", file, SHORTEST_PASSWORD)?.expose().into(),
            },
        };
        Ok(Security::new(self.name.as_bytes(), auth.expose().as_bytes())
            .with_auth_protocol(self.auth)
            .with_auth(level))
    }
}

impl Login {
    /// A session with an agent, on a port of its own. What comes from elsewhere is not heard.
    ///
    /// # Errors
    /// If there is no way to the agent.
    pub(super) async fn open(&self, to: SocketAddr, first_id: i32) -> io::Result<AsyncSession> {
        let (version, community) = match self {
            Login::User(security) => {
                return AsyncSession::new_v3(to, first_id, Security::clone(security)).await;
            }
            Login::Community(version, secret) => (version, secret.expose()),
            Login::DefaultCommunity(version) => (version, DEFAULT_COMMUNITY),
        };
        match version {
            Version::V1 => AsyncSession::new_v1(to, community.as_bytes(), first_id).await,
            _ => AsyncSession::new_v2c(to, community.as_bytes(), first_id).await,
        }
    }
}

/// Faults each of `keys` that is there, for it goes with something else.
fn refuse(table: &mut Table<'_>, keys: &[&'static str], with: &str) {
    for key in keys {
        if table.value(key).is_some() {
            table.fault(key, format!("{key} goes with {with}"));
        }
    }
}

/// Warns of a secret that cannot be had now. It is read again each time it is needed.
fn warn(table: &Table<'_>, key: &str, file: Option<&SecretFile>, shortest: usize) {
    if let Some(Err(why)) = file.map(|file| secret(key, file, shortest)) {
        table.warn(key, why);
    }
}

fn secret(key: &str, file: &SecretFile, shortest: usize) -> Result<Secret, String> {
    let path = file.path().display();
    let secret = file.read().map_err(|error| format!("{key} {error}"))?;
    match secret.expose().len() {
        length if length < shortest => {
            Err(format!("{key} {path} holds {length} characters; SNMP asks for {shortest} or more"))
        }
        _ => Ok(secret),
    }
}
