//! The daemon is killed, again and again, while eight clients use it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use lab_tests::acks::{self, Acks};
use lab_tests::dice::Dice;
use protocol::address::Address;
use protocol::client::{self, Client};
use protocol::hold::{Ask, Hold, IfTaken, Place, Placed, Release, Want};
use protocol::journal::{Entry, Event};
use protocol::power::PowerAsk;
use protocol::wire::Follow;
use protocol::{Error, Span};
use tempfile::TempDir;
use tokio::time::sleep;

use super::cut::Writer;
use super::{percentile, program, tell};

const SEED: u64 = 0x0DEA_DBEE;
const CYCLES: u64 = 100;
/// Of the clients, this many hold boards, each one of its own; the last one cycles power.
const HOLDERS: usize = 7;
/// The control must be caught within so many kills.
const CONTROL_CYCLES: u64 = 20;
/// Far beyond what anything here takes, on a busy machine too.
const LIMIT: Duration = Duration::from_secs(60);

/// A daemon's folder, and the daemon while it runs. It does not outlive this.
struct Den {
    dir: TempDir,
    daemon: Option<Child>,
}

impl Den {
    fn new() -> Result<Den> {
        let den = Den { dir: TempDir::new()?, daemon: None };
        let script = den.path("pdu");
        // A state that is replaced as one, and every edge.
        fs::write(
            &script,
            "#!/bin/sh\ncd \"${0%/*}\" || exit 1\ncase $1 in\nget) cat outlet ;;\n\
             *) echo \"$1\" >>edges; echo \"$1\" >\"outlet.$$\" && mv \"outlet.$$\" outlet ;;\nesac\n",
        )?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
        fs::write(den.path("outlet"), "on\n")?;
        let classes: String = (0..HOLDERS).map(|n| format!("c{n} {{ }} ")).collect();
        let boards: String =
            (0..HOLDERS).map(|n| format!("{{ name = b{n}, class = c{n} }}\n")).collect();
        let pdu = script.display();
        let text = format!(
            "power {{ dwell = 30ms; limit = 20s }}\nclasses {{ {classes} p {{ }} }}\nboards [\n{boards}\
             {{ name = p, class = p, options [ {{ cls = command, on = [\"{pdu}\", \"on\"], \
             off = [\"{pdu}\", \"off\"], status = \"{pdu} get\" }} ] }}\n]\n"
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
        let child = Command::new(program("labd")?)
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
        let follow = Follow::Journal { board: None, from: Some(from), tail: 0, stop_at_end: true };
        let (mut flow, _) = client::follow(&self.address(), follow).await?;
        let mut entries = Vec::new();
        while let Some(line) = client::next_line(&mut flow).await? {
            entries.push(serde_json::from_str(&line)?);
        }
        Ok(entries)
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

/// What a client asked for when the daemon was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Reserve,
    Extend,
    Release,
    Queue,
    Unqueue,
    Give,
}

/// What one client knows of its board, from what it was told. Nobody else touches that board.
#[derive(Debug, Clone, Default)]
struct Known {
    hold: Option<Hold>,
    place: Option<u64>,
    /// What it asked for last and was not told of.
    pending: Option<Deed>,
    /// By kind and number, what must be in the journal.
    acks: Vec<Mark>,
}

/// What tells an entry: its kind, and the numbers in it.
type Mark = (&'static str, u64, u64);

fn mark(entry: &Entry) -> Option<Mark> {
    match &entry.event {
        Event::Reserved { number, until, .. } => Some(("reserved", *number, until.0)),
        Event::Extended { number, until } => Some(("extended", *number, until.0)),
        Event::Ended { number, .. } => Some(("ended", *number, 0)),
        Event::Queued { place, .. } => Some(("queued", *place, 0)),
        Event::Unqueued { place } => Some(("unqueued", *place, 0)),
        _ => None,
    }
}

fn ask(want: Want) -> Ask {
    let (span, if_taken) = (Some(Span::hours(1)), IfTaken::Queue);
    Ask { want, span, if_taken, grace: None, note: None, ssh_key: None }
}

/// Uses board `n` until the daemon is gone.
async fn use_board(address: Address, n: usize, mut known: Known, mut dice: Dice) -> Result<Known> {
    let client = match Client::connect(&address).await {
        Ok(client) => client,
        Err(Error::Unreachable { .. }) => return Ok(known),
        Err(other) => return Err(other.into()),
    };
    loop {
        let deed = match (&known.hold, known.place) {
            (None, None) => Deed::Reserve,
            (_, Some(_)) => Deed::Unqueue,
            (Some(hold), None) if hold.who.as_str() == "daemon" => Deed::Release,
            (Some(_), None) => {
                [Deed::Extend, Deed::Release, Deed::Queue, Deed::Give][dice.index(4)]
            }
        };
        known.pending = Some(deed);
        match known.act(&client, n, deed, &mut dice).await {
            Ok(()) => known.pending = None,
            Err(Error::Unreachable { .. } | Error::TooOld { .. }) => return Ok(known),
            Err(other) => bail!("{deed:?} of b{n}: {other}; {known:?}"),
        }
    }
}

impl Known {
    async fn act(
        &mut self,
        client: &Client,
        n: usize,
        deed: Deed,
        dice: &mut Dice,
    ) -> Result<(), Error> {
        let board: protocol::board::BoardName =
            format!("b{n}").parse().map_err(|_| Error::Unknown)?;
        match deed {
            Deed::Reserve => match client.reserve(ask(Want::Board { name: board })).await? {
                Placed::Held { hold } => {
                    self.acks.push(("reserved", hold.number, hold.until.0));
                    self.hold = Some(hold);
                }
                Placed::Queued { .. } => return Err(Error::Unknown),
            },
            Deed::Extend => {
                let span = Span::minutes(61 + dice.below(120));
                let before = self.hold.as_ref().map(|hold| hold.until);
                let hold = client.extend(board, span).await?;
                if before < Some(hold.until) {
                    self.acks.push(("extended", hold.number, hold.until.0));
                }
                self.hold = Some(hold);
            }
            Deed::Release => {
                let breaking = Some("it was given away".to_owned());
                let breaking = breaking.filter(|_| {
                    self.hold.as_ref().is_some_and(|hold| hold.who.as_str() == "daemon")
                });
                let hold = client.release(board, Release { number: None, breaking }).await?;
                self.acks.push(("ended", hold.number, 0));
                self.hold = None;
            }
            Deed::Queue => {
                match client.reserve(ask(Want::Class { name: format!("c{n}") })).await? {
                    Placed::Queued { place } => {
                        self.acks.push(("queued", place.number, 0));
                        self.place = Some(place.number);
                    }
                    Placed::Held { .. } => return Err(Error::Unknown),
                }
            }
            Deed::Unqueue => {
                let place = self.place.unwrap_or_default();
                client.unqueue(place).await?;
                self.acks.push(("unqueued", place, 0));
                self.place = None;
            }
            Deed::Give => {
                let to = "daemon".parse().map_err(|_| Error::Unknown)?;
                let before = self.hold.as_ref().map_or(0, |hold| hold.number);
                let hold = client.give(board, to).await?;
                self.acks.push(("ended", before, 0));
                self.acks.push(("reserved", hold.number, hold.until.0));
                self.hold = Some(hold);
            }
        }
        Ok(())
    }

    /// Whether what the lab has after a restart is what was acknowledged, or that and what was asked
    /// for last. Goes on from what the lab has.
    fn meet(&mut self, hold: Option<&Hold>, place: Option<u64>) -> Result<()> {
        let known = (self.hold.as_ref(), self.place);
        let is_same = (hold, place) == known;
        let is_done = match (self.pending, &self.hold, hold) {
            (Some(Deed::Reserve), None, Some(_)) => place == self.place,
            (Some(Deed::Extend), Some(before), Some(after)) => {
                let after = Hold { until: before.until, ..after.clone() };
                place == self.place && after == *before
            }
            (Some(Deed::Release), Some(_), None) => place == self.place,
            (Some(Deed::Queue), before, after) => place.is_some() && before.as_ref() == after,
            (Some(Deed::Unqueue), before, after) => place.is_none() && before.as_ref() == after,
            (Some(Deed::Give), Some(before), Some(after)) => {
                after.number > before.number && after.who.as_str() == "daemon"
            }
            _ => false,
        };
        ensure!(is_same || is_done, "the lab has {hold:?} and {place:?} after {self:?}");
        (self.hold, self.place, self.pending) = (hold.cloned(), place, None);
        Ok(())
    }
}

/// Cycles power until the daemon is gone. Returns how often it was told that it is done.
async fn cycle(address: Address) -> Result<u64> {
    let mut done = 0;
    let Ok(client) = Client::connect(&address).await else { return Ok(0) };
    loop {
        match client.power("p".parse()?, PowerAsk::Cycle).await {
            Ok(_) => done += 1,
            Err(Error::Unreachable { .. } | Error::TooOld { .. }) => return Ok(done),
            Err(other) => return Err(other.into()),
        }
    }
}

/// Everything that was ever acknowledged, and how far the journal is known.
#[derive(Default)]
struct Book {
    known: Vec<Known>,
    cycles_done: u64,
    acks: BTreeSet<Mark>,
    seen: Vec<Entry>,
}

impl Book {
    fn count(&self) -> u64 {
        self.acks.len() as u64 + self.cycles_done
    }

    /// Compares what a restarted lab has with what was acknowledged.
    async fn check(&mut self, den: &Den, client: &Client) -> Result<()> {
        let (holds, queue) = (client.holds().await?, client.queue().await?);
        for (n, known) in self.known.iter_mut().enumerate() {
            let (name, class) = (format!("b{n}"), Want::Class { name: format!("c{n}") });
            let hold = holds.iter().find(|hold| hold.board.as_str() == name);
            let places: Vec<&Place> = queue.iter().filter(|place| place.want == class).collect();
            ensure!(places.len() <= 1, "{places:?}");
            known.meet(hold, places.first().map(|place| place.number))?;
            self.acks.extend(known.acks.drain(..));
        }
        self.seen.extend(den.journal(self.seen.len() as u64 + 1).await?);
        self.check_journal()
    }

    fn check_journal(&self) -> Result<()> {
        let mut marks = BTreeSet::new();
        let (mut fences, mut powered) = (BTreeMap::new(), 0);
        let mut held = BTreeMap::new();
        for (seq, entry) in (1..).zip(&self.seen) {
            ensure!(entry.seq == seq, "entry {seq} is missing");
            marks.extend(mark(entry));
            match &entry.event {
                Event::Reserved { number, .. } => {
                    let before = fences.insert(entry.board.clone(), *number).unwrap_or(0);
                    ensure!(before < *number, "{:?}: {number} after {before}", entry.board);
                    let held = held.insert(entry.board.clone(), *number);
                    ensure!(
                        held.is_none(),
                        "{:?} is held twice: {held:?} and {number}",
                        entry.board
                    );
                }
                Event::Ended { number, .. } => {
                    let held = held.remove(&entry.board);
                    ensure!(held == Some(*number), "{number} ended, {held:?} was held");
                }
                Event::PowerDone { ask: PowerAsk::Cycle } => powered += 1,
                _ => {}
            }
        }
        let lost: Vec<_> = self.acks.difference(&marks).collect();
        ensure!(lost.is_empty(), "lost: {lost:?}");
        ensure!(powered >= self.cycles_done, "{powered} of {} cycles", self.cycles_done);
        Ok(())
    }
}

/// No board stays off because labd was killed between off and on.
async fn await_power(den: &Den, client: &Client) -> Result<()> {
    let begun = Instant::now();
    while client.outlet("p".parse()?).await?.doing.is_some() {
        ensure!(begun.elapsed() < LIMIT, "the cycle is not finished");
        sleep(Duration::from_millis(5)).await;
    }
    let outlet = fs::read_to_string(den.path("outlet"))?;
    ensure!(outlet == "on\n", "the board was left {outlet}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_by_a_kill() -> Result<()> {
    let mut dice = Dice::new(SEED);
    let mut den = Den::new()?;
    let mut book = Book { known: vec![Known::default(); HOLDERS], ..Book::default() };
    let mut starts = Vec::new();
    for round in 0..CYCLES {
        let (client, took) = den.start().await?;
        starts.push(took);
        let checked = async {
            book.check(&den, &client).await?;
            await_power(&den, &client).await
        };
        checked.await.with_context(|| format!("after kill {round}, seed {SEED:#x}"))?;
        let users: Vec<_> = book
            .known
            .iter()
            .enumerate()
            .map(|(n, known)| {
                let dice = Dice::new(dice.below(u64::MAX));
                tokio::spawn(use_board(den.address(), n, known.clone(), dice))
            })
            .collect();
        let power = tokio::spawn(cycle(den.address()));
        sleep(Duration::from_millis(20 + dice.below(281))).await;
        den.kill()?;
        for (known, user) in book.known.iter_mut().zip(users) {
            *known = user.await??;
        }
        book.cycles_done += power.await??;
    }
    let (client, took) = den.start().await?;
    starts.push(took);
    book.check(&den, &client).await?;
    await_power(&den, &client).await?;
    // The whole of it once more, as it is now on disk.
    ensure!(den.journal(1).await?[..book.seen.len()] == book.seen, "the journal was rewritten");
    let said = client.verify().await?;
    ensure!(said[0].contains("every hash is right"), "{said:?}");
    ensure!(said[1].contains("every record is what"), "{said:?}");
    let edges = fs::read_to_string(den.path("edges"))?;
    let offs = edges.lines().filter(|edge| *edge == "off").count() as u64;
    ensure!(offs >= book.cycles_done, "{offs} edges for {} cycles", book.cycles_done);
    ensure!(book.count() > 10 * CYCLES, "hardly anything was acknowledged: {}", book.count());
    tell(&format!(
        "kill -9: {CYCLES} cycles, {} acks checked, 0 lost, start-up p50 {} ms, p99 {} ms",
        book.count(),
        percentile(&mut starts, 50),
        percentile(&mut starts, 99),
    ));
    Ok(())
}

/// The check above would see it: the same ledger, asked by one who does not wait for the disk, is
/// caught.
#[test]
fn a_writer_that_acknowledges_before_it_writes_is_caught() -> Result<()> {
    let (kept, checked, _) = kill_writers("honest", CONTROL_CYCLES)?;
    ensure!(kept == 0, "{kept} of {checked} were lost by one that waits");
    let (lost, early, cycles) = kill_writers("early", CONTROL_CYCLES)?;
    tell(&format!(
        "kill -9, ledger alone: {checked} acks checked, 0 lost; control that acknowledges before it writes: \
         {lost} of {early} lost within {cycles} kills"
    ));
    ensure!(lost > 0, "the control was not caught in {cycles} kills");
    Ok(())
}

/// How many acknowledgements were lost, of how many, after how many kills.
fn kill_writers(mode: &str, cycles: u64) -> Result<(u64, u64, u64)> {
    let dir = TempDir::new()?;
    let folder = dir.path().join("lab");
    let mut dice = Dice::new(SEED);
    let mut acks = Acks::new();
    for cycle in 1..=cycles {
        let mut writer = Writer::start(&folder, mode)?;
        writer.await_more()?;
        std::thread::sleep(Duration::from_millis(20 + dice.below(80)));
        acks.extend(writer.kill()?);
        let lost = acks::look(&folder, &acks)?.lost;
        if lost > 0 {
            return Ok((lost, acks.values().sum(), cycle));
        }
    }
    Ok((0, acks.values().sum(), cycles))
}
