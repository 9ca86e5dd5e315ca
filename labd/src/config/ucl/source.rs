//! The files of a configuration: reading them, and the limits that keep a bad one from doing harm.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Bytes of all files together.
const LARGEST: u64 = 8 << 20;
/// Files, each counted as often as it is included.
const MOST_FILES: usize = 1_000;
/// Files that include one another.
const DEEPEST: usize = 16;

/// Why a file is not read.
#[derive(Debug)]
pub(super) enum Unread {
    /// There is none.
    Missing(String),
    /// Any other reason.
    Other(String),
    /// It is not UTF-8 from this line and column on.
    NotText(u32, u32),
}

/// The files that are open, and how much was read in all.
#[derive(Default)]
pub(super) struct Sources {
    open: Vec<PathBuf>,
    files: usize,
    bytes: u64,
}

impl Sources {
    /// Reads a file, which stays open until [`Sources::close`].
    pub(super) fn open(&mut self, path: &Path) -> Result<String, Unread> {
        let name = path.display();
        let other = |why: &str| Err(Unread::Other(format!("{name} {why}")));
        let unreadable = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => Unread::Missing(format!("{name} does not exist")),
            _ => Unread::Other(format!("{name} cannot be read: {error}")),
        };
        let full = fs::canonicalize(path).map_err(unreadable)?;
        if self.open.contains(&full) {
            return other("includes itself");
        }
        if self.open.len() >= DEEPEST {
            return other(&format!("is included {DEEPEST} files deep, and no deeper is allowed"));
        }
        if self.files >= MOST_FILES {
            return other(&format!("is one file too many: {MOST_FILES} are allowed"));
        }
        // A pipe or a terminal would keep us waiting.
        if !fs::metadata(&full).map_err(unreadable)?.is_file() {
            return other("is not a file");
        }
        let bytes = self.read(&full).map_err(unreadable)?;
        if self.bytes > LARGEST {
            return other(&format!("is too large: all files together may have {LARGEST} bytes"));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let (line, column) = end_of(&error.as_bytes()[..error.utf8_error().valid_up_to()]);
            Unread::NotText(line, column)
        })?;
        self.open.push(full);
        Ok(text)
    }

    fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let room = LARGEST.saturating_sub(self.bytes) + 1;
        File::open(path)?.take(room).read_to_end(&mut bytes)?;
        self.files += 1;
        self.bytes += bytes.len() as u64;
        Ok(bytes)
    }

    /// Ends the file that was opened last.
    pub(super) fn close(&mut self) {
        self.open.pop();
    }
}

/// The line and column behind some bytes that are UTF-8.
fn end_of(bytes: &[u8]) -> (u32, u32) {
    let text = String::from_utf8_lossy(bytes);
    let line = text.matches('\n').count() as u32 + 1;
    let last = text.rsplit('\n').next().unwrap_or_default();
    (line, last.chars().count() as u32 + 1)
}

/// The files that a pattern names, by name; `*` and `?` may stand in its last part only.
///
/// # Errors
/// If the folder cannot be read.
pub(super) fn matching(pattern: &Path) -> io::Result<Vec<PathBuf>> {
    let folder = pattern.parent().unwrap_or(Path::new(""));
    let wanted: Vec<char> =
        pattern.file_name().unwrap_or_default().to_string_lossy().chars().collect();
    let readable = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut found = Vec::new();
    for entry in fs::read_dir(readable)? {
        let name = entry?.file_name();
        let chars: Vec<char> = name.to_string_lossy().chars().collect();
        if chars.first() != Some(&'.') && matches(&wanted, &chars) {
            found.push(folder.join(name));
        }
    }
    found.sort();
    Ok(found)
}

/// Whether `name` is as `pattern` wants it.
fn matches(pattern: &[char], name: &[char]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            // What stood here does not fit: the last star takes one character more.
            _ => match star {
                None => return false,
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    n = from + 1;
                }
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_a_shell() {
        let fits = |pattern: &str, name: &str| {
            matches(&pattern.chars().collect::<Vec<_>>(), &name.chars().collect::<Vec<_>>())
        };
        for (pattern, name) in [
            ("*.conf", "a.conf"),
            ("*", ""),
            ("a*b*c", "aXbYbZc"),
            ("?x", "äx"),
            ("rack-?", "rack-1"),
        ] {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("*.conf", "a.conf~"), ("?", ""), ("a*b", "a"), ("", "a")] {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
    }
}
