//! The only file that asks the time.
//!
//! The lab's clock shows the machine's wall time but runs on `CLOCK_BOOTTIME`, which nobody can set:
//! when somebody sets the wall clock, the lab's clock goes on undisturbed until [`Clock::step`] is
//! taken over, and then every deadline moves with it. So no hold ends early or late.

use std::sync::Arc;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use parking_lot::Mutex;
use protocol::{Span, Time};
use tokio::sync::watch;

/// A clock. Cheap to clone; all clones are one clock.
#[derive(Debug, Clone)]
pub struct Clock(Kind);

#[derive(Debug, Clone)]
enum Kind {
    /// The machine's.
    Machine(Arc<Mutex<Anchor>>),
    /// One that stands still until a test moves it.
    Hand(Arc<watch::Sender<Hand>>),
}

/// A clock moved by hand: what it shows, and how far it was moved in all.
#[derive(Debug, Clone, Copy)]
struct Hand {
    lab: Time,
    moved: Time,
}

/// What the lab's clock showed at one instant of the machine's uptime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// The lab's time.
    pub lab: Time,
    /// Milliseconds since the machine started, sleep included.
    pub uptime: u64,
}

/// A wall clock that is off by no more than this is let be.
const TOLERANCE: Span = Span::seconds(1);

/// How long [`Clock::until`] sleeps at a stretch: timers stand still while the machine sleeps.
const STRETCH: Duration = Duration::from_secs(1);

impl Clock {
    /// The machine's clock.
    pub fn machine() -> Clock {
        Clock(Kind::Machine(Arc::new(Mutex::new(Anchor { lab: wall(), uptime: uptime() }))))
    }

    /// A clock that shows `start` until [`Clock::advance`] moves it.
    pub fn by_hand(start: Time) -> Clock {
        Clock(Kind::Hand(Arc::new(watch::channel(Hand { lab: start, moved: Time(0) }).0)))
    }

    /// What it shows.
    pub fn now(&self) -> Time {
        match &self.0 {
            Kind::Machine(anchor) => {
                let anchor = *anchor.lock();
                anchor.lab.shifted(uptime() as i64 - anchor.uptime as i64)
            }
            Kind::Hand(hand) => hand.borrow().lab,
        }
    }

    /// How long the machine has been running: for what must take so long and no longer, whatever is
    /// done to the clock meanwhile.
    pub fn steady(&self) -> Time {
        match &self.0 {
            Kind::Machine(_) => Time(uptime()),
            Kind::Hand(hand) => hand.borrow().moved,
        }
    }

    /// Moves a clock that is moved by hand; a machine's is not impressed.
    pub fn advance(&self, span: Span) {
        if let Kind::Hand(hand) = &self.0 {
            hand.send_modify(|hand| {
                *hand = Hand { lab: hand.lab + span, moved: hand.moved + span }
            });
        }
    }

    /// Returns when the clock shows `when` or later.
    pub async fn until(&self, when: Time) {
        match &self.0 {
            Kind::Machine(_) => {
                while self.now() < when {
                    tokio::time::sleep(STRETCH.min(when.since(self.now()).duration())).await;
                }
            }
            Kind::Hand(hand) => {
                let mut hand = hand.subscribe();
                // The sender lives as long as `self`.
                let _ = hand.wait_for(|hand| hand.lab >= when).await;
            }
        }
    }

    /// Returns when [`Clock::steady`] shows `when` or later.
    pub async fn until_steady(&self, when: Time) {
        match &self.0 {
            Kind::Machine(_) => {
                while self.steady() < when {
                    tokio::time::sleep(STRETCH.min(when.since(self.steady()).duration())).await;
                }
            }
            Kind::Hand(hand) => {
                let mut hand = hand.subscribe();
                // The sender lives as long as `self`.
                let _ = hand.wait_for(|hand| hand.moved >= when).await;
            }
        }
    }

    /// By how many milliseconds the wall clock has left the lab's, if it has.
    pub fn step(&self) -> Option<i64> {
        match &self.0 {
            Kind::Machine(_) => {
                let off = wall().0 as i64 - self.now().0 as i64;
                (off.unsigned_abs() > TOLERANCE.0).then_some(off)
            }
            Kind::Hand(_) => None,
        }
    }

    /// Moves the lab's clock by `ms`. All deadlines must be moved in the same breath.
    pub fn shift(&self, ms: i64) {
        match &self.0 {
            Kind::Machine(anchor) => {
                let mut anchor = anchor.lock();
                anchor.lab = anchor.lab.shifted(ms);
            }
            Kind::Hand(hand) => hand.send_modify(|hand| hand.lab = hand.lab.shifted(ms)),
        }
    }

    /// Goes on from where the clock stood when the daemon last ran, if the machine has not been
    /// started anew since: a wall clock set in between then shows as a [`Clock::step`].
    pub fn resume(&self, last: Anchor) {
        if let Kind::Machine(anchor) = &self.0 {
            *anchor.lock() = last;
        }
    }

    /// What it shows, tied to the machine's uptime.
    pub fn anchor(&self) -> Anchor {
        Anchor { lab: self.now(), uptime: uptime() }
    }
}

/// Names the machine's present run, from `/proc`. Uptimes of different runs do not compare.
pub fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}

/// By the clock in which the service manager counts.
pub fn monotonic_micros() -> u128 {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default().as_micros()
}

fn wall() -> Time {
    Time(millis(ClockId::CLOCK_REALTIME))
}

fn uptime() -> u64 {
    millis(ClockId::CLOCK_BOOTTIME)
}

fn millis(clock: ClockId) -> u64 {
    let since = clock_gettime(clock).map(Duration::from).unwrap_or_default();
    since.as_millis() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_clock_moved_by_hand_wakes_who_waits() {
        let clock = Clock::by_hand(Time(1_000));
        let waiting = tokio::spawn({
            let clock = clock.clone();
            async move { clock.until(Time(3_000)).await }
        });
        clock.advance(Span(1_999));
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        clock.advance(Span(1));
        waiting.await.expect("the waiter returns");
    }

    #[tokio::test]
    async fn what_takes_its_time_does_not_care_that_the_clock_is_set() {
        let clock = Clock::by_hand(Time(1_000));
        let end = clock.steady() + Span(500);
        clock.shift(3_600_000);
        assert_eq!((clock.now(), clock.steady()), (Time(3_601_000), Time(0)));
        clock.advance(Span(500));
        clock.until_steady(end).await;
    }

    #[test]
    fn a_clock_resumed_in_the_same_run_shows_how_far_the_wall_clock_was_set() {
        let clock = Clock::machine();
        assert_eq!(clock.step(), None);
        let anchor = clock.anchor();
        clock.resume(Anchor { lab: anchor.lab - Span::hours(1), ..anchor });
        let off = clock.step().expect("an hour is a step");
        assert!((off - 3_600_000).abs() < 1_000, "{off}");
        clock.shift(off);
        assert_eq!(clock.step(), None);
    }
}
