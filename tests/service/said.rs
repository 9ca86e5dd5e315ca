//! What labd tells its manager, and what it is handed.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;

use anyhow::{Context, Result, ensure};
use lab_tests::lab::boards;
use lab_tests::patience::{PATIENCE, soon, until};
use lab_tests::programs;
use nix::sys::signal::Signal;
use protocol::address::Address;
use protocol::client::Client;

use super::labd::Labd;

#[tokio::test]
async fn the_manager_hears_how_labd_is() -> Result<()> {
    let mut labd = Labd::of(&boards(&["rpi4"])).await?;
    labd.run().await?;
    ensure!(labd.manager.said()[0] == "READY=1\nSTATUS=1 board", "{:?}", labd.manager.said());
    labd.configure(&boards(&["rpi4", "rpi5"])).await?;
    labd.signal(Signal::SIGHUP)?;
    until(|| labd.manager.has_said("STATUS=2 boards")).await?;
    let said = labd.manager.said();
    let reloading = said.iter().position(|it| it.starts_with("RELOADING=1\nMONOTONIC_USEC="));
    let ready = said.iter().position(|it| it == "READY=1\nSTATUS=2 boards");
    ensure!(reloading.context("it says so")? < ready.context("and when it is done")?, "{said:?}");
    ensure!(!labd.manager.has_said("STOPPING=1"));
    labd.stop(Signal::SIGTERM).await?;
    until(|| labd.manager.has_said("STOPPING=1")).await
}

#[tokio::test]
async fn the_watchdog_is_fed_again_and_again() -> Result<()> {
    let mut labd = Labd::of(&boards(&["rpi4"])).await?;
    labd.run().await?;
    let fed = || labd.manager.said().iter().filter(|it| *it == "WATCHDOG=1").count();
    until(|| fed() >= 3).await
}

/// Who comes before labd is there is answered when it is.
#[tokio::test]
async fn a_socket_that_the_manager_has_opened_is_used_and_left() -> Result<()> {
    let mut labd = Labd::of(&boards(&["rpi4"])).await?;
    let path = labd.path("labd.sock");
    let listener = OwnedFd::from(UnixListener::bind(&path)?);
    let address = Address::Unix(path.clone());
    let early = tokio::spawn(async move { Client::connect(&address).await });
    labd.start(&programs::path("labd")?, &[("labd", listener.try_clone()?)])?;
    soon(early).await???;
    labd.is_ready().await?;
    labd.stop(Signal::SIGTERM).await?;
    ensure!(path.exists(), "it is the manager's");
    Ok(())
}

/// By the door's name wherever it listens, or by an address that the configuration says.
#[tokio::test]
async fn a_port_that_the_manager_has_opened_is_a_door() -> Result<()> {
    let listeners = [TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?];
    let addresses = [listeners[0].local_addr()?, listeners[1].local_addr()?];
    let config = format!("ssh {{ listen = \"{}\" }}\n{}", addresses[1], boards(&["rpi4"]));
    let mut labd = Labd::of(&config).await?;
    let [named, elsewhere] = listeners.map(OwnedFd::from);
    labd.start(&programs::path("labd")?, &[("ssh", named), ("another.socket", elsewhere)])?;
    labd.is_ready().await?;
    for address in addresses {
        let greeting = tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(address)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            let mut greeting = [0; 8];
            stream.read_exact(&mut greeting).map(|()| greeting)
        });
        ensure!(greeting.await?? == *b"SSH-2.0-", "{address}");
    }
    Ok(())
}
