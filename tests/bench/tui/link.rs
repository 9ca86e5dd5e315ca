//! A link to a lab far away: whatever is sent arrives, later.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use protocol::address::Address;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// The link; it is gone when this is dropped.
pub(crate) struct Link {
    folder: TempDir,
    _runtime: Runtime,
}

impl Link {
    /// A link to a lab's socket, which takes so long each way.
    pub(crate) fn to(lab: &Address, delay: Duration) -> Result<Link> {
        let Address::Unix(lab) = lab.clone() else { bail!("this link is made of Unix sockets") };
        let folder = tempfile::tempdir()?;
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = {
            let _here = runtime.enter();
            UnixListener::bind(socket(&folder))?
        };
        runtime.spawn(carry_all(listener, lab, delay));
        Ok(Link { folder, _runtime: runtime })
    }

    /// Its near end.
    pub(crate) fn address(&self) -> Address {
        Address::Unix(socket(&self.folder))
    }
}

fn socket(folder: &TempDir) -> PathBuf {
    folder.path().join("sock")
}

async fn carry_all(listener: UnixListener, lab: PathBuf, delay: Duration) -> Result<()> {
    loop {
        let (here, there) = (listener.accept().await?.0, UnixStream::connect(&lab).await?);
        let ((hear, tell), (ask, answer)) = (here.into_split(), there.into_split());
        tokio::spawn(carry(hear, answer, delay));
        tokio::spawn(carry(ask, tell, delay));
    }
}

/// Carries one way. As much as there is travels at once.
async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay: Duration) -> Result<()> {
    let (send, mut travelling) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut piece = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from.read(&mut piece).await {
            if send.send((Instant::now() + delay, piece[..count].to_vec())).is_err() {
                return;
            }
        }
    });
    while let Some((due, piece)) = travelling.recv().await {
        sleep_until(due).await;
        to.write_all(&piece).await?;
    }
    Ok(())
}
