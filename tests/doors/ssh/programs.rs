//! `ssh lab@lab`: labtui; `ssh lab@lab CMD`: labctl; `ssh lab@lab token`.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::CommandFactory;
use lab_tests::lab::{Plan, board, boards, name};
use lab_tests::patience::{soon, until, until_told};
use protocol::account::Secret;
use protocol::hold::Ask;
use protocol::journal::Event;
use protocol::user::Verb;
use pty_process::Size;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use super::{Scene, root};

#[tokio::test(flavor = "multi_thread")]
async fn labctl_runs_as_the_visitor_and_ends_as_it_does_at_home() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4", "rpi5"]).await?;
    let client = scene.client("ada").await?;
    let said = client.says(&["lab@lab", "reserve", "rpi4", "--note", "'two  words'"]).await?;
    assert_eq!(said.code, Some(0), "{said:?}");
    let hold = scene.lab.admin().await?.holds().await?.pop().context("a hold")?;
    assert_eq!((hold.who.as_str(), hold.note.as_deref()), ("ada", Some("two  words")));
    let said = client.says(&["lab@lab", "labctl", "--json", "holds"]).await?;
    let json: serde_json::Value = serde_json::from_str(&said.out)?;
    assert_eq!(json["items"][0]["board"], "rpi4", "{said:?}");
    for (words, code) in [
        (&["board", "rpi9"][..], 3),
        (&["release", "rpi5"], 11),
        (&["reload"], 5),
        (&["boards", "--nonsense"], 2),
        (&["console", "rpi4", "--expect", "never", "--timeout", "10ms"], 7),
    ] {
        let said = client.says(&[&["lab@lab"], words].concat()).await?;
        assert_eq!(said.code, Some(code), "{words:?}: {said:?}");
        assert!(said.err.contains("labctl: ") || said.err.contains("error: "), "{said:?}");
    }
    let reserved = |event: &Event| matches!(event, Event::Reserved { .. });
    let entry = scene.timeline().await?.event(reserved).await?;
    assert!(entry.via.is_some_and(|via| via.starts_with("ssh 127.0.0.1 key SHA256:")));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_setup_script_is_given_the_key_with_which_the_visitor_came() -> Result<()> {
    let script = "#!/bin/sh\necho \"$4\" > @dir/told\n";
    let config = format!("setup_script = \"@dir/setup\"\n{}", boards(&["rpi4"]));
    let scene = Scene::open(Plan::new(config).script("setup", script)).await?;
    let client = scene.client("ada").await?;
    let said = client.says(&["lab@lab", "reserve", "rpi4"]).await?;
    assert_eq!(said.code, Some(0), "{said:?}");
    let told = std::fs::read_to_string(scene.lab.path("told"))?;
    assert!(told.contains(client.public()?.trim()), "{told}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_go_through_both_ways_as_they_are() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    scene.lab.user("ada").await?.reserve(board("rpi4")).await?;
    let client = scene.client("ada").await?;
    let _echo = scene.lab.board("rpi4").echo().await?;
    let all: String = (0..=127_u8).map(char::from).collect::<String>().repeat(100);
    let said =
        client.says_to(&["-T", "lab@lab", "console", "rpi4", "--linger", "500ms"], &all).await?;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out == all, "{} bytes came back", said.out.len());
    let client = scene.client("root").await?;
    let said = client.says(&["lab@lab", "admin", "export"]).await?;
    assert!(said.out.lines().count() > 3, "{said:?}");
    let again = client.says_to(&["lab@lab", "admin", "import"], &said.out).await?;
    assert!(again.err.contains("boards are held"), "{again:?}");
    Ok(())
}

/// What visitors may run of labctl, and what they may not: that has to do with this machine's files,
/// programs or ports.
const OPEN: &[&str] = &[
    "admin export",
    "admin import",
    "admin invite",
    "admin rebuild",
    "admin verify",
    "at",
    "audit",
    "audit verify",
    "auth can-i",
    "auth why",
    "board",
    "boards",
    "boots",
    "boots compare",
    "break",
    "classes",
    "console",
    "doctor",
    "extend",
    "give",
    "group add",
    "group list",
    "group remove",
    "holds",
    "journal",
    "key list",
    "key remove",
    "line",
    "note",
    "power",
    "queue",
    "record",
    "release",
    "reload",
    "reserve",
    "search",
    "token list",
    "token new",
    "token revoke",
    "triggers",
    "user add",
    "user identity",
    "user list",
    "user remove",
    "user role",
    "wait",
    "whoami",
];
const CLOSED: &[&str] = &[
    "demo",
    "forward",
    "key add",
    "key import",
    "labs",
    "login",
    "logout",
    "man",
    "play",
    "proxy",
    "run",
    "send",
    "serial",
    "ssh",
];

/// Every command has its row; a new one is in neither list until somebody says so.
#[test]
fn a_command_is_open_to_visitors_only_if_somebody_says_so() {
    let command = labctl::Cli::command();
    let all = command.get_subcommands().flat_map(|command| {
        let name = command.get_name();
        let within = command.get_subcommands().map(move |it| format!("{name} {}", it.get_name()));
        // By itself it may say nothing.
        let itself = (!command.is_subcommand_required_set()).then(|| name.to_owned());
        itself.into_iter().chain(within)
    });
    let (mut open, mut closed): (Vec<String>, Vec<String>) =
        all.partition(|words| labd::ssh::words::wanted(words.as_bytes()).is_ok());
    open.sort_unstable();
    closed.sort_unstable();
    assert_eq!((open, closed), (told_of(OPEN), told_of(CLOSED)));
}

fn told_of(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// The most dangerous part: labctl runs here with labd's own rights.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_reaches_labds_own_files_programs_or_socket() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let socket = scene.lab.socket()?;
    let secret = scene.lab.path("secret");
    std::fs::write(&secret, "the administrator's\n")?;
    let (secret, written) = (secret.display().to_string(), scene.lab.path("written"));
    let file = written.display().to_string();
    let by_socket = format!("--lab={socket}");
    // Also an administrator is a visitor.
    for user in ["ada", "root"] {
        let client = scene.client(user).await?;
        for line in [
            format!("run rpi4 -- touch {file}"),
            format!("--json run rpi4 -- touch {file}"),
            format!("labctl run rpi4 -- touch {file}"),
            format!("man {}", scene.lab.path("").display()),
            format!("admin export {file}"),
            format!("admin export -- {file}"),
            format!("admin export --json {file}"),
            format!("admin import {secret}"),
            format!("key add {secret}"),
            format!("reserve rpi4 --key {secret}"),
            format!("reserve rpi4 --key={secret}"),
            format!("reserve rpi4 -k{secret}"),
            format!("reserve rpi4 -qk{secret}"),
            format!("reserve rpi4 -qk {secret}"),
            format!("boards {by_socket}"),
            format!("boards --lab {socket}"),
            format!("{by_socket} admin verify"),
            format!("doctor '{by_socket}'"),
            format!("sh -c 'touch {file}'"),
            format!("boards; touch {file}"),
            format!("boards && touch {file}"),
            format!("boards | tee {file}"),
            format!("boards > {file}"),
            format!("boards `touch {file}`"),
            format!("boards $(touch {file})"),
            format!("boards\ntouch {file}"),
            "demo".to_owned(),
            "../labd".to_owned(),
            "labd check /etc/passwd".to_owned(),
            "internal-sftp".to_owned(),
            "scp -f /etc/passwd".to_owned(),
            "rsync --server . /".to_owned(),
        ] {
            let said = client.says(&["lab@lab", &line]).await?;
            assert!(said.code.is_some_and(|code| code != 0), "{line}: {said:?}");
            let all = said.out.clone() + &said.err;
            assert!(!all.contains("administrator's"), "{line}: {said:?}");
            assert!(!all.contains("root, with the role"), "{line}: {said:?}");
            assert!(!written.exists(), "{line}: {said:?}");
        }
        // labctl itself refuses, whatever the door lets through.
        let rooms = scene.lab.path("rooms");
        assert_eq!(std::fs::read_dir(&rooms)?.count(), 0, "every room is cleared away");
        assert_eq!(std::fs::metadata(&rooms)?.permissions().mode() & 0o777, 0o700);
    }
    assert!(scene.lab.admin().await?.holds().await?.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_service_is_offered() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let client = scene.client("ada").await?;
    let said = client.says(&["-s", "lab@lab", "sftp"]).await?;
    assert_eq!(said.code, Some(255), "{said:?}");
    assert!(said.err.contains("subsystem request failed"), "{said:?}");
    for words in [
        &["-R", "0:127.0.0.1:22", "-o", "ExitOnForwardFailure=yes"][..],
        &["-R", "/tmp/x.sock:127.0.0.1:22", "-o", "ExitOnForwardFailure=yes"],
    ] {
        let said = client.says(&[words, &["lab@lab", "boards"]].concat()).await?;
        assert_eq!(said.code, Some(255), "{said:?}");
        assert!(said.err.contains("remote port forwarding failed"), "{said:?}");
    }
    let sent = ["SetEnv=LAB=unix:/x", "SetEnv=LD_PRELOAD=/x.so", "SetEnv=HOME=/", "SetEnv=PATH=/x"];
    for env in sent {
        let said = client.says(&["-o", env, "lab@lab", "boards"]).await?;
        assert_eq!(said.code, Some(0), "{env}: {said:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_opens_the_lab_is_in_arguments_or_environment() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let bob = scene.lab.user("bob").await?;
    bob.reserve(board("rpi4")).await?;
    let client = scene.client("ada").await?;
    let wait = ["-o", "SetEnv=LANG=de_DE.UTF-8 FOO=bar", "lab@lab", "reserve", "rpi4", "--wait"];
    let mut ssh = client.ssh(&wait).spawn()?;
    let mut talk = BufReader::new(ssh.stderr.take().context("piped")?).lines();
    // It has said so when it waits.
    while !soon(talk.next_line()).await??.context("it waits")?.contains("give up with") {}
    let room = scene.lab.path("rooms/1");
    let room = room.display().to_string();
    let labctl = running_in(&room).context("labctl runs there")?;
    let read = |what: &str| std::fs::read(format!("/proc/{labctl}/{what}"));
    let environment = String::from_utf8(read("environ")?)?;
    let mut names: Vec<&str> = environment.split_terminator('\0').collect();
    names.sort_unstable();
    let lab = format!("LAB=unix:{room}/lab");
    let home = format!("HOME={room}");
    assert_eq!(names, [home.as_str(), lab.as_str(), "LAB_VISITOR=1", "LANG=de_DE.UTF-8"]);
    let arguments = String::from_utf8(read("cmdline")?)?;
    assert!(arguments.ends_with("labctl\0reserve\0rpi4\0--wait\0"), "{arguments:?}");
    assert_eq!(std::fs::metadata(&room)?.permissions().mode() & 0o777, 0o700);
    // The client is gone, and so is what it began.
    ssh.kill().await?;
    until(|| !Path::new(&format!("/proc/{labctl}")).exists() && !Path::new(&room).exists()).await?;
    let left = |event: &Event| matches!(event, Event::Unqueued { .. });
    scene.timeline().await?.event(left).await?;
    Ok(())
}

/// The process whose folder is this.
fn running_in(folder: &str) -> Option<u32> {
    let processes = std::fs::read_dir("/proc").ok()?;
    processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).find(|id: &u32| {
        std::fs::read_link(format!("/proc/{id}/cwd")).is_ok_and(|cwd| cwd == Path::new(folder))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_screen_is_there_at_the_visitors_size_and_follows_it() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4", "rpi5"]).await?;
    let client = scene.client("ada").await?;
    let mut terminal = client.at_terminal(&["lab@lab"], Size::new(30, 100))?;
    let shown = terminal.screen.until("\x1b[30;").await?;
    assert!(shown.contains("\x1b[?1049h"), "{shown:?}");
    terminal.screen.until("rpi5").await?;
    terminal.resize(120, 44)?;
    terminal.screen.until("\x1b[44;").await?;
    let began = Instant::now();
    terminal.screen.type_in("q").await?;
    terminal.screen.until("\x1b[?1049l").await?;
    assert_eq!(terminal.ended().await?, Some(0));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    until(|| std::fs::read_dir(scene.lab.path("rooms")).is_ok_and(|rooms| rooms.count() == 0)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_screen_is_the_visitors_and_so_is_what_they_do_there() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    // The visitor's own name will do for 'lab': it is what ssh says if nothing is said.
    let client = scene.client("ada").await?;
    let mut terminal = client.at_terminal(&["ada@lab"], Size::new(30, 100))?;
    terminal.screen.until("rpi4").await?;
    let bob = scene.lab.user("bob").await?;
    bob.reserve(Ask { note: Some("bobs own".to_owned()), ..board("rpi4") }).await?;
    terminal.screen.until("bob").await?;
    // There is no shell behind it.
    terminal.screen.type_in("\x1a").await?;
    terminal.screen.type_in("q").await?;
    assert_eq!(terminal.ended().await?, Some(0));
    let said = client.says(&["-T", "lab@lab"]).await?;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("labtui draws on a terminal"), "{said:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn labctl_has_a_terminal_if_the_visitor_brings_one() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    scene.lab.user("ada").await?.reserve(board("rpi4")).await?;
    let client = scene.client("ada").await?;
    let words = ["-t", "lab@lab", "console", "rpi4"];
    let mut terminal = client.at_terminal(&words, Size::new(24, 80))?;
    terminal.screen.until("Ctrl-T q leaves").await?;
    scene.lab.board("rpi4").print("# ").await?;
    terminal.screen.until("# ").await?;
    terminal.screen.type_in("ls\r").await?;
    assert_eq!(scene.lab.board("rpi4").typed(3).await?, "ls\r");
    terminal.screen.type_in("\x14q").await?;
    assert_eq!(terminal.ended().await?, Some(0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_printed_and_opens_what_it_says() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let client = scene.client("ada").await?;
    let secret = |out: &str| -> Result<Secret> { Ok(out.trim_end().parse()?) };
    let said = client.says(&["lab@lab", "token"]).await?;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    let peer = scene.lab.lab().come_in(&secret(&said.out)?, "here").await?;
    assert_eq!(peer.name.as_str(), "ada");
    let words = ["lab@lab", "token", "--for", "1h", "--class", "rpi", "--once", "--note", "ci"];
    let said = client.says(&words).await?;
    let once = secret(&said.out)?;
    let who = scene.lab.lab().who(&scene.lab.lab().come_in(&once, "here").await?)?;
    assert_eq!(who.scope.classes, ["rpi"]);
    let left = who.until.context("it ends")?.since(scene.lab.now());
    assert!(left <= protocol::Span::hours(1) && left > protocol::Span::minutes(59), "{left}");
    scene.lab.lab().come_in(&once, "here").await.unwrap_err();
    for (options, code, told) in [
        (&["--class", "moon"][..], 3, "there is no class 'moon'"),
        (&["--for", "soon"], 2, "soon"),
        (&["--nonsense"], 2, "--nonsense"),
        (&["--help"], 0, "--once"),
    ] {
        let said = client.says(&[&["lab@lab", "token"], options].concat()).await?;
        assert_eq!(said.code, Some(code), "{said:?}");
        assert!(said.err.contains(told) && said.out.is_empty(), "{said:?}");
    }
    let guest = scene.client("guest").await?.says(&["lab@lab", "token"]).await?;
    assert_eq!(guest.code, Some(5), "{guest:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_programs_are_not_it_is_said() -> Result<()> {
    let nowhere = tempfile::tempdir()?;
    let plan = Plan::new(boards(&["rpi4"]));
    let scene = Scene::with_programs(plan, nowhere.path().to_owned()).await?;
    let client = scene.client("ada").await?;
    for (words, program) in
        [(&["-tt", "lab@lab"][..], "labtui"), (&["lab@lab", "boards"], "labctl")]
    {
        let said = client.says(words).await?;
        assert_eq!(said.code, Some(9), "{said:?}");
        let path = nowhere.path().join(program);
        let told = said.out.clone() + &said.err;
        assert!(told.contains(&format!("there is no {}", path.display())), "{said:?}");
    }
    assert_eq!(client.says(&["lab@lab", "token"]).await?.code, Some(0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_and_many_channels_on_one_connection_are_served() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let client = scene.client("ada").await?;
    let control = scene.lab.path("control");
    let control = format!("ControlPath={}", control.display());
    let words = ["-o", &control, "-o", "ControlMaster=yes", "-N", "lab@lab"];
    let mut master = client.ssh(&words).spawn()?;
    until(|| scene.lab.path("control").exists()).await?;
    let words = ["-o", &control, "lab@lab", "boards"];
    let all = futures::future::try_join_all((0..20).map(|_| client.says(&words))).await?;
    for said in all {
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(said.out.contains("rpi4"), "{said:?}");
    }
    master.kill().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_who_does_not_read_harms_nobody_and_is_shown_out() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let client = scene.stranger("ada", "ed25519").await?;
    let key = scene.admit("ada", &client.public()?).await?;
    let mut ssh =
        client.ssh(&["-T", "lab@lab", "console", "rpi4", "-r", "--since", "start"]).spawn()?;
    let mut out = ssh.stdout.take().context("piped")?;
    scene.lab.board("rpi4").print("begin").await?;
    let mut begin = [0; 5];
    soon(out.read_exact(&mut begin)).await??;
    for _ in 0..200 {
        scene.lab.board("rpi4").print("x".repeat(64 * 1024)).await?;
    }
    let other = client.says(&["lab@lab", "boards"]).await?;
    assert_eq!(other.code, Some(0), "{other:?}");
    scene.lab.lab().remove_key(&root()?, &key.fingerprint).await?;
    until(|| std::fs::read_dir(scene.lab.path("rooms")).is_ok_and(|rooms| rooms.count() == 0))
        .await?;
    ssh.stdout = Some(out);
    assert_eq!(soon(ssh.wait_with_output()).await??.status.code(), Some(255));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_user_has_so_many_programs_on_all_connections_and_others_have_theirs() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let (ada, bob) = (scene.client("ada").await?, scene.client("bob").await?);
    scene.lab.board("rpi4").print("begin").await?;
    let looking = (0..32).map(async |_| {
        let words = ["-T", "lab@lab", "console", "rpi4", "-r", "--since", "start"];
        let mut ssh = ada.ssh(&words).spawn()?;
        let mut begin = [0; 5];
        soon(ssh.stdout.as_mut().context("piped")?.read_exact(&mut begin)).await??;
        anyhow::Ok(ssh)
    });
    let mut looking = futures::future::try_join_all(looking).await?;
    let said = ada.says(&["lab@lab", "boards"]).await?;
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains("you have 32 programs running in this lab by ssh"), "{said:?}");
    assert_eq!(bob.says(&["lab@lab", "boards"]).await?.code, Some(0));
    let ended = looking.pop().context("there are 32")?;
    drop(ended);
    until_told(async || Ok(ada.says(&["lab@lab", "boards"]).await?.code == Some(0))).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_done_here_may_not_be_done_by_ssh() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let guest = scene.client("guest").await?;
    let said = guest.says(&["lab@lab", "reserve", "rpi4"]).await?;
    assert_eq!(said.code, Some(5), "{said:?}");
    let denied = scene.refusal().await?;
    match denied.event {
        Event::Denied { verb: Verb::Hold, .. } => {}
        other => bail!("{other:?}"),
    }
    assert_eq!(denied.who, Some("guest".parse()?));
    scene.lab.admin().await?.board(name("rpi4")).await?;
    Ok(())
}
