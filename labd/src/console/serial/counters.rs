//! What a port's driver has counted of errors on the line.
//!
//! Linux counts per port, from when the driver found it, and tells by TIOCGICOUNT what it has in memory: nothing goes
//! to the adapter. Ptys count nothing, nor do the drivers of some adapters; that is unknown, and never none.

use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::libc::{TIOCGICOUNT, c_int};
use protocol::console::LineErrors;
use tokio::time::Instant;

/// The driver is asked this often, at most.
const REST: Duration = Duration::from_secs(1);

/// `struct serial_icounter_struct` of `<linux/serial.h>`.
#[repr(C)]
#[derive(Debug, Default)]
struct Told {
    cts: c_int,
    dsr: c_int,
    ring: c_int,
    dcd: c_int,
    received: c_int,
    sent: c_int,
    framing: c_int,
    overrun: c_int,
    parity: c_int,
    breaks: c_int,
    /// Those that were lost between the driver and whoever reads.
    buffer_overrun: c_int,
    reserved: [c_int; 9],
}

nix::ioctl_read_bad!(tiocgicount, TIOCGICOUNT, Told);

/// Of each kind, as the driver counts: it begins again at 0 when 32 bits are full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counts {
    framing: u32,
    overrun: u32,
    buffer_overrun: u32,
    parity: u32,
    breaks: u32,
}

impl Counts {
    /// None if the driver does not count.
    #[expect(unsafe_code, reason = "no library that is used here asks a port for its counters")]
    fn ask(port: &impl AsRawFd) -> Option<Counts> {
        let mut told = Told::default();
        // SAFETY: the kernel writes one `serial_icounter_struct`, which `Told` is, and keeps no pointer to it. The
        // descriptor is open for as long as `port` is borrowed; one that is no port is answered by an error.
        unsafe { tiocgicount(port.as_raw_fd(), &raw mut told) }.ok()?;
        Some(Counts {
            framing: told.framing.cast_unsigned(),
            overrun: told.overrun.cast_unsigned(),
            buffer_overrun: told.buffer_overrun.cast_unsigned(),
            parity: told.parity.cast_unsigned(),
            breaks: told.breaks.cast_unsigned(),
        })
    }

    /// What was counted since.
    fn since(self, before: Counts) -> LineErrors {
        let new = |kind: fn(Counts) -> u32| u64::from(kind(self).wrapping_sub(kind(before)));
        LineErrors {
            overrun: new(|counts| counts.overrun) + new(|counts| counts.buffer_overrun),
            framing: new(|counts| counts.framing),
            parity: new(|counts| counts.parity),
            breaks: new(|counts| counts.breaks),
        }
    }
}

/// What was counted since a port was opened.
#[derive(Debug)]
pub(super) struct Counters {
    /// As it was when the driver was last asked; none if it does not count.
    seen: Option<Counts>,
    errors: LineErrors,
    next: Instant,
}

impl Counters {
    /// Those of a port that was just opened.
    pub(super) fn begin(port: &impl AsRawFd) -> Counters {
        Counters { seen: Counts::ask(port), errors: LineErrors::default(), next: Instant::now() }
    }

    /// Asks again, if it is time to.
    pub(super) fn look(&mut self, port: &impl AsRawFd) {
        let now = Instant::now();
        if self.seen.is_some() && now >= self.next {
            self.next = now + REST;
            self.add(Counts::ask(port));
        }
    }

    /// A port that has just gone does not answer, and what it has counted stays.
    fn add(&mut self, told: Option<Counts>) {
        if let (Some(before), Some(now)) = (self.seen, told) {
            self.errors = self.errors + now.since(before);
            self.seen = told;
        }
    }

    /// None if the driver does not count.
    pub(super) fn errors(&self) -> Option<LineErrors> {
        self.seen.map(|_| self.errors)
    }
}

#[cfg(test)]
mod tests {
    use nix::pty::openpty;

    use super::*;

    fn counts(framing: u32, overrun: u32) -> Counts {
        Counts { framing, overrun, buffer_overrun: 0, parity: 0, breaks: 0 }
    }

    #[test]
    fn a_pty_says_that_it_does_not_know() {
        let pty = openpty(None, None).unwrap();
        let mut counters = Counters::begin(&pty.slave);
        counters.look(&pty.slave);
        assert_eq!(counters.errors(), None);
    }

    #[test]
    fn what_was_counted_before_the_port_was_opened_is_not_its() {
        let mut counters = Counters {
            seen: Some(counts(40, 7)),
            errors: LineErrors::default(),
            next: Instant::now(),
        };
        assert_eq!(counters.errors(), Some(LineErrors::default()));
        counters.add(Some(counts(42, 7)));
        counters.add(None);
        counters.add(Some(counts(43, 8)));
        let all = LineErrors { framing: 3, overrun: 1, ..LineErrors::default() };
        assert_eq!(counters.errors(), Some(all));
    }

    #[test]
    fn a_count_that_is_full_begins_again_and_no_error_is_lost() {
        let before = Counts { buffer_overrun: 5, breaks: 1, ..counts(u32::MAX - 1, u32::MAX) };
        let now = Counts { buffer_overrun: 7, parity: 4, breaks: 2, ..counts(3, 0) };
        let new = LineErrors { framing: 5, overrun: 1 + 2, parity: 4, breaks: 1 };
        assert_eq!(now.since(before), new);
    }

    #[test]
    fn what_the_kernel_writes_has_room() {
        assert_eq!(size_of::<Told>(), 20 * size_of::<c_int>());
    }
}
