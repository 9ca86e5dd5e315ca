//! Bytes within a WebSocket (RFC 6455): each binary message carries some of them, and where one message ends
//! means nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex, split};
use tokio::time::{Instant, interval, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

/// The subprotocol's name.
pub const PROTOCOL: &str = "lab";
/// Where a lab's WebSocket is.
pub const PATH: &str = "/api/v1/lab";

/// So much waits in each direction.
const BUFFER: usize = 256 * 1024;
/// The most that one message carries, in bytes.
const LARGEST: usize = 1 << 20;
/// So often each side says that it is there: what lies between closes quiet connections.
const PING: Duration = Duration::from_secs(30);
/// Whoever says nothing for so long is gone.
const GONE: Duration = Duration::from_secs(90);

/// The bytes within a WebSocket that was agreed on, on the side that answered.
pub async fn server(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> DuplexStream {
    within(stream, Role::Server).await
}

/// The same, on the side that asked.
pub async fn client(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> DuplexStream {
    within(stream, Role::Client).await
}

async fn within(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    role: Role,
) -> DuplexStream {
    let config = WebSocketConfig::default()
        .max_message_size(Some(LARGEST))
        .max_frame_size(Some(LARGEST))
        .write_buffer_size(BUFFER);
    let socket = WebSocketStream::from_raw_socket(stream, role, Some(config)).await;
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
        let mut buffer = vec![0; BUFFER];
        while !has_ended.load(Ordering::Relaxed) {
            let message = tokio::select! {
                read = from_here.read(&mut buffer) => {
                    let read = read?;
                    has_ended.store(read == 0, Ordering::Relaxed);
                    Message::binary(buffer[..read].to_vec())
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
