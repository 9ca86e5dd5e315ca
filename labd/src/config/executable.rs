//! Programs: what a configuration has labd run, and whether this machine has it.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::ucl::Place;

/// Where a program without a path is looked for if the environment does not say.
const USUAL: &str = "/usr/bin:/bin";

/// A program as it is started: a name is looked for in PATH when it is, a relative path begins at the
/// folder of the configuration file that has it.
pub fn resolved(program: String, at: &Place) -> String {
    if !program.contains('/') {
        return program;
    }
    let folder = at.file.parent().unwrap_or(Path::new(""));
    folder.join(program).components().collect::<PathBuf>().display().to_string()
}

/// Why a program cannot be run on this machine, and what to do; none if it can.
pub fn missing(program: &str) -> Option<String> {
    if program.contains('/') {
        return unfit(Path::new(program));
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| USUAL.into());
    let found = std::env::split_paths(&path).any(|folder| unfit(&folder.join(program)).is_none());
    let name = program.escape_debug();
    (!found).then(|| format!("no program '{name}' is in PATH; install it, or write its whole path"))
}

fn unfit(program: &Path) -> Option<String> {
    let name = program.display();
    match fs::metadata(program) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Some(format!("{name} does not exist; install it there, or write where it is"))
        }
        Err(error) => Some(format!("{name} cannot be looked at: {error}")),
        Ok(about) if !about.is_file() => Some(format!("{name} is not a file")),
        Ok(about) if about.permissions().mode() & 0o111 == 0 => {
            Some(format!("{name} cannot be run; run: chmod 755 {name}"))
        }
        Ok(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_relative_program_begins_at_the_configurations_folder_and_a_name_in_path() {
        let at = |file: &str| Place { file: Arc::new(file.into()), line: 1, column: 1 };
        for (file, written, run) in [
            ("/etc/labd/labd.conf", "pdu", "pdu"),
            ("/etc/labd/labd.conf", "./pdu", "/etc/labd/pdu"),
            ("/etc/labd/labd.conf", "bin/pdu", "/etc/labd/bin/pdu"),
            ("/etc/labd/labd.conf", "/bin/pdu", "/bin/pdu"),
            ("labd.conf", "./pdu", "./pdu"),
        ] {
            assert_eq!(resolved(written.to_owned(), &at(file)), run);
        }
    }
}
