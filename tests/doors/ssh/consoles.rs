//! `ssh BOARD@lab`.

use anyhow::Result;
use lab_tests::hostile::{Screen, Sequence, corpus};
use lab_tests::lab::{Plan, board, boards, name};
use lab_tests::patience::soon;
use protocol::hold::Release;
use protocol::journal::Event;
use pty_process::Size;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::Scene;

const USUAL: fn() -> Size = || Size::new(24, 80);

#[tokio::test(flavor = "multi_thread")]
async fn the_holder_types_on_the_console_and_leaves_as_from_any_ssh() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    scene.lab.user("ada").await?.reserve(board("rpi4")).await?;
    let client = scene.client("ada").await?;
    let rpi4 = scene.lab.board("rpi4");
    rpi4.print("U-Boot 2026.01\r\n").await?;
    let mut terminal = client.at_terminal(&["rpi4@lab"], USUAL())?;
    let shown = terminal.screen.until("U-Boot 2026.01\r\n").await?;
    assert!(shown.contains("[rpi4: Enter ~ . leaves]\r\n"), "{shown:?}");
    terminal.screen.type_in("root\r\x03\x1a\x14q").await?;
    assert_eq!(rpi4.typed(9).await?, "root\r\x03\x1a\x14q");
    rpi4.print("login: ").await?;
    terminal.screen.until("login: ").await?;
    terminal.screen.type_in("\r~.").await?;
    assert_eq!(terminal.ended().await?, Some(255));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_hold_the_board_looks_on() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let bob = scene.lab.user("bob").await?;
    bob.reserve(board("rpi4")).await?;
    let mut typist = bob.type_at("rpi4").await?;
    let client = scene.client("ada").await?;
    let mut terminal = client.at_terminal(&["rpi4@lab"], USUAL())?;
    terminal.screen.until("[read-only: rpi4 is held by bob]\r\n").await?;
    let hostile = "\x1b]0;title\x07\x1b]52;c;ZXZpbA==\x07\x1b[6n\x1bc\x1b[?1049h\x1b[31msafe";
    scene.lab.board("rpi4").print(hostile).await?;
    let shown = terminal.screen.until("safe").await?;
    assert_eq!(shown, "\x1b[31msafe");
    terminal.screen.type_in("not for you").await?;
    typist.type_in("mine").await?;
    assert_eq!(scene.lab.board("rpi4").typed(4).await?, "mine");
    let refusal = scene.refusal().await?;
    assert_eq!(refusal.who, Some("ada".parse()?));
    assert!(refusal.via.is_some_and(|via| via.starts_with("ssh 127.0.0.1 key SHA256:")));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_board_prints_does_anything_to_the_terminal_or_is_answered() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    scene.lab.user("ada").await?.reserve(board("rpi4")).await?;
    let client = scene.client("ada").await?;
    let mut terminal = client.at_terminal(&["rpi4@lab"], USUAL())?;
    terminal.screen.until("leaves]\r\n").await?;
    let mut screen = Screen::default();
    let modes = screen.modes();
    for (number, Sequence { name, bytes }) in corpus().into_iter().enumerate() {
        let mark = format!("mark-{number}.");
        scene.lab.board("rpi4").print([&bytes[..], b"\r\n", mark.as_bytes()].concat()).await?;
        screen.show(terminal.screen.until(&mark).await?.as_bytes());
        assert_eq!(screen.modes(), modes, "{name}");
        assert!(screen.said().is_empty(), "{name}");
    }
    terminal.screen.type_in("X").await?;
    assert_eq!(scene.lab.board("rpi4").typed(1).await?, "X");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_session_ends_with_the_hold_and_says_why() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let (ada, root) = (scene.lab.user("ada").await?, scene.lab.admin().await?);
    ada.reserve(board("rpi4")).await?;
    let client = scene.client("ada").await?;
    let mut terminal = client.at_terminal(&["rpi4@lab"], USUAL())?;
    terminal.screen.until("leaves]\r\n").await?;
    let release = Release { number: None, breaking: Some("lunch".to_owned()) };
    root.release(name("rpi4"), release).await?;
    let said = terminal.screen.until("lunch").await?;
    assert!(said.contains("of rpi4 is over: "), "{said:?}");
    assert_eq!(terminal.ended().await?, Some(11));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_of_the_same_name_is_next_in_line_for_the_pen() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    scene.lab.user("ada").await?.reserve(board("rpi4")).await?;
    let client = scene.client("ada").await?;
    let mut first = client.at_terminal(&["rpi4@lab"], USUAL())?;
    first.screen.until("leaves]\r\n").await?;
    let mut second = client.at_terminal(&["rpi4@lab"], USUAL())?;
    second.screen.until("[somebody else types here; ").await?;
    second.screen.until("]\r\n").await?;
    let piped = client.says_to(&["-T", "rpi4@lab"], "x").await?;
    assert_eq!(piped.code, Some(6), "{piped:?}");
    assert!(
        piped.err.contains("you do not have the pen of rpi4's console; ada has it"),
        "{piped:?}"
    );
    first.screen.type_in("\r").await?;
    assert_eq!(scene.lab.board("rpi4").typed(1).await?, "\r");
    first.screen.type_in("~.").await?;
    assert_eq!(first.ended().await?, Some(255));
    let handed_on = |event: &Event| matches!(event, Event::PenDropped { .. });
    scene.timeline().await?.event(handed_on).await?;
    second.screen.type_in("ls").await?;
    assert_eq!(scene.lab.board("rpi4").typed(2).await?, "ls");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn between_pipes_everything_arrives_or_it_is_said_why_not() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let ada = scene.lab.user("ada").await?;
    let client = scene.client("ada").await?;
    let refused = client.says_to(&["-T", "rpi4@lab"], "reboot\r").await?;
    assert_eq!(refused.code, Some(11), "{refused:?}");
    assert!(refused.err.contains("you do not hold rpi4"), "{refused:?}");
    ada.reserve(board("rpi4")).await?;
    let _echo = scene.lab.board("rpi4").echo().await?;
    let long = "0123456789".repeat(20_000);
    let said = client.says_to(&["-T", "rpi4@lab"], &long).await?;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    assert!(said.out == long, "{} bytes came back", said.out.len());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_types_at_a_board_that_takes_nothing_is_still_heard() -> Result<()> {
    let slow = "tags = [arm64]; pace { bytes = 1; every = 1h }";
    let config = boards(&["rpi4"]).replace("tags = [arm64]", slow);
    let scene = Scene::open(Plan::new(config)).await?;
    scene.lab.user("ada").await?.reserve(board("rpi4")).await?;
    let client = scene.client("ada").await?;
    let control = format!("ControlPath={}", scene.lab.path("control").display());
    let words = ["-o", &control, "-o", "ControlMaster=yes", "rpi4@lab"];
    let mut terminal = client.at_terminal(&words, USUAL())?;
    terminal.screen.until("leaves]\r\n").await?;
    for _ in 0..2_000 {
        terminal.screen.type_in("x".repeat(1_000)).await?;
    }
    let other = client.says(&["-o", &control, "rpi4@lab", "hello"]).await?;
    assert!(other.err.contains("a console takes no command"), "on the same connection: {other:?}");
    terminal.screen.type_in("\r~.").await?;
    assert_eq!(terminal.ended().await?, Some(255));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_no_board_of_theirs_is_answered_in_words() -> Result<()> {
    let config = boards(&["rpi4"]).replace("name = rpi4;", "name = rpi4; groups = [secret];");
    let scene = Scene::open(Plan::new(config)).await?;
    let client = scene.client("ada").await?;
    let open = Scene::with_boards(&["rpi4"]).await?;
    for (client, user, told) in [
        (&client, "rpi4", "there is no board 'rpi4'\n"),
        (&open.client("ada").await?, "rpi5", "there is no board 'rpi5'; did you mean 'rpi4'?\n"),
        (&client, "root", "there is no board 'root'\n"),
        (&client, "../rpi4", "there is no board '../rpi4'\n"),
    ] {
        let said = client.says(&["-l", user, "lab"]).await?;
        assert_eq!(said.code, Some(3), "{user}: {said:?}");
        assert!(said.err.contains(told), "{user}: {said:?}");
    }
    let said = client.says(&["rpi4@lab", "reboot"]).await?;
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains("a console takes no command"), "{said:?}");
    Ok(())
}

/// The board is behind a terminal server that is played here.
#[tokio::test(flavor = "multi_thread")]
async fn a_break_arrives_at_the_board() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let console = format!(
        "{{ cls = tcpconsole, host = \"127.0.0.1\", port = {}, protocol = telnet }}",
        listener.local_addr()?.port()
    );
    let config = boards(&["rpi4"]).replace("@console(rpi4)", &console);
    let server = async {
        let (mut server, _) = soon(listener.accept()).await??;
        // It speaks binary, and no more.
        server.write_all(&[255, 251, 0, 255, 253, 0]).await?;
        anyhow::Ok(server)
    };
    let (scene, mut server) = tokio::try_join!(Scene::open(Plan::new(config)), server)?;
    scene.lab.user("ada").await?.reserve(board("rpi4")).await?;
    let client = scene.client("ada").await?;
    let mut terminal = client.at_terminal(&["-t", "lab@lab", "console", "rpi4"], USUAL())?;
    terminal.screen.until("Ctrl-T q leaves").await?;
    terminal.screen.type_in("\x14b").await?;
    let (telnet_break, mut heard) = ([255, 243], Vec::new());
    while !heard.ends_with(&telnet_break) {
        heard.push(soon(server.read_u8()).await??);
    }
    terminal.screen.type_in("\x14q").await?;
    assert_eq!(terminal.ended().await?, Some(0));
    scene.timeline().await?.event(|event| matches!(event, Event::Break)).await?;
    Ok(())
}
