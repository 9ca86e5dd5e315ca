//! Sending a file through a console: [`xmodem`], with YMODEM in it, and [`paste`].
//!
//! It happens beside the board: whoever sends the file may be far away. What is between this and the device,
//! and who may, is the [line](super::line)'s.

mod paste;
#[cfg(test)]
mod tests;
mod xmodem;

use std::io;

use protocol::send::{File, Way};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Duration, timeout};

use self::paste::Paste;
use self::xmodem::Sender;

/// Sends `source`, which has as many bytes as `file` says, to whatever reads `wire`. `prompt` is what stands on
/// the present line. `taken` says how many bytes the board has. If `cancelled` comes true first, or the
/// source ends early, the board is told that nothing more comes.
///
/// # Errors
/// What went wrong, in one line; where, `taken` says.
pub async fn send(
    file: &File,
    source: impl AsyncRead + Unpin,
    mut wire: impl AsyncRead + AsyncWrite + Unpin,
    prompt: Vec<u8>,
    taken: &watch::Sender<u64>,
    cancelled: impl Future<Output = ()>,
) -> Result<(), String> {
    let source = source.take(file.size);
    let sending = async {
        let wire = Wire { stream: &mut wire };
        match file.way {
            Way::Paste => Paste::new(wire, prompt, taken).send(source).await,
            Way::Xmodem | Way::Xmodem1k | Way::Ymodem => {
                Sender::new(wire, taken).send(file, source).await
            }
        }
    };
    let sent = tokio::select! {
        sent = sending => sent,
        () = cancelled => Err("it was cancelled".to_owned()),
    };
    if sent.is_err() {
        // If nobody takes it, nobody waits for more either.
        let _ = wire.write_all(farewell(file.way)).await;
    }
    sent
}

/// What tells the board that nothing more comes.
fn farewell(way: Way) -> &'static [u8] {
    match way {
        Way::Paste => paste::CLEAR,
        Way::Xmodem | Way::Xmodem1k | Way::Ymodem => xmodem::CANCEL,
    }
}

/// What is between this and the board.
struct Wire<'a, S> {
    stream: &'a mut S,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<'_, S> {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.stream.write_all(bytes).await.map_err(|error| broken(&error))
    }

    /// The next byte that the board prints; none if it prints none for so long.
    async fn byte(&mut self, patience: Duration) -> Result<Option<u8>, String> {
        match timeout(patience, self.stream.read_u8()).await {
            Ok(read) => read.map(Some).map_err(|error| broken(&error)),
            Err(_) => Ok(None),
        }
    }

    /// Throws away what the board prints, until it prints nothing for so long. Returns how much that was.
    async fn drain(&mut self, silence: Duration) -> Result<usize, String> {
        let mut drained = 0;
        while self.byte(silence).await?.is_some() {
            drained += 1;
        }
        Ok(drained)
    }
}

/// Reads as much of the file as there is room for.
///
/// # Errors
/// If it ends before its size is reached.
async fn fill(
    source: &mut tokio::io::Take<impl AsyncRead + Unpin>,
    room: &mut [u8],
) -> Result<usize, String> {
    let due = usize::try_from(source.limit()).unwrap_or(usize::MAX).min(room.len());
    let read = source.read_exact(&mut room[..due]).await;
    read.map_err(|error| format!("the rest of the file did not come: {error}"))
}

fn broken(error: &io::Error) -> String {
    format!("the console broke off: {error}")
}
