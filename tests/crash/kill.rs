//! The daemon is killed, again and again, while eight users contend for four boards.
//!
//! - [`user`]: what one of them does, and what they are told
//! - [`book`]: what all of them were told, against what the lab has and what its journal says

mod book;
mod user;

use std::error::Error;
use std::fmt;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use lab_tests::dice::Dice;
use lab_tests::root;
use protocol::address::Address;
use protocol::board::BoardName;
use protocol::client::{self, Client};
use protocol::journal::Entry;
use protocol::user::UserName;
use protocol::wire::Follow;
use tempfile::TempDir;
use tokio::time::sleep;

use super::{percentile, program, tell};
use book::Book;
use user::User;

const SEED: u64 = 0x0DEA_DBEE;
const KILLS: u64 = 100;
const USERS: u32 = 8;
/// Fewer than users.
const BOARDS: usize = 4;
/// Nobody on this machine is known by these numbers: to the lab they are `uid60001` and so on.
const FIRST_UID: u32 = 60_001;
/// How many bytes the disk is given at a time by somebody else.
const NEIGHBOURS: usize = 1 << 20;
/// Far beyond what anything here takes, on a busy machine too.
const LIMIT: Duration = Duration::from_secs(60);

/// Something that labd promised and did not keep.
#[derive(Debug)]
struct Broken(String);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "labd broke a promise: {}", self.0)
    }
}

impl Error for Broken {}

/// Fails with what is `broken`, if the promise is not kept.
fn promised(is_kept: bool, broken: impl FnOnce() -> String) -> Result<(), Broken> {
    if is_kept { Ok(()) } else { Err(Broken(broken())) }
}

fn name(uid: u32) -> Result<UserName> {
    Ok(format!("uid{uid}").parse()?)
}

fn uids() -> impl Iterator<Item = u32> {
    FIRST_UID..FIRST_UID + USERS
}

fn boards() -> Result<Vec<BoardName>> {
    (0..BOARDS).map(|n| Ok(format!("b{n}").parse()?)).collect()
}

/// A daemon's folder, and the daemon while it runs. It does not outlive this.
struct Den {
    dir: TempDir,
    program: PathBuf,
    daemon: Option<Child>,
}

impl Den {
    fn new(name: &str) -> Result<Den> {
        let den = Den { dir: TempDir::new()?, program: program(name)?, daemon: None };
        // The socket is for everybody whom the configuration knows.
        fs::set_permissions(den.dir.path(), Permissions::from_mode(0o755))?;
        let script = den.path("pdu");
        // A state that is replaced as one, and every edge.
        fs::write(
            &script,
            "#!/bin/sh\ncd \"${0%/*}\" || exit 1\ncase $2 in\nget) cat \"$1\" ;;\n\
             *) echo \"$2\" >>\"$1.edges\"; echo \"$2\" >\"$1.$$\" && mv \"$1.$$\" \"$1\" ;;\nesac\n",
        )?;
        fs::set_permissions(&script, Permissions::from_mode(0o755))?;
        let pdu = script.display();
        let mut described = String::new();
        for board in boards()? {
            fs::write(den.path(board.as_str()), "on\n")?;
            described += &format!(
                "{{ name = {board}, class = shared, options [ {{ cls = command, controller = {board}, \
                 on = [\"{pdu}\", {board}, \"on\"], off = [\"{pdu}\", {board}, \"off\"], \
                 status = \"{pdu} {board} get\" }} ] }}\n"
            );
        }
        let users: Vec<_> = uids().map(|uid| format!("uid{uid}")).collect();
        let text = format!(
            "access {{ user = [{}] }}\npower {{ dwell = 30ms; limit = 20s }}\n\
             classes {{ shared {{ }} }}\nboards [\n{described}]\n",
            users.join(", ")
        );
        fs::write(den.path("labd.conf"), text)?;
        Ok(den)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn address(&self) -> Address {
        Address::Unix(self.path("socket"))
    }

    /// Starts the daemon; returns when it has answered, and how many milliseconds that took.
    async fn start(&mut self) -> Result<(Client, u64)> {
        let begun = Instant::now();
        let log = OpenOptions::new().create(true).append(true).open(self.path("log"))?;
        let child = Command::new(&self.program)
            .args(["--config".as_ref(), self.path("labd.conf").as_os_str()])
            .args(["--state".as_ref(), self.path("state").as_os_str()])
            .args(["--socket".as_ref(), self.path("socket").as_os_str()])
            .env("LABD_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        let daemon = self.daemon.insert(child);
        loop {
            if let Ok(client) =
                Client::connect(&Address::Unix(self.dir.path().join("socket"))).await
                && client.holds().await.is_ok()
            {
                return Ok((client, begun.elapsed().as_millis() as u64));
            }
            if let Some(status) = daemon.try_wait()? {
                bail!("labd ended by itself: {status}\n{}", fs::read_to_string(self.path("log"))?);
            }
            ensure!(begun.elapsed() < LIMIT, "labd does not answer");
            sleep(Duration::from_millis(1)).await;
        }
    }

    fn kill(&mut self) -> Result<()> {
        let mut daemon = self.daemon.take().context("it does not run")?;
        daemon.kill()?;
        daemon.wait()?;
        Ok(())
    }

    async fn journal(&self, from: u64) -> Result<Vec<Entry>> {
        let follow = Follow::Journal {
            board: None,
            from: Some(from),
            since: None,
            tail: 0,
            stop_at_end: true,
        };
        let (mut flow, _) = client::follow(&self.address(), follow).await?;
        let mut entries = Vec::new();
        while let Some(line) = client::next_line(&mut flow).await? {
            entries.push(serde_json::from_str(&line)?);
        }
        Ok(entries)
    }

    fn is_on(&self, board: &BoardName) -> Result<bool> {
        Ok(fs::read_to_string(self.path(board.as_str()))? == "on\n")
    }

    /// Every state that a board's outlet was put into.
    fn edges(&self, board: &BoardName) -> String {
        fs::read_to_string(self.path(&format!("{board}.edges"))).unwrap_or_default()
    }
}

impl Drop for Den {
    fn drop(&mut self) {
        if self.daemon.is_some() {
            // There is nobody to tell any more.
            let _ = self.kill();
        }
    }
}

/// No board stays off because labd was killed between off and on.
async fn await_power(den: &Den, client: &Client) -> Result<()> {
    let begun = Instant::now();
    for board in boards()? {
        while client.outlet(board.clone()).await?.doing.is_some() {
            ensure!(begun.elapsed() < LIMIT, "the cycle of {board} is not finished");
            sleep(Duration::from_millis(5)).await;
        }
        promised(den.is_on(&board)?, || format!("{board} was left half-cycled"))?;
    }
    Ok(())
}

/// Somebody else who keeps the disk busy. The longer labd waits for it, the more would be lost that it
/// tells too early.
struct Neighbour(Arc<AtomicBool>);

impl Neighbour {
    fn of(den: &Den) -> Neighbour {
        let (gone, file) = (Arc::new(AtomicBool::new(false)), den.path("neighbour"));
        let neighbour = Neighbour(gone.clone());
        thread::spawn(move || {
            while !gone.load(Ordering::Relaxed) {
                File::create(&file)?.write_all(&vec![7; NEIGHBOURS])?;
                File::open(&file)?.sync_all()?;
            }
            anyhow::Ok(())
        });
        neighbour
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// How often what happened.
#[derive(Debug, Default)]
struct Figures {
    acks: u64,
    /// Asks that were refused because others had the boards.
    refused: u64,
    /// Boards that were off at the moment of a kill.
    cut_short: u64,
    /// How many milliseconds each start took.
    starts: Vec<u64>,
}

/// Kills a daemon again and again while users are busy, and compares what it has when it is started
/// again with what it had told them.
async fn kill(program: &str) -> Result<Figures> {
    let mut dice = Dice::new(SEED);
    let mut den = Den::new(program)?;
    let mut users: Vec<User> =
        uids().map(|uid| User::new(uid, Dice::new(dice.below(u64::MAX)))).collect::<Result<_>>()?;
    let (mut book, mut figures) = (Book::default(), Figures::default());
    let _neighbour = Neighbour::of(&den);
    for round in 0..KILLS {
        let checked = check(&mut den, &mut book, &mut users, &mut figures).await;
        checked.with_context(|| format!("after kill {round}, seed {SEED:#x}"))?;
        let busy: Vec<_> = users
            .into_iter()
            .map(|user| {
                let address = den.address();
                thread::spawn(move || user.use_until_gone(&address))
            })
            .collect();
        sleep(Duration::from_millis(20 + dice.below(281))).await;
        den.kill()?;
        for board in boards()? {
            figures.cut_short += u64::from(!den.is_on(&board)?);
        }
        users = busy
            .into_iter()
            .map(|user| user.join().map_err(|_| anyhow!("a user panicked"))?)
            .collect::<Result<_>>()?;
    }
    let client = check(&mut den, &mut book, &mut users, &mut figures).await?;
    // The whole of it once more, as it is now on disk.
    let seen = book.seen();
    promised(den.journal(1).await?[..seen.len()] == *seen, || "its journal is another".into())?;
    let said = client.verify().await?;
    promised(said[0].contains("every hash is right"), || format!("{said:?}"))?;
    promised(said[1].contains("every record is what"), || format!("{said:?}"))?;
    Ok(figures)
}

/// Starts the daemon, and compares.
async fn check(
    den: &mut Den,
    book: &mut Book,
    users: &mut [User],
    figures: &mut Figures,
) -> Result<Client> {
    let (client, took) = den.start().await?;
    figures.starts.push(took);
    book.check(den, &client, users).await?;
    await_power(den, &client).await?;
    (figures.acks, figures.refused) =
        (book.acks(users), users.iter().map(|user| user.refused).sum());
    Ok(client)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_users_were_told_outlasts_a_kill_and_no_board_is_held_twice_or_left_off() -> Result<()>
{
    root::needed("to be several users")?;
    let mut figures = kill("labd").await?;
    let starts = &mut figures.starts;
    let (half, slow) = (percentile(starts, 50), percentile(starts, 99));
    let Figures { acks, refused, cut_short, .. } = figures;
    tell(&format!(
        "kill -9: {KILLS} kills, {USERS} users of {BOARDS} boards, {acks} acks checked, 0 lost; {refused} refused, \
         {cut_short} boards were off when it was killed; start-up p50 {half} ms, p99 {slow} ms",
    ));
    ensure!(acks > 10 * KILLS, "hardly anything was acknowledged: {acks}");
    ensure!(refused > KILLS, "hardly anybody wanted what another had: {refused}");
    ensure!(cut_short > KILLS / 4, "hardly any cycle was cut short: {cut_short}");
    Ok(())
}

/// The check above would see it: the same sources, built to acknowledge before they write, are caught.
#[tokio::test(flavor = "multi_thread")]
async fn a_labd_that_acknowledges_before_it_writes_is_caught() -> Result<()> {
    root::needed("to be several users")?;
    match kill("labd-early").await {
        Ok(figures) => bail!("it was not caught in {KILLS} kills: {figures:?}"),
        Err(error) if error.is::<Broken>() => {
            tell(&format!("kill -9, control that acknowledges before it writes: {error:#}"));
            Ok(())
        }
        Err(other) => Err(other),
    }
}
