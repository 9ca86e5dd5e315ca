//! The lab in numbers, and whether it is ready.
//!
//! Planted, and caught: power that is not known is said to be off; a disk that hangs leaves the lab ready.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use lab_tests::daemon::Daemon;
use lab_tests::lab::{Plan, TestLab, board, boards, name};
use lab_tests::patience::{soon, until, until_told};
use labd::doorstep::Doorstep;
use labd::http::metrics;
use protocol::power::PowerAsk;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

async fn open(lab: &TestLab) -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let at = listener.local_addr()?;
    tokio::spawn(metrics::serve(lab.lab().clone(), Doorstep::new(), listener));
    Ok(at)
}

/// The status of an answer, and what it says.
async fn get(at: SocketAddr, path: &str) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect(at).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await??;
    let (head, body) = answer.split_once("\r\n\r\n").context("a head")?;
    let status = head.split(' ').nth(1).context("a status")?.parse()?;
    Ok((status, body.to_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lab_is_seen_in_numbers() -> Result<()> {
    let lab = Plan::new(boards(&["rpi4", "rpi5"])).open().await?;
    lab.settled().await?;
    let at = open(&lab).await?;
    let ada = lab.user("ada").await?;
    ada.reserve(board("rpi4")).await?;
    ada.power(name("rpi4"), PowerAsk::On).await?;
    assert!(ada.release(name("rpi5"), Default::default()).await.is_err());
    lab.lab().called(protocol::client::Call::Note, true, std::time::Duration::from_secs(3));
    let (status, text) = get(at, "/metrics").await?;
    assert_eq!(status, 200);
    for line in [
        "labd_boards 2",
        "labd_boards_held 1",
        r#"labd_board_state{board="rpi4",class="rpi",state="held"} 1"#,
        r#"labd_board_state{board="rpi5",class="rpi",state="free"} 1"#,
        r#"labd_board_power{board="rpi4",class="rpi",state="on"} 1"#,
        r#"labd_board_console{board="rpi4",class="rpi",state="open"} 1"#,
        r#"labd_board_faulty{board="rpi4"} 0"#,
        r#"labd_console_viewers{board="rpi4"} 0"#,
        "labd_queue_places 0",
        r#"labd_calls_total{call="note",outcome="done"} 1"#,
        r#"labd_call_seconds_bucket{le="2.0",call="note"} 0"#,
        r#"labd_call_seconds_bucket{le="10.0",call="note"} 1"#,
        "labd_strangers 0",
        "labd_strangers_refused_total 0",
        "# EOF",
    ] {
        assert!(text.lines().any(|known| known == line), "{line}\n{text}");
    }
    assert!(!text.contains("ada"), "people are nobody's numbers: {text}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn power_that_is_not_known_is_not_off() -> Result<()> {
    let config = "classes { pi { } }\nboards [ { name = one; class = pi; options = [ { cls = command; on = \"/bin/true\"; off = \"/bin/true\" } ] } ]";
    let lab = Plan::new(config).open().await?;
    let (_, text) = get(open(&lab).await?, "/metrics").await?;
    let power: Vec<_> = text.lines().filter(|line| line.starts_with("labd_board_power{")).collect();
    assert_eq!(power, [r#"labd_board_power{board="one",class="pi",state="unknown"} 1"#]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lab_that_lives_says_so_and_one_that_ends_is_not_ready() -> Result<()> {
    let lab = Plan::new(boards(&["rpi4"])).by_hand().open().await?;
    let at = open(&lab).await?;
    assert_eq!(get(at, "/healthz").await?, (200, "ok\n".to_owned()));
    assert_eq!(get(at, "/readyz").await?, (200, "ready\n".to_owned()));
    assert_eq!(get(at, "/").await?.0, 404);
    // A connection that is there already is still answered.
    let mut stream = TcpStream::connect(at).await?;
    let ended = lab.lab().clone();
    tokio::task::spawn_blocking(move || ended.close()).await?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await??;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    Ok(())
}

/// Planted, and caught: an idle connection has its place for a minute; a connection stays after its answer.
#[tokio::test(start_paused = true)]
async fn whoever_asks_for_numbers_asks_soon_and_once() -> Result<()> {
    let lab = Plan::new(boards(&["rpi4"])).by_hand().open().await?;
    let at = open(&lab).await?;
    let asked = "GET /healthz HTTP/1.1\r\nHost: lab\r\n\r\n";
    for (said, wanted, most_s) in [("", "", 10), (asked, "connection: close", 1)] {
        let mut stream = TcpStream::connect(at).await?;
        let began = tokio::time::Instant::now();
        stream.write_all(said.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        assert!(answer.contains(wanted), "{answer}");
        assert!(began.elapsed().as_secs() <= most_s, "{:?}", began.elapsed());
    }
    Ok(())
}

/// Planted, and caught: who is turned away is not in the log; who speaks no HTTP is not.
#[tokio::test]
async fn who_asks_for_numbers_in_vain_is_in_the_log_and_what_they_said_is_not() -> Result<()> {
    // Nobody else takes it in this moment, or the test says so.
    let at = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let config = format!("metrics {{ listen = \"{at}\" }}\n{}", boards(&["rpi4"]));
    let labd = Daemon::start_talkative(Plan::new(config), "debug").await?;
    let log = labd.path("labd.log");
    let says = |words: &str| fs::read_to_string(&log).is_ok_and(|said| said.contains(words));
    until_told(async || Ok(TcpStream::connect(at).await.is_ok())).await?;
    let mut crowd = Vec::new();
    until_told(async || {
        crowd.push(TcpStream::connect(at).await?);
        Ok(says("somebody is turned away from=127.0.0.1 refusal=Crowd"))
    })
    .await?;
    assert!(crowd.len() >= 4, "{}", crowd.len());
    // Others are served meanwhile.
    let other = TcpSocket::new_v4()?;
    other.bind((Ipv4Addr::new(127, 0, 0, 2), 0).into())?;
    let mut other = other.connect(at).await?;
    other.write_all(b"GET /healthz HTTP/1.1\r\nHost: lab\r\n\r\n").await?;
    let mut answer = String::new();
    soon(other.read_to_string(&mut answer)).await??;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    drop(crowd);
    until_told(async || {
        let mut stream = TcpStream::connect(at).await?;
        // There may be no room yet.
        let _ = stream.write_all(b"\x1b]0;planted\x07\nplanted: 1\r\n\r\n").await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        Ok(answer.starts_with(b"HTTP/1.1 400 "))
    })
    .await?;
    until(|| says("a connection for metrics ended from=127.0.0.1 error=")).await?;
    assert!(!says("planted"));
    Ok(())
}
