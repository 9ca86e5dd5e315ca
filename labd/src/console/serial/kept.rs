//! A port that stays open while labd is restarted: the service manager keeps it, as it is set.
//!
//! With it a pipe is kept. What is read goes from the port into the pipe, and from the pipe into the
//! recording, each by one system call ([`splice`]); a labd that is killed in between leaves it in the
//! pipe, and the next one records it first. So no byte is lost then, and none comes twice.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, SpliceFFlags, splice, tee};
use nix::sys::stat::{fstat, stat};
use nix::sys::termios::tcgetattr;
use nix::unistd::{pipe2, read};

use super::{SerialConsole, disclaim};
use crate::service_manager::{self, WhenHungUp};

/// Nobody waits at a pipe.
const AT_ONCE: SpliceFFlags = SpliceFFlags::SPLICE_F_NONBLOCK;

/// What is kept of a port, besides itself.
pub(super) struct Kept {
    name: String,
    /// What was read and is not recorded yet.
    pipe: Pipe,
    /// The same once more, for whoever reads.
    copy: Pipe,
    /// An earlier labd may have left something in the pipe.
    is_inherited: bool,
}

struct Pipe {
    exit: OwnedFd,
    entry: OwnedFd,
}

/// The names under which a console's port and its pipe are kept. They stand for its settings, too: a port
/// that is configured otherwise is another.
pub(in crate::console) fn names(console: &SerialConsole) -> [String; 2] {
    let name = blake3::hash(console.to_string().as_bytes()).to_hex()[..16].to_owned();
    let pipe = format!("{name}-unrecorded");
    [name, pipe]
}

impl Kept {
    /// Has a port kept that was just opened, if there is anybody to keep it.
    pub(super) fn begin(console: &SerialConsole, port: &OwnedFd) -> io::Result<Option<Kept>> {
        if !service_manager::is_there() {
            return Ok(None);
        }
        let [name, pipe_name] = names(console);
        let (pipe, copy) = (Pipe::new()?, Pipe::new()?);
        service_manager::keep(&pipe_name, &pipe.exit, WhenHungUp::Keep)?;
        service_manager::keep(&name, port, WhenHungUp::Close)?;
        Ok(Some(Kept { name, pipe, copy, is_inherited: false }))
    }

    /// Takes back the port that was kept for a console, if it is still what the console's path leads to.
    pub(super) fn take_back(console: &SerialConsole) -> Option<(OwnedFd, Kept)> {
        let [name, pipe_name] = names(console);
        let port = service_manager::take_back(&name);
        let exit = service_manager::take_back(&pipe_name);
        if port.is_none() && exit.is_none() {
            return None;
        }
        let pipes = exit.and_then(|exit| Some((Pipe::again(exit).ok()?, Pipe::new().ok()?)));
        match (port, pipes) {
            (Some(port), Some((pipe, copy))) if is_at(&port, console.device()) => {
                Some((port, Kept { name, pipe, copy, is_inherited: true }))
            }
            (port, _) => {
                port.iter().for_each(disclaim);
                names(console).iter().for_each(|name| service_manager::let_go(name));
                None
            }
        }
    }

    /// What an earlier labd has read and not recorded, if there is anything left of it.
    pub(super) fn left(&mut self, room: &mut [u8]) -> Option<nix::Result<usize>> {
        if !self.is_inherited {
            return None;
        }
        let left = self.look(room);
        self.is_inherited = left != Err(Errno::EAGAIN);
        self.is_inherited.then_some(left)
    }

    /// Reads from the port. What was read is in the pipe until somebody takes it from there.
    pub(super) fn read(&mut self, port: impl AsFd, room: &mut [u8]) -> nix::Result<usize> {
        match splice(port, None, &self.pipe.entry, None, room.len(), AT_ONCE)? {
            0 => Ok(0),
            _ => self.look(room),
        }
    }

    /// What is in the pipe, and stays there.
    fn look(&self, room: &mut [u8]) -> nix::Result<usize> {
        let length = tee(&self.pipe.exit, &self.copy.entry, room.len(), AT_ONCE)?;
        read(&self.copy.exit, &mut room[..length])
    }

    /// Where what was read is to be taken from.
    pub(super) fn unrecorded(&self) -> &OwnedFd {
        &self.pipe.exit
    }

    /// Has the port kept no longer.
    pub(super) fn let_go(self) {
        service_manager::let_go(&self.name);
        service_manager::let_go(&format!("{}-unrecorded", self.name));
    }
}

impl Pipe {
    fn new() -> io::Result<Pipe> {
        let (exit, entry) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        Ok(Pipe { exit, entry })
    }

    /// The one that has this exit.
    fn again(exit: OwnedFd) -> io::Result<Pipe> {
        let path = format!("/proc/self/fd/{}", exit.as_raw_fd());
        let flags = OFlag::O_NONBLOCK.bits();
        let entry = OpenOptions::new().write(true).custom_flags(flags).open(path)?.into();
        Ok(Pipe { exit, entry })
    }
}

/// Whether a port has not hung up and is what a path leads to: adapters are replugged.
fn is_at(port: &OwnedFd, path: &Path) -> bool {
    let device = |found: nix::Result<nix::sys::stat::FileStat>| found.ok().map(|it| it.st_rdev);
    tcgetattr(port).is_ok() && device(fstat(port)) == device(stat(path))
}
