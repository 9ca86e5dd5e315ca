//! Those who knock and do not come in.

use std::net::Ipv4Addr;
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context, Result};
use lab_tests::lab::{Plan, boards, name};
use lab_tests::patience::soon;
use lab_tests::programs::path as program;
use labd::doorstep::Doorstep;
use labd::doorstep::guests::{Guests, Room};
use labd::tls;
use protocol::Error;
use protocol::address::Address;
use protocol::dial::who_answers;
use protocol::journal::Event;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::Scene;

impl Scene {
    /// Knocks, from an address of this machine.
    async fn knock(&self, from: Ipv4Addr) -> Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((from, 0).into())?;
        Ok(socket.connect(([127, 0, 0, 1], self.port).into()).await?)
    }

    /// How many refusals are on the timeline so far.
    async fn refusals(&self) -> Result<usize> {
        let root = self.lab.admin().await?;
        root.note(name("rpi4"), "so far".to_owned()).await?;
        let mut timeline = self.timeline().await?;
        let so_far = timeline.entries_until(|event| matches!(event, Event::Noted { .. })).await?;
        Ok(so_far.iter().filter(|entry| matches!(entry.event, Event::Denied { .. })).count())
    }
}

/// What the door says until it hangs up.
async fn heard(mut stream: TcpStream) -> Result<Vec<u8>> {
    let mut said = Vec::new();
    // Reset is an end as well.
    let _ = soon(stream.read_to_end(&mut said)).await?;
    Ok(said)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_that_shows_no_key_keeps_out_only_who_comes_from_there() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let client = scene.client("ada").await?;
    let there = Ipv4Addr::new(127, 0, 0, 2);
    let mut crowd = Vec::new();
    for _ in 0..32 {
        let mut stream = scene.knock(there).await?;
        let mut first = [0; 12];
        soon(stream.read_exact(&mut first)).await??;
        assert_eq!(first, *b"SSH-2.0-labd");
        crowd.push(stream);
    }
    // There is no room for one more: the door says not even its name.
    assert_eq!(heard(scene.knock(there).await?).await?, b"");
    assert_eq!(client.says(&["lab@lab", "boards"]).await?.code, Some(0));
    // Each was silent, and that is remembered.
    drop(crowd);
    let barred = async {
        loop {
            let mut stream = scene.knock(there).await?;
            if stream.read_u8().await.is_err() {
                return anyhow::Ok(());
            }
        }
    };
    soon(barred).await??;
    assert_eq!(heard(scene.knock(there).await?).await?, b"");
    assert_eq!(client.says(&["lab@lab", "boards"]).await?.code, Some(0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_no_good_key_is_barred_at_every_door_and_fills_no_ledger() -> Result<()> {
    let text =
        format!("tls {{ listen = \"127.0.0.1:1\"; name = localhost }}\n{}", boards(&["rpi4"]));
    let scene = Scene::open(Plan::new(text)).await?;
    let config = scene.lab.lab().config();
    let settings = config.tls.as_ref().context("it has a door")?;
    let door = tls::Door::new(scene.lab.lab().clone(), settings, scene.doorstep.clone())?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(Arc::clone(&door).serve(listener));
    let tls = Address::Tls { host: "127.0.0.1".to_owned(), port, pin: None };
    who_answers(&tls).await?;
    let (ada, mallory) = (scene.client("ada").await?, scene.stranger("mallory", "ed25519").await?);
    for _ in 0..8 {
        assert_eq!(mallory.says(&["lab@lab", "boards"]).await?.code, Some(255));
    }
    // Five seconds each, less what has worn off meanwhile.
    let refusals = scene.refusals().await?;
    assert!((3..7).contains(&refusals), "{refusals} refusals");
    assert_eq!(mallory.says(&["lab@lab", "boards"]).await?.code, Some(255));
    assert_eq!(scene.refusals().await?, refusals);
    let turned_away = who_answers(&tls).await;
    assert!(matches!(turned_away, Err(Error::Unreachable { .. })), "{turned_away:?}");
    // From elsewhere the door is open.
    assert_eq!(ada.says(&["-b", "127.0.0.2", "lab@lab", "boards"]).await?.code, Some(0));
    Ok(())
}

/// A client offers whatever it has until something is good, and comes as often as it likes.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_a_good_key_is_never_barred() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let (ada, other) = (scene.client("ada").await?, scene.stranger("other", "ecdsa").await?);
    let key = ada.key.display().to_string();
    let offered = format!("Offering public key: {}", other.key.display());
    for _ in 0..20 {
        let said = other.says(&["-v", "-i", &key, "lab@lab", "boards"]).await?;
        assert!(said.code == Some(0) && said.err.contains(&offered), "{said:?}");
    }
    assert_eq!(scene.refusals().await?, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_talks_nonsense_is_not_listened_to_after_a_while() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let there = Ipv4Addr::new(127, 0, 0, 3);
    let barred = async {
        loop {
            let mut stream = scene.knock(there).await?;
            // It may have hung up already.
            let _ = stream.write_all(b"SSH-2.0-x\r\n\xff\xff\xff\xff and so on and on").await;
            if heard(stream).await?.is_empty() {
                return anyhow::Ok(());
            }
        }
    };
    soon(barred).await??;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_user_has_so_many_connections_and_no_more() -> Result<()> {
    let guests = Guests::new(Room { all: 10, one: 1 });
    let programs = program("labctl")?.parent().context("it is in a folder")?.to_owned();
    let doorstep = Doorstep::before(guests.clone(), Vec::new());
    let scene = Scene::with(Plan::new(boards(&["rpi4"])), programs, doorstep).await?;
    let (ada, bob) = (scene.client("ada").await?, scene.client("bob").await?);
    let looking = ada.ssh(&["rpi4@lab"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    soon(guests.count().wait_for(|count| *count == 1)).await??;
    let refused = ada.says(&["lab@lab", "boards"]).await?;
    assert_ne!(refused.code, Some(0));
    assert!(refused.err.contains("you have as many connections to this lab"), "{refused:?}");
    assert_eq!(bob.says(&["lab@lab", "boards"]).await?.code, Some(0));
    drop(looking);
    soon(guests.count().wait_for(|count| *count == 0)).await??;
    assert_eq!(ada.says(&["lab@lab", "boards"]).await?.code, Some(0));
    Ok(())
}
