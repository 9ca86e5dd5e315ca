//! The ssh door: what it has of its own, and labctl's commands behind it, each as the call or the follow that
//! it stands for.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use lab_tests::lab::TestLab;
use lab_tests::patience::soon;
use lab_tests::programs::path as program;
use labd::doorstep::Doorstep;
use labd::ssh::{Door, Ground, host_key};
use protocol::client::Call;
use protocol::user::{Role, Who};
use russh::client::{self, Handle};
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh::{Channel, ChannelMsg};
use tokio::net::TcpListener;
use tokio::process::Command;

use super::scene::Row;

/// What can be asked by ssh of what a role and a board make a difference to.
pub(super) fn rows() -> Vec<Row> {
    let own = [Row::Console, Row::WithPen, Row::Tunnel, Row::Call(Call::MakeToken)];
    let by_labctl = [
        Row::Call(Call::Board),
        Row::Call(Call::Reserve),
        Row::Call(Call::Release),
        Row::Breaking,
        Row::Call(Call::Extend),
        Row::Call(Call::Give),
        Row::Call(Call::Power),
        Row::Call(Call::Signal),
        Row::Call(Call::Note),
        Row::OfBoard,
        Row::Call(Call::Reload),
    ];
    own.into_iter().chain(by_labctl).collect()
}

/// Where ada comes by ssh, and with what.
pub(super) struct Ssh {
    port: u16,
    key: Arc<PrivateKey>,
    /// The same, for OpenSSH's client.
    file: PathBuf,
}

/// What she is told, and whether it was done.
struct Said {
    text: String,
    is_done: bool,
}

impl Ssh {
    /// Opens the door. Ada's key is known there.
    pub(super) async fn open(lab: &TestLab) -> Result<Ssh> {
        let programs = program("labctl")?.parent().context("it is in a folder")?.to_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let host_key = host_key::own(&lab.path("ssh"))?;
        let (folder, doorstep) = (lab.path("rooms"), Doorstep::new());
        let ground = Ground { programs, folder, host_key, doorstep };
        tokio::spawn(Door::new(lab.lab().clone(), ground)?.serve(listener));
        let key = host_key::own(&lab.path("ada"))?;
        let (root, ada) = (Who::new("root".parse()?, Role::Admin), "ada".parse()?);
        let line = key.public_key().to_openssh()?;
        lab.lab().add_key(&root, &Who::new(ada, Role::User), &line).await?;
        Ok(Ssh { port, key: Arc::new(key), file: lab.path("ada/host_ed25519") })
    }

    /// The sign of what she is answered.
    pub(super) async fn sign(&self, row: Row, here: &str) -> Result<char> {
        let said = match row {
            Row::Console | Row::WithPen => self.console(here).await?,
            Row::Tunnel => self.tunnel(here).await?,
            _ => self.exec(&line(row, here)?).await?,
        };
        let is_read_only = said.text.contains("[read-only: ");
        match row {
            _ if said.is_done && !(is_read_only && row == Row::WithPen) => Ok('+'),
            _ => sign(&said.text),
        }
    }

    async fn visit(&self, user: &str) -> Result<(Handle<Trusting>, Channel<client::Msg>)> {
        let mut visit = client::connect(Arc::default(), ("127.0.0.1", self.port), Trusting).await?;
        let key = PrivateKeyWithHashAlg::new(self.key.clone(), None);
        if !visit.authenticate_publickey(user, key).await?.success() {
            bail!("the key is not known");
        }
        let channel = visit.channel_open_session().await?;
        Ok((visit, channel))
    }

    /// A command for the lab.
    async fn exec(&self, line: &str) -> Result<Said> {
        let (_visit, mut channel) = self.visit("lab").await?;
        channel.exec(true, line).await?;
        let mut said = Said { text: String::new(), is_done: false };
        soon(async {
            while let Some(message) = channel.wait().await {
                match message {
                    ChannelMsg::ExtendedData { data, .. } => {
                        said.text += &String::from_utf8_lossy(&data);
                    }
                    ChannelMsg::ExitStatus { exit_status } => said.is_done = exit_status == 0,
                    _ => {}
                }
            }
        })
        .await?;
        Ok(said)
    }

    /// A console at a terminal: what she is told first.
    async fn console(&self, board: &str) -> Result<Said> {
        let (_visit, mut channel) = self.visit(board).await?;
        channel.request_pty(false, "xterm", 80, 24, 0, 0, &[]).await?;
        channel.request_shell(true).await?;
        soon(async {
            while let Some(message) = channel.wait().await {
                if let ChannelMsg::Data { data } = message {
                    let text = String::from_utf8_lossy(&data).into_owned();
                    return Ok(Said { is_done: !text.starts_with("labd: "), text });
                }
            }
            bail!("nothing is said")
        })
        .await?
    }

    /// As `ssh -J` has it. OpenSSH's client says why there is none.
    async fn tunnel(&self, board: &str) -> Result<Said> {
        let file = format!("IdentityFile={}", self.file.display());
        let mut ssh = Command::new("ssh");
        ssh.args(["-F/dev/null", "-oBatchMode=yes", "-oStrictHostKeyChecking=no"])
            .args(["-oUserKnownHostsFile=/dev/null", "-oIdentitiesOnly=yes", "-o", &file])
            .args(["-p", &self.port.to_string(), "-W", &format!("{board}:22"), "lab@127.0.0.1"])
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = soon(ssh.output()).await??;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok(Said { is_done: output.status.success(), text })
    }
}

/// A client that believes whoever answers.
struct Trusting;

impl client::Handler for Trusting {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        _key: &PublicKeyOrCertificate,
    ) -> Result<bool, russh::Error> {
        Ok(true)
    }
}

/// What she types behind `ssh lab@lab`.
fn line(row: Row, here: &str) -> Result<String> {
    Ok(match row {
        Row::Breaking => format!("release {here} --break because"),
        Row::OfBoard => format!("journal {here}"),
        Row::Call(Call::MakeToken) => "token".to_owned(),
        Row::Call(Call::Board) => format!("board {here}"),
        Row::Call(Call::Reserve) => format!("reserve {here}"),
        Row::Call(Call::Release) => format!("release {here}"),
        Row::Call(Call::Extend) => format!("extend {here} 1h"),
        Row::Call(Call::Give) => format!("give {here} eve"),
        Row::Call(Call::Power) => format!("power {here} on"),
        Row::Call(Call::Signal) => format!("break {here}"),
        Row::Call(Call::Note) => format!("note {here} hello"),
        Row::Call(Call::Reload) => "reload".to_owned(),
        row => bail!("{row:?} is nothing by ssh"),
    })
}

/// The sign of an error, by its sentence.
fn sign(said: &str) -> Result<char> {
    let signs = [(" may not ", '-'), (" is held by ", 'h'), ("you do not hold ", 'n')];
    let signs = signs.into_iter().chain([("there is no board ", '.')]);
    let mut found = signs.filter(|(words, _)| said.contains(words)).map(|(_, sign)| sign);
    match (found.next(), found.next()) {
        (Some(sign), None) => Ok(sign),
        _ => bail!("what sign is that? {said:?}"),
    }
}
