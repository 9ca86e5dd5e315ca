//! Virtual machines, with a guest of our own that needs no download: a boot sector.

mod guest;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab_tests::lab::{Plan, board, boards, name};
use labd::console::{Console, Port};
use labd::power::{Error, Power};
use labd::qemu::Machine;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use protocol::console::From;
use protocol::journal::Event;
use protocol::power::{PowerAsk, PowerState};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

/// Far beyond what anything here takes, on a busy machine too.
const LIMIT: Duration = Duration::from_secs(60);

/// A folder for one machine. No process outlives it, however the test ends.
struct Shed {
    folder: TempDir,
}

impl Shed {
    fn new() -> Result<Shed> {
        let shed = Shed { folder: TempDir::new()? };
        fs::write(shed.folder.path().join("disk"), guest::boot_sector())?;
        Ok(shed)
    }

    /// The machine's driver; each call gives another, as another labd would have it.
    fn machine(&self) -> Machine {
        self.machine_with(&[])
    }

    fn machine_with(&self, more: &[&str]) -> Machine {
        let disk = format!("file={},format=raw", self.folder.path().join("disk").display());
        let command = &["qemu-system-x86_64", "-accel", "tcg", "-m", "16", "-nodefaults"][..];
        let words = [command, &["-drive", &disk][..], more].concat();
        Machine::new(words.into_iter().map(str::to_owned).collect(), self.run())
    }

    fn run(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// The machine's process, if it is alive.
    fn pid(&self) -> Option<Pid> {
        let pidfile = self.run().join("pid");
        let pid = fs::read_to_string(&pidfile).ok()?.trim().parse().ok()?;
        is_ours(pid, &pidfile).then_some(Pid::from_raw(pid))
    }
}

impl Drop for Shed {
    fn drop(&mut self) {
        if let Some(pid) = self.pid() {
            // It may have ended of itself meanwhile.
            let _ = kill(pid, Signal::SIGKILL);
        }
    }
}

fn is_ours(pid: i32, pidfile: &Path) -> bool {
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&arguments).contains(&*pidfile.to_string_lossy())
}

/// Opens the console as a line does: again and again, whenever it may be worth trying.
async fn open(machine: &Machine) -> Box<dyn Port> {
    loop {
        match machine.open().await {
            Ok(port) => return port,
            Err(_) => machine.appears().await,
        }
    }
}

/// Switches on, with somebody who wants the console.
async fn start(machine: &Machine) -> Result<Box<dyn Port>> {
    let (port, set) =
        timeout(LIMIT, async { tokio::join!(open(machine), machine.set(true)) }).await?;
    set?;
    ensure!(machine.get().await? == Some(true));
    Ok(port)
}

/// Reads as many bytes as `text` has; they must be `text`.
async fn expect(port: &mut Box<dyn Port>, text: &str) -> Result<()> {
    let mut said = vec![0; text.len()];
    timeout(LIMIT, port.read_exact(&mut said)).await.with_context(|| format!("no {text:?}"))??;
    let said = String::from_utf8_lossy(&said);
    ensure!(said == text, "{said:?} and not {text:?}");
    Ok(())
}

/// As [`expect`], after opening the console. What is ending may still be there to be opened: then
/// nothing comes from it, and it is opened again.
async fn expect_reopened(machine: &Machine, text: &str) -> Result<()> {
    let (first, rest) = text.split_at(1);
    loop {
        let mut port = open(machine).await;
        if let Ok(byte) = port.read_u8().await {
            ensure!([byte] == first.as_bytes());
            return expect(&mut port, rest).await;
        }
    }
}

async fn types(port: &mut Box<dyn Port>, text: &str) -> Result<()> {
    port.write_all(text.as_bytes()).await?;
    port.flush().await?;
    Ok(())
}

async fn expect_end(port: &mut Box<dyn Port>) -> Result<()> {
    let mut rest = Vec::new();
    timeout(LIMIT, port.read_to_end(&mut rest)).await.context("the console stayed open")??;
    Ok(())
}

async fn reaches_off(machine: &Machine) -> Result<()> {
    let off = async {
        while machine.get().await? != Some(false) {
            sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    };
    timeout(LIMIT, off).await.context("it stayed on")?
}

#[tokio::test]
async fn a_machine_is_heard_from_its_first_byte_and_answers() -> Result<()> {
    let shed = Shed::new()?;
    let machine = shed.machine();
    ensure!(machine.get().await? == Some(false));
    for _ in 0..2 {
        let mut console = start(&machine).await?;
        expect(&mut console, guest::BANNER).await?;
        types(&mut console, "Hello, board.").await?;
        expect(&mut console, "Hello, board.").await?;
        machine.set(true).await?;
        machine.set(false).await?;
        ensure!(machine.get().await? == Some(false));
        ensure!(shed.pid().is_none(), "the process is still there");
        expect_end(&mut console).await?;
    }
    Ok(())
}

/// The guest does not begin before whoever wants the console has it, however late.
#[tokio::test]
async fn a_machine_waits_for_a_console_that_is_late() -> Result<()> {
    let shed = Shed::new()?;
    let machine = shed.machine();
    ensure!(machine.open().await.is_err());
    let late = async {
        machine.appears().await;
        // Long enough for the guest to be done with its banner, if it could.
        sleep(Duration::from_millis(800)).await;
        machine.open().await.context("it has not appeared")
    };
    let (console, set) = tokio::join!(late, machine.set(true));
    set?;
    expect(&mut console?, guest::BANNER).await?;
    machine.set(false).await?;
    Ok(())
}

#[tokio::test]
async fn a_break_reaches_the_guest() -> Result<()> {
    let shed = Shed::new()?;
    let machine = shed.machine();
    let mut console = start(&machine).await?;
    expect(&mut console, guest::BANNER).await?;
    console.set_break(true)?;
    console.flush().await?;
    console.set_break(false)?;
    types(&mut console, "x").await?;
    expect(&mut console, &format!("{}x", guest::BREAK)).await?;
    machine.set(false).await?;
    Ok(())
}

#[tokio::test]
async fn a_reset_starts_the_guest_again() -> Result<()> {
    let shed = Shed::new()?;
    let machine = shed.machine();
    ensure!(matches!(machine.reset().await, Err(Error::Refused { .. })), "it is off");
    let mut console = start(&machine).await?;
    expect(&mut console, guest::BANNER).await?;
    machine.reset().await?;
    expect(&mut console, guest::BANNER).await?;
    machine.set(false).await?;
    Ok(())
}

#[tokio::test]
async fn who_holds_a_machine_resets_it_and_power_stays() -> Result<()> {
    let shed = Shed::new()?;
    let (disk, run) = (shed.folder.path().join("disk"), shed.run());
    let qemu = format!(
        "{{ cls = qemu, folder = \"{}\", command = [qemu-system-x86_64, -accel, tcg, -m, 16, \
         -nodefaults, -drive, \"file={},format=raw\"] }}",
        run.display(),
        disk.display()
    );
    let config = boards(&["vm"]).replace("@console(vm), @outlet(vm)", &qemu);
    let lab = Plan::new(config).open().await?;
    let ada = lab.user("ada").await?;
    ada.reserve(board("vm")).await?;
    let off = ada.power(name("vm"), PowerAsk::Reset).await.unwrap_err();
    ensure!(off.to_string().ends_with("refused: it is off"), "{off}");
    let mut console = ada.look_at("vm", From::End).await?;
    ada.power(name("vm"), PowerAsk::On).await?;
    console.until(guest::BANNER).await?;
    let detail = ada.power(name("vm"), PowerAsk::Reset).await?;
    ensure!(detail.state == PowerState::On, "{detail:?}");
    console.until(guest::BANNER).await?;
    let mut boot = ada.look_at("vm", From::Boot).await?;
    boot.until(guest::BANNER).await?;
    ensure!(boot.cursor() == console.cursor(), "the boot began with the reset");
    let done = |event: &Event| *event == Event::PowerDone { ask: PowerAsk::Reset };
    let entry = ada.journal("vm").await?.event(done).await?;
    ensure!(entry.who == Some("ada".parse()?), "{entry:?}");
    ada.power(name("vm"), PowerAsk::Off).await?;
    Ok(())
}

#[tokio::test]
async fn a_guest_that_powers_itself_off_is_off() -> Result<()> {
    let shed = Shed::new()?;
    let machine = shed.machine();
    let mut console = start(&machine).await?;
    expect(&mut console, guest::BANNER).await?;
    types(&mut console, guest::POWER_OFF).await?;
    expect_end(&mut console).await?;
    reaches_off(&machine).await?;
    drop(console);
    let mut console = start(&machine).await?;
    expect(&mut console, guest::BANNER).await?;
    machine.set(false).await?;
    Ok(())
}

/// With -no-shutdown the process stays; what counts is the guest.
#[tokio::test]
async fn a_guest_that_only_stopped_is_off_too_and_can_be_started_again() -> Result<()> {
    let shed = Shed::new()?;
    let machine = shed.machine_with(&["-no-shutdown"]);
    let mut console = start(&machine).await?;
    expect(&mut console, guest::BANNER).await?;
    types(&mut console, guest::POWER_OFF).await?;
    reaches_off(&machine).await?;
    ensure!(shed.pid().is_some());
    let heard = async {
        expect_end(&mut console).await?;
        drop(console);
        expect_reopened(&machine, guest::BANNER).await
    };
    let (heard, set) = tokio::join!(heard, machine.set(true));
    heard?;
    set?;
    machine.set(false).await?;
    Ok(())
}

/// As over a restart of labd: nothing of the first one is left, its runtime neither.
#[test]
fn a_machine_outlives_its_driver() -> Result<()> {
    let shed = Shed::new()?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let mut console = start(&shed.machine()).await?;
        expect(&mut console, guest::BANNER).await?;
        types(&mut console, "before").await?;
        expect(&mut console, "before").await
    })?;
    let pid = shed.pid().context("the machine ended with its driver")?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let machine = shed.machine();
        ensure!(machine.get().await? == Some(true));
        let mut console = machine.open().await?;
        types(&mut console, "after").await?;
        expect(&mut console, "after").await?;
        ensure!(shed.pid() == Some(pid));
        machine.set(false).await?;
        ensure!(machine.get().await? == Some(false));
        expect_end(&mut console).await
    })
}

#[tokio::test]
async fn nobody_needs_to_want_the_console() -> Result<()> {
    let shed = Shed::new()?;
    let machine = shed.machine();
    machine.set(true).await?;
    ensure!(machine.get().await? == Some(true));
    machine.set(false).await?;
    Ok(())
}

#[tokio::test]
async fn a_console_is_open_to_one_at_a_time() -> Result<()> {
    let shed = Shed::new()?;
    let machine = shed.machine();
    let why = machine.open().await.err().context("it is off")?;
    ensure!(why.to_string().ends_with("is off"), "{why}");
    let console = start(&machine).await?;
    let why = shed.machine().open().await.err().context("opened twice")?;
    ensure!(why.kind() == std::io::ErrorKind::ResourceBusy, "{why}");
    drop(console);
    shed.machine().open().await?;
    machine.set(false).await?;
    Ok(())
}

/// A process that hangs is ended by force.
#[tokio::test]
async fn a_machine_that_does_not_listen_can_be_switched_off() -> Result<()> {
    let shed = Shed::new()?;
    let machine = shed.machine();
    machine.set(true).await?;
    kill(shed.pid().context("no process")?, Signal::SIGSTOP)?;
    machine.set(false).await?;
    ensure!(machine.get().await? == Some(false));
    Ok(())
}

#[tokio::test]
async fn a_command_that_cannot_work_is_refused_in_qemus_words() -> Result<()> {
    let shed = Shed::new()?;
    let machine = shed.machine_with(&["-frobnicate"]);
    match machine.set(true).await {
        Err(Error::Refused { why, .. }) => ensure!(why.contains("-frobnicate"), "{why}"),
        other => anyhow::bail!("{other:?}"),
    }
    reaches_off(&machine).await?;
    let missing = Machine::new(vec!["no-such-qemu".to_owned()], shed.run());
    match missing.set(true).await {
        Err(Error::Unreachable { why, .. }) => ensure!(why.contains("no-such-qemu"), "{why}"),
        other => anyhow::bail!("{other:?}"),
    }
    Ok(())
}
