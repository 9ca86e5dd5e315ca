//! Logging in from elsewhere, with the real programs on both sides.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use lab_tests::daemon::Daemon;
use lab_tests::lab::Plan;
use protocol::account::Secret;
use protocol::login::Invitation;
use tempfile::TempDir;
use tokio::process::Command;

use super::{Said, labctl, said};

/// A daemon with a door for those from elsewhere, and the home of somebody there.
struct Story {
    labd: Daemon,
    home: TempDir,
}

impl Story {
    async fn begin() -> Result<Story> {
        // Nobody else takes it in this moment, or the test says so.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let text = format!(
            "access {{ admin = root }}\ntls {{ listen = \"127.0.0.1:{port}\"; name = \"127.0.0.1\" }}\n\
             classes {{ sim {{ }} }}\nboards [ {{ name = one; class = sim; options = [ {{ cls = sim; seed = 1 }} ] }} ]"
        );
        Ok(Story { labd: Daemon::start(Plan::new(text)).await?, home: TempDir::new()? })
    }

    fn labctl(&self, arguments: &[&str]) -> Result<Command> {
        labctl(self.home.path(), arguments)
    }

    async fn says(&self, arguments: &[&str]) -> Result<Said> {
        said(self.labctl(arguments)?).await
    }

    /// What somebody beside the rack is told, who administers the lab.
    async fn beside(&self, arguments: &[&str]) -> Result<String> {
        let mut command = self.labctl(arguments)?;
        command.env("LAB", self.labd.address().to_string());
        let said = said(command).await?;
        ensure!(said.code == Some(0), "{}", said.err);
        Ok(said.out.trim().to_owned())
    }

    fn files(&self) -> Result<Vec<PathBuf>> {
        let folder = self.home.path().join(".config/labd/labs");
        Ok(fs::read_dir(folder)?.map(|file| Ok(file?.path())).collect::<std::io::Result<_>>()?)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_from_elsewhere_logs_in_with_one_command() -> Result<()> {
    let mut story = Story::begin().await?;
    let invitation = story.beside(&["admin", "invite", "ada", "--role", "user"]).await?;
    let told = story.says(&["login", &invitation]).await?;
    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!((told.out + &told.err).contains("you are ada at 127.0.0.1, with the role 'user'"));
    // From now on it is as beside the rack, also when labd is another.
    for _ in 0..2 {
        let told = story.says(&["boards"]).await?;
        assert!(told.code == Some(0) && told.out.contains("one"), "{}", told.err);
        story.labd.crash_and_restart().await?;
    }
    let told = story.says(&["whoami"]).await?;
    assert!(told.out.contains("tls 127.0.0.1 certificate"), "{}", told.out);
    let told = story.says(&["labs"]).await?;
    assert!(told.out.contains("tls://127.0.0.1:"), "{}", told.out);
    for file in story.files()? {
        assert_eq!(fs::metadata(&file)?.permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
    let again = story.says(&["login", &invitation]).await?;
    assert_eq!(again.code, Some(5), "an invitation is good once: {}", again.err);
    let told = story.says(&["logout"]).await?;
    assert_eq!(told.code, Some(0), "{}", told.err);
    assert_eq!(story.files()?, Vec::<PathBuf>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lab_that_is_another_than_it_was_is_refused_loudly() -> Result<()> {
    let mut story = Story::begin().await?;
    let invitation = story.beside(&["admin", "invite", "ada", "--role", "user"]).await?;
    assert_eq!(story.says(&["login", &invitation]).await?.code, Some(0));
    story.labd.terminate().await?;
    fs::remove_dir_all(story.labd.path("state/authority"))?;
    story.labd.start_again().await?;
    let told = story.says(&["boards"]).await?;
    assert_eq!(told.code, Some(8), "{}", told.err);
    assert!(
        told.err.contains("is not to be believed") && told.err.contains("administrator"),
        "{}",
        told.err
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_the_environment_is_enough_for_a_program_and_is_kept_nowhere() -> Result<()> {
    let story = Story::begin().await?;
    story.beside(&["user", "add", "ci", "--role", "machine"]).await?;
    let token = story.beside(&["token", "new", "--user", "ci", "--for", "1h"]).await?;
    let Invitation { address, secret } =
        story.beside(&["admin", "invite", "ci"]).await?.parse::<Invitation>()?;
    let mut command = story.labctl(&["boards"])?;
    command.env("LAB", address.to_string()).env("LAB_TOKEN", &token);
    let told = said(command).await?;
    assert!(told.code == Some(0) && told.out.contains("one"), "{}", told.err);
    for secret in [token.parse::<Secret>()?, secret] {
        assert!(!is_in(&story.labd.path("state"), secret.as_str())?, "a secret is in the state");
    }
    Ok(())
}

/// Whether a text is in any file of a folder.
fn is_in(folder: &Path, text: &str) -> Result<bool> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let found = if path.is_dir() {
            is_in(&path, text)?
        } else {
            fs::read(&path)?.windows(text.len()).any(|window| window == text.as_bytes())
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}
