//! What takes root: to be somebody else, to mount a small disk. `tests/run` gives it to whoever runs it,
//! in a user namespace of their own.

use anyhow::{Result, ensure};
use nix::unistd::Uid;

/// Fails unless this is root, and says what to do.
///
/// # Errors
/// That.
pub fn needed(what_for: &str) -> Result<()> {
    ensure!(
        Uid::effective().is_root(),
        "{what_for} takes root: use tests/run, which gives it to anybody and hands on what it is given to \
         'cargo test'"
    );
    Ok(())
}
