//! The task that is a simulated board: its supply, its outlet, its sense of time.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::model::{Loader, Model};
use super::random::Random;
use super::uboot::Environment;
use super::wire::{Input, SimPort, Wire};
use super::{Character, Settings, Speed, linux, uboot, uefi};

/// A USB adapter hands over up to so many bytes at once.
const PACKET: usize = 64;
/// 115200 8N1: ten bits a byte.
const BYTE_TIME: Duration = Duration::from_nanos(86_806);
/// How long an outlet that does not answer is waited for, by the board's clock.
const LIMIT: Duration = Duration::from_secs(2);

/// A board, as its drivers see it. The task ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Board {
    character: Character,
    speed: Speed,
    /// Where the outlet's relay stands.
    relay: watch::Sender<bool>,
    /// Whether the board has its voltages.
    supply: watch::Receiver<bool>,
    /// The reset line.
    reset: Arc<Notify>,
    wire: Arc<Wire>,
    /// What decides on a flaky outlet's moods.
    chance: Mutex<Random>,
}

/// How an outlet takes an order or a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// It does what it is told.
    Willing,
    /// It says yes, and does nothing.
    Deaf,
    /// It does not answer within this time, and does nothing.
    Mute(Duration),
}

impl Board {
    /// Starts a board's task. It is off, unless it is stuck on.
    pub(super) fn start(settings: &Settings, seed: u64) -> Board {
        let (relay, orders) = watch::channel(settings.character == Character::StuckOn);
        let (voltage, supply) = watch::channel(false);
        let wire = Arc::new(Wire::default());
        let life = Life::new(settings, seed, wire.clone());
        let reset = life.reset.clone();
        tokio::spawn(life.live(orders, voltage));
        Board {
            character: settings.character,
            speed: settings.speed,
            relay,
            supply,
            reset,
            wire,
            chance: Mutex::new(Random::new(seed, 1)),
        }
    }

    /// Moves the relay. Returns from switching off when the board is dead.
    pub(crate) async fn switch(&self, on: bool) {
        if matches!(self.character, Character::StuckOn | Character::StuckOff) {
            return;
        }
        self.relay.send_replace(on);
        if !on {
            // The other end is only gone while the runtime ends.
            let _ = self.supply.clone().wait_for(|on| !on).await;
        }
    }

    /// The software begins again, if the board has power.
    pub(crate) fn reset(&self) {
        self.reset.notify_waiters();
    }

    /// Whether the board has power; `None` while its voltages rise.
    pub(crate) fn supply(&self) -> Option<bool> {
        let (relay, supply) = (*self.relay.borrow(), *self.supply.borrow());
        (relay == supply).then_some(supply)
    }

    /// How the outlet takes the next order.
    pub(crate) fn mood_for_order(&self) -> Mood {
        match self.mood_for_question() {
            Mood::Willing if self.flaky() && self.chance.lock().once_in(6) => Mood::Deaf,
            mood => mood,
        }
    }

    /// How the outlet takes the next question.
    pub(crate) fn mood_for_question(&self) -> Mood {
        if self.flaky() && self.chance.lock().once_in(8) {
            Mood::Mute(LIMIT.div_f64(self.speed.0))
        } else {
            Mood::Willing
        }
    }

    /// Opens the console; `None` if it is open already.
    pub(crate) fn open(&self) -> Option<SimPort> {
        self.wire.open()
    }

    fn flaky(&self) -> bool {
        self.character == Character::Flaky
    }
}

/// How a run of some software ends, short of a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The board starts again from its first instruction.
    Reset,
    /// The board stops; its supply stays on.
    Halt,
}

/// What the task owns.
struct Life {
    model: &'static Model,
    character: Character,
    reset: Arc<Notify>,
    hardware: Hardware,
    /// What the boot loader's flash holds, over power cuts too.
    flash: Option<Environment>,
}

impl Life {
    fn new(settings: &Settings, seed: u64, wire: Arc<Wire>) -> Life {
        Life {
            model: settings.kind.model(),
            character: settings.character,
            reset: Arc::default(),
            hardware: Hardware::new(wire, settings.speed, seed),
            flash: None,
        }
    }

    /// Follows the relay until nobody can move it any more.
    async fn live(mut self, mut relay: watch::Receiver<bool>, supply: watch::Sender<bool>) {
        while relay.wait_for(|on| *on).await.is_ok() {
            tokio::select! {
                biased;
                cut = async { relay.wait_for(|on| !on).await.is_ok() } => if !cut { return },
                never = self.powered(&supply) => match never {},
            }
            supply.send_replace(false);
        }
    }

    async fn powered(&mut self, supply: &watch::Sender<bool>) -> Infallible {
        self.hardware.start();
        let inrush = self.hardware.random.within(60..200);
        self.hardware.wait(Duration::from_millis(inrush)).await;
        supply.send_replace(true);
        if self.character == Character::Silent {
            return pending().await;
        }
        let reset = self.reset.clone();
        loop {
            let runs = async {
                match self.run().await {
                    Err(End::Halt) => pending().await,
                    Err(End::Reset) => {}
                }
            };
            tokio::select! {
                () = runs => {}
                () = reset.notified() => {}
            }
        }
    }

    async fn run(&mut self) -> Result<Infallible, End> {
        match &self.model.loader {
            Loader::UBoot(texts) => {
                uboot::run(&mut self.hardware, texts, &mut self.flash).await?;
            }
            Loader::Uefi(text) => uefi::run(&mut self.hardware, text).await?,
        }
        linux::run(&mut self.hardware, self.model, self.character).await
    }
}

/// Its console's line ends with the board.
impl Drop for Life {
    fn drop(&mut self) {
        self.hardware.wire.end();
    }
}

/// What software stands on: a serial port, a clock, and chance.
///
/// The clock moves by what the software does, and catches up with the world whenever something is
/// typed: so a boot's times are the same however busy the machine is.
pub(super) struct Hardware {
    wire: Arc<Wire>,
    speed: Speed,
    started: Instant,
    now: Duration,
    /// The board's own chance.
    pub(super) random: Random,
    /// The network card's address.
    pub(super) mac: String,
}

impl Hardware {
    fn new(wire: Arc<Wire>, speed: Speed, seed: u64) -> Hardware {
        let mut random = Random::new(seed, 2);
        let [.., a, b, c] = random.next().to_be_bytes();
        let mac = format!("02:6c:62:{a:02x}:{b:02x}:{c:02x}");
        Hardware { wire, speed, started: Instant::now(), now: Duration::ZERO, random, mac }
    }

    fn start(&mut self) {
        self.wire.forget_input();
        self.started = Instant::now();
        self.now = Duration::ZERO;
    }

    /// Time since power came, by the board's clock.
    pub(super) fn now(&self) -> Duration {
        self.now
    }

    /// The board's time in which somebody can do what they can do in `span`: nobody is faster at a board that is.
    pub(super) fn by_hand(&self, span: Duration) -> Duration {
        span.mul_f64(self.speed.0.max(1.0))
    }

    /// Does nothing for a while.
    pub(super) async fn wait(&mut self, span: Duration) {
        self.now += span;
        sleep_until(self.world(self.now)).await;
    }

    /// Says something, as fast as the line is. `\n` goes out as `\r\n`.
    pub(super) async fn print(&mut self, text: &str) {
        let text = text.replace('\n', "\r\n");
        for packet in text.as_bytes().chunks(PACKET) {
            self.wire.print(packet);
            self.wait(BYTE_TIME * packet.len() as u32).await;
        }
    }

    /// Says the lines of a script. One that begins with `+250 ` comes 250 ms after the one before.
    pub(super) async fn play(&mut self, script: &str) {
        let script = self.fill(script);
        for line in script.lines() {
            let paused = line.strip_prefix('+').and_then(|rest| rest.split_once(' '));
            let paused = paused.and_then(|(ms, line)| Some((ms.parse().ok()?, line)));
            let (ms, line) = paused.unwrap_or((0, line));
            self.wait(Duration::from_millis(ms)).await;
            self.print(&format!("{line}\n")).await;
        }
    }

    /// Puts the board's own facts into a text: `{mac}`; `{hex}`, 8 digits that differ each time;
    /// `{ok}`, a green OK.
    pub(super) fn fill(&mut self, text: &str) -> String {
        let mut filled =
            text.replace("{mac}", &self.mac).replace("{ok}", "\x1b[0;32m  OK  \x1b[0m");
        while let Some(at) = filled.find("{hex}") {
            let hex = format!("{:08x}", self.random.next() as u32);
            filled.replace_range(at..at + "{hex}".len(), &hex);
        }
        filled
    }

    /// What is typed next.
    pub(super) async fn input(&mut self) -> Input {
        let input = self.wire.input().await;
        self.catch_up();
        input
    }

    /// What is typed next, or `None` if it is `due` first.
    pub(super) async fn input_until(&mut self, due: Duration) -> Option<Input> {
        match timeout_at(self.world(due), self.wire.input()).await {
            Ok(input) => {
                self.catch_up();
                Some(input)
            }
            Err(_) => {
                self.now = self.now.max(due);
                None
            }
        }
    }

    /// The key that is hit next, or `None` if it is `due` first.
    pub(super) async fn key_until(&mut self, due: Duration) -> Option<u8> {
        loop {
            if let Input::Byte(key) = self.input_until(due).await? {
                return Some(key);
            }
        }
    }

    /// The key that is hit next.
    pub(super) async fn key(&mut self) -> u8 {
        loop {
            if let Input::Byte(key) = self.input().await {
                return key;
            }
        }
    }

    fn catch_up(&mut self) {
        self.now = self.now.max(self.started.elapsed().mul_f64(self.speed.0));
    }

    fn world(&self, due: Duration) -> Instant {
        self.started + due.div_f64(self.speed.0)
    }
}
