//! Secrets: named in the configuration by their files, and never shown.

use std::fmt;
use std::path::{Path, PathBuf};

use super::reader::Setting;
use super::ucl::Value;

/// A file that holds one secret. Read when it is needed, so a new secret needs no restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretFile(PathBuf);

impl SecretFile {
    /// Which file.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What it holds, without the line's end.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn read(&self) -> std::io::Result<Secret> {
        let text = std::fs::read_to_string(&self.0)?;
        Ok(Secret(text.trim_end_matches(['\r', '\n']).to_owned()))
    }
}

impl Setting for SecretFile {
    const WANTED: &'static str = "the path of a file";

    fn read(value: &Value) -> Result<SecretFile, Option<String>> {
        <String as Setting>::read(value).map(|path| SecretFile(path.into()))
    }
}

/// A secret; its `Debug` prints dots.
pub struct Secret(String);

impl Secret {
    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("•••")
    }
}
