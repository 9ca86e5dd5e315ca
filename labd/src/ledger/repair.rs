//! Cutting a damaged ledger off at the damage.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::chain::{self, Extent};
use super::segment::{Damage, Error};

/// How far a ledger is whole.
#[derive(Debug)]
pub struct Cut {
    /// Its last whole entry.
    pub last: u64,
    /// What is wrong after that, if anything.
    pub damage: Option<Damage>,
}

/// Reads the whole ledger.
///
/// # Errors
/// The disk's.
pub fn examine(folder: &Path) -> Result<Cut, Error> {
    let Extent { last, damage, .. } = chain::extent(folder)?;
    Ok(Cut { last, damage })
}

/// Cuts the ledger off after its last whole batch; what comes after is kept beside it. Returns the
/// files that are kept.
///
/// # Errors
/// The disk's.
pub fn cut_at(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let Extent { damage, whole, later, .. } = chain::extent(folder)?;
    let mut kept = Vec::new();
    if let Some(damage) = damage {
        if whole == 0 {
            kept.push(move_aside(&damage.file)?);
        } else {
            kept.push(cut_file(&damage.file, whole)?);
        }
    }
    for path in later {
        kept.push(move_aside(&path)?);
    }
    chain::sync_folder(folder)?;
    Ok(kept)
}

/// Cuts a segment off; the whole of it is kept beside it.
fn cut_file(path: &Path, length: u64) -> Result<PathBuf, Error> {
    let kept = beside(path);
    fs::copy(path, &kept)
        .and_then(|_| File::open(&kept)?.sync_all())
        .and_then(|()| File::options().write(true).open(path))
        .and_then(|file| file.set_len(length).and_then(|()| file.sync_all()))
        .map_err(chain::disk(path))?;
    Ok(kept)
}

/// Moves a file out of the way. Returns where it is now.
///
/// # Errors
/// The disk's.
pub fn move_aside(path: &Path) -> Result<PathBuf, Error> {
    let kept = beside(path);
    fs::rename(path, &kept).map_err(chain::disk(path))?;
    Ok(kept)
}

/// A name for what is kept of `path`, that is not taken.
fn beside(path: &Path) -> PathBuf {
    let names = (1..).map(|n| path.with_extension(format!("damaged-{n}")));
    names.into_iter().find(|path| !path.exists()).unwrap_or_default()
}
