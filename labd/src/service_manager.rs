//! The service manager that started labd, if one did: systemd, by sd_notify(3) and sd_listen_fds(3).
//!
//! It is told how labd is, it hands over the listeners that it has opened, and it keeps files open while
//! labd is away. Without one, all of this does nothing.

use std::env;
use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;
use std::time::Duration;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::sleep;

/// Where it listens.
const SOCKET: &str = "NOTIFY_SOCKET";
/// The watchdog is fed no more often than this; a quarter of what the unit asks for, or less.
const FEED: Duration = Duration::from_secs(1);
/// What [`keep`] keeps has names that begin so.
const KEPT: &str = "console-";

/// What it has handed over and nobody has taken yet.
static HANDED_OVER: Mutex<Vec<(String, OwnedFd)>> = Mutex::new(Vec::new());

/// Takes what the manager hands over. Once, before anything else opens a file.
///
/// # Errors
/// If it says what cannot be.
pub fn accept() -> io::Result<()> {
    let files = sd_listen_fds::get().map_err(io::Error::other)?;
    for (name, file) in files {
        let file = file.into_std();
        fcntl(&file, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
        HANDED_OVER.lock().push((name.unwrap_or_default(), file));
    }
    Ok(())
}

/// Whether there is one.
pub fn is_there() -> bool {
    env::var_os(SOCKET).is_some()
}

/// Tells it something: lines of `KEY=value`.
pub fn tell(state: &str) {
    if let Err(error) = send(state, None::<OwnedFd>) {
        tracing::warn!(%error, state, "the service manager does not listen");
    }
}

/// Tells it that the lab is alive, as often as that is seen, if it wants to know.
pub async fn feed_watchdog(mut pulse: watch::Receiver<u64>) {
    if env::var_os("WATCHDOG_USEC").is_none() {
        return;
    }
    while pulse.changed().await.is_ok() {
        tell("WATCHDOG=1");
        sleep(FEED).await;
    }
}

/// What becomes of a file that is kept and has hung up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenHungUp {
    /// It is of no use to anybody, and closed.
    Close,
    /// It is kept all the same.
    Keep,
}

/// Has it keep a file open for the next labd, under a name of letters, digits and dashes.
///
/// # Errors
/// The socket's. Whether the unit allows it to keep as many is not said.
pub fn keep(name: &str, file: impl AsFd, when: WhenHungUp) -> io::Result<()> {
    let poll = if when == WhenHungUp::Keep { "FDPOLL=0\n" } else { "" };
    send(&format!("FDSTORE=1\n{poll}FDNAME={KEPT}{name}"), Some(file))
}

/// Has it close what it keeps under that name.
pub fn let_go(name: &str) {
    tell(&format!("FDSTOREREMOVE=1\nFDNAME={KEPT}{name}"));
}

/// Takes back what was kept under that name.
pub fn take_back(name: &str) -> Option<OwnedFd> {
    let mut files = HANDED_OVER.lock();
    let at = files.iter().position(|(its, _)| its.strip_prefix(KEPT) == Some(name))?;
    Some(files.swap_remove(at).1)
}

/// Has it close whatever it keeps that nobody has use for; what that was.
pub fn let_go_unless(is_of_use: impl Fn(&str) -> bool) -> Vec<OwnedFd> {
    let mut files = HANDED_OVER.lock();
    let of_no_use = |(name, _): &mut (String, OwnedFd)| {
        name.strip_prefix(KEPT).is_some_and(|name| !is_of_use(name))
    };
    let let_go = files.extract_if(.., of_no_use);
    let_go
        .map(|(name, file)| {
            tell(&format!("FDSTOREREMOVE=1\nFDNAME={name}"));
            file
        })
        .collect()
}

/// The listener that it has opened at that path.
///
/// # Errors
/// The system's.
pub fn unix_listener(path: &Path) -> io::Result<Option<UnixListener>> {
    let is_there = |file: &OwnedFd| {
        let listener = UnixListener::from(file.try_clone().ok()?);
        (listener.local_addr().ok()?.as_pathname()? == path).then_some(())
    };
    let mut files = HANDED_OVER.lock();
    let Some(at) = files.iter().position(|(_, file)| is_there(file).is_some()) else {
        return Ok(None);
    };
    let listener = UnixListener::from(files.swap_remove(at).1);
    listener.set_nonblocking(true)?;
    Ok(Some(listener))
}

/// The listeners that it has opened under that name, wherever they are, or at one of those addresses.
///
/// # Errors
/// The system's.
pub fn tcp_listeners(
    name: &str,
    addresses: &[SocketAddr],
) -> io::Result<Vec<(SocketAddr, TcpListener)>> {
    let mut found = Vec::new();
    let mut files = HANDED_OVER.lock();
    for (its, file) in std::mem::take(&mut *files) {
        let address = TcpListener::from(file.try_clone()?).local_addr().ok();
        match address.filter(|address| its == name || addresses.contains(address)) {
            Some(address) => {
                let listener = TcpListener::from(file);
                listener.set_nonblocking(true)?;
                found.push((address, listener));
            }
            None => files.push((its, file)),
        }
    }
    Ok(found)
}

/// Says which listeners it has opened that are no door's: whoever comes there would wait for ever. Once, when all
/// doors are open.
pub fn warn_of_unclaimed() {
    for (name, file) in HANDED_OVER.lock().iter().filter(|(name, _)| !name.starts_with(KEPT)) {
        let address =
            file.try_clone().ok().and_then(|file| TcpListener::from(file).local_addr().ok());
        let at = address.map(|address| address.to_string()).unwrap_or_default();
        tracing::warn!(%name, %at, "the service manager listens where there is no door: nobody is answered");
    }
}

fn send(state: &str, file: Option<impl AsFd>) -> io::Result<()> {
    let Some(path) = env::var_os(SOCKET) else { return Ok(()) };
    let address = match path.as_bytes().strip_prefix(b"@") {
        Some(name) => UnixAddr::new_abstract(name)?,
        None => UnixAddr::new(Path::new(&path))?,
    };
    let socket = UnixDatagram::unbound()?;
    let files: Vec<_> = file.iter().map(|file| file.as_fd().as_raw_fd()).collect();
    let rights = [ControlMessage::ScmRights(&files)];
    let control = if files.is_empty() { &[][..] } else { &rights[..] };
    let text = [IoSlice::new(state.as_bytes())];
    sendmsg(socket.as_raw_fd(), &text, control, MsgFlags::MSG_NOSIGNAL, Some(&address))?;
    Ok(())
}
