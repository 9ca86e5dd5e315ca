//! Whom a door listens to before it knows who they are.
//!
//! A source is an address, or with IPv6 the network of a site. Whoever behaves badly gathers penalties,
//! which wear off as time goes by; from [`BARRED`] on the door stays shut until they have. So many may
//! be on the doorstep at once from one source and from one site. When there are as many as may be in all,
//! whoever has been there longest of those from where most come gives way to the next: however many come
//! and stay, nobody else is kept out. The model is sshd's `PerSourcePenalties` and `MaxStartups`.
//!
//! Time is steady: since the daemon started, whatever the wall clock does.

use std::collections::{BTreeMap, BTreeSet, HashMap};
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

impl Source {
    /// What one provider gives to one customer: an IPv4 address, or an IPv6 network of 48 bits, which has
    /// many of 64.
    fn site(self) -> Source {
        match self.0 {
            IpAddr::V4(_) => self,
            IpAddr::V6(network) => {
                let site = network.to_bits() & !(u128::MAX >> 48);
                Source(Ipv6Addr::from_bits(site).into())
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
    /// From one site.
    pub site: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { all: 512, source: 32, site: 64 }
    }
}

/// Why somebody is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Their source has gathered penalties, and may come again after this.
    Barred(Duration),
    /// Too many from their source, or their site, are on the doorstep.
    Crowd,
}

/// Somebody on the doorstep; who comes later has a greater one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// Somebody who is not turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Come {
    /// Who they are on the doorstep.
    pub ticket: Ticket,
    /// Who is there no more, to make room.
    pub gives_way: Option<Ticket>,
}

/// What the doors know of those who come.
#[derive(Debug, Default)]
pub struct Guard {
    limits: Limits,
    doorstep: BTreeMap<Ticket, Source>,
    next: u64,
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
    pub fn come(&mut self, source: Source, now: Duration) -> Result<Come, Refusal> {
        self.wear_off(now);
        if let Some(penalty) = self.penalties.get(&source).filter(|penalty| penalty.is_barred) {
            return Err(Refusal::Barred(penalty.end - now));
        }
        let of_source = self.doorstep.values().filter(|here| **here == source).count();
        let of_site = self.doorstep.values().filter(|here| here.site() == source.site()).count();
        if of_source >= self.limits.source || of_site >= self.limits.site {
            return Err(Refusal::Crowd);
        }
        let is_full = self.doorstep.len() >= self.limits.all;
        let gives_way = if is_full { self.first_of_most() } else { None };
        gives_way.inspect(|first| self.leave(*first));
        let ticket = Ticket(self.next);
        self.next += 1;
        self.doorstep.insert(ticket, source);
        Ok(Come { ticket, gives_way })
    }

    /// Whoever has been there longest of those from the site from which most are.
    fn first_of_most(&self) -> Option<Ticket> {
        let mut of = HashMap::<Source, usize>::new();
        self.doorstep.values().for_each(|source| *of.entry(source.site()).or_default() += 1);
        let most = of.values().max()?;
        let is_of_most = |(_, source): &(&Ticket, &Source)| of.get(&source.site()) == Some(most);
        self.doorstep.iter().find(is_of_most).map(|(first, _)| *first)
    }

    /// Somebody is through the door, or gone.
    pub fn leave(&mut self, ticket: Ticket) {
        self.doorstep.remove(&ticket);
    }

    /// Whether somebody is still there.
    pub fn is_there(&self, ticket: Ticket) -> bool {
        self.doorstep.contains_key(&ticket)
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
        self.doorstep.len()
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
