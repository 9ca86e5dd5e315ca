//! Bytes within a WebSocket (RFC 6455): each binary message carries some of them, and where one message ends
//! means nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex, split};
use tokio::time::{Instant, interval, timeout_at};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use tokio_util::bytes::{BufMut, BytesMut};

/// The subprotocol's name.
pub const PROTOCOL: &str = "lab";
/// Where a lab's WebSocket is.
pub const PATH: &str = "/api/v1/lab";

/// So much waits in each direction.
const BUFFER: usize = 256 * 1024;
/// The most that one message carries, in bytes.
const LARGEST: usize = 1 << 20;
/// So much comes at once: TLS hands on a record at a time.
const RECORD: usize = 16 * 1024;
/// So much is sent as one: with a head of 14 bytes four whole records, and no fifth for a rest.
const MESSAGE: usize = 4 * RECORD - 14;
/// So often each side says that it is there: what lies between closes quiet connections.
const PING: Duration = Duration::from_secs(30);
/// Whoever says nothing for so long is gone.
const GONE: Duration = Duration::from_secs(90);

/// The bytes within a WebSocket that was agreed on, for the side that was asked.
pub async fn server(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> DuplexStream {
    carried(WebSocketStream::from_raw_socket(stream, Role::Server, Some(config())).await)
}

/// The same for the side that asks, over a stream to `host`.
///
/// # Errors
/// What was answered instead.
pub async fn client(
    host: &str,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> Result<DuplexStream, Error> {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let mut request = format!("wss://{host}{PATH}").into_client_request()?;
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

fn carried(
    socket: WebSocketStream<impl AsyncRead + AsyncWrite + Send + Unpin + 'static>,
) -> DuplexStream {
    let (here, there) = duplex(BUFFER);
    tokio::spawn(carry(socket, there));
    here
}

/// Carries bytes both ways. An empty message says that no more come from that side; when neither side has
/// more, the socket is closed.
async fn carry(
    socket: WebSocketStream<impl AsyncRead + AsyncWrite + Unpin>,
    bytes: DuplexStream,
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
    futures::try_join!(up, down)?;
    to_socket.close().await
}
