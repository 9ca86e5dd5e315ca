//! A switch or PDU with nothing behind its outlets: Debian's snmpd on a loopback port, showing a
//! [`Mib`].
//!
//! It answers SNMP 1 and 2c to two communities, of which one may write, and SNMP 3 to a user of
//! today and one of yesterday.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use labd::config::ucl::Node;
use snmp::{AsyncSession, Oid, Value};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{Instant, interval, timeout};

use crate::mib::Mib;
use crate::settings::{Setting, text};

/// A running switch; it ends when this is dropped.
pub struct Switch {
    udp_port: u16,
    dir: TempDir,
    _snmpd: Child,
}

/// Whom a switch knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// A community that may only read.
    Reader,
    /// A community that may write, by version 2c.
    Writer,
    /// The same, by version 1.
    OldWriter,
    /// A user with SHA-256 and AES-128.
    User,
    /// A user with MD5 and DES.
    OldUser,
}

/// All who may write.
pub const WRITERS: [Who; 4] = [Who::Writer, Who::OldWriter, Who::User, Who::OldUser];

impl Switch {
    /// Starts a switch, and waits until it answers. `fake_mib` is the program of that name:
    /// `env!("CARGO_BIN_EXE_fake-mib")` in a test of this package.
    ///
    /// # Errors
    /// If there is no snmpd, or it does not answer within ten seconds.
    pub async fn start(fake_mib: &str, mib: &Mib) -> Result<Switch> {
        let mut last = None;
        // Between finding a free port and taking it, somebody else may.
        for _ in 0..3 {
            match Switch::start_once(fake_mib, mib).await {
                Ok(switch) => return Ok(switch),
                Err(error) => last = Some(error),
            }
        }
        Err(last.context("never tried")?)
    }

    /// Where it listens, on the loopback.
    pub fn udp_port(&self) -> u16 {
        self.udp_port
    }

    /// The settings of an outlet of this switch, without the outlet's number.
    pub fn settings(&self, who: Who) -> Vec<Setting> {
        let mut settings = vec![
            ("host", text("127.0.0.1")),
            ("udp_port", Node::Int(self.udp_port.into())),
            ("timeout", Node::Seconds(2.0)),
        ];
        settings.extend(match who {
            Who::Reader => vec![self.secret("community_file", "labread")],
            Who::Writer => vec![self.secret("community_file", "labwrite")],
            Who::OldWriter => {
                vec![self.secret("community_file", "labwrite"), ("version", Node::Int(1))]
            }
            Who::User => vec![
                ("version", Node::Int(3)),
                ("user", text("labuser")),
                self.secret("auth_file", "auth-pass-1"),
                self.secret("privacy_file", "priv-pass-1"),
            ],
            Who::OldUser => vec![
                ("version", Node::Int(3)),
                ("user", text("oldie")),
                ("auth", text("md5")),
                self.secret("auth_file", "auth-pass-2"),
                ("privacy", text("des")),
                self.secret("privacy_file", "priv-pass-2"),
            ],
        });
        settings
    }

    /// A setting that names a file with a secret, and the file.
    pub fn secret(&self, key: &'static str, secret: &str) -> Setting {
        let path = self.dir.path().join(format!("secret-{secret}"));
        // A file that is not there is a driver's error, which a test will show.
        let mut file = std::fs::OpenOptions::new();
        let file = file.write(true).create(true).truncate(true).mode(0o600).open(&path);
        let _ = file.and_then(|mut file| writeln!(file, "{secret}"));
        (key, text(path.display().to_string()))
    }

    /// What was written to it by now, in its order: names and numbers.
    ///
    /// # Errors
    /// If its log cannot be read.
    pub fn orders(&self) -> Result<Vec<(String, i64)>> {
        let log = std::fs::read_to_string(self.dir.path().join("log"))?;
        let orders = log.lines().map(|line| {
            let (oid, value) = line.split_once(' ').context("a line of the log")?;
            Ok((oid.to_owned(), value.parse()?))
        });
        orders.collect()
    }

    async fn start_once(fake_mib: &str, mib: &Mib) -> Result<Switch> {
        let dir = TempDir::new()?;
        let udp_port = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        std::fs::write(dir.path().join("mib.json"), serde_json::to_vec(mib)?)?;
        let conf = configuration(udp_port, fake_mib, dir.path());
        std::fs::write(dir.path().join("snmpd.conf"), conf)?;
        let mut snmpd = snmpd(dir.path()).spawn().context("snmpd does not start")?;
        let name = mib.any_oid().context("an empty MIB")?;
        answers(udp_port, name, &mut snmpd).await.with_context(|| {
            std::fs::read_to_string(dir.path().join("snmpd.log")).unwrap_or_default()
        })?;
        Ok(Switch { udp_port, dir, _snmpd: snmpd })
    }
}

fn configuration(udp_port: u16, fake_mib: &str, dir: &Path) -> String {
    let dir = dir.display();
    format!(
        "agentAddress udp:127.0.0.1:{udp_port}\n\
         rocommunity labread 127.0.0.1\n\
         rwcommunity labwrite 127.0.0.1\n\
         createUser labuser SHA-256 \"auth-pass-1\" AES \"priv-pass-1\"\n\
         createUser oldie MD5 \"auth-pass-2\" DES \"priv-pass-2\"\n\
         rwuser labuser priv\n\
         rwuser oldie priv\n\
         pass_persist .1.3.6.1 {fake_mib} {dir}/mib.json {dir}/log\n"
    )
}

fn snmpd(dir: &Path) -> Command {
    let mut snmpd = Command::new("/usr/sbin/snmpd");
    // Without these it looks for MIB files, and writes to /var/lib.
    snmpd.env("MIBS", "").env("MIBDIRS", dir.join("none"));
    snmpd.env("SNMP_PERSISTENT_DIR", dir).env("SNMPCONFPATH", dir);
    snmpd.args(["-f", "-C", "-I", "-smux,mteTrigger,mteTriggerConf", "-c"]);
    snmpd.arg(dir.join("snmpd.conf")).arg("-Lf").arg(dir.join("snmpd.log"));
    snmpd.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    snmpd
}

/// Waits until the agent shows a number of the MIB.
async fn answers(udp_port: u16, name: &str, snmpd: &mut Child) -> Result<()> {
    let arcs = name.split('.').map(str::parse).collect::<Result<Vec<u64>, _>>()?;
    let name = Oid::from(&arcs).ok().context("a name that cannot be")?;
    let agent = SocketAddr::from((Ipv4Addr::LOCALHOST, udp_port));
    let (deadline, mut ticks) =
        (Instant::now() + Duration::from_secs(10), interval(Duration::from_millis(10)));
    while Instant::now() < deadline {
        ticks.tick().await;
        if let Some(end) = snmpd.try_wait()? {
            bail!("snmpd ended: {end}");
        }
        let mut session = AsyncSession::new_v2c(agent, b"labread", 1).await?;
        let answer = timeout(Duration::from_millis(500), session.get(&name)).await;
        if let Ok(Ok(mut answer)) = answer
            && let Some((_, Value::Integer(_) | Value::Unsigned32(_))) = answer.varbinds.next()
        {
            return Ok(());
        }
    }
    bail!("snmpd does not answer")
}
