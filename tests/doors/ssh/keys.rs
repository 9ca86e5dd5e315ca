//! Who comes in, and who does not.

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use lab_tests::daemon::Daemon;
use lab_tests::lab::{Plan, board, name};
use protocol::journal::Event;
use protocol::wire::Follow;
use pty_process::Size;
use russh::client;
use russh::keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey};
use tokio::net::TcpListener;
use tokio::process::Command;

use super::agent::Agent;
use super::{Client, Plain, Scene, root, said};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_any_modern_kind_says_who_it_is() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    for (kind, name) in [("ed25519", "ada"), ("ecdsa", "bob"), ("rsa", "eve")] {
        let client = scene.stranger(name, kind).await?;
        scene.admit(name, &client.public()?).await?;
        let said = client.says(&["lab@lab", "doctor"]).await?;
        assert!(said.out.contains(&format!("you are {name}, with the role 'user'")), "{said:?}");
        assert_eq!(said.code, Some(0), "{said:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_rsa_key_signs_with_sha_2_and_never_with_sha_1() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let client = scene.stranger("ada", "rsa").await?;
    scene.admit("ada", &client.public()?).await?;
    for (algorithm, wanted) in
        [("rsa-sha2-256", Some(0)), ("rsa-sha2-512", Some(0)), ("ssh-rsa", Some(255))]
    {
        let only = format!("PubkeyAcceptedAlgorithms={algorithm}");
        let said = client.says(&["-o", &only, "lab@lab", "boards"]).await?;
        assert_eq!(said.code, wanted, "{algorithm}: {said:?}");
    }
    // A client that does not ask what the lab takes.
    let key = Arc::new(PrivateKey::read_openssh_file(&client.key)?);
    for (hash, comes_in) in [(None, false), (Some(HashAlg::Sha256), true)] {
        let mut client = client::connect(Arc::default(), ("127.0.0.1", scene.port), Plain).await?;
        let key = PrivateKeyWithHashAlg::new(key.clone(), hash);
        assert_eq!(client.authenticate_publickey("lab", key).await?.success(), comes_in);
    }
    Ok(())
}

/// What only OpenSSH's own regression tests have a library for: a key in hardware, which is this test.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_hardware_comes_in_and_a_forged_touch_does_not() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let file = scene.stranger("token", "ecdsa").await?.key;
    for (agent, name) in [(Agent::ed25519()?, "ada"), (Agent::ecdsa(&file)?, "bob")] {
        let client = scene.stranger(name, "ed25519").await?;
        let socket = agent.serve(&scene.lab.path(&format!("{name}.agent")))?;
        let from_agent = format!("IdentityAgent={}", socket.display());
        // What is said first counts.
        let ask = async || {
            let mut ssh = Command::new("ssh");
            ssh.args(["-o", &from_agent, "-o", "IdentitiesOnly=no"]).args(client.options());
            said(ssh.args(["lab@lab", "doctor"]).stdin(Stdio::null())).await
        };
        let told = ask().await?;
        assert_eq!(told.code, Some(255), "nobody has it yet: {told:?}");
        scene.admit(name, &agent.line()?).await?;
        let told = ask().await?;
        assert!(told.out.contains(&format!("you are {name}, ")), "{told:?}");
        agent.forge();
        let told = ask().await?;
        assert_eq!(told.code, Some(255), "{told:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_way_in_but_a_key() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let client = scene.client("ada").await?;
    for methods in ["password", "keyboard-interactive", "none", "hostbased", "gssapi-with-mic"] {
        let only = format!("PreferredAuthentications={methods}");
        let said = client.says(&["-o", &only, "lab@lab", "boards"]).await?;
        assert_eq!(said.code, Some(255), "{methods}: {said:?}");
        assert!(said.err.contains("Permission denied (publickey)"), "{methods}: {said:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_known_to_be_weak_is_spoken() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let client = scene.client("ada").await?;
    for weak in [
        "KexAlgorithms=diffie-hellman-group14-sha1",
        "KexAlgorithms=diffie-hellman-group14-sha256",
        "KexAlgorithms=ecdh-sha2-nistp256",
        "Ciphers=aes128-cbc",
        "Ciphers=3des-cbc",
        "Ciphers=aes256-ctr",
    ] {
        let said = client.says(&["-o", weak, "lab@lab", "boards"]).await?;
        assert_eq!(said.code, Some(255), "{weak}: {said:?}");
        assert!(said.err.contains("no matching"), "{weak}: {said:?}");
    }
    for good in ["Ciphers=aes256-gcm@openssh.com", "Ciphers=chacha20-poly1305@openssh.com"] {
        assert_eq!(client.says(&["-o", good, "lab@lab", "boards"]).await?.code, Some(0), "{good}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_nobody_has_is_refused_and_on_the_timeline() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let client = scene.stranger("mallory", "ed25519").await?;
    let said = client.says(&["lab@lab", "boards"]).await?;
    assert_eq!(said.code, Some(255), "{said:?}");
    let entry = scene.refusal().await?;
    let Event::Denied { why, .. } = &entry.event else { bail!("{entry:?}") };
    let key = PublicKey::from_openssh(&client.public()?)?;
    let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
    assert_eq!(*why, format!("nobody here has the key {fingerprint}"));
    assert_eq!((entry.who, entry.via.as_deref()), (None, Some("ssh 127.0.0.1")));
    // It concerns those who look after the lab.
    let guest = scene.lab.viewer("guest").await?;
    guest.note(name("rpi4"), "x".to_owned()).await.unwrap_err();
    let ada = scene.lab.user("ada").await?;
    ada.note(name("rpi4"), "x".to_owned()).await?;
    let what =
        Follow::Journal { board: None, from: Some(1), since: None, tail: 0, stop_at_end: false };
    let mut seen = ada.follow(what).await?;
    let seen = seen.entries_until(|event| matches!(event, Event::Noted { .. })).await?;
    assert!(!seen.iter().any(|entry| matches!(entry.event, Event::Denied { .. })), "{seen:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_without_a_role_is_told_so() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let client = scene.client("mallory").await?;
    for user in ["lab@lab", "rpi4@lab"] {
        let said = client.says(&[user]).await?;
        assert_eq!(said.code, Some(5), "{said:?}");
        assert!(said.err.contains("mallory may not look at this lab"), "{said:?}");
    }
    // What they came with is good; who came with it, and that they did, is written down.
    let entry = scene.refusal().await?;
    assert_eq!(entry.who, Some("mallory".parse()?));
    assert!(entry.via.is_some_and(|via| via.starts_with("ssh 127.0.0.1 key SHA256:")));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_loses_their_key_is_out_within_a_second() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    scene.lab.user("ada").await?.reserve(board("rpi4")).await?;
    let client = scene.stranger("ada", "ed25519").await?;
    let key = scene.admit("ada", &client.public()?).await?;
    let mut console = client.at_terminal(&["rpi4@lab"], Size::new(24, 80))?;
    console.screen.until("[rpi4: Enter ~ . leaves]").await?;
    let mut watch = client.at_terminal(&["-t", "lab@lab", "console", "rpi4"], Size::new(24, 80))?;
    watch.screen.until("Ctrl-T q leaves").await?;
    let mut screen = client.at_terminal(&["lab@lab"], Size::new(24, 80))?;
    screen.screen.until("rpi4").await?;
    scene.lab.lab().remove_key(&root()?, &key.fingerprint).await?;
    let removed = Instant::now();
    for terminal in [&mut console, &mut watch, &mut screen] {
        assert_eq!(terminal.ended().await?, Some(255));
    }
    assert!(removed.elapsed() < Duration::from_secs(1), "{:?}", removed.elapsed());
    // labtui has given the terminal back.
    screen.screen.until("\x1b[?1049l").await?;
    for terminal in [&mut console, &mut watch, &mut screen] {
        let said = terminal.screen.until("come in again").await?;
        assert!(said.contains("labd: you are not who you were"), "{said:?}");
    }
    assert_eq!(client.says(&["lab@lab", "boards"]).await?.code, Some(255));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn labd_opens_the_door_that_its_configuration_names() -> Result<()> {
    let port = TcpListener::bind(("127.0.0.1", 0)).await?.local_addr()?.port();
    let config = format!("ssh {{ listen = \"127.0.0.1:{port}\" }}");
    let mut labd = Daemon::start(Plan::new(config)).await?;
    let key = PrivateKey::read_openssh_file(labd.path("state/ssh/host_ed25519"))?;
    let (host, known_hosts) = (key.public_key().to_openssh()?, labd.path("known_hosts"));
    std::fs::write(&known_hosts, format!("[127.0.0.1]:{port} {host}\n"))?;
    let client = Client { key: labd.path("none"), known_hosts, port };
    let said = client.says(&["lab@lab", "boards"]).await?;
    assert!(said.err.contains("Permission denied (publickey)"), "{said:?}");
    // It is known again.
    labd.crash_and_restart().await?;
    let said = client.says(&["lab@lab", "boards"]).await?;
    assert!(said.err.contains("Permission denied (publickey)"), "{said:?}");
    Ok(())
}
