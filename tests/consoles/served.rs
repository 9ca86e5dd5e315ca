//! Consoles as serial ports, for clients of other make: pyserial, socat, and labd's own driver.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lab_tests::lab::{Plan, TestLab, board, boards, name};
use lab_tests::patience::{soon, until};
use lab_tests::person::Person;
use lab_tests::{programs, root};
use labd::console::Console;
use labd::console::tcp::{Protocol, TcpConsole};
use labd::console::uart::Uart;
use labd::doorstep::Doorstep;
use labd::rules::guard::Offence;
use labd::serial_ports::Ports;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use protocol::address::Address;
use protocol::hold::Release;
use protocol::journal::{Entry, Event};
use protocol::user::Role;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, split};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::pty::Board;
use super::ser2net::own_address;

/// A lab whose board is on a serial port, and the ports at which that is served. Whoever runs this is root,
/// and so is whoever comes there.
struct Scene {
    lab: TestLab,
    port: Board,
    root: Person,
    /// Where root comes with labctl.
    socket: Address,
    rfc2217: SocketAddr,
    raw: SocketAddr,
}

impl Scene {
    async fn open() -> Result<Scene> {
        Scene::before(Doorstep::new()).await
    }

    async fn before(doorstep: Arc<Doorstep>) -> Result<Scene> {
        root::needed("to be the lab's administrator")?;
        let (port, rfc2217, raw) = (Board::new(), own_address(), own_address());
        let lab = Plan::new(described(&port, rfc2217, raw)).open().await?;
        lab.settled().await?;
        tokio::spawn(Ports::open(lab.lab().clone(), doorstep).await?.keep());
        let (root, socket) = (lab.admin().await?, lab.socket_of("root", Role::Admin)?);
        Ok(Scene { lab, port, root, socket, rfc2217, raw })
    }

    /// The same, and root holds the board.
    async fn held() -> Result<Scene> {
        let scene = Scene::open().await?;
        scene.root.reserve(board("rpi4")).await?;
        Ok(scene)
    }

    /// Waits until so many look.
    async fn viewers(&self, wanted: usize) -> Result<()> {
        soon(async {
            loop {
                let line = self.root.board(name("rpi4")).await?.line.context("a console")?;
                if line.viewers.len() == wanted {
                    return Ok(());
                }
            }
        })
        .await?
    }

    /// The board prints the three bytes that are typed; whoever types them is content.
    async fn prints_back(&mut self, mut program: Command) -> Result<()> {
        let run = program.output();
        let board = async {
            let typed = self.port.take(3).await;
            self.port.print(&typed).await;
        };
        let (run, ()) = soon(async { tokio::join!(run, board) }).await?;
        let run = run?;
        ensure!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        Ok(())
    }

    /// The entries up to a note that is written now.
    async fn timeline(&self) -> Result<Vec<Entry>> {
        self.root.note(name("rpi4"), "so far".to_owned()).await?;
        let noted = |event: &Event| matches!(event, Event::Noted { .. });
        self.root.journal("rpi4").await?.entries_until(noted).await
    }
}

fn described(port: &Board, rfc2217: SocketAddr, raw: SocketAddr) -> String {
    let device = format!("{{ cls = serialconsole, device = \"{}\" }}", port.path().display());
    let serve = format!("serve {{ rfc2217 = \"{rfc2217}\"; raw = \"{raw}\" }}; pace = off;");
    let config = boards(&["rpi4"])
        .replace("@console(rpi4)", &device)
        .replace("user = [", "user = [daemon, ");
    config.replace("class = rpi;", &format!("class = rpi; {serve}"))
}

/// Runs a Python program with pyserial; its address is `port`.
fn python(port: SocketAddr, program: &str) -> Command {
    // Debian's, where pyserial is.
    let mut python = Command::new("/usr/bin/python3");
    let head = format!("import serial, time\nurl = 'rfc2217://{port}'\n");
    python.arg("-c").arg(head + program).stdin(Stdio::null()).kill_on_drop(true);
    python.stdout(Stdio::piped()).stderr(Stdio::piped());
    python
}

#[tokio::test]
async fn pyserial_types_reads_and_sends_a_break_and_its_user_is_on_the_timeline() -> Result<()> {
    let mut scene = Scene::held().await?;
    let program = "
port = serial.serial_for_url(url, baudrate=115200, timeout=20)
port.write(bytes(range(256)))
assert port.read(256) == bytes(range(256))
port.send_break(0.2)
port.reset_input_buffer()
port.write(b'bye')
assert port.read(3) == b'bye'
port.close()
";
    let run = python(scene.rfc2217, program).output();
    let board = async {
        for bytes in [256, 3] {
            let typed = scene.port.take(bytes).await;
            scene.port.print(&typed).await;
        }
    };
    let (run, ()) = soon(async { tokio::join!(run, board) }).await?;
    let run = run?;
    ensure!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    for wanted in [
        (|event| matches!(event, Event::Typed { .. })) as fn(&Event) -> bool,
        |event| matches!(event, Event::Break),
        |event| matches!(event, Event::PenTaken { .. }),
    ] {
        let entry = scene.root.journal("rpi4").await?.event(wanted).await?;
        assert_eq!(entry.who, Some("root".parse()?), "{entry:?}");
        let via = entry.via.clone().unwrap_or_default();
        assert!(via.starts_with("rfc2217 127."), "{entry:?}");
    }
    Ok(())
}

#[tokio::test]
async fn pyserial_is_told_the_truth_of_the_line_and_changes_nothing() -> Result<()> {
    let scene = Scene::held().await?;
    let program = "
for wrong in [dict(baudrate=9600), dict(baudrate=115200, parity='E'), dict(baudrate=115200, dtr=False)]:
    port = serial.serial_for_url(url, do_not_open=True)
    for key, value in wrong.items():
        setattr(port, key, value)
    try:
        port.open()
    except (serial.SerialException, ValueError) as why:
        print('refused:', str(why)[:24])
    else:
        print('opened')
";
    let run = soon(python(scene.rfc2217, program).output()).await??;
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    assert_eq!(said.matches("refused:").count(), 3, "{said}{run:?}");
    assert_eq!(scene.port.speed(), 115_200);
    Ok(())
}

#[tokio::test]
async fn ten_megabytes_go_each_way_through_our_own_driver_and_nothing_is_lost() -> Result<()> {
    const ALL: usize = 10 << 20;
    let mut scene = Scene::held().await?;
    let at = scene.rfc2217;
    let console =
        TcpConsole::new(at.ip().to_string(), at.port(), Protocol::Rfc2217(Uart::default()));
    let (mut hears, mut types) = split(soon(console.open()).await??);
    let (printed, typed): (Vec<u8>, Vec<u8>) =
        (0..ALL).map(|at| ((at * 7 / 3) as u8, (at * 5 / 3) as u8)).unzip();
    let (mouth, ear) = scene.port.both();
    let (mut shown, mut taken) = (vec![0; ALL], vec![0; ALL]);
    let all = async {
        tokio::try_join!(
            mouth.write_all(&printed),
            hears.read_exact(&mut shown),
            types.write_all(&typed),
            ear.read_exact(&mut taken),
        )
    };
    tokio::time::timeout(Duration::from_secs(120), all).await??;
    assert!(shown == printed, "what was shown differs");
    assert!(taken == typed, "what was typed differs");
    Ok(())
}

/// What another user's program is told when it types.
async fn of_another_user(at: SocketAddr) -> Result<String> {
    let mut socat = std::process::Command::new("socat");
    std::os::unix::process::CommandExt::uid(&mut socat, 1);
    socat.args(["-", &format!("TCP:{at},shut-none")]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut socat = Command::from(socat).kill_on_drop(true).spawn()?;
    socat.stdin.as_mut().context("piped")?.write_all(b"nothing of this arrives\r").await?;
    let output = soon(socat.wait_with_output()).await??;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[tokio::test]
async fn a_program_comes_as_its_user_who_must_hold_the_board() -> Result<()> {
    let mut scene = Scene::open().await?;
    for at in [scene.rfc2217, scene.raw] {
        let why = of_another_user(at).await?;
        assert!(why.contains("[you do not hold rpi4"), "{why}");
    }
    scene.root.reserve(board("rpi4")).await?;
    let why = of_another_user(scene.raw).await?;
    assert!(why.contains("[rpi4 is held by root"), "{why}");
    let denied = |entry: &&Entry| matches!(entry.event, Event::Denied { .. });
    let entries = scene.timeline().await?;
    let denied: Vec<_> = entries.iter().filter(denied).collect();
    // Twice for the same reason is one entry.
    assert_eq!(denied.len(), 2, "{denied:?}");
    assert!(denied.iter().all(|entry| entry.who == "daemon".parse().ok()), "{denied:?}");
    let mut mine = TcpStream::connect(scene.raw).await?;
    mine.write_all(b"mine").await?;
    assert_eq!(scene.port.take(4).await, b"mine");
    Ok(())
}

/// Each board with a raw port and an RFC 2217 port.
const FOUR: &str = "
access { admin = root; user = [daemon, eve] }
classes { sim { } }
";

#[tokio::test]
async fn at_every_port_each_gets_what_the_calls_give_them() -> Result<()> {
    root::needed("to be somebody else as well")?;
    let boards = ["mine", "theirs", "nobodys", "hidden"];
    let ports = boards.map(|board| (board, own_address(), own_address()));
    let board_of = |(board, rfc2217, raw): &(&str, SocketAddr, SocketAddr)| {
        let groups = if *board == "hidden" { "groups = kernel;" } else { "" };
        let serve = format!("serve {{ rfc2217 = \"{rfc2217}\"; raw = \"{raw}\" }}");
        let options = "options = [ { cls = sim; seed = 1 } ]";
        format!("{{ name = {board}; class = sim; {groups} {serve}; {options} }},\n")
    };
    let config = format!("{FOUR}boards [\n{}]\n", ports.iter().map(board_of).collect::<String>());
    let lab = Plan::new(config).open().await?;
    lab.settled().await?;
    tokio::spawn(Ports::open(lab.lab().clone(), Doorstep::new()).await?.keep());
    lab.user("daemon").await?.reserve(board("mine")).await?;
    lab.user("eve").await?.reserve(board("theirs")).await?;
    for ((board, rfc2217, raw), why) in ports.iter().zip([
        None,
        Some("[theirs is held by eve"),
        Some("[you do not hold nobodys"),
        Some("[there is no board 'hidden'"),
    ]) {
        for at in [rfc2217, raw] {
            let said = of_another_user(*at).await?;
            match why {
                Some(why) => assert!(said.contains(why), "{board}: {said}"),
                // She is at the console: no sentence of the lab's is there.
                None => assert!(!said.contains("[you ") && !said.contains("[mine"), "{said}"),
            }
        }
    }
    let typed = |entry: &&Entry| matches!(entry.event, Event::Typed { .. });
    let root = lab.admin().await?;
    for (board, wanted) in boards.into_iter().zip([true, false, false, false]) {
        root.note(name(board), "so far".to_owned()).await?;
        let noted = |event: &Event| matches!(event, Event::Noted { .. });
        let entries = root.journal(board).await?.entries_until(noted).await?;
        assert_eq!(entries.iter().any(|entry| typed(&entry)), wanted, "{board}: {entries:?}");
    }
    Ok(())
}

#[tokio::test]
async fn the_end_of_a_hold_cuts_at_once_also_whoever_reads_nothing() -> Result<()> {
    let mut scene = Scene::held().await?;
    let mut reads = TcpStream::connect(scene.raw).await?;
    reads.write_all(b"a").await?;
    assert_eq!(scene.port.take(1).await, b"a");
    let mut stuck = TcpStream::connect(scene.rfc2217).await?;
    scene.viewers(2).await?;
    let flood = vec![b'x'; 16 << 20];
    let (mouth, _) = scene.port.both();
    let mut drained = vec![0; 64 * 1024];
    let flooding = async {
        let _ = tokio::time::timeout(Duration::from_secs(1), mouth.write_all(&flood)).await;
    };
    let reading = async {
        while reads.read(&mut drained).await.is_ok_and(|read| read > 0) {}
        Instant::now()
    };
    let ending = async {
        flooding.await;
        let asked = Instant::now();
        scene.root.release(name("rpi4"), Release::default()).await?;
        anyhow::Ok(asked)
    };
    let (ended, asked) = soon(async { tokio::join!(reading, ending) }).await?;
    let cut = ended - asked?;
    assert!(cut < Duration::from_millis(100), "cut after {cut:?}");
    // Nobody is there any more for the one that reads nothing, either; by itself TCP gives up after 15 s.
    let gone = async { while stuck.write_all(b"x").await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(5), gone).await.context("it is not cut")
}

#[tokio::test]
async fn nobody_is_barred_for_what_others_of_this_machine_do() -> Result<()> {
    let doorstep = Doorstep::new();
    while let Some(place) = doorstep.admit(Ipv4Addr::LOCALHOST.into()) {
        place.offend(Offence::BadProof);
    }
    let mut scene = Scene::before(doorstep).await?;
    scene.root.reserve(board("rpi4")).await?;
    let mut mine = TcpStream::connect(scene.raw).await?;
    mine.write_all(b"mine").await?;
    assert_eq!(scene.port.take(4).await, b"mine");
    Ok(())
}

#[tokio::test]
async fn a_second_client_looks_on_until_the_first_has_gone() -> Result<()> {
    let mut scene = Scene::held().await?;
    let mut first = TcpStream::connect(scene.raw).await?;
    first.write_all(b"1").await?;
    assert_eq!(scene.port.take(1).await, b"1");
    let mut second = TcpStream::connect(scene.raw).await?;
    let mut greeting = [0; 12];
    soon(second.read_exact(&mut greeting)).await??;
    assert_eq!(&greeting, b"[read-only: ");
    second.write_all(b"nothing of this arrives").await?;
    first.write_all(b"2").await?;
    assert_eq!(scene.port.take(1).await, b"2");
    drop(first);
    let handed = |event: &Event| matches!(event, Event::PenTaken { .. });
    let mut journal = scene.root.journal("rpi4").await?;
    for _ in 0..2 {
        journal.event(handed).await?;
    }
    second.write_all(b"3").await?;
    assert_eq!(scene.port.take(1).await, b"3");
    Ok(())
}

/// Beside the rack's own consoles and ssh, these are where passwords come from.
#[tokio::test]
async fn a_password_that_a_client_types_is_not_on_the_timeline() -> Result<()> {
    let mut scene = Scene::held().await?;
    let mut journal = scene.root.journal("rpi4").await?;
    // Whoever speaks no Telnet where it is spoken is no client.
    for (at, hello) in [(scene.raw, &b""[..]), (scene.rfc2217, b"\xff\xfb\x2c")] {
        let mut client = TcpStream::connect(at).await?;
        client.write_all(hello).await?;
        scene.viewers(1).await?;
        scene.port.print(b"Password: ").await;
        let mut seen = Vec::new();
        while !seen.ends_with(b"Password: ") {
            seen.push(soon(client.read_u8()).await??);
        }
        client.write_all(b"hunter2\n").await?;
        assert_eq!(scene.port.take(8).await, b"hunter2\n");
        scene.port.print(b"\r\nWelcome\r\n").await;
        let typed = journal.event(|event| matches!(event, Event::Typed { .. })).await?;
        assert_eq!(typed.event, Event::Typed { text: None, bytes: 8 });
        drop(client);
        scene.viewers(0).await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_a_web_page_has_a_browser_send_is_typed_nowhere() -> Result<()> {
    let mut scene = Scene::held().await?;
    let page = b"POST / HTTP/1.1\r\nHost: x\r\n\r\nreboot\r\n";
    for (at, said) in [
        (scene.raw, &page[..]),
        (scene.raw, b"\x16\x03\x01\x00\x05"),
        (scene.rfc2217, page),
        (scene.rfc2217, b"PUT"),
    ] {
        let mut stream = TcpStream::connect(at).await?;
        stream.write_all(said).await?;
        // Closed, or reset since there was more to read.
        let _ = soon(stream.read_to_end(&mut Vec::new())).await?;
    }
    let mut mine = TcpStream::connect(scene.raw).await?;
    mine.write_all(b"mine").await?;
    assert_eq!(scene.port.take(4).await, b"mine");
    Ok(())
}

#[tokio::test]
async fn a_reload_opens_and_closes_ports_and_who_is_at_one_stays() -> Result<()> {
    let mut scene = Scene::held().await?;
    let mut stays = TcpStream::connect(scene.rfc2217).await?;
    let mut goes = TcpStream::connect(scene.raw).await?;
    scene.viewers(2).await?;
    let other = own_address();
    let config = described(&scene.port, scene.rfc2217, other);
    scene.lab.ground().configure(&config).await?;
    assert_eq!(scene.root.reload().await?, ["rpi4: changed ports for other clients"]);
    soon(goes.read_to_end(&mut Vec::new())).await??;
    soon(async { while TcpStream::connect(other).await.is_err() {} }).await?;
    assert!(TcpStream::connect(scene.raw).await.is_err());
    scene.port.print(b"still here").await;
    let mut heard = Vec::new();
    soon(async {
        while !heard.ends_with(b"still here") {
            heard.push(stays.read_u8().await?);
        }
        anyhow::Ok(())
    })
    .await??;
    Ok(())
}

#[tokio::test]
async fn socat_makes_a_terminal_of_a_raw_port() -> Result<()> {
    let mut scene = Scene::held().await?;
    let link = scene.lab.path("tty");
    let pty = format!("PTY,link={},raw,echo=0,wait-slave", link.display());
    let _socat = Command::new("socat")
        .args([&pty, &format!("TCP:{}", scene.raw)])
        .kill_on_drop(true)
        .spawn()?;
    until(|| link.exists()).await?;
    let mut terminal = std::fs::OpenOptions::new().write(true).open(&link)?;
    std::io::Write::write_all(&mut terminal, b"ls\r")?;
    assert_eq!(scene.port.take(3).await, b"ls\r");
    Ok(())
}

/// labctl for root, when it says what it serves: the first word of that.
async fn labctl(scene: &Scene, arguments: &[&str]) -> Result<(Child, String)> {
    let mut labctl = Command::new(programs::path("labctl")?);
    labctl.arg("serial").arg("rpi4").args(arguments).env("LAB", scene.socket.to_string());
    let mut labctl = labctl.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let mut said = String::new();
    let mut lines = BufReader::new(labctl.stdout.as_mut().context("piped")?);
    soon(lines.read_line(&mut said)).await??;
    Ok((labctl, said.split(' ').next().context("a place")?.to_owned()))
}

const PRINTS_BACK: &str = "
port.write(b'ls\\r')
assert port.read(3) == b'ls\\r'
";

#[tokio::test]
async fn labctl_brings_a_console_here_for_pyserial_as_a_port_and_as_a_terminal() -> Result<()> {
    let mut scene = Scene::held().await?;
    let (_port, here) = labctl(&scene, &[]).await?;
    let by_port = "port = serial.serial_for_url(url, baudrate=115200, timeout=20)";
    scene.prints_back(python(here.parse()?, &format!("{by_port}{PRINTS_BACK}"))).await?;
    let link = scene.lab.path("tty");
    let (terminal, there) = labctl(&scene, &["--pty", &link.display().to_string()]).await?;
    assert_eq!(there, link.display().to_string());
    let by_terminal = format!("port = serial.Serial('{there}', 115200, timeout=20)");
    scene.prints_back(python(here.parse()?, &format!("{by_terminal}{PRINTS_BACK}"))).await?;
    kill(Pid::from_raw(terminal.id().context("it runs")?.try_into()?), Signal::SIGINT)?;
    until(|| !link.is_symlink()).await
}

#[tokio::test]
async fn labctl_serves_nobody_but_its_own_user_and_not_the_network() -> Result<()> {
    let scene = Scene::held().await?;
    let (_labctl, here) = labctl(&scene, &["--raw"]).await?;
    assert_eq!(of_another_user(here.parse()?).await?, "");
    let (refused, said) = labctl(&scene, &["--listen", "0.0.0.0:0"]).await?;
    assert_eq!(said, "");
    assert_eq!(soon(refused.wait_with_output()).await??.status.code(), Some(2));
    let typed = |entry: &Entry| matches!(entry.event, Event::Typed { .. });
    assert!(!scene.timeline().await?.iter().any(typed));
    Ok(())
}
