//! Many who knock and want nothing, and those who work meanwhile. How quick that is, is the benchmark's.

use std::fs;
use std::net::TcpListener;

use anyhow::{Context as _, Result, ensure};
use lab_tests::daemon::Daemon;
use lab_tests::flood::Flood;
use lab_tests::lab::Plan;
use lab_tests::patience::soon;
use protocol::account::TokenAsk;
use protocol::client::Client;
use protocol::context::{Context, Proof};

/// The most that a flood may cost in memory.
const MOST_KB: u64 = 64 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_strangers_keeps_nobody_from_their_work() -> Result<()> {
    let port = || Ok::<u16, std::io::Error>(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port());
    let (tls, ssh) = (port()?, port()?);
    let text = format!(
        "tls {{ listen = \"127.0.0.1:{tls}\"; name = \"127.0.0.1\" }}\nssh {{ listen = \"127.0.0.1:{ssh}\" }}"
    );
    let labd = Daemon::start(Plan::new(text)).await?;
    let root = labd.client().await?;
    let address = root.found_at().await?;
    let secret = root.make_token(TokenAsk::default()).await?.secret;
    let proof = Proof::Token { secret };
    let known = Context { name: "lab".to_owned(), address: address.clone(), proof };
    let ada = soon(Client::connect_as(&address, known.clone())).await??;
    let before = resident(&labd)?;
    let sockets = Flood::of_sockets(tls).await?;
    soon(ada.whoami()).await??;
    let grown = resident(&labd)?.saturating_sub(before);
    ensure!(grown < MOST_KB, "{grown} kB more for {} sockets", sockets.held());
    ensure!(sockets.held() > 16, "only {} came", sockets.held());
    drop(sockets);
    for round in 0..3 {
        let flood = Flood::over(&[tls, ssh], 1_000, 250, 50).await?;
        ensure!(flood.held() > 2_000, "only {} came", flood.held());
        for _ in 0..100 {
            soon(ada.whoami()).await??;
        }
        // Those who are no strangers come in past it, too.
        let bob = soon(Client::connect_as(&address, known.clone())).await??;
        bob.whoami().await?;
        let grown = resident(&labd)?.saturating_sub(before);
        ensure!(grown < MOST_KB, "{grown} kB more in round {round}");
        drop(flood);
    }
    let bob = soon(Client::connect_as(&address, known)).await??;
    bob.whoami().await?;
    Ok(())
}

/// How much memory the daemon has, in kB.
fn resident(labd: &Daemon) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", labd.pid()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("it lives")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
