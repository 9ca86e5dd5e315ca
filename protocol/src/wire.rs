//! How bytes travel: one text line each way, then one of the ways that the line asked for.
//!
//! ```text
//! > lab 1 call
//! < ok 1 1 {}
//!   … tarpc, JSON in frames of a four-byte length …
//!
//! > lab 1 follow {"kind":"console","board":"rpi4","from":{"kind":"end"}}
//! < ok 1 1 {"start":4711,"session":3}
//!   … the console's bytes; keystrokes the other way …
//!
//! > lab 1 ssh
//! < ok 1 1 {}
//!   … an ssh connection to the lab's own ssh door …
//!
//! > lab 1 token lab_…
//! < ok 1 1 {}
//! > lab 1 call
//!   … as above …
//!
//! > lab 9 call
//! < no {"kind":"too-old","why":"…"}
//! ```
//!
//! The numbers after `ok` are the oldest and the newest version that the daemon speaks. The line
//! is frozen for ever: what follows it may change with the version, the line may not.

use std::io;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tarpc::serde_transport;
use tarpc::tokio_serde::formats::Json;
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt,
};
use tokio_util::codec::LengthDelimitedCodec;

use crate::account::{BadSecret, Secret};
use crate::board::BoardName;
use crate::console::{From, Pen};
use crate::error::Error;
use crate::search::Search;
use crate::send::File;
use crate::version::{OLDEST, VERSION};

/// The longest first line, in bytes.
pub const LONGEST_LINE: usize = 16 * 1024;

/// The largest call, in bytes, of whoever is no administrator; theirs may be as large as an answer, for
/// `import`.
pub const LARGEST_CALL: usize = 64 * 1024;

/// The largest answer, in bytes. Whatever may be larger is followed, not called for.
pub const LARGEST_FRAME: usize = 16 * 1024 * 1024;

/// How labd says that it cannot know any more what came of a call that is asked again, see
/// [`crate::request`].
pub const FORGOTTEN: io::ErrorKind = io::ErrorKind::NotFound;

/// What a connection is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// Small questions and their answers, see [`crate::service`].
    Call,
    /// Something that flows.
    Follow(Follow),
    /// The lab's ssh door, which asks by itself who one is.
    Ssh,
    /// None yet: first who is here, by a token. Another first line follows.
    Prove(Secret),
}

/// Something that flows from the daemon until either side closes the connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Follow {
    /// A console's bytes as they are; keystrokes the other way.
    Console {
        /// Whose.
        board: BoardName,
        /// From where in its history.
        from: From,
        /// Whether the viewer wants to type.
        #[serde(default)]
        pen: Pen,
        /// Close when this much history is sent: the end as it was when the connection was made.
        #[serde(default)]
        stop_at_end: bool,
    },
    /// The timeline: one [`crate::journal::Entry`] a line.
    Journal {
        /// Only this board's.
        #[serde(default)]
        board: Option<BoardName>,
        /// The first entry's number.
        #[serde(default)]
        from: Option<u64>,
        /// Not before the first entry of that time. Where clocks were set back, older ones may come, too; and
        /// from a lab that does not know this word, all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<crate::Time>,
        /// Without a first number or a time: so many of the newest entries first.
        #[serde(default)]
        tail: u32,
        /// Close after the last entry there is.
        #[serde(default)]
        stop_at_end: bool,
    },
    /// A console's bytes with their times, and its board's entries of the timeline, in one order: one
    /// [`crate::replay::Moment`] a line. While it goes on, an entry may come a commit late.
    Replay {
        /// Whose.
        board: BoardName,
        /// From where in the console's history; the entries from then on.
        from: From,
        /// Close there, or at what is the end by now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<From>,
        /// Close at what is the end by now.
        #[serde(default)]
        stop_at_end: bool,
    },
    /// A file through a board's console: its bytes up, and one [`crate::send::Sending`] a line back.
    Send {
        /// Whose.
        board: BoardName,
        /// What it is, and how it is to go.
        file: File,
    },
    /// Who is at a console: one [`crate::console::Desk`] a line, as it is, then again when it has changed.
    Desk {
        /// Whose.
        board: BoardName,
    },
    /// The board table: one [`crate::board::Board`] a line, first all of them, then an empty line,
    /// then each again when something about it changed.
    Boards,
    /// Nothing flows. While the connection lasts, the hold or the place in the queue is kept.
    Keep {
        /// The hold's or the place's number.
        number: u64,
    },
    /// Bytes to and from a port of a board, as long as the caller holds it.
    Tunnel {
        /// Whose.
        board: BoardName,
        /// Which; where its sshd listens, if not said.
        #[serde(default)]
        port: Option<u16>,
    },
    /// The lab's whole state as JSON lines, the last of which carries the hash of the others.
    Export,
    /// What consoles printed, searched: one [`crate::search::Hit`] a line, as they are found, then an empty
    /// line when all has been looked at.
    Search(Search),
}

impl Follow {
    /// Whether whoever follows can go on where they were on another connection.
    pub fn resumes(&self) -> bool {
        match self {
            Follow::Console { .. }
            | Follow::Journal { .. }
            | Follow::Desk { .. }
            | Follow::Boards
            | Follow::Keep { .. } => true,
            Follow::Replay { until, stop_at_end, .. } => until.is_none() && !stop_at_end,
            Follow::Send { .. } | Follow::Tunnel { .. } | Follow::Export | Follow::Search(_) => {
                false
            }
        }
    }
}

/// How a follow begins.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// Where the stream really begins: an offset of a console, a number of an entry. If it is
    /// later than what was asked for, what lies between is no longer kept.
    #[serde(default)]
    pub start: u64,
    /// Names this viewer in calls about the pen.
    #[serde(default)]
    pub session: u64,
    /// So many bytes come first that are none of the console's: they paint its screen as it stood at
    /// `start`.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub painted: u64,
    /// Which run of the daemon answers, for calls: another one does not remember what this one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<u64>,
}

fn is_nothing(bytes: &u64) -> bool {
    *bytes == 0
}

/// Sends the first line.
pub async fn ask(io: &mut (impl AsyncWrite + Unpin), purpose: &Purpose) -> io::Result<()> {
    let line = match purpose {
        Purpose::Call => format!("lab {VERSION} call\n"),
        Purpose::Ssh => format!("lab {VERSION} ssh\n"),
        Purpose::Prove(secret) => format!("lab {VERSION} token {}\n", secret.as_str()),
        Purpose::Follow(follow) => {
            format!("lab {VERSION} follow {}\n", serde_json::to_string(follow)?)
        }
    };
    io.write_all(line.as_bytes()).await
}

/// Reads the first line.
///
/// # Errors
/// Whatever the caller should be told with [`refuse`]; [`Error::Unreachable`] if they have gone.
pub async fn listen(io: &mut (impl AsyncBufRead + Unpin)) -> Result<Purpose, Error> {
    let bad = |why: String| Error::Bad { why };
    let line = read_line(io).await.map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => bad(error.to_string()),
        _ => Error::Unreachable { address: "the caller".to_owned(), why: error.to_string() },
    })?;
    let mut words = line.splitn(4, ' ');
    if words.next() != Some("lab") {
        return Err(bad("this is a lab; the first line is 'lab VERSION call'".to_owned()));
    }
    let version: u32 = words
        .next()
        .and_then(|word| word.parse().ok())
        .ok_or_else(|| bad("the first line lacks its version".to_owned()))?;
    if version < OLDEST {
        let why = format!(
            "this labd speaks {OLDEST} to {VERSION}, the client {version}; update the client"
        );
        return Err(Error::TooOld { why });
    }
    match (words.next(), words.next()) {
        (Some("call"), None) => Ok(Purpose::Call),
        (Some("ssh"), None) => Ok(Purpose::Ssh),
        (Some("token"), Some(secret)) => {
            secret.parse().map(Purpose::Prove).map_err(|error: BadSecret| bad(error.to_string()))
        }
        (Some("follow"), Some(what)) => serde_json::from_str(what)
            .map(Purpose::Follow)
            .map_err(|error| bad(format!("what to follow is not understood: {error}"))),
        _ => Err(bad("the first line asks for something unknown".to_owned())),
    }
}

/// Answers the first line with yes.
pub async fn accept(io: &mut (impl AsyncWrite + Unpin), welcome: &Welcome) -> io::Result<()> {
    let line = format!("ok {OLDEST} {VERSION} {}\n", serde_json::to_string(welcome)?);
    io.write_all(line.as_bytes()).await
}

/// Answers the first line with no.
pub async fn refuse(io: &mut (impl AsyncWrite + Unpin), why: &Error) -> io::Result<()> {
    io.write_all(format!("no {}\n", serde_json::to_string(why)?).as_bytes()).await?;
    io.shutdown().await
}

/// Reads the answer to the first line: how the stream begins, or why there is none.
pub async fn answer(io: &mut (impl AsyncBufRead + Unpin)) -> Result<Welcome, Error> {
    let line = read_line(io).await.map_err(|error| Error::TooOld {
        why: format!("no answer to the first line ({error}); is this a labd?"),
    })?;
    if let Some(why) = line.strip_prefix("no ") {
        return Err(serde_json::from_str(why).unwrap_or(Error::Unknown));
    }
    let strange =
        || Error::TooOld { why: format!("'{}' answered; is this a labd?", line.escape_debug()) };
    let mut words = line.strip_prefix("ok ").ok_or_else(strange)?.splitn(3, ' ');
    let mut number = || words.next().and_then(|word| word.parse::<u32>().ok()).ok_or_else(strange);
    let (oldest, _newest) = (number()?, number()?);
    if oldest > VERSION {
        let why =
            format!("labd speaks {oldest} and later, this client {VERSION}; update the client");
        return Err(Error::TooOld { why });
    }
    serde_json::from_str(words.next().unwrap_or("{}")).map_err(|_| strange())
}

async fn read_line(io: &mut (impl AsyncBufRead + Unpin)) -> io::Result<String> {
    let mut line = Vec::new();
    io.take(LONGEST_LINE as u64).read_until(b'\n', &mut line).await?;
    if line.pop() != Some(b'\n') {
        let (kind, why) = if line.len() + 1 >= LONGEST_LINE {
            (io::ErrorKind::InvalidData, "the first line is too long")
        } else {
            (io::ErrorKind::UnexpectedEof, "the connection ended in the first line")
        };
        return Err(io::Error::new(kind, why));
    }
    String::from_utf8(line)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the first line is not UTF-8"))
}

/// Frames for calls, after the first line.
pub fn frames<IO, In, Out>(io: IO) -> serde_transport::Transport<IO, In, Out, Json<In, Out>>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    In: DeserializeOwned,
    Out: Serialize,
{
    let codec = LengthDelimitedCodec::builder().max_frame_length(LARGEST_FRAME).new_framed(io);
    serde_transport::new(codec, Json::default())
}
