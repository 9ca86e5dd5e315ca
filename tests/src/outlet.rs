//! An outlet that is a file: the driver's commands write it and read it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

/// `outlet NAME on|off|status`, beside the files.
pub(crate) const SCRIPT: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 1
[ -e "$1.dead" ] && exec sleep 3600
[ -e "$1.broken" ] && { echo "$1: the relay is stuck" >&2; exit 1; }
case $2 in
    status) cat "$1.power" ;;
    *) echo "$2" >> "$1.orders"; echo "$2" > "$1.power" ;;
esac
"#;

/// One outlet, off at first.
pub struct TestOutlet {
    folder: PathBuf,
    name: String,
}

impl TestOutlet {
    pub(crate) fn new(folder: &Path, name: &str) -> TestOutlet {
        TestOutlet { folder: folder.to_owned(), name: name.to_owned() }
    }

    /// The outlet as an option of a board.
    pub(crate) fn option(&self, controller: &str) -> String {
        let script = self.folder.join("outlet");
        let command = |verb: &str| {
            format!(r#"["/bin/sh", "{}", "{}", "{verb}"]"#, script.display(), self.name)
        };
        format!(
            "{{ cls = command, controller = {controller}, limit = 300ms, on = {}, off = {}, status = {} }}",
            command("on"),
            command("off"),
            command("status")
        )
    }

    /// Whether it is on.
    pub fn is_on(&self) -> bool {
        fs::read_to_string(self.file("power")).is_ok_and(|state| state == "on\n")
    }

    /// What it was told, from the beginning.
    pub fn orders(&self) -> Vec<String> {
        let orders = fs::read_to_string(self.file("orders")).unwrap_or_default();
        orders.lines().map(str::to_owned).collect()
    }

    /// Somebody switches it on by hand.
    ///
    /// # Errors
    /// The disk's.
    pub fn switch_on_by_hand(&self) -> Result<()> {
        Ok(fs::write(self.file("power"), "on\n")?)
    }

    /// Its controller does not answer any more.
    ///
    /// # Errors
    /// The disk's.
    pub fn die(&self) -> Result<()> {
        Ok(fs::write(self.file("dead"), "")?)
    }

    /// It refuses every order.
    ///
    /// # Errors
    /// The disk's.
    pub fn fail(&self) -> Result<()> {
        Ok(fs::write(self.file("broken"), "")?)
    }

    pub(crate) fn file(&self, end: &str) -> PathBuf {
        self.folder.join(format!("{}.{end}", self.name))
    }
}
