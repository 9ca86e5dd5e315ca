//! The real programs, as cargo built them beside the tests.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

/// Where `labd`, `labctl` or `labtui` is.
///
/// # Errors
/// If it is not built.
pub fn path(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let built =
        own.parent().and_then(|deps| deps.parent()).context("tests lie in target/…/deps")?;
    let path = built.join(name);
    ensure!(path.exists(), "{} is not built: run tests/run, or cargo build", path.display());
    Ok(path)
}
