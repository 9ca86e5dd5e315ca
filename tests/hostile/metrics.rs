//! What Prometheus is shown: nothing that a board has printed.

use std::net::Ipv4Addr;

use anyhow::Result;
use lab_tests::hostile::{Sequence, corpus, must_be_plain};
use lab_tests::patience::soon;
use labd::doorstep::Doorstep;
use labd::http::metrics;
use protocol::console::From;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_board_prints_is_no_number() -> Result<()> {
    let scene = Scene::new().await?;
    let mut console = scene.lab.viewer("ada").await?.look_at("rpi4", From::End).await?;
    let board = scene.lab.board("rpi4");
    for Sequence { bytes, .. } in corpus() {
        board.print([&bytes[..], b"\x18 planted\r\n"].concat()).await?;
    }
    board.print("that was it\r\n").await?;
    console.until("that was it\r\n").await?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    tokio::spawn(metrics::serve(scene.lab.lab().clone(), Doorstep::new(), listener));
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await??;
    let (_, shown) = answer.split_once("\r\n\r\n").unwrap();
    assert!(shown.contains("labd_console_printed_bytes_total{board=\"rpi4\"}"), "{shown}");
    assert!(!shown.contains("planted") && !shown.contains("that was it"), "{shown}");
    must_be_plain(shown)
}
