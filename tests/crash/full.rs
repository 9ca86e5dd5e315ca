//! The disk is full for a while.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, anyhow, bail, ensure};
use labd::clock::Clock;
use labd::config::Config;
use labd::lab::Lab;
use labd::lab::open::Failure;
use labd::memory;
use nix::mount::{MsFlags, mount};
use protocol::Error;
use protocol::board::BoardName;
use protocol::hold::{Ask, IfTaken, Placed, Release, Want};
use protocol::user::{Role, Who};
use tempfile::TempDir;

use super::{alone_with_mounts, tell};

const BOARDS: usize = 6;

/// What cannot be written is refused and not remembered; when there is room, the lab goes on.
#[test]
fn a_lab_refuses_while_its_disk_is_full_and_goes_on_when_there_is_room() -> Result<()> {
    std::thread::spawn(|| {
        let dir = TempDir::new()?;
        let small = |folder: &Path| {
            let tmpfs = Some("tmpfs");
            mount(tmpfs, folder, tmpfs, MsFlags::empty(), Some("size=8m"))
        };
        if !alone_with_mounts() || small(dir.path()).is_err() {
            tell("full disk: not run, a small disk of one's own takes root");
            return Ok(());
        }
        tokio::runtime::Runtime::new()?.block_on(story(dir.path()))
    })
    .join()
    .map_err(|_| anyhow!("it panicked"))?
}

async fn story(disk: &Path) -> Result<()> {
    let (folder, ballast) = (disk.join("lab"), disk.join("ballast"));
    let lab = open(&folder).await?;
    reserve(&lab, 0).await?;
    fill(&ballast)?;
    // What is left of the last page may take some more.
    let mut refused = None;
    for _ in 0..1_000 {
        if let Err(error) = lab.note_down(&ada()?, &board(0)?, "x".repeat(3_000)).await {
            refused = Some(error);
            break;
        }
    }
    ensure!(matches!(refused, Some(Error::CannotRecord { .. })), "{refused:?}");
    // Long enough for the store to fail as well: it writes twice a second.
    let begun = std::time::Instant::now();
    let mut refusals = 0;
    while begun.elapsed() < std::time::Duration::from_millis(1_500) {
        let error = reserve(&lab, 1 + refusals % 2).await.err();
        let why = error.as_ref().and_then(|error| error.downcast_ref::<Error>());
        ensure!(matches!(why, Some(Error::CannotRecord { .. })), "{error:?}");
        ensure!(held(&lab) == [board(0)?], "{:?}", held(&lab));
        refusals += 1;
    }
    fs::remove_file(&ballast)?;
    reserve(&lab, 2).await?;
    reserve(&lab, 3).await?;
    lab.release(&ada()?, &board(0)?, Release::default()).await?;
    ensure!(held(&lab) == [board(2)?, board(3)?], "{:?}", held(&lab));
    let root = Who { role: Role::Admin, ..ada()? };
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

fn ada() -> Result<Who> {
    Ok(Who { name: "ada".parse()?, role: Role::User })
}

fn board(n: usize) -> Result<BoardName> {
    Ok(format!("b{n}").parse()?)
}

fn held(lab: &Lab) -> Vec<BoardName> {
    lab.holds().into_iter().map(|hold| hold.board).collect()
}

/// Opens the lab; tasks of the run before may hold its folder for a moment longer.
async fn open(folder: &Path) -> Result<Arc<Lab>> {
    let boards: Vec<_> = (0..BOARDS).map(|n| format!("{{ name = b{n}, class = a }}")).collect();
    let text = format!("classes {{ a {{ }} }}\nboards [ {} ]", boards.join(" "));
    for _ in 0..1_000 {
        let config = Config::parse(&text, "lab.conf").map_err(|faults| anyhow!("{faults:?}"))?;
        match Lab::open(config, None, folder, Clock::machine()).await {
            Ok(lab) => return Ok(lab),
            Err(Failure::Memory(memory::Error::InUse(_))) => {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    bail!("the lab stays in use")
}

async fn reserve(lab: &Arc<Lab>, n: usize) -> Result<()> {
    let ask = Ask {
        want: Want::Board { name: board(n)? },
        span: None,
        if_taken: IfTaken::Refuse,
        grace: None,
        note: None,
        ssh_key: None,
    };
    match lab.reserve(&ada()?, ask).await? {
        Placed::Held { .. } => Ok(()),
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
