//! Whom a door listens to before it knows who they are.
//!
//! A source is an address, or with IPv6 the network of a site. Whoever behaves badly gathers penalties,
//! which wear off as time goes by; from [`BARRED`] on the door stays shut until they have. So many may
//! be on the doorstep at once, in all and from one source. The model is sshd's `PerSourcePenalties`
//! and `MaxStartups`.
//!
//! Time is steady: since the daemon started, whatever the wall clock does.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

#[cfg(test)]
mod tests;

/// From so many penalties on a source is not listened to.
pub const BARRED: Duration = Duration::from_secs(15);
/// The most that a source can gather.
pub const MOST: Duration = Duration::from_secs(600);
/// So many sources are remembered; beyond, those whose penalties wear off first are forgotten.
const SOURCES: usize = 65_536;

/// Where somebody comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source(IpAddr);

impl From<IpAddr> for Source {
    /// An IPv6 address counts as its site's network of 64 bits: whoever has one address of it has all.
    fn from(address: IpAddr) -> Source {
        match address.to_canonical() {
            IpAddr::V4(address) => Source(address.into()),
            IpAddr::V6(address) => {
                let network = address.to_bits() & !u128::from(u64::MAX);
                Source(Ipv6Addr::from_bits(network).into())
            }
        }
    }
}

/// What a penalty is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offence {
    /// Came and went without a word.
    Silent,
    /// Spoke, but not so that a door understood it.
    Nonsense,
    /// Came with something that is not good.
    BadProof,
    /// Was still not through when the time was up.
    TooSlow,
}

impl Offence {
    fn penalty(self) -> Duration {
        Duration::from_secs(match self {
            Offence::Silent => 1,
            Offence::Nonsense | Offence::BadProof => 5,
            Offence::TooSlow => 10,
        })
    }
}

/// How many may be on the doorstep at once.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// In all.
    pub all: usize,
    /// From one source.
    pub source: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { all: 512, source: 32 }
    }
}

/// Why somebody is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Their source has gathered penalties, and may come again after this.
    Barred(Duration),
    /// Too many from their source are on the doorstep.
    Crowd,
    /// Too many in all are.
    Full,
}

/// What the doors know of those who come.
#[derive(Debug, Default)]
pub struct Guard {
    limits: Limits,
    doorstep: HashMap<Source, usize>,
    all: usize,
    /// When each source's penalties will have worn off.
    penalties: HashMap<Source, Penalty>,
    /// The same, by time.
    ends: BTreeSet<(Duration, Source)>,
}

#[derive(Debug, Clone, Copy)]
struct Penalty {
    end: Duration,
    is_barred: bool,
}

impl Guard {
    /// With other limits than the usual.
    pub fn new(limits: Limits) -> Guard {
        Guard { limits, ..Guard::default() }
    }

    /// Somebody comes; if they are not turned away, they are on the doorstep until they [`Guard::leave`]
    /// it.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn come(&mut self, source: Source, now: Duration) -> Result<(), Refusal> {
        self.wear_off(now);
        if let Some(penalty) = self.penalties.get(&source).filter(|penalty| penalty.is_barred) {
            return Err(Refusal::Barred(penalty.end - now));
        }
        if self.all >= self.limits.all {
            return Err(Refusal::Full);
        }
        let here = self.doorstep.entry(source).or_default();
        if *here >= self.limits.source {
            return Err(Refusal::Crowd);
        }
        *here += 1;
        self.all += 1;
        Ok(())
    }

    /// Somebody is through the door, or gone.
    pub fn leave(&mut self, source: Source) {
        let Some(here) = self.doorstep.get_mut(&source) else { return };
        *here -= 1;
        self.all -= 1;
        if *here == 0 {
            self.doorstep.remove(&source);
        }
    }

    /// Somebody behaved badly.
    pub fn note(&mut self, source: Source, offence: Offence, now: Duration) {
        self.wear_off(now);
        let known = self.penalties.get(&source).copied();
        // Before the newcomer is in the table: its first penalty would wear off before all others'.
        if known.is_none() && self.penalties.len() == SOURCES {
            self.forget_first();
        }
        let begun = known.map_or(now, |penalty| penalty.end);
        let end = (begun + offence.penalty()).min(now + MOST);
        let is_barred = known.is_some_and(|penalty| penalty.is_barred) || end - now >= BARRED;
        if let Some(Penalty { end, .. }) = self.penalties.insert(source, Penalty { end, is_barred })
        {
            self.ends.remove(&(end, source));
        }
        self.ends.insert((end, source));
    }

    /// How many are on the doorstep.
    pub fn doorstep(&self) -> usize {
        self.all
    }

    fn wear_off(&mut self, now: Duration) {
        while self.ends.first().is_some_and(|(end, _)| *end <= now) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, source)) = self.ends.pop_first() {
            self.penalties.remove(&source);
        }
    }
}
