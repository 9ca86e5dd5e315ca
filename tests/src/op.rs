//! What a program does to files, in order: `crash-writer trace` records it, the test `crash` plays
//! the disk.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Something that was done. Paths are within the traced folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Op {
    /// A folder was made.
    Folder(PathBuf),
    /// A file was made, or emptied.
    Create(PathBuf),
    /// Bytes were written at an offset.
    Write(PathBuf, u64, Vec<u8>),
    /// A file was cut or extended to a length.
    Truncate(PathBuf, u64),
    /// A file's, or a folder's, `fsync` or `fdatasync` has returned.
    Sync(PathBuf),
    /// A file has another name.
    Rename(PathBuf, PathBuf),
    /// A file's name is gone.
    Remove(PathBuf),
    /// Somebody was told that this is on disk.
    Ack(String),
}
