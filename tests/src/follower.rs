//! What somebody follows: a console, a journal, the board table.

use anyhow::{Context, Result, bail, ensure};
use protocol::board::Board;
use protocol::journal::{Entry, Event};
use protocol::wire::Welcome;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

use crate::patience::soon;

/// Anything that bytes go over both ways.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection on which something flows. Dropping it is hanging up.
pub struct Follower {
    stream: BufReader<Box<dyn Stream>>,
    /// How the stream began.
    pub welcome: Welcome,
    cursor: u64,
}

impl Follower {
    /// Behind the answer to the first line.
    pub fn new(stream: BufReader<Box<dyn Stream>>, welcome: Welcome) -> Follower {
        let cursor = welcome.start;
        Follower { stream, welcome, cursor }
    }

    /// The session, for calls about the pen.
    pub fn session(&self) -> u64 {
        self.welcome.session
    }

    /// The offset of the next byte.
    pub fn cursor(&self) -> u64 {
        self.cursor
    }

    /// The next bytes, down to the first that end with `mark`.
    ///
    /// # Errors
    /// If they do not come.
    pub async fn until(&mut self, mark: impl AsRef<[u8]>) -> Result<String> {
        let mark = mark.as_ref();
        let mut bytes = Vec::new();
        let read = soon(async {
            while !bytes.ends_with(mark) {
                bytes.push(self.stream.read_u8().await?);
                self.cursor += 1;
            }
            anyhow::Ok(())
        });
        let outcome = read.await.and_then(|read| read);
        let bytes = String::from_utf8_lossy(&bytes).into_owned();
        outcome.with_context(|| {
            format!("{:?} did not come; {bytes:?} did", mark.escape_ascii().to_string())
        })?;
        Ok(bytes)
    }

    /// So many bytes, as they are; what paints a screen, say.
    ///
    /// # Errors
    /// If they do not come.
    pub async fn bytes(&mut self, count: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        soon(self.stream.read_exact(&mut bytes)).await??;
        Ok(bytes)
    }

    /// The next line, without its end.
    ///
    /// # Errors
    /// If it does not come.
    pub async fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        let read = soon(self.stream.read_line(&mut line)).await??;
        self.cursor += read as u64;
        ensure!(line.ends_with('\n'), "the stream ended; {line:?} was the last of it");
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }

    /// Whatever comes until the other side hangs up.
    ///
    /// # Errors
    /// If it does not.
    pub async fn rest(&mut self) -> Result<String> {
        let mut rest = Vec::new();
        self.cursor += soon(self.stream.read_to_end(&mut rest)).await?? as u64;
        Ok(String::from_utf8_lossy(&rest).into_owned())
    }

    /// Hangs up, and waits until the other side has noticed.
    ///
    /// # Errors
    /// If it does not.
    pub async fn hang_up(mut self) -> Result<()> {
        soon(self.stream.shutdown()).await??;
        self.rest().await.map(drop)
    }

    /// Types.
    ///
    /// # Errors
    /// The connection's.
    pub async fn type_in(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        Ok(soon(self.stream.write_all(bytes.as_ref())).await??)
    }

    /// The next entry of a journal.
    ///
    /// # Errors
    /// If it does not come.
    pub async fn entry(&mut self) -> Result<Entry> {
        Ok(serde_json::from_str(&self.line().await?)?)
    }

    /// The next entry whose event is wanted, and those before it.
    ///
    /// # Errors
    /// If it does not come.
    pub async fn entries_until(&mut self, wanted: impl Fn(&Event) -> bool) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        loop {
            match self.entry().await {
                Ok(entry) => entries.push(entry),
                Err(error) => {
                    let told: Vec<_> =
                        entries.iter().map(|entry: &Entry| entry.event.to_string()).collect();
                    bail!("{error}; the journal says {told:#?}");
                }
            }
            if entries.last().is_some_and(|entry| wanted(&entry.event)) {
                return Ok(entries);
            }
        }
    }

    /// The next entry whose event is wanted.
    ///
    /// # Errors
    /// If it does not come.
    pub async fn event(&mut self, wanted: impl Fn(&Event) -> bool) -> Result<Entry> {
        self.entries_until(wanted).await?.pop().context("there is one")
    }

    /// The next row of the board table; none at the end of the first ones.
    ///
    /// # Errors
    /// If it does not come.
    pub async fn row(&mut self) -> Result<Option<Board>> {
        let line = self.line().await?;
        Ok(if line.is_empty() { None } else { Some(serde_json::from_str(&line)?) })
    }

    /// The next row that is as wanted.
    ///
    /// # Errors
    /// If it does not come.
    pub async fn row_when(&mut self, wanted: impl Fn(&Board) -> bool) -> Result<Board> {
        loop {
            if let Some(row) = self.row().await?.filter(&wanted) {
                return Ok(row);
            }
        }
    }
}
