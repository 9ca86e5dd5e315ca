//! Going on with a ledger that is damaged: up to the damage, and no further.
//!
//! Nothing is thrown away: the damaged file and all after it are kept beside the ledger.

use std::path::Path;

use super::{Error, lock, snapshot};
use crate::ledger::repair::{Cut, cut_at, examine, move_aside};
use crate::store::Store;

/// Says what is wrong; with `accept_loss` it also cuts the ledger off there. The store and the
/// snapshots that know of what is lost are set aside then.
///
/// # Errors
/// [`Error`].
pub fn run(folder: &Path, accept_loss: bool) -> Result<Vec<String>, Error> {
    let _lock = lock(folder)?;
    let ledger = folder.join("ledger");
    let Cut { last, damage, .. } = examine(&ledger)?;
    let store = folder.join("store");
    let applied = Store::open(&store).map(|store| store.applied()).unwrap_or(0);
    let applied = applied.max(snapshot::newest(folder)?.map_or(0, |snapshot| snapshot.seq));
    let mut said = vec![format!("the ledger is whole up to entry {last}")];
    said.extend(damage.as_ref().map(ToString::to_string));
    if damage.is_none() && applied <= last {
        said.push("there is nothing to repair".to_owned());
        return Ok(said);
    }
    if applied > last {
        said.push(format!("entries {} to {applied} were there once, and are lost", last + 1));
    }
    if !accept_loss {
        said.push(format!("'labd repair --accept-loss' goes on with entry {last} as the last one"));
        return Ok(said);
    }
    let mut kept = cut_at(&ledger)?;
    for snapshot in snapshot::after(folder, last)? {
        kept.push(move_aside(&snapshot)?);
    }
    let aside = Store::set_aside(&store)?;
    said.extend(kept.iter().map(|path| format!("kept: {}", path.display())));
    said.push(format!("kept: {}", aside.display()));
    said.push(format!("the next start of labd goes on after entry {last}"));
    Ok(said)
}
