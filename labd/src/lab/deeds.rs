//! What triggers have the lab do: power, the end of a hold, and telling somebody.
//!
//! A few at a time, each for a limited time. What cannot be done is said on the board's timeline.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use protocol::journal::Event;
use protocol::power::PowerAsk;
use protocol::tls::Trust;
use protocol::user::UserName;
use protocol::web::{self, Url};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use super::Lab;
use super::tasks::ended;
use crate::config::secret::SecretFile;
use crate::program::{self, Group};
use crate::rules::trigger::Deed;
use crate::watcher::{self, Happening};

/// So many wait; a trigger that matches meanwhile says so, and nothing more is done.
pub(super) const WAITING: usize = 256;
/// So many are done at a time.
const AT_ONCE: usize = 8;
/// How long a program may take.
const LIMIT: Duration = Duration::from_secs(30);

/// The task that does what triggers ask for.
pub(super) async fn serve(lab: Arc<Lab>, mut asked: mpsc::Receiver<Happening>) {
    let hands = Arc::new(Semaphore::new(AT_ONCE));
    let mut ending = lab.ending();
    loop {
        let happening = tokio::select! {
            Some(happening) = asked.recv() => happening,
            () = ended(&mut ending) => return,
        };
        // It is never closed.
        let Ok(hand) = hands.clone().acquire_owned().await else { return };
        let (lab, mut ending) = (lab.clone(), lab.ending());
        tokio::spawn(async move {
            tokio::select! {
                () = lab.act(happening) => {}
                () = ended(&mut ending) => {}
            }
            drop(hand);
        });
    }
}

impl Lab {
    async fn act(self: &Arc<Self>, happening: Happening) {
        let (what, done) = match &happening.deed {
            // The line's.
            Deed::Send(_) => return,
            Deed::PowerOff => ("the board could not be switched off", self.off(&happening).await),
            Deed::Release => ("the hold could not be ended", self.end_hold(&happening).await),
            Deed::Post(url) => ("nobody could be told", self.post(&happening, url).await),
            Deed::PostSecretly(file) => {
                ("nobody could be told", self.post_secretly(&happening, file).await)
            }
            Deed::Run(words) => ("the program failed", self.tell_program(&happening, words).await),
        };
        if let Err(why) = done {
            let event = Event::Noted { text: format!("{what}: {why}") };
            let entry = self.entry(Some(&happening.board), None, event, Vec::new());
            let by = watcher::by(&happening.trigger);
            drop(self.ledger().stage(crate::ledger::Draft { by, ..entry }));
        }
    }

    async fn off(&self, happening: &Happening) -> Result<(), String> {
        let board = self.board(&happening.board).ok_or("it has left the lab")?;
        let keeper = board.keeper.as_ref().ok_or("it has no outlet")?;
        let off = keeper.ask(PowerAsk::Off, watcher::by(&happening.trigger), None).await;
        off.map_err(|error| error.to_string())
    }

    /// If nobody has it, there is nothing to end.
    async fn end_hold(self: &Arc<Self>, happening: &Happening) -> Result<(), String> {
        let Happening { board, trigger, text, .. } = happening;
        if self.book.lock().book.hold_of(board).is_none() {
            return Ok(());
        }
        let by: UserName = "labd".parse().map_err(|bad| format!("{bad}"))?;
        let reason = format!("{trigger} matched: {text}");
        let decision =
            self.decide(None, |book, now| book.break_hold(board, None, &by, reason, now));
        let settled = decision.map_err(|error| error.to_string())?.settled().await;
        settled.map(drop).map_err(|error| error.to_string())
    }

    async fn post(&self, happening: &Happening, url: &str) -> Result<(), String> {
        let url: Url = url.parse().map_err(|bad| format!("{bad}"))?;
        let ask = web::Ask::post("application/json", self.facts(happening));
        // The address may be a secret: whoever has it may speak there.
        let answer = web::ask(&url, &Trust::System, ask).await.map_err(|why| why.to_string())?;
        if answer.status.is_success() {
            return Ok(());
        }
        Err(format!("the answer is {}", answer.status))
    }

    /// What is wrong with the file is the log's: its place is the administrator's to know.
    async fn post_secretly(&self, happening: &Happening, file: &Path) -> Result<(), String> {
        let address = SecretFile::at(file.to_owned()).read().map_err(|error| {
            tracing::error!(board = %happening.board, trigger = happening.trigger, %error, "nobody could be told");
            "the file with the address cannot be read; the log of labd says why".to_owned()
        })?;
        self.post(happening, address.expose()).await
    }

    async fn tell_program(&self, happening: &Happening, words: &[String]) -> Result<(), String> {
        let run = self.run_program(happening, words);
        match timeout(LIMIT, run).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(format!("{status}")),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("it took longer than {} s", LIMIT.as_secs())),
        }
    }

    /// Killed with all it started, if it is not waited for to its end.
    async fn run_program(
        &self,
        happening: &Happening,
        words: &[String],
    ) -> io::Result<std::process::ExitStatus> {
        let Happening { board, trigger, text, offset, .. } = happening;
        let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env("LAB_BOARD", board.as_str())
            .env("LAB_TRIGGER", trigger)
            .env("LAB_TEXT", text)
            .env("LAB_OFFSET", offset.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child =
            program::lead(&mut command, &format!("trigger {trigger} {board}")).spawn()?;
        let mut group = Group::of(&child);
        if let Some(mut stdin) = child.stdin.take() {
            // A program that does not care for its input closes it.
            let _ = stdin.write_all(self.facts(happening).as_bytes()).await;
        }
        let status = child.wait().await?;
        group.forget();
        Ok(status)
    }

    /// What happened, as JSON.
    fn facts(&self, happening: &Happening) -> String {
        let Happening { board, trigger, text, at, offset, .. } = happening;
        let class = self.board(board).map(|board| board.config.class.clone());
        json!({
            "board": board, "class": class, "trigger": trigger, "text": text, "at": at,
            "offset": offset,
        })
        .to_string()
    }
}
