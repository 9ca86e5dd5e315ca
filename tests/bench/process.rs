//! The programs, as they are released, and what the system says of them.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill};
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use protocol::account::TokenAsk;
use protocol::address::Address;
use protocol::client::Client;
use protocol::context::{Context, Proof};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

/// As long as anything may take before the benchmark gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// The bytes of a bare call and of its answer.
pub(crate) const FRAME: usize = 64;

/// A released program, which `tests/bench/run` has built beside the benchmark.
pub(crate) fn program(name: &str) -> Result<PathBuf> {
    let here = std::env::current_exe()?;
    let folder = here.parent().and_then(Path::parent).context("the benchmark is in no folder")?;
    let path = folder.join(name);
    if !path.exists() {
        bail!("there is no {}; use tests/bench/run", path.display());
    }
    Ok(path)
}

/// A process that ends with this.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(command: &mut Command) -> Result<Running> {
        command.spawn().map(Running).with_context(|| format!("{command:?}"))
    }

    /// Its resident memory now, in MB.
    pub(crate) fn memory(&self) -> Result<f64> {
        memory(self.0.id(), "VmRSS:")
    }

    /// The same, and that of the processes it has started.
    pub(crate) fn memory_of_all(&self) -> Result<f64> {
        let pid = self.0.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
        children
            .split_whitespace()
            .try_fold(self.memory()?, |sum, child| Ok(sum + memory(child.parse()?, "VmRSS:")?))
    }

    /// The most resident memory it ever had, in MB.
    pub(crate) fn peak_memory(&self) -> Result<f64> {
        memory(self.0.id(), "VmHWM:")
    }

    /// How long it has had a processor so far.
    pub(crate) fn processor_time(&self) -> Result<Duration> {
        let clock = clock_getcpuclockid(Pid::from_raw(self.0.id().try_into()?))?;
        Ok(clock_gettime(clock)?.into())
    }

    /// Tells it to end, and waits.
    pub(crate) fn end(&mut self) -> Result<()> {
        if self.0.try_wait()?.is_some() {
            return Ok(());
        }
        kill(Pid::from_raw(self.0.id().try_into()?), Signal::SIGTERM)?;
        let deadline = Instant::now() + PATIENCE;
        while self.0.try_wait()?.is_none() {
            if Instant::now() > deadline {
                self.0.kill()?;
                self.0.wait()?;
                bail!("a process did not end when it was told to");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Whoever cares how it ends has ended it.
        let _ = self.end();
    }
}

/// A lab of its own: labd, on a configuration and a folder that are gone afterwards.
pub(crate) struct Lab {
    labd: Running,
    folder: TempDir,
    started: Instant,
}

impl Lab {
    /// Starts a lab of these boards.
    pub(crate) fn start(boards: &[String]) -> Result<Lab> {
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("labd.conf"), config(boards))?;
        Lab::start_in(folder)
    }

    /// Starts a lab of these boards, of whose consoles something is there to be found.
    pub(crate) fn start_with_history(
        boards: &[String],
        write: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<Lab> {
        let folder = tempfile::tempdir()?;
        fs::write(
            folder.path().join("labd.conf"),
            "history { age = 800d }\n".to_owned() + &config(boards),
        )?;
        write(&consoles(&folder))?;
        Lab::start_in(folder)
    }

    /// Where its recordings are.
    pub(crate) fn consoles(&self) -> PathBuf {
        consoles(&self.folder)
    }

    /// The same, with something before.
    pub(crate) fn start_with(settings: &str, boards: &[String]) -> Result<Lab> {
        let folder = tempfile::tempdir()?;
        let config = format!("{settings}\n{}", config(boards));
        fs::write(folder.path().join("labd.conf"), config)?;
        Lab::start_in(folder)
    }

    /// Starts a lab of a board, with a door for those from elsewhere.
    pub(crate) fn start_with_door() -> Result<Lab> {
        Lab::start_behind_door(&config(&[simulated()]))
    }

    /// Starts a lab of a board that has an sshd at a port of this machine, with a door for those from
    /// elsewhere.
    pub(crate) fn start_before(sshd: u16) -> Result<Lab> {
        let there = format!("{{ ip = \"127.0.0.1\"; ssh_port = {sshd} }}");
        Lab::start_behind_door(&config(&[simulated()]).replacen("{ }", &there, 1))
    }

    fn start_behind_door(config: &str) -> Result<Lab> {
        let folder = tempfile::tempdir()?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let door = format!("tls {{ listen = \"127.0.0.1:{port}\"; name = \"127.0.0.1\" }}\n");
        fs::write(folder.path().join("labd.conf"), door + config)?;
        Lab::start_in(folder)
    }

    fn start_in(folder: TempDir) -> Result<Lab> {
        let log = File::create(folder.path().join("labd.log"))?;
        let started = Instant::now();
        let labd = Running::start(
            Command::new(program("labd")?)
                .arg("--config")
                .arg(folder.path().join("labd.conf"))
                .arg("--state")
                .arg(folder.path().join("state"))
                .arg("--socket")
                .arg(folder.path().join("sock"))
                .env("LABD_LOG", "warn")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log),
        )?;
        Ok(Lab { labd, folder, started })
    }

    /// Ends labd, and starts it again on what it left.
    pub(crate) fn restart(self) -> Result<Lab> {
        let Lab { mut labd, folder, .. } = self;
        labd.end()?;
        Lab::start_in(folder)
    }

    pub(crate) fn address(&self) -> Address {
        Address::Unix(self.folder.path().join("sock"))
    }

    /// Since when labd runs.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// Connects as soon as labd listens.
    pub(crate) async fn client(&self) -> Result<Client> {
        loop {
            match Client::connect(&self.address()).await {
                Ok(client) => return Ok(client),
                Err(error) if self.started.elapsed() > PATIENCE => {
                    let log = fs::read_to_string(self.folder.path().join("labd.log"))?;
                    let first: Vec<&str> = log.lines().take(5).collect();
                    return Err(error).context(first.join("\n"));
                }
                Err(_) => tokio::time::sleep(Duration::from_micros(500)).await,
            }
        }
    }

    /// Where those from elsewhere come to, and with what.
    pub(crate) async fn way_in(&self) -> Result<(Address, Context)> {
        let root = self.client().await?;
        let (name, address) = ("lab".to_owned(), root.found_at().await?);
        let secret = root.make_token(TokenAsk::default()).await?.secret;
        let known = Context { name, address: address.clone(), proof: Proof::Token { secret } };
        Ok((address, known))
    }

    /// Its resident memory now, in MB.
    pub(crate) fn memory(&self) -> Result<f64> {
        self.labd.memory()
    }

    /// The most resident memory it ever had, in MB.
    pub(crate) fn peak_memory(&self) -> Result<f64> {
        self.labd.peak_memory()
    }

    /// How long it has had a processor so far.
    pub(crate) fn processor_time(&self) -> Result<Duration> {
        self.labd.processor_time()
    }
}

/// What the system says of a process's memory, in MB.
fn memory(pid: u32, key: &str) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(key)).context("no such key")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024.0 / 1e6)
}

fn consoles(folder: &TempDir) -> PathBuf {
    folder.path().join("state/consoles")
}

fn config(boards: &[String]) -> String {
    let mut text = "classes { a { } }\nboards [\n".to_owned();
    for (index, options) in boards.iter().enumerate() {
        let name = name(index);
        // A text takes all that is written to it.
        let _ = writeln!(text, "  {{ name = {name}, class = a, options [ {options} ] }}");
    }
    text + "]\n"
}

/// The name of a lab's board.
pub(crate) fn name(index: usize) -> String {
    format!("board-{index:04}")
}

/// A simulated board's option.
pub(crate) fn simulated() -> String {
    "{ cls = sim, kind = uboot-arm64 }".to_owned()
}

/// The benchmark itself as another process.
pub(crate) fn other(task: &str) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(task);
    Ok(command)
}

/// What the benchmark does as another process.
pub(crate) fn play(task: &str, words: &[String]) -> Result<()> {
    match (task, words) {
        ("as-echo", [socket]) => echo(Path::new(socket)),
        ("as-tls-echo", [folder]) => crate::tls::echo(Path::new(folder)),
        ("as-parent", [program, words @ ..]) => weigh(program, words),
        _ => bail!("there is no {task}"),
    }
}

/// Sends back every frame, on a runtime as labd's.
fn echo(socket: &Path) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = UnixListener::bind(socket)?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            tokio::spawn(async move {
                let mut frame = [0; FRAME];
                while stream.read_exact(&mut frame).await.is_ok() {
                    if stream.write_all(&frame).await.is_err() {
                        return;
                    }
                }
            });
        }
    })
}

/// Runs a program and prints the most memory it had, in KiB. A process takes over the peak of the
/// one that starts it, so this one must be small.
fn weigh(program: &str, words: &[String]) -> Result<()> {
    let status = Command::new(program).args(words).stdout(Stdio::null()).status()?;
    if !status.success() {
        bail!("{program}: {status}");
    }
    let used = getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss();
    std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{used}\n"))?;
    Ok(())
}
