//! Logging in from elsewhere, with the real programs on both sides.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::body::Body;
use axum::response::Redirect;
use axum::routing::get;
use lab_tests::daemon::Daemon;
use lab_tests::lab::Plan;
use lab_tests::patience::{soon, until};
use lab_tests::provider::{SECRET, TestProvider};
use protocol::account::Secret;
use protocol::address::Address;
use protocol::login::Invitation;
use protocol::tls::Trust;
use protocol::web::{self, Ask, Url};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStderr, Command};

use super::terminal::Terminal;
use super::{Said, labctl, said};

/// A daemon with a door for those from elsewhere, and the home of somebody there.
struct Story {
    labd: Daemon,
    home: TempDir,
}

impl Story {
    async fn begin() -> Result<Story> {
        Story::with("").await
    }

    /// The same, with more in its configuration.
    async fn with(more: &str) -> Result<Story> {
        // Nobody else takes it in this moment, or the test says so.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let text = format!(
            "access {{ admin = root }}\ntls {{ listen = \"127.0.0.1:{port}\"; name = \"127.0.0.1\" }}\n\
             classes {{ sim {{ }} }}\nboards [ {{ name = one; class = sim; options = [ {{ cls = sim; seed = 1 }} ] }} ]\n{more}"
        );
        Ok(Story { labd: Daemon::start(Plan::new(text)).await?, home: TempDir::new()? })
    }

    fn labctl(&self, arguments: &[&str]) -> Result<Command> {
        labctl(self.home.path(), arguments)
    }

    async fn says(&self, arguments: &[&str]) -> Result<Said> {
        said(self.labctl(arguments)?).await
    }

    /// What somebody beside the rack is told, who administers the lab.
    async fn beside(&self, arguments: &[&str]) -> Result<String> {
        let mut command = self.labctl(arguments)?;
        command.env("LAB", self.labd.address().to_string());
        let said = said(command).await?;
        ensure!(said.code == Some(0), "{}", said.err);
        Ok(said.out.trim().to_owned())
    }

    /// Ada has an account, and is somebody whom GitHub knows: where the lab is, and by what it is believed.
    async fn knows_ada(&self) -> Result<(String, Trust)> {
        fs::write(self.labd.path("secret"), SECRET)?;
        fs::set_permissions(self.labd.path("secret"), fs::Permissions::from_mode(0o600))?;
        self.beside(&["user", "add", "ada", "--identity", "github:583231"]).await?;
        let invitation: Invitation = self.beside(&["admin", "invite", "ada"]).await?.parse()?;
        Ok((invitation.address.to_string(), trust(&invitation)?))
    }

    /// What is kept, and what is in it.
    fn kept(&self) -> Result<BTreeMap<PathBuf, String>> {
        let read = |file: PathBuf| Ok((file.clone(), fs::read_to_string(file)?));
        self.files()?.into_iter().map(read).collect()
    }

    fn files(&self) -> Result<Vec<PathBuf>> {
        let folder = self.home.path().join(".config/labd/labs");
        Ok(fs::read_dir(folder)?.map(|file| Ok(file?.path())).collect::<std::io::Result<_>>()?)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_from_elsewhere_logs_in_with_one_command() -> Result<()> {
    let mut story = Story::begin().await?;
    let invitation = story.beside(&["admin", "invite", "ada", "--role", "user"]).await?;
    let told = story.says(&["login", &invitation]).await?;
    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!((told.out + &told.err).contains("you are ada at 127.0.0.1, with the role 'user'"));
    // From now on it is as beside the rack, also when labd is another.
    for _ in 0..2 {
        let told = story.says(&["boards"]).await?;
        assert!(told.code == Some(0) && told.out.contains("one"), "{}", told.err);
        story.labd.crash_and_restart().await?;
    }
    let told = story.says(&["whoami"]).await?;
    assert!(told.out.contains("tls 127.0.0.1 certificate"), "{}", told.out);
    let told = story.says(&["labs"]).await?;
    assert!(told.out.contains("tls://127.0.0.1:"), "{}", told.out);
    for file in story.files()? {
        assert_eq!(fs::metadata(&file)?.permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
    let again = story.says(&["login", &invitation]).await?;
    assert_eq!(again.code, Some(5), "an invitation is good once: {}", again.err);
    let told = story.says(&["logout"]).await?;
    assert_eq!(told.code, Some(0), "{}", told.err);
    assert_eq!(story.files()?, Vec::<PathBuf>::new());
    Ok(())
}

/// Planted, and caught: a login that is renewed when a program begins, and not while it goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_renewed_for_as_long_as_somebody_is_there() -> Result<()> {
    let story = Story::begin().await?;
    let invitation = story.beside(&["admin", "invite", "ada", "--role", "user"]).await?;
    assert_eq!(story.says(&["login", &invitation, "--name", "here"]).await?.code, Some(0));
    let file = story.home.path().join(".config/labd/labs/here.json");
    let mut kept: serde_json::Value = serde_json::from_str(&fs::read_to_string(&file)?)?;
    // Two thirds of its time will be over when the program has begun.
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    kept["proof"]["since"] = u64::try_from(now - 20_000)?.into();
    kept["proof"]["until"] = u64::try_from(now + 16_000)?.into();
    let before = kept["proof"]["certificate"].clone();
    fs::write(&file, serde_json::to_string(&kept)?)?;
    let _goes_on = story.labctl(&["run", "one", "--", "sleep", "600"])?.spawn()?;
    let read = || serde_json::from_str(&fs::read_to_string(&file).ok()?).ok();
    until(|| {
        kept = read().unwrap_or_else(|| kept.clone());
        kept["proof"]["certificate"] != before
    })
    .await?;
    let end = kept["proof"]["until"].as_u64().context("it has an end")?;
    assert!(u128::from(end) > now + 20 * 3_600_000, "{end}");
    assert_eq!(story.says(&["whoami"]).await?.code, Some(0));
    Ok(())
}

/// Planted, and caught: a login that is renewed by calls, and by nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_renewed_by_whoever_makes_no_calls() -> Result<()> {
    let story = Story::begin().await?;
    let invitation = story.beside(&["admin", "invite", "ada", "--role", "user"]).await?;
    assert_eq!(story.says(&["login", &invitation, "--name", "here"]).await?.code, Some(0));
    let file = story.home.path().join(".config/labd/labs/here.json");
    let read = || anyhow::Ok(serde_json::from_str(&fs::read_to_string(&file)?)?);
    // What they are told does not matter, nor whether they are let through: it is renewed before.
    for words in
        [&["proxy", "lab"][..], &["proxy", "one"], &["forward", "one", "0:80"], &["search", "x"]]
    {
        let mut kept: serde_json::Value = read()?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        kept["proof"]["since"] = u64::try_from(now - 3_000_000)?.into();
        kept["proof"]["until"] = u64::try_from(now + 600_000)?.into();
        fs::write(&file, serde_json::to_string(&kept)?)?;
        story.says(words).await?;
        let renewed: serde_json::Value = read()?;
        assert_ne!(renewed["proof"]["certificate"], kept["proof"]["certificate"], "{words:?}");
        let end = renewed["proof"]["until"].as_u64().context("it has an end")?;
        assert!(u128::from(end) > now + 20 * 3_600_000, "{words:?}: {end}");
    }
    assert_eq!(story.says(&["whoami"]).await?.code, Some(0));
    Ok(())
}

/// Planted, and caught: the lab that was there first is forgotten.
#[tokio::test(flavor = "multi_thread")]
async fn two_labs_of_one_host_are_two_labs() -> Result<()> {
    let (one, two) = (Story::begin().await?, Story::begin().await?);
    let invitation = one.beside(&["admin", "invite", "ada", "--role", "user"]).await?;
    assert_eq!(one.says(&["login", &invitation]).await?.code, Some(0));
    let before = one.kept()?;
    let invitation = two.beside(&["admin", "invite", "bob", "--role", "user"]).await?;
    let told = one.says(&["login", &invitation]).await?;
    assert_eq!(told.code, Some(2), "{told:?}");
    let other = told.err.split("--name ").nth(1).context("another name is said")?.trim();
    assert_eq!(one.kept()?, before);
    // The invitation is as good as it was; nobody need see it.
    let mut labctl = one.labctl(&["login", "-", "--name", other])?;
    let mut labctl = labctl.stdin(std::process::Stdio::piped()).spawn()?;
    let mut stdin = labctl.stdin.take().context("piped")?;
    stdin.write_all(format!("{invitation}\n").as_bytes()).await?;
    drop(stdin);
    let ended = soon(labctl.wait_with_output()).await??;
    assert!(ended.status.success(), "{ended:?}");
    let told = one.says(&["labs"]).await?;
    assert!(told.out.contains(other) && told.out.contains("127.0.0.1 "), "{}", told.out);
    // Where the lab is the same, so is its name.
    let again = two.beside(&["admin", "invite", "bob"]).await?;
    let told = one.says(&["login", &again, "--name", other]).await?;
    assert_eq!(told.code, Some(0), "{}", told.err);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lab_that_is_another_than_it_was_is_refused_loudly() -> Result<()> {
    let mut story = Story::begin().await?;
    let invitation = story.beside(&["admin", "invite", "ada", "--role", "user"]).await?;
    assert_eq!(story.says(&["login", &invitation]).await?.code, Some(0));
    story.labd.terminate().await?;
    fs::remove_dir_all(story.labd.path("state/authority"))?;
    story.labd.start_again().await?;
    let told = story.says(&["boards"]).await?;
    assert_eq!(told.code, Some(8), "{}", told.err);
    assert!(
        told.err.contains("is not to be believed") && told.err.contains("administrator"),
        "{}",
        told.err
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_the_environment_is_enough_for_a_program_and_is_kept_nowhere() -> Result<()> {
    let story = Story::begin().await?;
    story.beside(&["user", "add", "ci", "--role", "machine"]).await?;
    let token = story.beside(&["token", "new", "--user", "ci", "--for", "1h"]).await?;
    let Invitation { address, secret } =
        story.beside(&["admin", "invite", "ci"]).await?.parse::<Invitation>()?;
    let mut command = story.labctl(&["boards"])?;
    command.env("LAB", address.to_string()).env("LAB_TOKEN", &token);
    let told = said(command).await?;
    assert!(told.code == Some(0) && told.out.contains("one"), "{}", told.err);
    for secret in [token.parse::<Secret>()?, secret] {
        assert!(!is_in(&story.labd.path("state"), secret.as_str())?, "a secret is in the state");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_good_once_logs_nobody_in_and_nothing_is_kept() -> Result<()> {
    let story = Story::begin().await?;
    let invitation = story.beside(&["admin", "invite", "ada", "--role", "user"]).await?;
    assert_eq!(story.says(&["login", &invitation, "--name", "here"]).await?.code, Some(0));
    let before = story.kept()?;
    let Invitation { address, .. } = invitation.parse()?;
    let secret = story.beside(&["token", "new", "--user", "ada", "--once"]).await?.parse()?;
    let once = Invitation { address: address.clone(), secret }.to_string();
    let told = story.says(&["login", &once, "--name", "there"]).await?;
    assert_eq!(told.code, Some(5), "{}", told.err);
    assert!(told.err.contains("good once") && told.err.contains("LAB_TOKEN"), "{}", told.err);
    assert_eq!(story.kept()?, before);
    // Any other is kept, and goes on.
    let secret = story.beside(&["token", "new", "--user", "ada"]).await?.parse()?;
    let lasts = Invitation { address, secret }.to_string();
    let told = story.says(&["login", &lasts, "--name", "there"]).await?;
    assert_eq!(told.code, Some(0), "{}", told.err);
    assert_eq!(story.says(&["boards"]).await?.code, Some(0));
    Ok(())
}

/// Whether a text is in any file of a folder.
fn is_in(folder: &Path, text: &str) -> Result<bool> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let found = if path.is_dir() {
            is_in(&path, text)?
        } else {
            fs::read(&path)?.windows(text.len()).any(|window| window == text.as_bytes())
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What somebody does who is told an address and a code.
async fn told(stderr: &mut BufReader<ChildStderr>) -> Result<(String, String)> {
    let (mut url, mut said) = (None, String::new());
    loop {
        let mut line = String::new();
        ensure!(soon(stderr.read_line(&mut line)).await?? > 0, "labctl said only: {said}");
        said += &line;
        let line = line.trim();
        match line.strip_prefix("code: ") {
            Some(code) => return Ok((url.context("an address first")?, code.to_owned())),
            None if line.starts_with("http") => url = Some(line.to_owned()),
            None => {}
        }
    }
}

/// How a lab has somebody vouch for people, as GitHub and under these names.
fn trusting(provider: &TestProvider, names: &[&str]) -> String {
    let url = provider.url();
    let client = "client_id = \"the lab\"; client_secret_file = \"@dir/secret\"";
    let oidc = names.iter().map(|it| format!("oidc {it} {{ issuer = \"{url}\"; {client} }}\n"));
    format!("login {{ github {{ url = \"{url}\"; {client} }}\n{} }}", oidc.collect::<String>())
}

/// What somebody does at a browser, by hand.
async fn browse(provider: &TestProvider, trust: &Trust, url: &str, code: &str) -> Result<()> {
    let back: Url = provider.browse(url).await?.parse()?;
    let page = web::ask(&back, trust, Ask::get()).await?;
    let page = String::from_utf8(page.body)?;
    let ticket = page.split("name=\"ticket\" value=\"").nth(1).context("no ticket")?;
    let ticket = ticket.split('"').next().context("no end of it")?;
    let confirm: Url = back.as_str().split("/callback").next().context("it")?.parse()?;
    let form = format!("ticket={ticket}&code={code}");
    let ask = Ask::post("application/x-www-form-urlencoded", form);
    let done = web::ask(&confirm.at("/confirm")?, trust, ask).await?;
    ensure!(done.status.is_success(), "{done:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_without_a_key_logs_in_with_a_browser() -> Result<()> {
    let provider = TestProvider::start().await?;
    let story = Story::with(&trusting(&provider, &[])).await?;
    let (place, trust) = story.knows_ada().await?;
    for device in [false, true] {
        let mut words = vec!["login", place.as_str(), "--with", "github"];
        words.extend(device.then_some("--device"));
        let mut labctl = story.labctl(&words)?.spawn()?;
        let mut stderr = BufReader::new(labctl.stderr.take().context("piped")?);
        let (url, code) = told(&mut stderr).await?;
        if device {
            assert!(provider.type_code(&code, Ok(())));
        } else {
            browse(&provider, &trust, &url, &code).await?;
        }
        let mut rest = String::new();
        soon(stderr.read_to_string(&mut rest)).await??;
        let ended = soon(labctl.wait_with_output()).await??;
        assert!(ended.status.success(), "{rest}");
        let told = story.says(&["whoami"]).await?;
        assert!(told.out.contains("ada") && told.out.contains("certificate"), "{}", told.out);
    }
    // Somebody whom the lab does not know is told what helps.
    provider.knows("7", "eve");
    let mut labctl = story.labctl(&["login", &place, "--with", "github", "--device"])?.spawn()?;
    let mut stderr = BufReader::new(labctl.stderr.take().context("piped")?);
    let (_, code) = told(&mut stderr).await?;
    assert!(provider.type_code(&code, Ok(())));
    let mut rest = String::new();
    soon(stderr.read_to_string(&mut rest)).await??;
    assert_eq!(soon(labctl.wait()).await??.code(), Some(5), "{rest}");
    assert!(rest.contains("labctl user identity NAME github:7"), "{rest}");
    Ok(())
}

/// A browser: it goes to the provider, to where that sends it, and sends the form back with what is typed.
const BROWSER: &str = r#"#!/bin/sh
set -e
echo "$1" > @dir/opened
ask="curl -sS --noproxy * --cacert @dir/state/authority/certificate.pem"
back=$($ask "$1")
ticket=$($ask "$back" | sed -n 's/.*name="ticket" value="\([^"]*\)".*/\1/p')
read -r code < @dir/keys
$ask --data-urlencode "ticket=$ticket" --data-urlencode "code=$code" "${back%%/callback*}/confirm"
"#;

/// Planted, and caught: no browser is opened; one is opened though another machine's is meant.
#[tokio::test(flavor = "multi_thread")]
async fn a_browser_opens_by_itself_where_there_is_a_screen() -> Result<()> {
    let provider = TestProvider::start().await?;
    let mut story = Story::with(&trusting(&provider, &[])).await?;
    let (place, trust) = story.knows_ada().await?;
    story.labd.ground().install("xdg-open", BROWSER)?;
    let (opened, keys) = (story.labd.path("opened"), story.labd.path("keys"));
    ensure!(std::process::Command::new("mkfifo").arg(&keys).status()?.success(), "no fifo");
    // Whoever has both ends waits for nobody.
    let mut keys = fs::OpenOptions::new().read(true).write(true).open(keys)?;
    let with_browser = format!("{}:/usr/bin:/bin", story.labd.path("").display());
    for (path, device, opens) in
        [(&*with_browser, false, true), (&with_browser, true, false), ("/nowhere", false, false)]
    {
        let mut words = vec!["login", place.as_str(), "--with", "github"];
        words.extend(device.then_some("--device"));
        let mut labctl = story.labctl(&words)?;
        let mut labctl = labctl.env("DISPLAY", ":0").env("PATH", path).spawn()?;
        let mut stderr = BufReader::new(labctl.stderr.take().context("piped")?);
        let (url, code) = told(&mut stderr).await?;
        match (opens, device) {
            (true, _) => writeln!(keys, "{code}")?,
            (false, true) => assert!(provider.type_code(&code, Ok(()))),
            (false, false) => browse(&provider, &trust, &url, &code).await?,
        }
        let mut rest = String::new();
        soon(stderr.read_to_string(&mut rest)).await??;
        assert!(soon(labctl.wait()).await??.success(), "{rest}");
        let sent = fs::read_to_string(&opened).ok();
        assert_eq!(sent, opens.then(|| format!("{url}\n")), "{path} {device}");
        let _ = fs::remove_file(&opened);
    }
    Ok(())
}

/// Planted, and caught: a token is asked for though there is a provider; the first of several is chosen.
#[tokio::test(flavor = "multi_thread")]
async fn at_a_terminal_the_only_provider_is_the_way_in() -> Result<()> {
    let provider = TestProvider::start().await?;
    let story = Story::with(&trusting(&provider, &[])).await?;
    let (place, trust) = story.knows_ada().await?;
    let mut terminal = Terminal::run(story.labctl(&["login", &place])?)?;
    let shown = terminal.screen.until("  code: ").await?;
    let code = terminal.screen.line().await?;
    let url = shown.split_whitespace().find(|word| word.starts_with("http")).context("no page")?;
    browse(&provider, &trust, url, &code).await?;
    terminal.screen.until("you are ada").await?;
    assert_eq!(terminal.leave("").await?, Some(0));
    // Whoever pipes something in pipes a token.
    let secret = story.beside(&["token", "new", "--user", "ada"]).await?;
    let mut labctl = story.labctl(&["login", &place])?;
    let mut labctl = labctl.stdin(std::process::Stdio::piped()).spawn()?;
    let mut stdin = labctl.stdin.take().context("piped")?;
    stdin.write_all(format!("{secret}\n").as_bytes()).await?;
    drop(stdin);
    let ended = soon(labctl.wait_with_output()).await??;
    assert!(ended.status.success(), "{ended:?}");
    Ok(())
}

/// Caught: a token is asked for before it is unseen; whoever pastes it at once sees it, and it is lost.
#[tokio::test(flavor = "multi_thread")]
async fn at_a_terminal_several_providers_are_named_and_a_token_is_typed_unseen() -> Result<()> {
    let provider = TestProvider::start().await?;
    let story = Story::with(&trusting(&provider, &["corp"])).await?;
    let (place, _) = story.knows_ada().await?;
    let secret = story.beside(&["token", "new", "--user", "ada"]).await?;
    let mut terminal = Terminal::run(story.labctl(&["login", &place])?)?;
    terminal.screen.until("--with one of these needs no token: github, corp\r\n").await?;
    terminal.screen.until("Token: ").await?;
    terminal.screen.type_in(&format!("{secret}\r")).await?;
    let shown = terminal.screen.until("you are ada").await?;
    assert!(!shown.contains(&secret), "{shown}");
    assert_eq!(terminal.leave("").await?, Some(0));
    Ok(())
}

fn trust(invitation: &Invitation) -> Result<Trust> {
    match invitation.address {
        Address::Tls { pin: Some(pin), .. } => Ok(Trust::Pinned(pin)),
        _ => anyhow::bail!("no pin"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_imported_from_a_page_or_not_at_all() -> Result<()> {
    let story = Story::begin().await?;
    story.beside(&["user", "add", "ada"]).await?;
    let key = |name: &str| -> Result<String> {
        let file = story.home.path().join(name);
        let mut keygen = std::process::Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"]).arg(&file);
        ensure!(keygen.status()?.success(), "no key");
        Ok(fs::read_to_string(file.with_extension("pub"))?)
    };
    let page = format!("{}ssh-dss AAAAB3NzaC1kc3MAAACBAP\n{}", key("one")?, key("two")?);
    let place = pages(page).await?;
    let import = async |place: &str| {
        let mut command = story.labctl(&["key", "import", "--from", place, "--user", "ada"])?;
        command.env("LAB", story.labd.address().to_string());
        said(command).await
    };
    let told = import(&format!("{place}/ada.keys")).await?;
    assert_eq!(told.code, Some(2), "{told:?}");
    assert!(told.out.contains("2 of 3 keys added for ada"), "{told:?}");
    assert!(told.err.contains("/ada.keys:2: "), "{told:?}");
    let told = import(&format!("{place}/ada.keys")).await?;
    assert!(told.out.contains("0 of 3 keys added for ada; 2 there before"), "{told:?}");
    for (path, why) in [
        ("/elsewhere", "answers 307"),
        ("/none", "answers 404"),
        ("/endless", "more than 262144 bytes"),
    ] {
        let told = import(&format!("{place}{path}")).await?;
        assert!(told.code == Some(1) && told.err.contains(why), "{told:?}");
    }
    let told = import("http://keys.example.org/ada.keys").await?;
    assert!(told.code == Some(2) && told.err.contains("write https://"), "{told:?}");
    let keys = story.beside(&["key", "list"]).await?;
    assert_eq!(keys.lines().count(), 3, "{keys}");
    Ok(())
}

/// A web server with a page of keys, and what is none.
async fn pages(keys: String) -> Result<String> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let place = format!("http://{}", listener.local_addr()?);
    let endless = async || {
        let more = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b'#'; 65_536]));
        Body::from_stream(more)
    };
    let routes = Router::new()
        .route("/ada.keys", get(async move || keys.clone()))
        .route("/elsewhere", get(async || Redirect::temporary("/ada.keys")))
        .route("/endless", get(endless));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Ok(place)
}
