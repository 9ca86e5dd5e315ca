//! A service manager: to labd what systemd is, as far as sd_notify(3) and sd_listen_fds(3) go.

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{io, net, thread};

use anyhow::{Context, Result};
use command_fds::{CommandFdExt, FdMapping};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::isatty;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

/// The first file that is handed over.
const FIRST: i32 = 3;
/// `LISTEN_PID` is the number of the very process that reads it.
const STARTER: &str = "LISTEN_PID=$$ exec \"$@\"";

/// A service manager with one service. It outlives the service, and keeps what it is given.
pub struct ServiceManager {
    socket: UnixDatagram,
    path: PathBuf,
    unit: Arc<Mutex<Unit>>,
}

/// What the service has said, and what is kept for it.
#[derive(Default)]
struct Unit {
    said: Vec<String>,
    files: Vec<Kept>,
}

struct Kept {
    name: String,
    file: OwnedFd,
    closes_when_hung_up: bool,
}

impl ServiceManager {
    /// One that listens in that folder.
    ///
    /// # Errors
    /// The system's.
    pub fn new(folder: &Path) -> Result<ServiceManager> {
        let path = folder.join("notify");
        let socket = UnixDatagram::bind(&path)?;
        let unit = Arc::new(Mutex::new(Unit::default()));
        let (ear, hears) = (socket.try_clone()?, unit.clone());
        thread::spawn(move || while hear(&ear, &hears).is_ok_and(|is_open| is_open) {});
        Ok(ServiceManager { socket, path, unit })
    }

    /// Starts a program, and hands over these files, by name, and all that is kept.
    ///
    /// # Errors
    /// The system's.
    pub fn start(
        &self,
        program: &Path,
        arguments: &[&Path],
        opened: &[(&str, OwnedFd)],
    ) -> Result<Child> {
        let mut files = Vec::new();
        for (name, file) in opened {
            files.push(((*name).to_owned(), file.try_clone()?));
        }
        {
            let mut unit = self.unit();
            unit.said.clear();
            unit.files.retain(|kept| !(kept.closes_when_hung_up && has_hung_up(&kept.file)));
            for kept in &unit.files {
                files.push((kept.name.clone(), kept.file.try_clone()?));
            }
        }
        let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
        let mut command = Command::new("sh");
        command
            .args(["-c", STARTER, "sh"])
            .arg(program)
            .args(arguments)
            .env("NOTIFY_SOCKET", &self.path)
            .env("WATCHDOG_USEC", "30000000")
            .env("LISTEN_FDS", files.len().to_string())
            .env("LISTEN_FDNAMES", names.join(":"))
            .env("LABD_LOG", "info")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let place = |(child_fd, (_, parent_fd))| FdMapping { parent_fd, child_fd };
        command.fd_mappings((FIRST..).zip(files).map(place).collect())?;
        Ok(command.spawn()?)
    }

    /// Everything that was said since the service was started last.
    pub fn said(&self) -> Vec<String> {
        self.unit().said.clone()
    }

    /// Whether a line was said since the service was started last.
    pub fn has_said(&self, line: &str) -> bool {
        self.unit().said.iter().any(|message| message.lines().any(|said| said == line))
    }

    /// The names of what is kept.
    pub fn keeps(&self) -> Vec<String> {
        self.unit().files.iter().map(|kept| kept.name.clone()).collect()
    }

    /// Another descriptor of the terminal that is kept.
    ///
    /// # Errors
    /// If there is none.
    pub fn kept_terminal(&self) -> Result<OwnedFd> {
        self.find(|kept| isatty(&kept.file).is_ok_and(|is| is))
    }

    /// Another descriptor of what is kept under a name that ends so.
    ///
    /// # Errors
    /// If there is none.
    pub fn kept(&self, end: &str) -> Result<OwnedFd> {
        self.find(|kept| kept.name.ends_with(end))
    }

    fn find(&self, is_it: impl Fn(&Kept) -> bool) -> Result<OwnedFd> {
        let unit = self.unit();
        let kept = unit.files.iter().find(|kept| is_it(kept)).context("no such file is kept")?;
        Ok(kept.file.try_clone()?)
    }

    fn unit(&self) -> MutexGuard<'_, Unit> {
        self.unit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ServiceManager {
    fn drop(&mut self) {
        // This ends the thread that listens.
        let _ = self.socket.shutdown(net::Shutdown::Both);
    }
}

fn has_hung_up(file: &OwnedFd) -> bool {
    let mut files = [PollFd::new(file.as_fd(), PollFlags::empty())];
    let asked = poll(&mut files, PollTimeout::ZERO);
    asked.is_ok() && files[0].revents().is_some_and(|is| is.contains(PollFlags::POLLHUP))
}

/// Hears one message. Says whether there may be more.
fn hear(socket: &UnixDatagram, unit: &Mutex<Unit>) -> io::Result<bool> {
    let (mut text, mut space) =
        ([0; 4096], [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))]);
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let read =
        recvmsg(socket, &mut [IoSliceMut::new(&mut text)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    if read.bytes == 0 {
        return Ok(false);
    }
    let text = String::from_utf8_lossy(&text[..read.bytes]).into_owned();
    let files = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(files) => Some(files),
        _ => None,
    });
    let mut unit = unit.lock().unwrap_or_else(PoisonError::into_inner);
    let name =
        text.lines().find_map(|line| line.strip_prefix("FDNAME=")).unwrap_or("stored").to_owned();
    let closes_when_hung_up = !text.lines().any(|line| line == "FDPOLL=0");
    if text.lines().any(|line| line == "FDSTORE=1") {
        let kept =
            files.flatten().map(|file| Kept { name: name.clone(), file, closes_when_hung_up });
        unit.files.extend(kept);
    }
    if text.lines().any(|line| line == "FDSTOREREMOVE=1") {
        unit.files.retain(|kept| kept.name != name);
    }
    unit.said.push(text);
    Ok(true)
}
