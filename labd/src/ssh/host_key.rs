//! By what clients know the lab again: an ed25519 key, made once.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use russh::keys::PrivateKey;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};

/// Why there is no host key.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The file.
    #[error("the host key {}", .file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// What is in it.
    #[error("{} is no private key without a passphrase in OpenSSH's format: {why}", .file.display())]
    Key {
        /// Which.
        file: PathBuf,
        /// Why not.
        why: String,
    },
    /// Others may read it.
    #[error("others may read the host key {0}; take that away with 'chmod 600 {0}'", .file.display())]
    Open {
        /// Which.
        file: PathBuf,
    },
}

/// The administrator's key.
///
/// # Errors
/// [`Failure`].
pub fn read(file: &Path) -> Result<PrivateKey, Failure> {
    let failed = |source| Failure::File { file: file.to_owned(), source };
    let text = fs::read_to_string(file).map_err(failed)?;
    if fs::metadata(file).map_err(failed)?.mode() & 0o077 != 0 {
        return Err(Failure::Open { file: file.to_owned() });
    }
    let bad = |why: String| Failure::Key { file: file.to_owned(), why };
    let key = PrivateKey::from_openssh(&text).map_err(|error| bad(error.to_string()))?;
    if key.is_encrypted() { Err(bad("it has a passphrase".to_owned())) } else { Ok(key) }
}

/// The lab's own key, in a folder of its own; made if it is not there.
///
/// # Errors
/// [`Failure`].
pub fn own(folder: &Path) -> Result<PrivateKey, Failure> {
    let file = folder.join("host_ed25519");
    if !file.exists() {
        make(folder, &file).map_err(|source| Failure::File { file: file.clone(), source })?;
    }
    read(&file)
}

/// Whole or not at all: half a key would lock everybody out until somebody deletes it.
fn make(folder: &Path, file: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(io::Error::other)?;
    let pair = KeypairData::Ed25519(Ed25519Keypair::from_seed(&seed));
    let key = PrivateKey::new(pair, "labd").map_err(io::Error::other)?;
    let text = key.to_openssh(LineEnding::LF).map_err(io::Error::other)?;
    let unfinished = file.with_extension("unfinished");
    let mut draft =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    draft.set_permissions(Permissions::from_mode(0o600))?;
    draft.write_all(text.as_bytes())?;
    draft.sync_all()?;
    fs::rename(&unfinished, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_and_is_for_nobody_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let ssh = folder.path().join("ssh");
        let made = own(&ssh).expect("a key");
        assert_eq!(made.algorithm(), russh::keys::Algorithm::Ed25519);
        let again = own(&ssh).expect("a key");
        assert_eq!(made.public_key().key_data(), again.public_key().key_data());
        let file = ssh.join("host_ed25519");
        let mode = |path: &Path| fs::metadata(path).expect("it is there").mode() & 0o777;
        assert_eq!((mode(&ssh), mode(&file)), (0o700, 0o600));
        fs::set_permissions(&file, Permissions::from_mode(0o640)).expect("changed");
        let told = own(&ssh).expect_err("others may read it").to_string();
        assert!(told.contains("chmod 600"), "{told}");
    }

    #[test]
    fn what_is_no_key_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("key");
        fs::write(&file, "hello").expect("written");
        fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("changed");
        let told = read(&file).expect_err("no key").to_string();
        assert!(told.contains(&file.display().to_string()), "{told}");
        assert!(matches!(read(&folder.path().join("none")), Err(Failure::File { .. })));
    }
}
