//! Before the doors: those whom the lab does not know yet.
//!
//! All doors have one doorstep: whoever is barred at one of them is barred at the others. Whom it bears
//! with, and for how long not, is [`crate::rules::guard`]'s. Whoever comes in from there is one of the
//! [`guests`].

pub mod guests;

use std::collections::HashMap;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant as Steady};

use ipnet::IpNet;
use nix::sys::socket::{Shutdown, shutdown};
use parking_lot::Mutex;
use protocol::Error;
use protocol::user::UserName;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use self::guests::{Guest, Guests, Room, User};
use crate::rules::guard::{Come, Guard, Limits, Offence, Source, Ticket};

/// The next who comes over the network; none when the lab ends. What cannot be accepted is said in the log,
/// and some time later there are others.
pub async fn next(
    listener: &TcpListener,
    ending: &mut watch::Receiver<bool>,
) -> Option<(TcpStream, IpAddr)> {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = ending.changed() => return None,
        };
        match accepted {
            Ok((stream, from)) => {
                // Without it, keystrokes wait for each other; if it cannot be had, they do.
                let _ = stream.set_nodelay(true);
                return Some((stream, from.ip()));
            }
            Err(error) => {
                let at = listener.local_addr().ok();
                tracing::warn!(%error, ?at, "a connection could not be accepted");
                // Out of descriptors, most likely: some will be closed soon.
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// The doorstep.
#[derive(Debug)]
pub struct Doorstep {
    present: Mutex<Present>,
    guests: Arc<Guests>,
    /// Whatever comes from there is not held against it.
    exempt: Vec<IpNet>,
    /// Steady time begins here.
    since: Steady,
    refused: AtomicU64,
    offences: AtomicU64,
}

/// Who is there.
#[derive(Debug, Default)]
struct Present {
    guard: Guard,
    /// Their connections, to be shut down if they must give way.
    lines: HashMap<Ticket, OwnedFd>,
}

/// Somebody's place there; it is free again when this is dropped.
#[derive(Debug)]
pub struct Place {
    doorstep: Arc<Doorstep>,
    ticket: Ticket,
    source: Source,
    is_exempt: bool,
}

impl Doorstep {
    /// With nobody there, before doors of their own.
    pub fn new() -> Arc<Doorstep> {
        Doorstep::before(Guests::new(Room::beside(0)), Vec::new())
    }

    /// With nobody there, and room for so many.
    pub fn with(limits: Limits) -> Arc<Doorstep> {
        let doorstep = Doorstep::new();
        doorstep.present.lock().guard = Guard::new(limits);
        doorstep
    }

    /// With nobody there; whoever comes in is one of these guests. Those networks are never barred.
    pub fn before(guests: Arc<Guests>, exempt: Vec<IpNet>) -> Arc<Doorstep> {
        let (refused, offences) = Default::default();
        let (present, since) = (Mutex::default(), Steady::now());
        Arc::new(Doorstep { present, guests, exempt, since, refused, offences })
    }

    /// How many are there.
    pub fn strangers(&self) -> usize {
        self.present.lock().guard.doorstep()
    }

    /// How many were turned away, and how many had a place and did not come in, since the daemon started.
    pub fn counts(&self) -> (u64, u64) {
        (self.refused.load(Ordering::Relaxed), self.offences.load(Ordering::Relaxed))
    }

    /// A place for somebody who comes from there, if they are not turned away.
    pub fn admit(self: &Arc<Self>, from: IpAddr) -> Option<Place> {
        self.admit_on(from, None)
    }

    /// The same, for somebody on a connection: it is shut down when they must give way to others.
    pub fn admit_line(self: &Arc<Self>, from: IpAddr, line: &impl AsFd) -> Option<Place> {
        // Without one more descriptor, they have until their time is up.
        self.admit_on(from, line.as_fd().try_clone_to_owned().ok())
    }

    fn admit_on(self: &Arc<Self>, from: IpAddr, line: Option<OwnedFd>) -> Option<Place> {
        let (source, from) = (Source::from(from), from.to_canonical());
        let is_exempt = self.exempt.iter().any(|network| network.contains(&from));
        let mut present = self.present.lock();
        match present.guard.come(source, self.since.elapsed()) {
            Ok(Come { ticket, gives_way }) => {
                if let Some(first) = gives_way {
                    self.refused.fetch_add(1, Ordering::Relaxed);
                    present.show_out(first);
                }
                present.lines.extend(line.map(|line| (ticket, line)));
                Some(Place { doorstep: self.clone(), ticket, source, is_exempt })
            }
            Err(refusal) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(%from, ?refusal, "somebody is turned away");
                None
            }
        }
    }

    /// Somebody comes in from there: a guest as long as what is returned lives.
    ///
    /// # Errors
    /// [`Error::Bad`] if there is no room for one more of theirs.
    pub fn come_in(&self, who: &UserName) -> Result<Guest, Error> {
        self.guests.admit(User::Elsewhere(who.clone()))
    }
}

impl Present {
    fn show_out(&mut self, ticket: Ticket) {
        if let Some(line) = self.lines.remove(&ticket) {
            // If the client has closed it already, so much the better.
            let _ = shutdown(line.as_raw_fd(), Shutdown::Both);
        }
    }
}

impl Place {
    /// The doorstep that it is on.
    pub fn doorstep(&self) -> &Arc<Doorstep> {
        &self.doorstep
    }

    /// They have not come in, and that is held against where they came from, unless that is exempt.
    pub fn offend(&self, offence: Offence) {
        let Place { doorstep, ticket, source, is_exempt } = self;
        let mut present = doorstep.present.lock();
        if !present.guard.is_there(*ticket) {
            // They had to give way.
            return;
        }
        tracing::debug!(?source, ?offence, "somebody was not let in");
        doorstep.offences.fetch_add(1, Ordering::Relaxed);
        if !is_exempt {
            present.guard.note(*source, offence, doorstep.since.elapsed());
        }
    }
}

/// Somebody who has a place there.
#[derive(Debug)]
pub struct Stranger {
    /// Where they come from.
    pub from: IpAddr,
    /// Until when they may stay without being known.
    pub due: Instant,
    /// Their place.
    pub place: Place,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut present = self.doorstep.present.lock();
        present.guard.leave(self.ticket);
        present.lines.remove(&self.ticket);
    }
}
