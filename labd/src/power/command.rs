//! Commands of the administrator's, for whatever has no driver.
//!
//! No shell is involved. A command stands in a process group of its own, with an empty standard
//! input and no descriptor of labd's, and is killed with its whole group when its time is over; also
//! if an earlier daemon was killed while it ran.

use std::fmt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use futures::future::{self, Either};
use protocol::Span;
use protocol::text::plain;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Child;
use tokio::time::timeout;

use super::{Error, Power};
use crate::config::executable;
use crate::config::reader::{Setting, Table};
use crate::config::ucl::{Node, Value};
use crate::program::{self, Group, Remains};

/// `{ cls = command, on = [pdu.sh, "on", 3], off = [pdu.sh, "off", 3], status = "pdu.sh get 3" }`
///
/// Exit status 0 is success. `status` prints `on` or `off`, in any case, as its first word; if it
/// prints anything else, or there is no `status`, the outlet cannot say. `reset` is for boards that have
/// a reset line.
#[derive(Debug, PartialEq)]
pub struct Command {
    on: Words,
    off: Words,
    status: Option<Words>,
    reset: Option<Words>,
    /// Outlets that name the same are switched one at a time.
    controller: Option<String>,
    limit: Duration,
}

/// A program and its arguments: a list, or a text that is split on blanks. Never empty.
#[derive(Debug, Clone, PartialEq)]
struct Words {
    program: String,
    arguments: Vec<String>,
}

/// How much is kept of what a command prints, in bytes.
const KEPT: usize = 4096;

/// How much of its last line an error shows, in characters.
const SHOWN: usize = 200;

/// How long what was printed is waited for after the command has ended. All of it is there by then,
/// but something that the command left running may hold the pipe open for ever.
const GRACE: Duration = Duration::from_millis(200);

impl Command {
    /// Reads the settings. `None` if there is a fault among them.
    pub fn read(table: &mut Table<'_>) -> Option<Command> {
        let (on, off): (Option<Words>, _) = (table.required("on"), table.required("off"));
        let (status, reset) = (table.optional("status"), table.optional("reset"));
        for (key, words) in [("on", &on), ("off", &off), ("status", &status), ("reset", &reset)] {
            if let Some(why) = words.as_ref().and_then(|words| executable::missing(&words.program))
            {
                table.warn(key, why);
            }
        }
        let controller = table.optional("controller");
        let limit: Span = table.or("limit", Span::seconds(10));
        if limit == Span(0) {
            table.fault("limit", "limit: no time at all is too little");
        }
        Some(Command { on: on?, off: off?, status, reset, controller, limit: limit.duration() })
    }

    /// Runs a command to its end, and gives what it printed.
    async fn run(&self, words: &Words) -> Result<Vec<u8>, Error> {
        let device = self.to_string();
        program::end_left(&device, Remains::InHand).await.map_err(|error| Error::Unreachable {
            device: device.clone(),
            why: error.to_string(),
        })?;
        let mut child = words.start(&device).map_err(|error| Error::Refused {
            device: device.clone(),
            why: format!("{} does not start: {error}", words.program),
        })?;
        let mut group = Group::of(&child);
        let Ok(end) = timeout(self.limit, end_of(&mut child)).await else {
            return Err(Error::Silent { device, limit: self.limit });
        };
        group.forget();
        match end {
            Ok((status, printed, _)) if status.success() => Ok(printed),
            Ok((status, _, complaint)) => {
                Err(Error::Refused { device, why: format!("{status}{}", last_line(&complaint)) })
            }
            Err(error) => Err(Error::Unreachable { device, why: error.to_string() }),
        }
    }
}

impl Power for Command {
    async fn set(&self, on: bool) -> Result<(), Error> {
        self.run(if on { &self.on } else { &self.off }).await.map(drop)
    }

    async fn get(&self) -> Result<Option<bool>, Error> {
        let Some(status) = &self.status else { return Ok(None) };
        self.run(status).await.map(|printed| on_or_off(&printed))
    }

    async fn reset(&self) -> Result<(), Error> {
        let why = "it has no reset".to_owned();
        let refused = Error::Refused { device: self.to_string(), why };
        self.run(self.reset.as_ref().ok_or(refused)?).await.map(drop)
    }

    fn can_reset(&self) -> bool {
        self.reset.is_some()
    }

    fn can_tell(&self) -> bool {
        self.status.is_some()
    }

    fn controller(&self) -> String {
        self.controller.clone().unwrap_or_else(|| self.on.program.clone())
    }
}

/// `command pdu.sh on 3`
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "command {}", self.on.program)?;
        self.on.arguments.iter().try_for_each(|argument| write!(f, " {argument}"))
    }
}

impl Words {
    fn start(&self, outlet: &str) -> std::io::Result<Child> {
        let mut command = tokio::process::Command::new(&self.program);
        command
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        program::lead(&mut command, outlet).spawn()
    }
}

impl Setting for Words {
    const WANTED: &'static str = "a command: [program, argument, …]";

    fn read(value: &Value) -> Result<Words, Option<String>> {
        let words = match &value.node {
            Node::Text(text) => text.split_whitespace().map(str::to_owned).collect(),
            Node::Array(values) => values.iter().map(word).collect::<Result<Vec<_>, _>>()?,
            _ => return Err(None),
        };
        let mut words = words.into_iter();
        let program = words.next().filter(|program| !program.is_empty()).ok_or(None)?;
        Ok(Words { program: executable::resolved(program, &value.at), arguments: words.collect() })
    }
}

/// In UCL a bare `on` is the same as `true`, and `10s` the same as ten: what was written is lost.
fn word(value: &Value) -> Result<String, Option<String>> {
    match &value.node {
        Node::Text(text) => Ok(text.clone()),
        Node::Int(number) => Ok(number.to_string()),
        Node::Array(_) | Node::Object(_) => Err(None),
        _ => Err(Some("a word of a command reads as something else; put it in quotes".to_owned())),
    }
}

/// How a command ended, the first of what it printed, and the last of what it complained of.
async fn end_of(child: &mut Child) -> std::io::Result<(ExitStatus, Vec<u8>, Vec<u8>)> {
    let (mut printed, mut complaint) = (Vec::new(), Vec::new());
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let listening = Box::pin(future::join(
        listen(stdout, &mut printed, |kept| kept.truncate(KEPT)),
        listen(stderr, &mut complaint, |kept| drop(kept.drain(..kept.len().saturating_sub(KEPT)))),
    ));
    let status = match future::select(Box::pin(child.wait()), listening).await {
        Either::Left((status, listening)) => {
            let _ = timeout(GRACE, listening).await;
            status?
        }
        Either::Right((_, ending)) => ending.await?,
    };
    Ok((status, printed, complaint))
}

/// Reads to the end, or to what cannot be read, and keeps what `shorten` leaves.
async fn listen(
    from: Option<impl AsyncRead + Unpin>,
    kept: &mut Vec<u8>,
    shorten: impl Fn(&mut Vec<u8>),
) {
    let Some(mut from) = from else { return };
    while let Ok(1..) = from.read_buf(kept).await {
        shorten(kept);
    }
}

/// The first word, in any case; anything else is neither.
fn on_or_off(printed: &[u8]) -> Option<bool> {
    match printed.split(u8::is_ascii_whitespace).find(|word| !word.is_empty())? {
        word if word.eq_ignore_ascii_case(b"on") => Some(true),
        word if word.eq_ignore_ascii_case(b"off") => Some(false),
        _ => None,
    }
}

/// `: the last line` that says anything.
fn last_line(complaint: &[u8]) -> String {
    let lines = complaint.split(|byte| *byte == b'\n').map(|line| plain(line, SHOWN));
    let last = lines.map(|line| line.trim().to_owned()).rfind(|line| !line.is_empty());
    last.map_or(String::new(), |line| format!(": {line}"))
}

#[cfg(test)]
mod tests;
