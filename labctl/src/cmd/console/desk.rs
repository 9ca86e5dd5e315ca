//! Who is at a console: asked once, or as they come and go.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::Error;
use protocol::board::BoardName;
use protocol::client;
use protocol::console::{Desk, Viewer};
use protocol::user::UserName;
use protocol::wire::Follow;
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::At;
use crate::print::Output;

/// What broke off is followed again after so long.
const AGAIN: Duration = Duration::from_secs(1);

/// Who is there, by session.
type There = BTreeMap<u64, UserName>;

/// Shows who is there.
pub(super) async fn run(board: &BoardName, at: &At, out: &mut Output) -> anyhow::Result<()> {
    let what = "console".to_owned();
    let lacks = || Error::Lacks { board: board.clone(), what };
    let console = at.connect().await?.board(board.clone()).await?.line.ok_or_else(lacks)?;
    let line = |viewer: &Viewer| format!("{} since {}", name(viewer), out.time(viewer.since));
    let lines: Vec<_> = console.viewers.iter().map(line).collect();
    let text = if lines.is_empty() { "nobody".to_owned() } else { lines.join("\n") };
    out.tell("viewers", &console.viewers, text)?;
    Ok(())
}

/// A viewer in a few words: `ada (has the pen)`.
pub(super) fn name(viewer: &Viewer) -> String {
    match viewer.stands() {
        Some(how) => format!("{} ({how})", viewer.who),
        None => viewer.who.to_string(),
    }
}

/// Who comes and who goes, in words, from now on; nothing from a lab that does not say.
pub(super) fn comings(at: &At, board: BoardName) -> mpsc::Receiver<String> {
    let (sender, comings) = mpsc::channel(16);
    let at = at.clone();
    tokio::spawn(async move {
        let mut there = None::<There>;
        loop {
            let what = Follow::Desk { board: board.clone() };
            let mut flow = match client::follow(&at.address(), what).await {
                Ok((flow, _)) => flow,
                Err(Error::Unreachable { .. }) => {
                    sleep(AGAIN).await;
                    continue;
                }
                Err(_) => return,
            };
            while let Ok(Some(line)) = client::next_line(&mut flow).await {
                let Ok(Desk { viewers, .. }) = serde_json::from_str(&line) else { return };
                let now = viewers.into_iter().map(|viewer| (viewer.session, viewer.who)).collect();
                let news = there.as_ref().map(|then| news(then, &now)).unwrap_or_default();
                there = Some(now);
                for said in news {
                    if sender.send(said).await.is_err() {
                        return;
                    }
                }
            }
            sleep(AGAIN).await;
        }
    });
    comings
}

fn news(then: &There, now: &There) -> Vec<String> {
    let came = now.iter().filter(|(session, _)| !then.contains_key(session));
    let left = then.iter().filter(|(session, _)| !now.contains_key(session));
    let came = came.map(|(_, who)| format!("{who} came"));
    came.chain(left.map(|(_, who)| format!("{who} left"))).collect()
}
