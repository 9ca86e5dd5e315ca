//! A board on a pty: what it prints comes out of the other end, which is a serial port.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::stat::Mode;
use rustix::termios::{ControlModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;

use super::soon;

/// A board and its serial adapter. Dropping it is unplugging it.
pub(crate) struct Board {
    mouth: pipe::Sender,
    ear: pipe::Receiver,
    /// Kept, so that the board may talk while nobody has opened the port.
    port: OwnedFd,
    path: PathBuf,
}

impl Board {
    pub(crate) fn new() -> Board {
        // Closed on exec from the start: a server that another test starts must not keep it.
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let master = posix_openpt(flags | OFlag::O_NONBLOCK).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = PathBuf::from(ptsname_r(&master).unwrap());
        let port = nix::fcntl::open(&path, flags, Mode::empty()).unwrap();
        let mouth = OwnedFd::from(master);
        let ear = mouth.try_clone().unwrap();
        let board = Board {
            mouth: pipe::Sender::from_owned_fd_unchecked(mouth).unwrap(),
            ear: pipe::Receiver::from_owned_fd_unchecked(ear).unwrap(),
            port,
            path,
        };
        board.change(Termios::make_raw);
        board
    }

    /// The port's path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) async fn print(&mut self, bytes: &[u8]) {
        soon(self.mouth.write_all(bytes)).await.unwrap();
    }

    /// Takes as many typed bytes as there should be.
    pub(crate) async fn take(&mut self, bytes: usize) -> Vec<u8> {
        let mut taken = vec![0; bytes];
        soon(self.ear.read_exact(&mut taken)).await.unwrap();
        taken
    }

    /// Both directions, for who prints while somebody types.
    pub(crate) fn both(&mut self) -> (&mut pipe::Sender, &mut pipe::Receiver) {
        (&mut self.mouth, &mut self.ear)
    }

    /// How the port is set.
    pub(crate) fn settings(&self) -> Termios {
        tcgetattr(&self.port).unwrap()
    }

    /// The port's speed in baud.
    pub(crate) fn speed(&self) -> u32 {
        self.settings().output_speed()
    }

    /// Has the port lower its modem lines when it is closed, as ports do at first.
    pub(crate) fn hang_up_on_close(&self) {
        self.change(|termios| termios.control_modes |= ControlModes::HUPCL);
    }

    fn change(&self, change: impl FnOnce(&mut Termios)) {
        let mut termios = self.settings();
        change(&mut termios);
        tcsetattr(&self.port, OptionalActions::Now, &termios).unwrap();
    }
}
