//! A console at a terminal: every key goes to the board but the escape.

use std::io::{Read, Write};
use std::time::Duration;

use nix::sys::termios::{self, SetArg, Termios};
use protocol::board::BoardName;
use protocol::client::{self, Client};
use protocol::console::{ConsoleState, From, Pen, PenAsk, PenState};
use protocol::journal::{Entry, Event};
use protocol::text::{self, Sanitiser};
use protocol::wire::Follow;
use protocol::{Error, Span};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::link::{Heard, Link};
use super::{Console, SCREENFUL};
use crate::At;
use crate::print::Output;

/// Ctrl-T.
const ESCAPE: u8 = 0x14;
/// A timeline that broke off is followed again after so long.
const AGAIN: Duration = Duration::from_millis(500);

const HELP: &str = "\
q or .  leave                  p  take the pen, or ask for it
b       send a BREAK           f  take the pen from whoever has it, with a reason
w       who looks, who types   d  give the pen up
Ctrl-T  send a Ctrl-T          ?  this list";

/// What a key after the escape means.
enum Command {
    Leave,
    Literal,
    Help,
    Break,
    Who,
    Pen(PenAsk),
    Nothing,
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
    let from = console.since.unwrap_or(From::Tail { bytes: SCREENFUL });
    let link = Link::open(at, &console.board, from, console.pen()).await?;
    let calls = at.connect().await?;
    let escape =
        if console.no_escape { "no escape key" } else { "Ctrl-T q leaves, Ctrl-T ? helps" };
    out.say(format_args!("[{}: {escape}]", console.board));
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
        sanitiser: Sanitiser::default(),
        escaped: false,
        reason: None,
    };
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

struct Session<'a> {
    console: &'a Console,
    link: Link,
    calls: Client,
    sanitiser: Sanitiser,
    /// The escape was pressed.
    escaped: bool,
    /// A reason for taking the pen is being typed.
    reason: Option<String>,
}

impl Session<'_> {
    async fn serve(&mut self, at: &At) -> anyhow::Result<()> {
        let mut keys = keys();
        let mut notices = notices(at, self.console.board.clone()).await?;
        let (mut hangup, mut terminate) =
            (signal(SignalKind::hangup())?, signal(SignalKind::terminate())?);
        let mut buffer = vec![0; 16 * 1024];
        loop {
            tokio::select! {
                heard = self.link.read(&mut buffer) => match heard {
                    Heard::Bytes(read) => self.show(&buffer[..read])?,
                    Heard::Broken => self.mend().await?,
                },
                Some(typed) = keys.recv() => if !self.press(&typed).await? { return Ok(()) },
                Some(notice) = notices.recv() => self.tell(&notice)?,
                _ = hangup.recv() => return Ok(()),
                _ = terminate.recv() => return Ok(()),
            }
        }
    }

    /// The board's bytes, as far as they are safe for a terminal.
    fn show(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let mut stdout = std::io::stdout().lock();
        if self.console.raw {
            stdout.write_all(bytes)?;
        } else {
            let mut safe = Vec::with_capacity(bytes.len());
            self.sanitiser.feed(bytes, &mut safe);
            stdout.write_all(&safe)?;
        }
        stdout.flush()
    }

    /// A line of labctl's own, between the board's.
    fn tell(&self, line: &str) -> std::io::Result<()> {
        let mut stdout = std::io::stdout().lock();
        for line in line.lines() {
            write!(stdout, "\r\n[{line}]")?;
        }
        write!(stdout, "\r\n")?;
        stdout.flush()
    }

    async fn mend(&mut self) -> anyhow::Result<()> {
        if self.link.read_only.is_none() && !self.console.read_only {
            self.tell("the hold is over, or the lab is away; looking on as soon as it answers")?;
        }
        let lost = self.link.mend().await?;
        match (&self.link.read_only, lost) {
            (Some(why), _) => self.tell(&format!("read-only: {why}"))?,
            (None, 0) => self.tell("here again; nothing is missing")?,
            (None, lost) => self.tell(&format!("here again; {lost} bytes are no longer kept"))?,
        }
        Ok(())
    }

    /// What was pressed. False if the user leaves.
    async fn press(&mut self, typed: &[u8]) -> anyhow::Result<bool> {
        let mut plain = Vec::new();
        for &key in typed {
            if self.reason.is_some() {
                self.type_reason(key).await?;
            } else if std::mem::take(&mut self.escaped) {
                match command(key) {
                    Command::Leave => return Ok(false),
                    Command::Literal => plain.push(key),
                    other => self.obey(other).await?,
                }
            } else if key == ESCAPE && !self.console.no_escape {
                self.escaped = true;
            } else {
                plain.push(key);
            }
        }
        if !plain.is_empty() {
            self.link.press(&plain).await;
        }
        Ok(true)
    }

    async fn obey(&mut self, command: Command) -> anyhow::Result<()> {
        let session = self.link.session;
        let said = match command {
            Command::Leave | Command::Literal | Command::Nothing => return Ok(()),
            Command::Help => HELP.to_owned(),
            Command::Break => {
                said(self.calls.send_break(session, Span::default()).await, |()| "BREAK".to_owned())
            }
            Command::Who => said(self.calls.board(self.console.board.clone()).await, |detail| {
                let viewers = detail.line.map(|line| line.viewers).unwrap_or_default();
                let name = |viewer: &protocol::console::Viewer| {
                    format!("{}{}", viewer.who, if viewer.pen { " (has the pen)" } else { "" })
                };
                viewers.iter().map(name).collect::<Vec<_>>().join(", ")
            }),
            Command::Pen(PenAsk::Force { .. }) => {
                self.reason = Some(String::new());
                let mut stdout = std::io::stdout().lock();
                write!(stdout, "\r\n[why? ")?;
                stdout.flush()?;
                return Ok(());
            }
            Command::Pen(ask) => said(self.calls.pen(session, ask).await, pen),
        };
        self.tell(&said)?;
        Ok(())
    }

    async fn type_reason(&mut self, key: u8) -> anyhow::Result<()> {
        let mut stdout = std::io::stdout().lock();
        match (key, self.reason.take()) {
            (b'\r' | b'\n', Some(reason)) if !reason.is_empty() => {
                write!(stdout, "]\r\n")?;
                let answer = self.calls.pen(self.link.session, PenAsk::Force { reason }).await;
                self.tell(&said(answer, pen))?;
            }
            (0x20..=0x7e, Some(mut reason)) => {
                reason.push(char::from(key));
                self.reason = Some(reason);
                stdout.write_all(&[key])?;
                stdout.flush()?;
            }
            (0x7f | 0x08, Some(mut reason)) => {
                if reason.pop().is_some() {
                    write!(stdout, "\x08 \x08")?;
                    stdout.flush()?;
                }
                self.reason = Some(reason);
            }
            _ => write!(stdout, "]\r\n")?,
        }
        Ok(())
    }
}

fn command(key: u8) -> Command {
    match key {
        b'q' | b'.' => Command::Leave,
        ESCAPE | b't' => Command::Literal,
        b'?' | b'h' => Command::Help,
        b'b' => Command::Break,
        b'w' => Command::Who,
        b'p' => Command::Pen(PenAsk::Take),
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
    let address = at.address();
    let follow = async move |from: Option<u64>| {
        let board = Some(board.clone());
        client::follow(&address, Follow::Journal { board, from, tail: 0, stop_at_end: false }).await
    };
    let (mut flow, welcome) = follow(None).await?;
    tokio::spawn(async move {
        let mut next = welcome.start;
        while !sender.is_closed() {
            while let Ok(Some(line)) = client::next_line(&mut flow).await {
                let Ok(entry) = serde_json::from_str::<Entry>(&line) else { continue };
                next = entry.seq + 1;
                if is_worth_telling(&entry.event) && sender.send(words(entry)).await.is_err() {
                    return;
                }
            }
            tokio::time::sleep(AGAIN).await;
            if let Ok((again, _)) = follow(Some(next)).await {
                flow = again;
            }
        }
    });
    Ok(notices)
}

fn words(entry: Entry) -> String {
    let who = entry.who.map(|who| format!("{who}: ")).unwrap_or_default();
    format!("{who}{}", text::plain(entry.event.to_string().as_bytes(), 200))
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
