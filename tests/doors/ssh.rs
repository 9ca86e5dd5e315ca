//! The ssh door, and OpenSSH's own client at it.

mod agent;
mod consoles;
mod doorstep;
mod keys;
mod programs;
mod tunnels;

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use lab_tests::follower::{Follower, Stream};
use lab_tests::lab::{Plan, TestLab, boards};
use lab_tests::patience::soon;
use lab_tests::programs::path as program;
use labd::doorstep::Doorstep;
use labd::ssh::{Door, Ground, host_key};
use protocol::account::Key;
use protocol::journal::{Entry, Event};
use protocol::user::{Role, Who};
use protocol::wire::{Follow, Welcome};
use pty_process::Size;
use russh::client;
use russh::keys::PublicKeyOrCertificate;
use tokio::io::{AsyncWriteExt, BufReader, join};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

/// A lab with its ssh door open.
struct Scene {
    lab: TestLab,
    port: u16,
    doorstep: Arc<Doorstep>,
}

/// Somebody's client: their private key's file, and where it goes.
struct Client {
    key: PathBuf,
    known_hosts: PathBuf,
    port: u16,
}

/// What a client printed, and how it ended.
#[derive(Debug)]
struct Said {
    out: String,
    err: String,
    code: Option<i32>,
}

impl Scene {
    async fn open(plan: Plan) -> Result<Scene> {
        let programs = program("labctl")?.parent().context("it is in a folder")?.to_owned();
        Scene::with_programs(plan, programs).await
    }

    async fn with_boards(names: &[&str]) -> Result<Scene> {
        Scene::open(Plan::new(boards(names))).await
    }

    async fn with_programs(plan: Plan, programs: PathBuf) -> Result<Scene> {
        Scene::with(plan, programs, Doorstep::new()).await
    }

    async fn with(plan: Plan, programs: PathBuf, doorstep: Arc<Doorstep>) -> Result<Scene> {
        // So that they are there, and as new as this test.
        program("labtui")?;
        let lab = plan.open().await?;
        let host_key = host_key::own(&lab.path("ssh"))?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let host = host_key.public_key().to_openssh()?;
        std::fs::write(lab.path("known_hosts"), format!("[127.0.0.1]:{port} {host}\n"))?;
        let ground =
            Ground { programs, folder: lab.path("rooms"), host_key, doorstep: doorstep.clone() };
        tokio::spawn(Door::new(lab.lab().clone(), ground)?.serve(listener));
        lab.settled().await?;
        Ok(Scene { lab, port, doorstep })
    }

    /// A new key of that kind, which nobody has.
    async fn stranger(&self, name: &str, kind: &str) -> Result<Client> {
        let key = self.lab.path(&format!("{name}-{kind}"));
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", kind, "-N", "", "-C", name, "-f"]).arg(&key);
        ensure!(soon(keygen.status()).await??.success(), "no {kind} key");
        Ok(Client { key, known_hosts: self.lab.path("known_hosts"), port: self.port })
    }

    /// A new key of `name`'s.
    async fn client(&self, name: &str) -> Result<Client> {
        let client = self.stranger(name, "ed25519").await?;
        self.admit(name, &client.public()?).await?;
        Ok(client)
    }

    /// The key is `name`'s from now on.
    async fn admit(&self, name: &str, line: &str) -> Result<Key> {
        Ok(self.lab.lab().add_key(&root()?, &Who::new(name.parse()?, Role::User), line).await?)
    }

    /// The lab's timeline, from its beginning on.
    async fn timeline(&self) -> Result<Follower> {
        let what = Follow::Journal {
            board: None,
            from: Some(1),
            since: None,
            tail: 0,
            stop_at_end: false,
        };
        Ok(self.lab.admin().await?.follow(what).await?)
    }

    /// The next refusal on the timeline.
    async fn refusal(&self) -> Result<Entry> {
        self.timeline().await?.event(|event| matches!(event, Event::Denied { .. })).await
    }
}

fn root() -> Result<Who> {
    Ok(Who::new("root".parse()?, Role::Admin))
}

impl Client {
    fn public(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.key.with_extension("pub"))?)
    }

    /// OpenSSH's client with these options and words; the lab's host is `lab`.
    fn options(&self) -> Vec<String> {
        let file = |name: &str, path: &Path| format!("{name}={}", path.display());
        let mut options = vec!["-F".to_owned(), "/dev/null".to_owned()];
        for option in [
            file("IdentityFile", &self.key),
            file("UserKnownHostsFile", &self.known_hosts),
            "GlobalKnownHostsFile=/dev/null".to_owned(),
            "StrictHostKeyChecking=yes".to_owned(),
            "IdentitiesOnly=yes".to_owned(),
            "IdentityAgent=none".to_owned(),
            "BatchMode=yes".to_owned(),
            "HostName=127.0.0.1".to_owned(),
            format!("Port={}", self.port),
        ] {
            options.extend(["-o".to_owned(), option]);
        }
        options
    }

    /// OpenSSH's client.
    fn ssh(&self, words: &[&str]) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.args(self.options())
            .args(words)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("TERM", "xterm")
            .env("LANG", "C.UTF-8")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        ssh
    }

    /// What it prints, to its end.
    async fn says(&self, words: &[&str]) -> Result<Said> {
        said(&mut self.ssh(words)).await
    }

    /// The same, with something to read.
    async fn says_to(&self, words: &[&str], input: &str) -> Result<Said> {
        let mut child = self.ssh(words).stdin(Stdio::piped()).spawn()?;
        let mut stdin = child.stdin.take().context("piped")?;
        stdin.write_all(input.as_bytes()).await?;
        drop(stdin);
        Ok(told(soon(child.wait_with_output()).await??))
    }

    /// It at a terminal of that size.
    fn at_terminal(&self, words: &[&str], size: Size) -> Result<Terminal> {
        let (pty, line) = pty_process::open()?;
        pty.resize(size)?;
        let mut ssh = self.ssh(words);
        // The terminal is all that it has.
        ssh.stdin(Stdio::inherit()).stdout(Stdio::inherit()).stderr(Stdio::inherit());
        let ssh = pty_process::Command::from(ssh).spawn(line)?;
        let size = pty.as_fd().try_clone_to_owned()?;
        let (ear, mouth) = pty.into_split();
        let stream = Box::new(join(ear, mouth)) as Box<dyn Stream>;
        let screen = Follower::new(BufReader::new(stream), Welcome::default());
        Ok(Terminal { screen, size, ssh })
    }
}

/// A terminal with a client at it.
struct Terminal {
    screen: Follower,
    size: OwnedFd,
    ssh: Child,
}

impl Terminal {
    /// Its window is another size from now on.
    fn resize(&self, columns: u16, rows: u16) -> Result<()> {
        let size =
            rustix::termios::Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        Ok(rustix::termios::tcsetwinsize(&self.size, size)?)
    }

    /// How the client ends.
    async fn ended(&mut self) -> Result<Option<i32>> {
        Ok(soon(self.ssh.wait()).await??.code())
    }
}

/// A client without OpenSSH's own ideas of what can be asked for.
struct Plain;

impl client::Handler for Plain {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        _key: &PublicKeyOrCertificate,
    ) -> Result<bool, russh::Error> {
        Ok(true)
    }
}

async fn said(ssh: &mut Command) -> Result<Said> {
    Ok(told(soon(ssh.output()).await??))
}

fn told(output: Output) -> Said {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Said { out: text(output.stdout), err: text(output.stderr), code: output.status.code() }
}
