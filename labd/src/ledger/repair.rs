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
        let aside = damage.file.with_extension("damaged");
        fs::copy(&damage.file, &aside).map_err(chain::disk(&damage.file))?;
        let file =
            File::options().write(true).open(&damage.file).map_err(chain::disk(&damage.file))?;
        file.set_len(whole).and_then(|()| file.sync_all()).map_err(chain::disk(&damage.file))?;
        kept.push(aside);
    }
    for path in later {
        let aside = path.with_extension("damaged");
        fs::rename(&path, &aside).map_err(chain::disk(&path))?;
        kept.push(aside);
    }
    Ok(kept)
}
