//! The loop: waits for what happens, has it taken into the model, carries out what is to be done, and
//! draws, at most sixty times a second and only if something has changed.

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
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::call::Caller;
use crate::feed::{self, Feed, Keystrokes};
use crate::model::Model;
use crate::notice::Tone;
use crate::terminal::{self, Screen};
use crate::update::{Effect, Message, update};
use crate::view::{self, Colours, Look};

/// The shortest time between two pictures.
const FRAME: Duration = Duration::from_millis(16);

/// How often countdowns are drawn.
const TICK: Duration = Duration::from_secs(1);

/// How many messages are taken in before keys are looked at again.
const MOST: usize = 8;

/// Shows the lab at `address` until somebody leaves, or a signal says so.
///
/// # Errors
/// Why there is no screen to show it on.
pub async fn run(address: Address) -> anyhow::Result<ExitCode> {
    terminal::check()?;
    let look = Look::of(|name| std::env::var(name).ok());
    crossterm::style::force_color_output(look.colours == Colours::All);
    let mut signals = Signals::new()?;
    let (screen, _guard) = terminal::open().context("the terminal cannot be drawn on")?;
    let mut program = Program::start(address, look, screen)?;
    tokio::select! {
        ended = program.run() => ended.map(|()| ExitCode::SUCCESS),
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
    look: Look,
    screen: Screen,
    model: Model,
    messages: mpsc::Receiver<Message>,
    outlet: mpsc::Sender<Message>,
    caller: Caller,
    timeline: Option<Feed>,
    console: Option<(Feed, Keystrokes)>,
    /// The board table, followed as long as the program runs.
    _boards: Feed,
}

impl Program {
    fn start(address: Address, look: Look, screen: Screen) -> io::Result<Program> {
        let (outlet, messages) = mpsc::channel(64);
        let size = screen.size()?;
        let size = (size.width, size.height);
        let model = Model::new(address.to_string(), TimeZone::system(), size, now());
        Ok(Program {
            look,
            screen,
            model,
            messages,
            caller: Caller::new(address.clone(), outlet.clone()),
            timeline: None,
            console: None,
            _boards: feed::boards(address.clone(), outlet.clone()),
            outlet,
            address,
        })
    }

    async fn run(&mut self) -> anyhow::Result<()> {
        let mut events = EventStream::new();
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
                    Some(event) => event.map(message)?.map_or(ControlFlow::Continue(()), |it| self.take(it)),
                    None => ControlFlow::Break(()),
                },
                _ = self.messages.recv_many(&mut news, MOST) => {
                    news.drain(..).try_for_each(|message| self.take(message))
                }
                () = sleep_until(due), if changed => continue,
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

    /// Takes a message in and does what follows from it.
    fn take(&mut self, message: Message) -> ControlFlow<()> {
        let effects = update(&mut self.model, now(), message);
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
                self.console = Some(feed::console(address, feed, board, pen, outlet));
            }
            Effect::Detach => self.console = None,
            Effect::Type(bytes) => self.type_on(bytes),
            Effect::Redraw => self.told(terminal::repaint),
            Effect::Suspend => self.told(terminal::suspend),
            Effect::Quit => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    }

    fn type_on(&mut self, bytes: Vec<u8>) {
        let count = bytes.len();
        let sent = self.console.as_ref().is_some_and(|(_, keys)| keys.try_send(bytes).is_ok());
        if !sent {
            let text = format!("The lab is too slow: {count} bytes that you typed were not sent.");
            self.model.say(Tone::Failed, &text);
        }
    }

    /// Does something to the terminal; a failure is told rather than fatal.
    fn told(&mut self, change: impl FnOnce(&mut Screen) -> io::Result<()>) {
        if let Err(why) = change(&mut self.screen) {
            self.model.say(Tone::Failed, &format!("The terminal refused: {why}. ^L tries again."));
        }
    }
}

/// What an event of the terminal is to the model.
fn message(event: Event) -> Option<Message> {
    match event {
        Event::Key(key) => Some(Message::Key(key)),
        Event::Paste(text) => Some(Message::Paste(text)),
        Event::Resize(width, height) => Some(Message::Resize(width, height)),
        Event::FocusGained | Event::FocusLost | Event::Mouse(_) => None,
    }
}

fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
