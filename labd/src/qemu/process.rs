//! The process that is a virtual machine: started so that it outlives labd, found again by its
//! folder, ended by force only if it is surely ours.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

/// As which file QEMU inherits its monitor's socket: its standard input, which it has no other use
/// for. The socket listens before QEMU runs, so nobody has to guess when QEMU is ready.
pub(super) const QMP_FD: i32 = 0;

/// How long a machine may take to end.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is looked whether it has.
const POLL: Duration = Duration::from_millis(5);

/// A machine's process that was alive when last looked at.
#[derive(Debug)]
pub(super) struct Process {
    pid: Pid,
    pidfile: PathBuf,
}

impl Process {
    /// The process of the machine in `folder`, if it is alive.
    pub(super) fn of(folder: &Path) -> Option<Process> {
        let pidfile = folder.join("pid");
        let pid = fs::read_to_string(&pidfile).ok()?.trim().parse().ok()?;
        let process = Process { pid: Pid::from_raw(pid), pidfile };
        process.is_alive().then_some(process)
    }

    /// Waits for it to end, and ends it by force if it does not.
    ///
    /// # Errors
    /// If it does not end even so.
    pub(super) async fn end(&self) -> io::Result<()> {
        match self.ended().await {
            Ok(()) => Ok(()),
            Err(_) => self.kill().await,
        }
    }

    /// Ends it by force.
    ///
    /// # Errors
    /// If it does not end even so.
    pub(super) async fn kill(&self) -> io::Result<()> {
        if !self.is_alive() {
            return Ok(());
        }
        warn!(pid = self.pid.as_raw(), folder = %self.pidfile.display(), "virtual machine is killed");
        kill(self.pid, Signal::SIGKILL)?;
        self.ended().await
    }

    async fn ended(&self) -> io::Result<()> {
        let end = async {
            while self.is_alive() {
                sleep(POLL).await;
            }
        };
        timeout(PATIENCE, end).await.map_err(|_| io::ErrorKind::TimedOut.into())
    }

    /// The number may have passed to somebody else's process; only ours was given this pidfile. One
    /// that has ended and waits for its parent has no arguments left.
    fn is_alive(&self) -> bool {
        let arguments = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        arguments.split(|byte| *byte == 0).any(|word| word == self.pidfile.as_os_str().as_bytes())
    }
}

/// Starts a machine.
///
/// # Errors
/// If the folder cannot be used or the program cannot be run.
pub(super) fn start(program: &str, arguments: &[String], folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let qmp = folder.join("qmp");
    match fs::remove_file(&qmp) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
        _ => {}
    }
    let monitor = UnixListener::bind(&qmp)?;
    let out = File::create(folder.join("out"))?;
    let child = Command::new(program)
        .args(arguments)
        .stdin(OwnedFd::from(monitor))
        .stdout(out.try_clone()?)
        .stderr(out)
        // Its own group: what ends labd at a terminal does not end its machines.
        .process_group(0)
        .spawn()
        .map_err(|why| io::Error::new(why.kind(), format!("{program}: {why}")))?;
    info!(folder = %folder.display(), pid = child.id(), "virtual machine is started");
    tokio::spawn(reap(child, folder.to_owned()));
    Ok(())
}

/// What QEMU said as it failed to start.
pub(super) fn last_words(folder: &Path) -> io::Error {
    let out = fs::read(folder.join("out")).unwrap_or_default();
    let out = String::from_utf8_lossy(&out);
    let last = out.lines().map(str::trim).rfind(|line| !line.is_empty());
    io::Error::other(last.unwrap_or("it ended as soon as it was started").to_owned())
}

async fn reap(mut child: Child, folder: PathBuf) {
    match child.wait().await {
        Ok(status) => info!(folder = %folder.display(), %status, "virtual machine has ended"),
        Err(why) => warn!(folder = %folder.display(), %why, "virtual machine is lost"),
    }
}
