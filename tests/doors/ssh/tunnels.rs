//! `ssh -J lab root@BOARD`, `ssh -W BOARD:22 lab`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use lab_tests::follower::Follower;
use lab_tests::lab::{Plan, board, boards, name};
use lab_tests::patience::soon;
use lab_tests::sshd::{Sshd, stand_in};
use protocol::hold::Release;
use protocol::journal::Event;
use protocol::user::Verb;
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg};
use russh::{ChannelOpenFailure, client};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

use super::{Client, Plain, Scene, root};

/// A lab of boards whose sshd listens there.
async fn scene(names: &[&str], port: u16) -> Result<Scene> {
    let there = format!("tags = [arm64]; ip = \"127.0.0.1\"; ssh_port = {port}");
    Scene::open(Plan::new(boards(names).replace("tags = [arm64]", &there))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_holder_reaches_the_boards_sshd() -> Result<()> {
    let scene = scene(&["rpi4"], stand_in().await?).await?;
    scene.lab.user("ada").await?.reserve(board("rpi4")).await?;
    let client = scene.client("ada").await?;
    let said = client.says_to(&["-W", "rpi4:22", "lab@lab"], "hello\n").await?;
    assert_eq!((said.code, said.out.as_str()), (Some(0), "SSH-2.0-board\r\nhello\n"), "{said:?}");
    let opened = |event: &Event| matches!(event, Event::Tunnelled { .. });
    let entry = scene.timeline().await?.event(opened).await?;
    assert_eq!((entry.who, entry.board), (Some("ada".parse()?), Some(name("rpi4"))));
    Ok(())
}

/// A tunnel on which the board has answered.
async fn open(client: &Client) -> Result<(Child, Follower)> {
    let mut ssh = client.ssh(&["-W", "rpi4:22", "lab@lab"]).stdin(Stdio::piped()).spawn()?;
    let (stdin, stdout) = (ssh.stdin.take().context("piped")?, ssh.stdout.take().context("piped")?);
    let stream = Box::new(tokio::io::join(stdout, stdin));
    let mut follower =
        Follower::new(tokio::io::BufReader::new(stream), protocol::wire::Welcome::default());
    follower.until("board\r\n").await?;
    Ok((ssh, follower))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tunnel_is_cut_with_the_hold_within_100_ms() -> Result<()> {
    let scene = scene(&["rpi4"], stand_in().await?).await?;
    let (ada, root) = (scene.lab.user("ada").await?, scene.lab.admin().await?);
    let client = scene.client("ada").await?;
    for breaking in [None, Some("lunch".to_owned())] {
        ada.reserve(board("rpi4")).await?;
        let (mut ssh, mut tunnel) = open(&client).await?;
        tunnel.type_in("flows\n").await?;
        tunnel.until("flows\n").await?;
        let began = Instant::now();
        let person = if breaking.is_some() { &root } else { &ada };
        person.release(name("rpi4"), Release { number: None, breaking }).await?;
        tunnel.rest().await?;
        let took = began.elapsed();
        assert!(took < Duration::from_millis(100), "{took:?}");
        soon(ssh.wait()).await??;
    }
    // Also if the same person has the board again.
    ada.reserve(board("rpi4")).await?;
    let (_ssh, mut tunnel) = open(&client).await?;
    ada.release(name("rpi4"), Release::default()).await?;
    ada.reserve(board("rpi4")).await?;
    tunnel.rest().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tunnel_is_cut_with_the_key() -> Result<()> {
    let scene = scene(&["rpi4"], stand_in().await?).await?;
    scene.lab.user("ada").await?.reserve(board("rpi4")).await?;
    let client = scene.stranger("ada", "ed25519").await?;
    let key = scene.admit("ada", &client.public()?).await?;
    let (mut ssh, mut tunnel) = open(&client).await?;
    let began = Instant::now();
    scene.lab.lab().remove_key(&root()?, &key.fingerprint).await?;
    tunnel.rest().await?;
    assert_eq!(soon(ssh.wait()).await??.code(), Some(255));
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_holder_reaches_it_and_only_its_sshd() -> Result<()> {
    let scene = scene(&["rpi4", "rpi5"], stand_in().await?).await?;
    let bob = scene.lab.user("bob").await?;
    let client = scene.client("ada").await?;
    let root = scene.client("root").await?;
    let refused = async |client: &Client, target: &str, told: &str| -> Result<()> {
        let said = client.says(&["-W", target, "lab@lab"]).await?;
        ensure!(said.code != Some(0) && said.out.is_empty(), "{target}: {said:?}");
        ensure!(said.err.contains(told), "{target}: {said:?}");
        let on_record = |event: &Event| matches!(event, Event::Denied { verb: Verb::Tunnel, why } if why.contains(told));
        scene.timeline().await?.event(on_record).await.map(drop)
    };
    refused(&client, "rpi4:22", "you do not hold rpi4").await?;
    bob.reserve(board("rpi4")).await?;
    refused(&client, "rpi4:22", "rpi4 is held by bob").await?;
    // An administrator may use any board, but a tunnel ends with a hold.
    refused(&root, "rpi4:22", "rpi4 is held by bob").await?;
    scene.lab.user("ada").await?.reserve(board("rpi5")).await?;
    refused(&client, "rpi5:80", "port 80 of rpi5 is not open to its holder").await?;
    refused(&client, "rpi6:22", "there is no board 'rpi6'").await?;
    let other = client.says(&["-o", "StdinNull=yes", "-W", "rpi5:22", "rpi4@lab"]).await?;
    assert!(other.out.starts_with("SSH-2.0-board"), "whatever the user name is: {other:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_tunnel_leads_back_to_labd() -> Result<()> {
    let there = "tags = [arm64]; ip = \"127.0.0.1\"; ports = any";
    let scene = Scene::open(Plan::new(boards(&["rpi4"]).replace("tags = [arm64]", there))).await?;
    scene.lab.user("ada").await?.reserve(board("rpi4")).await?;
    let client = scene.client("ada").await?;
    let said = client.says(&["-W", &format!("rpi4:{}", scene.port), "lab@lab"]).await?;
    ensure!(said.code != Some(0) && said.out.is_empty(), "{said:?}");
    let told = "labd itself listens at 127.0.0.1";
    ensure!(said.err.contains(told), "{said:?}");
    let on_record = |event: &Event| matches!(event, Event::Denied { verb: Verb::Tunnel, why } if why.contains(told));
    scene.timeline().await?.event(on_record).await?;
    // What is not labd's is the board's.
    let said = client.says(&["-W", &format!("rpi4:{}", stand_in().await?), "lab@lab"]).await?;
    ensure!(said.out.starts_with("SSH-2.0-board"), "{said:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_board_that_does_not_answer_or_has_no_address_is_told_of() -> Result<()> {
    let closed = {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        listener.local_addr()?.port()
    };
    let nobody = scene(&["rpi4"], closed).await?;
    let nowhere = Scene::with_boards(&["rpi4"]).await?;
    for (scene, told) in [(nobody, "Connection refused"), (nowhere, "rpi4 has no attribute 'ip'")] {
        scene.lab.user("ada").await?.reserve(board("rpi4")).await?;
        let said = scene.client("ada").await?.says(&["-W", "rpi4:22", "lab@lab"]).await?;
        assert!(said.err.contains(told), "{said:?}");
    }
    Ok(())
}

/// What somebody who means no good asks for: each of these in each of the dresses below.
const ADDRESSES: [&str; 28] = [
    "127.0.0.1",
    "127.1",
    "0.0.0.0",
    "0",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "::1",
    "::",
    "[::1]",
    "0:0:0:0:0:0:0:1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "64:ff9b::7f00:1",
    "fe80::1%lo",
    "169.254.169.254",
    "fd00:ec2::254",
    "169.254.0.1",
    "10.0.0.1",
    "192.168.1.1",
    "224.0.0.1",
    "255.255.255.255",
    "localhost",
    "ip6-localhost",
    "metadata.google.internal",
    "rpi4.evil.example",
];

fn dresses(address: &str) -> Vec<String> {
    vec![
        address.to_owned(),
        format!("{address}."),
        format!(" {address}"),
        format!("{address}\0"),
        format!("rpi4@{address}"),
        format!("rpi4\0{address}"),
        format!("{address}:22"),
        format!("http://{address}/"),
    ]
}

fn strange() -> Vec<String> {
    let mut strange: Vec<String> = [
        "",
        " ",
        ".",
        "..",
        "/",
        "*",
        "?",
        "%",
        "-",
        "--",
        "\0",
        "\n",
        "\r\n",
        "\t",
        "rpi4 ",
        " rpi4",
        "rpi4\n",
        "rpi4\0",
        "\0rpi4",
        "RPI4",
        "Rpi4",
        "rpi4.",
        ".rpi4",
        "rpi4..",
        "rpi4:22",
        "rpi4/",
        "/rpi4",
        "../rpi4",
        "rpi4@",
        "@rpi4",
        "rpi4@evil",
        "evil@rpi4",
        "rpi4,rpi5",
        "rpi4;id",
        "rpi4|id",
        "$(id)",
        "`id`",
        "${HOME}",
        "%h",
        "%s%s%s%n",
        "-oProxyCommand=id",
        "--help",
        "rpi\u{ff14}",
        "\u{ff52}pi4",
        "rp\u{456}4",
        "rpi4\u{200b}",
        "\u{202e}4ipr",
        "rpi4\u{301}",
        "ⓡpi4",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
        "xn--rpi4",
        "\u{1b}[31mrpi4",
        "\u{1b}]0;x\u{7}",
        "unix:/run/labd/labd.sock",
        "/run/labd/labd.sock",
        "file:///etc/passwd",
        "lab",
        "self",
        "{\"board\":\"rpi4\"}",
        "' OR 1=1 --",
        "<script>",
        "rpi4#",
        "rpi4?",
        "rpi4%00",
        "rpi4%2e",
    ]
    .map(str::to_owned)
    .to_vec();
    strange.push("a".repeat(64));
    strange.push("a".repeat(65));
    strange.push("rpi4".repeat(5_000));
    strange.push("\u{0}".repeat(1_000));
    strange.push("é".repeat(10_000));
    strange
}

#[tokio::test(flavor = "multi_thread")]
async fn no_target_but_a_board_of_theirs_is_reached_and_each_is_on_the_timeline() -> Result<()> {
    let port = stand_in().await?;
    let scene = scene(&["rpi4", "rpi5"], port).await?;
    scene.lab.user("ada").await?.reserve(board("rpi4")).await?;
    let ada = scene.client("ada").await?;
    let key = Arc::new(PrivateKey::read_openssh_file(&ada.key)?);
    let mut client = client::connect(Arc::default(), ("127.0.0.1", scene.port), Plain).await?;
    let login = client.authenticate_publickey("lab", PrivateKeyWithHashAlg::new(key, None)).await?;
    assert!(login.success());
    let mut targets: Vec<String> = ADDRESSES.iter().flat_map(|it| dresses(it)).collect();
    targets.extend(strange());
    assert!(targets.len() >= 200, "{}", targets.len());
    for target in &targets {
        for port in [22, u32::from(port)] {
            let opened = client.channel_open_direct_tcpip(target, port, "127.0.0.1", 1).await;
            assert!(
                matches!(&opened, Err(russh::Error::ChannelOpenFailure(_))),
                "{target:?} was reached"
            );
        }
    }
    for port in [0, 1, 23, 65_536 + 22, u32::MAX] {
        let opened = client.channel_open_direct_tcpip("rpi4", port, "127.0.0.1", 1).await;
        assert!(matches!(&opened, Err(russh::Error::ChannelOpenFailure(_))), "{port}");
    }
    let local = client.channel_open_direct_streamlocal("/run/labd/labd.sock").await;
    let closed = |opened| {
        matches!(
            opened,
            Err(russh::Error::ChannelOpenFailure(ChannelOpenFailure::AdministrativelyProhibited))
        )
    };
    assert!(closed(local.map(drop)));
    // After all that, what is allowed still is.
    let tunnel = client.channel_open_direct_tcpip("rpi4", 22, "127.0.0.1", 1).await?;
    let mut banner = [0; 15];
    soon(tunnel.into_stream().read_exact(&mut banner)).await??;
    let (mut refused, mut journal) = (BTreeSet::new(), scene.timeline().await?);
    loop {
        let entry = journal.entry().await?;
        match entry.event {
            Event::Denied { verb: Verb::Tunnel, why } => {
                assert!(why.len() < 700 && !why.contains(|c: char| c.is_control()), "{why:?}");
                assert_eq!(entry.who, Some("ada".parse()?));
                assert!(refused.insert(why), "what repeats itself is one entry");
            }
            Event::Tunnelled { .. } => break,
            _ => {}
        }
    }
    assert!(refused.len() > 200, "{refused:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn by_way_of_the_lab_one_comes_to_the_boards_own_sshd() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let key = folder.path().join("id");
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key);
    ensure!(soon(keygen.status()).await??.success(), "no key");
    let line = std::fs::read_to_string(key.with_extension("pub"))?;
    let sshd = Sshd::start(folder.path(), &line).await?;
    let scene = scene(&["rpi4"], sshd.port).await?;
    scene.admit("ada", &line).await?;
    let ada = scene.lab.user("ada").await?;
    ada.reserve(board("rpi4")).await?;
    // As somebody would have it in their own configuration.
    let known = scene.lab.path("known_hosts");
    let board_key = std::fs::read_to_string(folder.path().join("board_host_key.pub"))?;
    let hosts = std::fs::read_to_string(&known)? + &format!("rpi4 {board_key}");
    std::fs::write(&known, hosts)?;
    let config = format!(
        "Host *\n  UserKnownHostsFile {}\n  GlobalKnownHostsFile /dev/null\n  IdentityFile {}\n  \
         IdentitiesOnly yes\n  BatchMode yes\n  StrictHostKeyChecking yes\n\
         Host lab\n  HostName 127.0.0.1\n  Port {}\n  User lab\n",
        known.display(),
        key.display(),
        scene.port
    );
    let file: PathBuf = scene.lab.path("ssh_config");
    std::fs::write(&file, config)?;
    let me = nix::unistd::User::from_uid(nix::unistd::Uid::effective())?.context("somebody")?;
    let mut ssh = Command::new("ssh");
    ssh.arg("-F").arg(&file).args(["-J", "lab", &format!("{}@rpi4", me.name)]);
    ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = ssh.args(["echo here; cat"]).spawn()?;
    let mut out = child.stdout.take().context("piped")?;
    let mut here = [0; 5];
    let read = soon(out.read_exact(&mut here)).await?;
    if read.is_err() {
        bail!("{:?}", soon(child.wait_with_output()).await??);
    }
    assert_eq!(&here, b"here\n");
    let mut stdin = child.stdin.take().context("piped")?;
    let piece: Vec<u8> = (0..1 << 20).map(|at: u32| (at % 251) as u8).collect();
    let sent = async {
        for _ in 0..32 {
            stdin.write_all(&piece).await?;
        }
        anyhow::Ok(())
    };
    let heard = async {
        let mut back = vec![0; piece.len()];
        for _ in 0..32 {
            out.read_exact(&mut back).await?;
            ensure!(back == piece, "something else came back");
        }
        Ok(())
    };
    soon(async { tokio::try_join!(sent, heard) }).await??;
    let began = Instant::now();
    ada.release(name("rpi4"), Release::default()).await?;
    let ended = soon(child.wait_with_output()).await??;
    assert_eq!(ended.status.code(), Some(255), "{ended:?}");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    sshd.stop().await?;
    Ok(())
}
