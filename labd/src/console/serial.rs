//! Serial ports of this machine, by tokio-serial.
//!
//! Many boards have their reset on DTR or RTS, so this driver never sets either unless told to. What remains is
//! the kernel's: it raises both when a port is opened that was not, and lowers both when it is
//! closed, unless HUPCL is off. It is turned off here, hence a port stays raised once it was
//! opened, and opening it again changes nothing until the adapter is unplugged. tokio-serial sets
//! DTR only if told to (`dtr_on_open`), sets CLOCAL, and leaves HUPCL as it was. A port that was [kept]
//! while labd was restarted is not even opened again.

mod counters;
pub(super) mod kept;
mod plug;

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FlockArg, OFlag};
use nix::sys::stat::Mode;
use nix::sys::termios::{ControlFlags, FlushArg, SetArg, tcdrain, tcflush, tcgetattr, tcsetattr};
use protocol::console::LineErrors;
use rustix::termios::{ioctl_tiocexcl, ioctl_tiocnxcl};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_serial::{FlowControl, SerialPortBuilder};

use self::counters::Counters;
use self::kept::Kept;
use super::uart::Uart;
use super::{Console, Port};
use crate::config::reader::{Setting, Table};
use crate::config::ucl::Value;

/// `{ cls = serialconsole, device = /dev/serial/by-id/usb-…, speed = 115200 }`
///
/// `val` is another word for `device`. The rest is [`Uart`]'s.
#[derive(Debug, PartialEq)]
pub struct SerialConsole {
    device: PathBuf,
    uart: Uart,
}

impl SerialConsole {
    /// The port at `device`, a whole path.
    pub fn new(device: impl Into<PathBuf>, uart: Uart) -> SerialConsole {
        SerialConsole { device: device.into(), uart }
    }

    /// Reads the settings.
    pub fn read(table: &mut Table<'_>) -> Option<SerialConsole> {
        let uart = Uart::read(table);
        let [val, device] = ["val", "device"].map(|key| table.value(key).is_some());
        if val && device {
            table.fault("device", "'val' and 'device' mean the same; write one of them");
        }
        let Whole(device) = table.required(if val { "val" } else { "device" })?;
        Some(SerialConsole::new(device, uart))
    }

    /// The device's path, as configured. Two consoles with one device are one console.
    pub fn device(&self) -> &Path {
        &self.device
    }

    /// How the port is set.
    pub fn uart(&self) -> &Uart {
        &self.uart
    }

    fn builder(&self) -> SerialPortBuilder {
        let Uart { speed, bits, parity, stop, flow } = self.uart;
        tokio_serial::new(self.device.to_string_lossy(), speed)
            .data_bits(bits)
            .parity(parity)
            .stop_bits(stop)
            .flow_control(flow)
    }
}

/// A path that means the same wherever labd was started.
struct Whole(PathBuf);

impl Setting for Whole {
    const WANTED: &'static str = "a whole path, such as /dev/serial/by-id/usb-…";

    fn read(value: &Value) -> Result<Whole, Option<String>> {
        let path = PathBuf::from(String::read(value)?);
        if path.is_absolute() { Ok(Whole(path)) } else { Err(None) }
    }
}

/// A thread per port of a thousand would leave nothing of the processor for whoever asks meanwhile.
static AT_ONCE: Semaphore = Semaphore::const_new(8);
/// Setting up an adapter asks over USB: milliseconds, or seconds from one that hangs. Such a one
/// does not keep the others waiting longer than this.
const A_TURN: Duration = Duration::from_millis(50);

impl Console for SerialConsole {
    async fn open(&self) -> io::Result<Box<dyn Port>> {
        if let Some((port, kept)) = Kept::take_back(self) {
            tracing::info!(device = %self.device.display(), "this port was kept open");
            let port = SerialPort::new(self, port, Some(kept))?;
            // An earlier labd may have been killed within a BREAK.
            port.line.get_ref().set_break(false)?;
            return Ok(Box::new(port));
        }
        let (device, builder) = (self.device.clone(), self.builder());
        let turn = AT_ONCE.acquire().await.map_err(io::Error::other)?;
        let mut opening = tokio::task::spawn_blocking(move || open(&device, &builder));
        let port = match timeout(A_TURN, &mut opening).await {
            Ok(opened) => opened??,
            Err(_) => {
                drop(turn);
                opening.await??
            }
        };
        let kept = Kept::begin(self, &port).unwrap_or_else(|error| {
            tracing::warn!(device = %self.device.display(), %error, "this port is not kept open");
            None
        });
        Ok(Box::new(SerialPort::new(self, port, kept)?))
    }

    async fn appears(&self) {
        plug::appears(&self.device).await;
    }
}

impl fmt::Display for SerialConsole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "serialconsole {} {}", self.device.display(), self.uart)
    }
}

/// Opens a port for nobody else (TIOCEXCL and flock), raw, set up, and with HUPCL off.
///
/// tokio-serial sets it up, on a descriptor of its own: it lends none that could be kept. As both are there
/// for a while, the kernel sees one opening and no closing.
fn open(device: &Path, builder: &SerialPortBuilder) -> io::Result<OwnedFd> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let port =
        nix::fcntl::open(device, flags, Mode::empty()).map_err(|errno| refusal(device, errno))?;
    if !nix::unistd::isatty(&port).unwrap_or(false) {
        return Err(refusal(device, Errno::ENOTTY));
    }
    let set_up = builder.clone().open_native().map_err(|error| match error.kind {
        // This is how it reports EBUSY, and a lock held by another.
        tokio_serial::ErrorKind::NoDevice => refusal(device, Errno::EBUSY),
        _ => named(device.display(), error.into()),
    })?;
    drop(set_up);
    claim(&port).map_err(|errno| refusal(device, errno))?;
    stay_raised_on_close(&port).map_err(|errno| refusal(device, errno))?;
    Ok(port)
}

/// Nobody else may open it.
fn claim(port: &OwnedFd) -> nix::Result<()> {
    ioctl_tiocexcl(port).map_err(|error| Errno::from_raw(error.raw_os_error()))?;
    lock(port, FlockArg::LockExclusiveNonblock).map_err(|_| Errno::EBUSY)
}

/// Others may open it, now: it is about to be closed, and not only here. A program that is just being
/// started has the descriptor for a moment, the service manager may, and as long as anybody has it the port
/// would be in use.
pub(super) fn disclaim(port: &(impl AsFd + AsRawFd)) {
    // What has hung up is nobody's anyway.
    let _ = ioctl_tiocnxcl(port);
    let _ = lock(port, FlockArg::Unlock);
}

#[expect(deprecated, reason = "its successor locks what it owns; the descriptor is the port's")]
fn lock(port: &impl AsRawFd, how: FlockArg) -> nix::Result<()> {
    nix::fcntl::flock(port.as_raw_fd(), how)
}

/// Turns HUPCL off, and leaves every other setting of the port.
fn stay_raised_on_close(port: impl AsFd) -> nix::Result<()> {
    let mut termios = tcgetattr(&port)?;
    termios.control_flags.remove(ControlFlags::HUPCL);
    tcsetattr(&port, SetArg::TCSANOW, &termios)
}

/// Why a device cannot be opened, and what to do.
fn refusal(device: &Path, errno: Errno) -> io::Error {
    let why = match errno {
        Errno::ENOENT | Errno::ENXIO | Errno::ENODEV => "no such device: unplugged?".to_owned(),
        Errno::EBUSY => "in use by another program".to_owned(),
        Errno::ENOTTY => "not a serial port: check the path".to_owned(),
        Errno::EACCES | Errno::EPERM => {
            let group = owning_group(device).unwrap_or_else(|| "dialout".to_owned());
            format!("permission denied: add labd's user to the group that owns it ({group})")
        }
        other => other.desc().to_owned(),
    };
    named(device.display(), io::Error::new(io::Error::from(errno).kind(), why))
}

fn owning_group(device: &Path) -> Option<String> {
    let gid = nix::sys::stat::stat(device).ok()?.st_gid;
    Some(nix::unistd::Group::from_gid(gid.into()).ok()??.name)
}

fn named(what: impl fmt::Display, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}

/// An open port.
struct SerialPort {
    line: Arc<AsyncFd<serial2::SerialPort>>,
    kept: Option<Kept>,
    counters: Counters,
    /// Before a BREAK.
    draining: Option<JoinHandle<nix::Result<()>>>,
    console: String,
    flow: FlowControl,
}

impl SerialPort {
    #[expect(
        deprecated,
        reason = "its successor is unsafe; the descriptor is owned by what it wraps"
    )]
    fn new(console: &SerialConsole, port: OwnedFd, kept: Option<Kept>) -> io::Result<SerialPort> {
        let counters = Counters::begin(&port);
        let line = Arc::new(AsyncFd::new(serial2::SerialPort::from(port))?);
        let (console, flow) = (console.to_string(), console.uart.flow);
        Ok(SerialPort { line, kept, counters, draining: None, console, flow })
    }
}

impl Port for SerialPort {
    /// It begins behind what is still on its way out. Linux would wait for that within the call, and block
    /// the thread for ever if flow control holds it; so another thread waits before. A pty has no BREAK
    /// and takes it silently.
    fn set_break(&mut self, on: bool) -> io::Result<()> {
        let line = self.line.clone();
        self.draining = on.then(|| tokio::task::spawn_blocking(move || tcdrain(line.get_ref())));
        let ended = if on { Ok(()) } else { self.line.get_ref().set_break(false) };
        ended.map_err(|error| named(&self.console, error))
    }

    fn poll_break(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(draining) = &mut self.draining else { return Poll::Ready(Ok(())) };
        let drained = ready!(Pin::new(draining).poll(cx)).map_err(io::Error::other);
        self.draining = None;
        let begun = drained
            .and_then(|drained| Ok(drained?))
            .and_then(|()| self.line.get_ref().set_break(true));
        Poll::Ready(begun.map_err(|error| named(&self.console, error)))
    }

    fn set_lines(&mut self, dtr: Option<bool>, rts: Option<bool>) -> io::Result<()> {
        let line = self.line.get_ref();
        let set = dtr.map_or(Ok(()), |on| line.set_dtr(on));
        let set = set.and_then(|()| rts.map_or(Ok(()), |on| line.set_rts(on)));
        set.map_err(|error| named(&self.console, error))
    }

    fn unrecorded(&self) -> Option<BorrowedFd<'_>> {
        self.kept.as_ref().map(|kept| kept.unrecorded().as_fd())
    }

    fn errors(&self) -> Option<LineErrors> {
        self.counters.errors()
    }

    fn let_go(&mut self) {
        if let Some(kept) = self.kept.take() {
            kept.let_go();
        }
    }
}

impl AsyncRead for SerialPort {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let SerialPort { line, kept, counters, console, .. } = &mut *self;
        match ready!(poll_read(line, kept.as_mut(), cx, buf.initialize_unfilled())) {
            Err(error) if is_unplugged(&error) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(named(console, error))),
            Ok(read) => {
                buf.advance(read);
                counters.look(line.get_ref());
                Poll::Ready(Ok(()))
            }
        }
    }
}

fn poll_read(
    line: &AsyncFd<serial2::SerialPort>,
    mut kept: Option<&mut Kept>,
    cx: &mut Context<'_>,
    room: &mut [u8],
) -> Poll<io::Result<usize>> {
    if let Some(left) = kept.as_mut().and_then(|kept| kept.left(room)) {
        return Poll::Ready(Ok(left?));
    }
    loop {
        let mut ready = ready!(line.poll_read_ready(cx))?;
        let read = ready.try_io(|line| match &mut kept {
            Some(kept) => Ok(kept.read(line.get_ref(), room)?),
            None => Ok(nix::unistd::read(line.get_ref(), room)?),
        });
        if let Ok(read) = read {
            return Poll::Ready(read);
        }
    }
}

/// A driver whose device has gone may end the file, or else give one of these.
fn is_unplugged(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::EIO | Errno::ENXIO | Errno::ENODEV))
}

impl AsyncWrite for SerialPort {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut ready = ready!(self.line.poll_write_ready(cx))?;
            let written = ready.try_io(|line| Ok(nix::unistd::write(line.get_ref(), bytes)?));
            if let Ok(written) = written {
                return Poll::Ready(written.map_err(|error| named(&self.console, error)));
            }
        }
    }

    /// Nothing is kept here. To wait until the last bit is on the wire would block the thread, and for
    /// ever if flow control holds it.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

impl Drop for SerialPort {
    /// Where flow control can hold bytes back, closing would block the thread for up to 30 s in
    /// the hope that they still go; they are thrown away instead. A port that is kept is not closed.
    fn drop(&mut self) {
        if self.kept.is_some() {
            return;
        }
        if self.flow != FlowControl::None {
            let _ = tcflush(self.line.get_ref(), FlushArg::TCOFLUSH);
        }
        disclaim(self.line.get_ref());
    }
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;

    use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
    use nix::sys::socket::{self, AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType};

    use super::*;
    use crate::console::uart::tests::from_settings;

    #[test]
    fn a_port_is_a_device_and_its_settings() {
        for key in ["val", "device"] {
            let settings = [(key, "/dev/ttyUSB0"), ("speed", "9600")];
            let (console, faults) = from_settings(&settings, SerialConsole::read);
            let console = console.unwrap();
            assert_eq!(console.to_string(), "serialconsole /dev/ttyUSB0 9600 8N1");
            assert_eq!(console.device(), Path::new("/dev/ttyUSB0"));
            assert!(faults.is_empty());
        }
    }

    #[test]
    fn a_device_is_said_once_and_whole() {
        let whole = "a whole path, such as /dev/serial/by-id/usb-…";
        let cases: [(&[(&str, &str)], String); 3] = [
            (&[], format!("'device' is missing; write device = {whole}")),
            (&[("val", "ttyUSB0")], format!("val: 'ttyUSB0' is not {whole}")),
            (
                &[("val", "/dev/ttyS0"), ("device", "/dev/ttyS0")],
                "'val' and 'device' mean the same; write one of them".to_owned(),
            ),
        ];
        for (settings, message) in cases {
            assert_eq!(from_settings(settings, SerialConsole::read).1, [message]);
        }
    }

    /// A descriptor on its way through a socket is one that somebody else has, as a child does before
    /// it runs its program.
    #[tokio::test]
    async fn a_port_that_is_closed_can_be_opened_though_its_descriptor_is_still_about() {
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let board = posix_openpt(flags).unwrap();
        grantpt(&board).unwrap();
        unlockpt(&board).unwrap();
        let console = SerialConsole::new(ptsname_r(&board).unwrap(), Uart::default());
        let (device, builder) = (console.device.clone(), console.builder());
        let port = open(&device, &builder).unwrap();
        let (ours, _theirs) =
            socket::socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)
                .unwrap();
        let (fds, byte) = ([port.as_raw_fd()], [IoSlice::new(b"x")]);
        let message = [ControlMessage::ScmRights(&fds)];
        socket::sendmsg::<()>(ours.as_raw_fd(), &byte, &message, MsgFlags::empty(), None).unwrap();
        drop(SerialPort::new(&console, port, None).unwrap());
        open(&device, &builder).unwrap();
    }

    /// A pty only ends the file; these are what drivers of adapters give.
    #[test]
    fn an_adapter_that_has_gone_is_known_by_its_error() {
        for errno in [Errno::EIO, Errno::ENXIO, Errno::ENODEV] {
            assert!(is_unplugged(&io::Error::from(errno)), "{errno}");
        }
        assert!(!is_unplugged(&io::Error::from(Errno::ENOMEM)));
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let cases = [
            (Errno::ENOENT, "/dev/null: no such device: unplugged?"),
            (Errno::EBUSY, "/dev/null: in use by another program"),
            (
                Errno::EACCES,
                "/dev/null: permission denied: add labd's user to the group that owns it (root)",
            ),
        ];
        for (errno, message) in cases {
            assert_eq!(refusal(Path::new("/dev/null"), errno).to_string(), message);
        }
    }
}
