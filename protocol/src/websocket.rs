//! Bytes within a WebSocket (RFC 6455): each binary message carries some of them, and where one message ends
//! means nothing.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex, split,
};
use tokio::time::{Instant, interval, sleep, timeout_at};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use tokio_util::bytes::{BufMut, BytesMut};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The subprotocol's name.
pub const PROTOCOL: &str = "lab";
/// Where a lab's WebSocket is.
pub const PATH: &str = "/api/v1/lab";

/// So much waits in each direction.
const BUFFER: usize = 64 * 1024;
/// The most that one message carries, in bytes: strangers are heard, too, and each may send most of one.
const LARGEST: usize = 32 * 1024;
/// So much comes at once: TLS hands on a record at a time.
const RECORD: usize = 16 * 1024;
/// So much is sent as one: with a head of 14 bytes two whole records, and no third for a rest.
const MESSAGE: usize = 2 * RECORD - 14;
/// So often each side says that it is there: what lies between closes quiet connections.
const PING: Duration = Duration::from_secs(30);
/// Whoever says nothing for so long is gone.
const GONE: Duration = Duration::from_secs(90);
/// What was said before the bytes were dropped is on its way for so long.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// The bytes that a WebSocket carries. The socket is closed when they are dropped, and what was written to
/// them has gone out or had its time.
#[derive(Debug)]
pub struct Bytes {
    stream: DuplexStream,
    _here: DropGuard,
}

/// The bytes within a WebSocket that was agreed on, for the side that was asked.
pub async fn server(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Bytes {
    carried(WebSocketStream::from_raw_socket(stream, Role::Server, Some(config())).await)
}

/// The same for the side that asks, over a stream to a port of `host`.
///
/// # Errors
/// What was answered instead.
pub async fn client(
    host: &str,
    port: u16,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> Result<Bytes, Error> {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let port = if port == 443 { String::new() } else { format!(":{port}") };
    let mut request = format!("wss://{host}{port}{PATH}").into_client_request()?;
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
    let (socket, _) = client_async_with_config(request, stream, Some(config())).await?;
    Ok(carried(socket))
}

fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(LARGEST))
        .max_frame_size(Some(LARGEST))
        .read_buffer_size(RECORD)
        .write_buffer_size(0)
}

fn carried(socket: WebSocketStream<impl AsyncRead + AsyncWrite + Send + Unpin + 'static>) -> Bytes {
    let (stream, there) = duplex(BUFFER);
    let left = CancellationToken::new();
    tokio::spawn(carry(socket, there, left.clone()));
    Bytes { stream, _here: left.drop_guard() }
}

/// Carries bytes both ways. An empty message says that no more come from that side; when neither side has
/// more, or nobody is here any more, the socket is closed.
async fn carry(
    socket: WebSocketStream<impl AsyncRead + AsyncWrite + Unpin>,
    bytes: DuplexStream,
    left: CancellationToken,
) -> Result<(), Error> {
    let (mut to_socket, mut from_socket) = socket.split();
    let (mut from_here, mut to_here) = split(bytes);
    let has_ended = AtomicBool::new(false);
    let up = async {
        let mut pings = interval(PING);
        let mut buffer = BytesMut::new();
        while !has_ended.load(Ordering::Relaxed) {
            buffer.reserve(MESSAGE);
            let mut most = (&mut buffer).limit(MESSAGE);
            let message = tokio::select! {
                read = from_here.read_buf(&mut most) => {
                    has_ended.store(read? == 0, Ordering::Relaxed);
                    Message::binary(buffer.split().freeze())
                }
                _ = pings.tick() => Message::Ping(Default::default()),
            };
            to_socket.send(message).await?;
        }
        Ok(())
    };
    let down = async {
        let mut due = Instant::now() + GONE;
        loop {
            let message = timeout_at(due, from_socket.next()).await;
            let message = message.ok().flatten().ok_or(Error::ConnectionClosed)??;
            // Where nobody listens any more, to be there is not enough.
            if message.is_binary() || !has_ended.load(Ordering::Relaxed) {
                due = Instant::now() + GONE;
            }
            match message {
                Message::Binary(bytes) if bytes.is_empty() => {
                    return Ok(to_here.shutdown().await?);
                }
                Message::Binary(bytes) => to_here.write_all(&bytes).await?,
                Message::Close(_) => return Err(Error::ConnectionClosed),
                _ => {}
            }
        }
    };
    let down = async {
        tokio::select! {
            heard = down => heard,
            // There is nobody to tell.
            () = left.cancelled() => Ok(()),
        }
    };
    tokio::select! {
        said = async { futures::try_join!(up, down) } => said.map(drop)?,
        () = async { left.cancelled().await; sleep(LAST_WORDS).await } => {
            return Err(Error::ConnectionClosed);
        }
    }
    timeout_at(Instant::now() + LAST_WORDS, to_socket.close()).await.unwrap_or(Ok(()))
}

impl AsyncRead for Bytes {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Bytes {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Planted, and caught: a task that goes on until the other side is long gone.
    #[tokio::test(start_paused = true)]
    async fn what_was_said_last_goes_out_and_the_socket_is_closed_at_once() {
        let (mut there, here) = duplex(4 * LARGEST);
        let mut bytes = server(here).await;
        bytes.write_all(b"no").await.expect("it is open");
        let began = Instant::now();
        drop(bytes);
        let mut said = Vec::new();
        there.read_to_end(&mut said).await.expect("it is closed");
        assert!(said.windows(4).any(|frame| frame == b"\x82\x02no"), "{said:?}");
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    }

    /// Planted, and caught: whoever does not read keeps what is on its way to them.
    #[tokio::test(start_paused = true)]
    async fn whoever_does_not_listen_to_the_last_words_goes_without() {
        let (mut there, here) = duplex(1_024);
        let mut bytes = server(here).await;
        bytes.write_all(&[0; LARGEST]).await.expect("it is open");
        drop(bytes);
        sleep(LAST_WORDS + Duration::from_secs(1)).await;
        let mut said = Vec::new();
        there.read_to_end(&mut said).await.expect("it is closed");
        assert!(said.len() < LARGEST, "{}", said.len());
    }

    /// Planted, and caught: frames of a megabyte.
    #[tokio::test(start_paused = true)]
    async fn a_frame_that_is_too_large_is_not_waited_for() {
        let (mut there, here) = duplex(1_024);
        let _bytes = server(here).await;
        let mut header = b"\x82\xff".to_vec();
        header.extend((64 * 1_024 + 1_u64).to_be_bytes());
        header.extend([0; 4]);
        there.write_all(&header).await.expect("it is open");
        let began = Instant::now();
        there.read_to_end(&mut Vec::new()).await.expect("it is closed");
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    }
}
