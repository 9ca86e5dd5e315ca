//! What labctl prints: a sentence or a table for people, one JSON object for scripts.
//!
//! ```json
//! {"schema":"labctl/1","kind":"boards","items":[…]}
//! {"schema":"labctl/1","kind":"hold","item":{…}}
//! {"schema":"labctl/1","kind":"error","error":{…},"message":"…","exit":6,"help":"…"}
//! ```
//!
//! The items are the protocol's own types. Members are added, never renamed or given a new meaning.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use jiff::{Timestamp, Zoned};
use protocol::Time;
use protocol::text::{self, plain};
use serde::Serialize;
use serde_json::json;

use crate::exit;
use crate::style::{self, Colour, Style};
use crate::table::Table;

const SCHEMA: &str = "labctl/1";

/// What scripts read.
#[derive(Serialize)]
struct Object<'a, T, L: ?Sized> {
    schema: &'static str,
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<&'a T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    items: Option<&'a L>,
}

/// Where a command prints to, and as what.
pub struct Output {
    json: bool,
    colour: bool,
    colour_errors: bool,
    /// How wide a line may be; none if nobody looks.
    width: Option<usize>,
    now: Zoned,
}

impl Output {
    /// Looks at the terminal and the environment.
    pub fn new(json: bool, colour: Colour) -> Output {
        Output {
            json,
            colour: colour.suits(&io::stdout()),
            colour_errors: colour.suits(&io::stderr()),
            width: io::stdout().is_terminal().then(terminal_width).flatten(),
            now: Zoned::now(),
        }
    }

    /// Whether scripts read this.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// One thing: the object for scripts, the sentence for people.
    ///
    /// # Errors
    /// Standard output's.
    pub fn tell(
        &mut self,
        kind: &str,
        item: &impl Serialize,
        sentence: impl fmt::Display,
    ) -> io::Result<()> {
        if self.json {
            let object = Object { schema: SCHEMA, kind, item: Some(item), items: None::<&()> };
            return self.json(&serde_json::to_string(&object)?);
        }
        self.line(sentence)
    }

    /// Many things: a list for scripts, a table for people.
    ///
    /// # Errors
    /// Standard output's.
    pub fn list(
        &mut self,
        kind: &str,
        items: &[impl Serialize],
        table: impl FnOnce(&Output) -> Table,
    ) -> io::Result<()> {
        if self.json {
            let object = Object { schema: SCHEMA, kind, item: None::<&()>, items: Some(items) };
            return self.json(&serde_json::to_string(&object)?);
        }
        let text = table(self).render(self.width, self.colour);
        io::stdout().lock().write_all(text::page(&text).as_bytes())
    }

    /// A line of standard output.
    ///
    /// # Errors
    /// Standard output's.
    pub fn line(&mut self, line: impl fmt::Display) -> io::Result<()> {
        writeln!(io::stdout().lock(), "{}", text::page(&line.to_string()))
    }

    /// A line of JSON.
    ///
    /// # Errors
    /// Standard output's.
    pub fn json(&mut self, line: &str) -> io::Result<()> {
        writeln!(io::stdout().lock(), "{}", text::json(line))
    }

    /// A line of talk: on standard error, for people only.
    pub fn say(&self, line: impl fmt::Display) {
        if !self.json {
            // If nobody hears it, nothing is lost.
            let _ = writeln!(io::stderr().lock(), "{}", text::page(&line.to_string()));
        }
    }

    /// Says what went wrong and what to do next; returns the exit code.
    pub fn fail(&self, error: &anyhow::Error) -> ExitCode {
        let code = exit::code(error);
        let help = exit::help(error);
        let message = self.describe(error);
        let mut stderr = io::stderr().lock();
        let _ = if self.json {
            let cause = error.downcast_ref::<protocol::Error>();
            let object = json!({
                "schema": SCHEMA, "kind": "error", "error": cause, "message": message, "exit": code, "help": help,
            });
            writeln!(stderr, "{}", text::json(&object.to_string()))
        } else {
            let (error, bold) =
                (self.paint_error("error:", Style::Bad), self.paint_error("help:", Style::Head));
            let help = help.map(|help| format!("\n{bold} {help}")).unwrap_or_default();
            writeln!(stderr, "{}", text::page(&format!("{error} {message}{help}")))
        };
        ExitCode::from(code)
    }

    /// An error in words, with the times it carries as people read them.
    fn describe(&self, error: &anyhow::Error) -> String {
        use protocol::Error;
        match error.downcast_ref::<Error>() {
            Some(cause @ Error::HeldBy { until, .. }) => {
                format!("{cause} until {}", self.time(*until))
            }
            Some(Error::AllTaken { count, board, who, until }) => format!(
                "all {count} boards that would do are taken; the first to end is {who}'s hold of {board}, at {}",
                self.time(*until)
            ),
            Some(cause @ Error::OthersWait { until, .. }) => {
                format!("{cause}, {}", self.time(*until))
            }
            Some(cause @ Error::Setup { output, .. }) if !output.is_empty() => {
                let lines: Vec<_> =
                    output.lines().map(|line| format!("\n  | {}", safe(line))).collect();
                format!("{}; it printed:{}", safe(&cause.to_string()), lines.concat())
            }
            Some(cause @ Error::Config { faults }) => {
                let lines: Vec<_> =
                    faults.iter().map(|fault| format!("\n  {}", safe(fault))).collect();
                format!("{cause}{}", lines.concat())
            }
            Some(cause) => safe(&cause.to_string()),
            None => {
                let whole = error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ");
                safe(&whole)
            }
        }
    }

    /// A word that stands out, if colours are used.
    pub fn paint(&self, word: impl fmt::Display, style: Style) -> String {
        style::paint(self.colour, word, style)
    }

    fn paint_error(&self, word: &str, style: Style) -> String {
        style::paint(self.colour_errors, word, style)
    }

    /// An instant in the local time zone: `14:20`, `tomorrow 09:00`, `Mon 23 Nov 09:00`.
    pub fn time(&self, time: Time) -> String {
        let instant =
            i64::try_from(time.0).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let Some(instant) = instant else { return "?".to_owned() };
        let local = instant.to_zoned(self.now.time_zone().clone());
        let tomorrow = self.now.tomorrow().map(|day| day.date());
        if local.date() == self.now.date() {
            local.strftime("%H:%M").to_string()
        } else if tomorrow.is_ok_and(|tomorrow| tomorrow == local.date()) {
            local.strftime("tomorrow %H:%M").to_string()
        } else {
            local.strftime("%a %-d %b %H:%M").to_string()
        }
    }

    /// An instant to the millisecond, for timelines.
    pub fn instant(&self, time: Time) -> String {
        let instant =
            i64::try_from(time.0).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let local = instant.map(|instant| instant.to_zoned(self.now.time_zone().clone()));
        local.map(|local| local.strftime("%F %T%.3f").to_string()).unwrap_or_default()
    }

    /// What time it is, for countdowns.
    pub fn now(&self) -> Time {
        Time(u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0))
    }
}

/// Text that does nothing to a terminal, line by line.
fn safe(text: &str) -> String {
    text.lines().map(|line| plain(line.as_bytes(), 1_000)).collect::<Vec<_>>().join("\n")
}

fn terminal_width() -> Option<usize> {
    crossterm::terminal::size().ok().map(|(width, _)| usize::from(width)).filter(|width| *width > 0)
}
