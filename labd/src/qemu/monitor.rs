//! QEMU's monitor: JSON objects, one a line, over a Unix socket.
//!
//! It serves one client at a time and lets others wait in line, so a connection lasts for one errand.

use std::io;
use std::path::Path;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::UnixStream;
use tokio::time::timeout;
use tokio_util::codec::{Framed, LinesCodec, LinesCodecError};

/// How long QEMU may take for one step. It answers within milliseconds, or a second or two when many
/// machines start at once.
pub(crate) const LIMIT: Duration = Duration::from_secs(5);
/// Longer answers are not believed.
const LONGEST_LINE: usize = 1 << 20;

/// A connection to a monitor.
pub(crate) struct Monitor {
    lines: Framed<UnixStream, LinesCodec>,
}

impl Monitor {
    /// Connects, and waits for the greeting.
    ///
    /// # Errors
    /// `NotFound` and `ConnectionRefused` if nobody listens; `TimedOut` if nobody answers.
    pub(crate) async fn connect(path: &Path) -> io::Result<Monitor> {
        let socket = UnixStream::connect(path).await?;
        let lines = Framed::new(socket, LinesCodec::new_with_max_length(LONGEST_LINE));
        let mut monitor = Monitor { lines };
        limited(monitor.line()).await?;
        monitor.ask("qmp_capabilities", json!({})).await?;
        Ok(monitor)
    }

    /// Runs a command. Returns what it returned.
    ///
    /// # Errors
    /// `UnexpectedEof` and the like if QEMU ends; `TimedOut` if it does not answer; else `Other`, in
    /// QEMU's words.
    pub(crate) async fn ask(&mut self, command: &str, arguments: Value) -> io::Result<Value> {
        let question = json!({ "execute": command, "arguments": arguments }).to_string();
        limited(async {
            self.lines.send(question).await.map_err(fault)?;
            self.answer().await
        })
        .await
    }

    /// `running`, `prelaunch`, `paused`, `shutdown`, …
    ///
    /// # Errors
    /// As of [`Monitor::ask`].
    pub(crate) async fn status(&mut self) -> io::Result<String> {
        let status = self.ask("query-status", json!({})).await?;
        Ok(status["status"].as_str().unwrap_or_default().to_owned())
    }

    /// Whether somebody is connected to a character device that is a socket.
    ///
    /// # Errors
    /// As of [`Monitor::ask`].
    pub(crate) async fn is_connected(&mut self, device: &str) -> io::Result<bool> {
        let devices = self.ask("query-chardev", json!({})).await?;
        let devices = devices.as_array().map(Vec::as_slice).unwrap_or_default();
        let found = devices.iter().find(|one| one["label"] == device);
        let name = found.and_then(|one| one["filename"].as_str());
        Ok(name.is_some_and(|name| !name.starts_with("disconnected:")))
    }

    /// The answer to the last question. Events that come before it are no concern of ours.
    async fn answer(&mut self) -> io::Result<Value> {
        loop {
            let mut line = self.line().await?;
            if let Some(answer) = line.get_mut("return") {
                return Ok(answer.take());
            }
            if let Some(error) = line.get("error") {
                return Err(io::Error::other(error["desc"].as_str().unwrap_or("no").to_owned()));
            }
        }
    }

    async fn line(&mut self) -> io::Result<Value> {
        let line = self.lines.next().await.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(serde_json::from_str(&line.map_err(fault)?)?)
    }
}

async fn limited<T>(step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(LIMIT, step).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

fn fault(why: LinesCodecError) -> io::Error {
    match why {
        LinesCodecError::Io(why) => why,
        LinesCodecError::MaxLineLengthExceeded => io::Error::other("it says too much at once"),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::UnixListener;

    use super::*;

    /// Plays QEMU: says a line after each that it hears.
    async fn play(socket: UnixListener, says: Vec<&'static str>) {
        let (mut socket, _) = socket.accept().await.unwrap();
        let (read, mut write) = socket.split();
        let mut heard = BufReader::new(read).lines();
        for line in says {
            write.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
            heard.next_line().await.unwrap();
        }
    }

    async fn ask(says: Vec<&'static str>) -> io::Result<bool> {
        let path = std::env::temp_dir().join(format!("labd-qmp-{:?}", std::thread::current().id()));
        let _ = std::fs::remove_file(&path);
        let qemu = tokio::spawn(play(UnixListener::bind(&path).unwrap(), says));
        let answer = async { Monitor::connect(&path).await?.is_connected("labd").await }.await;
        qemu.await.unwrap();
        std::fs::remove_file(&path).unwrap();
        answer
    }

    const GREETING: &str = r#"{"QMP": {"version": {}, "capabilities": ["oob"]}}"#;
    const EVENT: &str = r#"{"event": "RESET", "timestamp": {"seconds": 1, "microseconds": 2}}"#;

    #[tokio::test]
    async fn answers_are_told_from_events() {
        let devices = r#"{"return": [{"label": "labd", "filename": "unix:/x,server=on"}]}"#;
        // What is said after the second line answers a question that is asked then; so the event
        // must come in one piece with it.
        let answer = format!("{EVENT}\r\n{devices}").leak();
        assert!(ask(vec![GREETING, r#"{"return": {}}"#, answer]).await.unwrap());
    }

    #[tokio::test]
    async fn a_refusal_is_in_qemus_words() {
        let error = r#"{"error": {"class": "GenericError", "desc": "not today"}}"#;
        let why = ask(vec![GREETING, r#"{"return": {}}"#, error]).await.unwrap_err();
        assert_eq!(why.to_string(), "not today");
    }

    #[tokio::test]
    async fn an_end_in_the_middle_is_an_end() {
        let why = ask(vec![GREETING]).await.unwrap_err();
        assert_eq!(why.kind(), io::ErrorKind::UnexpectedEof);
    }
}
