//! A serial console through restarts.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use lab_tests::patience::until;
use lab_tests::programs;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::signal::Signal;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use super::board::Board;
use super::labd::Labd;

/// Bytes a second on a line of 115200 baud.
const PACE: u128 = 11_520;
const RESTARTS: u64 = 50;

/// A board that talks without a pause.
struct Talker {
    said: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    talking: JoinHandle<Result<File>>,
}

impl Talker {
    fn new(board: Board) -> Talker {
        let (said, is_over) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let (counter, over) = (Arc::clone(&said), Arc::clone(&is_over));
        let talking = thread::spawn(move || talk(board.mouth, &counter, &over));
        Talker { said, is_over, talking }
    }

    /// How many bytes there were. As long as the board's end is there, none of them goes with it.
    fn stop(self) -> Result<(u64, File)> {
        self.is_over.store(true, Ordering::Relaxed);
        let mouth = self.talking.join().expect("it does not panic")?;
        Ok((self.said.load(Ordering::Relaxed), mouth))
    }
}

/// Says what is due, each millisecond. A line does not wait: what the port cannot take is lost.
fn talk(mut board: File, said: &AtomicU64, is_over: &AtomicBool) -> Result<File> {
    let begun = Instant::now();
    let (mut text, mut number) = (Vec::new(), 0);
    while !is_over.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(1));
        let due = begun.elapsed().as_micros() * PACE / 1_000_000;
        let due = usize::try_from(due - u128::from(said.load(Ordering::Relaxed)))?;
        while text.len() < due {
            text.extend(line(number));
            number += 1;
        }
        let written = match board.write(&text[..due]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            written => written?,
        };
        ensure!(written == due, "the port took {written} of {due} bytes: the rest is lost");
        text.drain(..written);
        said.fetch_add(written as u64, Ordering::Relaxed);
    }
    Ok(board)
}

fn line(number: usize) -> Vec<u8> {
    format!("line {number:08} of a kernel that does not stop talking\r\n").into_bytes()
}

/// What a board has said that has said so many bytes.
fn speech(length: u64) -> Vec<u8> {
    let mut speech: Vec<u8> = (0..).flat_map(line).take(length as usize).collect();
    speech.truncate(length as usize);
    speech
}

/// Whether anybody opens or closes the port from now on.
fn doorkeeper(port: &Path) -> Result<Inotify> {
    let watch = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
    watch.add_watch(port, AddWatchFlags::IN_OPEN | AddWatchFlags::IN_CLOSE)?;
    Ok(watch)
}

/// Told to end, killed, and replaced by another program: each byte is in the recording, once, in order;
/// the port is neither closed nor opened nor set up anew, so its modem lines have no reason to move.
#[tokio::test(flavor = "multi_thread")]
async fn a_console_loses_no_byte_and_its_port_is_not_touched() -> Result<()> {
    let board = Board::new()?;
    let mut labd = Labd::with_console(&board.port).await?;
    let (own, other) = (programs::path("labd")?, labd.path("another-labd"));
    ensure!(Command::new("cp").arg(&own).arg(&other).status()?.success());
    labd.run().await?;
    until(|| labd.manager.keeps().len() == 2).await?;
    let doors = doorkeeper(&board.port)?;
    // Whoever sets up the port takes this away; by itself it changes nothing.
    let port = labd.manager.kept_terminal()?;
    let mut settings = tcgetattr(&port)?;
    settings.local_modes |= LocalModes::IEXTEN;
    tcsetattr(&port, OptionalActions::Now, &settings)?;
    let talker = Talker::new(board);
    let mut gaps = Vec::new();
    for restart in 0..RESTARTS {
        let (program, signal) = match restart % 3 {
            0 => (&own, Signal::SIGTERM),
            1 => (&own, Signal::SIGKILL),
            _ => (&other, Signal::SIGTERM),
        };
        // Never at the same moment of what it does.
        let before = labd.recorded();
        until(|| labd.recorded() > before + 97 * (restart % 7)).await?;
        let begun = Instant::now();
        labd.stop(signal).await?;
        let recorded = labd.recorded();
        labd.start(program, &[])?;
        until(|| labd.recorded() > recorded).await?;
        gaps.push(begun.elapsed());
        labd.is_ready().await?;
    }
    gaps.sort();
    let (middle, longest) = (gaps[gaps.len() / 2], gaps[gaps.len() - 1]);
    eprintln!("from the signal to the next byte: {middle:?}; at most {longest:?}");
    let (said, _board) = talker.stop()?;
    until(|| labd.recorded() >= said).await?;
    ensure!(labd.recording()? == speech(said), "bytes are lost, or there twice");
    assert_eq!(tcgetattr(&port)?.local_modes, settings.local_modes, "the port was set up anew");
    assert!(doors.read_events().is_err(), "somebody has opened the port, or closed it");
    assert_eq!(labd.manager.keeps().len(), 2);
    Ok(())
}
