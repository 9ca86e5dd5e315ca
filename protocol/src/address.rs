//! Where a lab is found.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use directories::ProjectDirs;

/// Where the system's daemon listens.
pub const SYSTEM_SOCKET: &str = "/run/labd/labd.sock";

/// In the environment of what labd runs for somebody who is elsewhere: the files and the programs there
/// are not theirs.
pub const VISITOR: &str = "LAB_VISITOR";

/// Where a lab is found: `unix:/run/labd/labd.sock`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A Unix socket.
    Unix(PathBuf),
}

impl Address {
    /// Where a client looks when it is not told: the user's own daemon, the system's, the user's
    /// demo, whichever there is first.
    pub fn usual() -> Address {
        let Address::Unix(demo) = Address::demo();
        let sockets = [own_socket(), SYSTEM_SOCKET.into(), demo];
        let usual = sockets.into_iter().find(|socket| socket.exists());
        Address::Unix(usual.unwrap_or_else(|| SYSTEM_SOCKET.into()))
    }

    /// Where the user's own demo listens.
    pub fn demo() -> Address {
        Address::Unix(runtime_folder().join("demo.sock"))
    }
}

/// The folders of a user's own daemon, by the conventions of the platform.
pub fn project() -> Option<ProjectDirs> {
    ProjectDirs::from("", "", "labd")
}

/// Where a user's own daemon listens.
pub fn own_socket() -> PathBuf {
    runtime_folder().join("labd.sock")
}

/// `$XDG_RUNTIME_DIR/labd`; where there is none, a folder of the user's own under their data.
fn runtime_folder() -> PathBuf {
    let project = project();
    project
        .as_ref()
        .and_then(|dirs| dirs.runtime_dir().map(Path::to_path_buf))
        .or_else(|| project.as_ref().map(|dirs| dirs.data_local_dir().join("run")))
        .unwrap_or_else(|| PathBuf::from("/tmp/labd"))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Why a text is no address.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not the address of a lab; write unix:PATH")]
pub struct BadAddress(String);

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Address, BadAddress> {
        match text.strip_prefix("unix:") {
            Some(path) if !path.is_empty() => Ok(Address::Unix(path.into())),
            None if text.starts_with('/') => Ok(Address::Unix(text.into())),
            _ => Err(BadAddress(text.to_owned())),
        }
    }
}
