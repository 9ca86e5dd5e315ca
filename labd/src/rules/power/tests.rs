//! Jobs walked through to their end, on outlets of every temper, with crashes at any step.
//!
//! Planted, and caught by `a_job_ends_as_it_was_asked_for`: the dwell is skipped; a job is done as
//! soon as the outlet is told; it is given up in half its time; a cycle whose outlet is not seen to
//! be off is given up with the board off.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

const LIMITS: Limits = Limits { dwell: Span(50), obey: Span(100) };
/// More steps than any job takes.
const STEPS: usize = 2_000;

/// An outlet, and what there is to know of it.
#[derive(Debug, Clone)]
struct Outlet {
    on: bool,
    /// It obeys after so long, or never.
    delay: Option<u64>,
    eyes: Eyes,
    /// Which tellings reach it, counted from the first; later ones all do.
    reached: Vec<bool>,
    /// Told to be so, and when it will be.
    told: Option<(bool, u64)>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Eyes {
    Clear,
    /// What the n-th look shows is the opposite.
    LieOnce(usize),
    /// The first n looks show nothing.
    Unclear(usize),
    Mute,
}

impl Outlet {
    fn settle(&mut self, now: u64) {
        if let Some((on, _)) = self.told.take_if(|(_, when)| *when <= now) {
            self.on = on;
        }
    }

    fn tell(&mut self, on: bool, now: u64) -> bool {
        let reached = self.reached.pop().unwrap_or(true);
        if let Some(delay) = self.delay.filter(|_| reached) {
            self.told = Some((on, now + delay));
            self.settle(now);
        }
        reached
    }

    fn look(&self, looks: usize) -> Seen {
        match self.eyes {
            Eyes::Mute => Seen::Mute,
            Eyes::Unclear(many) if looks < many => Seen::Unclear,
            Eyes::LieOnce(at) if looks == at => Seen::At(!self.on),
            _ => Seen::At(self.on),
        }
    }
}

/// How a job went.
#[derive(Debug, Default)]
struct Walk {
    /// What was seen last, if it was done.
    done: Option<Seen>,
    /// In which step it was given up, and how long that had lasted.
    gave_up: Option<(Step, u64)>,
    /// Whether the outlet heard what it was told in the last step.
    told: bool,
    /// Each time it was told to be on in a cycle: for how long it had been off.
    off_for: Vec<u64>,
    /// What it was told last.
    last_told: Option<bool>,
    /// How often it was reset.
    resets: usize,
}

/// Plays the keeper: every step takes a while, and may be the last before a crash.
fn walk(ask: PowerAsk, outlet: &mut Outlet, pauses: &[u64], crashes: &[usize]) -> Walk {
    let (mut now, mut looks, mut walk) = (1_000, 0, Walk::default());
    let (mut told, mut seen) = (false, Seen::Unclear);
    let mut job = Job::new(ask, By::default(), Time(now));
    let mut off_since = None;
    for (count, pause) in pauses.iter().cycle().take(STEPS).enumerate() {
        if crashes.contains(&count) {
            // Gone for a while; then it goes on with what was written down.
            now += 500;
            let step = job.step;
            job = job.entering(step, Time(now));
            (told, seen) = (false, Seen::Unclear);
        }
        outlet.settle(now);
        off_since = if outlet.on { None } else { off_since.or(Some(now)) };
        match job.next(told, seen, Time(now), LIMITS) {
            next @ (Next::Tell(_) | Next::Look) => {
                if let Next::Tell(on) = next {
                    if (ask, job.step) == (PowerAsk::Cycle, Step::On) && walk.last_told != Some(on)
                    {
                        walk.off_for.push(off_since.map_or(0, |since| now - since));
                    }
                    told = outlet.tell(on, now);
                    walk.last_told = Some(on);
                }
                now += pause;
                outlet.settle(now);
                seen = outlet.look(looks);
                looks += 1;
            }
            Next::Reset => {
                told = outlet.reached.pop().unwrap_or(true);
                walk.resets += usize::from(told);
                now += pause;
            }
            Next::Rest(until) => now = until.0,
            Next::Enter(step) => {
                job = job.entering(step, Time(now));
                (told, seen) = (false, Seen::Unclear);
            }
            Next::Done => {
                walk.done = Some(seen);
                break;
            }
            Next::GiveUp => {
                walk.gave_up = Some((job.step, now - job.since.0));
                break;
            }
        }
    }
    outlet.settle(u64::MAX);
    walk.told = told;
    walk
}

/// A lab that was updated goes on with what its earlier daemon had in hand.
#[test]
fn a_job_that_was_written_down_without_who_asked_is_read() {
    let written = r#"{"ask":"cycle","step":"dwell","since":7}"#;
    let job = Job { ask: PowerAsk::Cycle, step: Step::Dwell, since: Time(7), by: By::default() };
    assert_eq!(serde_json::from_str::<Job>(written).expect("a job"), job);
}

/// Planted, and caught here: the request is written down as well.
#[test]
fn a_job_that_is_read_back_knows_who_asked_from_where_and_no_other_daemons_request() {
    let by = By { who: "ada".parse().ok(), via: Some("unix pid 7".to_owned()), request: Some(12) };
    let job = Job::new(PowerAsk::On, by.clone(), Time(7));
    let written = serde_json::to_string(&job).expect("JSON");
    let wanted = r#"{"ask":"on","step":"on","since":7,"who":"ada","via":"unix pid 7"}"#;
    assert_eq!(written, wanted);
    let read: Job = serde_json::from_str(&written).expect("a job");
    assert_eq!(read.by, By { request: None, ..by });
}

fn any_outlet() -> impl Strategy<Value = Outlet> {
    let eyes = prop_oneof![
        3 => Just(Eyes::Clear),
        1 => (0_usize..4).prop_map(Eyes::LieOnce),
        2 => (0_usize..30).prop_map(Eyes::Unclear),
        1 => Just(Eyes::Mute),
    ];
    let delay = prop_oneof![1 => Just(None), 5 => (0_u64..150).prop_map(Some)];
    (any::<bool>(), delay, eyes, vec(any::<bool>(), 0..4))
        .prop_map(|(on, delay, eyes, reached)| Outlet { on, delay, eyes, reached, told: None })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// A reset is tried until it arrives, within its time; power is left alone.
    #[test]
    fn a_reset_resets_and_switches_nothing(
        before in any_outlet(),
        pauses in vec(1_u64..40, 1..10),
    ) {
        let walk = walk(PowerAsk::Reset, &mut before.clone(), &pauses, &[]);
        prop_assert_eq!(walk.last_told, None);
        prop_assert_eq!(walk.resets, usize::from(walk.done.is_some()));
        prop_assert!(walk.gave_up.is_none_or(|(_, lasted)| lasted >= LIMITS.obey.0));
        prop_assert!(walk.done.is_some() || walk.gave_up.is_some());
    }

    /// Every job ends. It is done when that was seen, or cannot be; it is given up after its time
    /// and not before. An outlet that obeys is never left off when it was to be on in the end, and
    /// a cycle shows an edge.
    #[test]
    fn a_job_ends_as_it_was_asked_for(
        ask in select(vec![PowerAsk::On, PowerAsk::Off, PowerAsk::Cycle]),
        before in any_outlet(),
        pauses in vec(1_u64..40, 1..10),
        crashes in vec(0_usize..40, 0..3),
    ) {
        let mut outlet = before.clone();
        let walk = walk(ask, &mut outlet, &pauses, &crashes);
        let wanted = ask != PowerAsk::Off;
        let obeys = before.delay.is_some();
        let lies = matches!(before.eyes, Eyes::LieOnce(_));
        match (walk.done, walk.gave_up) {
            (Some(seen), None) => {
                prop_assert!(seen == Seen::At(wanted) || (walk.told && seen == Seen::Mute));
                prop_assert_eq!(walk.last_told, Some(wanted));
                prop_assert!(lies || before.eyes == Eyes::Mute || outlet.on == wanted);
            }
            (None, Some((Step::Back, _))) => prop_assert!(walk.told && ask == PowerAsk::Cycle),
            (None, Some((step, lasted))) => {
                prop_assert!(lasted >= LIMITS.obey.0, "{:?} was given up early", step);
            }
            other => prop_assert!(false, "{:?}", other),
        }
        let heard = walk.told || (walk.done.is_some() && !lies);
        if obeys && wanted && heard {
            prop_assert!(outlet.on, "the board was left off");
        }
        // Nobody can see the edge of an outlet that is slow and mute.
        let edge_shows = !lies && (before.eyes != Eyes::Mute || before.delay == Some(0));
        if ask == PowerAsk::Cycle && walk.done.is_some() && obeys && edge_shows {
            prop_assert!(walk.off_for.last() >= Some(&LIMITS.dwell.0), "{:?}", walk);
        }
    }
}
