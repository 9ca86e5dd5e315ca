//! A terminal with a program of the lab's in it, which answers what it is asked as a real one does.

use std::process::Stdio;

use alacritty_terminal::event::Event;
use anyhow::{Context, Result, ensure};
use lab_tests::hostile::Screen;
use lab_tests::patience::soon;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::pty::{Winsize, openpty};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};

pub(crate) struct Terminal {
    pub(crate) screen: Screen,
    /// What the program has written since it was last looked at.
    pub(crate) written: Vec<u8>,
    /// What the terminal did but show it.
    pub(crate) done: Vec<Event>,
    ear: pipe::Receiver,
    mouth: pipe::Sender,
    child: Child,
}

impl Terminal {
    pub(crate) fn open(mut program: Command) -> Result<Terminal> {
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(Some(&size), None)?;
        for fd in [&pty.master, &pty.slave] {
            fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
        }
        fcntl(&pty.master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let ear = pipe::Receiver::from_owned_fd_unchecked(pty.master.try_clone()?)?;
        let mouth = pipe::Sender::from_owned_fd_unchecked(pty.master)?;
        let end = || pty.slave.try_clone().map(Stdio::from);
        program.env("TERM", "xterm-256color").stdin(end()?).stdout(end()?).stderr(end()?);
        let child = program.spawn()?;
        // The last of its ends is closed with the program.
        drop((program, pty.slave));
        let (screen, written, done) = (Screen::default(), Vec::new(), Vec::new());
        Ok(Terminal { screen, written, done, ear, mouth, child })
    }

    /// Waits until that stands on the screen.
    pub(crate) async fn until(&mut self, text: &str) -> Result<()> {
        while !self.screen.has(text) {
            let read = self.read().await.with_context(|| format!("{text:?} is not shown"))?;
            ensure!(read > 0, "the program ended before {text:?}");
        }
        Ok(())
    }

    /// Shows all that the program writes until it ends.
    pub(crate) async fn read_out(&mut self) -> Result<()> {
        while self.read().await? > 0 {}
        Ok(())
    }

    async fn read(&mut self) -> Result<usize> {
        let mut piece = vec![0; 64 * 1024];
        let read = match soon(self.ear.read(&mut piece)).await? {
            Ok(read) => read,
            // So a terminal says that nobody has it open any more.
            Err(error) if error.raw_os_error() == Some(nix::libc::EIO) => 0,
            Err(error) => return Err(error.into()),
        };
        self.written.extend_from_slice(&piece[..read]);
        self.screen.show(&piece[..read]);
        for event in self.screen.said() {
            if let Event::PtyWrite(answer) = &event {
                self.type_in(answer).await?;
            }
            self.done.push(event);
        }
        Ok(read)
    }

    pub(crate) async fn type_in(&mut self, keys: &str) -> Result<()> {
        Ok(soon(self.mouth.write_all(keys.as_bytes())).await??)
    }

    /// Waits until the program has ended by itself.
    pub(crate) async fn ended(mut self) -> Result<Option<i32>> {
        Ok(soon(self.child.wait()).await??.code())
    }
}
