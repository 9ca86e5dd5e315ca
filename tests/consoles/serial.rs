//! Serial ports.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::pin::pin;
use std::time::{Duration, Instant};

use futures::poll;
use labd::console::serial::SerialConsole;
use labd::console::uart::Uart;
use labd::console::{Console, Port};
use rustix::termios::ControlModes;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use tokio_serial::{FlowControl, StopBits};

use super::pty::Board;
use super::{every_byte, read, rest, soon, type_on, until};

/// What a replugged adapter may take to be noticed: some ten times what it takes here.
const AT_ONCE: Duration = Duration::from_millis(200);

fn console(device: &Path) -> SerialConsole {
    SerialConsole::new(device, Uart::default())
}

async fn open(device: &Path) -> Box<dyn Port> {
    soon(console(device).open()).await.unwrap()
}

/// Why a device does not open.
async fn refusal(device: &Path) -> std::io::Error {
    match soon(console(device).open()).await {
        Ok(_) => panic!("{} opened", device.display()),
        Err(error) => error,
    }
}

#[tokio::test]
async fn every_byte_passes_both_ways_through_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let (mut board, link) = (Board::new(), folder.path().join("usb-adapter"));
    symlink(board.path(), &link).unwrap();
    let mut port = open(&link).await;
    board.print(&every_byte()).await;
    assert_eq!(read(&mut port, 256).await, every_byte());
    type_on(&mut port, &every_byte()).await;
    assert_eq!(board.take(256).await, every_byte());
}

#[tokio::test]
async fn a_port_keeps_its_lines_raised_when_closed() {
    let board = Board::new();
    board.hang_up_on_close();
    let _port = open(board.path()).await;
    let modes = board.settings().control_modes;
    assert!(!modes.contains(ControlModes::HUPCL), "{modes:?}");
    assert!(modes.contains(ControlModes::CLOCAL), "{modes:?}");
}

#[tokio::test]
async fn any_speed_will_do() {
    for speed in [50, 9600, 115_200, 123_456, 1_500_000, 4_000_000] {
        let board = Board::new();
        let console = SerialConsole::new(board.path(), Uart { speed, ..Uart::default() });
        let _port = soon(console.open()).await.unwrap();
        assert_eq!(board.speed(), speed);
    }
}

#[tokio::test]
async fn the_frame_is_set_as_configured() {
    let board = Board::new();
    let uart = Uart { stop: StopBits::Two, flow: FlowControl::Hardware, ..Uart::default() };
    let _port = soon(SerialConsole::new(board.path(), uart).open()).await.unwrap();
    let modes = board.settings().control_modes;
    assert!(modes.contains(ControlModes::CSTOPB | ControlModes::CRTSCTS), "{modes:?}");
}

#[tokio::test]
async fn an_open_port_is_nobody_elses() {
    let board = Board::new();
    let port = open(board.path()).await;
    let error = refusal(board.path()).await;
    let expected = format!("{}: in use by another program", board.path().display());
    assert_eq!(error.to_string(), expected);
    drop(port);
    open(board.path()).await;
}

#[tokio::test]
async fn what_cannot_be_opened_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("ttyUSB0");
    let error = refusal(&missing).await;
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.to_string(), format!("{}: no such device: unplugged?", missing.display()));
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(refusal(&file).await.to_string().ends_with("not a serial port: check the path"));
}

#[tokio::test]
async fn a_break_on_a_pty_is_no_fault() {
    let mut board = Board::new();
    let mut port = open(board.path()).await;
    port.set_break(true).unwrap();
    port.set_break(false).unwrap();
    type_on(&mut port, b"h").await;
    assert_eq!(board.take(1).await, b"h");
}

#[tokio::test]
async fn an_unplugged_adapter_has_gone() {
    let mut board = Board::new();
    let mut port = open(board.path()).await;
    board.print(b"bye").await;
    assert_eq!(read(&mut port, 3).await, b"bye");
    drop(board);
    assert_eq!(rest(&mut port).await, b"");
    assert!(port.write(b"x").await.unwrap_err().to_string().starts_with("serialconsole /dev/"));
}

/// A full port makes neither flushing nor closing wait: both would stop a thread of the daemon.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_board_that_takes_nothing_holds_up_nothing() {
    let board = Board::new();
    let uart = Uart { flow: FlowControl::Hardware, ..Uart::default() };
    let mut port = soon(SerialConsole::new(board.path(), uart).open()).await.unwrap();
    let full =
        |port: &mut Box<dyn Port>| futures::FutureExt::now_or_never(port.write(&[b'x'; 4096]));
    while full(&mut port).is_some() {}
    let closing = tokio::spawn(async move {
        port.flush().await.unwrap();
        drop(port);
    });
    let closed = timeout(Duration::from_secs(2), closing).await.is_ok();
    // This sets free whoever waits for it.
    drop(board);
    assert!(closed);
}

#[tokio::test]
async fn a_replugged_adapter_is_seen_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("usb-adapter");
    let first = Board::new();
    symlink(first.path(), &link).unwrap();
    let mut port = open(&link).await;
    drop(first);
    assert_eq!(rest(&mut port).await, b"");
    drop(port);
    fs::remove_file(&link).unwrap();
    let mut second = Board::new();
    seen_at_once(&link, || symlink(second.path(), &link).unwrap()).await;
    let mut port = open(&link).await;
    second.print(b"back").await;
    assert_eq!(read(&mut port, 4).await, b"back");
}

#[tokio::test]
async fn a_link_that_leads_somewhere_again_is_seen_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (by_id, dev) = (folder.path().join("serial/by-id"), folder.path().join("dev"));
    fs::create_dir_all(&by_id).unwrap();
    fs::create_dir(&dev).unwrap();
    let link = by_id.join("usb-adapter");
    symlink("../../dev/ttyUSB0", &link).unwrap();
    let board = Board::new();
    seen_at_once(&link, || symlink(board.path(), dev.join("ttyUSB0")).unwrap()).await;
}

/// Linux removes `/dev/serial` with its last link.
#[tokio::test]
async fn a_link_in_a_folder_that_was_not_there_is_seen_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("serial/by-id/usb-adapter");
    let board = Board::new();
    let console = console(&link);
    let mut appears = pin!(console.appears());
    for part in ["serial", "serial/by-id"] {
        assert!(poll!(&mut appears).is_pending());
        fs::create_dir(folder.path().join(part)).unwrap();
        // Until it has looked into the new folder.
        timeout(AT_ONCE / 4, &mut appears).await.unwrap_err();
    }
    symlink(board.path(), &link).unwrap();
    timeout(AT_ONCE, appears).await.unwrap();
}

async fn seen_at_once(device: &Path, plug_in: impl FnOnce()) {
    let console = console(device);
    let mut appears = pin!(console.appears());
    assert!(poll!(&mut appears).is_pending(), "it is not there yet");
    plug_in();
    let begin = Instant::now();
    soon(appears).await;
    assert!(begin.elapsed() < AT_ONCE, "{:?}", begin.elapsed());
}

/// udev gives a new device to its group a moment after it is there.
#[tokio::test]
async fn a_device_that_is_there_is_tried_again_when_it_changes_or_after_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let device = folder.path().join("ttyUSB0");
    fs::write(&device, "").unwrap();
    let console = console(&device);

    let begin = Instant::now();
    soon(console.appears()).await;
    assert!(begin.elapsed() >= Duration::from_millis(900), "{:?}", begin.elapsed());

    let mut appears = pin!(console.appears());
    assert!(poll!(&mut appears).is_pending());
    fs::set_permissions(&device, Permissions::from_mode(0o660)).unwrap();
    let begin = Instant::now();
    soon(appears).await;
    assert!(begin.elapsed() < AT_ONCE, "{:?}", begin.elapsed());
}

/// Whatever happens around it, an adapter that is not there does not appear.
#[tokio::test]
async fn another_device_is_not_it() {
    let folder = tempfile::tempdir().unwrap();
    let console = console(&folder.path().join("ttyUSB0"));
    let mut appears = pin!(console.appears());
    assert!(poll!(&mut appears).is_pending());
    let mut others = 0..20;
    until(|| match others.next() {
        Some(other) => fs::write(folder.path().join(format!("ttyACM{other}")), "").is_err(),
        None => true,
    })
    .await;
    assert!(poll!(&mut appears).is_pending());
}
