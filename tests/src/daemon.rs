//! The real daemon, which can be killed.

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use protocol::address::Address;
use protocol::client::Client;

use crate::lab::{Ground, Plan};
use crate::patience::{soon, until, until_told};
use crate::programs;

/// A daemon in a folder of its own. It is killed when this is dropped.
pub struct Daemon {
    ground: Ground,
    log: &'static str,
    child: Child,
}

impl Daemon {
    /// Starts it, and waits until it answers.
    ///
    /// # Errors
    /// The system's, or if it does not answer.
    pub async fn start(plan: Plan) -> Result<Daemon> {
        Daemon::start_talkative(plan, "error").await
    }

    /// The same; what it says of itself, as much as `log` says, is in its folder's `labd.log`.
    ///
    /// # Errors
    /// The system's, or if it does not answer.
    pub async fn start_talkative(plan: Plan, log: &'static str) -> Result<Daemon> {
        let ground = Ground::new(&plan).await?;
        let child = spawn(&ground, log)?;
        let daemon = Daemon { ground, log, child };
        daemon.answers().await?;
        Ok(daemon)
    }

    /// Its folder and its hardware.
    pub fn ground(&mut self) -> &mut Ground {
        &mut self.ground
    }

    /// Something in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.ground.path(name)
    }

    /// Where it listens.
    pub fn address(&self) -> Address {
        Address::Unix(self.path("labd.sock"))
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its own user, who is an administrator.
    ///
    /// # Errors
    /// The lab's.
    pub async fn client(&self) -> Result<Client> {
        Ok(soon(Client::connect(&self.address())).await??)
    }

    /// Kills it where it stands, and starts it again.
    ///
    /// # Errors
    /// The system's, or if it does not answer.
    pub async fn crash_and_restart(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        self.start_again().await
    }

    /// Tells it to end. How it ended.
    ///
    /// # Errors
    /// If it does not.
    pub async fn terminate(&mut self) -> Result<ExitStatus> {
        kill(Pid::from_raw(self.child.id().try_into()?), Signal::SIGTERM)?;
        let mut ended = None;
        let child = &mut self.child;
        until(|| {
            ended = child.try_wait().ok().flatten();
            ended.is_some()
        })
        .await
        .context("labd does not end")?;
        ended.context("it has ended")
    }

    /// Starts it again.
    ///
    /// # Errors
    /// The system's, or if it does not answer.
    pub async fn start_again(&mut self) -> Result<()> {
        self.ground.forget_lines();
        self.child = spawn(&self.ground, self.log)?;
        self.answers().await
    }

    async fn answers(&self) -> Result<()> {
        let answers = async || Ok(Client::connect(&self.address()).await.is_ok());
        until_told(answers).await.with_context(|| {
            let said = std::fs::read_to_string(self.path("labd.log")).unwrap_or_default();
            format!("labd does not answer: {said}")
        })
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // If it has ended already, that is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(ground: &Ground, log: &str) -> Result<Child> {
    let said = OpenOptions::new().create(true).append(true).open(ground.path("labd.log"))?;
    let child = Command::new(programs::path("labd")?)
        .arg("--config")
        .arg(ground.config())
        .arg("--state")
        .arg(ground.path("state"))
        .arg("--socket")
        .arg(ground.path("labd.sock"))
        .env("LABD_LOG", log)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(said)
        .spawn()?;
    Ok(child)
}
