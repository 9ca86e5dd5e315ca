//! A board on a pty: what it prints comes out of the other end, which is a serial port.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use anyhow::Result;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::stat::Mode;
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

/// A board and its serial adapter. Dropping it is unplugging it.
pub(crate) struct Board {
    wire: File,
    /// Kept, so that the board may talk while nobody has opened the port.
    port: OwnedFd,
    path: PathBuf,
}

impl Board {
    pub(crate) fn new() -> Result<Board> {
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let master = posix_openpt(flags | OFlag::O_NONBLOCK)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let path = PathBuf::from(ptsname_r(&master)?);
        let port = nix::fcntl::open(&path, flags, Mode::empty())?;
        let mut termios = tcgetattr(&port)?;
        termios.make_raw();
        tcsetattr(&port, OptionalActions::Now, &termios)?;
        Ok(Board { wire: File::from(OwnedFd::from(master)), port, path })
    }

    /// Its option in a configuration.
    pub(crate) fn option(&self) -> String {
        format!("{{ cls = serialconsole, val = {} }}", self.path.display())
    }

    /// Its port's name.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Its port, for who opens it without a lab.
    pub(crate) fn port(&self) -> Result<File> {
        Ok(File::from(self.port.try_clone()?))
    }

    /// Prints what the port takes at once; says how much that was.
    pub(crate) fn print_some(&self, bytes: &[u8]) -> Result<usize> {
        match (&self.wire).write(bytes) {
            Ok(written) => Ok(written),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// Prints all of it, as fast as the port takes it.
    pub(crate) fn print(&self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let written = self.print_some(bytes)?;
            if written == 0 {
                self.wait(PollFlags::POLLOUT)?;
            }
            bytes = &bytes[written..];
        }
        Ok(())
    }

    /// Sends back whatever is typed, until the sender of `stop` has gone.
    pub(crate) fn echo_until(&self, stop: &std::sync::mpsc::Receiver<()>) -> Result<()> {
        let mut typed = [0; 256];
        while stop.try_recv() != Err(std::sync::mpsc::TryRecvError::Disconnected) {
            match (&self.wire).read(&mut typed) {
                Ok(read) => self.print(&typed[..read])?,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    self.wait(PollFlags::POLLIN)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Waits for a byte that is typed.
    pub(crate) fn typed(&self) -> Result<u8> {
        let mut byte = [0];
        loop {
            match (&self.wire).read(&mut byte) {
                Ok(_) => return Ok(byte[0]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    self.wait(PollFlags::POLLIN)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn wait(&self, what: PollFlags) -> Result<()> {
        poll(&mut [PollFd::new(self.wire.as_fd(), what)], PollTimeout::from(100_u8))?;
        Ok(())
    }
}
