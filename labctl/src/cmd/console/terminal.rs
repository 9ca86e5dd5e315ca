//! A console at a terminal: every key goes to the board but the escape.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::pin::Pin;
use std::time::Duration;

use nix::sys::termios::{self, SetArg, Termios};
use protocol::board::BoardName;
use protocol::client::Client;
use protocol::console::{ConsoleState, From, Pen, PenAsk, PenState, Signal};
use protocol::journal::{Entry, Event};
use protocol::user::UserName;
use protocol::{Error, Span};
use protocol::{screen, text};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::super::timeline::Timeline;
use super::link::{Exchanged, Heard, Link};
use super::show::Show;
use super::{Console, desk};
use crate::At;
use crate::print::Output;

/// Ctrl-T.
const ESCAPE: u8 = 0x14;
/// Ctrl-C.
const INTERRUPT: u8 = 0x03;
/// The longest line of labctl's own, in characters.
const LONGEST: usize = 1_000;
/// What broke off is tried again after so long.
const AGAIN: Duration = Duration::from_millis(500);

const HELP: &str = "\
q or .  leave                  p  take the pen, or ask for it
b       send a BREAK           f  take the pen from whoever has it, with a reason
w       who looks, who types   d  give the pen up
Ctrl-T  send a Ctrl-T          g  hand the pen to who asks; k keep it
s       send a named sequence  a  let who asks type as well; e end that
?       this list";

/// What a key after the escape means.
enum Command {
    Leave,
    Literal,
    Help,
    Break,
    Sequence,
    Who,
    Pen(PenAsk),
    Nothing,
}

/// What labctl asks whoever types.
#[derive(Debug, Clone, Copy)]
enum Question {
    Why,
    Which,
}

/// A terminal in raw mode; as it was when this is dropped.
struct Raw {
    before: Termios,
}

impl Raw {
    fn enter() -> nix::Result<Raw> {
        let before = termios::tcgetattr(std::io::stdin())?;
        let mut raw = before.clone();
        termios::cfmakeraw(&mut raw);
        termios::tcsetattr(std::io::stdin(), SetArg::TCSADRAIN, &raw)?;
        Ok(Raw { before })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // There is nothing more to be done for a terminal that is gone.
        let _ = termios::tcsetattr(std::io::stdin(), SetArg::TCSADRAIN, &self.before);
    }
}

/// Serves the terminal until the user leaves.
pub(super) async fn run(console: &Console, at: &At, out: &mut Output) -> anyhow::Result<()> {
    let from = console.since.unwrap_or(From::Screen { offset: None, tail: 0 });
    let link = Link::open(at, &console.board, from, console.pen()).await?;
    let calls = at.connect().await?;
    let escape =
        if console.no_escape { "no escape key" } else { "Ctrl-T q leaves, Ctrl-T ? helps" };
    out.say(format_args!("[{}: {escape}]", console.board));
    console.say_if_elsewhere(link.offset, out);
    if let Some(why) = &link.read_only {
        out.say(format_args!("[read-only: {why}]"));
    } else if console.pen() == Pen::Wanted && !link.has_pen(&calls).await? {
        out.say("[somebody else types here: Ctrl-T p asks for the pen, Ctrl-T f takes it]");
    }
    if let Some(why) = away(&calls, &console.board).await? {
        out.say(format_args!("[the console is away, and what you type goes nowhere: {why}]"));
    }
    let raw = Raw::enter()?;
    let mut session = Session {
        console,
        link,
        calls,
        screen: Show::new(console),
        escaped: false,
        answer: None,
        keys: VecDeque::new(),
        asked: None,
        mending: None,
    };
    session.paint()?;
    let outcome = session.serve(at).await;
    drop(raw);
    out.say("");
    outcome
}

/// Why the console's device is not there, if it is not.
async fn away(calls: &Client, board: &BoardName) -> Result<Option<String>, Error> {
    let line = calls.board(board.clone()).await?.line;
    let away = line.filter(|line| line.state == ConsoleState::Away);
    Ok(away.map(|line| text::plain(line.fault.unwrap_or_default().as_bytes(), 200)))
}

/// Something that is waited for while keys and signals are heard.
type Pending<T> = Pin<Box<dyn Future<Output = T>>>;

struct Session<'a> {
    console: &'a Console,
    link: Link,
    calls: Client,
    screen: Show,
    /// The escape was pressed.
    escaped: bool,
    /// What is being typed for labctl: a reason for taking the pen, the name of a sequence.
    answer: Option<(Question, String)>,
    /// Typed, and not yet sent: a board may be slower than a paste.
    keys: VecDeque<u8>,
    /// What the lab was asked and has not answered yet. What is typed meanwhile is sent after that.
    asked: Option<Pending<String>>,
    /// The connection is broken, and being made again.
    mending: Option<Pending<Result<(Link, Client), Error>>>,
}

impl Session<'_> {
    async fn serve(&mut self, at: &At) -> anyhow::Result<()> {
        let mut keys = keys();
        let mut notices = notices(at, self.console.board.clone()).await?;
        let mut presence = desk::comings(at, self.console.board.clone());
        let (mut hangup, mut terminate) =
            (signal(SignalKind::hangup())?, signal(SignalKind::terminate())?);
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let Session { link, keys: typed, asked, mending, .. } = self;
            let ready = if asked.is_none() { typed.as_slices().0 } else { &[] };
            tokio::select! {
                exchanged = link.exchange(&mut buffer, ready), if mending.is_none() => {
                    match exchanged {
                        Exchanged::Heard(Heard::Bytes(read)) => self.show(&buffer[..read])?,
                        Exchanged::Heard(Heard::Broken) => self.begin_to_mend(at)?,
                        Exchanged::Typed(count) => drop(self.keys.drain(..count)),
                    }
                }
                mended = done(mending) => {
                    let (link, calls) = mended?;
                    self.mended(link, calls)?;
                }
                said = done(asked) => self.tell(&said)?,
                Some(pressed) = keys.recv() => if !self.press(&pressed)? {
                    self.link.type_at_once(self.keys.make_contiguous()).await;
                    return Ok(());
                },
                Some(notice) = notices.recv() => self.tell(&notice)?,
                Some(notice) = presence.recv() => self.tell(&notice)?,
                _ = hangup.recv() => return Ok(()),
                _ = terminate.recv() => return Ok(()),
                _ = interrupt.recv() => return Ok(()),
            }
        }
    }

    /// The screen as it stood. Where lines are printed one below the other they follow what is on the
    /// terminal; a program that draws all over its screen gets one of its own.
    fn paint(&mut self) -> std::io::Result<()> {
        let paint = std::mem::take(&mut self.link.paint);
        if screen::is_drawn(&paint) {
            let rows = crossterm::terminal::size().map_or(screen::SIZE.1, |(_, rows)| rows);
            self.show("\n".repeat(rows.into()).as_bytes())?;
            return self.show(&paint);
        }
        self.show(paint.strip_prefix(screen::FRESH).unwrap_or(&paint))
    }

    /// The board's bytes, as far as they are safe for a terminal.
    fn show(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(&self.screen.of(bytes))?;
        stdout.flush()
    }

    /// A line of labctl's own, between the board's.
    fn tell(&self, line: &str) -> std::io::Result<()> {
        let mut stdout = std::io::stdout().lock();
        for line in line.lines() {
            write!(stdout, "\r\n[{}]", text::plain(line.as_bytes(), LONGEST))?;
        }
        write!(stdout, "\r\n")?;
        stdout.flush()
    }

    /// Begins to make the connection again. What is typed until then goes nowhere: the board is not
    /// to get it out of the blue, in whatever state it is by then.
    fn begin_to_mend(&mut self, at: &At) -> anyhow::Result<()> {
        if self.link.read_only.is_none() && !self.console.read_only {
            self.tell("the hold is over, or the lab is away; looking on as soon as it answers (Ctrl-C leaves)")?;
        }
        self.keys.clear();
        let (again, at) = (self.link.again(), at.clone());
        self.mending = Some(Box::pin(async move {
            let link = again.await?;
            loop {
                match at.connect().await {
                    Err(Error::Unreachable { .. }) => tokio::time::sleep(AGAIN).await,
                    connected => return Ok((link, connected?)),
                }
            }
        }));
        Ok(())
    }

    fn mended(&mut self, link: Link, calls: Client) -> std::io::Result<()> {
        let lost = self.link.replace(link);
        self.calls = calls;
        match (&self.link.read_only, lost) {
            (Some(why), _) => self.tell(&format!("read-only: {why}")),
            (None, 0) => self.tell("here again; nothing is missing"),
            (None, lost) => self.tell(&format!("here again; {lost} bytes are no longer kept")),
        }
    }

    /// What was pressed. False if the user leaves.
    fn press(&mut self, pressed: &[u8]) -> std::io::Result<bool> {
        for &key in pressed {
            if let Some((question, answer)) = self.answer.take() {
                self.type_answer(question, answer, key)?;
            } else if std::mem::take(&mut self.escaped) {
                match command(key) {
                    Command::Leave => return Ok(false),
                    Command::Literal => self.type_key(key),
                    other => self.obey(other)?,
                }
            } else if key == ESCAPE && !self.console.no_escape {
                self.escaped = true;
            } else if key == INTERRUPT && self.mending.is_some() {
                return Ok(false);
            } else {
                self.type_key(key);
            }
        }
        Ok(true)
    }

    fn type_key(&mut self, key: u8) {
        if self.mending.is_none() {
            self.keys.push_back(key);
        }
    }

    fn obey(&mut self, command: Command) -> std::io::Result<()> {
        let (calls, session) = (self.calls.clone(), self.link.session);
        match command {
            Command::Leave | Command::Literal | Command::Nothing => {}
            Command::Help => self.tell(HELP)?,
            Command::Break => self.ask(async move {
                said(calls.send_break(session, Span::default()).await, |()| "BREAK".to_owned())
            }),
            Command::Who => {
                let board = self.console.board.clone();
                self.ask(async move {
                    said(calls.board(board).await, |detail| {
                        let viewers = detail.line.map(|line| line.viewers).unwrap_or_default();
                        viewers.iter().map(desk::name).collect::<Vec<_>>().join(", ")
                    })
                });
            }
            Command::Pen(PenAsk::Force { .. }) => self.question(Question::Why)?,
            Command::Sequence => self.question(Question::Which)?,
            Command::Pen(ask) => {
                self.ask(async move { said(calls.pen(session, ask).await, pen) });
            }
        }
        Ok(())
    }

    /// Asks the lab, when it has answered what it was asked before.
    fn ask(&mut self, ask: impl Future<Output = String> + 'static) {
        let before = self.asked.take();
        self.asked = Some(Box::pin(async move {
            match before {
                Some(before) => [before.await, ask.await].join("\n"),
                None => ask.await,
            }
        }));
    }

    fn question(&mut self, question: Question) -> std::io::Result<()> {
        self.answer = Some((question, String::new()));
        let mut stdout = std::io::stdout().lock();
        let words = match question {
            Question::Why => "why",
            Question::Which => "which sequence",
        };
        write!(stdout, "\r\n[{words}? ")?;
        stdout.flush()
    }

    fn type_answer(
        &mut self,
        question: Question,
        mut answer: String,
        key: u8,
    ) -> std::io::Result<()> {
        let mut stdout = std::io::stdout().lock();
        match key {
            b'\r' | b'\n' if !answer.is_empty() => {
                write!(stdout, "]\r\n")?;
                self.answered(question, answer);
            }
            0x20..=0x7e => {
                answer.push(char::from(key));
                self.answer = Some((question, answer));
                stdout.write_all(&[key])?;
            }
            0x7f | 0x08 => {
                if answer.pop().is_some() {
                    write!(stdout, "\x08 \x08")?;
                }
                self.answer = Some((question, answer));
            }
            _ => write!(stdout, "]\r\n")?,
        }
        stdout.flush()
    }

    fn answered(&mut self, question: Question, answer: String) {
        let (calls, session) = (self.calls.clone(), self.link.session);
        let board = self.console.board.clone();
        match question {
            Question::Why => self.ask(async move {
                let ask = PenAsk::Force { reason: answer };
                said(calls.pen(session, ask).await, pen)
            }),
            Question::Which => self.ask(async move {
                let signal = Signal::Break { name: Some(answer.clone()) };
                said(calls.signal(board, signal).await, |()| format!("sent {answer}"))
            }),
        }
    }
}

/// What is waited for, once; for ever, if nothing is.
async fn done<T>(pending: &mut Option<Pending<T>>) -> T {
    let outcome = match pending {
        Some(pending) => pending.await,
        None => std::future::pending().await,
    };
    *pending = None;
    outcome
}

fn command(key: u8) -> Command {
    match key {
        b'q' | b'.' => Command::Leave,
        ESCAPE | b't' => Command::Literal,
        b'?' | b'h' => Command::Help,
        b'b' => Command::Break,
        b's' => Command::Sequence,
        b'w' => Command::Who,
        b'p' => Command::Pen(PenAsk::Ask),
        b'g' => Command::Pen(PenAsk::Grant { session: None }),
        b'k' => Command::Pen(PenAsk::Keep),
        b'a' => Command::Pen(PenAsk::Pair { session: None }),
        b'e' => Command::Pen(PenAsk::Part),
        b'd' => Command::Pen(PenAsk::Drop),
        b'f' => Command::Pen(PenAsk::Force { reason: String::new() }),
        _ => Command::Nothing,
    }
}

fn pen(state: PenState) -> String {
    match state {
        PenState::Yours => "the pen is yours".to_owned(),
        PenState::InLine { position } => format!("asked for the pen; place {position} in line"),
        PenState::NotYours => "the pen is not yours".to_owned(),
        PenState::Paired => "you type as well".to_owned(),
    }
}

fn said<T>(answer: Result<T, Error>, words: impl FnOnce(T) -> String) -> String {
    answer.map_or_else(|error| error.to_string(), words)
}

/// The keys, as they come. The thread waits for ever in a read, and ends with the process.
fn keys() -> mpsc::Receiver<Vec<u8>> {
    let (sender, keys) = mpsc::channel(64);
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = std::io::stdin().lock().read(&mut buffer) {
            if sender.blocking_send(buffer[..read].to_vec()).is_err() {
                return;
            }
        }
    });
    keys
}

/// What others do to the board, and what happens to the hold, in words; from now on, over breaks of the
/// connection.
async fn notices(at: &At, board: BoardName) -> Result<mpsc::Receiver<String>, Error> {
    let (sender, notices) = mpsc::channel(16);
    let me = at.connect().await?.whoami().await?.name;
    let mut timeline = Timeline::open(at, Some(board), None, 0, false).await?;
    tokio::spawn(async move {
        // Who may not read it any more is told so by the console's own connection.
        while let Ok(Some((_, entry))) = timeline.next().await {
            if is_worth_telling(&entry.event) && sender.send(words(entry, &me)).await.is_err() {
                return;
            }
        }
    });
    Ok(notices)
}

fn words(entry: Entry, me: &UserName) -> String {
    let who = entry.who.map(|who| format!("{who}: ")).unwrap_or_default();
    let help = match &entry.event {
        Event::PenAsked { of, .. } if of == me => {
            "; Ctrl-T g hands it over, Ctrl-T k keeps it, Ctrl-T a lets both type"
        }
        _ => "",
    };
    format!("{who}{}{help}", entry.event)
}

fn is_worth_telling(event: &Event) -> bool {
    !matches!(
        event,
        Event::Typed { .. }
            | Event::PowerSent { .. }
            | Event::PowerStep { .. }
            | Event::PowerSeen { .. }
            | Event::Unknown
    )
}
