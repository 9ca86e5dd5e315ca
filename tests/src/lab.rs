//! A lab in this process, in a folder of its own.
//!
//! ```text
//! boards [ { name = rpi4, class = rpi, options = [ @console(rpi4), @outlet(rpi4) ] } ]
//! setup_script = "@dir/setup"
//! ```
//!
//! `@console(NAME)` is a [`TestBoard`]'s, `@outlet(NAME)` a [`TestOutlet`]; `@outlet(NAME at poe)` one
//! of several behind a controller. `@dir` is the lab's folder.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use labd::clock::Clock;
use labd::config::Config;
use labd::doorstep::guests::{Guests, Room};
use labd::lab::Lab;
use labd::lab::people::Peer;
use labd::rpc::listen;
use protocol::account::Secret;
use protocol::address::Address;
use protocol::board::BoardName;
use protocol::hold::{Ask, Hold, IfTaken, Place, Placed, Want};
use protocol::journal::Event;
use protocol::user::Role;
use protocol::{Span, Time};
use tempfile::TempDir;
use tokio::net::UnixListener;

use crate::board::TestBoard;
use crate::outlet::{SCRIPT, TestOutlet};
use crate::patience::until;
use crate::person::Person;

/// When a clock that is moved by hand begins: Monday, 3 June 2030, 09:00 UTC.
pub const MONDAY: Time = Time(1_906_707_600_000);

/// Who may do what, and power that is quick.
const HEAD: &str = "
access { admin = root; user = [ada, bob, eve]; viewer = guest }
power { dwell = 0s; limit = 3s; sweep = 1h }
classes { rpi { arch = arm64-aarch64; tags = [arm64] } }
";

/// The description of a lab of `names`, each of the class `rpi` with a console and an outlet.
pub fn boards(names: &[&str]) -> String {
    let board = |name: &&str| {
        format!(
            "{{ name = {name}; class = rpi; options = [ @console({name}), @outlet({name}) ] }},\n"
        )
    };
    format!("{HEAD}boards [\n{}]\n", names.iter().map(board).collect::<String>())
}

/// What a lab is made from.
#[derive(Clone)]
pub struct Plan {
    config: String,
    files: Vec<(String, String)>,
    secrets: Vec<(String, String)>,
    clock: Option<Clock>,
}

impl Plan {
    /// A lab of that description, with the machine's clock.
    pub fn new(config: impl Into<String>) -> Plan {
        Plan { config: config.into(), files: Vec::new(), secrets: Vec::new(), clock: None }
    }

    /// With a clock that stands still until it is moved.
    pub fn by_hand(self) -> Plan {
        Plan { clock: Some(Clock::by_hand(MONDAY)), ..self }
    }

    /// With an executable in its folder.
    pub fn script(mut self, name: &str, text: &str) -> Plan {
        self.files.push((name.to_owned(), text.to_owned()));
        self
    }

    /// With a file in its folder that nobody else may read.
    pub fn secret(mut self, name: &str, secret: &str) -> Plan {
        self.secrets.push((name.to_owned(), format!("{secret}\n")));
        self
    }

    /// Opens the lab.
    ///
    /// # Errors
    /// The lab's.
    pub async fn open(self) -> Result<TestLab> {
        let ground = Ground::new(&self).await?;
        let clock = self.clock.clone().unwrap_or_else(Clock::machine);
        let lab = ground.open_lab(clock.clone()).await?;
        Ok(TestLab { ground, clock, is_by_hand: self.clock.is_some(), lab })
    }
}

/// What a lab stands on: its folder and its hardware. Outlives the daemon.
pub struct Ground {
    folder: TempDir,
    boards: BTreeMap<String, TestBoard>,
}

impl Ground {
    /// Makes the folder and the hardware of a plan.
    ///
    /// # Errors
    /// The system's.
    pub async fn new(plan: &Plan) -> Result<Ground> {
        let mut ground = Ground { folder: TempDir::new()?, boards: BTreeMap::new() };
        fs::write(ground.path("outlet"), SCRIPT)?;
        for (name, text) in &plan.files {
            ground.install(name, text)?;
        }
        for (name, secret) in &plan.secrets {
            fs::write(ground.path(name), secret)?;
            fs::set_permissions(ground.path(name), Permissions::from_mode(0o600))?;
        }
        ground.configure(&plan.config).await?;
        Ok(ground)
    }

    /// Something in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The configuration's file.
    pub fn config(&self) -> PathBuf {
        self.path("labd.conf")
    }

    /// Writes the configuration anew.
    ///
    /// # Errors
    /// The system's.
    pub async fn configure(&mut self, text: &str) -> Result<()> {
        let mut text = text.replace("@dir", &self.folder.path().display().to_string());
        while let Some((name, range)) = marked(&text, "@console(") {
            if !self.boards.contains_key(&name) {
                self.boards.insert(name.clone(), TestBoard::new().await?);
            }
            let port = self.boards[&name].port();
            let option = format!("{{ cls = tcpconsole, host = \"127.0.0.1\", port = {port} }}");
            text.replace_range(range, &option);
        }
        while let Some((words, range)) = marked(&text, "@outlet(") {
            let (name, controller) = words.split_once(" at ").unwrap_or((&words, &words));
            let outlet = TestOutlet::new(self.folder.path(), name);
            if !outlet.file("power").exists() {
                fs::write(outlet.file("power"), "off\n")?;
            }
            text.replace_range(range, &outlet.option(controller));
        }
        Ok(fs::write(self.config(), text)?)
    }

    /// Writes an executable. Another process does: as long as anybody has it open for writing, which a
    /// program that is just being started by another test may have inherited, it cannot be run.
    ///
    /// # Errors
    /// The system's.
    pub fn install(&self, name: &str, text: &str) -> Result<()> {
        let draft = self.path("draft");
        fs::write(&draft, text.replace("@dir", &self.folder.path().display().to_string()))?;
        let done =
            Command::new("install").arg("-m755").args([&draft, &self.path(name)]).status()?;
        ensure!(done.success(), "{name} is not installed");
        Ok(())
    }

    /// The board of that name.
    ///
    /// # Panics
    /// If no `@console` names it.
    pub fn board(&self, name: &str) -> &TestBoard {
        self.boards.get(name).unwrap_or_else(|| panic!("no @console({name})"))
    }

    /// The outlet of that name.
    pub fn outlet(&self, name: &str) -> TestOutlet {
        TestOutlet::new(self.folder.path(), name)
    }

    /// Another daemon is about to open the consoles.
    pub fn forget_lines(&self) {
        self.boards.values().for_each(TestBoard::forget);
    }

    async fn open_lab(&self, clock: Clock) -> Result<Arc<Lab>> {
        let file = self.config();
        let config = match Config::load(&file) {
            Ok(config) => config,
            Err(faults) => bail!("{faults:#?}"),
        };
        Ok(Lab::open(config, Some(file), &self.path("state"), clock).await?)
    }
}

/// A lab that runs in this process.
pub struct TestLab {
    ground: Ground,
    clock: Clock,
    is_by_hand: bool,
    lab: Arc<Lab>,
}

impl TestLab {
    /// A lab of `names`, each of the class `rpi` with a console and an outlet; the clock is moved by
    /// hand.
    ///
    /// # Errors
    /// The lab's.
    pub async fn with_boards(names: &[&str]) -> Result<TestLab> {
        Plan::new(boards(names)).by_hand().open().await
    }

    /// The lab itself.
    pub fn lab(&self) -> &Arc<Lab> {
        &self.lab
    }

    /// Its folder and its hardware.
    pub fn ground(&mut self) -> &mut Ground {
        &mut self.ground
    }

    /// Something in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.ground.path(name)
    }

    /// A board of the lab.
    pub fn board(&self, name: &str) -> &TestBoard {
        self.ground.board(name)
    }

    /// An outlet of the lab.
    pub fn outlet(&self, name: &str) -> TestOutlet {
        self.ground.outlet(name)
    }

    /// Moves the clock.
    pub fn advance(&self, span: Span) {
        self.clock.advance(span);
    }

    /// What the clock shows.
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// Somebody who may hold boards.
    ///
    /// # Errors
    /// The lab's.
    pub async fn user(&self, name: &str) -> Result<Person> {
        Person::new(&self.lab, name, Role::User).await
    }

    /// Somebody who may look.
    ///
    /// # Errors
    /// The lab's.
    pub async fn viewer(&self, name: &str) -> Result<Person> {
        Person::new(&self.lab, name, Role::Viewer).await
    }

    /// An administrator.
    ///
    /// # Errors
    /// The lab's.
    pub async fn admin(&self) -> Result<Person> {
        Person::new(&self.lab, "root", Role::Admin).await
    }

    /// Whoever has the secret of a token.
    ///
    /// # Errors
    /// The lab's.
    pub async fn with_token(&self, secret: &Secret) -> Result<Person> {
        let peer = self.lab.come_in(secret, "test").await?;
        Person::from(&self.lab, peer).await
    }

    /// A socket on which everybody is `name`.
    ///
    /// # Errors
    /// The system's.
    pub fn socket_of(&self, name: &str, role: Role) -> Result<Address> {
        let path = self.path(&format!("{name}.sock"));
        let listener = UnixListener::bind(&path)?;
        let peer = Peer::vouched(name.parse()?, role);
        let lab = Arc::downgrade(&self.lab);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Some(lab) = lab.upgrade() else { return };
                tokio::spawn(listen::converse(lab, peer.clone(), stream));
            }
        });
        Ok(Address::Unix(path))
    }

    /// The socket as the daemon has it: the kernel says who somebody is.
    ///
    /// # Errors
    /// The system's.
    pub fn socket(&self) -> Result<Address> {
        self.socket_for(&Guests::new(Room::beside(self.lab.names().len())))
    }

    /// The same, with room for so many.
    ///
    /// # Errors
    /// The system's.
    pub fn socket_for(&self, guests: &Arc<Guests>) -> Result<Address> {
        let path = self.path("labd.sock");
        let listener = listen::bind(&path, 0o666)?;
        tokio::spawn(listen::serve(self.lab.clone(), listener, guests.clone()));
        Ok(Address::Unix(path))
    }

    /// Waits until the hardware is as found: what a lab writes down of its own accord at the start.
    ///
    /// # Errors
    /// If it does not come to that.
    pub async fn settled(&self) -> Result<()> {
        let root = self.admin().await?;
        for board in self.lab.names() {
            let detail = root.board(board.clone()).await?;
            let mut journal = root.journal(board.as_str()).await?;
            let (mut seen, mut open) = (detail.outlet.is_none(), detail.line.is_none());
            while !(seen && open) {
                match journal.entry().await?.event {
                    Event::PowerSeen { .. } => seen = true,
                    Event::ConsoleOpened => open = true,
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Closes the lab and opens it again.
    ///
    /// # Errors
    /// The lab's.
    pub async fn restart(self) -> Result<TestLab> {
        let TestLab { ground, clock, is_by_hand, lab } = self;
        let closed = Arc::downgrade(&lab);
        tokio::task::spawn_blocking(move || lab.close()).await?;
        until(|| closed.strong_count() == 0).await.context("somebody still has the old lab")?;
        ground.forget_lines();
        let clock = if is_by_hand { clock } else { Clock::machine() };
        let lab = ground.open_lab(clock.clone()).await?;
        Ok(TestLab { ground, clock, is_by_hand, lab })
    }
}

/// Where `mark` and what is in its brackets stand, and that.
fn marked(text: &str, mark: &str) -> Option<(String, std::ops::Range<usize>)> {
    let start = text.find(mark)?;
    let end = start + text[start..].find(')')?;
    Some((text[start + mark.len()..end].to_owned(), start..end + 1))
}

/// The name of a board.
///
/// # Panics
/// If it is none.
pub fn name(text: &str) -> BoardName {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

/// Asks for a board, or is refused.
pub fn board(text: &str) -> Ask {
    ask(Want::Board { name: name(text) })
}

/// Asks for any board of a class, or is refused.
pub fn class(name: &str) -> Ask {
    ask(Want::Class { name: name.to_owned() })
}

/// Asks for any board with those tags, or is refused.
///
/// # Panics
/// If it is no expression.
pub fn tagged(expr: &str) -> Ask {
    ask(Want::Tags { expr: expr.parse().unwrap_or_else(|error| panic!("{error}")) })
}

fn ask(want: Want) -> Ask {
    let (span, grace, note, ssh_key) = (None, None, None, None);
    Ask { want, span, if_taken: IfTaken::Refuse, grace, note, ssh_key }
}

/// The same, or a place in the queue.
pub fn queued(ask: Ask) -> Ask {
    Ask { if_taken: IfTaken::Queue, ..ask }
}

/// The hold that came of an ask.
///
/// # Errors
/// If it is a place.
pub fn held(placed: Placed) -> Result<Hold> {
    match placed {
        Placed::Held { hold } => Ok(hold),
        Placed::Queued { place } => bail!("only a place: {place:?}"),
    }
}

/// The place that came of an ask.
///
/// # Errors
/// If it is a hold.
pub fn waits(placed: Placed) -> Result<Place> {
    match placed {
        Placed::Queued { place } => Ok(place),
        Placed::Held { hold } => bail!("a hold already: {hold:?}"),
    }
}

/// The text of a file that will be there.
///
/// # Errors
/// If it does not come.
pub async fn file(path: &Path) -> Result<String> {
    until(|| path.exists()).await.with_context(|| path.display().to_string())?;
    Ok(fs::read_to_string(path)?)
}
