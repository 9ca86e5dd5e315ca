//! The disk is full for a while.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use lab_tests::daemon::Daemon;
use lab_tests::lab::{Plan, boards, name};
use lab_tests::patience::{until, until_told};
use lab_tests::root;
use labd::clock::Clock;
use labd::config::Config;
use labd::lab::Lab;
use labd::lab::open::Failure;
use labd::memory;
use nix::mount::{MsFlags, mount};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use protocol::board::BoardName;
use protocol::hold::{Ask, Hold, IfTaken, Placed, Release, Want};
use protocol::power::PowerAsk;
use protocol::user::{Role, Who};
use protocol::{Error, Span};
use tempfile::TempDir;

use super::{alone_with_mounts, tell};

const BOARDS: usize = 6;

/// What cannot be written is refused and not remembered; when there is room, the lab goes on.
#[test]
fn a_lab_refuses_while_its_disk_is_full_and_goes_on_when_there_is_room() -> Result<()> {
    std::thread::spawn(|| {
        root::needed("a small disk")?;
        let place = TempDir::new()?;
        let dir = place.path().join("disk");
        fs::create_dir(&dir)?;
        alone_with_mounts()?;
        mount(Some("tmpfs"), &dir, Some("tmpfs"), MsFlags::empty(), Some("size=8m"))?;
        tokio::runtime::Runtime::new()?.block_on(story(&dir))
    })
    .join()
    .map_err(|_| anyhow!("it panicked"))?
}

async fn story(disk: &Path) -> Result<()> {
    let (folder, ballast) = (disk.join("lab"), disk.join("ballast"));
    let lab = open(&folder).await?;
    let first = reserve(&lab, 0).await?;
    // It lasts as long as this client is there, whatever is read back meanwhile.
    let kept = lab.keep(&ada()?, first.number)?;
    let root = Who { role: Role::Admin, ..ada()? };
    let cycle = tokio::spawn({
        let (lab, root) = (lab.clone(), root.clone());
        async move {
            lab.power(&root, &"p".parse()?, PowerAsk::Cycle).await.map_err(anyhow::Error::from)
        }
    });
    // The disk is full while the board is off.
    outlet_is(&folder, "off").await?;
    fill(&ballast)?;
    // What is left of the last page may take some more.
    let mut refused = None;
    for _ in 0..1_000 {
        if let Err(error) = lab.note_down(&ada()?, &board(0)?, "x".to_owned()).await {
            refused = Some(error);
            break;
        }
    }
    ensure!(matches!(refused, Some(Error::CannotRecord { .. })), "{refused:?}");
    outlet_is(&folder, "on").await?;
    drop(cycle.await?);
    // Long enough for the store to fail as well: it writes twice a second.
    let begun = Instant::now();
    let mut refusals = 0;
    while begun.elapsed() < Duration::from_millis(1_500) {
        let error = reserve(&lab, 1 + refusals % 2).await.err();
        let why = error.as_ref().and_then(|error| error.downcast_ref::<Error>());
        ensure!(matches!(why, Some(Error::CannotRecord { .. })), "{error:?}");
        ensure!(held(&lab) == [board(0)?], "{:?}", held(&lab));
        refusals += 1;
    }
    fs::remove_file(&ballast)?;
    reserve(&lab, 2).await?;
    reserve(&lab, 3).await?;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(500) {
        ensure!(held(&lab).contains(&board(0)?), "its client was there all the time");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    lab.release(&ada()?, &board(0)?, Release::default()).await?;
    // The cycle ended while nothing could be written; it must not be done again by the next labd.
    until_told(async || Ok(!lab.export(&root).await?.records.contains_key("job/p")))
        .await
        .context("the cycle is still in hand")?;
    drop(kept);
    ensure!(held(&lab) == [board(2)?, board(3)?], "{:?}", held(&lab));
    let said = lab.verify(&root).await?;
    ensure!(said[0].contains("every hash is right"), "{said:?}");
    let is_given_up = said[1].contains("admin rebuild");
    if is_given_up {
        lab.rebuild(&root).await?;
        let said = lab.verify(&root).await?;
        ensure!(said[1].contains("every record is what"), "{said:?}");
    }
    tokio::task::spawn_blocking(move || lab.close()).await?;
    let lab = open(&folder).await?;
    ensure!(held(&lab) == [board(2)?, board(3)?], "{:?}", held(&lab));
    tell(&format!(
        "full disk: {refusals} reservations refused, none remembered, none lost; the store {}",
        if is_given_up { "failed and was rebuilt" } else { "did not mind" }
    ));
    Ok(())
}

/// Who changes a console, or ends labd, need not wait until there is room.
#[test]
fn a_console_that_cannot_be_recorded_holds_up_neither_a_reload_nor_the_end() -> Result<()> {
    std::thread::spawn(|| {
        root::needed("a small disk")?;
        alone_with_mounts()?;
        tokio::runtime::Runtime::new()?.block_on(reload_and_end())
    })
    .join()
    .map_err(|_| anyhow!("it panicked"))?
}

async fn reload_and_end() -> Result<()> {
    let mut labd = Daemon::start(Plan::new(boards(&["rpi4"]))).await?;
    labd.terminate().await?;
    mount(Some("tmpfs"), &labd.path("state"), Some("tmpfs"), MsFlags::empty(), Some("size=8m"))?;
    labd.start_again().await?;
    let client = labd.client().await?;
    let line = async || {
        let detail = client.board(name("rpi4")).await?;
        detail.line.ok_or_else(|| anyhow!("it has a console"))
    };
    fill(&labd.path("state").join("ballast"))?;
    let first = line().await?.device;
    // What is left of the last page may take some more.
    while !line().await?.fault.is_some_and(|fault| fault.starts_with("cannot be recorded")) {
        labd.ground().board("rpi4").print([b'x'; 4096]).await?;
    }
    let other = boards(&["rpi4"]).replace("@console(rpi4)", "@console(other)");
    labd.ground().configure(&other).await?;
    kill(Pid::from_raw(labd.pid().try_into()?), Signal::SIGHUP)?;
    until_told(async || Ok(line().await?.device != first))
        .await
        .context("the console is still the old one")?;
    ensure!(labd.terminate().await?.success());
    Ok(())
}

/// A link that stands for an outlet, beside the small disk.
fn outlet(folder: &Path) -> PathBuf {
    folder.parent().unwrap_or(folder).with_extension("outlet")
}

async fn outlet_is(folder: &Path, state: &str) -> Result<()> {
    let is_so = || fs::read_link(outlet(folder)).is_ok_and(|reached| reached == Path::new(state));
    until(is_so).await.with_context(|| format!("the outlet is not {state}"))
}

fn ada() -> Result<Who> {
    Ok(Who::new("ada".parse()?, Role::User))
}

fn board(n: usize) -> Result<BoardName> {
    Ok(format!("b{n}").parse()?)
}

fn held(lab: &Lab) -> Vec<BoardName> {
    let Ok(ada) = ada() else { return Vec::new() };
    lab.holds(&ada).into_iter().map(|hold| hold.board).collect()
}

/// Opens the lab; tasks of the run before may hold its folder for a moment longer.
async fn open(folder: &Path) -> Result<Arc<Lab>> {
    let boards: Vec<_> = (0..BOARDS).map(|n| format!("{{ name = b{n}, class = a }}")).collect();
    // Where the outlet stands is not kept on the disk that is full.
    let (pdu, outlet) =
        (|state: &str| format!("ln -sfn {state} {}", outlet(folder).display()), outlet(folder));
    let text = format!(
        "power {{ dwell = 500ms }}\nclasses {{ a {{ }} p {{ }} }}\nboards [ {}\n{{ name = p, class = p, options [ \
         {{ cls = command, on = \"{}\", off = \"{}\", status = \"readlink {}\" }} ] }} ]",
        boards.join(" "),
        pdu("on"),
        pdu("off"),
        outlet.display()
    );
    let mut opened = None;
    until_told(async || {
        let config = Config::parse(&text, "lab.conf").map_err(|faults| anyhow!("{faults:?}"))?;
        match Lab::open(config, None, folder, Clock::machine()).await {
            Err(Failure::Memory(memory::Error::InUse(_))) => return Ok(false),
            lab => opened = Some(lab?),
        }
        Ok(true)
    })
    .await
    .context("the lab stays in use")?;
    opened.context("it is open")
}

async fn reserve(lab: &Arc<Lab>, n: usize) -> Result<Hold> {
    let ask = Ask {
        want: Want::Board { name: board(n)? },
        span: None,
        if_taken: IfTaken::Refuse,
        grace: Some(Span::millis(100)).filter(|_| n == 0),
        note: None,
        ssh_key: None,
    };
    match lab.reserve(&ada()?, ask).await? {
        Placed::Held { hold } => Ok(hold),
        Placed::Queued { .. } => bail!("it is taken"),
    }
}

fn fill(ballast: &Path) -> Result<()> {
    let mut file = fs::File::create(ballast)?;
    for size in [64 << 10, 4 << 10] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
    Ok(())
}
