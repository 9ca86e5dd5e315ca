//! Debian's ser2net in front of a board.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use lab_tests::patience::until_told;
use labd::console::tcp::{Protocol, TcpConsole};
use labd::console::uart::Uart;
use labd::console::{Console, Port};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;

use super::pty::Board;
use super::{every_byte, read, rest, soon, type_on, until};

const PROGRAM: &str = "/usr/sbin/ser2net";

/// A running ser2net; it ends when dropped.
struct Ser2net {
    process: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Ser2net {
    /// Serves a board's port behind `accepter`: `tcp`, or `telnet,tcp`.
    fn start(accepter: &str, board: &Board) -> Ser2net {
        assert!(Path::new(PROGRAM).exists(), "there is no {PROGRAM}; tests/run installs it");
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("ser2net.yaml");
        let address = own_address();
        let device = board.path().display();
        let text = format!(
            "connection: &board\n  accepter: {accepter},{},{}\n  \
             connector: serialdev(nouucplock=true),{device},9600n81,local\n",
            address.ip(),
            address.port(),
        );
        std::fs::write(&config, text).unwrap();
        let process = Command::new(PROGRAM)
            .args(["-d", "-u", "-c"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Ser2net { process, address, _folder: folder }
    }

    fn console(&self, protocol: Protocol) -> TcpConsole {
        TcpConsole::new(self.address.ip().to_string(), self.address.port(), protocol)
    }

    /// Opens the console as soon as the server listens.
    async fn open(&self, protocol: Protocol) -> Box<dyn Port> {
        let console = self.console(protocol);
        let mut opened = None;
        until_told(async || match console.open().await {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(false),
            done => {
                opened = Some(done?);
                Ok(true)
            }
        })
        .await
        .unwrap();
        opened.unwrap()
    }
}

impl Drop for Ser2net {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// An address of this machine that is this process's own, and a port that no other test has. A port
/// asked from the kernel and given back would not do: a process that another test is starting may
/// still hold it.
pub(crate) fn own_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(4001);
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let host = Ipv4Addr::new(127, 64 | high, middle, low);
    (host, NEXT.fetch_add(1, Ordering::Relaxed)).into()
}

/// Every byte, both ways, a BREAK, every byte again; then the server is killed.
async fn a_whole_life(accepter: &str, protocol: Protocol) {
    let mut board = Board::new();
    let server = Ser2net::start(accepter, &board);
    let mut port = server.open(protocol).await;
    for _ in 0..2 {
        type_on(&mut port, &every_byte()).await;
        assert_eq!(board.take(256).await, every_byte());
        board.print(&every_byte()).await;
        assert_eq!(read(&mut port, 256).await, every_byte());
        if protocol != Protocol::Raw {
            for on in [true, false] {
                port.set_break(on).unwrap();
                soon(port.flush()).await.unwrap();
            }
        }
    }
    drop(server);
    assert_eq!(rest(&mut port).await, b"");
}

#[tokio::test]
async fn raw() {
    a_whole_life("tcp", Protocol::Raw).await;
}

#[tokio::test]
async fn telnet() {
    a_whole_life("telnet,tcp", Protocol::Telnet).await;
}

#[tokio::test]
async fn rfc2217() {
    a_whole_life("telnet(rfc2217),tcp", Protocol::Rfc2217(Uart::default())).await;
}

#[tokio::test]
async fn a_speed_reaches_the_port() {
    for speed in [115_200, 57_600] {
        let board = Board::new();
        let server = Ser2net::start("telnet(rfc2217),tcp", &board);
        let _port = server.open(Protocol::Rfc2217(Uart { speed, ..Uart::default() })).await;
        until(|| board.speed() == speed).await;
    }
}

#[tokio::test]
async fn telnet_alone_does_not_do_rfc_2217() {
    let board = Board::new();
    let server = Ser2net::start("telnet,tcp", &board);
    let _ready = server.open(Protocol::Telnet).await;
    let console = server.console(Protocol::Rfc2217(Uart::default()));
    assert!(soon(console.open()).await.is_err());
}
