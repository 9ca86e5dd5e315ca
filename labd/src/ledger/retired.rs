//! Where the chain begins, once its oldest segments were let go.
//!
//! Beside the segments the file `retired` says so, in one line. It is on disk before the first of
//! them is deleted, so that a segment that is missing otherwise is still seen to be.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::chain::{disk, sync_folder};
use super::segment::{Damage, Error, GENESIS, Hash};

/// Where the chain begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Beginning {
    /// The number of the first entry that is kept.
    pub(super) first: u64,
    /// The hash of the entry before it.
    pub(super) before: Hash,
}

impl Beginning {
    /// Reads it.
    ///
    /// # Errors
    /// The disk's; [`Damage`] if the file is not as it was written.
    pub(super) fn read(folder: &Path) -> Result<Beginning, Error> {
        let path = path(folder);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Beginning { first: 1, before: GENESIS });
            }
            Err(error) => return Err(disk(&path)(error)),
        };
        parse(&text).ok_or_else(|| {
            let what = "it does not say with which entry the ledger begins".to_owned();
            Damage { file: path, offset: 0, last: 0, what }.into()
        })
    }

    /// Writes it down. It is on disk when this returns.
    ///
    /// # Errors
    /// The disk's.
    pub(super) fn write(&self, folder: &Path) -> Result<(), Error> {
        let path = path(folder);
        let unfinished = path.with_extension("unfinished");
        File::create(&unfinished)
            .and_then(|mut file| {
                file.write_all(self.line().as_bytes())?;
                file.sync_all()
            })
            .and_then(|()| fs::rename(&unfinished, &path))
            .map_err(disk(&path))?;
        sync_folder(folder)
    }

    fn line(&self) -> String {
        let hash = blake3::Hash::from_bytes(self.before).to_hex();
        format!("the ledger begins with entry {} after {hash}\n", self.first)
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join("retired")
}

fn parse(text: &[u8]) -> Option<Beginning> {
    let text = std::str::from_utf8(text).ok()?;
    let words: Vec<&str> = text.split_whitespace().collect();
    let [.., first, "after", hash] = words.as_slice() else { return None };
    let before = *blake3::Hash::from_hex(hash).ok()?.as_bytes();
    let beginning = Beginning { first: first.parse().ok()?, before };
    (beginning.line() == text).then_some(beginning)
}
