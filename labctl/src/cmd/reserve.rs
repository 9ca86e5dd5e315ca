//! `labctl reserve`: hold a board, or wait for one.

use std::path::{Path, PathBuf};

use protocol::client::Client;
use protocol::hold::{Ask, Hold, IfTaken, Place, Placed};
use protocol::{Span, Time};
use tokio::signal::unix::{SignalKind, signal};

use super::kept::Kept;
use super::want::Want;
use crate::At;
use crate::exit::Failure;
use crate::print::Output;

/// How long one call waits before it says how things stand.
const LOOK_AGAIN: Span = Span::minutes(1);

/// Hold a board, or wait for one.
#[derive(Debug, clap::Args)]
pub struct Reserve {
    #[command(flatten)]
    want: Want,
    /// For how long: 30min, 2h, 1d; the board's default if not said
    #[arg(short = 'f', long = "for", value_name = "SPAN")]
    span: Option<Span>,
    /// Wait for it if it is taken; no longer than SPAN, if one is given
    #[arg(short, long, value_name = "SPAN", num_args = 0..=1, default_missing_value = "52w")]
    wait: Option<Span>,
    /// Take a place in the queue if it is taken, and do not wait here
    #[arg(short, long, conflicts_with = "wait")]
    queue: bool,
    /// What you need it for; others see it
    #[arg(short, long)]
    note: Option<String>,
    /// Your ssh public key, for the lab's setup script; else the first of ~/.ssh/id_*.pub
    #[arg(short, long, value_name = "FILE")]
    key: Option<PathBuf>,
}

impl Reserve {
    pub(super) async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<()> {
        let ask = Ask {
            want: self.want.wanted(),
            span: self.span,
            if_taken: match self.wait {
                Some(_) => IfTaken::Wait,
                None if self.queue => IfTaken::Queue,
                None => IfTaken::Refuse,
            },
            grace: None,
            note: self.note,
            ssh_key: ssh_key(self.key.as_deref())?,
        };
        let lab = at.connect().await?;
        match lab.reserve(ask).await? {
            Placed::Held { hold } => {
                tell(out, &hold)?;
                say_if_cut(out, &hold, self.span);
                Ok(())
            }
            Placed::Queued { place } if self.queue => {
                let sentence = describe(out, &place);
                out.tell("place", &place, sentence)?;
                Ok(())
            }
            Placed::Queued { place } => {
                let patience = self.wait.unwrap_or_default();
                // The place is given up if this process is no more.
                let _kept = Kept::new(at, place.number).await?;
                tell(out, &wait(&lab, place, patience, out).await?)
            }
        }
    }
}

/// Says so if less was given than was asked for.
pub(super) fn say_if_cut(out: &Output, hold: &Hold, asked: Option<Span>) {
    if asked.is_some_and(|asked| hold.until.since(hold.since) < asked) {
        let board = &hold.board;
        out.say(format_args!(
            "no hold of {board} reaches further at a time; 'labctl extend {board} SPAN' makes it longer later"
        ));
    }
}

fn tell(out: &mut Output, hold: &Hold) -> anyhow::Result<()> {
    let sentence =
        format!("{} is yours until {} (hold {})", hold.board, out.time(hold.until), hold.number);
    out.tell("hold", hold, sentence)?;
    Ok(())
}

/// Waits until a place has become a hold. If the wait is given up, so is the place.
pub(super) async fn wait(
    lab: &Client,
    mut place: Place,
    patience: Span,
    out: &Output,
) -> anyhow::Result<Hold> {
    let number = place.number;
    let deadline = out.now() + patience;
    let (mut hangup, mut terminate) =
        (signal(SignalKind::hangup())?, signal(SignalKind::terminate())?);
    out.say(describe(out, &place));
    let told = |code| Err(Failure { what: "interrupted".to_owned(), code, help: None }.into());
    let waited = tokio::select! {
        waited = wait_for(lab, &mut place, deadline, out) => waited,
        _ = hangup.recv() => told(129),
        _ = tokio::signal::ctrl_c() => told(130),
        _ = terminate.recv() => told(143),
    };
    if waited.is_err() {
        // If it has just become a hold there is no place to give up, but a hold.
        if lab.unqueue(number).await.is_err()
            && let Ok(Placed::Held { hold }) = lab.placed(number, Span::default()).await
        {
            return Ok(hold);
        }
    }
    waited
}

async fn wait_for(
    lab: &Client,
    place: &mut Place,
    deadline: Time,
    out: &Output,
) -> anyhow::Result<Hold> {
    loop {
        let left = deadline.since(out.now());
        match lab.placed(place.number, left.min(LOOK_AGAIN)).await? {
            Placed::Held { hold } => return Ok(hold),
            Placed::Queued { .. } if out.now() >= deadline => {
                return Err(Failure::not_in_time(
                    format!("{} was not free in time; your place is given up", place.want),
                    "give it longer with --wait SPAN, or keep a place with --queue",
                )
                .into());
            }
            Placed::Queued { place: now } => {
                if (now.position, now.expected) != (place.position, place.expected) {
                    out.say(describe(out, &now));
                }
                *place = now;
            }
        }
    }
}

/// Where somebody stands in the queue, and why.
pub(super) fn describe(out: &Output, place: &Place) -> String {
    let mut text = format!("place {} in the queue for {}", place.position, place.want);
    if let Some(expected) = place.expected {
        text += &format!(", yours at {} at the latest if nobody extends", out.time(expected));
    }
    for obstacle in &place.because {
        text += &format!(
            "\n  {} is held by {} until {}",
            obstacle.board,
            obstacle.who,
            out.time(obstacle.until)
        );
    }
    text + &format!("\n  give up with 'labctl queue --leave {}'", place.number)
}

/// The caller's public key; none is no fault if none was named.
pub(super) fn ssh_key(named: Option<&Path>) -> anyhow::Result<Option<String>> {
    if let Some(path) = named {
        let key = std::fs::read_to_string(path).map_err(|error| {
            Failure::file(path, &error, "name your public key, such as ~/.ssh/id_ed25519.pub")
        })?;
        if key.contains("PRIVATE KEY") {
            let help = "name the file that ends in .pub";
            return Err(Failure::usage(format!("{} is a private key", path.display()), help).into());
        }
        return Ok(Some(key.trim().to_owned()));
    }
    let home = directories::BaseDirs::new().map(|dirs| dirs.home_dir().join(".ssh"));
    let names = ["id_ed25519.pub", "id_ecdsa.pub", "id_rsa.pub"];
    let keys = home.iter().flat_map(|ssh| names.iter().map(|name| ssh.join(name)));
    Ok(keys
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .next()
        .map(|key| key.trim().to_owned()))
}
