//! `labctl console` at a terminal, as a pipe, and from a script.

use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use lab_tests::follower::{Follower, Stream};
use lab_tests::lab::{Plan, board, boards, name};
use lab_tests::patience::soon;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, Termios, tcgetattr};
use nix::unistd::Pid;
use protocol::console::{From, PenAsk};
use protocol::hold::Release;
use protocol::journal::Event;
use protocol::wire::Welcome;
use tokio::io::{AsyncWriteExt, BufReader, join};
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::time::sleep;

use super::{Scene, said};

/// A terminal with a labctl in it.
pub(super) struct Terminal {
    pub(super) screen: Follower,
    line: OwnedFd,
    before: Termios,
    labctl: Child,
}

impl Terminal {
    async fn open(scene: &Scene, arguments: &[&str]) -> Result<Terminal> {
        Terminal::run(scene.labctl(arguments)?)
    }

    pub(super) fn run(mut labctl: Command) -> Result<Terminal> {
        let pty = openpty(None, None)?;
        for fd in [&pty.master, &pty.slave] {
            fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
        }
        fcntl(&pty.master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let ear = pipe::Receiver::from_owned_fd_unchecked(pty.master.try_clone()?)?;
        let mouth = pipe::Sender::from_owned_fd_unchecked(pty.master)?;
        let stream = Box::new(join(ear, mouth)) as Box<dyn Stream>;
        let before = tcgetattr(&pty.slave)?;
        let labctl = labctl
            .env("TERM", "xterm")
            .stdin(Stdio::from(pty.slave.try_clone()?))
            .stdout(Stdio::from(pty.slave.try_clone()?))
            .stderr(Stdio::from(pty.slave.try_clone()?))
            .spawn()?;
        let screen = Follower::new(BufReader::new(stream), Welcome::default());
        Ok(Terminal { screen, line: pty.slave, before, labctl })
    }

    fn is_raw(&self) -> Result<bool> {
        Ok(!tcgetattr(&self.line)?.local_flags.contains(LocalFlags::ICANON))
    }

    /// Leaves: how labctl ended. The terminal must be as it was.
    pub(super) async fn leave(mut self, keys: &str) -> Result<Option<i32>> {
        self.screen.type_in(keys).await?;
        let status = soon(self.labctl.wait()).await??;
        let after = tcgetattr(&self.line)?;
        assert!(after == self.before, "the terminal's modes are not restored");
        assert!(self.line.as_raw_fd() >= 0);
        Ok(status.code())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_a_terminal_every_key_goes_to_the_board_but_the_escape() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    scene.lab.user("ada").await?.reserve(board("rpi4")).await?;
    let mut terminal = Terminal::open(&scene, &["console", "rpi4"]).await?;
    terminal.screen.until("[rpi4: Ctrl-T q leaves, Ctrl-T ? helps]").await?;
    let rpi4 = scene.lab.board("rpi4");
    rpi4.print("login: ").await?;
    terminal.screen.until("login: ").await?;
    assert!(terminal.is_raw()?);
    terminal.screen.type_in("root\r\x03\x1a\x14\x14").await?;
    assert_eq!(rpi4.typed(8).await?, "root\r\x03\x1a\x14");
    terminal.screen.type_in("\x14?").await?;
    terminal.screen.until("q or .  leave").await?;
    terminal.screen.until("this list]").await?;
    terminal.screen.type_in("\x14w").await?;
    terminal.screen.until("[ada (has the pen)]").await?;
    assert_eq!(terminal.leave("\x14q").await?, Some(0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_hold_the_board_looks_on_and_is_told_why() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let bob = scene.lab.user("bob").await?;
    bob.reserve(board("rpi4")).await?;
    let mut terminal = Terminal::open(&scene, &["console", "rpi4"]).await?;
    terminal.screen.until("[read-only: rpi4 is held by bob]").await?;
    scene.lab.board("rpi4").print("U-Boot\r\n").await?;
    terminal.screen.until("U-Boot\r\n").await?;
    terminal.screen.type_in("not for you").await?;
    let mut typist = bob.type_at("rpi4").await?;
    typist.type_in("mine").await?;
    assert_eq!(scene.lab.board("rpi4").typed(4).await?, "mine");
    assert_eq!(terminal.leave("\x14.").await?, Some(0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_second_is_told_that_somebody_types_and_may_take_the_pen() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let ada = scene.lab.user("ada").await?;
    ada.reserve(board("rpi4")).await?;
    let first = ada.type_at("rpi4").await?;
    let script = scene.says(&["console", "rpi4", "--send", "reboot\\r"]).await?;
    assert_eq!(script.code, Some(6), "{script:?}");
    assert!(script.err.contains("somebody else types on the console of rpi4"), "{script:?}");
    let mut terminal = Terminal::open(&scene, &["console", "rpi4"]).await?;
    terminal.screen.until("[somebody else types here: Ctrl-T p asks for the pen").await?;
    scene.lab.board("rpi4").print("# ").await?;
    terminal.screen.until("# ").await?;
    terminal.screen.type_in("\x14f").await?;
    terminal.screen.until("[why? ").await?;
    terminal.screen.type_in("lunch\r").await?;
    terminal.screen.until("[the pen is yours]").await?;
    terminal.screen.type_in("ls").await?;
    assert_eq!(scene.lab.board("rpi4").typed(2).await?, "ls");
    let forced = |event: &Event| matches!(event, Event::PenForced { .. });
    let entry = ada.journal("rpi4").await?.event(forced).await?;
    assert!(entry.event.to_string().ends_with("lunch"), "{}", entry.event);
    drop(first);
    assert_eq!(terminal.leave("\x14q").await?, Some(0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_board_sends_to_do_something_to_the_terminal_does_nothing() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let mut terminal = Terminal::open(&scene, &["console", "rpi4", "--read-only"]).await?;
    let hostile = "\x1b]0;title\x07\x1b]52;c;ZXZpbA==\x07\x1b[5n\x1bc\x1b[?1049h\x1bP+q544e\x1b\\\x1b[31mred\x1b[0m safe\r\n";
    scene.lab.board("rpi4").print(hostile).await?;
    let seen = terminal.screen.until("safe\r\n").await?;
    assert!(seen.ends_with("\x1b[31mred\x1b[0m safe\r\n"), "{seen:?}");
    for bad in ["\x1b]", "\x1b[5n", "\x1bc", "\x1b[?", "\x1bP"] {
        assert!(!seen.contains(bad), "{bad:?} in {seen:?}");
    }
    let root = scene.lab.admin().await?;
    // labctl looks at the timeline from some moment on, a little after it shows the console.
    let noting = async {
        loop {
            root.note(name("rpi4"), "\x1b]0;owned\x07note".to_owned()).await?;
            sleep(Duration::from_millis(50)).await;
        }
    };
    let seen = tokio::select! {
        seen = terminal.screen.until("noted: note]") => seen?,
        failed = noting => return failed,
    };
    assert!(!seen.contains('\x1b'), "{seen:?}");
    assert_eq!(terminal.leave("\x14q").await?, Some(0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_hold_is_told_and_looking_goes_on() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let ada = scene.lab.user("ada").await?;
    ada.reserve(board("rpi4")).await?;
    let mut terminal = Terminal::open(&scene, &["console", "rpi4"]).await?;
    scene.lab.board("rpi4").print("one\r\n").await?;
    terminal.screen.until("one\r\n").await?;
    ada.release(name("rpi4"), Release::default()).await?;
    scene.lab.board("rpi4").print("two\r\n").await?;
    let seen = terminal.screen.until("two\r\n").await?;
    assert!(seen.contains("[read-only: you do not hold rpi4]"), "{seen:?}");
    assert_eq!(terminal.leave("\x14q").await?, Some(0));
    Ok(())
}

/// Three ways out of a console whose daemon is gone. That it is gone is told first.
#[tokio::test(flavor = "multi_thread")]
async fn a_console_can_be_left_while_the_lab_is_away() -> Result<()> {
    for way in [Way::Keys("\x14q"), Way::Keys("\x03"), Way::Signal(Signal::SIGTERM)] {
        let scene = Scene::with_boards(&["rpi4"]).await?;
        scene.lab.user("ada").await?.reserve(board("rpi4")).await?;
        let mut terminal = Terminal::open(&scene, &["console", "rpi4"]).await?;
        scene.lab.board("rpi4").print("login: ").await?;
        terminal.screen.until("login: ").await?;
        let lab = scene.lab.lab().clone();
        tokio::task::spawn_blocking(move || lab.close()).await?;
        terminal.screen.until("(Ctrl-C leaves)]").await?;
        assert!(terminal.is_raw()?);
        let left = match way {
            Way::Keys(keys) => terminal.leave(keys).await?,
            Way::Signal(signal) => {
                let labctl = terminal.labctl.id().context("it runs")?;
                kill(Pid::from_raw(labctl.try_into()?), signal)?;
                terminal.leave("").await?
            }
        };
        assert_eq!(left, Some(0));
    }
    Ok(())
}

enum Way {
    Keys(&'static str),
    Signal(Signal),
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_can_be_left_while_the_board_takes_a_large_paste() -> Result<()> {
    let paced =
        boards(&["rpi4"]).replace("class = rpi;", "class = rpi; pace { bytes = 1; every = 1h }");
    let scene = Scene::open(Plan::new(paced).by_hand()).await?;
    scene.lab.user("ada").await?.reserve(board("rpi4")).await?;
    let mut terminal = Terminal::open(&scene, &["console", "rpi4"]).await?;
    scene.lab.board("rpi4").print("login: ").await?;
    terminal.screen.until("login: ").await?;
    // More than every buffer on the way together.
    terminal.screen.type_in(&vec![b'x'; 2 << 20]).await?;
    scene.lab.board("rpi4").print("still here").await?;
    terminal.screen.until("still here").await?;
    assert_eq!(terminal.leave("\x14q").await?, Some(0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_between_two_pipes_carries_every_byte() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    scene.lab.user("ada").await?.reserve(board("rpi4")).await?;
    let mut child =
        scene.labctl(&["console", "rpi4", "--linger", "200ms"])?.stdin(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take().context("piped")?;
    let all: Vec<u8> = (0..=255).collect();
    stdin.write_all(b"start").await?;
    assert_eq!(scene.lab.board("rpi4").typed(5).await?, "start");
    scene.lab.board("rpi4").print(&all).await?;
    stdin.write_all(b"\x14q").await?;
    assert_eq!(scene.lab.board("rpi4").typed(2).await?, "\x14q", "there is no escape in a pipe");
    drop(stdin);
    let output = soon(child.wait_with_output()).await??;
    assert!(output.stdout == all, "{:?}", output.stdout.escape_ascii().to_string());
    assert_eq!(output.status.code(), Some(0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_does_not_type_into_nothing() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let refused = scene.says(&["console", "rpi4"]).await?;
    assert_eq!(refused.code, Some(11), "{refused:?}");
    let ada = scene.lab.user("ada").await?;
    ada.reserve(board("rpi4")).await?;
    let mut child = scene.labctl(&["console", "rpi4"])?.stdin(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take().context("piped")?;
    stdin.write_all(b"x").await?;
    scene.lab.board("rpi4").typed(1).await?;
    ada.release(name("rpi4"), Release::default()).await?;
    let output = soon(child.wait_with_output()).await??;
    assert_eq!(output.status.code(), Some(11), "the hold is over: {output:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_sends_and_expects_step_by_step() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let ada = scene.lab.user("ada").await?;
    ada.reserve(board("rpi4")).await?;
    let rpi4 = scene.lab.board("rpi4");
    let script = [
        "console", "rpi4", "--send", "\\r", "--expect", "login: $", "--send", "root\\r",
        "--expect", "^# ",
    ];
    let labctl = tokio::spawn(said(scene.labctl(&script)?));
    assert_eq!(rpi4.typed(1).await?, "\r");
    rpi4.print("\r\n\x1b[1mrpi4\x1b[0m login: ").await?;
    assert_eq!(rpi4.typed(5).await?, "root\r");
    rpi4.print("root\r\n# ").await?;
    let said = soon(labctl).await???;
    assert_eq!((said.code, said.err.as_str()), (Some(0), "done at @30\n"), "{said:?}");
    assert_eq!(said.out, "\r\n\x1b[1mrpi4\x1b[0m login: root\r\n# ");

    let since =
        scene.says(&["console", "rpi4", "--since", "@22", "--expect", "root", "--json"]).await?;
    assert!(since.out.contains(r#""matches":["root"],"offset":26"#), "{since:?}");
    let late = scene
        .says(&["console", "rpi4", "--since", "start", "--expect", "panic", "--timeout", "100ms"])
        .await?;
    assert_eq!(late.code, Some(7), "{late:?}");
    assert!(
        late.err.contains(
            "step 1: rpi4 did not print 'panic' within 100ms; it printed:\n  | rpi4 login: root"
        ),
        "{late:?}"
    );
    let history = scene.says(&["console", "rpi4", "--history"]).await?;
    assert_eq!(history.out, "\r\n\x1b[1mrpi4\x1b[0m login: root\r\n# ");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_types_at_a_console_that_is_away_is_told_so() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let ada = scene.lab.user("ada").await?;
    ada.reserve(board("rpi4")).await?;
    scene.lab.settled().await?;
    scene.lab.board("rpi4").unplug().await;
    ada.journal("rpi4").await?.event(|event| matches!(event, Event::ConsoleLost { .. })).await?;
    let script = scene.says(&["console", "rpi4", "--send", "reboot\\r"]).await?;
    let mut child = scene.labctl(&["console", "rpi4"])?.stdin(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take().context("piped")?;
    stdin.write_all(b"reboot\r").await?;
    let pipe = soon(child.wait_with_output()).await??;
    for (code, said) in [
        (script.code, script.err),
        (pipe.status.code(), String::from_utf8_lossy(&pipe.stderr).into_owned()),
    ] {
        assert_eq!(code, Some(9), "{said}");
        assert!(said.contains("the console of rpi4 is away, and nothing was typed: "), "{said}");
        assert!(
            said.contains("help: wait until it is back with 'labctl wait rpi4 open'"),
            "{said}"
        );
    }
    let mut terminal = Terminal::open(&scene, &["console", "rpi4"]).await?;
    terminal.screen.until("[the console is away, and what you type goes nowhere: ").await?;
    terminal.screen.type_in("\x14b").await?;
    terminal.screen.until("[the console of rpi4 is away, and no BREAK was sent: ").await?;
    assert_eq!(terminal.leave("\x14q").await?, Some(0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_whose_pen_is_taken_is_told_by_whom() -> Result<()> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let (ada, root) = (scene.lab.user("ada").await?, scene.lab.admin().await?);
    ada.reserve(board("rpi4")).await?;
    let script = ["console", "rpi4", "--send", "a", "--expect", "go", "--send", "b"];
    let labctl = tokio::spawn(said(scene.labctl(&script)?));
    assert_eq!(scene.lab.board("rpi4").typed(1).await?, "a");
    let roots = root.look_at("rpi4", From::End).await?;
    root.pen(roots.session(), PenAsk::Force { reason: "lunch".to_owned() }).await?;
    scene.lab.board("rpi4").print("go").await?;
    let said = soon(labctl).await???;
    assert_eq!(said.code, Some(6), "{said:?}");
    assert!(
        said.err.contains("you do not have the pen of rpi4's console; root has it"),
        "{said:?}"
    );
    Ok(())
}
