//! Bytes by ssh through the lab, beside ssh straight to the same sshd.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use lab_tests::sshd::Sshd;
use protocol::address::Address;
use protocol::context::{Context, Proof};
use protocol::hold::Want;
use tempfile::TempDir;

use crate::figure::{Bar, Report, Sample};
use crate::holds::ask;
use crate::process::{Lab, name, program};

const ROUNDS: usize = 5;
const BYTES: u64 = 1 << 30;

pub(crate) fn run(report: &mut Report) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let home = tempfile::tempdir()?;
        let key = own_key(&home)?;
        let authorized = std::fs::read_to_string(key.with_extension("pub"))?;
        let sshd = Sshd::start(home.path(), &authorized).await?;
        let lab = Lab::start_before(sshd.port)?;
        let (address, known) = lab.way_in().await?;
        lab.client().await?.reserve(ask(Want::Board { name: name(0).parse()? })).await?;
        let ways = [
            Way::straight(sshd.port),
            Way::through(&address, &known)?,
            Way::through(&within_https(address.clone())?, &known)?,
        ];
        measure(&ways, &key, &home, report)?;
        sshd.stop().await
    })
}

/// One after the other, so that what else the machine does is the same for all; each round is a comparison
/// of its own.
fn measure(ways: &[Way; 3], key: &Path, home: &TempDir, report: &mut Report) -> Result<()> {
    for direction in [Direction::There, Direction::Back] {
        let (mut rates, mut ratios) = ([const { Sample::new() }; 3], [const { Sample::new() }; 3]);
        for _ in 0..ROUNDS {
            let mut straight = None;
            for (index, way) in ways.iter().enumerate() {
                let rate = BYTES as f64 / way.carry(direction, key, home)?.as_secs_f64() / 1e6;
                rates[index].add(rate);
                ratios[index].add(rate / *straight.get_or_insert(rate));
            }
        }
        for (index, way) in [(1, "tunnel"), (2, "tunnel-https")] {
            let figure = format!("{way}-{}", direction.name());
            let (rate, straight) = (rates[index].median(), rates[0].median());
            let beside = format!("{rate:.0} MB/s; ssh straight to the board {straight:.0} MB/s");
            report.figure(&figure, ratios[index].median(), "x", &beside, Bar::Least(0.8))?;
        }
    }
    Ok(())
}

/// Where the bytes go.
#[derive(Debug, Clone, Copy)]
enum Direction {
    There,
    Back,
}

impl Direction {
    fn name(self) -> &'static str {
        match self {
            Direction::There => "there",
            Direction::Back => "back",
        }
    }
}

/// How ssh gets to the board.
struct Way {
    options: Vec<String>,
    variables: Vec<(&'static str, String)>,
}

impl Way {
    fn straight(port: u16) -> Way {
        let options = vec!["-p".to_owned(), port.to_string()];
        Way { options, variables: Vec::new() }
    }

    fn through(lab: &Address, known: &Context) -> Result<Way> {
        let Proof::Token { secret } = &known.proof else { bail!("not by a token") };
        let labctl = program("labctl")?;
        let labctl = labctl.to_str().context("a path that is no text")?;
        let proxy = format!("ProxyCommand={labctl} proxy {}", name(0));
        let token = secret.as_str().to_owned();
        let variables = vec![("LAB", lab.to_string()), ("LAB_TOKEN", token)];
        Ok(Way { options: vec!["-o".to_owned(), proxy], variables })
    }

    /// How long it takes to carry all the bytes, with coming there and leaving.
    fn carry(&self, direction: Direction, key: &Path, home: &TempDir) -> Result<Duration> {
        let mut ssh = Command::new("ssh");
        ssh.args(["-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR"]);
        ssh.args(["-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes", "-i"]).arg(key);
        ssh.args(&self.options).arg("127.0.0.1");
        ssh.envs(self.variables.iter().map(|(name, value)| (name, value)));
        ssh.stdout(Stdio::null());
        match direction {
            Direction::There => {
                let zeros = File::create(home.path().join("zeros"))?;
                zeros.set_len(BYTES)?;
                ssh.arg("cat > /dev/null").stdin(File::open(home.path().join("zeros"))?)
            }
            Direction::Back => ssh.arg(format!("head -c {BYTES} /dev/zero")).stdin(Stdio::null()),
        };
        let begun = Instant::now();
        let status = ssh.status().context("ssh; it is in the package openssh-client")?;
        ensure!(status.success(), "{ssh:?}: {status}");
        Ok(begun.elapsed())
    }
}

/// The same port, where the lab's protocol is within a WebSocket.
fn within_https(address: Address) -> Result<Address> {
    match address {
        Address::Tls { host, port, pin } => Ok(Address::Https { host, port, pin }),
        _ => bail!("{address} is no TLS"),
    }
}

fn own_key(home: &TempDir) -> Result<PathBuf> {
    let key = home.path().join("id");
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key);
    ensure!(keygen.status()?.success(), "no key");
    Ok(key)
}
