//! Bytes carried on from one stream to another.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};

/// So much is carried at once, in bytes.
const CHUNK: usize = 128 * 1024;

/// Carries both ways until neither side has more. Where one has no more to say, the other is told so.
///
/// # Errors
/// The first that either side has.
pub async fn both(
    here: impl AsyncRead + AsyncWrite + Unpin,
    there: impl AsyncRead + AsyncWrite + Unpin,
) -> io::Result<()> {
    let ((mut from_here, mut to_here), (mut from_there, mut to_there)) =
        (split(here), split(there));
    let up = async {
        one_way(&mut from_here, &mut to_there).await?;
        to_there.shutdown().await
    };
    let down = async {
        one_way(&mut from_there, &mut to_here).await?;
        to_here.shutdown().await
    };
    tokio::try_join!(up, down).map(drop)
}

/// Carries one way until there is no more. What has come already goes along: what one side wrote ends in a
/// record of TLS by itself, and for that the other need not be woken.
///
/// # Errors
/// The first that either side has; what had come before is handed on.
pub async fn one_way(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(CHUNK);
    loop {
        let mut read = from.read_buf(&mut buffer).await;
        while matches!(read, Ok(1..)) && buffer.len() < CHUNK {
            read = tokio::select! {
                biased;
                more = from.read_buf(&mut buffer) => more,
                () = std::future::ready(()) => break,
            };
        }
        to.write_all(&buffer).await?;
        to.flush().await?;
        buffer.clear();
        if read? == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use tokio::io::{DuplexStream, duplex};
    use tokio_util::io::StreamReader;

    use super::*;

    const ROOM: usize = 256;

    #[tokio::test]
    async fn each_side_is_told_of_the_others_end_and_goes_on() -> io::Result<()> {
        let ((mut left, here), (mut right, there)) = (duplex(ROOM), duplex(ROOM));
        let carried = tokio::spawn(both(here, there));
        left.write_all(b"what is it?").await?;
        left.shutdown().await?;
        assert_eq!(all(&mut right).await?, b"what is it?");
        right.write_all(b"a board").await?;
        drop(right);
        assert_eq!(all(&mut left).await?, b"a board");
        carried.await?
    }

    #[tokio::test]
    async fn what_came_before_an_error_is_handed_on() {
        let comes = [Ok(&b"so far"[..]), Err(io::Error::from(io::ErrorKind::ConnectionReset))];
        let mut from = StreamReader::new(stream::iter(comes));
        let mut to = Vec::new();
        let end = one_way(&mut from, &mut to).await;
        assert_eq!(end.map_err(|error| error.kind()), Err(io::ErrorKind::ConnectionReset));
        assert_eq!(to, b"so far");
    }

    async fn all(from: &mut DuplexStream) -> io::Result<Vec<u8>> {
        let mut said = Vec::new();
        from.read_to_end(&mut said).await?;
        Ok(said)
    }
}
