//! Named sequences, and DTR and RTS, behind a terminal server that is played here.
//!
//! Planted, and caught: the steps are sent without their waits; DTR stays low when the hold ends.

use anyhow::Result;
use lab_tests::lab::name;
use protocol::Error;
use protocol::console::Signal;
use protocol::hold::Release;
use protocol::journal::Event;

use super::breaks::{Bench, OFF, ON};
use super::soon;
use super::tcp::hears;

const DTR_ON: [u8; 7] = [255, 250, 44, 5, 8, 255, 240];
const DTR_OFF: [u8; 7] = [255, 250, 44, 5, 9, 255, 240];
const RTS_ON: [u8; 7] = [255, 250, 44, 5, 11, 255, 240];
const RTS_OFF: [u8; 7] = [255, 250, 44, 5, 12, 255, 240];

fn line(name: &str) -> Signal {
    Signal::Line { name: name.to_owned() }
}

fn named(name: &str) -> Signal {
    Signal::Break { name: Some(name.to_owned()) }
}

#[tokio::test]
async fn dtr_and_rts_are_set_as_a_script_says_at_its_pace() -> Result<()> {
    let script = "lines { boot = \"dtr- rts+ 50ms dtr+ rts-\" }";
    let mut bench = Bench::new("rfc2217", script).await?;
    let mut journal = bench.ada.journal("rpi4").await?;
    let began = std::time::Instant::now();
    let heard = async {
        hears(&mut bench.server, &[DTR_OFF, RTS_ON, DTR_ON, RTS_OFF].concat()).await;
        began.elapsed()
    };
    let sent = bench.ada.signal(name("rpi4"), line("boot"));
    let (sent, took) = soon(futures::future::join(sent, heard)).await;
    sent?;
    assert!(took.as_millis() >= 50, "{took:?}");
    let signalled = Event::Signalled { name: "boot".to_owned() };
    assert_eq!(journal.event(|event| *event == signalled).await?.who, Some("ada".parse()?));
    Ok(())
}

#[tokio::test]
async fn a_named_break_is_what_the_configuration_says_and_nothing_else_is_sent() -> Result<()> {
    let script = "breaks { sysrq-t = \"break 20ms 't'\" }";
    let mut bench = Bench::new("rfc2217", script).await?;
    let heard = async {
        hears(&mut bench.server, &ON).await;
        hears(&mut bench.server, &[&OFF[..], b"t"].concat()).await;
    };
    let sent = bench.ada.signal(name("rpi4"), named("sysrq-t"));
    soon(futures::future::join(sent, heard)).await.0?;
    let why = bench.ada.signal(name("rpi4"), named("sysrq-b")).await.unwrap_err();
    let near = Some("sysrq-t".to_owned());
    let (what, wanted) = ("break".to_owned(), "sysrq-b".to_owned());
    assert_eq!(why, Error::NoSuch { what, name: wanted, near });
    Ok(())
}

#[tokio::test]
async fn a_board_does_not_stay_in_reset_when_the_hold_ends_in_between() -> Result<()> {
    let mut bench = Bench::new("rfc2217", "lines { reset = \"dtr- 9s dtr+\" }").await?;
    let ending = async {
        hears(&mut bench.server, &DTR_OFF).await;
        bench.ada.release(name("rpi4"), Release::default()).await?;
        hears(&mut bench.server, &DTR_ON).await;
        anyhow::Ok(())
    };
    let sent = bench.ada.signal(name("rpi4"), line("reset"));
    let (sent, ended) = soon(futures::future::join(sent, ending)).await;
    ended?;
    assert!(matches!(sent, Err(Error::HoldOver { .. })), "{sent:?}");
    Ok(())
}

#[tokio::test]
async fn a_device_without_such_lines_refuses() -> Result<()> {
    let bench = Bench::new("telnet", "lines { reset = \"dtr- dtr+\" }").await?;
    let why = soon(bench.ada.signal(name("rpi4"), line("reset"))).await.unwrap_err().to_string();
    assert!(why.starts_with("the console of rpi4 does not set DTR and RTS: "), "{why}");
    assert!(why.contains("does not speak RFC 2217"), "{why}");
    Ok(())
}
