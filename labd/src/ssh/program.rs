//! labctl and labtui, run for a visitor who has neither.
//!
//! A program talks to the lab over a socket of its own, at whose other end everybody is the visitor; the
//! socket is in a folder that only labd's user may enter, so nothing that opens the lab is in the program's
//! arguments or environment. It ends with the session, and the session with it.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, Uid};
use protocol::Error;
use protocol::address::{Address, VISITOR};
use russh::{ChannelMsg, Sig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::session::{Haste, STDERR, Session, Size, Terminal, talk};
use super::visitor::Visitor;
use crate::lab::Lab;
use crate::lab::people::Peer;
use crate::rpc::listen;

/// A program that is told to end has so long.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// So much of what it prints is carried at once.
const PIECE: usize = 32 * 1024;

/// Runs a program that stands beside labd. Returns its exit status.
///
/// # Errors
/// [`Error::Bad`] if too many run, [`Error::Device`] if it cannot be run.
pub(super) async fn run(
    session: &mut Session<'_>,
    name: &str,
    words: &[String],
) -> Result<u8, Error> {
    let program = session.visitor.door.programs.join(name);
    let failed = |why: String| Error::Device { device: name.to_owned(), why };
    if !program.is_file() {
        let program = program.display();
        return Err(failed(format!("there is no {program}; the administrator can put it there")));
    }
    let _share = session.visitor.door.shares.program(&session.visitor.peer.name)?;
    let room = Room::open(session.visitor).map_err(|error| failed(format!("{name}: {error}")))?;
    let mut command = Command::new(program);
    command
        .args(words)
        .env_clear()
        .envs(session.wishes.locale.iter().map(|(name, value)| (name, value)))
        .env("LAB", room.address().to_string())
        .env(VISITOR, "1")
        .env("HOME", &room.folder)
        .current_dir(&room.folder)
        .kill_on_drop(true);
    let done = match session.wishes.terminal.take() {
        Some(terminal) => at_terminal(session, command, terminal).await,
        None => between_pipes(session, command).await,
    };
    done.map_err(|error| failed(format!("{name}: {error}")))
}

/// The program has a terminal, whose size is the visitor's.
async fn at_terminal(
    session: &mut Session<'_>,
    mut command: Command,
    terminal: Terminal,
) -> io::Result<u8> {
    let (pty, line) = pty_process::open().map_err(io::Error::other)?;
    pty.resize(size(terminal.size)).map_err(io::Error::other)?;
    command.env("TERM", &terminal.term);
    let child = pty_process::Command::from(command).spawn(line).map_err(io::Error::other)?;
    let group = group(&child);
    let (screen, keys) = pty.into_split();
    let printing = print(screen, session.write.make_writer());
    let talking = talk(session.visitor, &mut session.read, keys, Haste::Loses, |keys, message| {
        match Size::of(&message) {
            // A terminal that is gone needs no size.
            Some(new) => drop(keys.resize(size(new))),
            None => pass_on(group, &message),
        }
    });
    accompany(child, session.visitor, talking, printing).await
}

/// The program has three pipes.
async fn between_pipes(session: &mut Session<'_>, mut command: Command) -> io::Result<u8> {
    command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let group = group(&child);
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
        return Err(io::Error::other("it has no pipes"));
    };
    let out = print(stdout, session.write.make_writer());
    let err = print(stderr, session.write.make_writer_ext(Some(STDERR)));
    let printing = async {
        let ((), ()) = tokio::join!(out, err);
    };
    let talking = talk(session.visitor, &mut session.read, stdin, Haste::Waits, |_, message| {
        pass_on(group, &message)
    });
    accompany(child, session.visitor, talking, printing).await
}

/// Waits until a program has ended and what it printed is carried; or ends it, if nobody is there for it
/// any more.
async fn accompany(
    mut child: Child,
    visitor: &Visitor,
    talking: impl Future<Output = ()>,
    printing: impl Future<Output = ()>,
) -> io::Result<u8> {
    let group = group(&child);
    let mut ended = pin!(async { tokio::join!(child.wait(), printing).0 });
    tokio::select! {
        status = &mut ended => return status.map(code),
        () = talking => {}
        () = visitor.until_over() => {}
    }
    send(group, Signal::SIGHUP);
    match timeout(LAST_WORDS, ended).await {
        Ok(status) => status.map(code),
        // It is killed when it is dropped.
        Err(_) => Ok(u8::MAX),
    }
}

/// Carries what a program prints, to its end.
async fn print(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
    let mut piece = vec![0; PIECE];
    // A terminal whose program has ended fails to be read.
    while let Ok(read @ 1..) = from.read(&mut piece).await {
        if to.write_all(&piece[..read]).await.is_err() {
            return;
        }
    }
}

/// A signal that the client sends is the program's.
fn pass_on(group: Option<Pid>, message: &ChannelMsg) {
    match message {
        ChannelMsg::Signal { signal: Sig::INT } => send(group, Signal::SIGINT),
        ChannelMsg::Signal { signal: Sig::TERM } => send(group, Signal::SIGTERM),
        ChannelMsg::Signal { signal: Sig::HUP } => send(group, Signal::SIGHUP),
        _ => {}
    }
}

fn send(group: Option<Pid>, signal: Signal) {
    if let Some(group) = group {
        // A program that is gone needs no signal.
        let _ = killpg(group, signal);
    }
}

/// Each program leads a group of its own.
fn group(child: &Child) -> Option<Pid> {
    child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw)
}

fn size(size: Size) -> pty_process::Size {
    pty_process::Size::new(size.rows, size.columns)
}

fn code(status: ExitStatus) -> u8 {
    let code = status.code().or(status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

/// Where a program lives: its home, with the lab's socket and the visitor's public key in it. All of it
/// goes when this is dropped.
struct Room {
    folder: PathBuf,
    serving: JoinHandle<()>,
}

impl Room {
    fn open(visitor: &Visitor) -> io::Result<Room> {
        let door = &visitor.door;
        let number = door.rooms.fetch_add(1, Ordering::Relaxed);
        let folder = door.folder.join(number.to_string());
        DirBuilder::new().mode(0o700).create(&folder)?;
        let listener = UnixListener::bind(folder.join("lab"));
        let serving = tokio::spawn(serve(door.lab.clone(), visitor.peer.clone(), listener?));
        let room = Room { folder, serving };
        // 'labctl reserve' hands this to the setup script: the board will know whoever came with it.
        let ssh = room.folder.join(".ssh");
        fs::create_dir(&ssh)?;
        fs::write(ssh.join("id_ed25519.pub"), format!("{}\n", visitor.key.line))?;
        Ok(room)
    }

    fn address(&self) -> Address {
        Address::Unix(self.folder.join("lab"))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.serving.abort();
        // What is left here is cleared away when labd starts again.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Everybody who may open this socket is the visitor.
async fn serve(lab: Arc<Lab>, peer: Peer, listener: UnixListener) {
    while let Ok((stream, _)) = listener.accept().await {
        if stream.peer_cred().is_ok_and(|peer| peer.uid() == Uid::effective().as_raw()) {
            tokio::spawn(listen::converse(lab.clone(), peer.clone(), stream));
        }
    }
}

/// An empty folder for rooms, which nobody else may enter.
///
/// # Errors
/// The system's.
pub(super) fn clear(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}
