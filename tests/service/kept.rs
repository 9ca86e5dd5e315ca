//! What is kept of a serial port, and for how long.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Result, ensure};
use lab_tests::lab::boards;
use lab_tests::patience::until;
use nix::sys::signal::Signal;
use rustix::termios::tcgetattr;

use super::board::Board;
use super::labd::{Labd, described};

async fn running(port: &Path) -> Result<Labd> {
    let mut labd = Labd::with_console(port).await?;
    labd.run().await?;
    until(|| labd.manager.keeps().len() == 2).await?;
    Ok(labd)
}

/// As a labd leaves it that is killed between reading and recording.
#[tokio::test]
async fn what_was_read_and_not_recorded_is_recorded_first() -> Result<()> {
    let mut board = Board::new()?;
    let mut labd = running(&board.port).await?;
    board.mouth.write_all(b"one ")?;
    until(|| labd.recorded() == 4).await?;
    labd.stop(Signal::SIGKILL).await?;
    let pipe = labd.manager.kept("-unrecorded")?;
    let entry = format!("/proc/self/fd/{}", pipe.as_raw_fd());
    OpenOptions::new().write(true).open(entry)?.write_all(&b"two ".repeat(5_000))?;
    board.mouth.write_all(b"three")?;
    labd.run().await?;
    until(|| labd.recorded() == 4 + 20_000 + 5).await?;
    ensure!(
        labd.recording()? == [b"one ".to_vec(), b"two ".repeat(5_000), b"three".to_vec()].concat()
    );
    Ok(())
}

#[tokio::test]
async fn a_console_that_leaves_the_configuration_is_closed() -> Result<()> {
    let board = Board::new()?;
    let mut labd = running(&board.port).await?;
    labd.configure(&boards(&["rpi4"])).await?;
    labd.signal(Signal::SIGHUP)?;
    until(|| labd.manager.keeps().is_empty()).await?;
    // It is nobody's any more: another may have it.
    labd.configure(&described(&board.port)).await?;
    labd.signal(Signal::SIGHUP)?;
    until(|| labd.manager.keeps().len() == 2).await
}

#[tokio::test]
async fn so_is_one_that_has_left_it_meanwhile() -> Result<()> {
    let board = Board::new()?;
    let mut labd = running(&board.port).await?;
    labd.stop(Signal::SIGTERM).await?;
    labd.configure(&boards(&["rpi4"])).await?;
    labd.run().await?;
    until(|| labd.manager.keeps().is_empty()).await
}

#[tokio::test]
async fn a_port_that_is_configured_otherwise_is_set_up_anew() -> Result<()> {
    let board = Board::new()?;
    let mut labd = running(&board.port).await?;
    let before = labd.manager.keeps();
    labd.stop(Signal::SIGTERM).await?;
    labd.configure(&described(&board.port).replace("device =", "speed = 9600, device =")).await?;
    labd.run().await?;
    until(|| labd.manager.keeps().iter().filter(|name| !before.contains(name)).count() == 2)
        .await?;
    until(|| labd.manager.keeps().len() == 2).await?;
    ensure!(tcgetattr(labd.manager.kept_terminal()?)?.output_speed() == 9600);
    Ok(())
}

#[tokio::test]
async fn an_adapter_that_was_replugged_meanwhile_is_opened() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let link = folder.path().join("usb-adapter");
    let (first, mut second) = (Board::new()?, Board::new()?);
    symlink(&first.port, &link)?;
    let mut labd = running(&link).await?;
    labd.stop(Signal::SIGTERM).await?;
    fs::remove_file(&link)?;
    symlink(&second.port, &link)?;
    labd.run().await?;
    let stored = |said: &String| said.starts_with("FDSTORE=1");
    until(|| labd.manager.said().iter().filter(|said| stored(said)).count() == 2).await?;
    second.mouth.write_all(b"here")?;
    until(|| labd.recorded() == 4).await?;
    ensure!(labd.recording()? == b"here");
    Ok(())
}
