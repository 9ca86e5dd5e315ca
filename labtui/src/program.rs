//! The loop: waits for what happens, has it taken into the model, carries out what is to be done, and
//! draws, at most sixty times a second and only if something has changed.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use crossterm::event::{Event, EventStream};
use futures::StreamExt;
use jiff::tz::TimeZone;
use protocol::Time;
use protocol::address::Address;
use protocol::board::BoardName;
use protocol::context::Context as Known;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, info, warn};

use crate::background::{Heard, Listener};
use crate::call::Caller;
use crate::clipboard;
use crate::feed::{self, Feed, Keystrokes};
use crate::files::Files;
use crate::model::Model;
use crate::notice::Tone;
use crate::settings::Settings;
use crate::terminal::{self, Screen};
use crate::update::{Effect, Message, update};
use crate::view::{self, Colours, Look};

/// The shortest time between two pictures.
const FRAME: Duration = Duration::from_micros(16_667);

/// How often countdowns are drawn.
const TICK: Duration = Duration::from_secs(1);

/// How often it is looked whether the settings were saved.
const SETTINGS: Duration = Duration::from_secs(1);

/// How many messages are taken in before keys are looked at again.
const MOST: usize = 8;

/// What a run is given besides the lab.
#[derive(Debug, Clone)]
pub struct Start {
    /// The user's own files, if they have any here.
    pub files: Option<Files>,
    /// What somebody has made of labtui.
    pub settings: Settings,
    /// Whether it is read-only, whatever the settings say.
    pub read_only: bool,
    /// Whether nothing moves by itself, whatever the settings say.
    pub still: bool,
}

impl Start {
    /// The settings, as far as the command line leaves them.
    pub fn settings(&self, settings: Settings) -> Settings {
        let motion = settings.motion && !self.still;
        let settings = Settings { motion, ..settings };
        if self.read_only { settings.read_only() } else { settings }
    }
}

/// Shows the lab at `address` until somebody leaves, or a signal says so.
///
/// # Errors
/// Why there is no screen to show it on.
pub async fn run(address: Address, start: Start) -> anyhow::Result<ExitCode> {
    terminal::check()?;
    let look = Look::of(|name| std::env::var(name).ok());
    crossterm::style::force_color_output(look.colours != Colours::None);
    let mut signals = Signals::new()?;
    let (screen, _guard) = terminal::open().context("the terminal cannot be drawn on")?;
    let mut program = Program::start(address, look, screen, start)?;
    tokio::select! {
        ended = program.run_and_leave() => ended.map(|()| ExitCode::SUCCESS),
        number = signals.first() => Ok(ExitCode::from(128 + number)),
    }
}

/// The signals that end a program.
struct Signals([(u8, Signal); 3]);

impl Signals {
    fn new() -> io::Result<Signals> {
        Ok(Signals([
            (1, signal(SignalKind::hangup())?),
            (2, signal(SignalKind::interrupt())?),
            (15, signal(SignalKind::terminate())?),
        ]))
    }

    /// The number of the first that comes.
    async fn first(&mut self) -> u8 {
        let [(hangup, a), (interrupt, b), (terminate, c)] = &mut self.0;
        tokio::select! {
            _ = a.recv() => *hangup,
            _ = b.recv() => *interrupt,
            _ = c.recv() => *terminate,
        }
    }
}

struct Program {
    address: Address,
    start: Start,
    look: Look,
    screen: Screen,
    model: Model,
    messages: mpsc::Receiver<Message>,
    outlet: mpsc::Sender<Message>,
    caller: Caller,
    timeline: Option<Feed>,
    console: Option<(Feed, Keystrokes)>,
    /// Who is at that console.
    desk: Option<Feed>,
    /// The whole lab's timeline, while somebody looks through it.
    audit: Option<Feed>,
    /// Consoles side by side, by the names of their feeds.
    panes: BTreeMap<u64, (Feed, Keystrokes)>,
    /// Consoles that were left, and are still sent what was typed on them.
    left: JoinSet<()>,
    /// The board table, followed as long as the lab is looked at.
    boards: Feed,
    /// What happens in it, likewise.
    journal: Feed,
    /// When the settings that are in force were saved.
    saved: Option<SystemTime>,
    /// What the terminal says of its background is read here.
    listener: Listener,
}

impl Program {
    fn start(address: Address, look: Look, screen: Screen, start: Start) -> io::Result<Program> {
        let (outlet, messages) = mpsc::channel(64);
        let size = screen.size()?;
        let size = (size.width, size.height);
        let mut model = Model::new(address.to_string(), TimeZone::system(), size, now());
        let files = start.files.as_ref();
        model.adopt(start.settings(start.settings.clone()));
        model.history = files.map(Files::history).unwrap_or_default();
        model.labs = labs(&start);
        model.mouse = model.settings.mouse;
        if look.colours != Colours::None {
            terminal::ask_background()?;
        }
        Ok(Program {
            look,
            screen,
            model,
            messages,
            caller: Caller::new(address.clone(), outlet.clone()),
            timeline: None,
            console: None,
            desk: None,
            audit: None,
            panes: BTreeMap::new(),
            left: JoinSet::new(),
            boards: feed::boards(address.clone(), outlet.clone()),
            journal: feed::journal(address.clone(), outlet.clone()),
            saved: files.and_then(Files::saved),
            listener: Listener::default(),
            outlet,
            address,
            start,
        })
    }

    async fn run_and_leave(&mut self) -> anyhow::Result<()> {
        let ended = self.run().await;
        self.detach();
        self.watch(Vec::new());
        // Nobody hears any more what the boards print meanwhile.
        self.messages.close();
        while self.left.join_next().await.is_some() {}
        ended
    }

    async fn run(&mut self) -> anyhow::Result<()> {
        let mut events = EventStream::new();
        let mut settings = tokio::time::interval(SETTINGS);
        let mut news = Vec::with_capacity(MOST);
        let (mut drawn, mut tick) = (None::<Instant>, Instant::now() + TICK);
        let mut changed = true;
        loop {
            anyhow::ensure!(terminal::is_taken(), "a part of labtui failed; see above");
            let due = drawn.map_or_else(Instant::now, |drawn| drawn + FRAME);
            if changed && due <= Instant::now() {
                self.draw()?;
                (changed, drawn) = (false, Some(Instant::now()));
            }
            let taken = tokio::select! {
                biased;
                event = events.next() => match event {
                    Some(event) => self.hear(event?),
                    None => ControlFlow::Break(()),
                },
                _ = self.messages.recv_many(&mut news, MOST) => {
                    news.drain(..).try_for_each(|message| self.take(message))
                }
                () = sleep_until(due), if changed => continue,
                _ = settings.tick(), if self.start.files.is_some() => match self.saved_settings() {
                    Some(message) => self.take(message),
                    None => continue,
                },
                () = sleep_until(tick), if view::is_ticking(&self.model) => {
                    tick = Instant::now() + TICK;
                    self.take(Message::Tick)
                }
            };
            if taken.is_break() {
                return Ok(());
            }
            changed = true;
        }
    }

    fn draw(&mut self) -> io::Result<()> {
        let size = self.screen.size()?;
        if (size.width, size.height) != self.model.size {
            let _ = self.take(Message::Resize(size.width, size.height));
        }
        let (model, look) = (&self.model, self.look);
        self.screen.draw(|frame| view::draw(frame, model, look)).map(drop)
    }

    /// What came from the terminal: mostly keys.
    fn hear(&mut self, event: Event) -> ControlFlow<()> {
        match self.listener.take(event) {
            Heard::Part | Heard::Answer(None) => ControlFlow::Continue(()),
            Heard::Answer(Some(background)) => self.take(Message::Background(background)),
            Heard::Typed(events) => {
                events.into_iter().filter_map(message).try_for_each(|it| self.take(it))
            }
        }
    }

    /// The settings, if they were saved since the last time.
    fn saved_settings(&mut self) -> Option<Message> {
        let files = self.start.files.as_ref()?;
        let saved = files.saved();
        if saved == self.saved {
            return None;
        }
        self.saved = saved;
        let settings = files.settings().map(|it| Box::new(self.start.settings(it)));
        info!(taken = settings.is_ok(), "the settings were saved");
        Some(Message::Settings(settings))
    }

    /// Takes a message in and does what follows from it.
    fn take(&mut self, message: Message) -> ControlFlow<()> {
        let effects = update(&mut self.model, now(), message);
        for effect in &effects {
            debug!("{}", effect.summary());
        }
        effects.into_iter().try_for_each(|effect| self.carry_out(effect))
    }

    fn carry_out(&mut self, effect: Effect) -> ControlFlow<()> {
        let (address, outlet) = (self.address.clone(), self.outlet.clone());
        match effect {
            Effect::Call(call) => self.caller.make(call),
            Effect::Look { feed, board } => {
                self.timeline = Some(feed::timeline(address, feed, board, outlet));
            }
            Effect::LookAway => self.timeline = None,
            Effect::Attach { feed, board, pen } => {
                self.detach();
                let (to, at) = (outlet.clone(), address.clone());
                self.desk = Some(feed::desk(at, feed, board.clone(), to));
                self.console = Some(feed::console(address, feed, board, pen, outlet));
            }
            Effect::Detach => self.detach(),
            Effect::Type(bytes) => {
                let console = self.console.as_ref();
                let sent = type_on(console, bytes);
                self.tell_of_loss(sent);
            }
            Effect::Audit(feed) => {
                self.audit = feed.map(|feed| feed::audit(address, feed, outlet));
            }
            Effect::Watch(watched) => self.watch(watched),
            Effect::TypeOn { feed, bytes } => {
                let sent = type_on(self.panes.get(&feed), bytes);
                self.tell_of_loss(sent);
            }
            Effect::Go(address) => self.go(address),
            Effect::Copy(text) => self.copy(&text),
            Effect::Mouse(taken) => self.told(|_| terminal::set_mouse(taken)),
            Effect::Remember(command) => self.remember(&command),
            Effect::Redraw => self.told(terminal::repaint),
            Effect::Suspend => self.told(terminal::suspend),
            Effect::Quit => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    }

    /// Leaves the console, which is still sent what was typed.
    fn detach(&mut self) {
        self.desk = None;
        if let Some((feed, keys)) = self.console.take() {
            self.left.spawn(feed.leave(keys));
        }
    }

    /// Follows these consoles side by side, and leaves the others.
    fn watch(&mut self, watched: Vec<(u64, BoardName)>) {
        let old = std::mem::take(&mut self.panes);
        for (number, (feed, keys)) in old {
            if watched.iter().any(|(other, _)| *other == number) {
                self.panes.insert(number, (feed, keys));
            } else {
                self.left.spawn(feed.leave(keys));
            }
        }
        for (number, board) in watched {
            let follow = || feed::pane(self.address.clone(), number, board, self.outlet.clone());
            self.panes.entry(number).or_insert_with(follow);
        }
    }

    fn tell_of_loss(&mut self, sent: Result<(), usize>) {
        if let Err(count) = sent {
            let text = format!("The lab is too slow: {count} bytes that you typed were not sent.");
            self.model.say(Tone::Failed, &text);
        }
    }

    /// Follows another lab. What this one still has to say is not heard.
    fn go(&mut self, address: Address) {
        let (outlet, messages) = mpsc::channel(64);
        self.detach();
        self.watch(Vec::new());
        (self.timeline, self.audit) = (None, None);
        self.caller = Caller::new(address.clone(), outlet.clone());
        self.boards = feed::boards(address.clone(), outlet.clone());
        self.journal = feed::journal(address.clone(), outlet.clone());
        (self.outlet, self.messages, self.address) = (outlet, messages, address);
    }

    fn copy(&mut self, text: &str) {
        let ways = clipboard::ways(|name| std::env::var(name).ok());
        match clipboard::copy(text, &ways, &mut io::stdout()) {
            Ok(()) => self.model.say(Tone::Done, "Copied."),
            Err(why) => self.model.say(Tone::Failed, &format!("Nothing was copied: {why}.")),
        }
    }

    fn remember(&mut self, command: &str) {
        let Some(files) = &self.start.files else { return };
        if let Err(why) = files.remember(command) {
            warn!(%why, "the command is not remembered");
        }
    }

    /// Does something to the terminal; a failure is told rather than fatal.
    fn told(&mut self, change: impl FnOnce(&mut Screen) -> io::Result<()>) {
        if let Err(why) = change(&mut self.screen) {
            self.model.say(Tone::Failed, &format!("The terminal refused: {why}. ^L tries again."));
        }
    }
}

/// Sends keystrokes to a console; the error is how many bytes the lab is too slow for.
fn type_on(console: Option<&(Feed, Keystrokes)>, bytes: Vec<u8>) -> Result<(), usize> {
    let count = bytes.len();
    let sent = console.is_some_and(|(_, keys)| keys.try_send(bytes).is_ok());
    if sent { Ok(()) } else { Err(count) }
}

/// What an event of the terminal is to the model.
fn message(event: Event) -> Option<Message> {
    match event {
        Event::Key(key) => Some(Message::Key(key)),
        Event::Paste(text) => Some(Message::Paste(text)),
        Event::Resize(width, height) => Some(Message::Resize(width, height)),
        Event::Mouse(event) => Some(Message::Mouse(event)),
        Event::FocusGained | Event::FocusLost => None,
    }
}

/// The labs that one has logged in to. A visitor has none here.
fn labs(start: &Start) -> Vec<(String, Address)> {
    let Some(_) = &start.files else { return Vec::new() };
    let all = Known::all().unwrap_or_default().into_iter();
    all.map(|known| (known.name, known.address)).collect()
}

pub(crate) fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
