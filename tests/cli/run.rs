//! `labctl run`: a command with a board, and the board free again whatever happens.

use std::process::Stdio;

use anyhow::{Context, Result};
use lab_tests::lab::{Plan, board, boards, file, name};
use lab_tests::patience::soon;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use protocol::Span;
use protocol::hold::{Ask, Release};
use protocol::journal::Event;
use tokio::io::{AsyncBufReadExt, BufReader};

use super::Scene;

fn pid(child: &tokio::process::Child) -> Result<Pid> {
    Ok(Pid::from_raw(child.id().context("it runs")?.try_into()?))
}

#[tokio::test]
async fn it_ends_as_its_command_does_and_gives_the_board_back() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    for (script, code) in
        [("exit 0", 0), ("exit 42", 42), ("kill -9 $$", 137), ("kill -15 $$", 143)]
    {
        let said = scene.says(&["run", "rpi4", "--", "/bin/sh", "-c", script]).await?;
        assert_eq!(said.code, Some(code), "{script}: {said:?}");
        assert_eq!(scene.lab.admin().await?.holds().await?, [], "{script}");
    }
    let said = scene.says(&["run", "rpi4", "--", "no-such-program"]).await?;
    assert_eq!(said.code, Some(127), "{said:?}");
    let said = scene.says(&["run", "rpi4", "--", "/dev/null"]).await?;
    assert_eq!(said.code, Some(126), "{said:?}");
    Ok(())
}

#[tokio::test]
async fn the_command_finds_the_board_in_its_environment() -> Result<()> {
    let setup = "#!/bin/sh\n[ $1 = release ] || echo '{ \"ip\": \"10.0.0.7\", \"jail-id\": 3 }'\n";
    let config = format!("setup_script = \"@dir/setup\"\n{}", boards(&["rpi4"]));
    let scene = Scene::open(Plan::new(config).script("setup", setup).by_hand()).await?;
    let said = scene.says(&["run", "--class", "rpi", "--for", "1h", "--", "env"]).await?;
    let until = scene.lab.now() + Span::hours(1);
    for line in [
        format!("LAB={}", scene.ada),
        "LAB_BOARD=rpi4".to_owned(),
        "LAB_CLASS=rpi".to_owned(),
        "LAB_HOLD=1".to_owned(),
        format!("LAB_UNTIL={}", until.0),
        "LAB_ATTR_IP=10.0.0.7".to_owned(),
        "LAB_ATTR_JAIL_ID=3".to_owned(),
        "LAB_ATTR_ARCH=arm64-aarch64".to_owned(),
        r#"LAB_ATTRIBUTES={"arch":"arm64-aarch64","ip":"10.0.0.7","jail-id":3}"#.to_owned(),
    ] {
        assert!(said.out.lines().any(|found| found == line), "{line} is missing in {}", said.out);
    }
    assert!(said.err.starts_with("rpi4 is yours until "), "{}", said.err);
    Ok(())
}

#[tokio::test]
async fn a_setup_that_takes_longer_than_the_grace_is_waited_for() -> Result<()> {
    let setup = "#!/bin/sh\n[ $1 = reserve ] && [ $2 = rpi4 ] || exit 0\n\
        echo $$ > @dir/began; until [ -e @dir/go ]; do sleep 0.01; done\n";
    let config = format!("setup_script = \"@dir/setup\"\n{}", boards(&["rpi4", "rpi5"]));
    let scene = Scene::open(Plan::new(config).script("setup", setup).by_hand()).await?;
    let labctl = scene.labctl(&["run", "rpi4", "--", "echo", "done"])?.spawn()?;
    file(&scene.lab.path("began")).await?;
    let bob = scene.lab.user("bob").await?;
    bob.reserve(Ask { span: Some(Span::seconds(30)), ..board("rpi5") }).await?;
    scene.lab.advance(Span::seconds(30));
    bob.journal("rpi5").await?.event(|event| matches!(event, Event::Ended { .. })).await?;
    std::fs::write(scene.lab.path("go"), "")?;
    let output = soon(labctl.wait_with_output()).await??;
    assert_eq!(output.stdout, b"done\n", "{output:?}");
    Ok(())
}

#[tokio::test]
async fn a_command_in_the_command_uses_the_same_lab() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let labctl = lab_tests::programs::path("labctl")?.display().to_string();
    let script = format!("{labctl} power $LAB_BOARD on && {labctl} holds --mine");
    let said =
        scene.says(&["run", "rpi4", "--note", "nightly", "--", "/bin/sh", "-c", &script]).await?;
    assert!(said.out.starts_with("rpi4: power is on\n"), "{said:?}");
    assert!(said.out.trim_end().ends_with("nightly"), "{said:?}");
    Ok(())
}

#[tokio::test]
async fn the_daemon_frees_the_board_of_a_labctl_that_was_killed() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let bob = scene.lab.user("bob").await?;
    let mut journal = bob.journal("rpi4").await?;
    let mut labctl = scene
        .labctl(&[
            "run",
            "rpi4",
            "--grace",
            "1s",
            "--",
            "/bin/sh",
            "-c",
            "echo here; exec sleep 600",
        ])?
        .spawn()?;
    let mut lines = BufReader::new(labctl.stdout.take().context("piped")?).lines();
    assert_eq!(soon(lines.next_line()).await??.as_deref(), Some("here"));
    kill(pid(&labctl)?, Signal::SIGKILL)?;
    soon(labctl.wait()).await??;
    // The daemon sees the connection end; from then on its clock counts.
    let is_end = |event: &Event| matches!(event, Event::Ended { .. });
    let end = tokio::select! {
        end = journal.event(is_end) => end?,
        never = async { loop { scene.lab.advance(Span::millis(100)); tokio::time::sleep(std::time::Duration::from_millis(5)).await; } } => never,
    };
    assert!(end.event.to_string().ends_with("the client that kept it went away"), "{}", end.event);
    assert_eq!(bob.holds().await?, []);
    Ok(())
}

#[tokio::test]
async fn a_labctl_that_is_told_to_end_ends_its_command_and_gives_the_board_back() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let script = "trap 'echo ended > ended; exit 0' TERM; echo here; while :; do sleep 0.01; done";
    let mut labctl = scene
        .labctl(&["run", "rpi4", "--", "/bin/sh", "-c", script])?
        .current_dir(scene.lab.path(""))
        .spawn()?;
    let mut lines = BufReader::new(labctl.stdout.take().context("piped")?).lines();
    assert_eq!(soon(lines.next_line()).await??.as_deref(), Some("here"));
    kill(pid(&labctl)?, Signal::SIGTERM)?;
    assert_eq!(soon(labctl.wait()).await??.code(), Some(143));
    assert_eq!(file(&scene.lab.path("ended")).await?, "ended\n");
    assert_eq!(scene.lab.admin().await?.holds().await?, []);
    Ok(())
}

#[tokio::test]
async fn the_end_of_the_hold_is_the_end_of_the_command() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let script = "echo here; exec sleep 600";
    let mut labctl =
        scene.labctl(&["run", "rpi4", "--for", "10min", "--", "/bin/sh", "-c", script])?.spawn()?;
    let mut lines = BufReader::new(labctl.stdout.take().context("piped")?).lines();
    assert_eq!(soon(lines.next_line()).await??.as_deref(), Some("here"));
    scene.lab.advance(Span::minutes(10));
    let output = soon(labctl.wait_with_output()).await??;
    assert_eq!(output.status.code(), Some(124));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("rpi4 is no longer yours: ") && said.contains("its time was up"),
        "{said}"
    );
    assert!(!said.contains("the lab frees it"), "it is free: {said}");
    Ok(())
}

#[tokio::test]
async fn it_waits_for_a_board_and_gives_up_its_place_if_it_is_told_to_end() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let bob = scene.lab.user("bob").await?;
    bob.reserve(board("rpi4")).await?;
    for (waiting, code) in [
        (&["run", "rpi4", "--", "true"][..], 143),
        (&["reserve", "rpi4", "--wait"], 143),
        (&["reserve", "rpi4", "--wait", "50ms"], 7),
    ] {
        let mut labctl = scene.labctl(waiting)?.spawn()?;
        let mut lines = BufReader::new(labctl.stderr.take().context("piped")?).lines();
        let first = soon(lines.next_line()).await??.unwrap_or_default();
        assert!(
            first.starts_with("place 1 in the queue for rpi4, yours at Mon 3 Jun 11:00"),
            "{first}"
        );
        if code == 143 {
            kill(pid(&labctl)?, Signal::SIGTERM)?;
        }
        assert_eq!(soon(labctl.wait()).await??.code(), Some(code), "{waiting:?}");
        assert_eq!(bob.queue().await?, []);
    }
    let mut labctl =
        scene.labctl(&["run", "rpi4", "--", "true"])?.stderr(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(labctl.stderr.take().context("piped")?).lines();
    soon(lines.next_line()).await??;
    bob.release(name("rpi4"), Release::default()).await?;
    assert_eq!(soon(labctl.wait()).await??.code(), Some(0));
    Ok(())
}
