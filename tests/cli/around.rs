//! Colours, pipes, completion, manual pages, and the demo.

use std::fs;
use std::process::Stdio;

use anyhow::{Context, Result};
use lab_tests::lab::{Plan, board};
use lab_tests::patience::{soon, until};
use lab_tests::programs;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use protocol::account::{AccountAsk, TokenAsk};
use protocol::user::Role;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::process::Command;

use super::{Scene, said};

const COMMANDS: [&str; 34] = [
    "boards", "board", "classes", "reserve", "release", "extend", "give", "holds", "queue",
    "power", "console", "journal", "search", "record", "play", "at", "audit", "note", "run",
    "wait", "reload", "doctor", "admin", "demo", "man", "whoami", "auth", "user", "group", "token",
    "key", "login", "logout", "labs",
];

#[tokio::test]
async fn colours_are_used_when_they_are_wanted() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    for (variables, arguments, coloured) in [
        (&[][..], &["boards"][..], false),
        (&[("CLICOLOR_FORCE", "1")], &["boards"], true),
        (&[("CLICOLOR_FORCE", "0")], &["boards"], false),
        (&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], &["boards"], false),
        (&[("NO_COLOR", "1")], &["boards", "--color", "always"], true),
        (&[("CLICOLOR_FORCE", "1")], &["boards", "--color", "never"], false),
        (&[("CLICOLOR_FORCE", "1")], &["boards", "--json"], false),
        (&[("CLICOLOR_FORCE", "1")], &["board", "rpi9"], true),
    ] {
        let mut command = scene.labctl(arguments)?;
        command.envs(variables.iter().copied());
        let said = said(command).await?;
        let text = said.out + &said.err;
        assert_eq!(text.contains('\x1b'), coloured, "{variables:?} {arguments:?}: {text}");
    }
    Ok(())
}

#[tokio::test]
async fn who_has_read_enough_is_no_error() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    for arguments in [
        &["boards"][..],
        &["journal"],
        &["journal", "--json"],
        &["boards", "--json"],
        &["board", "rpi4"],
    ] {
        let mut child = scene.labctl(arguments)?.spawn()?;
        drop(child.stdout.take());
        let output = soon(child.wait_with_output()).await??;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), said.as_str()), (Some(0), ""), "{arguments:?}");
    }
    Ok(())
}

#[tokio::test]
async fn what_others_write_does_nothing_to_the_terminal() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let bob = scene.lab.user("bob").await?;
    let hostile = "\x1b]0;owned\x07\x1b[2J\u{9b}31mboo\u{202e}\r\nnext";
    bob.reserve(protocol::hold::Ask { note: Some(hostile.to_owned()), ..board("rpi4") }).await?;
    bob.note(lab_tests::lab::name("rpi4"), hostile.to_owned()).await?;
    for arguments in [
        &["boards"][..],
        &["board", "rpi4"],
        &["holds"],
        &["journal"],
        &["journal", "rpi4"],
        &["audit"],
        &["search", "U-Boot"],
    ] {
        let said = scene.says(arguments).await?;
        let bad = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(!said.out.contains(bad), "{arguments:?}: {:?}", said.out);
    }
    Ok(())
}

#[tokio::test]
async fn who_resets_a_board_that_is_off_is_told_to_switch_it_on() -> Result<()> {
    let config = "classes { sim { } } boards [ { name = sim1; class = sim;
        options = [ { cls = sim; seed = 7; speed = 200 } ] } ]";
    let scene = Scene::open(Plan::new(config)).await?;
    scene.lab.user("ada").await?.reserve(board("sim1")).await?;
    let said = scene.says(&["power", "sim1", "reset"]).await?;
    assert_eq!(said.code, Some(9), "{said:?}");
    assert!(said.err.contains("help: switch it on first with 'labctl power sim1 on'"), "{said:?}");
    assert_eq!(scene.says(&["power", "sim1", "on"]).await?.code, Some(0));
    assert_eq!(scene.says(&["power", "sim1", "reset"]).await?.code, Some(0));
    Ok(())
}

#[tokio::test]
async fn the_shell_completes_the_names_of_the_boards_that_there_are() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4", "rpi5"]).await?;
    let mut command = scene.labctl(&[])?;
    command.env("COMPLETE", "bash");
    let script = said(command).await?.out;
    assert!(script.contains("complete "), "{script}");
    // A lab on a machine that is busy with something else may not answer in time: then nothing is
    // offered, and the next key asks again.
    assert_eq!(offered(&scene, &["power", "rp"]).await?, ["rpi4", "rpi5"]);
    assert_eq!(offered(&scene, &["run", "--class", ""]).await?, ["rpi"]);
    Ok(())
}

/// What the shell offers for the last word.
async fn offered(scene: &Scene, words: &[&str]) -> Result<Vec<String>> {
    for _ in 0..20 {
        let mut command = scene.labctl(&["--", "labctl"])?;
        command
            .args(words)
            .env("COMPLETE", "bash")
            .env("_CLAP_COMPLETE_INDEX", words.len().to_string())
            .env("_CLAP_COMPLETE_COMP_TYPE", "9")
            .env("_CLAP_COMPLETE_SPACE", "true")
            .env("_CLAP_IFS", "\n");
        let offered = said(command).await?.out;
        if !offered.is_empty() {
            return Ok(offered.lines().map(str::to_owned).collect());
        }
    }
    Ok(Vec::new())
}

#[tokio::test]
async fn the_shell_completes_people_and_what_they_come_in_with_and_no_hidden_board() -> Result<()> {
    let config = lab_tests::lab::boards(&["rpi4", "rpi5"])
        .replace("name = rpi5;", "name = rpi5; groups = kernel;");
    let scene = Scene::open(Plan::new(config).by_hand()).await?;
    let (ada, root) = (scene.lab.user("ada").await?, scene.lab.admin().await?);
    assert_eq!(offered(&scene, &["power", "rp"]).await?, ["rpi4"]);
    assert_eq!(offered(&scene, &["auth", "can-i", "po"]).await?, ["power"]);
    let add = AccountAsk::Add { role: Role::User, span: None };
    root.change_account("ada".parse()?, add).await?;
    assert_eq!(offered(&scene, &["user", "remove", "a"]).await?, ["ada"]);
    assert_eq!(offered(&scene, &["user", "role", "ada", "mo"]).await?, ["moderator"]);
    let id = ada.make_token(TokenAsk::default()).await?.token.id;
    assert_eq!(offered(&scene, &["token", "revoke", ""]).await?[..1], [id]);
    let line = format!("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{} home", "A".repeat(43));
    let fingerprint = ada.add_key(None, line).await?.fingerprint;
    // bash splits words at a colon.
    let key = offered(&scene, &["key", "remove", ""]).await?;
    assert!(key[0].ends_with(fingerprint.trim_start_matches("SHA256:")), "{key:?}");
    Ok(())
}

#[tokio::test]
async fn a_page_of_help_has_a_commands_own_options_first_and_fits() -> Result<()> {
    let scene = Scene::with_boards(&[]).await?;
    for command in COMMANDS {
        let page = scene.says(&[command, "--help"]).await?.out;
        let (own, common) =
            page.split_once("\nOptions of every command:\n").context("it has them")?;
        assert!(!own.contains("--lab ") && !own.contains("--help"), "{page}");
        let options: Vec<_> = common.lines().filter_map(|line| line.split("--").nth(1)).collect();
        let names = options.iter().map(|option| option.split(' ').next().unwrap_or_default());
        assert_eq!(names.take(4).collect::<Vec<_>>(), ["lab", "json", "color", "help"], "{page}");
        assert!(!page.contains("ossible values"), "the text has them: {page}");
        assert!(page.lines().all(|line| line.chars().count() <= 100), "{page}");
        assert_eq!(scene.says(&[command, "-h"]).await?.out, page, "there is one page of help");
    }
    Ok(())
}

#[tokio::test]
async fn a_lab_is_named_by_the_option_or_else_by_the_environment() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let lab = |value: &str| -> Result<Command> {
        let mut command = scene.labctl(&["boards"])?;
        command.env("LAB", value);
        Ok(command)
    };
    let wrong = said(lab("nowhere")?).await?;
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert!(wrong.err.starts_with("error: LAB: 'nowhere' is not the address"), "{wrong:?}");
    let unsaid = said(lab("")?).await?;
    assert_ne!(unsaid.code, Some(2), "as if it were not set: {unsaid:?}");
    let mut named = lab("unix:/nowhere")?;
    named.args(["--lab", &scene.ada.to_string()]);
    assert_eq!(said(named).await?.code, Some(0));
    Ok(())
}

#[tokio::test]
async fn every_command_has_a_manual_page_with_the_text_of_its_help() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let folder = scene.lab.path("man");
    let said = scene.says(&["man", &folder.display().to_string()]).await?;
    assert_eq!(said.code, Some(0), "{said:?}");
    for command in COMMANDS {
        let page = fs::read_to_string(folder.join(format!("labctl-{command}.1")))?;
        assert!(page.contains(".SH DESCRIPTION"), "{command}: {page}");
    }
    let page = fs::read_to_string(folder.join("labctl.1"))?;
    assert!(page.contains("Exit status") && page.contains("held by another"), "{page}");
    Ok(())
}

#[tokio::test]
async fn a_lab_that_says_nothing_is_not_waited_for_for_ever() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let socket = scene.lab.path("mute.sock");
    let _listener = tokio::net::UnixListener::bind(&socket)?;
    let mut child =
        scene.labctl(&["boards"])?.env("LAB", format!("unix:{}", socket.display())).spawn()?;
    // It gives up after 30 s, and until then it waits: no busy loop, no error of another kind.
    let ended = tokio::time::timeout(std::time::Duration::from_millis(200), child.wait()).await;
    assert!(ended.is_err(), "{ended:?}");
    child.kill().await?;
    Ok(())
}

/// The process behind a socket.
async fn process(socket: &std::path::Path) -> Result<Pid> {
    let peer = UnixStream::connect(socket).await?.peer_cred()?;
    Ok(Pid::from_raw(peer.pid().context("the kernel says")?))
}

#[tokio::test]
async fn the_demo_starts_without_a_terminal_and_is_found_the_second_time() -> Result<()> {
    let scene = Scene::with_boards(&[]).await?;
    let folder = scene.lab.path("runtime");
    fs::create_dir(&folder)?;
    let demo = || -> Result<Command> {
        let mut command = scene.labctl(&["demo"])?;
        command.env("XDG_RUNTIME_DIR", &folder).env_remove("LAB");
        Ok(command)
    };
    let first = said(demo()?).await?;
    let socket = folder.join("labd/demo.sock");
    let labd = process(&socket).await?;
    let second = said(demo()?).await;
    let at_the_demo = async |command: &str| {
        let mut labctl = scene.labctl(&[command])?;
        labctl.env("XDG_RUNTIME_DIR", &folder).env_remove("LAB");
        said(labctl).await
    };
    let boards = at_the_demo("boards").await;
    let reload = at_the_demo("reload").await;
    let same = process(&socket).await;
    kill(labd, Signal::SIGTERM)?;
    until(|| !socket.exists()).await?;
    let (second, boards, reload) = (second?, boards?, reload?);
    assert_eq!(same?, labd, "no second one was started");
    for said in [&first, &second] {
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(said.out.starts_with("BOARD") && said.out.contains("imx8-1"), "{said:?}");
        assert!(said.err.contains("labctl reserve imx8-1"), "{said:?}");
    }
    assert!(boards.out.contains("imx8-1"), "labctl looks there by itself: {boards:?}");
    assert!(reload.err.contains("help: for a lab of your own, write a labd.conf"), "{reload:?}");
    Ok(())
}

#[tokio::test]
async fn labd_says_at_its_start_what_its_machine_lacks_and_opens_all_the_same() -> Result<()> {
    let scene = Scene::with_boards(&[]).await?;
    let (config, socket) = (scene.lab.path("own.conf"), scene.lab.path("own.sock"));
    fs::write(&config, "setup_script = /nowhere/board-setup\n")?;
    let labd = Command::new(programs::path("labd")?)
        .arg("--config")
        .arg(&config)
        .arg("--state")
        .arg(scene.lab.path("own"))
        .arg("--socket")
        .arg(&socket)
        .env_remove("LABD_LOG")
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    until(|| socket.exists()).await?;
    kill(Pid::from_raw(labd.id().context("it runs")?.try_into()?), Signal::SIGTERM)?;
    let log = soon(labd.wait_with_output()).await??.stderr;
    let log = String::from_utf8_lossy(&log).into_owned();
    let warned = log.lines().find(|line| line.contains("WARN")).unwrap_or_default();
    let place = format!("at={}:1:16", config.display());
    assert!(warned.contains("/nowhere/board-setup does not exist"), "{log}");
    assert!(warned.contains(&place), "{log}");
    Ok(())
}

#[tokio::test]
async fn labd_demo_prints_its_boards_and_ends_when_it_is_told_to() -> Result<()> {
    let scene = Scene::with_boards(&[]).await?;
    let socket = scene.lab.path("own.sock");
    let mut labd = Command::new(programs::path("labd")?)
        .arg("demo")
        .arg("--socket")
        .arg(&socket)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    until(|| socket.exists()).await?;
    let mut printed = String::new();
    let mut out = labd.stdout.take().context("piped")?;
    soon(async {
        while !printed.contains("Ctrl-C ends the lab.") {
            let mut buffer = [0; 4096];
            let read = out.read(&mut buffer).await?;
            printed += &String::from_utf8_lossy(&buffer[..read]);
            anyhow::ensure!(read > 0, "it ended: {printed}");
        }
        anyhow::Ok(())
    })
    .await??;
    assert!(printed.starts_with("BOARD"), "{printed}");
    kill(Pid::from_raw(labd.id().context("it runs")?.try_into()?), Signal::SIGTERM)?;
    assert!(soon(labd.wait()).await??.success());
    assert!(!socket.exists());
    Ok(())
}
