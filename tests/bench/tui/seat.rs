//! labtui in a terminal: keys go in, and what it writes becomes a screen.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::pty::{Winsize, openpty};
use protocol::address::Address;
use protocol::screen::Terminal;
use tempfile::TempDir;

use crate::process::{PATIENCE, Running, program};

const SIZE: (u16, u16) = (120, 40);
/// A screen on which nothing changes for this long is at rest.
const REST: Duration = Duration::from_millis(300);
/// What marks the selected row.
const MARK: char = '▸';
/// What a terminal is asked for its background, and what it says.
const QUESTION: &[u8] = b"\x1b]11;?\x1b\\";
const ANSWER: &[u8] = b"\x1b]11;rgb:0000/0000/0000\x1b\\";

/// labtui, and the terminal that it runs in.
pub(crate) struct Seat {
    pub(crate) labtui: Running,
    keyboard: File,
    pieces: Receiver<Piece>,
    screen: Terminal,
    begun: Instant,
    _home: TempDir,
}

/// What labtui wrote at once, and when.
struct Piece {
    at: Instant,
    bytes: Vec<u8>,
}

/// How long the first screen took from labtui's start.
pub(crate) struct Opening {
    /// Until there were twenty cells.
    pub(crate) first_cells: Duration,
    /// Until nine in ten cells were as they then stayed.
    pub(crate) first_screen: Duration,
}

impl Seat {
    pub(crate) fn start(lab: &Address) -> Result<Seat> {
        let home = tempfile::tempdir()?;
        let (width, height) = SIZE;
        let size = Winsize { ws_row: height, ws_col: width, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(Some(&size), None)?;
        let keyboard = File::from(pty.master);
        let pieces = read(keyboard.try_clone()?);
        let mut command = Command::new(program("labtui")?);
        command.env_clear().env("HOME", home.path()).env("LAB", lab.to_string());
        command.envs([("TERM", "xterm-256color"), ("LANG", "C.UTF-8")]);
        command.stdin(pty.slave.try_clone()?).stdout(pty.slave).stderr(Stdio::null());
        let begun = Instant::now();
        let labtui = Running::start(&mut command)?;
        let screen = Terminal::new(width, height, 0);
        Ok(Seat { labtui, keyboard, pieces, screen, begun, _home: home })
    }

    /// Waits until the screen shows this and is at rest.
    pub(crate) fn opens(&mut self, text: &str) -> Result<Opening> {
        let mut pieces = Vec::new();
        while pieces.is_empty() || !self.shows(text) {
            pieces.push(self.next()?);
        }
        pieces.extend(self.pieces_until_rest()?);
        let last = self.screen.lines();
        let all = alike(&last, &last);
        let mut screen = Terminal::new(SIZE.0, SIZE.1, 0);
        let (mut first_cells, mut first_screen) = (None, None);
        for piece in pieces {
            screen.print(&piece.bytes);
            let (lines, passed) = (screen.lines(), piece.at - self.begun);
            if alike(&lines, &lines) >= 20 {
                first_cells.get_or_insert(passed);
            }
            if alike(&lines, &last) * 10 >= all * 9 {
                first_screen.get_or_insert(passed);
            }
        }
        let first_cells = first_cells.context("there were never twenty cells")?;
        let first_screen = first_screen.context("the screen never came to rest")?;
        Ok(Opening { first_cells, first_screen })
    }

    /// Presses a key; how long until the selected row shows this.
    pub(crate) fn press(&mut self, key: &[u8], text: &str) -> Result<Duration> {
        let begun = Instant::now();
        self.keyboard.write_all(key)?;
        let seen = self.until(|seat| seat.selected().contains(text))?;
        Ok(seen - begun)
    }

    /// Waits until something is so; when what made it so was written.
    pub(crate) fn until(&mut self, is_so: impl Fn(&Seat) -> bool) -> Result<Instant> {
        loop {
            let at = self.next()?.at;
            if is_so(self) {
                return Ok(at);
            }
        }
    }

    /// Takes in all that is written meanwhile; says how many bytes that was.
    pub(crate) fn look_on(&mut self, span: Duration) -> Result<usize> {
        let (end, mut written) = (Instant::now() + span, 0);
        while let Some(piece) = self.next_before(end)? {
            written += piece.bytes.len();
        }
        Ok(written)
    }

    /// The row that is marked, from its mark to the table's edge.
    pub(crate) fn selected(&self) -> String {
        let lines = self.screen.lines();
        let row = lines.iter().find_map(|line| line.split_once(MARK));
        row.and_then(|(_, row)| row.split('│').next()).unwrap_or_default().to_owned()
    }

    fn shows(&self, text: &str) -> bool {
        self.screen.lines().iter().any(|line| line.contains(text))
    }

    fn pieces_until_rest(&mut self) -> Result<Vec<Piece>> {
        let mut pieces = Vec::new();
        while let Some(piece) = self.next_before(Instant::now() + REST)? {
            pieces.push(piece);
        }
        Ok(pieces)
    }

    fn next(&mut self) -> Result<Piece> {
        let piece = self.next_before(Instant::now() + PATIENCE)?;
        piece.with_context(|| format!("nothing more comes:\n{}", self.screen.lines().join("\n")))
    }

    fn next_before(&mut self, end: Instant) -> Result<Option<Piece>> {
        match self.pieces.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(piece) => {
                self.screen.print(&piece.bytes);
                Ok(Some(piece))
            }
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => {
                bail!("labtui has ended:\n{}", self.screen.lines().join("\n"))
            }
        }
    }
}

/// How many cells are drawn in both, and the same.
fn alike(one: &[String], other: &[String]) -> usize {
    let cells = one.iter().zip(other).flat_map(|(one, other)| one.chars().zip(other.chars()));
    cells.filter(|(one, other)| one == other && *one != ' ').count()
}

/// Reads what is written on a terminal, and answers as one.
fn read(terminal: File) -> Receiver<Piece> {
    let (sender, pieces) = mpsc::channel();
    std::thread::spawn(move || pass_on(terminal, &sender));
    pieces
}

/// Goes on until the terminal or whoever looks at it has gone.
fn pass_on(mut terminal: File, to: &Sender<Piece>) {
    let mut piece = [0; 8192];
    while let Ok(count @ 1..) = terminal.read(&mut piece) {
        let (at, bytes) = (Instant::now(), piece[..count].to_vec());
        let is_asked = bytes.windows(QUESTION.len()).any(|bytes| bytes == QUESTION);
        if is_asked && terminal.write_all(ANSWER).is_err() || to.send(Piece { at, bytes }).is_err()
        {
            return;
        }
    }
}
