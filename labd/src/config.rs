//! `labd.conf`: UCL in, [`Config`] out, or every fault at once.
//!
//! Asked by `main` at the start, by `lab` when it is told to reload, and by `labd check`. What a
//! driver's options mean is that driver's; whether a device answers is `labctl doctor`'s.

mod board;
mod changes;
mod check;
mod class;
mod crosscheck;
pub mod executable;
pub mod fault;
mod options;
mod orders;
pub mod reader;
pub mod secret;
pub mod sequence;
mod settings;
pub mod ucl;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use protocol::Span;
use protocol::board::BoardName;
use protocol::serial_port::Dialect;
use serde_json::Value as Json;

pub use self::changes::Change;
pub use self::check::check;
use self::fault::{Fault, Faults, Weight};
use self::reader::Table;
use self::sequence::Sequence;
use self::ucl::Value;
use crate::console::Device;
use crate::power::Outlet;
use crate::provider::Provider;
use crate::rules::boot::Plan;
use crate::rules::trigger::Trigger;

/// A lab as its administrator describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Run when a board is reserved and released.
    pub setup: Option<Setup>,
    /// Who may do what; none if nothing is said of it, and whoever may open the socket is a user.
    pub access: Option<Access>,
    /// The door for those from elsewhere, if there is one.
    pub tls: Option<Tls>,
    /// Who vouches for people that have neither a key nor a token.
    pub login: Vec<Provider>,
    /// Where people come in by ssh; none if they do not.
    pub ssh: Option<Ssh>,
    /// Networks that the doors never bar.
    pub exempt: Vec<IpNet>,
    /// Where the lab is seen in numbers; none if it is not.
    pub metrics: Vec<SocketAddr>,
    /// How long before a hold's end its holder is warned.
    pub warning: Span,
    /// How power is switched.
    pub power: PowerSettings,
    /// How much of each console is kept.
    pub history: History,
    /// The classes and their attributes (`arch`, …).
    pub classes: BTreeMap<String, BTreeMap<String, Json>>,
    /// The boards, in the order of the source.
    pub boards: Vec<BoardConfig>,
    /// What it names and this machine does not have, in the order of the source.
    pub warnings: Vec<Fault>,
}

impl Config {
    /// Reads a file, and those it includes.
    ///
    /// # Errors
    /// Every fault in it, in the order of the source; or why it cannot be read.
    pub fn load(path: &Path) -> Result<Config, Vec<Fault>> {
        Config::build(|faults| ucl::load(path, faults))
    }

    /// Reads a text. `name` is what faults call it; paths in it begin at that name's folder.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(text: &str, name: &str) -> Result<Config, Vec<Fault>> {
        Config::build(|faults| ucl::parse(text, Path::new(name), faults))
    }

    /// Says in labd's log what this machine lacks.
    pub fn log_warnings(&self) {
        for warning in &self.warnings {
            tracing::warn!(at = %warning.at, "{}", warning.message);
        }
    }

    fn build(source: impl FnOnce(&Faults) -> Value) -> Result<Config, Vec<Fault>> {
        let (config, found) = Config::examine(source);
        let is_warning = |fault: &Fault| fault.weight == Weight::Warning;
        let (warnings, faults) = found.into_iter().partition(is_warning);
        config.map(|config| Config { warnings, ..config }).ok_or(faults)
    }

    /// What a source comes to, if it has no faults; and every fault and warning.
    fn examine(source: impl FnOnce(&Faults) -> Value) -> (Option<Config>, Vec<Fault>) {
        let faults = Faults::default();
        let tree = source(&faults);
        // What is missing from half a tree would be reported as missing from the file.
        let config = faults.is_empty().then(|| Config::read(&tree, &faults));
        (config.filter(|_| faults.is_empty()), faults.into_sorted())
    }

    fn read(tree: &Value, faults: &Faults) -> Config {
        let mut top = Table::new(tree, faults);
        let holds = settings::Holds::read(&mut top, faults);
        let controllers = options::Controllers::read(&mut top);
        let classes = class::read(&mut top, &holds, faults);
        let triggers = orders::triggers(&mut top);
        let around = board::Around { classes: &classes, holds: &holds, triggers: &triggers };
        let boards = board::read(&mut top, around, &controllers, faults);
        let config = Config {
            setup: Setup::read(&mut top),
            access: Access::read(&mut top, faults),
            tls: Tls::read(&mut top, faults),
            login: Provider::read_all(&mut top, faults),
            ssh: Ssh::read(&mut top, faults),
            exempt: settings::exempt(&mut top, faults),
            metrics: settings::metrics(&mut top, faults),
            warning: holds.warning,
            power: PowerSettings::read(&mut top, faults),
            history: History::read(&mut top, faults),
            classes: classes.into_iter().map(|(name, class)| (name, class.attributes)).collect(),
            boards,
            warnings: Vec::new(),
        };
        if !config.login.is_empty() && config.tls.is_none() {
            let help = "write tls { listen = …; name = … } beside it";
            top.fault(
                "login",
                format!("login: people come back by the door for those from elsewhere; {help}"),
            );
        }
        top.finish();
        config
    }
}

/// `setup_script = /usr/local/libexec/board-setup; setup_limit = 2min`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// An executable; no shell is involved.
    pub script: PathBuf,
    /// How long one run may take.
    pub limit: Span,
}

/// `access { admin = [root, "@labadmin"]; user = "@lab"; viewer = "*" }`; who is not named has no role.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Access {
    /// May do everything.
    pub admin: Vec<Principal>,
    /// May hold boards.
    pub user: Vec<Principal>,
    /// May look.
    pub viewer: Vec<Principal>,
}

/// Whom a role is given to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// `ada`
    User(String),
    /// `@lab`: every member of a group of the system.
    Group(String),
    /// `*`
    Everybody,
}

/// `tls { listen = "0.0.0.0:7443"; name = lab.example.org }`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// Where the lab listens.
    pub listen: Vec<SocketAddr>,
    /// By what name others reach it.
    pub name: String,
    /// The site's own certificate, if it is not the lab's authority that says who the lab is.
    pub site: Option<Site>,
}

/// A certificate of the site's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// The chain, in PEM, the lab's own first.
    pub certificate: PathBuf,
    /// The key, in PEM.
    pub key: PathBuf,
}

impl Tls {
    /// The port that others come to.
    pub fn port(&self) -> u16 {
        self.listen.first().map_or(protocol::address::PORT, SocketAddr::port)
    }
}

/// `ssh { listen = "0.0.0.0:2222"; host_key = /etc/labd/host_ed25519 }`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ssh {
    /// Where it listens.
    pub listen: Vec<SocketAddr>,
    /// By what the lab is known; one of its own, made at the first start, if not said.
    pub host_key: Option<PathBuf>,
}

/// `power { dwell = 3s; limit = 30s; sweep = 30s }`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PowerSettings {
    /// How long a board stays off within a cycle.
    pub dwell: Span,
    /// How long an outlet may take to reach the state it was told to reach.
    pub limit: Span,
    /// How often each outlet is asked how it stands.
    pub sweep: Span,
}

/// `history { size = 1gb; age = 365d; events = 5y }`: what is over is deleted, a segment at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// Bytes kept per console.
    pub size: u64,
    /// How long they are kept.
    pub age: Span,
    /// How long the ledger's entries are kept; none for ever.
    pub events: Option<Span>,
}

/// One board.
#[derive(Debug, Clone, PartialEq)]
pub struct BoardConfig {
    /// Its name.
    pub name: BoardName,
    /// Its class; one of [`Config::classes`].
    pub class: String,
    /// Its own tags and its class's.
    pub tags: Vec<String>,
    /// Whose it is; everybody's if there are none.
    pub groups: Vec<String>,
    /// What it is, for people.
    pub description: Option<String>,
    /// Its network cards: six bytes in hexadecimal, lower case, with colons.
    pub macs: Vec<String>,
    /// How long a hold lasts when no span is asked for.
    pub default_hold: Span,
    /// How long a hold may last at most.
    pub longest_hold: Span,
    /// What becomes of its power when a hold ends.
    pub on_release: OnRelease,
    /// What its options say besides power and console: `etheriface`, …
    pub attributes: BTreeMap<String, Json>,
    /// Its outlet.
    pub outlet: Option<Outlet>,
    /// Its console's device.
    pub console: Option<Device>,
    /// How its console is typed on.
    pub manner: Manner,
    /// How it boots.
    pub boot: Plan,
    /// What is done when its console shows something.
    pub triggers: Vec<Trigger>,
    /// Where clients of other make find its console.
    pub serve: Serve,
}

/// How a console is typed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manner {
    /// How fast.
    pub pace: Pace,
    /// `pen_timeout = 30s`: how long who has the pen may leave somebody without an answer who asks for it.
    pub patience: Span,
    /// `breaks { sysrq-t = "break 't'" }`: what may be sent besides a plain BREAK.
    pub breaks: BTreeMap<String, Sequence>,
    /// `lines { reset = "dtr- 100ms dtr+" }`: what may be done with DTR and RTS.
    pub lines: BTreeMap<String, Sequence>,
}

impl Manner {
    /// What is so if nothing is said, but for the pace.
    pub fn usual(pace: Pace) -> Manner {
        let (breaks, lines) = (sequence::usual(), BTreeMap::new());
        Manner { pace, patience: Span::seconds(30), breaks, lines }
    }
}

/// `serve { rfc2217 = "127.0.0.1:7001"; raw = "127.0.0.1:7002" }`: ports on loopback, for pyserial, tio, telnet
/// and the like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Serve {
    /// With telnet and RFC 2217.
    pub rfc2217: Option<SocketAddr>,
    /// Bytes as they are.
    pub raw: Option<SocketAddr>,
}

impl Serve {
    /// Each port, and what is spoken there.
    pub fn ports(&self) -> impl Iterator<Item = (SocketAddr, Dialect)> {
        let ports = [(self.rfc2217, Dialect::Rfc2217), (self.raw, Dialect::Raw)];
        ports.into_iter().filter_map(|(at, dialect)| Some((at?, dialect)))
    }
}

/// What becomes of a board's power when a hold ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnRelease {
    /// Nothing.
    #[default]
    Leave,
    /// Off.
    Off,
    /// Off, and on again: the next holder finds a fresh boot.
    Cycle,
}

/// `pace { bytes = 16; every = 10ms }`: how fast a console takes what is typed. If nothing is said, a serial
/// port is typed on as [`Uart::pace`](crate::console::uart::Uart::pace) has it; `pace = off` is as fast as the
/// device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// At most so many at once.
    pub bytes: usize,
    /// And then a pause; of fewer, a shorter one.
    pub every: Span,
}

impl Pace {
    /// As fast as the device.
    pub const UNLIMITED: Pace = Pace { bytes: usize::MAX, every: Span(0) };

    /// How long to pause behind so many bytes.
    pub fn pause(&self, bytes: usize) -> Duration {
        self.every.duration().mul_f64(bytes.min(self.bytes) as f64 / self.bytes as f64)
    }
}
