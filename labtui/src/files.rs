//! Where a user's own files are: settings, the commands they typed, the log.
//!
//! Who comes by ssh, and so runs labtui as somebody else, has none.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use protocol::address::{VISITOR, project};

use crate::palette::REMEMBERED;
use crate::settings::{Fault, Settings};

/// Where a user's own files are.
#[derive(Debug, Clone)]
pub struct Files {
    /// What somebody has made of labtui.
    pub settings: PathBuf,
    /// The commands that were typed, one a line.
    pub history: PathBuf,
    /// What labtui did, where it was asked to write that down.
    pub log: PathBuf,
}

impl Files {
    /// By the conventions of the platform: `~/.config/labd/labtui.toml`, and in `~/.local/state/labd`
    /// the others.
    pub fn of_the_user() -> Option<Files> {
        if std::env::var_os(VISITOR).is_some() {
            return None;
        }
        let project = project()?;
        let state = project.state_dir().unwrap_or_else(|| project.data_local_dir());
        Some(Files {
            settings: project.config_dir().join("labtui.toml"),
            history: state.join("labtui.history"),
            log: state.join("labtui.log"),
        })
    }

    /// The settings, as they are if there is no such file.
    ///
    /// # Errors
    /// What is wrong with it; a file that cannot be read is a fault of its first line.
    pub fn settings(&self) -> Result<Settings, Vec<Fault>> {
        match fs::read_to_string(&self.settings) {
            Ok(text) => Settings::read(&text),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(Settings::default()),
            Err(why) => Err(vec![Fault::at("", 0..0, why.to_string())]),
        }
    }

    /// When the settings were saved last.
    pub fn saved(&self) -> Option<SystemTime> {
        fs::metadata(&self.settings).and_then(|file| file.modified()).ok()
    }

    /// The commands that were typed, newest last.
    pub fn history(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.history).unwrap_or_default();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines[lines.len().saturating_sub(REMEMBERED)..].to_vec()
    }

    /// Adds a command to those that were typed. A file that has grown to twice what is remembered is
    /// written anew.
    ///
    /// # Errors
    /// The system's.
    pub fn remember(&self, command: &str) -> io::Result<()> {
        let text = fs::read_to_string(&self.history).unwrap_or_default();
        if text.lines().count() >= 2 * REMEMBERED {
            let kept = self.history().join("\n") + "\n";
            let beside = self.history.with_extension("new");
            own(&beside, |options| options.truncate(true).write(true))?
                .write_all(kept.as_bytes())?;
            fs::rename(&beside, &self.history)?;
        }
        let mut file = own(&self.history, |options| options.append(true))?;
        file.write_all(format!("{command}\n").as_bytes())
    }

    /// The log, to be written on.
    ///
    /// # Errors
    /// The system's.
    pub fn open_log(&self) -> io::Result<File> {
        own(&self.log, |options| options.append(true))
    }
}

/// A file that nobody else reads, in a folder that is there.
fn own(path: &Path, how: impl FnOnce(&mut OpenOptions) -> &mut OpenOptions) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    how(options.create(true).mode(0o600)).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path) -> Files {
        let at = |name: &str| folder.join("state").join(name);
        Files { settings: at("labtui.toml"), history: at("history"), log: at("log") }
    }

    #[test]
    fn commands_are_remembered_and_the_file_stays_small() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        assert_eq!(files.history(), [] as [&str; 0]);
        for number in 0..1_000 {
            files.remember(&format!("console b{number}")).unwrap();
        }
        let history = files.history();
        assert_eq!((history.len(), history.last().unwrap().as_str()), (REMEMBERED, "console b999"));
        let text = fs::read_to_string(&files.history).unwrap();
        assert!(text.lines().count() <= 2 * REMEMBERED);
    }

    #[test]
    fn no_settings_are_the_usual_ones_and_bad_ones_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        assert_eq!((files.settings(), files.saved()), (Ok(Settings::default()), None));
        fs::create_dir_all(files.settings.parent().unwrap()).unwrap();
        fs::write(&files.settings, "mouse = 3").unwrap();
        assert_eq!(files.settings().unwrap_err()[0].line, 1);
        assert!(files.saved().is_some());
    }
}
