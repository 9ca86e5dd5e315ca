//! Programs of the administrator's: a group each, ended as a whole; also the next morning.
//!
//! A daemon that is killed cannot end what it runs, and the next one does the same again. So each
//! program has a word in its environment, and with it all that it starts: which labd runs it, and for
//! what. Where that labd is no more, the next one ends the program before it begins the same anew.
//! Virtual machines have no such word: they are to outlive labd, see [`crate::qemu`].

use std::collections::HashSet;
use std::fs;
use std::io;
use std::sync::LazyLock;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, getpgrp, getpid};
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

/// The word in the environment: `PID.START PURPOSE`.
const WORD: &str = "LABD_RUN";
/// How long what is killed may take to end.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is looked whether it has.
const POLL: Duration = Duration::from_millis(5);

/// This process: its number may pass to another, but not with the instant it started.
static SELF: LazyLock<String> = LazyLock::new(|| {
    let start = Stat::of(getpid().as_raw()).map(|stat| stat.start).unwrap_or_default();
    format!("{}.{start}", getpid())
});

/// For what daemons that are no more had left something running when this one first looked.
static LEFT: OnceCell<HashSet<String>> = OnceCell::const_new();

/// What belongs to a run that an earlier daemon did not see end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remains {
    /// The program, if it still runs, and its group. If it does not, the run had ended, and what it
    /// started is to stay: a command that switches on may do so by starting something.
    InHand,
    /// Everything: it is known that the run had not ended.
    All,
}

/// Lets a program lead a group of its own, and know for what it is run.
pub fn lead<'a>(program: &'a mut Command, purpose: &str) -> &'a mut Command {
    program.env(WORD, format!("{} {purpose}", *SELF)).process_group(0).kill_on_drop(true)
}

/// Ends what an earlier daemon has left of a run for this purpose. Returns when it has ended.
///
/// # Errors
/// If it does not.
pub async fn end_left(purpose: &str, remains: Remains) -> io::Result<()> {
    let left = LEFT.get_or_try_init(async || {
        let scan = || orphans().map(|orphan| orphan.purpose).collect();
        spawn_blocking(scan).await.map_err(io::Error::other)
    });
    if !left.await?.contains(purpose) {
        return Ok(());
    }
    let kill_left = async || {
        let purpose = purpose.to_owned();
        spawn_blocking(move || kill_left(&purpose, remains)).await.map_err(io::Error::other)
    };
    let end = async {
        let mut left = kill_left().await?;
        if left > 0 {
            tracing::warn!(purpose, left, "what an earlier labd left running is killed");
        }
        while left > 0 {
            sleep(POLL).await;
            left = kill_left().await?;
        }
        Ok(())
    };
    let stays =
        || io::Error::new(io::ErrorKind::TimedOut, "what an earlier labd left does not end");
    timeout(PATIENCE, end).await.unwrap_or_else(|_| Err(stays()))
}

/// Returns how many processes there were.
fn kill_left(purpose: &str, remains: Remains) -> usize {
    let belongs =
        |orphan: &Orphan| orphan.purpose == purpose && (remains == Remains::All || orphan.leads());
    orphans()
        .filter(belongs)
        .inspect(|orphan| {
            tracing::warn!(
                pid = orphan.pid,
                purpose,
                "what an earlier labd left running is killed"
            );
            kill_group(Pid::from_raw(orphan.stat.group));
        })
        .count()
}

/// A process that was started by a labd that is no more.
struct Orphan {
    pid: i32,
    stat: Stat,
    purpose: String,
}

impl Orphan {
    /// Whether labd itself had started it: what it started itself is in its group, or in a session of
    /// its own.
    fn leads(&self) -> bool {
        self.stat.group == self.pid && self.stat.session != self.pid
    }
}

fn orphans() -> impl Iterator<Item = Orphan> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
        let mut words = environment.split(|byte| *byte == 0);
        let word = words.find_map(|word| word.strip_prefix(WORD.as_bytes())?.strip_prefix(b"="))?;
        let (owner, purpose) = std::str::from_utf8(word).ok()?.split_once(' ')?;
        let stat = Stat::of(pid)?;
        (!is_alive(owner)).then(|| Orphan { pid, stat, purpose: purpose.to_owned() })
    })
}

fn is_alive(owner: &str) -> bool {
    let Some((pid, start)) = owner.split_once('.') else { return false };
    let stat = pid.parse().ok().and_then(Stat::of);
    stat.is_some_and(|stat| stat.start == start)
}

/// What the kernel says of a process that has not ended.
struct Stat {
    group: i32,
    session: i32,
    /// In ticks since the machine was booted.
    start: String,
}

impl Stat {
    fn of(pid: i32) -> Option<Stat> {
        let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name before it may have blanks and brackets in it.
        let fields: Vec<_> = line[line.rfind(')')? + 1..].split_whitespace().collect();
        let has_ended = matches!(*fields.first()?, "Z" | "X");
        let number = |index: usize| fields.get(index)?.parse().ok();
        let start = (*fields.get(19)?).to_owned();
        let stat = Stat { group: number(2)?, session: number(3)?, start };
        (!has_ended).then_some(stat)
    }
}

/// A program's group, which is killed when this is dropped, unless the program has ended by itself.
pub struct Group(Option<Pid>);

impl Group {
    /// The group of a child that leads one, and has not been waited for.
    pub fn of(leader: &Child) -> Group {
        Group(leader.id().and_then(|id| id.try_into().ok()).map(Pid::from_raw))
    }

    /// Lets the group be. Once its leader has been waited for, the number may be another's.
    pub fn forget(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.0.into_iter().for_each(kill_group);
    }
}

fn kill_group(group: Pid) {
    if group != getpgrp()
        && let Err(error) = killpg(group, Signal::SIGKILL)
        && error != Errno::ESRCH
    {
        tracing::warn!(%group, %error, "a program and what it started cannot be killed");
    }
}
