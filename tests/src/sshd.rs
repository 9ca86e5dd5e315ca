//! What a board has for those who come by ssh.

use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

use crate::patience::{soon, until};

/// A board's sshd, as far as it matters: it says what it is, and then whatever it is told.
///
/// # Errors
/// The system's.
pub async fn stand_in() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                stream.write_all(b"SSH-2.0-board\r\n").await?;
                let (mut ear, mut mouth) = stream.split();
                tokio::io::copy(&mut ear, &mut mouth).await
            });
        }
    });
    Ok(port)
}

/// The real sshd, as the user of this test.
pub struct Sshd {
    child: Child,
    /// Where it listens.
    pub port: u16,
}

impl Sshd {
    /// Starts it in a folder, for whoever has a key of `authorized`. Its own is `board_host_key` there.
    ///
    /// # Errors
    /// The system's, or if it does not answer.
    pub async fn start(folder: &Path, authorized: &str) -> Result<Sshd> {
        let port = {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
            listener.local_addr()?.port()
        };
        let file = |name: &str| folder.join(name).display().to_string();
        let host_key = folder.join("board_host_key");
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&host_key);
        ensure!(soon(keygen.status()).await??.success(), "no host key");
        std::fs::write(folder.join("authorized"), authorized)?;
        let config = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {}\nPidFile none\nUsePAM no\nStrictModes no\n\
             AuthorizedKeysFile {}\nPasswordAuthentication no\nPermitRootLogin yes\n",
            host_key.display(),
            file("authorized")
        );
        std::fs::write(folder.join("sshd_config"), config)?;
        if nix::unistd::Uid::effective().is_root() {
            std::fs::create_dir_all("/run/sshd")?;
        }
        let child = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f", &file("sshd_config")])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        until(|| TcpStream::connect(("127.0.0.1", port)).is_ok()).await.context("sshd")?;
        Ok(Sshd { child, port })
    }

    /// Ends it.
    ///
    /// # Errors
    /// The system's.
    pub async fn stop(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }
}
