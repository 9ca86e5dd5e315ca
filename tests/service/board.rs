//! A board and its serial port.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use anyhow::Result;
use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};

/// A board. Nobody here opens its port: it is closed when labd and its manager have
/// closed it.
pub(crate) struct Board {
    pub(crate) mouth: File,
    pub(crate) port: PathBuf,
}

impl Board {
    pub(crate) fn new() -> Result<Board> {
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let master = posix_openpt(flags)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let port = PathBuf::from(ptsname_r(&master)?);
        Ok(Board { mouth: OwnedFd::from(master).into(), port })
    }
}
