//! Virtual machines: boards that really boot.
//!
//! A machine is a QEMU process. It has power while the process lives: switching on starts it,
//! switching off ends it, and a guest that powers itself off ends it too. The process belongs to
//! nobody but its folder, so a restart of labd finds the machine as it left it (under systemd this
//! wants `KillMode=process`). In the folder lie
//!
//! - `qmp`: the socket of QEMU's monitor, through which everything is asked and told;
//! - `console`: the socket of the first serial port. A socket and not a pty, since QEMU looks only
//!   once a second whether a pty has been opened, and nothing typed before that would arrive;
//! - `pid`: the process, to be ended by force if it no longer listens;
//! - `out`: what QEMU last complained of;
//! - `console.lock`: held by who has the console open.
//!
//! QEMU starts with its processors stopped, and they begin once the console is open: not one byte of
//! a boot is lost.

mod monitor;
mod process;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use directories::BaseDirs;
use serde_json::json;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::config::executable;
use crate::config::reader::Table;

pub(crate) use monitor::{LIMIT, Monitor};
use process::Process;

/// The name of the console among QEMU's character devices.
pub(crate) const CONSOLE: &str = "labd";
/// How long a board that comes on waits for the console to be opened, if anybody ever opened it.
const CONSOLE_PATIENCE: Duration = Duration::from_secs(2);
/// How often QEMU is asked whether the console is open yet.
const CONSOLE_POLL: Duration = Duration::from_millis(5);
/// How long a socket's path may be, with its end.
const LONGEST_PATH: usize = 107;

/// `{ cls = qemu; command = [qemu-system-x86_64, -m, 256, …]; folder = /run/lab/vm1 }`, shared by
/// the machine's outlet and console.
///
/// labd puts its own arguments before those of the command: no display, the console as the first
/// serial port, the monitor. Without `folder` it is `labd/qemu/` and a hash of the command in
/// `$XDG_RUNTIME_DIR`, or else in `/run`; two machines with the same command need one each.
#[derive(Debug)]
pub struct Machine {
    command: Vec<String>,
    folder: PathBuf,
    /// Whether anybody ever wanted the console.
    watched: AtomicBool,
    started: Notify,
}

impl Machine {
    /// A machine that is not in any configuration. `command` begins with the program, and must not
    /// be empty; `folder` is made when it is wanted.
    pub fn new(command: Vec<String>, folder: PathBuf) -> Machine {
        Machine { command, folder, watched: AtomicBool::new(false), started: Notify::new() }
    }

    /// Reads the settings.
    pub fn read(table: &mut Table<'_>) -> Option<Machine> {
        let command = table.required::<Vec<String>>("command");
        let folder = table.optional::<String>("folder").map(PathBuf::from);
        let mut command = command?;
        if let Some(fault) = fault_of_command(&command) {
            table.fault("command", fault);
            return None;
        }
        command[0] =
            executable::resolved(std::mem::take(&mut command[0]), table.place_of("command"));
        if let Some(why) = executable::missing(&command[0]) {
            table.warn("command", why);
        }
        let folder = folder.unwrap_or_else(|| default_folder(&command));
        if !folder.is_absolute() {
            table.fault("folder", "the folder's path must begin with /");
            return None;
        }
        if folder.join("console").as_os_str().len() > LONGEST_PATH {
            table.fault("folder", "the folder's path is too long for a socket in it; 99 bytes do");
            return None;
        }
        Some(Machine::new(command, folder))
    }

    /// Starts the machine, or lets one go on that is stopped. Returns when it runs.
    ///
    /// # Errors
    /// What QEMU complained of; `TimedOut` if it does not answer.
    pub(crate) async fn switch_on(&self) -> io::Result<()> {
        let mut monitor = match self.monitor().await? {
            Some(monitor) => monitor,
            None => self.start().await?,
        };
        match monitor.status().await?.as_str() {
            "running" => return Ok(()),
            "shutdown" => {
                drop(monitor);
                self.switch_off().await?;
                monitor = self.start().await?;
            }
            _ => {}
        }
        self.started.notify_one();
        self.await_console(&mut monitor).await?;
        monitor.ask("cont", json!({})).await?;
        Ok(())
    }

    /// Ends the machine, by force if it does not listen. Returns when it has ended.
    ///
    /// # Errors
    /// If it does not listen, and which process it is cannot be told.
    pub(crate) async fn switch_off(&self) -> io::Result<()> {
        let process = self.process();
        match (self.quit().await, process) {
            (Ok(()), Some(process)) => process.end().await,
            (Err(_), Some(process)) => process.kill().await,
            (asked, None) => asked,
        }
    }

    /// Whether the machine has power; `None` while it starts or ends.
    ///
    /// # Errors
    /// `TimedOut` if QEMU does not answer.
    pub(crate) async fn power(&self) -> io::Result<Option<bool>> {
        let Some(mut monitor) = self.monitor().await? else {
            return Ok(if self.process().is_some() { None } else { Some(false) });
        };
        match monitor.status().await {
            Ok(status) => Ok(power_of(&status)),
            Err(why) if is_gone(&why) => Ok(None),
            Err(why) => Err(why),
        }
    }

    /// Presses the reset button.
    ///
    /// # Errors
    /// `NotFound` if the machine is off; `TimedOut` if QEMU does not answer.
    pub(crate) async fn press_reset(&self) -> io::Result<()> {
        let mut monitor = self.monitor().await?.ok_or_else(|| self.is_off())?;
        monitor.ask("system_reset", json!({})).await?;
        Ok(())
    }

    /// Where the console is. From now on, somebody wants it.
    pub(crate) fn console(&self) -> PathBuf {
        self.watched.store(true, Ordering::Relaxed);
        self.folder.join("console")
    }

    /// Who holds this file locked has the console.
    pub(crate) fn console_lock(&self) -> PathBuf {
        self.folder.join("console.lock")
    }

    /// Where the monitor is.
    pub(crate) fn qmp(&self) -> PathBuf {
        self.folder.join("qmp")
    }

    /// Returns when the machine is started next; at once, if it was since the last time.
    pub(crate) async fn started(&self) {
        self.started.notified().await;
    }

    /// That there is nothing to speak to.
    pub(crate) fn is_off(&self) -> io::Error {
        io::Error::new(io::ErrorKind::NotFound, format!("{self} is off"))
    }

    /// `None` if there is no process that listens.
    async fn monitor(&self) -> io::Result<Option<Monitor>> {
        match Monitor::connect(&self.qmp()).await {
            Ok(monitor) => Ok(Some(monitor)),
            Err(why) if is_gone(&why) => Ok(None),
            Err(why) => Err(why),
        }
    }

    async fn start(&self) -> io::Result<Monitor> {
        if let Some(ending) = self.process() {
            ending.end().await?;
        }
        process::start(&self.command[0], &self.arguments(), &self.folder)?;
        Monitor::connect(&self.qmp())
            .await
            .map_err(|why| if is_gone(&why) { process::last_words(&self.folder) } else { why })
    }

    async fn quit(&self) -> io::Result<()> {
        let Some(mut monitor) = self.monitor().await? else { return Ok(()) };
        match monitor.ask("quit", json!({})).await {
            // The end may be quicker than the answer.
            Err(why) if is_gone(&why) => Ok(()),
            answer => answer.map(drop),
        }
    }

    fn process(&self) -> Option<Process> {
        Process::of(&self.folder)
    }

    /// Waits until QEMU says that the console is open. Nobody may ever open it: then not for long,
    /// and not at all if nobody ever did.
    async fn await_console(&self, monitor: &mut Monitor) -> io::Result<()> {
        if !self.watched.load(Ordering::Relaxed) {
            return Ok(());
        }
        let open = async {
            while !monitor.is_connected(CONSOLE).await? {
                sleep(CONSOLE_POLL).await;
            }
            Ok(())
        };
        timeout(CONSOLE_PATIENCE, open).await.unwrap_or(Ok(()))
    }

    /// Ours come first, so that ours is the first serial port and the command has the last word.
    fn arguments(&self) -> Vec<String> {
        let path = |name: &str| self.folder.join(name).display().to_string();
        // In QEMU's lists a comma within a value is doubled.
        let console = path("console").replace(',', ",,");
        let mut arguments = vec![
            "-S".to_owned(),
            "-display".to_owned(),
            "none".to_owned(),
            "-chardev".to_owned(),
            format!("socket,id={CONSOLE},path={console},server=on,wait=off"),
            "-serial".to_owned(),
            format!("chardev:{CONSOLE}"),
            "-monitor".to_owned(),
            "none".to_owned(),
            "-chardev".to_owned(),
            format!("socket,id={CONSOLE}-qmp,fd={},server=on,wait=off", process::QMP_FD),
            "-mon".to_owned(),
            format!("chardev={CONSOLE}-qmp,mode=control"),
            "-pidfile".to_owned(),
            path("pid"),
        ];
        // A lab must be the same everywhere. Some hosts have a /dev/kvm that does not run guests
        // well: whoever wants it says so.
        if !names_accelerator(&self.command) {
            arguments.extend(["-accel".to_owned(), "tcg".to_owned()]);
        }
        arguments.extend_from_slice(&self.command[1..]);
        arguments
    }
}

/// Configured alike.
impl PartialEq for Machine {
    fn eq(&self, other: &Machine) -> bool {
        self.command == other.command && self.folder == other.folder
    }
}

/// `qemu /run/lab/vm1`
impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "qemu {}", self.folder.display())
    }
}

/// A machine that hangs has power; one that was never let go is between the two.
fn power_of(status: &str) -> Option<bool> {
    match status {
        "running" | "paused" | "suspended" | "debug" | "watchdog" | "io-error"
        | "internal-error" | "guest-panicked" => Some(true),
        "shutdown" => Some(false),
        _ => None,
    }
}

fn fault_of_command(command: &[String]) -> Option<&'static str> {
    match command {
        [] => Some("no program; write command = [qemu-system-x86_64, -m, 256]"),
        [one] if one.contains(' ') => {
            Some("one word is one argument; write command = [qemu-system-x86_64, -m, 256]")
        }
        _ if command.iter().any(|word| word.trim_start_matches('-') == "daemonize") => {
            Some("leave -daemonize out; the machine outlives labd without it")
        }
        _ => None,
    }
}

fn names_accelerator(command: &[String]) -> bool {
    command.iter().any(|word| {
        matches!(word.trim_start_matches('-'), "accel" | "enable-kvm") || word.contains("accel=")
    })
}

fn default_folder(command: &[String]) -> PathBuf {
    let base = BaseDirs::new().and_then(|dirs| dirs.runtime_dir().map(Path::to_owned));
    let hash = blake3::hash(command.join("\0").as_bytes()).to_hex();
    base.unwrap_or_else(|| PathBuf::from("/run")).join("labd/qemu").join(&hash[..16])
}

/// Whether a socket's fault means that there is no process behind it any more.
fn is_gone(why: &io::Error) -> bool {
    matches!(
        why.kind(),
        io::ErrorKind::NotFound
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(command: &[&str]) -> String {
        let command = command.iter().map(|word| word.to_string()).collect();
        Machine::new(command, "/run/a,b".into()).arguments().join(" ")
    }

    #[test]
    fn a_machine_is_emulated_unless_told_otherwise() {
        assert!(arguments(&["qemu", "-m", "64"]).ends_with("-accel tcg -m 64"));
        for own in ["-accel", "--accel", "-enable-kvm", "q35,accel=kvm"] {
            assert!(!arguments(&["qemu", own]).contains("tcg"), "{own}");
        }
    }

    #[test]
    fn a_comma_in_the_folder_is_not_the_end_of_its_name() {
        let arguments = arguments(&["qemu"]);
        assert!(arguments.contains("path=/run/a,,b/console,"), "{arguments}");
        assert!(arguments.contains("-pidfile /run/a,b/pid"), "{arguments}");
    }

    #[test]
    fn commands_that_cannot_work_are_told_apart() {
        let fault = |command: &[&str]| {
            fault_of_command(&command.iter().map(|word| word.to_string()).collect::<Vec<_>>())
        };
        assert_eq!(fault(&["qemu-system-x86_64", "-m", "64"]), None);
        assert!(fault(&[]).is_some());
        assert!(fault(&["qemu-system-x86_64 -m 64"]).is_some());
        assert!(fault(&["qemu-system-x86_64", "-daemonize"]).is_some());
    }

    #[test]
    fn machines_with_other_commands_lie_elsewhere() {
        let folder = |word: &str| default_folder(&["qemu".to_owned(), word.to_owned()]);
        assert_eq!(folder("-a"), folder("-a"));
        assert_ne!(folder("-a"), folder("-b"));
        assert!(folder("-a").is_absolute());
    }
}
