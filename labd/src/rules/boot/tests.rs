use super::*;
use Outcome::{Cut, Done, Panicked};

fn at(ms: u64) -> Moment {
    Moment { at: Time(ms), offset: ms }
}

/// The stage and the pattern of a line, as the default plan has it.
fn sight(line: &str) -> Sight {
    let plan = Plan::default();
    let matches = |pattern: &String| regex::Regex::new(pattern).expect("a pattern").is_match(line);
    if plan.panic.iter().any(matches) {
        return Sight::Panic;
    }
    let stages = plan.stages.iter().enumerate();
    let mut found = stages.filter_map(|(stage, has)| {
        Some(Sight::Stage(stage, has.patterns.iter().position(matches)?))
    });
    found.next().unwrap_or_else(|| panic!("{line}"))
}

/// What becomes of lines that come a second after each other.
fn boots(tracker: &mut Tracker, lines: &[&str]) -> Vec<Boot> {
    let mut boots: Vec<Boot> = Vec::new();
    for (second, line) in (1..).zip(lines) {
        let now = at(second * 1_000);
        let changes = match *line {
            "on" => tracker.switch(true, now),
            "off" => tracker.switch(false, now),
            "reset" => tracker.reset(now),
            line => tracker.see(&Plan::default(), sight(line), now),
        };
        for boot in changes.into_iter().filter_map(|change| change.boot) {
            boots.retain(|known| known.number != boot.number);
            boots.push(boot);
        }
    }
    boots
}

type Told = (Cause, Vec<(&'static str, u64)>, Outcome);

fn told(boots: &[Boot]) -> Vec<Told> {
    let stages = |boot: &'_ Boot| -> Vec<(&'static str, u64)> {
        let names = ["rom", "u-boot", "grub", "kernel", "init", "login"];
        let name = |stage: &str| *names.iter().find(|name| **name == stage).expect("a stage");
        boot.stages.iter().map(|it| (name(&it.stage), it.after.0 / 1_000)).collect()
    };
    boots.iter().map(|boot| (boot.cause, stages(boot), boot.outcome)).collect()
}

const SPL: &str = "U-Boot SPL 2024.01 (Jan 08 2024)";
const BL31: &str = "NOTICE:  BL31: v2.9(release):v2.9";
const U_BOOT: &str = "U-Boot 2024.01 (Jan 08 2024 - 15:37:48 +0000)";
const KERNEL: &str = "[    0.000000] Linux version 6.6.8 (gcc)";
const INIT: &str = "[    3.1] systemd[1]: Detected architecture arm64.";
const LOGIN: &str = "buildroot login: ";
const PANIC: &str = "[    2.5] Kernel panic - not syncing: VFS";

#[test]
fn a_boot_goes_from_power_to_login() {
    let lines = ["on", SPL, BL31, U_BOOT, KERNEL, INIT, LOGIN, KERNEL, "off"];
    let stages = vec![("rom", 1), ("u-boot", 3), ("kernel", 4), ("init", 5), ("login", 6)];
    assert_eq!(told(&boots(&mut Tracker::default(), &lines)), [(Cause::Power, stages, Done)]);
}

#[test]
fn a_board_that_begins_again_boots_anew() {
    let lines = [SPL, U_BOOT, KERNEL, PANIC, SPL, BL31, SPL, U_BOOT, U_BOOT, LOGIN, "reset", "off"];
    assert_eq!(
        told(&boots(&mut Tracker::default(), &lines)),
        [
            (Cause::Itself, vec![("rom", 0), ("u-boot", 1), ("kernel", 2)], Panicked),
            (Cause::Itself, vec![("rom", 0)], Cut),
            (Cause::Itself, vec![("rom", 0), ("u-boot", 1)], Cut),
            (Cause::Itself, vec![("u-boot", 0), ("login", 1)], Done),
            (Cause::Reset, vec![], Cut),
        ]
    );
}

#[test]
fn a_boot_goes_on_under_the_next_daemon() {
    let mut tracker = Tracker::default();
    let before = boots(&mut tracker, &["on", SPL, U_BOOT]);
    let mut tracker = Tracker::new(before.last().cloned(), Some(true));
    let after = boots(
        &mut tracker,
        &["on", U_BOOT, "x", KERNEL, "off"].map(|l| if l == "x" { KERNEL } else { l }),
    );
    assert_eq!(after.len(), 1);
    assert_eq!((after[0].number, after[0].outcome, after[0].stages.len()), (1, Cut, 3));
}

#[test]
fn what_somebody_else_switches_on_is_no_edge() {
    let mut tracker = Tracker::new(None, None);
    assert_eq!(tracker.notice(false, at(1)), None);
    assert_eq!(tracker.notice(true, at(2)), None);
    assert_eq!(tracker.switch(true, at(3)), []);
    tracker.reset(at(4));
    assert_eq!(tracker.notice(true, at(5)), None);
    assert!(tracker.notice(false, at(6)).is_some(), "it is cut");
    // Somebody has it switched whose outlet cannot tell.
    assert_eq!(Tracker::new(None, None).switch(true, at(4)).len(), 1);
}

#[test]
fn who_prints_a_boot_loaders_name_all_day_is_not_booting() {
    let mut tracker = Tracker::default();
    let lines = vec![U_BOOT; 100];
    let boots = boots(&mut tracker, &lines);
    assert_eq!(boots.len(), RESTARTS.times);
}

#[test]
fn a_panic_without_a_boot_is_told_all_the_same() {
    let mut tracker = Tracker::default();
    let panic = tracker.see(&Plan::default(), Sight::Panic, at(1));
    assert_eq!(panic, [Change { event: Event::Panicked, offset: 1, boot: None }]);
}

/// A history of boots that reach the kernel after 1.00, 1.01, … seconds.
fn history(boots: u64) -> History {
    let mut history = History::default();
    for n in 0..boots {
        let stage = |stage: &str, after| Reached { stage: stage.to_owned(), after, offset: 0 };
        let kernel = stage("kernel", Span(1_000 + 10 * n));
        history.learn(&Boot {
            number: n,
            at: Time(0),
            offset: 0,
            cause: Cause::Power,
            stages: vec![kernel, stage("login", Span(9_000))],
            outcome: Done,
            took: None,
            hung: false,
        });
    }
    history
}

#[test]
fn it_is_known_how_long_boots_take() {
    assert_eq!(history(19).all_usual(), []);
    let [beginning, kernel] = &history(100).all_usual()[..] else { panic!("two stages") };
    let usual = [beginning.p50, beginning.p95, beginning.p99];
    assert_eq!(
        (beginning.stage.as_deref(), usual),
        (None, [Span(1_490), Span(1_940), Span(1_980)])
    );
    assert_eq!((kernel.stage.as_deref(), kernel.boots), (Some("kernel"), 100));
}

#[test]
fn a_boot_hangs_until_it_goes_on() {
    let mut tracker = Tracker::default();
    tracker.switch(true, at(0));
    let history = history(100);
    assert_eq!(tracker.look(&history, at(1_980)), None);
    let hung = tracker.look(&history, at(1_981)).expect("it hangs");
    assert_eq!(hung.event, Event::BootHung { number: 1, stage: None, usual: Span(1_980) });
    assert_eq!(tracker.look(&history, at(9_000)), None);
    let changes = tracker.see(&Plan::default(), sight(KERNEL), at(9_000));
    assert!(!changes[0].boot.as_ref().expect("a boot").hung);
    tracker.switch(false, at(9_500));
    assert_eq!(tracker.look(&history, at(90_000)), None);
}

#[test]
fn the_default_patterns_can_be_looked_for() {
    let Plan { stages, panic } = Plan::default();
    for pattern in stages.iter().flat_map(|stage| &stage.patterns).chain(&panic) {
        assert_eq!(super::super::pattern::check(pattern), Ok(()), "{pattern}");
    }
}
