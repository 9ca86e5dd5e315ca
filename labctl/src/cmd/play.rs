//! `labctl play`: a recording again, or a part of a board's past, as it was on the console.
//!
//! - [`player`]: what is shown when, and what the keys do

mod player;

use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crossterm::event::{self, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::terminal;
use protocol::text::Sanitiser;

use self::player::{Key, Player};
use super::cast::{Caster, Event, Header};
use super::past::Range;
use super::want;
use crate::At;
use crate::exit::Failure;

/// Keys are looked for this often at least.
const GLANCE: Duration = Duration::from_millis(50);

const ABOUT: &str = "\
Keys: space pauses and goes on, '.' shows the next event, the left and right arrows go 5 seconds back and \
forth, '[' and ']' to the marker before and behind, q leaves. What is shown is what is safe for a terminal.";

/// Play a recording, or a part of a board's past.
#[derive(Debug, clap::Args)]
#[command(after_help = ABOUT)]
pub struct Play {
    /// The recording, or the board
    #[arg(value_name = "FILE|BOARD", add = want::boards())]
    what: String,
    #[command(flatten)]
    range: Range,
    /// So many times as fast
    #[arg(long, value_name = "TIMES", default_value_t = 1.0, value_parser = speed)]
    speed: f64,
    /// No pause is longer than so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = speed)]
    idle_limit: Option<f64>,
}

fn speed(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "it is a number above 0".to_owned())
}

impl Play {
    pub(super) async fn run(self, at: &At) -> anyhow::Result<()> {
        let path = PathBuf::from(&self.what);
        let events = if path.is_file() && !self.range.is_said() {
            read(&path)?
        } else {
            self.fetch(at).await?
        };
        let mut player = Player::new(events, self.speed, self.idle_limit);
        tokio::task::spawn_blocking(move || show(&mut player)).await??;
        Ok(())
    }

    async fn fetch(&self, at: &At) -> anyhow::Result<Vec<Event>> {
        let board = self.what.parse().map_err(|_| {
            let what = format!("there is no file '{}', and no board has such a name", self.what);
            Failure::usage(what, "name a recording of 'labctl record', or a board")
        })?;
        let mut past = self.range.open(at, &board).await?;
        let (mut caster, mut events) = (Caster::on(&past.paint), Vec::new());
        while let Some(moment) = past.next().await? {
            events.extend(caster.take(moment));
        }
        Ok(events)
    }
}

/// The events of a recording.
fn read(path: &PathBuf) -> anyhow::Result<Vec<Event>> {
    let bad = |line: usize, why: &dyn std::fmt::Display| Failure {
        what: format!(
            "{}: line {line} is none of an asciicast of version 2: {why}",
            path.display()
        ),
        code: 1,
        help: Some(
            "'labctl record' and 'asciinema rec --format asciicast-v2' write such".to_owned(),
        ),
    };
    let file = std::fs::File::open(path)
        .map_err(|error| Failure::file(path, &error, "name a file that you may read"))?;
    let mut lines = BufReader::new(file).lines().enumerate();
    let first = lines.next().map(|(_, line)| line).transpose()?.unwrap_or_default();
    let header: Header = serde_json::from_str(&first).map_err(|error| bad(1, &error))?;
    if header.version != 2 {
        return Err(bad(1, &format_args!("it is version {}", header.version)).into());
    }
    let mut events = Vec::new();
    for (index, line) in lines {
        let line = line?;
        if !line.trim().is_empty() {
            events.push(serde_json::from_str(&line).map_err(|error| bad(index + 1, &error))?);
        }
    }
    Ok(events)
}

/// A terminal that gives each key at once; as it was when this is dropped.
struct Raw;

impl Drop for Raw {
    fn drop(&mut self) {
        // There is nothing more to be done for a terminal that is gone.
        let _ = terminal::disable_raw_mode();
    }
}

fn show(player: &mut Player) -> io::Result<()> {
    let has_keys = io::stdin().is_terminal() && io::stdout().is_terminal();
    let raw = if has_keys { Some(terminal::enable_raw_mode().map(|()| Raw)?) } else { None };
    let mut sanitiser = Sanitiser::default();
    let mut looked = Instant::now();
    let mut print = |text: &str| {
        let mut safe = Vec::with_capacity(text.len());
        sanitiser.feed(text.as_bytes(), &mut safe);
        let mut stdout = io::stdout().lock();
        stdout.write_all(&safe)?;
        stdout.flush()
    };
    while !player.is_over() {
        let wait = player.wait().map_or(GLANCE, |wait| wait.min(GLANCE));
        if !has_keys {
            std::thread::sleep(wait);
        } else if event::poll(wait)?
            && let event::Event::Key(key) = event::read()?
            && let Some(key) = meant(key)
        {
            print(&player.press(key))?;
        }
        let now = Instant::now();
        print(&player.pass(now - std::mem::replace(&mut looked, now)))?;
    }
    drop(raw);
    print("\x1b[m")?;
    if has_keys { writeln!(io::stdout()) } else { Ok(()) }
}

fn meant(key: KeyEvent) -> Option<Key> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    match key.code {
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Some(Key::Leave),
        KeyCode::Char('q') | KeyCode::Esc => Some(Key::Leave),
        KeyCode::Char(' ') => Some(Key::Pause),
        KeyCode::Char('.') => Some(Key::Step),
        KeyCode::Left => Some(Key::Back),
        KeyCode::Right => Some(Key::Forth),
        KeyCode::Char('[') => Some(Key::MarkerBefore),
        KeyCode::Char(']') => Some(Key::MarkerBehind),
        _ => None,
    }
}
