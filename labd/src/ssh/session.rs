//! One channel: what the client asks for, what comes of it, and how it ends.

use std::time::Duration;

use protocol::Error;
use protocol::board::BoardName;
use protocol::text;
use russh::server::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::shares::Waiting;
use super::visitor::{Stay, Visitor};
use super::words::{self, Wanted, is_locale};
use super::{console, program, token};

/// The exit status of ssh itself, when a connection is cut off.
const SHOWN_OUT: u8 = 255;
/// The ssh user name of the lab itself.
const LAB: &str = "lab";
/// Extended data of this kind is standard error.
pub(super) const STDERR: u32 = 1;
/// So much of what is typed waits to be taken; of what a program sends, more: see [`Waiting`].
const TYPED: usize = 64 * 1024;
/// Who leaves may have typed something just before.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// No more variables are taken.
const VARIABLES: usize = 16;

/// A channel on which somebody is served.
pub(super) struct Session<'a> {
    pub(super) visitor: &'a Visitor,
    pub(super) read: ChannelReadHalf,
    pub(super) write: ChannelWriteHalf<Msg>,
    pub(super) wishes: Wishes,
}

/// What a client asks for before it says what is to be done.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    pub(super) terminal: Option<Terminal>,
    /// Names and values.
    pub(super) locale: Vec<(String, String)>,
}

/// The visitor's terminal.
#[derive(Debug)]
pub(super) struct Terminal {
    pub(super) term: String,
    pub(super) size: Size,
}

/// A terminal's size, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) columns: u16,
    pub(super) rows: u16,
}

impl Size {
    /// A client that knows no size says 0.
    fn new(columns: u32, rows: u32) -> Size {
        let or = |said: u32, usual: u16| match u16::try_from(said) {
            Ok(0) | Err(_) => usual,
            Ok(said) => said,
        };
        Size { columns: or(columns, 80), rows: or(rows, 24) }
    }

    /// What a message says of it, if it does.
    pub(super) fn of(message: &ChannelMsg) -> Option<Size> {
        match message {
            ChannelMsg::WindowChange { col_width, row_height, .. } => {
                Some(Size::new(*col_width, *row_height))
            }
            _ => None,
        }
    }
}

/// What is to be done.
enum Task {
    Shell,
    Exec(Vec<u8>),
}

/// Serves a channel until it is done, or the visitor leaves.
pub(super) async fn serve(visitor: &Visitor, user: &str, channel: Channel<Msg>) {
    let (read, write) = channel.split();
    let mut session = Session { visitor, read, write, wishes: Wishes::default() };
    let task = tokio::select! {
        task = session.heard() => task,
        () = visitor.until_over() => None,
    };
    let Some(task) = task else { return };
    let mut code = session.perform(user, task).await;
    if let Stay::ShownOut(why) = visitor.stay() {
        session.say(&format!("labd: {why}\n")).await;
        code = SHOWN_OUT;
    }
    // A client that is gone needs to be told nothing.
    let _ = session.write.exit_status(code.into()).await;
    let _ = session.write.eof().await;
    let _ = session.write.close().await;
}

impl Session<'_> {
    /// Hears the client out; none if it leaves.
    async fn heard(&mut self) -> Option<Task> {
        loop {
            match self.read.wait().await? {
                ChannelMsg::RequestPty { term, col_width, row_height, .. } => {
                    let size = Size::new(col_width, row_height);
                    let term = words::terminal(&term).to_owned();
                    self.wishes.terminal = Some(Terminal { term, size });
                }
                ChannelMsg::SetEnv { variable_name: name, variable_value: value, .. } => {
                    let locale = &mut self.wishes.locale;
                    if is_locale(&name, &value) && locale.len() < VARIABLES {
                        locale.push((name, value));
                    }
                }
                ChannelMsg::RequestShell { .. } => return Some(Task::Shell),
                ChannelMsg::Exec { command, .. } => return Some(Task::Exec(command)),
                ChannelMsg::Close => return None,
                message => {
                    let size = Size::of(&message);
                    if let Some((terminal, size)) = self.wishes.terminal.as_mut().zip(size) {
                        terminal.size = size;
                    }
                }
            }
        }
    }

    /// Does it. Returns the exit status.
    async fn perform(&mut self, user: &str, task: Task) -> u8 {
        let done = match self.visitor.who() {
            Ok(who) if user == LAB || user == who.name.as_str() => self.run(task).await,
            Ok(_) => self.attach(user, task).await,
            Err(why) => Err(why),
        };
        match done {
            Ok(code) => code,
            Err(why) => {
                self.say(&format!("labd: {why}\n")).await;
                code(&why)
            }
        }
    }

    async fn run(&mut self, task: Task) -> Result<u8, Error> {
        match task {
            Task::Shell => program::run(self, "labtui", &[]).await,
            Task::Exec(line) => match words::wanted(&line)? {
                Wanted::Token(options) => token::print(self, &options).await,
                Wanted::Labctl(words) => program::run(self, "labctl", &words).await,
            },
        }
    }

    async fn attach(&mut self, user: &str, task: Task) -> Result<u8, Error> {
        let board: BoardName = user.parse().map_err(|_| {
            let (what, name) = ("board".to_owned(), text::plain(user.as_bytes(), 64));
            Error::NoSuch { what, name, near: None }
        })?;
        if matches!(task, Task::Exec(_)) {
            let why = format!(
                "a console takes no command; ask the lab: ssh {LAB}@… console {board} --send …"
            );
            return Err(Error::Bad { why });
        }
        console::attach(self, &board).await
    }

    /// What the visitor wanted, to standard output.
    pub(super) async fn print(&self, text: &str) {
        // A client that is gone reads nothing.
        let _ = self.write.data_bytes(self.lines(text)).await;
    }

    /// Talk: to standard error, or between everything else that a terminal shows.
    pub(super) async fn say(&self, text: &str) {
        let is_terminal = self.wishes.terminal.is_some();
        if is_terminal {
            return self.print(text).await;
        }
        // A client that is gone hears nothing.
        let _ = self.write.extended_data_bytes(STDERR, self.lines(text)).await;
    }

    /// A terminal in raw mode goes to the start of a line only if it is told to.
    fn lines(&self, text: &str) -> Vec<u8> {
        let text = text::page(text);
        match &self.wishes.terminal {
            Some(_) => text.replace('\n', "\r\n").into_bytes(),
            None => text.into_bytes(),
        }
    }
}

/// The exit status, as labctl's.
fn code(why: &Error) -> u8 {
    match why {
        Error::Bad { .. } => 2,
        Error::NoSuch { .. } | Error::Lacks { .. } => 3,
        Error::NotAllowed { .. } | Error::OutOfScope { .. } | Error::NotKnown { .. } => 5,
        Error::HeldBy { .. } | Error::NoPen { .. } => 6,
        Error::Device { .. } => 9,
        Error::NotHeld { .. } | Error::HoldOver { .. } => 11,
        _ => 1,
    }
}

/// What becomes of what comes faster than it is taken. Nothing is left unread: other channels' bytes are
/// behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Haste {
    /// It is lost, as at any terminal.
    Loses,
    /// It waits, and its end is passed on; but not [too much](Waiting::is_too_much), or the session is over.
    Waits,
}

/// Carries what the client sends to `to` until the client leaves. `other` is told of everything else.
pub(super) async fn talk<To: AsyncWrite + Unpin>(
    visitor: &Visitor,
    read: &mut ChannelReadHalf,
    to: To,
    haste: Haste,
    mut other: impl FnMut(&To, ChannelMsg),
) {
    let (mut to, mut waiting, mut ended) = (Some(to), Waiting::new(&visitor.waiting), false);
    loop {
        if ended && waiting.bytes().is_empty() {
            to = None;
        }
        let take = async {
            match &mut to {
                Some(to) if !waiting.bytes().is_empty() => to.write(waiting.bytes()).await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            message = read.wait() => match message {
                None | Some(ChannelMsg::Close) => break,
                Some(ChannelMsg::Data { data }) => match haste {
                    Haste::Loses if waiting.bytes().len() > TYPED => {}
                    Haste::Waits if waiting.is_too_much() => return,
                    _ if to.is_some() => waiting.add(&data),
                    _ => {}
                },
                Some(ChannelMsg::Eof) => ended = haste == Haste::Waits,
                Some(message) => if let Some(to) = &to { other(to, message) },
            },
            taken = take => match taken {
                Ok(taken) => waiting.take(taken),
                // Nobody takes any more.
                Err(_) => {
                    waiting.take(waiting.bytes().len());
                    to = None;
                }
            },
        }
    }
    if let Some(mut to) = to {
        // Whoever takes nothing now has had its time.
        let _ = timeout(LAST_WORDS, to.write_all(waiting.bytes())).await;
    }
}
