//! The real daemon: whoever is barred at one of its doors is barred at the others.
//!
//! Planted, and caught: each door has a doorstep of its own.

use std::net::{Ipv4Addr, TcpListener};
use std::process::Output;

use anyhow::{Context, Result, ensure};
use lab_tests::daemon::Daemon;
use lab_tests::lab::{Plan, boards};
use lab_tests::patience::{soon, until_told};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::process::Command;

/// A daemon with every door.
struct Scene {
    _labd: Daemon,
    ssh: u16,
    tls: u16,
    metrics: u16,
}

impl Scene {
    async fn open() -> Result<Scene> {
        // Nobody else takes them in this moment, or the test says so.
        let free =
            || Ok::<_, std::io::Error>(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port());
        let (ssh, tls, metrics) = (free()?, free()?, free()?);
        let text = format!(
            "ssh {{ listen = \"127.0.0.1:{ssh}\" }}\n\
             tls {{ listen = \"127.0.0.1:{tls}\"; name = localhost }}\n\
             metrics {{ listen = \"127.0.0.1:{metrics}\" }}\n{}",
            boards(&["rpi4"])
        );
        Ok(Scene { _labd: Daemon::start(Plan::new(text)).await?, ssh, tls, metrics })
    }

    /// Says something to the ssh door. What it says to that.
    async fn knock(&self, from: Ipv4Addr, words: &[u8]) -> Result<Vec<u8>> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((from, 0).into())?;
        let mut stream = soon(socket.connect(([127, 0, 0, 1], self.ssh).into())).await??;
        // It may have hung up already.
        let _ = stream.write_all(words).await;
        let mut said = Vec::new();
        let _ = soon(stream.read_to_end(&mut said)).await?;
        Ok(said)
    }

    /// What curl is answered from there.
    async fn curl(&self, from: Ipv4Addr, words: &[&str]) -> Result<Output> {
        let url = format!("https://127.0.0.1:{}/api/v1/whoami", self.tls);
        let mut curl = Command::new("curl");
        curl.args(["-sSk", "-w", "%{http_code}", "-o", "/dev/null", "--noproxy", "*", &url])
            .args(["--interface", &from.to_string()])
            .args(words);
        Ok(soon(curl.output()).await??)
    }

    /// Whether there is a door by HTTPS for whoever comes from there: nobody is known behind it.
    async fn is_open_by_https(&self, from: Ipv4Addr) -> Result<bool> {
        let said = self.curl(from, &[]).await?;
        ensure!(!said.status.success() || said.stdout == b"401", "{said:?}");
        Ok(said.status.success())
    }

    /// Whether there is one by ssh: it says its name.
    async fn is_open_by_ssh(&self, from: Ipv4Addr) -> Result<bool> {
        Ok(self.knock(from, b"SSH-2.0-x\r\n\xff\xff\xff\xff").await?.starts_with(b"SSH-2.0-labd"))
    }

    /// How many were turned away so far.
    async fn turned_away(&self) -> Result<u64> {
        let mut curl = Command::new("curl");
        let url = format!("http://127.0.0.1:{}/metrics", self.metrics);
        let said = soon(curl.args(["-sS", "--noproxy", "*", &url]).output()).await??;
        let text = String::from_utf8(said.stdout)?;
        let count =
            text.lines().find_map(|line| line.strip_prefix("labd_strangers_refused_total "));
        Ok(count.with_context(|| text.clone())?.parse()?)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_offends_at_one_door_finds_all_of_them_shut_and_nobody_else_does() -> Result<()> {
    let scene = Scene::open().await?;
    let [babbler, guesser] = [Ipv4Addr::new(127, 0, 0, 3), Ipv4Addr::new(127, 0, 0, 4)];
    assert!(scene.is_open_by_https(babbler).await? && scene.is_open_by_ssh(guesser).await?);
    until_told(async || Ok(!scene.is_open_by_ssh(babbler).await?)).await?;
    assert!(!scene.is_open_by_https(babbler).await?, "it hears whom ssh does not");
    let guess = format!("Authorization: Bearer lab_{}", "A".repeat(43));
    until_told(async || Ok(!scene.curl(guesser, &["-H", &guess]).await?.status.success())).await?;
    assert!(!scene.is_open_by_ssh(guesser).await?, "it hears whom HTTPS does not");
    let here = Ipv4Addr::LOCALHOST;
    assert!(scene.is_open_by_https(here).await? && scene.is_open_by_ssh(here).await?);
    assert!(scene.turned_away().await? >= 4, "all doors' are in the numbers");
    Ok(())
}
