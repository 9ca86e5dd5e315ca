//! A person at a simulated board's console. Nothing here waits but for what the board says.

use std::time::Duration;

use futures::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use super::*;
use crate::console::{Console, Port};
use crate::power::{Error, Power};

/// Far beyond what anything here takes.
const LIMIT: Duration = Duration::from_secs(30);
/// Slow enough to hit a key within the countdown.
const BY_HAND: f64 = 5.0;

struct Seat {
    sim: Sim,
    port: Box<dyn Port>,
    /// Everything that was said so far.
    seen: String,
    /// How much of it was waited for.
    read: usize,
}

impl Seat {
    async fn at(kind: Kind, character: Character, seed: u64, speed: f64) -> Seat {
        let sim = Sim::new(kind, character, seed, speed);
        let port = sim.open().await.unwrap();
        Seat { sim, port, seen: String::new(), read: 0 }
    }

    /// At a board that is on.
    async fn on(kind: Kind, character: Character, seed: u64, speed: f64) -> Seat {
        let seat = Seat::at(kind, character, seed, speed).await;
        seat.sim.set(true).await.unwrap();
        seat
    }

    /// At the shell of a steady board.
    async fn logged_in() -> Seat {
        let mut seat = Seat::on(Kind::UbootArm64, Character::Steady, 1, 100.0).await;
        seat.until("login: ").await;
        seat.types("root\r").await;
        seat.until("# ").await;
        seat
    }

    async fn types(&mut self, keys: &str) {
        self.port.write_all(keys.as_bytes()).await.unwrap();
        self.port.flush().await.unwrap();
    }

    async fn breaks(&mut self) {
        self.port.set_break(true).unwrap();
        self.port.set_break(false).unwrap();
        self.port.flush().await.unwrap();
    }

    /// Reads on until `text` is said. Returns everything from the last time up to its end.
    async fn until(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = self.seen[self.read..].find(text) {
                let from = self.read;
                self.read += at + text.len();
                return self.seen[from..self.read].to_owned();
            }
            if timeout(LIMIT, self.more()).await.is_err() {
                panic!("no {text:?} in {:?}", &self.seen[self.read..]);
            }
        }
    }

    async fn more(&mut self) {
        let mut buffer = [0; 512];
        let count = self.port.read(&mut buffer).await.unwrap();
        assert_ne!(count, 0, "the line ended");
        self.seen.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
    }

    /// Runs a command at the shell. Returns its output.
    async fn runs(&mut self, command: &str) -> String {
        self.types(&format!("{command}\r")).await;
        self.until("\r\n").await;
        let output = self.until("# ").await;
        output.strip_suffix("# ").unwrap().to_owned()
    }

    /// Takes what has been said and not been read.
    fn drain(&mut self) {
        while self.more().now_or_never().is_some() {}
        self.read = self.seen.len();
    }

    async fn reaches(&self, on: bool) {
        let reached = async {
            while self.sim.get().await != Ok(Some(on)) {
                tokio::task::yield_now().await;
            }
        };
        timeout(LIMIT, reached).await.unwrap();
    }
}

fn stamps(text: &str) -> Vec<f64> {
    let stamped = text.lines().filter_map(|line| line.strip_prefix('[')?.split_once("] "));
    stamped.filter_map(|(stamp, _)| stamp.trim().parse().ok()).collect()
}

#[tokio::test]
async fn every_kind_boots_to_a_login_that_answers() {
    for (kind, first, machine) in [
        (Kind::UbootArm64, "U-Boot SPL", "aarch64"),
        (Kind::UbootRiscv64, "OpenSBI", "riscv64"),
        (Kind::X86Uefi, "GNU GRUB", "x86_64"),
    ] {
        let mut seat = Seat::on(kind, Character::Steady, 7, 100.0).await;
        let boot = seat.until("login: ").await;
        assert!((4_000..14_000).contains(&boot.len()), "{kind} says {} bytes", boot.len());
        assert!(boot.find(first).unwrap() < boot.find("Linux version").unwrap());
        let stamps = stamps(&boot);
        assert!((60..150).contains(&stamps.len()), "{kind} says {} lines", stamps.len());
        assert!(stamps.is_sorted(), "{kind}");
        assert!(!boot.contains(['{', '}']), "{kind} has a hole in its text");
        assert_eq!(boot.matches('\n').count(), boot.matches("\r\n").count());
        seat.types("root\r").await;
        if kind == Kind::X86Uefi {
            seat.until("Password: ").await;
            seat.types("secret\r").await;
        }
        let welcome = seat.until("# ").await;
        assert!(!welcome.contains("secret"));
        assert!(seat.runs("uname -a").await.contains(machine));
    }
}

/// From power to login takes 3 to 6 s of the board's own time.
#[tokio::test]
async fn a_boot_takes_its_time() {
    for kind in [Kind::UbootArm64, Kind::UbootRiscv64, Kind::X86Uefi] {
        let started = std::time::Instant::now();
        let mut seat = Seat::on(kind, Character::Steady, 7, 10.0).await;
        seat.until("login: ").await;
        let took = started.elapsed().as_secs_f64() * 10.0;
        assert!(took > 3.0, "{kind} took {took} s");
    }
}

#[tokio::test]
async fn a_key_stops_the_countdown() {
    let mut seat = Seat::on(Kind::UbootArm64, Character::Steady, 7, BY_HAND).await;
    seat.until("Hit any key to stop autoboot:  3 ").await;
    seat.types(" ").await;
    seat.until("=> ").await;
    seat.types("version\r").await;
    assert!(seat.until("=> ").await.contains("U-Boot 2026.01"));
    seat.types("frobnicate\r").await;
    assert!(seat.until("=> ").await.contains("Unknown command 'frobnicate'"));
    seat.types("boot\r").await;
    seat.until("Starting kernel").await;
    seat.until("login: ").await;
}

/// What is set lasts until the reset; what is saved lasts longer than the power.
#[tokio::test]
async fn saved_variables_survive_the_power() {
    let mut seat = Seat::on(Kind::UbootRiscv64, Character::Steady, 7, BY_HAND).await;
    seat.until("autoboot:  3 ").await;
    seat.types(" setenv bootdelay -1\rsaveenv\rsetenv colour blue\rprintenv colour\r").await;
    seat.until("\ncolour=blue").await;
    seat.until("=> ").await;
    seat.types("reset\r").await;
    // With a delay of -1 nothing is counted.
    seat.until("Net:").await;
    assert!(!seat.until("=> ").await.contains("autoboot"));
    seat.sim.set(false).await.unwrap();
    seat.sim.set(true).await.unwrap();
    seat.until("Net:").await;
    seat.until("=> ").await;
    seat.types("printenv colour\r").await;
    seat.until("\"colour\" not defined").await;
}

#[tokio::test]
async fn grub_waits_once_a_key_was_hit() {
    let mut seat = Seat::on(Kind::X86Uefi, Character::Steady, 7, BY_HAND).await;
    seat.until("automatically in 3s").await;
    seat.types("c").await;
    seat.until("grub> ").await;
    seat.types("ls\r").await;
    seat.until("(hd0,gpt1)").await;
    seat.types("boot\r").await;
    seat.until("Linux version").await;
}

#[tokio::test]
async fn a_seed_is_a_board() {
    let mut said = Vec::new();
    for seed in [7, 7, 8] {
        let mut seat = Seat::on(Kind::UbootArm64, Character::Panics, seed, 100.0).await;
        let mut boots = seat.until("Rebooting in").await;
        boots += &seat.until("login: ").await;
        said.push(boots);
    }
    assert_eq!(said[0], said[1]);
    assert_ne!(said[0], said[2]);
}

#[tokio::test]
async fn a_board_that_panics_boots_again() {
    for kind in [Kind::UbootArm64, Kind::UbootRiscv64, Kind::X86Uefi] {
        let mut seat = Seat::on(kind, Character::Panics, 3, 100.0).await;
        for _ in 0..2 {
            seat.until("login: ").await;
            let panic = seat.until("Rebooting in 5 seconds..\r\n").await;
            assert!(panic.contains("end trace"), "{panic}");
            assert!(panic.contains("Kernel panic - not syncing"), "{panic}");
            assert!(stamps(&panic).iter().all(|at| (4.0..16.0).contains(at)), "{panic}");
            assert!(stamps(&panic).is_sorted());
        }
        assert_eq!(seat.sim.get().await, Ok(Some(true)));
    }
}

/// One in two, every 20 to 60 s.
#[tokio::test]
async fn talkative_boards_speak_up_now_and_then() {
    let mut talkative = 0;
    for seed in 0..8 {
        let mut seat = Seat::on(Kind::UbootRiscv64, Character::Steady, seed, 1_000.0).await;
        seat.until("login: ").await;
        seat.types("root\r").await;
        seat.until("# ").await;
        let said = stamps(&seat.runs("sleep 300").await);
        assert!(said.is_empty() || (4..=15).contains(&said.len()), "{said:?}");
        assert!(said.windows(2).all(|two| (19.9..61.0).contains(&(two[1] - two[0]))), "{said:?}");
        talkative += usize::from(!said.is_empty());
    }
    assert!((1..8).contains(&talkative), "{talkative} of 8");
}

#[tokio::test]
async fn the_outlet_takes_a_moment() {
    let sim = Sim::new(Kind::UbootArm64, Character::Steady, 7, 1.0);
    assert_eq!(sim.get().await, Ok(Some(false)));
    sim.set(true).await.unwrap();
    assert_eq!(sim.get().await, Ok(None));
    sim.set(false).await.unwrap();
    assert_eq!(sim.get().await, Ok(Some(false)));
}

#[tokio::test]
async fn a_reset_begins_again_with_the_power_on() {
    let mut seat = Seat::logged_in().await;
    seat.sim.reset().await.unwrap();
    assert_eq!(seat.sim.get().await, Ok(Some(true)));
    // A kernel that goes on talks now and then, and would do so for ever.
    timeout(LIMIT, seat.until("SPL")).await.unwrap();
    seat.until("login: ").await;
    seat.sim.set(false).await.unwrap();
    assert!(matches!(seat.sim.reset().await, Err(Error::Refused { .. })));
}

/// Nothing is said after the power is cut, not even the end of the line.
#[tokio::test]
async fn power_off_silences_at_once() {
    let mut cut_in_a_line = 0;
    for seed in 0..10 {
        let mut seat = Seat::on(Kind::UbootArm64, Character::Steady, seed, BY_HAND * 4.0).await;
        seat.until("Linux version").await;
        seat.sim.set(false).await.unwrap();
        seat.drain();
        assert_eq!(seat.sim.get().await, Ok(Some(false)));
        cut_in_a_line += usize::from(!seat.seen.ends_with('\n'));
        let last = seat.seen.len();
        seat.sim.set(true).await.unwrap();
        seat.until("SPL").await;
        assert!(seat.seen[last..].starts_with("LAB DDR"), "{}", &seat.seen[last..]);
    }
    assert_ne!(cut_in_a_line, 0);
}

#[tokio::test]
async fn typing_at_a_board_that_is_off_is_lost() {
    let mut seat = Seat::at(Kind::UbootArm64, Character::Steady, 7, 100.0).await;
    seat.types("   ").await;
    seat.sim.set(true).await.unwrap();
    assert!(!seat.until("login: ").await.contains("=> "));
}

#[tokio::test]
async fn a_board_that_repeats_itself_still_listens() {
    let mut seat = Seat::logged_in().await;
    seat.types("yes\r").await;
    seat.until("y\r\ny\r\n").await;
    seat.types("\x03").await;
    seat.until("^C\r\n# ").await;
}

#[tokio::test]
async fn a_break_and_a_key_are_sysrq() {
    let mut seat = Seat::logged_in().await;
    seat.types("h").await;
    seat.breaks().await;
    seat.types("h").await;
    assert!(!seat.until("sysrq: HELP : loglevel(0-9) reboot(b)").await.contains("not found"));
    seat.types("\x08echo fine\r").await;
    assert!(!seat.until("\r\nfine\r\n").await.contains("HELP"));
    seat.breaks().await;
    seat.types("b").await;
    seat.until("sysrq: Resetting").await;
    seat.until("U-Boot SPL").await;
    seat.until("Booting Linux").await;
    seat.breaks().await;
    seat.types("h").await;
    seat.until("sysrq: HELP").await;
}

/// A board's seconds may be short; nobody's fingers are faster for it.
#[tokio::test(start_paused = true)]
async fn after_a_break_there_is_time_to_hit_a_key_at_a_fast_board_too() {
    let mut seat = Seat::logged_in().await;
    seat.breaks().await;
    sleep(Duration::from_secs(4)).await;
    seat.types("h").await;
    seat.until("sysrq: HELP").await;
    seat.breaks().await;
    sleep(Duration::from_secs(6)).await;
    seat.types("no-sysrq\r").await;
    seat.until("no-sysrq: not found").await;
}

#[tokio::test]
async fn the_shell_answers() {
    let mut seat = Seat::logged_in().await;
    assert!(seat.runs("cat /etc/os-release").await.contains("Lab Linux"));
    assert!(seat.runs("dmesg").await.contains("Booting Linux"));
    assert!(seat.runs("free").await.contains("Mem:"));
    assert!(seat.runs("ps").await.contains("ttyS2"));
    assert!(seat.runs("ls /").await.contains("etc"));
    assert!(seat.runs("uptime").await.contains("load average"));
    assert_eq!(
        seat.runs("nonsense; echo status=$?").await,
        "-sh: nonsense: not found\r\nstatus=127\r\n"
    );
    assert_eq!(seat.runs("echp\x7f\x7fho 'a;  b'").await, "a;  b\r\n");
    seat.types("sleep 100000\r\x03").await;
    seat.until("^C\r\n# ").await;
    seat.types("exit\r").await;
    seat.until("login: ").await;
    seat.types("eve\rguess\r").await;
    seat.until("Login incorrect").await;
}

#[tokio::test]
async fn a_crash_on_demand_and_an_orderly_reboot() {
    let mut seat = Seat::logged_in().await;
    seat.types("echo c > /proc/sysrq-trigger\r").await;
    seat.until("Kernel panic - not syncing: sysrq triggered crash").await;
    seat.until("U-Boot SPL").await;
    seat.until("login: ").await;
    seat.types("root\r").await;
    seat.until("# ").await;
    seat.types("reboot\r").await;
    seat.until("reboot: Restarting system").await;
    seat.until("U-Boot SPL").await;
}

/// A guest that powers itself off leaves its supply on, and says nothing until that is cycled.
#[tokio::test]
async fn poweroff_is_for_good() {
    let mut seat = Seat::logged_in().await;
    seat.types("poweroff\r").await;
    seat.until("reboot: Power down\r\n").await;
    assert_eq!(seat.sim.get().await, Ok(Some(true)));
    seat.types("root\r").await;
    seat.sim.set(false).await.unwrap();
    seat.drain();
    assert!(seat.seen.ends_with("reboot: Power down\r\n"));
    seat.sim.set(true).await.unwrap();
    seat.until("login: ").await;
}

#[tokio::test]
async fn a_flaky_outlet_misses_orders_and_questions() {
    let (mut missed, mut silent, mut orders) = (0, 0, 0);
    let seat = Seat::at(Kind::UbootArm64, Character::Flaky, 11, 1_000.0).await;
    let mut on = false;
    for _ in 0..100 {
        orders += 1;
        match seat.sim.set(!on).await {
            Err(Error::Silent { device, .. }) => {
                assert!(device.starts_with("sim uboot-arm64 #"));
                silent += 1;
            }
            Err(why) => panic!("{why}"),
            Ok(()) if seat.sim.board().supply() == Some(on) => missed += 1,
            Ok(()) => {
                on = !on;
                seat.reaches(on).await;
            }
        }
    }
    assert!((5..40).contains(&missed), "missed {missed} of {orders}");
    assert!((3..30).contains(&silent), "silent at {silent} of {orders}");
}

#[tokio::test]
async fn other_outlets_never_fail() {
    let seat = Seat::at(Kind::UbootArm64, Character::Steady, 11, 1_000.0).await;
    for on in [true, false].repeat(50) {
        seat.sim.set(on).await.unwrap();
        seat.reaches(on).await;
    }
}

#[tokio::test]
async fn stuck_outlets_stay_where_they_are() {
    let mut stuck = Seat::at(Kind::UbootArm64, Character::StuckOn, 7, 100.0).await;
    stuck.reaches(true).await;
    stuck.sim.set(false).await.unwrap();
    assert_eq!(stuck.sim.get().await, Ok(Some(true)));
    stuck.until("login: ").await;
    let dead = Seat::at(Kind::UbootArm64, Character::StuckOff, 7, 100.0).await;
    dead.sim.set(true).await.unwrap();
    assert_eq!(dead.sim.get().await, Ok(Some(false)));
}

#[tokio::test]
async fn a_silent_board_has_power_and_nothing_to_say() {
    let mut seat = Seat::on(Kind::X86Uefi, Character::Silent, 7, 100.0).await;
    seat.reaches(true).await;
    seat.types("root\r").await;
    seat.drain();
    assert_eq!(seat.seen, "");
}

#[tokio::test]
async fn a_console_is_open_to_one_at_a_time() {
    let seat = Seat::at(Kind::UbootArm64, Character::Steady, 7, 100.0).await;
    let why = seat.sim.open().await.err().unwrap();
    assert_eq!(why.kind(), std::io::ErrorKind::ResourceBusy);
    drop(seat.port);
    assert!(seat.sim.open().await.is_ok());
}

/// The device goes with the board: its line must not wait for ever.
#[tokio::test]
async fn the_line_ends_with_the_board() {
    let Seat { sim, mut port, .. } = Seat::on(Kind::UbootArm64, Character::Steady, 7, 100.0).await;
    drop(sim);
    let mut rest = Vec::new();
    timeout(LIMIT, port.read_to_end(&mut rest)).await.unwrap().unwrap();
}

#[test]
fn boards_that_are_configured_alike_are_not_one() {
    let board = || Sim::new(Kind::X86Uefi, Character::Steady, 7, 1.0);
    let (one, other) = (board(), board());
    assert_eq!(one, other);
    assert_ne!(one.to_string(), other.to_string());
    assert_ne!(one, Sim::new(Kind::X86Uefi, Character::Steady, 8, 1.0));
}

fn read(text: &str) -> Result<Sim, Vec<String>> {
    let faults = crate::config::fault::Faults::default();
    let value = crate::config::ucl::parse(text, std::path::Path::new("labd.conf"), &faults);
    let mut table = Table::new(&value, &faults);
    let sim = Sim::read(&mut table);
    table.finish();
    let faults = faults.into_sorted();
    if faults.is_empty() {
        Ok(sim.unwrap())
    } else {
        Err(faults.into_iter().map(|fault| fault.message).collect())
    }
}

#[test]
fn settings_are_read_and_faults_told() {
    assert_eq!(read("").unwrap().settings.kind, Kind::UbootArm64);
    let all = read("kind = x86-uefi; character = flaky; seed = 7; speed = 2").unwrap();
    assert_eq!(all, Sim::new(Kind::X86Uefi, Character::Flaky, 7, 2.0));
    assert_eq!(read("switch = poe; port = 3").unwrap().to_string(), "sim poe port 3");
    assert_eq!(read("speed = 0; kind = toaster").unwrap_err().len(), 2);
    assert_eq!(read("switch = poe").unwrap_err().len(), 1);
}
