//! Boards made of nothing: what labd is tried, tested and shown with.
//!
//! A simulated board boots, crashes, answers and misbehaves as real ones do, in real time or faster,
//! and costs nothing while it idles. To the rest of the house it is an outlet and a console like any
//! other: nothing here knows of holds, recordings or viewers.
//!
//! - [`board`]: the task that is the board; its supply, its outlet, its sense of time
//! - [`wire`]: the serial line between the board and who opens its console
//! - [`uboot`], [`uefi`]: the boot loaders; [`linux`]: the kernel; [`shell`]: login and commands
//! - [`model`]: what tells the kinds apart, with the texts in `texts/`
//! - [`editor`], [`random`]: a line being typed, and chance that repeats itself

mod board;
mod editor;
mod linux;
mod model;
mod random;
mod shell;
#[cfg(test)]
mod tests;
mod uboot;
mod uefi;
mod wire;

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::config::reader::{Setting, Table};
use crate::config::ucl::{Node, Value};
use crate::setting_words;

pub(crate) use board::{Board, Mood};

/// `{ cls = sim; kind = uboot-arm64; character = steady; speed = 1.0; seed = 7; switch = poe; port = 3 }`,
/// shared by the board's outlet and console. Outlets of one switch are spoken to one at a time, as those
/// of a real one; without one, the board has an outlet of its own. The board itself begins to exist, switched off, when either is first
/// used, and ends with the last of them.
#[derive(Debug)]
pub struct Sim {
    id: u64,
    settings: Settings,
    /// The simulated switch that its power comes from, and the port there.
    switch: Option<(String, u8)>,
    board: OnceLock<Board>,
}

/// What a configuration says of a simulated board.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Settings {
    kind: Kind,
    character: Character,
    speed: Speed,
    /// If not said, boards take numbers as they are read, so that no two are alike.
    seed: Option<u64>,
}

/// What a simulated board looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// An Arm board: SPL, U-Boot, Linux, a small userland.
    #[default]
    UbootArm64,
    /// A RISC-V board: SPL, OpenSBI, U-Boot, Linux, a small userland.
    UbootRiscv64,
    /// A server: UEFI, GRUB, Linux, systemd.
    X86Uefi,
}

setting_words!(Kind, "uboot-arm64, uboot-riscv64 or x86-uefi", {
    "uboot-arm64" => Kind::UbootArm64,
    "uboot-riscv64" => Kind::UbootRiscv64,
    "x86-uefi" => Kind::X86Uefi,
});

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.model().name)
    }
}

/// How a simulated board behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Character {
    /// Well.
    #[default]
    Steady,
    /// Its kernel panics 4 to 12 s after each boot, and boots again.
    Panics,
    /// Its outlet takes one order in six without obeying, and leaves one question in eight
    /// unanswered.
    Flaky,
    /// Its outlet works, its console says nothing.
    Silent,
    /// It is on, and its outlet cannot switch it off.
    StuckOn,
    /// It is off, and its outlet cannot switch it on.
    StuckOff,
}

setting_words!(Character, "steady, panics, flaky, silent, stuck-on or stuck-off", {
    "steady" => Character::Steady,
    "panics" => Character::Panics,
    "flaky" => Character::Flaky,
    "silent" => Character::Silent,
    "stuck-on" => Character::StuckOn,
    "stuck-off" => Character::StuckOff,
});

/// How many of a board's seconds pass in one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Speed(f64);

impl Speed {
    const SLOWEST: f64 = 0.01;
    const FASTEST: f64 = 1_000.0;
}

impl Setting for Speed {
    const WANTED: &'static str = "a number from 0.01 to 1000";

    fn read(value: &Value) -> Result<Speed, Option<String>> {
        let speed = match value.node {
            Node::Int(n) => n as f64,
            Node::Float(n) => n,
            _ => return Err(None),
        };
        if (Speed::SLOWEST..=Speed::FASTEST).contains(&speed) {
            Ok(Speed(speed))
        } else {
            Err(None)
        }
    }
}

impl Sim {
    /// A board that is not in any configuration. `speed` is how many of its seconds pass in one; it
    /// is brought to between 0.01 and 1000.
    pub fn new(kind: Kind, character: Character, seed: u64, speed: f64) -> Sim {
        let speed = Speed(speed.clamp(Speed::SLOWEST, Speed::FASTEST));
        Sim::with(Settings { kind, character, speed, seed: Some(seed) }, None)
    }

    /// Reads the settings; every one has a default.
    pub fn read(table: &mut Table<'_>) -> Option<Sim> {
        let settings = Settings {
            kind: table.or("kind", Kind::default()),
            character: table.or("character", Character::default()),
            speed: table.or("speed", Speed(1.0)),
            seed: table.optional("seed"),
        };
        let switch = table.optional("switch");
        let switch = match switch {
            Some(switch) => Some((switch, table.required("port")?)),
            None => None,
        };
        Some(Sim::with(settings, switch))
    }

    fn with(settings: Settings, switch: Option<(String, u8)>) -> Sim {
        // Boards that are configured alike must still be told apart: nothing else about them differs.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Sim { id: NEXT.fetch_add(1, Ordering::Relaxed), settings, switch, board: OnceLock::new() }
    }

    /// The simulated switch that its power comes from.
    pub(crate) fn switch(&self) -> Option<&str> {
        self.switch.as_ref().map(|(switch, _)| switch.as_str())
    }

    /// The board. The first call starts its task, and so needs a runtime.
    pub(crate) fn board(&self) -> &Board {
        self.board
            .get_or_init(|| Board::start(&self.settings, self.settings.seed.unwrap_or(self.id)))
    }
}

/// Configured alike. Whether they are the same board, their [`Display`](fmt::Display) tells.
impl PartialEq for Sim {
    fn eq(&self, other: &Sim) -> bool {
        (self.settings, &self.switch) == (other.settings, &other.switch)
    }
}

/// `sim poe port 3`, or `sim uboot-arm64 #3` without a switch.
impl fmt::Display for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.switch {
            Some((switch, port)) => write!(f, "sim {switch} port {port}"),
            None => write!(f, "sim {} #{}", self.settings.kind, self.id),
        }
    }
}
