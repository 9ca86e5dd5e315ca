//! The power fails. Two forms: a model of the disk that is played what a writer really did; and a real
//! file system in an image that is copied in mid-write.

use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use lab_tests::acks::{self, Acks, Had};
use lab_tests::dice::Dice;
use lab_tests::op::Op;
use nix::errno::Errno;
use nix::mount::umount;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::model::{Disk, Honours, Unsynced};
use super::{alone_with_mounts, program, tell};

/// Entries of each writer in the traced run: enough for several segments and a snapshot.
const TRACED: &str = "120";
const MODEL_CUTS: usize = 90;
const CONTROL_CUTS: usize = 24;
const IMAGE_CUTS: usize = 40;
const IMAGE_CONTROL_CUTS: usize = 10;

/// How a number of cuts went.
#[derive(Debug, Default)]
struct Tally {
    cuts: usize,
    acks: u64,
    /// Cuts after which something acknowledged was not there.
    lossy: usize,
    lost: u64,
    /// Cuts after which the memory did not open, or contradicted itself.
    refused: Vec<String>,
}

impl Tally {
    fn note(&mut self, acks: &Acks, outcome: Result<Had>) {
        self.cuts += 1;
        self.acks += acks.values().sum::<u64>();
        match outcome {
            Ok(Had { lost, .. }) => {
                self.lossy += usize::from(lost > 0);
                self.lost += lost;
            }
            Err(error) => self.refused.push(error.to_string()),
        }
    }

    fn tell(&self, form: &str) {
        let Tally { cuts, acks, lossy, lost, refused } = self;
        let refused = refused.len();
        tell(&format!(
            "power cut, {form}: {cuts} cuts, {acks} acks checked, {lost} lost in {lossy} cuts, {refused} unopenable"
        ));
    }

    fn is_clean(&self) -> bool {
        self.lost == 0 && self.refused.is_empty()
    }
}

/// What a writer really asked of the disk is played to a disk that fails at any point: nothing that
/// was acknowledged by then is lost. If the disk ignores syncs, or those of folders, it is.
#[test]
fn what_was_synced_outlasts_a_power_cut_of_the_model() -> Result<()> {
    let dir = TempDir::new()?;
    let log = dir.path().join("log");
    let traced = Command::new(program("crash-writer")?)
        .arg("trace")
        .args([&log, &dir.path().join("lab")])
        .arg(TRACED)
        .status()?;
    ensure!(traced.success(), "the writer could not be traced: {traced}");
    let ops: Vec<Op> =
        fs::read_to_string(&log)?.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let tally = cut_model(&ops, Honours::All, MODEL_CUTS)?;
    tally.tell("model");
    ensure!(tally.is_clean(), "{tally:?}");
    ensure!(tally.acks > 1_000, "hardly anything was acknowledged: {tally:?}");
    for honours in [Honours::Nothing, Honours::Files] {
        let tally = cut_model(&ops, honours, CONTROL_CUTS)?;
        tally.tell(&format!("model, control that honours {honours:?}"));
        ensure!(tally.lossy + tally.refused.len() > CONTROL_CUTS / 4, "not caught: {tally:?}");
    }
    Ok(())
}

fn cut_model(ops: &[Op], honours: Honours, cuts: usize) -> Result<Tally> {
    let mut dice = Dice::new(0x00C0_FFEE);
    let mut tally = Tally::default();
    for cut in 0..cuts {
        let end = dice.index(ops.len());
        let unsynced = [Unsynced::Gone, Unsynced::Torn, Unsynced::Cut][cut % 3];
        let (mut disk, mut acks) = (Disk::new(honours), Acks::new());
        for op in &ops[..end] {
            disk.play(op);
            if let Op::Ack(line) = op {
                acks::note(&mut acks, line)?;
            }
        }
        let dir = TempDir::new()?;
        disk.fail(unsynced, &mut dice, dir.path())?;
        tally.note(&acks, acks::look(dir.path(), &acks));
    }
    Ok(tally)
}

/// The same with a real file system, whose journal is replayed when the copy is mounted.
#[test]
fn what_was_synced_outlasts_a_power_cut_of_a_real_file_system() -> Result<()> {
    std::thread::spawn(|| {
        let bench = Bench::new().context(
            "an image of a file system takes a machine's root and its loop devices; where they are not to \
             be had, leave this out and say so: tests/run -- --skip real_file_system",
        )?;
        let tally = bench.cut("honest", IMAGE_CUTS)?;
        tally.tell("ext4 image");
        ensure!(tally.is_clean(), "{tally:?}");
        let tally = bench.cut("early", IMAGE_CONTROL_CUTS)?;
        tally.tell("ext4 image, control that acknowledges before it writes");
        ensure!(tally.lossy > 0, "not caught: {tally:?}");
        Ok(())
    })
    .join()
    .map_err(|_| anyhow::anyhow!("it panicked"))?
}

/// An image of a file system in memory, and a copy of it.
struct Bench {
    dir: TempDir,
}

impl Bench {
    fn new() -> Result<Bench> {
        alone_with_mounts()?;
        let bench = Bench { dir: TempDir::new_in("/dev/shm")? };
        for folder in ["live", "copy"] {
            fs::create_dir(bench.dir.path().join(folder))?;
        }
        bench.make()?;
        bench.mount("live")?;
        bench.unmount("live")?;
        Ok(bench)
    }

    fn make(&self) -> Result<()> {
        let image = self.dir.path().join("live.img");
        fs::File::create(&image)?.set_len(48 << 20)?;
        succeed(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image))
    }

    fn mount(&self, name: &str) -> Result<()> {
        let (image, folder) = (format!("{name}.img"), self.dir.path().join(name));
        // The kernel's own commits and write-back would hide what the writer does not sync.
        let mount = ["-o", "loop,commit=600"];
        succeed(Command::new("mount").args(mount).arg(self.dir.path().join(image)).arg(folder))
    }

    /// Threads of a store that was closed may have its file open for a moment longer.
    fn unmount(&self, name: &str) -> Result<()> {
        let begun = Instant::now();
        loop {
            match umount(&self.dir.path().join(name)) {
                Err(Errno::EBUSY) if begun.elapsed() < Duration::from_secs(30) => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                done => return Ok(done?),
            }
        }
    }

    /// Stops a writer again and again, and looks at what a copy of its disk holds.
    fn cut(&self, mode: &str, cuts: usize) -> Result<Tally> {
        let mut dice = Dice::new(0x000D_ECAF);
        let mut tally = Tally::default();
        self.make()?;
        self.mount("live")?;
        let outcome = (|| {
            let mut writer = Writer::start(&self.dir.path().join("live/lab"), mode)?;
            for _ in 0..cuts {
                writer.await_more()?;
                std::thread::sleep(Duration::from_millis(10 + dice.below(90)));
                writer.stop()?;
                self.copy()?;
                self.mount("copy")?;
                let outcome = acks::look(&self.dir.path().join("copy/lab"), &writer.acks);
                self.unmount("copy")?;
                tally.note(&writer.acks, outcome);
                writer.go_on()?;
            }
            Ok(tally)
        })();
        self.unmount("live")?;
        outcome
    }

    /// Copies the image, as it is at one moment.
    fn copy(&self) -> Result<()> {
        let (live, copy) = (self.dir.path().join("live.img"), self.dir.path().join("copy.img"));
        for _ in 0..10 {
            let bytes = fs::read(&live)?;
            // Whatever the kernel still writes back must not be caught in the middle.
            if bytes == fs::read(&live)? {
                return Ok(fs::write(&copy, bytes)?);
            }
        }
        bail!("the image does not come to rest")
    }
}

fn succeed(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {said}");
    Ok(())
}

/// A `crash-writer`, and what it has acknowledged. It does not outlive this.
pub(crate) struct Writer {
    child: Child,
    pid: Pid,
    lines: Receiver<String>,
    /// What it was told is on disk.
    pub(crate) acks: Acks,
}

impl Writer {
    /// Starts one.
    pub(crate) fn start(folder: &Path, mode: &str) -> Result<Writer> {
        let mut child = Command::new(program("crash-writer")?)
            .args(["write".as_ref(), folder.as_os_str(), mode.as_ref()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let out = child.stdout.take().context("no output")?;
        child.stdin.take().context("no input")?.write_all(b"go\n")?;
        let (line, lines) = channel();
        std::thread::spawn(move || {
            BufReader::new(out).lines().map_while(Result::ok).try_for_each(|one| line.send(one))
        });
        let pid = Pid::from_raw(child.id().try_into()?);
        Ok(Writer { child, pid, lines, acks: Acks::new() })
    }

    /// Waits until it has acknowledged something more.
    pub(crate) fn await_more(&mut self) -> Result<()> {
        let line =
            self.lines.recv_timeout(Duration::from_secs(60)).context("nothing is written")?;
        acks::note(&mut self.acks, &line)
    }

    /// Stops it where it is, and hears what it has said until then.
    fn stop(&mut self) -> Result<()> {
        kill(self.pid, Signal::SIGSTOP)?;
        let stopped = waitpid(self.pid, Some(WaitPidFlag::WUNTRACED))?;
        ensure!(matches!(stopped, WaitStatus::Stopped(..)), "{stopped:?}");
        self.hear(Duration::from_millis(20))
    }

    fn go_on(&self) -> Result<()> {
        Ok(kill(self.pid, Signal::SIGCONT)?)
    }

    /// Hears what is said until it is quiet for so long, or there is nobody any more.
    fn hear(&mut self, quiet: Duration) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(30);
        while let Ok(line) = self.lines.recv_timeout(quiet) {
            acks::note(&mut self.acks, &line)?;
            ensure!(Instant::now() < deadline, "it does not stop talking");
        }
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
