//! conserver, and coming to its console.

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use protocol::client::Flow;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::board::Board;
use crate::process::{PATIENCE, Running};

/// Where Debian puts it.
const PROGRAM: &str = "/usr/sbin/conserver";

/// conserver with one board, on a configuration and a folder that are gone afterwards.
pub(crate) struct Conserver {
    running: Running,
    folder: TempDir,
    port: u16,
}

impl Conserver {
    /// Starts it as a lab would have it: it writes down what the board prints. It is given what is quickest:
    /// no TLS, and nobody who is asked for a password.
    pub(crate) fn start(board: &Board) -> Result<Conserver> {
        ensure!(
            Path::new(PROGRAM).exists(),
            "there is no {PROGRAM} to compare with; 'apt-get install conserver-server' installs it"
        );
        let folder = tempfile::tempdir()?;
        let file = |name: &str| folder.path().join(name);
        let config = format!(
            "config * {{ daemonmode no; redirect no; sslrequired no; }}\n\
             default * {{ rw *; master localhost; logfile {log}; }}\n\
             console board {{ type device; device {device}; baud 115200; parity none; \
             options !ixon,!ixoff; }}\n\
             access * {{ trusted 127.0.0.1; }}\n",
            log = file("log").display(),
            device = board.path().display(),
        );
        fs::write(file("conserver.cf"), config)?;
        fs::write(file("passwd"), "")?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let said = File::create(file("said"))?;
        let running = Running::start(
            Command::new(PROGRAM)
                .args(["-E", "-M", "127.0.0.1", "-p", &port.to_string()])
                .arg("-C")
                .arg(file("conserver.cf"))
                .arg("-P")
                .arg(file("passwd"))
                .stdin(Stdio::null())
                .stdout(said.try_clone()?)
                .stderr(said),
        )?;
        Ok(Conserver { running, folder, port })
    }

    /// Waits until its console can be come to.
    pub(crate) async fn until_open(&self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while let Err(error) = self.attach().await {
            if Instant::now() > deadline {
                let said = fs::read_to_string(self.said())?;
                return Err(error).context(said);
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Comes to the console as its own client does: asks where it is, goes there, and says that it listens.
    pub(crate) async fn attach(&self) -> Result<Flow> {
        let mut master = greeted(self.port).await?;
        let port = asked(&mut master, "call board\r\n").await?;
        let port = port.parse().with_context(|| format!("conserver: {port}"))?;
        let mut flow = greeted(port).await?;
        let seat = asked(&mut flow, "call board\r\n").await?;
        ensure!(seat == "[attached]" || seat == "[spy]", "conserver: {seat}");
        let connected = asked(&mut flow, "\x05c;").await?;
        ensure!(connected == "[connected]", "conserver: {connected}");
        Ok(flow)
    }

    /// The resident memory of all of it now, in MB.
    pub(crate) fn memory(&self) -> Result<f64> {
        self.running.memory_of_all()
    }

    fn said(&self) -> PathBuf {
        self.folder.path().join("said")
    }
}

/// Connects to one of its processes, and says who comes.
async fn greeted(port: u16) -> Result<Flow> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.set_nodelay(true)?;
    let mut flow: Flow = BufReader::new(Box::new(stream));
    for say in ["", "login bench\r\n"] {
        let answer = asked(&mut flow, say).await?;
        ensure!(answer == "ok", "conserver: {answer}");
    }
    Ok(flow)
}

/// Says something, and returns the line that is said then.
async fn asked(flow: &mut Flow, say: &str) -> Result<String> {
    flow.write_all(say.as_bytes()).await?;
    let mut line = String::new();
    if flow.read_line(&mut line).await? == 0 {
        bail!("conserver has closed the connection");
    }
    Ok(line.trim_end().to_owned())
}
