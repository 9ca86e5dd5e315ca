//! The labs that somebody has logged in to, and what they come in with.
//!
//! One file a lab, `labs/NAME.json` in the user's configuration folder, readable by nobody else. A
//! change is written beside it and put in its place whole.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::account::Secret;
use crate::address::{Address, project};
use crate::time::Time;

/// A lab that somebody has logged in to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// What it is called here.
    pub name: String,
    /// Where it is, and whose certificates are believed there.
    pub address: Address,
    /// What they come in with.
    pub proof: Proof,
}

/// What somebody comes in with.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Proof {
    /// A certificate of the lab's own authority, which is renewed as it is used.
    Certificate {
        /// PEM.
        certificate: String,
        /// PEM; it has never been anywhere else.
        key: String,
        /// Since when.
        since: Time,
        /// Until when.
        until: Time,
    },
    /// A token.
    Token {
        /// Its text.
        secret: Secret,
    },
}

impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Proof::Certificate { until, .. } => write!(f, "a certificate until {until:?}"),
            Proof::Token { secret } => secret.fmt(f),
        }
    }
}

/// The name of the file that says which lab is meant when nobody says.
const CURRENT: &str = "current";

impl Context {
    /// Every lab, by name.
    ///
    /// # Errors
    /// The system's, with the file.
    pub fn all() -> io::Result<Vec<Context>> {
        let mut all = Vec::new();
        let files = match fs::read_dir(folder()) {
            Ok(files) => files,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(all),
            Err(error) => return Err(error),
        };
        for file in files {
            let path = file?.path();
            if path.extension().is_some_and(|end| end == "json") {
                let text = fs::read_to_string(&path)?;
                let context = serde_json::from_str(&text).map_err(|error| {
                    io::Error::other(format!("{}: {error}; log in again", path.display()))
                })?;
                all.push(context);
            }
        }
        all.sort_by(|one: &Context, other| one.name.cmp(&other.name));
        Ok(all)
    }

    /// The lab of that name.
    pub fn named(name: &str) -> Option<Context> {
        Context::all().ok()?.into_iter().find(|context| context.name == name)
    }

    /// What is known of the lab at that address: who is meant when nobody says, if they are there.
    pub fn at(address: &Address) -> Option<Context> {
        let is_there = |context: &Context| context.address.is_at(address);
        let current = Context::current().filter(is_there);
        current.or_else(|| Context::all().ok()?.into_iter().find(is_there))
    }

    /// The lab that is meant when nobody says.
    pub fn current() -> Option<Context> {
        let name = fs::read_to_string(folder().join(CURRENT)).ok()?;
        Context::named(name.trim())
    }

    /// Means this lab from now on when nobody says.
    ///
    /// # Errors
    /// The system's.
    pub fn make_current(&self) -> io::Result<()> {
        write(CURRENT, &format!("{}\n", self.name))
    }

    /// Writes it down.
    ///
    /// # Errors
    /// The system's.
    pub fn save(&self) -> io::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        write(&format!("{}.json", self.name), &(text + "\n"))
    }

    /// Forgets it.
    ///
    /// # Errors
    /// The system's.
    pub fn forget(&self) -> io::Result<()> {
        if Context::current().is_some_and(|current| current.name == self.name) {
            fs::remove_file(folder().join(CURRENT))?;
        }
        fs::remove_file(folder().join(format!("{}.json", self.name)))
    }
}

fn folder() -> PathBuf {
    let own = project().map(|dirs| dirs.config_dir().join("labs"));
    own.unwrap_or_else(|| PathBuf::from("/nonexistent"))
}

fn write(name: &str, text: &str) -> io::Result<()> {
    let folder = folder();
    DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    let unfinished = folder.join(format!(".{name}.{}", std::process::id()));
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(unfinished, folder.join(name))
}
