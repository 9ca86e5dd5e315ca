//! HTTPS alone: curl, OpenSSH's client and labctl, by one port, and with a proxy in between.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use anyhow::{Context, Result, ensure};
use lab_tests::lab::{Plan, TestLab, boards, name};
use lab_tests::patience::soon;
use lab_tests::programs::path as program;
use lab_tests::proxy::Proxy;
use lab_tests::sshd::{Sshd, stand_in};
use labd::doorstep::Doorstep;
use labd::ssh::{Ground, host_key};
use labd::{ssh, tls};
use protocol::account::{AccountAsk, TokenAsk};
use protocol::address::Address;
use protocol::hold::Release;
use protocol::login::Invitation;
use protocol::user::{Role, Who};
use protocol::wire::Follow;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

/// A lab that is open by HTTPS only, and the home of somebody elsewhere.
struct Scene {
    lab: TestLab,
    port: u16,
    home: TempDir,
}

impl Scene {
    /// A lab with a board `rpi4` whose sshd listens there, and which has another port, too.
    async fn open(sshd: u16, other: u16) -> Result<Scene> {
        let there = format!(
            "tags = [arm64]; ip = \"127.0.0.1\"; ssh_port = {sshd}; ports = [{sshd}, {other}]"
        );
        let boards = boards(&["rpi4"]).replace("tags = [arm64]", &there);
        let text = format!("tls {{ listen = \"127.0.0.1:1\"; name = localhost }}\n{boards}");
        let lab = Plan::new(&*text).open().await?;
        let config = lab.lab().config();
        let settings = config.tls.as_ref().context("it has a door")?;
        let doorstep = Doorstep::new();
        let door = tls::Door::new(lab.lab().clone(), settings, doorstep.clone())?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        tokio::spawn(door.serve(listener));
        let programs = program("labctl")?.parent().context("it is in a folder")?.to_owned();
        let host_key = host_key::own(&lab.path("ssh"))?;
        let ground = Ground { programs, folder: lab.path("rooms"), host_key, doorstep };
        let led = lab.lab().ssh_visitors().context("nobody else has asked")?;
        tokio::spawn(ssh::Door::new(lab.lab().clone(), ground)?.serve_led(led));
        lab.settled().await?;
        Ok(Scene { lab, port, home: TempDir::new()? })
    }

    /// An account for somebody, and what they join with.
    async fn invite(&self, who: &str) -> Result<Invitation> {
        let root = self.lab.admin().await?;
        root.change_account(who.parse()?, AccountAsk::Add { role: Role::User, span: None }).await?;
        let ask = TokenAsk { who: Some(who.parse()?), joins: true, ..TokenAsk::default() };
        let secret = root.make_token(ask).await?.secret;
        let pin = Some(self.lab.lab().open_authority()?.pin());
        // A name that only the proxy can find.
        let host = "lab.example.org".to_owned();
        Ok(Invitation { address: Address::Https { host, port: self.port, pin }, secret })
    }

    /// An account for somebody, and a token of theirs.
    async fn token(&self, who: &str) -> Result<String> {
        let root = self.lab.admin().await?;
        root.change_account(who.parse()?, AccountAsk::Add { role: Role::User, span: None }).await?;
        let ask = TokenAsk { who: Some(who.parse()?), ..TokenAsk::default() };
        Ok(root.make_token(ask).await?.secret.as_str().to_owned())
    }

    /// A program with nothing but a home.
    fn program(&self, path: PathBuf, words: &[&str]) -> Command {
        let mut command = Command::new(path);
        command
            .args(words)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.home.path())
            .env("LANG", "C.UTF-8")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    fn labctl(&self, words: &[&str], proxy: &Proxy) -> Result<Command> {
        let mut labctl = self.program(program("labctl")?, words);
        labctl.env("https_proxy", format!("http://ada:s%3Fcret@127.0.0.1:{}", proxy.port));
        Ok(labctl)
    }

    /// What curl has to show of a path: the status, and the body.
    async fn curl(&self, words: &[&str], path: &str) -> Result<(u16, Json)> {
        let url = format!("https://localhost:{}/api/v1{path}", self.port);
        let authority = self.lab.path("state/authority/certificate.pem").display().to_string();
        let mut curl = self.program("/usr/bin/curl".into(), &["-sS", "-w", "\n%{http_code}"]);
        curl.args(["--cacert", &authority, &url]).args(words);
        let said = done(&mut curl).await?;
        let (body, status) = said.rsplit_once('\n').context("it has a status")?;
        Ok((status.parse()?, serde_json::from_str(body).with_context(|| body.to_owned())?))
    }
}

/// What a program printed that ended well.
async fn done(command: &mut Command) -> Result<String> {
    let Output { status, stdout, stderr } = soon(command.output()).await??;
    ensure!(status.success(), "{status}: {}", String::from_utf8_lossy(&stderr));
    Ok(String::from_utf8(stdout)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn with_curl_one_reserves_switches_and_releases() -> Result<()> {
    let scene = Scene::open(22, 80).await?;
    let header = format!("Authorization: Bearer {}", scene.token("ada").await?);
    let ada = ["-H", &header];
    let ask = |words: &[&'static str]| [&ada[..], words].concat();
    let (status, problem) = scene.curl(&[], "/boards").await?;
    assert_eq!((status, &problem["kind"]), (401, &json!("not-known")), "{problem}");
    let (status, boards) = scene.curl(&ada, "/boards?tags=arm64%26rpi").await?;
    assert_eq!((status, &boards[0]["name"]), (200, &json!("rpi4")), "{boards}");
    let wish =
        r#"{ "want": { "kind": "class", "name": "rpi" }, "ssh_key": "ssh-ed25519 AAAA ada" }"#;
    let (status, placed) = scene.curl(&ask(&["--json", wish]), "/holds").await?;
    assert_eq!((status, &placed["hold"]["who"]), (200, &json!("ada")), "{placed}");
    let (status, power) =
        scene.curl(&ask(&["--json", r#"{ "ask": "on" }"#]), "/boards/rpi4/power").await?;
    assert_eq!((status, &power["state"]), (200, &json!("on")), "{power}");
    let (status, detail) = scene.curl(&ada, "/boards/rpi4").await?;
    assert_eq!((status, &detail["power"]), (200, &json!("on")), "{detail}");
    let (status, over) = scene.curl(&ask(&["-X", "DELETE"]), "/boards/rpi4/hold").await?;
    assert_eq!((status, &over["who"]), (200, &json!("ada")), "{over}");
    for (words, path, status, detail) in [
        (&[][..], "/boards/rpi5", 404, "there is no board 'rpi5'; did you mean 'rpi4'?"),
        (&[], "/nothing", 404, "there is no path '/api/v1/nothing'"),
        (
            &["-X", "PUT"],
            "/boards",
            405,
            "this path is there for another method; see /api/v1/openapi.json",
        ),
        (
            &[],
            "/boards?clas=x",
            400,
            "'clas' does not choose boards; board, class, tags and mine do",
        ),
        (&[], "/queue/one?patience=0", 400, "'number' is a number, not 'one'"),
        (
            &["--json", "{"],
            "/holds",
            400,
            "the body is no JSON: EOF while parsing an object at line 1 column 1",
        ),
        (&["--json", "[]"], "/boards/rpi4/power", 400, "the body is a JSON object"),
        (&[], "/timeline?til=3", 400, "there is no 'til' to say here"),
        (&["-X", "DELETE"], "/boards/rpi4/hold", 409, "you do not hold rpi4"),
        (&[], "/lab", 400, "here is a WebSocket, and nothing else"),
    ] {
        let (got, problem) = scene.curl(&ask(words), path).await?;
        assert_eq!((got, problem["detail"].as_str()), (status, Some(detail)), "{path}");
        assert_eq!(problem["status"], json!(status), "{path}");
    }
    // An entry a line, of which the first is the lab's own.
    let mut lines = scene.program("/usr/bin/curl".into(), &["-skN", "-H", &header]);
    let url = format!("https://127.0.0.1:{}/api/v1/timeline?end=true", scene.port);
    let lines = done(lines.arg(url)).await?;
    let first: Json = serde_json::from_str(lines.lines().next().context("a line")?)?;
    assert_eq!((&first["seq"], &first["event"]["kind"]), (&json!(1), &json!("started")), "{first}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn through_a_proxy_and_https_alone_somebody_works_as_beside_the_rack() -> Result<()> {
    let home = tempfile::tempdir()?;
    let key = home.path().join("id").display().to_string();
    let mut keygen = Command::new("ssh-keygen");
    ensure!(
        soon(keygen.args(["-q", "-t", "ed25519", "-N", "", "-f", &key]).status()).await??.success()
    );
    let line = std::fs::read_to_string(format!("{key}.pub"))?;
    let sshd = Sshd::start(home.path(), &line).await?;
    let (scene, proxy) = (Scene::open(sshd.port, 80).await?, Proxy::new().await?);
    let labctl = async |words: &[&str]| done(&mut scene.labctl(words, &proxy)?).await;

    let invitation = scene.invite("ada").await?.to_string();
    assert!(invitation.starts_with("https://lab_"), "{invitation}");
    labctl(&["login", &invitation]).await?;
    let me: Json = serde_json::from_str(&labctl(&["whoami", "--json"]).await?)?;
    assert_eq!(me["item"]["name"], json!("ada"), "{me}");
    labctl(&["reserve", "rpi4"]).await?;
    labctl(&["note", "rpi4", "hello from home"]).await?;
    let me = nix::unistd::User::from_uid(nix::unistd::Uid::effective())?.context("somebody")?.name;
    let there = format!("{me}@rpi4");
    assert_eq!(
        labctl(&["ssh", &there, "-F", "none", "-i", &key, "--", "echo", "here"]).await?,
        "here\n"
    );

    // bitelab's way to a token: the ssh door, through HTTPS, for whoever the lab does not know by other means.
    let admit = Who::new("root".parse()?, Role::Admin);
    scene.lab.lab().add_key(&admit, &Who::new("ada".parse()?, Role::User), &line).await?;
    let way = format!("ProxyCommand={} proxy lab", program("labctl")?.display());
    let mut ssh = scene.program("/usr/bin/ssh".into(), &["-F", "none", "-i", &key, "-o", &way]);
    ssh.env("https_proxy", format!("http://127.0.0.1:{}", proxy.port));
    ssh.env(
        "LAB",
        invitation
            .split_once('@')
            .map(|(_, place)| format!("https://{place}"))
            .context("a place")?,
    );
    ssh.env("HOME", home.path());
    ssh.args([
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-l",
        "lab",
        "lab",
        "token",
    ]);
    assert!(done(&mut ssh).await?.starts_with("lab_"));
    // By which doors is on the timeline: planted, and caught, that it is the last one alone.
    let all =
        Follow::Journal { board: None, from: Some(1), since: None, tail: 0, stop_at_end: true };
    let all = scene.lab.admin().await?.follow(all).await?.rest().await?;
    assert!(all.contains(r#""via":"ssh through https 127.0.0.1 key SHA256:"#), "{all}");

    let asked = proxy.asked();
    let only = format!("CONNECT lab.example.org:{} HTTP/1.1\r\n", scene.port);
    assert!(asked.len() > 6 && asked.iter().all(|head| head.starts_with(&only)), "{asked:?}");
    let shown = "Proxy-Authorization: Basic YWRhOnM/Y3JldA==\r\n";
    assert!(asked[0].contains(shown), "{asked:?}");
    sshd.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_of_a_board_is_here_as_long_as_the_hold_lasts() -> Result<()> {
    let port = stand_in().await?;
    let once = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let only = once.local_addr()?.port();
    let (scene, proxy) = (Scene::open(port, only).await?, Proxy::new().await?);
    let invitation = scene.invite("ada").await?.to_string();
    done(&mut scene.labctl(&["login", &invitation], &proxy)?).await?;
    let forward = |there: &str| scene.labctl(&["forward", "rpi4", &format!("0:{there}")], &proxy);
    let refused = soon(forward(&port.to_string())?.output()).await??;
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("you do not hold rpi4"),
        "{refused:?}"
    );
    done(&mut scene.labctl(&["reserve", "rpi4"], &proxy)?).await?;
    let refused = soon(forward("80")?.output()).await??;
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("port 80 of rpi4 is not open"),
        "{refused:?}"
    );

    // Some servers take one connection and no other: whoever comes first has it.
    tokio::spawn(async move {
        let (mut stream, _) = once.accept().await?;
        drop(once);
        stream.write_all(b"the only one\n").await?;
        stream.shutdown().await
    });
    let (mut labctl, here) = forwarding(forward(&only.to_string())?).await?;
    let mut said = String::new();
    soon(TcpStream::connect(here).await?.read_to_string(&mut said)).await??;
    assert_eq!(said, "the only one\n");
    labctl.kill().await?;

    let (labctl, here) = forwarding(forward(&port.to_string())?).await?;
    let mut stream = BufReader::new(TcpStream::connect(&here).await?);
    stream.write_all(b"over there\n").await?;
    for wanted in ["SSH-2.0-board\r\n", "over there\n"] {
        let mut line = String::new();
        soon(stream.read_line(&mut line)).await??;
        assert_eq!(line, wanted);
    }
    // One side has nothing more to say, and hears the rest all the same.
    stream.write_all(b"and out\n").await?;
    stream.shutdown().await?;
    let mut rest = String::new();
    soon(stream.read_to_string(&mut rest)).await??;
    assert_eq!(rest, "and out\n");
    let mut stream = TcpStream::connect(&here).await?;
    let ada = scene.lab.user("ada").await?;
    ada.release(name("rpi4"), Release::default()).await?;
    let mut rest = String::new();
    soon(stream.read_to_string(&mut rest)).await??;
    // Whoever comes now ends it: there is nothing more to bring here.
    // If the one before came too late already, it has ended.
    let _ = TcpStream::connect(&here).await;
    let ended = soon(labctl.wait_with_output()).await??;
    assert_eq!(ended.status.code(), Some(11), "{ended:?}");
    Ok(())
}

/// labctl when it listens, and where.
async fn forwarding(mut labctl: Command) -> Result<(Child, String)> {
    let mut labctl = labctl.spawn()?;
    let mut said = String::new();
    let mut lines = BufReader::new(labctl.stdout.as_mut().context("piped")?);
    soon(lines.read_line(&mut said)).await??;
    Ok((labctl, said.split(' ').next().context("an address")?.to_owned()))
}
