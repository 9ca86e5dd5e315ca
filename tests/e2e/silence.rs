//! The other side of a connection is gone without a word, or is there and only does not read.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use lab_tests::patience::soon;
use protocol::silence::Watched;
use socket2::{SockFilter, SockRef};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

/// More than the systems of both sides keep for somebody who does not read.
const MUCH: usize = 64 << 20;
/// Longer than silence lasts.
const PAUSE: Duration = Duration::from_secs(20);

/// A connection, and its other side, which sees its system fill up.
async fn pair() -> Result<(Watched, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let there = TcpStream::connect(listener.local_addr()?).await?;
    Ok((Watched::new(listener.accept().await?.0)?, there))
}

/// With the real limit: it is what this is about.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_read_for_a_while_then_has_every_byte() -> Result<()> {
    let (mut here, mut there) = pair().await?;
    let written = tokio::spawn(async move {
        for piece in 0..MUCH / 65_536 {
            here.write_all(&[piece as u8; 65_536]).await?;
        }
        here.shutdown().await
    });
    sleep(PAUSE).await;
    ensure!(!written.is_finished(), "it is not enough: {:?}", written.await);
    let mut read = Vec::new();
    soon(there.read_to_end(&mut read)).await??;
    assert_eq!(read.len(), MUCH);
    ensure!(read.chunks(65_536).zip(0..).all(|(it, n)| it.iter().all(|byte| *byte == n as u8)));
    soon(written).await???;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_gone_is_noticed_by_whoever_writes_and_whoever_waits() -> Result<()> {
    let gone = async |first: usize| {
        let (mut here, there) = pair().await?;
        // What fits neither here nor there stands still.
        let all = vec![7; first];
        let stuck = timeout(Duration::from_millis(500), here.write_all(&all)).await.is_err();
        ensure!(stuck == (first == MUCH), "{first} bytes");
        // Of every segment that comes, not a byte is taken.
        SockRef::from(&there).attach_filter(&[SockFilter::new(0x06, 0, 0, 0)])?;
        let end = async {
            match stuck {
                true => here.write_all(&all).await,
                false => {
                    here.write_all(b"lost").await?;
                    here.read_u8().await.map(drop)
                }
            }
        };
        let error = timeout(2 * PAUSE, end).await.context("nobody notices")?.err();
        assert_eq!(error.context("it ends")?.kind(), std::io::ErrorKind::TimedOut);
        drop(there);
        anyhow::Ok(())
    };
    tokio::try_join!(gone(MUCH), gone(4)).map(drop)
}
