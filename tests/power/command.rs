//! Commands that do as told, fail, hang, and leave things behind.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use lab_tests::patience::until;
use lab_tests::settings::{Setting, list, read, text};
use labd::config::ucl::Node;
use labd::power::command::Command;
use labd::power::{Error, Power};
use tempfile::TempDir;

/// An outlet whose `on` is a shell's.
fn outlet(on: &str, more: impl IntoIterator<Item = Setting>) -> Result<Command> {
    let settings = [("on", list(["/bin/sh", "-c", on])), ("off", text("/bin/true"))];
    read(Command::read, settings.into_iter().chain(more))
}

/// Waits for a file that a command writes at once, a line with a number.
async fn number_in(path: &Path) -> Result<u32> {
    let text = || std::fs::read_to_string(path).unwrap_or_default();
    until(|| text().ends_with('\n')).await.with_context(|| path.display().to_string())?;
    Ok(text().trim().parse()?)
}

/// Waits until there is no such process, or only what nobody has reaped of it.
async fn gone(process: u32) -> Result<()> {
    let stat = || std::fs::read_to_string(format!("/proc/{process}/stat"));
    let is_gone = || stat().map_or(true, |stat| stat.contains(") Z "));
    until(is_gone).await.with_context(|| format!("process {process} still runs"))
}

#[tokio::test]
async fn three_commands_are_an_outlet() -> Result<()> {
    let dir = TempDir::new()?;
    let state = dir.path().join("state");
    let write = |word: &str| format!("echo {word} > {}", state.display());
    let outlet = read(
        Command::read,
        [
            ("on", list(["/bin/sh", "-c", &write("ON")])),
            ("off", list(["/bin/sh", "-c", &write("off by hand")])),
            ("status", text(format!("/bin/cat {}", state.display()))),
        ],
    )?;
    outlet.set(true).await?;
    assert_eq!(outlet.get().await?, Some(true));
    outlet.set(false).await?;
    assert_eq!(outlet.get().await?, Some(false));
    std::fs::write(&state, "in between")?;
    assert_eq!(outlet.get().await?, None);
    std::fs::write(&state, "off\n".to_owned() + &"on\n".repeat(100_000))?;
    assert_eq!(outlet.get().await?, Some(false));
    std::fs::remove_file(&state)?;
    let error = outlet.get().await.unwrap_err().to_string();
    assert!(error.contains("No such file"), "{error}");
    Ok(())
}

#[tokio::test]
async fn without_a_status_an_outlet_cannot_say() -> Result<()> {
    assert_eq!(outlet("exit 0", [])?.get().await?, None);
    Ok(())
}

#[tokio::test]
async fn a_reset_is_a_fourth_command() -> Result<()> {
    let dir = TempDir::new()?;
    let state = dir.path().join("state");
    let without = outlet("exit 0", [])?;
    assert!(!without.can_reset());
    assert!(matches!(without.reset().await, Err(Error::Refused { .. })));
    let reset = list(["/bin/sh", "-c", &format!("echo reset > {}", state.display())]);
    let with = outlet("exit 0", [("reset", reset)])?;
    assert!(with.can_reset());
    with.reset().await?;
    assert_eq!(std::fs::read_to_string(&state)?, "reset\n");
    Ok(())
}

#[tokio::test]
async fn a_command_that_fails_is_quoted() -> Result<()> {
    let error = outlet("echo trying >&2; echo no outlet 3 >&2; exit 4", [])?.set(true).await;
    let error = error.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }));
    assert!(error.to_string().ends_with("refused: exit status: 4: no outlet 3"), "{error}");
    let error = outlet("kill -9 $$", [])?.set(true).await.unwrap_err().to_string();
    assert!(error.contains("signal: 9"), "{error}");
    let missing = [("on", text("/nonexistent/pdu on")), ("off", text("/bin/true"))];
    let error = read(Command::read, missing)?.set(true).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }));
    assert!(error.to_string().contains("/nonexistent/pdu does not start: No such"), "{error}");
    Ok(())
}

/// A program that waits for one that it started, whose number it writes to a file.
fn waiting() -> Result<(TempDir, PathBuf, String)> {
    let dir = TempDir::new()?;
    let path = dir.path().join("grandchild");
    let on = format!("sleep 1000 & echo $! > {}; wait", path.display());
    Ok((dir, path, on))
}

#[tokio::test]
async fn a_command_that_hangs_is_killed_with_all_it_started() -> Result<()> {
    let (_dir, path, on) = waiting()?;
    let error = outlet(&on, [("limit", Node::Seconds(0.5))])?.set(true).await.unwrap_err();
    let limit = Duration::from_millis(500);
    assert!(matches!(error, Error::Silent { limit: told, .. } if told == limit), "{error}");
    gone(number_in(&path).await?).await
}

#[tokio::test]
async fn a_command_that_nobody_waits_for_any_more_is_killed_as_well() -> Result<()> {
    let (_dir, path, on) = waiting()?;
    let outlet = outlet(&on, [("limit", Node::Seconds(1000.0))])?;
    let grandchild = tokio::select! {
        ended = outlet.set(true) => { ended?; bail!("it ended") }
        grandchild = number_in(&path) => grandchild?,
    };
    gone(grandchild).await
}

/// What a command leaves running may hold its output open; that is no reason to wait.
#[tokio::test]
async fn a_command_may_leave_something_running() -> Result<()> {
    let dir = TempDir::new()?;
    let path = dir.path().join("left");
    let on = format!("sleep 1000 & echo $! > {}; exit 0", path.display());
    let begun = Instant::now();
    outlet(&on, [])?.set(true).await?;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let left = number_in(&path).await?;
    assert!(Path::new(&format!("/proc/{left}")).exists());
    let left = nix::unistd::Pid::from_raw(left.try_into()?);
    nix::sys::signal::kill(left, nix::sys::signal::Signal::SIGKILL)?;
    Ok(())
}

#[tokio::test]
async fn a_command_reads_nothing_and_inherits_nothing() -> Result<()> {
    let dir = TempDir::new()?;
    let (held, seen) = (dir.path().join("held"), dir.path().join("seen"));
    let _held = std::fs::File::create(&held)?;
    outlet(&format!("cat; ls -l /proc/self/fd > {}", seen.display()), [])?.set(true).await?;
    let seen = std::fs::read_to_string(&seen)?;
    let first = seen.lines().find(|line| line.contains(" 0 ->")).context("no standard input")?;
    assert!(first.ends_with("/dev/null"), "{seen}");
    assert!(!seen.contains("/held"), "{seen}");
    Ok(())
}

/// Megabytes of complaints neither stop a command nor are kept.
#[tokio::test]
async fn a_command_may_talk_much() -> Result<()> {
    let on = "head -c 3000000 /dev/zero | tr '\\0' x >&2; echo; echo 'so it is' >&2; exit 1";
    let error = outlet(on, [])?.set(true).await.unwrap_err().to_string();
    assert!(error.len() < 1000 && error.contains("xxx"), "{}", error.len());
    Ok(())
}
