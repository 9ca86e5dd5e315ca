//! labctl as people and scripts meet it: transcripts, and what no transcript can show.

#![allow(clippy::unwrap_used, reason = "a story ends where it goes wrong")]

mod around;
mod json;
mod login;
mod recordings;
mod run;
mod terminal;
mod transcript;

use std::path::Path;
use std::process::{Output, Stdio};

use anyhow::Result;
use lab_tests::lab::{Plan, TestLab};
use lab_tests::patience::soon;
use lab_tests::programs;
use protocol::address::Address;
use protocol::user::Role;
use tokio::process::Command;

/// labctl, run by somebody with that home, in an environment of its own.
fn labctl(home: &Path, arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(programs::path("labctl")?);
    command
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", home)
        .env("TZ", "UTC")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    Ok(command)
}

/// A lab, and the sockets of those who are on first-name terms with it.
struct Scene {
    lab: TestLab,
    ada: Address,
}

impl Scene {
    async fn open(plan: Plan) -> Result<Scene> {
        let lab = plan.open().await?;
        lab.settled().await?;
        let ada = lab.socket_of("ada", Role::User)?;
        Ok(Scene { lab, ada })
    }

    async fn with_boards(names: &[&str]) -> Result<Scene> {
        Scene::open(Plan::new(lab_tests::lab::boards(names)).by_hand()).await
    }

    /// labctl, run by ada in an environment of its own.
    fn labctl(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = labctl(&self.lab.path(""), arguments)?;
        command.env("LAB", self.ada.to_string());
        Ok(command)
    }

    /// What it prints, to its end.
    async fn says(&self, arguments: &[&str]) -> Result<Said> {
        said(self.labctl(arguments)?).await
    }
}

/// What a program printed, and how it ended.
#[derive(Debug)]
struct Said {
    out: String,
    err: String,
    code: Option<i32>,
}

async fn said(mut command: Command) -> Result<Said> {
    let Output { status, stdout, stderr } = soon(command.output()).await??;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Said { out: text(stdout), err: text(stderr), code: status.code() })
}
