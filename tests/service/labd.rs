//! labd as a service.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Child;

use anyhow::{Context, Result};
use lab_tests::lab::{Ground, Plan, boards};
use lab_tests::patience::until;
use lab_tests::programs;
use lab_tests::service_manager::ServiceManager;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The service and its manager. It is killed when this is dropped.
pub(crate) struct Labd {
    pub(crate) manager: ServiceManager,
    ground: Ground,
    child: Option<Child>,
}

impl Labd {
    /// A lab with one board, which has a serial port; not started yet.
    pub(crate) async fn with_console(port: &Path) -> Result<Labd> {
        Labd::of(&described(port)).await
    }

    /// A lab, not started yet.
    pub(crate) async fn of(config: &str) -> Result<Labd> {
        let ground = Ground::new(&Plan::new(config)).await?;
        let manager = ServiceManager::new(&ground.path("."))?;
        Ok(Labd { manager, ground, child: None })
    }

    /// Something in its folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.ground.path(name)
    }

    /// Describes the lab anew.
    pub(crate) async fn configure(&mut self, config: &str) -> Result<()> {
        self.ground.configure(config).await
    }

    /// Starts it, with files that the manager has opened for it.
    pub(crate) fn start(&mut self, program: &Path, opened: &[(&str, OwnedFd)]) -> Result<()> {
        let [config, state, socket] = ["labd.conf", "state", "labd.sock"].map(|it| self.path(it));
        let arguments: [&Path; 6] = [
            "--config".as_ref(),
            &config,
            "--state".as_ref(),
            &state,
            "--socket".as_ref(),
            &socket,
        ];
        self.child = Some(self.manager.start(program, &arguments, opened)?);
        Ok(())
    }

    /// Starts it, and waits until it is ready.
    pub(crate) async fn run(&mut self) -> Result<()> {
        self.start(&programs::path("labd")?, &[])?;
        self.is_ready().await
    }

    pub(crate) async fn is_ready(&self) -> Result<()> {
        until(|| self.manager.has_said("READY=1")).await.context("labd is not ready")
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        let child = self.child.as_ref().context("it runs")?;
        Ok(kill(Pid::from_raw(child.id().try_into()?), signal)?)
    }

    /// Ends it, and waits until it has ended.
    pub(crate) async fn stop(&mut self, signal: Signal) -> Result<()> {
        self.signal(signal)?;
        let mut child = self.child.take().context("it runs")?;
        until(|| child.try_wait().is_ok_and(|ended| ended.is_some())).await
    }

    /// How many bytes of the console are recorded.
    pub(crate) fn recorded(&self) -> u64 {
        let file = fs::metadata(self.recording_file());
        file.map_or(0, |file| file.len())
    }

    /// All of them.
    pub(crate) fn recording(&self) -> Result<Vec<u8>> {
        Ok(fs::read(self.recording_file())?)
    }

    fn recording_file(&self) -> PathBuf {
        self.path("state/consoles/rpi4/00000000000000000000.bytes")
    }
}

impl Drop for Labd {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // If it has ended already, that is as well.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A lab with one board, which has a serial port.
pub(crate) fn described(port: &Path) -> String {
    let console = format!("{{ cls = serialconsole, device = \"{}\" }}", port.display());
    boards(&["rpi4"]).replace("@console(rpi4)", &console)
}
