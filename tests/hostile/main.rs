//! Boards that print, and people who write, what does something to whoever reads it. Every way on which
//! such bytes reach a reader is tried with every sequence of the corpus.
//!
//! - [`sanitiser`]: the one piece of code that all of them use
//! - [`consoles`]: labctl's console and labtui, on terminals
//! - [`lists`]: tables, timelines, errors, JSON
//! - [`log`]: labd's own log
//! - [`metrics`]: what Prometheus is shown
//! - [`screens`]: a screen that is painted again
//!
//! Whatever else comes to show what boards say gets a module here.

#![allow(clippy::unwrap_used, reason = "a story ends where it goes wrong")]

mod consoles;
mod lists;
mod log;
mod metrics;
mod sanitiser;
mod screens;
mod terminal;

use std::process::Stdio;

use anyhow::Result;
use lab_tests::lab::TestLab;
use lab_tests::programs;
use protocol::user::Role;
use tokio::process::Command;

/// A lab with one board, and somebody who may hold it.
struct Scene {
    lab: TestLab,
    address: String,
}

impl Scene {
    async fn new() -> Result<Scene> {
        let lab = TestLab::with_boards(&["rpi4"]).await?;
        lab.settled().await?;
        let address = lab.socket_of("ada", Role::User)?.to_string();
        Ok(Scene { lab, address })
    }

    /// A program of the lab's, run by ada.
    fn program(&self, name: &str, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(programs::path(name)?);
        command
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.lab.path(""))
            .env("LANG", "C.UTF-8")
            .env("LAB", &self.address)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        Ok(command)
    }
}
