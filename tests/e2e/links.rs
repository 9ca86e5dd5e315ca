//! Links that drop: what is asked over them is done once, and who follows misses nothing.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use futures::FutureExt;
use futures::future::{join_all, try_join_all};
use lab_tests::daemon::Daemon;
use lab_tests::lab::{Plan, TestLab, board, boards, file, held, name, queued};
use lab_tests::network::Network;
use lab_tests::patience::{PATIENCE, soon};
use lab_tests::programs;
use protocol::account::{NewToken, Secret, TokenAsk};
use protocol::address::Address;
use protocol::client::Client;
use protocol::context::{Context, Proof};
use protocol::hold::{Ask, Release};
use protocol::journal::{Entry, Event};
use protocol::power::PowerAsk;
use protocol::request::RequestId;
use protocol::{Error, Span};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;

use super::tls::{invite, join, open};

/// A connection through which somebody comes in carries more than this first.
const COMING_IN: u64 = 8_000;

/// A lab, and the network on the way to it.
struct Scene {
    lab: TestLab,
    network: Network,
    /// Where the lab is found through the network.
    at: Address,
    /// How ada comes in.
    ada: Context,
}

impl Scene {
    async fn open(seed: u64) -> Result<Scene> {
        let (lab, door) = open().await?;
        let ada = join(&door, &invite(&lab, "ada").await?).await?;
        let Address::Tls { host, port, pin } = door else { bail!("{door} is not behind TLS") };
        let network = Network::before(port, seed).await?;
        let at = Address::Tls { host, port: network.port(), pin };
        Ok(Scene { lab, network, at, ada })
    }

    async fn client(&self) -> Result<Client> {
        Ok(soon(Client::connect_as(&self.at, self.ada.clone())).await??)
    }

    /// A token of ada's, for programs.
    async fn token(&self) -> Result<Secret> {
        let ask = TokenAsk { who: Some("ada".parse()?), ..TokenAsk::default() };
        Ok(self.lab.admin().await?.make_token(ask).await?.secret)
    }

    /// labctl, run by ada.
    async fn labctl(&self, words: &[&str]) -> Result<Child> {
        let mut command = Command::new(programs::path("labctl")?);
        command
            .args(words)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.lab.path(""))
            .env("LAB", self.at.to_string())
            .env("LAB_TOKEN", self.token().await?.as_str())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        Ok(command.spawn()?)
    }

    /// What happened to the board so far.
    async fn timeline(&self) -> Result<Vec<Event>> {
        let root = self.lab.admin().await?;
        root.note(name("rpi4"), "the end".to_owned()).await?;
        let is_end = |event: &Event| matches!(event, Event::Noted { text } if text == "the end");
        let entries = root.journal("rpi4").await?.entries_until(is_end).await?;
        Ok(entries.into_iter().map(|entry| entry.event).collect())
    }
}

/// Planted, and caught here: a daemon that does not remember what it has done.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_asked_over_a_link_that_drops_is_done_once() -> Result<()> {
    const ROUNDS: usize = 120;
    let scene = Scene::open(7).await?;
    scene.network.cut(COMING_IN, 12_000);
    let ada = scene.client().await?;
    // Also in the middle of coming in.
    scene.network.cut(0, 12_000);
    for round in 0..ROUNDS {
        let note = |n| ada.note(name("rpi4"), format!("{round} {n}"));
        try_join_all((0..4).map(note)).await.context("a note")?;
        let hold = held(ada.reserve(board("rpi4")).await?)?;
        if round % 10 == 0 {
            ada.power(name("rpi4"), PowerAsk::On).await?;
        }
        let release = Release { number: Some(hold.number), breaking: None };
        ada.release(name("rpi4"), release).await?;
    }
    ensure!(scene.network.cuts() > 50, "only {} connections were cut", scene.network.cuts());
    let events = scene.timeline().await?;
    let count = |is: fn(&Event) -> bool| events.iter().filter(|event| is(event)).count();
    let notes: Vec<&String> = events
        .iter()
        .filter_map(|event| match event {
            Event::Noted { text } if text != "the end" => Some(text),
            _ => None,
        })
        .collect();
    assert_eq!(notes.len(), 4 * ROUNDS);
    assert_eq!(notes.into_iter().collect::<BTreeSet<_>>().len(), 4 * ROUNDS);
    assert_eq!(count(|event| matches!(event, Event::Reserved { .. })), ROUNDS);
    assert_eq!(count(|event| matches!(event, Event::Ended { .. })), ROUNDS);
    assert_eq!(count(|event| matches!(event, Event::PowerAsked { .. })), ROUNDS / 10);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_link_is_no_harm() -> Result<()> {
    let scene = Scene::open(1).await?;
    scene.network.delay(Duration::from_millis(200));
    let ada = scene.client().await?;
    let hold = held(ada.reserve(board("rpi4")).await?)?;
    ada.power(name("rpi4"), PowerAsk::On).await?;
    assert_eq!(ada.holds().await?, [hold]);
    let notes = (0..20).map(|n| ada.note(name("rpi4"), n.to_string()));
    assert!(join_all(notes).await.iter().all(Result::is_ok));
    let noted = |event: &&Event| matches!(event, Event::Noted { .. });
    assert_eq!(scene.timeline().await?.iter().filter(noted).count(), 21);
    Ok(())
}

/// With the real limit: nothing but time tells that nobody is there any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_loses_everything_is_noticed_and_what_was_asked_is_asked_again() -> Result<()> {
    let scene = Scene::open(1).await?;
    let ada = scene.client().await?;
    ada.note(name("rpi4"), "before".to_owned()).await?;
    let labctl = scene.labctl(&["console", "rpi4", "--read-only", "--since", "start"]).await?;
    let mut console = BufReader::new(labctl.stdout.context("piped")?).lines();
    scene.lab.board("rpi4").print("before\r\n").await?;
    let line = soon(console.next_line()).await??;
    assert_eq!(line.as_deref(), Some("before"));

    scene.network.lose().await?;
    let begun = Instant::now();
    scene.lab.board("rpi4").print("meanwhile\r\n").await?;
    let noted = async {
        // The answer to one that is lost on the way there, and what nobody says to who listens.
        tokio::try_join!(
            async { anyhow::Ok(ada.note(name("rpi4"), "lost".to_owned()).await?) },
            async { Ok(console.next_line().await?) },
        )
    };
    let limit = 2 * PATIENCE;
    let ((), line) = tokio::time::timeout(limit, noted).await.context("nobody notices")??;
    assert_eq!(line.as_deref(), Some("meanwhile"));
    ensure!(begun.elapsed() > Duration::from_secs(5), "nothing was lost");
    ensure!(begun.elapsed() < Duration::from_secs(22), "it took {:?}", begun.elapsed());
    let lost = |event: &&Event| matches!(event, Event::Noted { text } if text == "lost");
    assert_eq!(scene.timeline().await?.iter().filter(lost).count(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_has_every_byte_once_over_a_hundred_cuts() -> Result<()> {
    let scene = Scene::open(3).await?;
    scene.network.cut(COMING_IN, 2 * COMING_IN);
    let labctl = scene.labctl(&["console", "rpi4", "--read-only", "--since", "start"]).await?;
    let mut console = labctl.stdout.context("piped")?;
    // Boards print while the link is down, too.
    let (mut printed, mut heard) = (Vec::new(), Vec::new());
    while scene.network.cuts() < 100 {
        let piece: String =
            (0..20).map(|n| format!("{:>7} {n} and on it goes\r\n", printed.len())).collect();
        scene.lab.board("rpi4").print(&piece).await?;
        printed.extend_from_slice(piece.as_bytes());
        let start = heard.len();
        heard.resize(printed.len(), 0);
        soon(console.read_exact(&mut heard[start..])).await??;
        ensure!(heard == printed, "after {} cuts another byte came", scene.network.cuts());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeline_goes_on_at_the_next_entry_over_cuts() -> Result<()> {
    let scene = Scene::open(4).await?;
    scene.network.cut(COMING_IN, 2 * COMING_IN);
    let labctl = scene.labctl(&["--json", "journal", "rpi4", "--from", "1", "--follow"]).await?;
    let mut journal = BufReader::new(labctl.stdout.context("piped")?).lines();
    let (bob, mut seen, mut notes) = (scene.lab.user("bob").await?, 0, 0);
    while scene.network.cuts() < 20 {
        let text = format!("{notes} {}", "and so on ".repeat(30));
        bob.note(name("rpi4"), text.clone()).await?;
        notes += 1;
        loop {
            let line = soon(journal.next_line()).await??.context("it goes on")?;
            let entry: Entry = serde_json::from_str(&line)?;
            ensure!(entry.seq > seen, "{} comes after {seen}", entry.seq);
            seen = entry.seq;
            if let Event::Noted { text: noted } = entry.event {
                assert_eq!(noted, text, "one is missing, or comes twice");
                break;
            }
        }
    }
    Ok(())
}

/// It waits for a board over cuts, and runs over cuts: the place and the hold stay its own.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_stays_kept_over_cuts() -> Result<()> {
    let scene = Scene::open(5).await?;
    let bob = scene.lab.user("bob").await?;
    bob.reserve(Ask { span: Some(Span::hours(8)), ..board("rpi4") }).await?;
    // Whoever writes to the pipe ends it.
    let go = scene.lab.path("go");
    nix::unistd::mkfifo(&go, nix::sys::stat::Mode::S_IRWXU)?;
    let script = format!("echo here; exec cat {}", go.display());
    let words = ["run", "rpi4", "--grace", "10min", "--", "/bin/sh", "-c", &script];
    let mut labctl = scene.labctl(&words).await?;
    let mut said = BufReader::new(labctl.stdout.take().context("piped")?).lines();
    while bob.queue().await?.is_empty() {
        tokio::task::yield_now().await;
    }
    cut_and_wait(&scene).await;
    assert_eq!(bob.queue().await?.len(), 1, "the place is given up");
    bob.release(name("rpi4"), Release::default()).await?;
    assert_eq!(soon(said.next_line()).await??.as_deref(), Some("here"));
    cut_and_wait(&scene).await;
    let holds = bob.holds().await?;
    assert_eq!(holds.first().context("the hold is over")?.who.as_str(), "ada");
    std::fs::write(go, "")?;
    ensure!(soon(labctl.wait()).await??.success(), "it ends as its command does");
    assert_eq!(bob.holds().await?, []);
    Ok(())
}

/// Cuts everything, and lets more time go by than anything is kept for nobody: a second of the test is
/// several minutes of the lab's.
async fn cut_and_wait(scene: &Scene) {
    scene.network.cut_now();
    for _ in 0..30 {
        scene.lab.advance(Span::seconds(30));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Who asks again while it is being done waits for the same end; and who leaves takes nothing with them.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_many_times_at_once_is_done_once() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let key = ("ada".parse()?, RequestId::new().context("chance")?);
    let (done, go) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let ask = |n: u64| {
        let (lab, key, done, go) = (lab.lab().clone(), key.clone(), done.clone(), go.clone());
        async move {
            let work = async move {
                let _go = go.acquire().await;
                done.fetch_add(1, Ordering::Relaxed);
                vec![7]
            };
            lab.once(key, (n > 0).then(|| Duration::from_secs(n)), work).await
        }
    };
    // The first has left before it is done.
    assert!(ask(0).now_or_never().is_none());
    let asked = join_all((0..50).map(ask).map(tokio::spawn));
    go.add_permits(1);
    for answer in soon(asked).await? {
        assert_eq!(answer?.ok().context("it is done")?[..], [7]);
    }
    assert_eq!(done.load(Ordering::Relaxed), 1);
    Ok(())
}

/// Another daemon does not know what the one before had begun: what only looks is asked again, and of the rest
/// nobody claims to know.
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_restarted_in_the_middle_of_a_call_does_not_do_it_again() -> Result<()> {
    let setup = "#!/bin/sh\n[ $1 = reserve ] || exit 0\necho >> @dir/begun\n\
        until [ -e @dir/go ]; do sleep 0.01; done\n";
    let text = format!("setup_script = \"@dir/setup\"\n{}", boards(&["rpi4", "rpi5"]));
    let mut labd = Daemon::start(Plan::new(text).script("setup", setup)).await?;
    let ada = labd.client().await?;
    let waiting = ada.reserve(queued(board("rpi5")));
    tokio::pin!(waiting);
    let begun = labd.path("begun");
    tokio::select! {
        placed = &mut waiting => bail!("it is prepared: {placed:?}"),
        begun = file(&begun) => drop(begun?),
    }
    let looks = ada.placed(1, Span::minutes(5));
    tokio::pin!(looks);
    assert!(tokio::time::timeout(Duration::from_millis(50), &mut looks).await.is_err());
    labd.crash_and_restart().await?;
    let unsure = soon(waiting).await?.unwrap_err();
    assert!(matches!(unsure, Error::Unsure { .. }), "{unsure:?}");
    // It had been begun.
    std::fs::write(labd.path("go"), "")?;
    assert_eq!(held(soon(looks).await??)?.board, name("rpi5"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_revokes_what_they_came_with_hears_that_it_is_done() -> Result<()> {
    let scene = Scene::open(6).await?;
    scene.network.delay(Duration::from_millis(20));
    let who = Some("ada".parse()?);
    for _ in 0..5 {
        let root = scene.lab.admin().await?;
        let NewToken { token, secret } =
            root.make_token(TokenAsk { who: who.clone(), ..TokenAsk::default() }).await?;
        let (name, at) = ("lab".to_owned(), scene.at.clone());
        let known = Context { name, address: at, proof: Proof::Token { secret } };
        let ada = soon(Client::connect_as(&scene.at, known)).await??;
        assert_eq!(ada.revoke_token(token.id.clone()).await?.id, token.id);
        let refused = ada.whoami().await.unwrap_err();
        assert!(matches!(refused, Error::NotKnown { .. }), "{refused:?}");
    }
    Ok(())
}
