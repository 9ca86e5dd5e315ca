//! labd's own log: what strangers say at its doors, and what its files say, is quoted in it.

use std::fs;
use std::net::TcpListener;

use anyhow::{Context, Result};
use lab_tests::daemon::Daemon;
use lab_tests::hostile::{Sequence, corpus, must_be_plain};
use lab_tests::lab::Plan;
use lab_tests::patience::{soon, until};
use russh::client;
use russh::keys::PublicKeyOrCertificate;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// Somebody who does not care whose door it is.
struct Stranger;

impl client::Handler for Stranger {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        Ok(true)
    }
}

/// What the door says to these bytes; it closes behind them.
async fn knock(daemon: &Daemon, bytes: &[u8]) -> Result<()> {
    let mut stream = UnixStream::connect(daemon.path("labd.sock")).await?;
    // It may not want to hear all of it.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    soon(stream.read_to_end(&mut Vec::new())).await?.map(drop).or(Ok(()))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_a_line_and_does_nothing_to_whoever_reads_it() -> Result<()> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let printed = corpus().into_iter().flat_map(|it| [it.bytes, b"\x18\r\n".to_vec()].concat());
    let script = "#!/bin/sh\ncat @dir/corpus >&2; exit 1\n";
    let config = format!(
        r#"ssh {{ listen = "127.0.0.1:{port}" }}
setup_script = "@dir/setup"
classes {{ rpi {{ }} }}
boards [
    {{ name = one; class = rpi; options = [ @console(one) ] }}
    {{ name = two; class = rpi; options = [ {{ cls = command; on = ["/nonexistent\u001b]0;owned\u0007"];
       off = ["/nonexistent\u202e"]; status = ["/nonexistent\u009b6n"] }} ] }}
]"#
    );
    let mut daemon =
        Daemon::start_talkative(Plan::new(config).script("setup", script), "trace").await?;
    fs::write(daemon.path("corpus"), printed.collect::<Vec<u8>>())?;
    for Sequence { bytes, .. } in corpus() {
        for first in ["", "lab 1 token ", "lab 1 follow ", "lab 1 call\n\0\0\0\x10"] {
            knock(&daemon, &[first.as_bytes(), &bytes, b"\n"].concat()).await?;
        }
    }
    for part in corpus().chunks(100) {
        let name: String = part.iter().map(|it| String::from_utf8_lossy(&it.bytes)).collect();
        let name: String = name.chars().take(1_000).collect();
        let config = client::Config::default().into();
        let mut ssh = soon(client::connect(config, ("127.0.0.1", port), Stranger)).await??;
        assert!(!soon(ssh.authenticate_none(name)).await??.success());
    }
    let lab = daemon.client().await?;
    lab.reserve(lab_tests::lab::board("one")).await.unwrap_err();
    let broken = "boards [ { name = \"\\u001b]0;owned\\u0007\"; class = \"\\u202e\" } ]\n.include \"a\tb\"\n";
    fs::write(daemon.path("labd.conf"), broken)?;
    lab.reload().await.unwrap_err();
    let log = daemon.path("labd.log");
    daemon.terminate().await?;
    until(|| log.exists()).await?;
    let log = fs::read(log)?;
    let log = std::str::from_utf8(&log).context("the log is text")?;
    assert!(log.lines().count() > 100, "{log}");
    for line in log.lines() {
        must_be_plain(line)?;
        let is_event = line.starts_with("20") && line.get(10..11) == Some("T");
        assert!(is_event, "no event, or a part of one: {line:?}");
    }
    Ok(())
}
