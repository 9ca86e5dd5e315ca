//! Secrets: the configuration names the files they are in, and nothing shows them.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::reader::Setting;
use super::ucl::Value;

/// No secret is longer, in bytes.
const LONGEST: u64 = 4_096;

/// A file whose first line is a secret. It is read when it is needed, so a new secret needs no
/// restart. A relative path begins at the folder of the configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretFile(PathBuf);

/// A secret. Its `Debug` prints dots.
#[derive(Clone)]
pub struct Secret(String);

impl SecretFile {
    /// The file at a path.
    pub fn at(path: PathBuf) -> SecretFile {
        SecretFile(path)
    }

    /// Which file.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The file's first line, without the blanks around it.
    ///
    /// # Errors
    /// If the file cannot be read, is empty, or may be read by everybody; the message names it.
    pub fn read(&self) -> io::Result<Secret> {
        let path = self.0.display();
        let named = |error: io::Error| {
            let why = match error.kind() {
                io::ErrorKind::NotFound => format!(
                    "there is no such file; write the secret into its first line and run: chmod 640 {path}"
                ),
                _ => error.to_string(),
            };
            io::Error::new(error.kind(), format!("{path}: {why}"))
        };
        self.first_line().map_err(named)
    }

    fn first_line(&self) -> io::Result<Secret> {
        let about = fs::metadata(&self.0)?;
        if !about.is_file() {
            return Err(io::Error::other("it is not a file"));
        }
        if about.permissions().mode() & 0o007 != 0 {
            let path = self.0.display();
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("everybody on this machine may use this secret; run: chmod 640 {path}"),
            ));
        }
        let mut line = String::new();
        BufReader::new(File::open(&self.0)?.take(LONGEST)).read_line(&mut line)?;
        match line.trim() {
            "" => Err(io::Error::new(io::ErrorKind::InvalidData, "the first line is empty")),
            secret => Ok(Secret(secret.to_owned())),
        }
    }
}

impl Setting for SecretFile {
    const WANTED: &'static str = "the path of a file";

    fn read(value: &Value) -> Result<SecretFile, Option<String>> {
        let path = String::read(value)?;
        let folder = value.at.file.parent().unwrap_or(Path::new(""));
        Ok(SecretFile(folder.join(path)))
    }
}

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

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::*;

    fn secret_file(content: &str, mode: u32) -> (tempfile::TempDir, SecretFile) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("community");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        (folder, SecretFile(path))
    }

    #[test]
    fn a_secret_is_the_first_line_and_is_not_shown() {
        let (_folder, file) = secret_file(" s3cret \nrest\n", 0o640);
        let secret = file.read().unwrap();
        assert_eq!(secret.expose(), "s3cret");
        assert_eq!(format!("{secret:?}"), "•••");
    }

    #[test]
    fn a_file_that_everybody_may_read_holds_no_secret() {
        let (_folder, file) = secret_file("s3cret", 0o644);
        let error = file.read().unwrap_err().to_string();
        assert!(error.ends_with(&format!("run: chmod 640 {}", file.path().display())), "{error}");
        assert!(!error.contains("s3cret"));
    }

    #[test]
    fn an_empty_or_missing_file_is_named() {
        let (folder, file) = secret_file("\nlater", 0o600);
        assert!(file.read().unwrap_err().to_string().contains("/community: "));
        fs::remove_file(folder.path().join("community")).unwrap();
        assert!(file.read().unwrap_err().to_string().contains("/community: "));
    }
}
