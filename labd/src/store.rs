//! The only file that says sled: the present state, by key.
//!
//! It is never the only copy. Every change comes from the ledger, in order, and is remembered with
//! its number in the same write; so after a crash the ledger's tail is applied again, and a store
//! that does not open, or disagrees, is set aside and built anew.
//!
//! Records are JSON of a few hundred bytes: sled 0.34 leaks disk with values above 4 KiB. What is
//! larger is a file.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::ledger::Write;

/// sled lets go of a closed store within this time.
const LET_GO: Duration = Duration::from_secs(5);

/// Under this key stands the number of the last entry applied. It sorts before all records.
const APPLIED: &[u8] = b"\0applied";

/// The present state.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    db: sled::Db,
}

/// Why the store cannot be used. It can always be built anew from the ledger.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// sled says so.
    #[error("the store in {folder} does not open: {why}", folder = .folder.display())]
    Unusable {
        /// Where it is.
        folder: PathBuf,
        /// In sled's words, or those of its panic.
        why: String,
    },
    /// It failed while the lab ran.
    #[error("it has failed, and is not in use any more")]
    GivenUp,
    /// The disk's.
    #[error("{file}: {source}", file = .file.display())]
    Disk {
        /// Which file or folder.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl Store {
    /// Opens the store in `folder`, which is made if it is not there.
    ///
    /// # Errors
    /// [`Error::Unusable`]: the caller sets it aside with [`Store::set_aside`] and opens a new one.
    pub fn open(folder: &Path) -> Result<Store, Error> {
        let unusable = |why| Error::Unusable { folder: folder.to_owned(), why };
        remove_unfinished_snapshots(folder)?;
        let open = || {
            let config =
                sled::Config::new().path(folder).cache_capacity(16 << 20).flush_every_ms(Some(500));
            let db = open_when_let_go(&config)?;
            // Reading everything once finds damage now and not in the middle of somebody's work.
            db.iter().try_for_each(|record| record.map(drop))?;
            Ok::<_, sled::Error>((!db.is_empty() && !db.contains_key(APPLIED)?, db))
        };
        match catch_unwind(open) {
            Ok(Ok((true, _))) => {
                Err(unusable("it does not say which entry was its last".to_owned()))
            }
            Ok(Ok((false, db))) => Ok(Store { folder: folder.to_owned(), db }),
            Ok(Err(error)) => Err(unusable(error.to_string())),
            Err(panic) => Err(unusable(words(panic.as_ref()))),
        }
    }

    /// Moves a store that cannot be used out of the way; it is kept for whoever wants to look.
    /// Returns where it is now.
    ///
    /// # Errors
    /// The disk's.
    pub fn set_aside(folder: &Path) -> Result<PathBuf, Error> {
        let aside = (1..)
            .map(|n| folder.with_extension(format!("aside-{n}")))
            .find(|aside| !aside.exists())
            .unwrap_or_default();
        fs::rename(folder, &aside)
            .map_err(|source| Error::Disk { file: folder.to_owned(), source })?;
        Ok(aside)
    }

    /// The number of the last entry applied; 0 if there is none.
    pub fn applied(&self) -> u64 {
        let stored = self.db.get(APPLIED).ok().flatten();
        stored.and_then(|bytes| bytes.as_ref().try_into().ok()).map_or(0, u64::from_be_bytes)
    }

    /// Applies what entry `seq` writes, as one.
    ///
    /// # Errors
    /// [`Error::Unusable`].
    pub fn apply<'a>(
        &self,
        seq: u64,
        writes: impl IntoIterator<Item = &'a Write>,
    ) -> Result<(), Error> {
        let mut batch = sled::Batch::default();
        for write in writes {
            match write {
                Write::Put(key, value) => batch.insert(key.as_bytes(), value.get().as_bytes()),
                Write::Delete(key) => batch.remove(key.as_bytes()),
            }
        }
        batch.insert(APPLIED, &seq.to_be_bytes());
        self.guarded(|db| db.apply_batch(batch))
    }

    /// Every record whose key begins with `prefix`, in the order of the keys, as it is stored.
    ///
    /// # Errors
    /// [`Error::Unusable`].
    pub fn scan(&self, prefix: &str) -> Result<Vec<(String, String)>, Error> {
        self.read(self.db.scan_prefix(prefix))
    }

    /// Every record as it is stored, in the order of the keys.
    ///
    /// # Errors
    /// [`Error::Unusable`].
    pub fn dump(&self) -> Result<Vec<(String, String)>, Error> {
        self.read(self.db.iter())
    }

    fn read(&self, records: sled::Iter) -> Result<Vec<(String, String)>, Error> {
        let text = |bytes: sled::IVec| String::from_utf8_lossy(&bytes).into_owned();
        self.guarded(|_| {
            records
                .filter(|record| !matches!(record, Ok((key, _)) if key == APPLIED))
                .map(|record| record.map(|(key, value)| (text(key), text(value))))
                .collect()
        })
    }

    /// Waits until all that was applied is in the store's files.
    ///
    /// # Errors
    /// [`Error::Unusable`].
    pub fn flush(&self) -> Result<(), Error> {
        self.guarded(|db| db.flush().map(drop))
    }

    /// sled asserts within: a panic of its own is an error of the store's.
    fn guarded<T>(&self, deed: impl FnOnce(&sled::Db) -> sled::Result<T>) -> Result<T, Error> {
        match catch_unwind(AssertUnwindSafe(|| deed(&self.db))) {
            Ok(done) => done.map_err(|error| self.unusable(error.to_string())),
            Err(panic) => Err(self.unusable(words(panic.as_ref()))),
        }
    }

    fn unusable(&self, why: String) -> Error {
        Error::Unusable { folder: self.folder.clone(), why }
    }
}

/// A store that was just closed in this process is let go of a moment later, by a thread of sled's. No
/// other process has it: the memory around it is locked.
fn open_when_let_go(config: &sled::Config) -> sled::Result<sled::Db> {
    let began = Instant::now();
    loop {
        match config.open() {
            Err(sled::Error::Io(error))
                if error.to_string().contains("lock") && began.elapsed() < LET_GO =>
            {
                std::thread::sleep(Duration::from_millis(5));
            }
            opened => return opened,
        }
    }
}

/// A crash while sled opens can leave an empty `snap.….generating`, after which it never opens again.
fn remove_unfinished_snapshots(folder: &Path) -> Result<(), Error> {
    let Ok(files) = fs::read_dir(folder) else { return Ok(()) };
    for file in files.flatten().map(|file| file.path()) {
        if file.extension().is_some_and(|end| end == "generating") {
            fs::remove_file(&file).map_err(|source| Error::Disk { file, source })?;
        }
    }
    Ok(())
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "it panicked".to_owned())
}

#[cfg(test)]
mod tests;
