//! Consoles: the trait, and the list of drivers.
//!
//! A driver is one file: its own config table, and how to open the device. Recording, viewers, the
//! pen, pacing and reopening are the [line](mod@line)'s.

pub mod line;
pub mod qemu;
pub mod serial;
pub mod sim;
pub mod tcp;
pub mod transfer;
mod typed;
pub mod uart;

use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use protocol::console::LineErrors;
use tokio::io::{AsyncRead, AsyncWrite};

use self::uart::Uart;
use crate::config::Pace;
use crate::service_manager;

/// A console's device.
pub trait Console {
    /// Opens it. An error says in one line why it cannot be opened now; the line will try again.
    ///
    /// # Errors
    /// Any that the device gives, with its name in it.
    fn open(&self) -> impl Future<Output = io::Result<Box<dyn Port>>> + Send;

    /// Returns when it may be worth trying again: the device has appeared, or a while has passed.
    fn appears(&self) -> impl Future<Output = ()> + Send;
}

/// An open console. Reading nothing (`Ok(0)`) means that the device has gone.
pub trait Port: AsyncRead + AsyncWrite + Send + Unpin {
    /// Begins or ends a BREAK. Its beginning goes out as [`Port::poll_break`] is polled, its end at once or
    /// with the next flush; ended before it has begun, it does not begin.
    ///
    /// # Errors
    /// If the device knows no BREAK.
    fn set_break(&mut self, on: bool) -> io::Result<()>;

    /// Whether the BREAK that was begun last has. It may take for ever: flow control holds back what was
    /// written before, and the BREAK with it.
    fn poll_break(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self).poll_flush(cx)
    }

    /// Sets DTR, RTS or both, at once or with the next flush, and leaves the other as it is.
    ///
    /// # Errors
    /// If the device has no such lines.
    fn set_lines(&mut self, _dtr: Option<bool>, _rts: Option<bool>) -> io::Result<()> {
        let why = "it has neither DTR nor RTS";
        Err(io::Error::new(io::ErrorKind::Unsupported, why))
    }

    /// A pipe that holds what was read until it is taken from there, if this port outlives labd: what is
    /// read next is what is in it then.
    fn unrecorded(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// What has gone wrong on the line since it was opened; none if this port does not count that.
    fn errors(&self) -> Option<LineErrors> {
        None
    }

    /// Is to be closed when it is dropped, even if it could outlive labd.
    fn let_go(&mut self) {}
}

/// Makes the list: an enum of every driver, which is a driver itself.
macro_rules! drivers {
    ($($(#[$doc:meta])* $name:ident($driver:ty),)*) => {
        /// Every kind of console. Two are equal if they are configured alike.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Device { $($(#[$doc])* $name(Arc<$driver>),)* }

        impl Console for Device {
            async fn open(&self) -> io::Result<Box<dyn Port>> {
                match self { $(Device::$name(driver) => driver.open().await,)* }
            }

            async fn appears(&self) {
                match self { $(Device::$name(driver) => driver.appears().await,)* }
            }
        }

        /// As in the configuration: `serialconsole /dev/ttyUSB0 115200 8N1`.
        impl fmt::Display for Device {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self { $(Device::$name(driver) => driver.fmt(f),)* }
            }
        }
    };
}

/// Has the service manager close the ports that it has kept and none of these consoles needs.
pub fn let_go_of_others<'a>(consoles: impl Iterator<Item = &'a Device>) {
    let of_use: Vec<_> = consoles
        .filter_map(|console| match console {
            Device::Serial(port) => Some(serial::kept::names(port)),
            _ => None,
        })
        .flatten()
        .collect();
    let others = service_manager::let_go_unless(|name| of_use.iter().any(|it| it == name));
    others.iter().for_each(serial::disclaim);
}

impl Device {
    /// How its line is set, if it can be set from here.
    pub fn uart(&self) -> Option<&Uart> {
        match self {
            Device::Serial(port) => Some(port.uart()),
            Device::Tcp(server) => server.uart(),
            Device::Qemu(_) | Device::Sim(_) => None,
        }
    }

    /// How fast may be typed, if the configuration does not say.
    pub fn pace(&self) -> Pace {
        self.uart().map_or(Pace::UNLIMITED, Uart::pace)
    }
}

drivers! {
    /// A serial port.
    Serial(serial::SerialConsole),
    /// A port of a terminal server.
    Tcp(tcp::TcpConsole),
    /// A virtual machine.
    Qemu(crate::qemu::Machine),
    /// A board made of nothing.
    Sim(crate::sim::Sim),
}
