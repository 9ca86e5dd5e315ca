//! Text, typed as fast as its echo comes back.
//!
//! A line is typed in pieces, each when the one before stands on the board's screen as it was typed. If one
//! does not, the board has dropped something: the whole line is taken back with Ctrl-U, since nobody knows what
//! stands there, and typed again in smaller pieces. Enter is pressed only behind a line that is whole.

use tokio::io::{AsyncRead, AsyncWrite, Take};
use tokio::sync::watch;
use tokio::time::Duration;

use super::{Wire, fill};
use crate::rules::echo::Plain;

/// Takes a line back.
pub(super) const CLEAR: &[u8] = b"\x15";

/// A board that echoes does so within this time.
const ECHO: Duration = Duration::from_millis(500);
/// A board that has printed nothing for so long has no more to say.
const SILENCE: Duration = Duration::from_millis(100);
/// A line, or its end, is tried so often without getting further.
const TRIES: usize = 8;
/// So much is typed at once at first, and at most.
const PIECE: (usize, usize) = (16, 64);
/// Behind so many lines without a fault, twice as much may be typed at once.
const CLEAN: usize = 16;
/// So much of the file is read at once. A longer line no board takes.
const LONGEST: usize = 4 * 1024;

pub(super) struct Paste<'a, S> {
    wire: Wire<'a, S>,
    /// What stands on a line on which nothing is typed yet, raw.
    prompt: Vec<u8>,
    plain: Plain,
    /// So much is typed at once now, and may be.
    piece: usize,
    most: usize,
    clean: usize,
    taken: &'a watch::Sender<u64>,
    /// So many bytes of the file stand on the board, and are entered but for the present line.
    at: u64,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Paste<'a, S> {
    pub(super) fn new(
        wire: Wire<'a, S>,
        prompt: Vec<u8>,
        taken: &'a watch::Sender<u64>,
    ) -> Paste<'a, S> {
        Paste {
            wire,
            prompt,
            plain: Plain::default(),
            piece: PIECE.0,
            most: PIECE.1,
            clean: 0,
            taken,
            at: 0,
        }
    }

    pub(super) async fn send(
        mut self,
        mut source: Take<impl AsyncRead + Unpin>,
    ) -> Result<(), String> {
        let mut text = Vec::new();
        while source.limit() > 0 || !text.is_empty() {
            let end = text.iter().position(|byte| *byte == b'\n');
            match end {
                Some(end) => {
                    let rest = text.split_off(end + 1);
                    let line = std::mem::replace(&mut text, rest);
                    let start = self.at;
                    self.line(line.strip_suffix(b"\r\n").unwrap_or(&line[..end])).await?;
                    self.enter().await?;
                    self.tell(start + line.len() as u64);
                }
                None if source.limit() > 0 && text.len() < LONGEST => {
                    let mut more = [0; LONGEST];
                    let read = fill(&mut source, &mut more).await?;
                    text.extend_from_slice(&more[..read]);
                }
                None => self.line(&std::mem::take(&mut text)).await?,
            }
        }
        Ok(())
    }

    fn tell(&mut self, at: u64) {
        self.at = at;
        self.taken.send_replace(at);
    }

    /// Types a line. Returns when all of it is echoed.
    async fn line(&mut self, line: &[u8]) -> Result<(), String> {
        let (start, mut good, mut best, mut tries) = (self.at, 0, 0, 0);
        while good < line.len() {
            let piece = &line[good..line.len().min(good + self.piece)];
            self.wire.write(piece).await?;
            let echo = self.echo(piece.len()).await?;
            let right = piece.iter().zip(&echo).take_while(|(typed, shown)| typed == shown).count();
            if right == piece.len() {
                good += right;
                self.piece = (self.piece * 2).min(self.most);
                continue;
            }
            tries = if good + right > best { 0 } else { tries + 1 };
            best = best.max(good + right);
            self.tell(start + best as u64);
            if tries >= TRIES {
                return Err(self.wrong(line[best], &echo[right..]));
            }
            self.take_back(good + echo.len() > 0).await?;
            self.most = (self.piece / 2).max(1);
            (good, self.piece, self.clean) = (0, self.most, 0);
        }
        self.clean += 1;
        if self.clean.is_multiple_of(CLEAN) {
            self.most = (self.most * 2).min(PIECE.1);
        }
        self.tell(start + line.len() as u64);
        Ok(())
    }

    fn wrong(&self, typed: u8, shown: &[u8]) -> String {
        let typed = [typed].escape_ascii().to_string();
        match shown.first() {
            None => format!("'{typed}' was typed, and nothing came back"),
            Some(shown) => {
                format!("'{typed}' was typed, and '{}' came back", [*shown].escape_ascii())
            }
        }
    }

    /// What comes back of so many characters.
    async fn echo(&mut self, characters: usize) -> Result<Vec<u8>, String> {
        let mut echo = Vec::new();
        while echo.len() < characters {
            match self.wire.byte(ECHO).await? {
                Some(byte) if self.plain.lets(byte) => echo.push(byte),
                Some(_) => {}
                None => break,
            }
        }
        Ok(echo)
    }

    /// Takes the present line back. If something stands there, that shows.
    async fn take_back(&mut self, stands: bool) -> Result<(), String> {
        self.wire.drain(SILENCE).await?;
        for _ in 0..TRIES {
            self.wire.write(CLEAR).await?;
            if self.wire.drain(SILENCE).await? > 0 || !stands {
                return Ok(());
            }
        }
        Err("a line with a fault in it could not be taken back with Ctrl-U".to_owned())
    }

    /// Ends the line, and waits for the next prompt.
    async fn enter(&mut self) -> Result<(), String> {
        for _ in 0..TRIES {
            self.wire.write(b"\r").await?;
            let mut present = Vec::new();
            let mut is_entered = false;
            let mut patience = ECHO;
            while let Some(byte) = self.wire.byte(patience).await? {
                match byte {
                    b'\n' => {
                        present.clear();
                        (is_entered, patience) = (true, SILENCE);
                    }
                    _ => present.push(byte),
                }
                if is_entered && present == self.prompt {
                    return Ok(());
                }
            }
            if is_entered {
                // What stands there when nothing more comes is the prompt from now on.
                self.prompt = present;
                return Ok(());
            }
        }
        Err("the line was typed, and does not end when Enter is pressed".to_owned())
    }
}
