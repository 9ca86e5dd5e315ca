//! Stories of crashes: whatever ends labd, and whatever becomes of its files, nothing that was
//! acknowledged is lost without a word.
//!
//! - `kill`: the daemon is killed, again and again, while it is in use
//! - `cut`: the power fails: the disk keeps what was synced, and of the rest what it likes
//! - `corrupt`: the files of a stopped lab are damaged
//! - `full`: the disk is full for a while
//! - `clock`: the clock is set while labd is stopped
//!
//! Each check has a control that it must catch: a labd that does not wait for the disk, a disk whose
//! syncs do nothing. What cannot be run here fails, and says what it takes.

mod clock;
mod corrupt;
mod cut;
mod full;
mod kill;
mod model;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

/// A program of this workspace, beside this test.
fn program(name: &str) -> Result<PathBuf> {
    let here = std::env::current_exe()?;
    let folder = here.parent().and_then(|deps| deps.parent()).context("no folder of programs")?;
    let program = folder.join(name);
    ensure!(program.exists(), "{} is not built; run: cargo build --workspace", program.display());
    Ok(program)
}

/// What a test tells of itself. It is shown with `--nocapture`, and whenever the test fails.
#[expect(clippy::print_stdout, reason = "the figures are what these tests are for")]
fn tell(line: &str) {
    println!("{line}");
}

/// The value below which `percent` of `values` lie.
fn percentile(values: &mut [u64], percent: usize) -> u64 {
    values.sort_unstable();
    values
        .get((values.len() * percent / 100).min(values.len().saturating_sub(1)))
        .copied()
        .unwrap_or(0)
}

/// Gives this thread, and all that it starts, mounts of their own, which are gone when it ends.
fn alone_with_mounts() -> Result<()> {
    use nix::mount::{MsFlags, mount};
    use nix::sched::{CloneFlags, unshare};
    let nothing: Option<&str> = None;
    unshare(CloneFlags::CLONE_NEWNS)?;
    Ok(mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)?)
}
