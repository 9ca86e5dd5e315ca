//! Terminal servers that are played here.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use futures::future::{FutureExt, join};
use labd::console::tcp::{Protocol, TcpConsole};
use labd::console::uart::Uart;
use labd::console::{Console, Port};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::{every_byte, read, rest, soon, type_on};

const RFC2217: Protocol = Protocol::Rfc2217(Uart {
    speed: 115_200,
    bits: tokio_serial::DataBits::Eight,
    parity: tokio_serial::Parity::None,
    stop: tokio_serial::StopBits::One,
    flow: tokio_serial::FlowControl::None,
});

/// A listener, and a console at its address.
async fn listen(protocol: Protocol) -> (TcpListener, TcpConsole) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, TcpConsole::new("127.0.0.1", port, protocol))
}

/// Opens a console whose server begins with `hello`.
async fn open(protocol: Protocol, hello: &[u8]) -> (io::Result<Box<dyn Port>>, TcpStream) {
    let (listener, console) = listen(protocol).await;
    let server = async {
        let (mut server, _) = listener.accept().await.unwrap();
        server.write_all(hello).await.unwrap();
        server
    };
    soon(join(console.open(), server)).await
}

/// Agrees to what a console asks for: DO and WILL BINARY, DO and WILL SUPPRESS-GO-AHEAD.
pub(crate) const AGREED: [u8; 12] = [255, 253, 0, 255, 251, 0, 255, 253, 3, 255, 251, 3];
/// DO COM-PORT.
pub(crate) const DO_COM_PORT: [u8; 3] = [255, 253, 44];

/// Reads from the console until it has sent `needle`.
pub(crate) async fn hears(server: &mut TcpStream, needle: &[u8]) {
    let mut heard = Vec::new();
    soon(async {
        while !heard.windows(needle.len()).any(|part| part == needle) {
            assert_ne!(server.read_buf(&mut heard).await.unwrap(), 0, "{heard:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn raw_bytes_pass_as_they_are() {
    let (port, mut server) = open(Protocol::Raw, &every_byte()).await;
    let mut port = port.unwrap();
    assert_eq!(read(&mut port, 256).await, every_byte());
    type_on(&mut port, &every_byte()).await;
    let mut typed = [0; 256];
    soon(server.read_exact(&mut typed)).await.unwrap();
    assert_eq!(typed.to_vec(), every_byte());
    let error = port.set_break(true).unwrap_err().to_string();
    assert!(error.ends_with(": raw TCP carries no BREAK; use protocol = telnet"), "{error}");
}

#[tokio::test]
async fn a_server_that_hangs_up_has_gone() {
    for protocol in [Protocol::Raw, Protocol::Telnet, RFC2217] {
        let (port, server) = open(protocol, &[&AGREED[..], &DO_COM_PORT, b"bye"].concat()).await;
        let mut port = port.unwrap();
        drop(server);
        assert!(rest(&mut port).await.ends_with(b"bye"));
    }
}

#[tokio::test]
async fn a_server_that_refuses_is_named() {
    // Nobody has listened there for decades.
    let console = TcpConsole::new("127.0.0.1", 1, Protocol::Raw);
    let error = soon(console.open()).await.err().unwrap().to_string();
    assert!(error.starts_with("127.0.0.1:1: Connection refused"), "{error}");
    assert!(error.ends_with("; check that the server has this port enabled"), "{error}");
}

#[tokio::test]
async fn a_name_that_means_nothing_is_named() {
    let console = TcpConsole::new("no-such-host.invalid", 4001, Protocol::Raw);
    let error = soon(console.open()).await.err().unwrap().to_string();
    assert!(error.starts_with("no-such-host.invalid:4001: "), "{error}");
}

#[tokio::test]
async fn a_server_without_rfc_2217_is_refused() {
    let hello = [&AGREED[..], &[255, 254, 44]].concat();
    let (port, _server) = open(RFC2217, &hello).await;
    let error = port.err().unwrap().to_string();
    assert!(error.ends_with("use protocol = telnet or raw"), "{error}");
}

/// The limit is 5 s; a server that says nothing of options is taken as it is, or else refused.
#[tokio::test]
async fn a_server_that_ignores_options_is_not_waited_for() {
    let (telnet, rfc2217) = join(open(Protocol::Telnet, b"login: "), open(RFC2217, b"")).await;
    assert_eq!(read(&mut telnet.0.unwrap(), 7).await, b"login: ");
    assert!(rfc2217.0.is_err());
}

#[tokio::test]
async fn a_server_that_hangs_up_at_once_is_an_error() {
    let (listener, console) = listen(Protocol::Telnet).await;
    let server = async { drop(listener.accept().await.unwrap()) };
    let (port, ()) = soon(join(console.open(), server)).await;
    assert!(port.is_err());
}

/// Commands bring no data, and are not the end.
#[tokio::test]
async fn commands_alone_are_not_read() {
    let (port, mut server) = open(Protocol::Telnet, &AGREED).await;
    let mut port = port.unwrap();
    let mut byte = [0];
    for _ in 0..3 {
        soon(server.write_all(&[255, 241])).await.unwrap();
        assert!(port.read(&mut byte).now_or_never().is_none());
    }
    soon(server.write_all(b"x")).await.unwrap();
    assert_eq!(read(&mut port, 1).await, b"x");
}

/// Nobody types, and nobody flushes: reading alone answers.
#[tokio::test]
async fn an_offer_is_answered_by_a_reader() {
    let (port, mut server) = open(Protocol::Telnet, &AGREED).await;
    let mut port = port.unwrap();
    soon(server.write_all(&[255, 251, 24])).await.unwrap();
    let mut byte = [0];
    tokio::select! {
        () = hears(&mut server, &[255, 254, 24]) => {}
        _ = port.read(&mut byte) => panic!("there is nothing to read"),
    }
}

#[tokio::test]
async fn a_break_goes_out_with_the_next_flush() {
    let (port, mut server) = open(Protocol::Telnet, &AGREED).await;
    let mut port = port.unwrap();
    port.set_break(true).unwrap();
    port.set_break(false).unwrap();
    type_on(&mut port, b"h").await;
    hears(&mut server, &[255, 243, b'h']).await;
}

#[tokio::test]
async fn a_break_behind_rfc_2217_lasts_until_it_is_ended() {
    let (port, mut server) = open(RFC2217, &[&AGREED[..], &DO_COM_PORT].concat()).await;
    let mut port = port.unwrap();
    hears(&mut server, &[255, 250, 44, 1, 0, 1, 0xc2, 0, 255, 240]).await;
    port.set_break(true).unwrap();
    soon(port.flush()).await.unwrap();
    hears(&mut server, &[255, 250, 44, 5, 5, 255, 240]).await;
    port.set_break(false).unwrap();
    soon(port.flush()).await.unwrap();
    hears(&mut server, &[255, 250, 44, 5, 6, 255, 240]).await;
}

#[tokio::test]
async fn a_suspended_console_types_when_it_may_again() {
    let suspend = [255, 250, 44, 108, 255, 240];
    let resume = [255, 250, 44, 109, 255, 240];
    let (port, mut server) = open(RFC2217, &[&AGREED[..], &DO_COM_PORT].concat()).await;
    let mut port = port.unwrap();
    soon(server.write_all(&[&suspend[..], b"a"].concat())).await.unwrap();
    assert_eq!(read(&mut port, 1).await, b"a");
    assert!(port.write(b"x").now_or_never().is_none());
    let typed = exchange(&mut port, b"typed", 1);
    let server = async {
        server.write_all(&resume).await.unwrap();
        hears(&mut server, b"typed").await;
        server.write_all(b"b").await.unwrap();
    };
    assert_eq!(soon(join(typed, server)).await.0, b"b");
}

/// The server takes nothing that is typed, and is heard all the same.
#[tokio::test]
async fn a_board_that_takes_nothing_is_still_read() {
    for protocol in [Protocol::Raw, Protocol::Telnet] {
        let (port, mut server) = open(protocol, &AGREED).await;
        let mut port = port.unwrap();
        if protocol == Protocol::Raw {
            read(&mut port, AGREED.len()).await;
        }
        while port.write(&[255; 4096]).now_or_never().is_some() {}
        soon(server.write_all(&[255, 251, 24, b'o', b'k'])).await.unwrap();
        let expected: &[u8] =
            if protocol == Protocol::Raw { &[255, 251, 24, b'o', b'k'] } else { b"ok" };
        assert_eq!(read(&mut port, expected.len()).await, expected);
    }
}

/// Its requests are no longer taken once too many replies wait; what it has sent by then lies in
/// the buffers of the kernel.
#[tokio::test]
async fn a_server_that_asks_and_never_reads_is_not_read_for_ever() {
    let (port, mut server) = open(Protocol::Telnet, &AGREED).await;
    let (mut port, mut byte, mut sent) = (port.unwrap(), [0], 0);
    let requests = [255, 251, 24].repeat(5000);
    loop {
        tokio::select! {
            _ = port.read(&mut byte) => panic!("there is nothing to read"),
            some = timeout(Duration::from_millis(500), server.write(&requests)) => match some {
                Ok(some) => sent += some.unwrap(),
                Err(_nothing_moves) => break,
            },
        }
        assert!(sent < 64 << 20, "everything is taken");
    }
}

/// A server that returns what it is sent agrees to everything, and to every byte.
#[tokio::test]
async fn a_megabyte_comes_back_from_an_echo() {
    let (listener, console) = listen(Protocol::Telnet).await;
    let echo = tokio::spawn(async move {
        let (mut server, _) = listener.accept().await.unwrap();
        let (mut from, mut to) = server.split();
        let _ = tokio::io::copy(&mut from, &mut to).await;
    });
    let mut port = soon(console.open()).await.unwrap();
    let sent = every_byte().repeat(4096);
    assert!(soon(exchange(&mut port, &sent, sent.len())).await == sent);
    drop(port);
    soon(echo).await.unwrap();
}

/// Writes and reads as a console's line does: one task, one poll for both, writing first.
async fn exchange(port: &mut Box<dyn Port>, typed: &[u8], expected: usize) -> Vec<u8> {
    let (mut sent, mut heard, mut chunk) = (0, Vec::new(), vec![0; 1000]);
    while heard.len() < expected {
        poll_fn(|cx| {
            let mut done = Poll::Pending;
            if sent < typed.len()
                && let Poll::Ready(some) = Pin::new(&mut *port).poll_write(cx, &typed[sent..])
            {
                sent += some.unwrap();
                done = Poll::Ready(());
            }
            let mut buf = ReadBuf::new(&mut chunk);
            if let Poll::Ready(read) = Pin::new(&mut *port).poll_read(cx, &mut buf) {
                read.unwrap();
                assert!(!buf.filled().is_empty(), "the server has gone");
                heard.extend_from_slice(buf.filled());
                done = Poll::Ready(());
            }
            done
        })
        .await;
    }
    heard
}
