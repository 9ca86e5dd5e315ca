//! What is secret is in the files that are meant to hold it, and nowhere else: not in the lab's state, nor
//! in a backup, nor in the log at its most talkative, nor beside the name of a process, nor in what labctl says or
//! keeps.
//!
//! Planted, and caught: what the lab shows a provider in a line of the log; what a client shows a proxy in an
//! error.

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use lab_tests::daemon::Daemon;
use lab_tests::lab::{Plan, board, name};
use lab_tests::patience::{soon, until, until_told};
use lab_tests::programs;
use lab_tests::provider::{SECRET, TestProvider};
use lab_tests::proxy::Proxy;
use protocol::account::{AccountAsk, Secret, TokenAsk};
use protocol::address::Address;
use protocol::client::{self, Client};
use protocol::console::{From, Pen};
use protocol::dial::dial_new;
use protocol::journal::{Entry, Event};
use protocol::provider::{self, Begin, Progress, Standing};
use protocol::user::Role;
use protocol::wire::{Follow, Purpose};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

const COMMUNITY: &str = "community-planted-7Hq2";
const SIGNING: &str = "signing-planted-9Xw4";
const HIDING: &str = "hiding-planted-3Vk8";
const PASSWORD: &str = "typed-planted-5Zt6";
const PASSWORD_OVER_SSH: &str = "sshtyped-planted-1Bn0";
const HOOK: &str = "hook-planted-8Jd3";
const PASSWORD_OF_PROXY: &str = "proxy-planted-6Ry2";
const WRONG_SECRET: &str = "wrong planted: 4Lm9%";

/// A lab with every door, and with everything secret that there is.
const CONFIG: &str = r#"
access { admin = root }
tls { listen = "127.0.0.1:TLS"; name = "127.0.0.1" }
ssh { listen = "127.0.0.1:SSH" }
login {
    github { url = "PROVIDER"; client_id = "the lab"; client_secret_file = "@dir/client" }
    oidc corp { issuer = "PROVIDER"; client_id = "the lab"; client_secret_file = "@dir/wrong" }
}
setup_script = "@dir/setup"
triggers { greeted { match = "Welcome"; post_file = "@dir/hook" } }
power { dwell = 0s; limit = 3s; sweep = 1h }
classes { rpi { } }
boards [
    { name = rpi4; class = rpi; options = [ @console(rpi4), @outlet(rpi4) ] }
    { name = by-community; class = rpi; options = [ { cls = snmppower; host = "127.0.0.1"; udp_port = SNMP;
      port = 1; timeout = 200ms; retries = 0; community_file = "@dir/community" } ] }
    { name = by-user; class = rpi; options = [ { cls = snmppower; host = "127.0.0.1"; udp_port = SNMP;
      port = 2; timeout = 200ms; retries = 0; version = 3; user = lab; auth_file = "@dir/signing";
      privacy_file = "@dir/hiding" } ] }
]
"#;

/// A setup script that waits, so that it can be looked at while it runs.
const SETUP: &str = "#!/bin/sh\n[ \"$1\" = release ] || read -r _ < @dir/gate\n";

/// What is looked for.
struct Planted {
    what: &'static str,
    /// It, and what it may have been turned into on its way.
    forms: Vec<Vec<u8>>,
}

impl Planted {
    fn new(what: &'static str, secret: impl AsRef<[u8]>) -> Planted {
        let secret = secret.as_ref();
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let numbers = |between: &str| {
            let numbers: Vec<_> = secret.iter().map(ToString::to_string).collect();
            numbers.join(between)
        };
        let in_form: String = form_urlencoded::byte_serialize(secret).collect();
        let mut forms = vec![secret.to_vec(), hex.to_uppercase().into(), hex.into()];
        // As a list of numbers, which is what Debug and JSON make of bytes.
        forms.extend([numbers(", ").into_bytes(), numbers(",").into_bytes()]);
        // Wherever in a longer text it stood: its first and last letters then depend on what is around.
        for (before, text) in (0..3).flat_map(|it| [(it, secret), (it, in_form.as_bytes())]) {
            let whole = base64(&[&vec![0; before], text].concat());
            forms.push(whole[4..whole.len() - 4].to_vec());
        }
        forms.push(in_form.into());
        Planted { what, forms }
    }

    fn is_in(&self, bytes: &[u8]) -> bool {
        self.forms.iter().any(|form| bytes.windows(form.len()).any(|window| window == form))
    }
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = Vec::new();
    for three in bytes.chunks(3) {
        let number = three.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
        let number = number << (8 * (3 - three.len()));
        text.extend((0..4).map(|at| LETTERS[(number >> (18 - 6 * at) & 63) as usize]));
    }
    text
}

fn unbase64(text: &[u8]) -> Vec<u8> {
    let value = |letter: &u8| (0..=255).find(|number| base64(&[number << 2])[0] == *letter);
    let numbers = |four: &[u8]| {
        four.iter().filter_map(value).fold(0_u32, |number, value| number << 6 | u32::from(value))
    };
    text.chunks(4).flat_map(|four| numbers(four).to_be_bytes()[1..].to_vec()).collect()
}

/// Where in the text of a private key it stands: in which line, counted from the head, and which letters.
type Place = (usize, std::ops::Range<usize>);

/// Of a P-256 key in PKCS #8.
const IN_PKCS8: Place = (1, 48..64);
/// Of an Ed25519 key in OpenSSH's own format.
const IN_OPENSSH: Place = (4, 6..42);

/// Every file below a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match path.symlink_metadata()?.file_type() {
            kind if kind.is_dir() => found.extend(files(&path)?),
            kind if kind.is_file() => found.push(path),
            _ => {}
        }
    }
    Ok(found)
}

/// The process and all that it has started.
fn family(process: u32) -> Vec<u32> {
    let mut all = vec![process];
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    for task in tasks {
        let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        all.extend(
            children.split_whitespace().flat_map(|child| family(child.parse().unwrap_or(0))),
        );
    }
    all
}

/// A story with somebody from elsewhere in it.
struct Story {
    labd: Daemon,
    ssh_port: u16,
    home: tempfile::TempDir,
    provider: TestProvider,
    planted: Vec<Planted>,
    /// What belongs into which file.
    own: Vec<(&'static str, PathBuf)>,
}

impl Story {
    async fn begin() -> Result<Story> {
        // Nobody else takes them in this moment, or the test says so.
        let free =
            || Ok::<_, std::io::Error>(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port());
        let (tls_port, ssh_port) = (free()?, free()?);
        let agent = echoing_agent()?;
        let text =
            CONFIG.replace("TLS", &tls_port.to_string()).replace("SSH", &ssh_port.to_string());
        let provider = TestProvider::start().await?;
        let text = text.replace("SNMP", &agent.to_string()).replace("PROVIDER", &provider.url());
        let hook = format!("{}/{HOOK}", provider.url());
        let plan = [
            ("community", COMMUNITY),
            ("signing", SIGNING),
            ("hiding", HIDING),
            ("client", SECRET),
            ("wrong", WRONG_SECRET),
            ("hook", &hook),
        ]
        .into_iter()
        .fold(Plan::new(text).script("setup", SETUP), |plan, (file, secret)| {
            plan.secret(file, secret)
        });
        let labd = Daemon::start_talkative(plan, "trace").await?;
        let made = std::process::Command::new("mkfifo").arg(labd.path("gate")).status()?;
        ensure!(made.success(), "no fifo");
        let planted = vec![
            Planted::new("the community", COMMUNITY),
            Planted::new("the password that signs", SIGNING),
            Planted::new("the password that hides", HIDING),
            Planted::new("what was typed", PASSWORD),
            Planted::new("what was typed over ssh", PASSWORD_OVER_SSH),
            Planted::new("where a trigger tells", HOOK),
            Planted::new("the proxy's password", PASSWORD_OF_PROXY),
            Planted::new("the lab's secret at a provider", SECRET),
            Planted::new("another secret at a provider", WRONG_SECRET),
        ];
        let (home, own) = (tempfile::TempDir::new()?, Vec::new());
        Ok(Story { labd, ssh_port, home, provider, planted, own })
    }

    /// A token, which is used once each way.
    async fn token(&mut self, what: &'static str, ask: TokenAsk) -> Result<Secret> {
        let secret = self.labd.client().await?.make_token(ask).await?.secret;
        self.planted.push(Planted::new(what, &secret.as_str()["lab_".len()..]));
        Ok(secret)
    }

    /// A private key in a file, by the part of its text that nobody else can know.
    fn plant_key(&mut self, what: &'static str, file: &Path, place: Place) -> Result<()> {
        let bytes = fs::read(file)?;
        // Within JSON its lines end with a backslash and an n.
        let text = String::from_utf8_lossy(&bytes).replace("\\n", "\n");
        let begin = text.find("PRIVATE KEY-----\n").context("no key")?;
        let line = text[begin..].lines().nth(place.0).context("too few lines")?;
        let part = &line[place.1];
        let mut planted = Planted::new(what, unbase64(part.as_bytes()));
        ensure!(planted.is_in(&bytes), "{what} is not what is in {}", file.display());
        planted.forms.push(part.into());
        self.planted.push(planted);
        self.own.push((what, file.to_owned()));
        Ok(())
    }

    async fn labctl(&self, words: &[&str]) -> Result<std::process::Output> {
        self.labctl_through("", words).await
    }

    /// The same, where there is no way but through a proxy.
    async fn labctl_through(&self, proxy: &str, words: &[&str]) -> Result<std::process::Output> {
        let mut labctl = Command::new(programs::path("labctl")?);
        labctl.args(words).env_clear().env("HOME", self.home.path()).stdin(Stdio::null());
        Ok(soon(labctl.env("https_proxy", proxy).output()).await??)
    }

    fn ssh(&self, words: &[&str]) -> Command {
        let mut ssh = Command::new("ssh");
        let key = self.home.path().join("key");
        ssh.args(["-F", "/dev/null", "-o", "StrictHostKeyChecking=no", "-o", "BatchMode=yes"])
            .args(["-o", "UserKnownHostsFile=/dev/null", "-o", "IdentityAgent=none", "-i"])
            .arg(key)
            .args(["-p", &self.ssh_port.to_string()])
            .args(words)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        ssh
    }

    /// Says where anything that was planted is found, but in the files that are meant to hold it.
    fn found(&self, mut places: Vec<(String, Vec<u8>)>) -> Result<Vec<String>> {
        let (state, home) = (files(&self.labd.path("state"))?, files(self.home.path())?);
        for file in state.into_iter().chain(home).chain([self.labd.path("labd.log")]) {
            places.push((file.display().to_string(), fs::read(file)?));
        }
        for (_, file) in &self.own {
            ensure!(
                fs::metadata(file)?.permissions().mode() & 0o777 == 0o600,
                "{}",
                file.display()
            );
        }
        let is_own = |what: &str, place: &str| {
            self.own.iter().any(|(of, file)| *of == what && file.display().to_string() == place)
        };
        let mut found = Vec::new();
        for (place, bytes) in &places {
            for Planted { what, .. } in self.planted.iter().filter(|it| it.is_in(bytes)) {
                if !is_own(what, place) {
                    found.push(format!("{what} is in {place}"));
                }
            }
        }
        Ok(found)
    }
}

/// An agent that says nothing but what it was asked.
fn echoing_agent() -> Result<u16> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let port = socket.local_addr()?.port();
    std::thread::spawn(move || {
        let mut question = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut question) {
            let _ = socket.send_to(&question[..length], from);
        }
    });
    Ok(port)
}

/// Whoever has a token comes in with it.
async fn come_in(at: &Address, secret: &Secret) -> Result<Client> {
    let (flow, _) = dial_new(at, Some(secret.clone()), &Purpose::Call).await?;
    let client = Client::over(flow, at.clone());
    client.whoami().await?;
    Ok(client)
}

/// Somebody whom a provider vouches for comes in; where the lab's secret is wrong, nobody does.
async fn log_in(story: &mut Story, at: &Address) -> Result<()> {
    let begin = |name: &str| Begin { provider: name.to_owned(), device: true };
    let refused = provider::begin(at, &begin("corp")).await.unwrap_err().to_string();
    assert!(refused.contains("invalid_client"), "{refused}");
    let begun = provider::begin(at, &begin("github")).await?;
    assert!(story.provider.type_code(&begun.code, Ok(())));
    let progress = Progress { handle: begun.handle };
    let mut token = None;
    until_told(async || {
        if let Standing::Known { token: given } = provider::progress(at, &progress).await? {
            token = Some(given);
        }
        Ok(token.is_some())
    })
    .await?;
    let token = token.context("nobody is vouched for")?;
    come_in(at, &token).await?;
    story.planted.push(Planted::new("a vouched token", &token.as_str()["lab_".len()..]));
    Ok(())
}

/// Somebody whose only way is through a proxy logs in, and fails to. What labctl says to that.
async fn go_through_a_proxy(story: &mut Story, at: &Address) -> Result<Vec<u8>> {
    let ask = TokenAsk { who: "ada".parse().ok(), joins: true, ..TokenAsk::default() };
    let invited = story.token("an invitation through a proxy", ask).await?;
    let elsewhere = format!("https://{}@lab.example.org", invited.as_str());
    let invitation = at.to_string().replace("tls://127.0.0.1", &elsewhere);
    let (proxy, dead) = (Proxy::new().await?, TcpListener::bind("127.0.0.1:0")?.local_addr()?);
    let user = format!("ada:{PASSWORD_OF_PROXY}");
    let mut said = Vec::new();
    for (way, works) in [
        (format!("socks5://{user}@127.0.0.1:{}", proxy.port), false),
        (format!("http://{user}@{dead}"), false),
        (format!("http://{user}@127.0.0.1:{}", proxy.port), true),
    ] {
        let words = ["login", &invitation, "--name", "through-a-proxy"];
        let login = story.labctl_through(&way, &words).await?;
        ensure!(login.status.success() == works, "{}", String::from_utf8_lossy(&login.stderr));
        said.extend([login.stdout, login.stderr].concat());
    }
    ensure!(proxy.asked()[0].contains("Proxy-Authorization: Basic "), "nobody has shown it");
    Ok(said)
}

/// Types at the board's prompt, which does not echo it.
async fn type_password(story: &mut Story) -> Result<()> {
    let what = Follow::Console {
        board: name("rpi4"),
        from: From::End,
        pen: Pen::Wanted,
        stop_at_end: false,
    };
    let (mut console, _) = soon(client::follow(&story.labd.address(), what)).await??;
    let rpi4 = story.labd.ground().board("rpi4");
    rpi4.print("Password: ").await?;
    soon(console.read_exact(&mut [0; 10])).await??;
    console.write_all(format!("{PASSWORD}\r").as_bytes()).await?;
    rpi4.typed(PASSWORD.len() + 1).await?;
    rpi4.print("\r\nWelcome\r\n").await?;
    Ok(())
}

async fn type_password_over_ssh(story: &mut Story) -> Result<()> {
    let mut ssh = story.ssh(&["rpi4@127.0.0.1"]).spawn()?;
    let (mut keys, mut screen) =
        (ssh.stdin.take().context("piped")?, ssh.stdout.take().context("piped")?);
    let lab = story.labd.client().await?;
    // It is there when the lab says so.
    until_told(async || {
        let line = lab.board(name("rpi4")).await?.line.context("a console")?;
        Ok(line.viewers.iter().any(|viewer| viewer.pen))
    })
    .await
    .context("nobody comes by ssh")?;
    let rpi4 = story.labd.ground().board("rpi4");
    rpi4.print("login again\r\nPassword: ").await?;
    let mut seen = Vec::new();
    while !seen.ends_with(b"Password: ") {
        let byte = soon(screen.read_u8()).await;
        seen.push(byte.with_context(|| format!("{:?}", String::from_utf8_lossy(&seen)))??);
    }
    keys.write_all(format!("{PASSWORD_OVER_SSH}\r").as_bytes()).await?;
    rpi4.typed(PASSWORD_OVER_SSH.len() + 1).await?;
    rpi4.print("\r\nWelcome\r\n").await?;
    Ok(())
}

/// How often something was typed, according to the timeline, which must not say what.
async fn typed(story: &Story, times: usize) -> Result<()> {
    let what =
        Follow::Journal { board: None, from: Some(1), since: None, tail: 0, stop_at_end: false };
    let (mut flow, _) = client::follow(&story.labd.address(), what).await?;
    for _ in 0..times {
        loop {
            let line = soon(client::next_line(&mut flow)).await??.context("it goes on")?;
            if let Event::Typed { text, .. } = serde_json::from_str::<Entry>(&line)?.event {
                assert_eq!(text, None);
                break;
            }
        }
    }
    Ok(())
}

/// A trigger has told somebody who does not know what to do with it.
async fn told(story: &Story) -> Result<()> {
    let what =
        Follow::Journal { board: None, from: Some(1), since: None, tail: 0, stop_at_end: false };
    let (mut flow, _) = client::follow(&story.labd.address(), what).await?;
    loop {
        let line = soon(client::next_line(&mut flow)).await??.context("it goes on")?;
        let why = "nobody could be told: the answer is 404";
        if let Event::Noted { text } = serde_json::from_str::<Entry>(&line)?.event
            && text.starts_with(why)
        {
            return Ok(());
        }
    }
}

/// The arguments and the environment of labd and of all that it runs.
fn processes(story: &Story) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for process in family(story.labd.pid()) {
        for part in ["cmdline", "environ"] {
            let path = format!("/proc/{process}/{part}");
            all.extend(fs::read(&path).map(|bytes| (path, bytes)));
        }
    }
    all
}

/// Waits until something that labd runs has that in its arguments.
async fn runs(story: &Story, word: &str) -> Result<()> {
    let has = |(path, bytes): (String, Vec<u8>)| {
        path.ends_with("cmdline") && String::from_utf8_lossy(&bytes).contains(word)
    };
    until(|| processes(story).into_iter().any(has)).await.with_context(|| format!("{word} runs"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_secret_is_nowhere_but_where_it_belongs() -> Result<()> {
    let mut story = Story::begin().await?;
    let root = story.labd.client().await?;
    let add = AccountAsk::Add { role: Role::User, span: None };
    root.change_account("ada".parse()?, add).await?;
    let identify = AccountAsk::Identify { identity: "github:583231".to_owned() };
    root.change_account("ada".parse()?, identify).await?;
    let of_ada = || TokenAsk { who: "ada".parse().ok(), ..TokenAsk::default() };

    // Tokens of every kind, each used; and one that somebody takes for something else.
    let at = root.found_at().await?;
    let secret = story.token("a token", TokenAsk::default()).await?;
    come_in(&at, &secret).await?;
    root.revoke_token(secret.as_str().to_owned()).await.unwrap_err();
    root.remove_key(secret.as_str().to_owned()).await.unwrap_err();
    let once = story.token("a token for once", TokenAsk { once: true, ..of_ada() }).await?;
    come_in(&at, &once).await?;
    assert!(come_in(&at, &once).await.is_err(), "it was good for once");
    let strange = Secret::new([7; 32]);
    story.planted.push(Planted::new("a token of another lab", &strange.as_str()["lab_".len()..]));
    assert!(come_in(&at, &strange).await.is_err());

    // An invitation, which becomes a certificate.
    let invited = story.token("an invitation", TokenAsk { joins: true, ..of_ada() }).await?;
    let invitation = at.to_string().replace("tls://", &format!("tls://{}@", invited.as_str()));
    let login = story.labctl(&["login", &invitation]).await?;
    ensure!(login.status.success(), "{}", String::from_utf8_lossy(&login.stderr));
    let context = files(story.home.path())?;
    let context = context.iter().find(|file| file.extension().is_some_and(|it| it == "json"));
    let context = context.context("a login")?.clone();
    story.plant_key("the client's key", &context, IN_PKCS8)?;
    let authority = story.labd.path("state/authority/key.pem");
    story.plant_key("the authority's key", &authority, IN_PKCS8)?;
    let host_key = story.labd.path("state/ssh/host_ed25519");
    story.plant_key("the host key", &host_key, IN_OPENSSH)?;
    assert!(story.labctl(&["whoami"]).await?.status.success());

    log_in(&mut story, &at).await.context("somebody is vouched for")?;
    let said = go_through_a_proxy(&mut story, &at).await.context("through a proxy")?;

    // Passwords of boards, beside the rack and over ssh.
    let key = story.home.path().join("key");
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "ada", "-f"]).arg(&key);
    ensure!(soon(keygen.status()).await??.success(), "no key");
    story.plant_key("the visitor's key", &key, IN_OPENSSH)?;
    let public = fs::read_to_string(key.with_extension("pub"))?;
    root.add_key("root".parse().ok(), public).await?;
    let reserving = {
        let root = root.clone();
        tokio::spawn(async move { root.reserve(board("rpi4")).await })
    };
    runs(&story, "setup").await?;
    let mut seen = processes(&story);
    fs::write(story.labd.path("gate"), "go\n")?;
    soon(reserving).await???;
    type_password(&mut story).await.context("a password at a board")?;
    typed(&story, 1).await.context("it is on the timeline")?;
    told(&story).await.context("a trigger tells")?;
    type_password_over_ssh(&mut story).await.context("a password over ssh")?;
    typed(&story, 2).await.context("both are on the timeline")?;

    // A program that labd runs for a visitor; and switches that are asked.
    let visit: Child = story.ssh(&["lab@127.0.0.1", "journal", "rpi4", "--follow"]).spawn()?;
    runs(&story, "journal").await?;
    seen.extend(processes(&story));
    drop(visit);
    for (outlet, why) in
        [("by-community", "its answer cannot be read"), ("by-user", "wrong user, auth or privacy")]
    {
        let refused = root.outlet(name(outlet)).await.unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }

    let address = story.labd.address().to_string();
    let backup = story.labctl(&["--lab", &address, "admin", "export"]).await?.stdout;
    assert!(backup.starts_with(br#"{"labd-export":1"#));
    root.rebuild().await?;
    story.labd.terminate().await?;
    let log = fs::read_to_string(story.labd.path("labd.log"))?;
    assert!(log.contains("TRACE"), "the log is not at its most talkative");
    seen.extend([("the backup".to_owned(), backup), ("what labctl says".to_owned(), said)]);
    let found = story.found(seen)?;
    assert!(found.is_empty(), "{found:#?}");
    Ok(())
}
