//! That the files of the site's certificate were replaced: by what the system says of them, without reading.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::config::Tls;

/// What the system says of a file; nothing, if it is not there.
type Stamp = Option<(u64, u64, u64, i64, i64)>;

/// The site's files as they were when they were read, and when they were looked at last.
#[derive(Debug, Clone, Default)]
pub(super) struct Files {
    read: Vec<Stamp>,
    seen: Vec<Stamp>,
}

impl Files {
    /// As they are now, when they are to be read.
    pub(super) fn of(tls: &Tls) -> Files {
        let read = stamps(tls);
        Files { seen: read.clone(), read }
    }

    /// Whether they are others than were read, and nobody is still at it: the certificate and its key are
    /// replaced one after the other, so they are to be the same at two looks.
    pub(super) fn are_replaced(&mut self, tls: &Tls) -> bool {
        let now = stamps(tls);
        let are_replaced = now == self.seen && now != self.read;
        if are_replaced {
            self.read.clone_from(&now);
        }
        self.seen = now;
        are_replaced
    }
}

fn stamps(tls: &Tls) -> Vec<Stamp> {
    let files = tls.site.iter().flat_map(|site| [&site.certificate, &site.key]);
    files.map(|file| stamp(file)).collect()
}

fn stamp(file: &Path) -> Stamp {
    let file = fs::metadata(file).ok()?;
    Some((file.dev(), file.ino(), file.size(), file.mtime(), file.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Site;

    #[test]
    fn files_are_replaced_when_both_have_been_and_that_is_said_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let (certificate, key) = (folder.path().join("certificate"), folder.path().join("key"));
        let write = |file: &Path, text: &str| {
            let new = file.with_extension("new");
            fs::write(&new, text).and_then(|()| fs::rename(&new, file)).expect("written");
        };
        write(&certificate, "a");
        write(&key, "a");
        let site = Some(Site { certificate: certificate.clone(), key: key.clone() });
        let tls = Tls { listen: Vec::new(), name: "lab".to_owned(), site };
        let mut files = Files::of(&tls);
        assert!(!files.are_replaced(&tls), "they are as they were");
        write(&certificate, "b");
        assert!(!files.are_replaced(&tls), "somebody is at it");
        write(&key, "b");
        assert!(!files.are_replaced(&tls), "and still is");
        assert!(files.are_replaced(&tls), "now both are others");
        assert!(!files.are_replaced(&tls), "and have been read");
    }
}
