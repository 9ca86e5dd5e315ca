//! The right screen at once, for whoever comes late.

use anyhow::{Result, ensure};
use lab_tests::follower::Follower;
use lab_tests::lab::{TestLab, name};
use lab_tests::patience::until;
use lab_tests::person::Person;
use protocol::console::{From, Pen};
use protocol::screen::{SIZE, Terminal};
use protocol::wire::Follow;

const NOW: From = From::Screen { offset: None, tail: 0 };

/// A program that has drawn its screen, with a title that does not scroll away.
const DRAWN: &str = "boot\r\n\x1b[?1049h\x1b[2J\x1b[H\x1b[7mtitle\x1b[m\x1b[2;24r\x1b[24;1H";

/// As somebody sees it who has looked from the first byte on.
fn in_full(bytes: &str) -> Vec<String> {
    let mut terminal = Terminal::new(SIZE.0, SIZE.1, 0);
    terminal.print(bytes.as_bytes());
    terminal.lines()
}

/// What is kept, from there on to its end, on a terminal; and how many bytes that were.
async fn seen(person: &Person, from: From) -> Result<(Vec<String>, usize)> {
    let what = Follow::Console { board: name("rpi4"), from, pen: Pen::Unwanted, stop_at_end: true };
    let bytes = person.follow(what).await?.rest().await?;
    Ok((in_full(&bytes), bytes.len()))
}

async fn print(lab: &TestLab, console: &mut Follower, text: &str) -> Result<()> {
    lab.board("rpi4").print(text).await?;
    console.until(text).await.map(drop)
}

#[tokio::test]
async fn whoever_comes_late_sees_what_the_others_see() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let guest = lab.viewer("guest").await?;
    let mut console = guest.look_at("rpi4", From::Start).await?;
    let lines: String = (0..2_000).map(|n| format!("\x1b[3{}mline {n}\r\n", n % 8)).collect();
    print(&lab, &mut console, DRAWN).await?;
    print(&lab, &mut console, &lines).await?;
    let whole = DRAWN.to_owned() + &lines;
    let (screen, sent) = seen(&guest, NOW).await?;
    assert_eq!(screen, in_full(&whole));
    assert_eq!((screen[0].as_str(), screen[22].as_str()), ("title", "line 1999"));
    ensure!(sent < 4_096, "{sent} bytes for a screen");

    let mut late = guest.look_at("rpi4", NOW).await?;
    assert_eq!(late.welcome.start, whole.len() as u64);
    let paint = late.bytes(late.welcome.painted as usize).await?;
    print(&lab, &mut console, "$ ls\r\n").await?;
    assert_eq!(late.until("ls\r\n").await?, "$ ls\r\n", "once, and nothing before it");
    let late = String::from_utf8_lossy(&paint).into_owned() + "$ ls\r\n";
    assert_eq!(in_full(&late), in_full(&(whole + "$ ls\r\n")));
    Ok(())
}

#[tokio::test]
async fn a_screen_of_the_past_is_as_it_was_and_goes_on_from_there() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let guest = lab.viewer("guest").await?;
    let mut console = guest.look_at("rpi4", From::Start).await?;
    let lines: String = (0..500).map(|n| format!("line {n}\r\n")).collect();
    let whole = DRAWN.to_owned() + &lines;
    print(&lab, &mut console, &whole).await?;
    let at = (DRAWN.len() + 100) as u64;
    let then = From::Screen { offset: Some(at), tail: 0 };
    let mut past = guest.look_at("rpi4", then).await?;
    assert_eq!(past.welcome.start, at);
    let paint = past.bytes(past.welcome.painted as usize).await?;
    let paint = String::from_utf8_lossy(&paint).into_owned();
    assert_eq!(in_full(&paint), in_full(&whole[..at as usize]));
    assert_eq!(seen(&guest, then).await?.0, in_full(&whole), "and then all that came");
    let tail = From::Screen { offset: None, tail: 1_000 };
    let late = guest.look_at("rpi4", tail).await?;
    assert_eq!(late.welcome.start, whole.len() as u64 - 1_000);
    assert_eq!(seen(&guest, tail).await?.0, in_full(&whole));
    Ok(())
}

#[tokio::test]
async fn screens_outlast_labd_and_can_be_deleted() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let frames = lab.path("state/consoles/rpi4/00000000000000000000.frames");
    let guest = lab.viewer("guest").await?;
    let mut console = guest.look_at("rpi4", From::Start).await?;
    print(&lab, &mut console, DRAWN).await?;
    let lines: String = (0..10_000).map(|n| format!("line {n}\r\n")).collect();
    print(&lab, &mut console, &lines).await?;
    let wanted = in_full(&(DRAWN.to_owned() + &lines));
    until(|| frames.is_file()).await?;
    let lab = lab.restart().await?;
    let guest = lab.viewer("guest").await?;
    assert_eq!(seen(&guest, NOW).await?.0, wanted);
    std::fs::remove_file(&frames)?;
    let lab = lab.restart().await?;
    assert_eq!(seen(&lab.viewer("guest").await?, NOW).await?.0, wanted);
    until(|| frames.is_file()).await?;
    Ok(())
}
