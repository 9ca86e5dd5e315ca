//! The kernel of simulated boards: its log, what it says later, SysRq, panics; and init.

use std::convert::Infallible;
use std::time::Duration;

use super::Character;
use super::board::{End, Hardware};
use super::model::Model;
use super::shell;
use super::wire::Input;

/// How long after a BREAK a key is a SysRq key, as in Linux.
const SYSRQ_WINDOW: Duration = Duration::from_secs(5);
/// `kernel.panic`
const PANIC_TIMEOUT: Duration = Duration::from_secs(5);
/// How many lines the kernel's ring holds.
const RING: usize = 500;

/// A running kernel.
pub(super) struct Linux<'a> {
    pub(super) hardware: &'a mut Hardware,
    pub(super) model: &'static Model,
    /// What `dmesg` shows.
    pub(super) ring: Vec<String>,
    born: Duration,
    sysrq_until: Option<Duration>,
    due: Option<(Duration, Happening)>,
}

/// What a kernel does of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Happening {
    Chatter,
    Oops,
}

/// Boots, and runs until something ends it.
pub(super) async fn run(
    hardware: &mut Hardware,
    model: &'static Model,
    character: Character,
) -> Result<Infallible, End> {
    let born = hardware.now();
    let mut linux = Linux { hardware, model, ring: Vec::new(), born, sysrq_until: None, due: None };
    linux.boot().await?;
    linux.plan(character);
    shell::serve(&mut linux).await
}

impl Linux<'_> {
    /// Time since the kernel started.
    pub(super) fn uptime(&self) -> Duration {
        self.hardware.now() - self.born
    }

    /// A kernel message, on the console and in the ring.
    pub(super) async fn message(&mut self, text: &str) {
        self.stamped(self.uptime(), text).await;
    }

    /// The next key that is not the kernel's. Whatever happens meanwhile, happens.
    ///
    /// # Errors
    /// If the kernel comes to its end first.
    pub(super) async fn key(&mut self) -> Result<u8, End> {
        loop {
            let input = match self.due {
                Some((due, _)) => self.hardware.input_until(due).await,
                None => Some(self.hardware.input().await),
            };
            match input {
                None => self.happen().await?,
                Some(input) => {
                    if let Some(key) = self.filter(input).await? {
                        return Ok(key);
                    }
                }
            }
        }
    }

    /// The next key, or `None` if it is `until` first.
    ///
    /// # Errors
    /// If the kernel comes to its end first.
    pub(super) async fn key_until(&mut self, until: Duration) -> Result<Option<u8>, End> {
        loop {
            let next = self.due.map_or(until, |(due, _)| due.min(until));
            match self.hardware.input_until(next).await {
                None if next == until => return Ok(None),
                None => self.happen().await?,
                Some(input) => {
                    if let Some(key) = self.filter(input).await? {
                        return Ok(Some(key));
                    }
                }
            }
        }
    }

    /// Does what a SysRq key asks for.
    ///
    /// # Errors
    /// If that ends the kernel.
    pub(super) async fn sysrq(&mut self, key: u8) -> Result<(), End> {
        match key {
            b'b' => {
                self.message("sysrq: Resetting").await;
                Err(End::Reset)
            }
            b'c' => {
                self.message("sysrq: Trigger a crash").await;
                self.panic("sysrq triggered crash").await
            }
            b'o' => {
                self.message("sysrq: Power Off").await;
                self.message("reboot: Power down").await;
                Err(End::Halt)
            }
            b's' => {
                self.message("sysrq: Emergency Sync").await;
                self.message("Emergency Sync complete").await;
                Ok(())
            }
            _ => {
                self.message(SYSRQ_HELP).await;
                Ok(())
            }
        }
    }

    async fn boot(&mut self) -> Result<(), End> {
        let log = self.hardware.fill(self.model.log);
        let (mut written, mut stamp) = (Duration::ZERO, Duration::ZERO);
        for line in log.lines() {
            let (at, text) = split_stamp(line);
            // Every step takes a little less or more than the last time.
            stamp += (at - written) * self.hardware.random.within(85..115) as u32 / 100;
            written = at;
            self.pass(self.born + stamp).await?;
            self.stamped(stamp, text).await;
        }
        self.hardware.play(self.model.init).await;
        Ok(())
    }

    /// Lets time pass. What is typed is lost, but for SysRq.
    async fn pass(&mut self, until: Duration) -> Result<(), End> {
        while let Some(input) = self.hardware.input_until(until).await {
            self.filter(input).await?;
        }
        Ok(())
    }

    async fn stamped(&mut self, stamp: Duration, text: &str) {
        let line = format!("[{:5}.{:06}] {text}\n", stamp.as_secs(), stamp.subsec_micros());
        self.hardware.print(&line).await;
        if self.ring.len() == RING {
            self.ring.remove(0);
        }
        self.ring.push(line);
    }

    /// Takes what is the kernel's: a BREAK, and the key after it.
    async fn filter(&mut self, input: Input) -> Result<Option<u8>, End> {
        match input {
            Input::Break => {
                self.sysrq_until = Some(self.hardware.now() + self.hardware.by_hand(SYSRQ_WINDOW));
                Ok(None)
            }
            Input::Byte(key) => {
                let armed = self.sysrq_until.take();
                if armed.is_some_and(|until| self.hardware.now() < until) {
                    self.sysrq(key).await?;
                    return Ok(None);
                }
                Ok(Some(key))
            }
        }
    }

    /// Decides what will happen of itself. One board in two is talkative.
    fn plan(&mut self, character: Character) {
        let (now, random) = (self.hardware.now(), &mut self.hardware.random);
        let talkative = random.once_in(2);
        let mut after = |range| now + Duration::from_millis(random.within(range));
        self.due = match character {
            Character::Panics => Some((after(4_000..12_000), Happening::Oops)),
            _ if talkative => Some((after(20_000..60_000), Happening::Chatter)),
            _ => None,
        };
    }

    async fn happen(&mut self) -> Result<(), End> {
        match self.due.take() {
            Some((_, Happening::Oops)) => self.oops().await,
            Some((_, Happening::Chatter)) => {
                self.chat().await;
                Ok(())
            }
            None => Ok(()),
        }
    }

    async fn chat(&mut self) {
        let which = self.hardware.random.within(0..self.model.chatter.len() as u64);
        let text = self.hardware.fill(self.model.chatter[which as usize]);
        self.message(&text).await;
        let pause = Duration::from_millis(self.hardware.random.within(20_000..60_000));
        self.due = Some((self.hardware.now() + pause, Happening::Chatter));
    }

    async fn oops(&mut self) -> Result<(), End> {
        for line in self.hardware.fill(self.model.oops).lines() {
            self.message(line).await;
        }
        self.panic("Oops: Fatal exception in interrupt").await
    }

    async fn panic(&mut self, why: &str) -> Result<(), End> {
        self.message(&format!("Kernel panic - not syncing: {why}")).await;
        self.message("SMP: stopping secondary CPUs").await;
        self.message("Kernel Offset: disabled").await;
        self.message(&format!("Rebooting in {} seconds..", PANIC_TIMEOUT.as_secs())).await;
        self.hardware.wait(PANIC_TIMEOUT).await;
        Err(End::Reset)
    }
}

/// `[    0.412345] text`
fn split_stamp(line: &str) -> (Duration, &str) {
    let stamped = line.strip_prefix('[').and_then(|rest| rest.split_once("] "));
    let stamped = stamped.and_then(|(at, text)| Some((at.trim().parse::<f64>().ok()?, text)));
    stamped.map_or((Duration::ZERO, line), |(at, text)| (Duration::from_secs_f64(at), text))
}

const SYSRQ_HELP: &str = "sysrq: HELP : loglevel(0-9) reboot(b) crash(c) terminate-all-tasks(e) \
    memory-full-oom-kill(f) kill-all-tasks(i) thaw-filesystems(j) sak(k) \
    show-backtrace-all-active-cpus(l) show-memory-usage(m) nice-all-RT-tasks(n) poweroff(o) \
    show-registers(p) show-all-timers(q) unraw(r) sync(s) show-task-states(t) unmount(u) \
    show-blocked-tasks(w)";
