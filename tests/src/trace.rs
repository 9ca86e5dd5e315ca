//! What a program does to files, seen through ptrace.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::op::Op;

/// One process and its threads.
struct Tracer {
    pid: Pid,
    memory: File,
    folder: PathBuf,
    /// By thread, the call that it is in, and what it does.
    calls: HashMap<Pid, Option<Op>>,
    log: BufWriter<File>,
}

/// Runs a writer of `most` entries in `folder` to its end, and writes what it does to `log`.
///
/// # Errors
/// If it cannot be traced, or fails.
pub fn run(log: &Path, folder: &Path, most: &str) -> Result<()> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["write".as_ref(), folder.as_os_str(), "honest".as_ref(), most.as_ref()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    let pid = Pid::from_raw(child.id().try_into()?);
    ptrace::seize(pid, Options::PTRACE_O_TRACECLONE | Options::PTRACE_O_TRACESYSGOOD)?;
    ptrace::interrupt(pid)?;
    child.stdin.take().context("no standard input")?.write_all(b"go\n")?;
    let memory = File::open(format!("/proc/{pid}/mem"))?;
    let (folder, log) = (folder.to_owned(), BufWriter::new(File::create(log)?));
    Tracer { pid, memory, folder, calls: HashMap::new(), log }.follow()
}

impl Tracer {
    fn follow(mut self) -> Result<()> {
        loop {
            let (thread, signal) = match waitpid(None, Some(WaitPidFlag::__WALL)) {
                Err(Errno::ECHILD) => return Ok(self.log.flush()?),
                Ok(WaitStatus::Exited(pid, status)) => {
                    if pid == self.pid && status != 0 {
                        bail!("the writer failed: {status}");
                    }
                    continue;
                }
                Ok(WaitStatus::PtraceSyscall(thread)) => {
                    self.call(thread)?;
                    (thread, None)
                }
                Ok(WaitStatus::PtraceEvent(thread, ..)) => (thread, None),
                Ok(WaitStatus::Stopped(thread, signal)) => {
                    (thread, Some(signal).filter(|signal| *signal != Signal::SIGTRAP))
                }
                Ok(_) => continue,
                Err(error) => return Err(error.into()),
            };
            match ptrace::syscall(thread, signal) {
                // It has ended meanwhile.
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// A thread enters a call, or leaves it.
    fn call(&mut self, thread: Pid) -> Result<()> {
        if let Some(op) = self.calls.remove(&thread) {
            return op.map_or(Ok(()), |op| self.note(&op));
        }
        let op = self.entered(thread)?;
        match op {
            // Bytes may be on disk, and a line read, before the call returns; a sync and a name only
            // count when it has.
            Some(op @ (Op::Write(..) | Op::Ack(_))) => {
                self.note(&op)?;
                self.calls.insert(thread, None);
            }
            op => drop(self.calls.insert(thread, op)),
        }
        Ok(())
    }

    fn note(&mut self, op: &Op) -> Result<()> {
        serde_json::to_writer(&mut self.log, op)?;
        Ok(self.log.write_all(b"\n")?)
    }

    /// What a call that is entered will do to the folder.
    fn entered(&self, thread: Pid) -> Result<Option<Op>> {
        // `number argument… stack-pointer program-counter`
        let call = fs::read_to_string(format!("/proc/{thread}/syscall")).unwrap_or_default();
        let mut words = call.split(' ');
        let Some(number) = words.next().and_then(|word| word.parse::<i64>().ok()) else {
            return Ok(None);
        };
        let arguments: Vec<u64> = words
            .map(|word| u64::from_str_radix(word.trim().trim_start_matches("0x"), 16))
            .collect::<Result<_, _>>()?;
        let at = |n: usize| arguments.get(n).copied().unwrap_or(0);
        let op = match number {
            libc::SYS_write if at(0) == 1 => {
                let line = String::from_utf8(self.bytes(at(1), at(2))?)?;
                Some(Op::Ack(line.trim_end().to_owned()))
            }
            libc::SYS_write => match self.open_file(at(0)) {
                Some(path) => {
                    Some(Op::Write(path, self.position(at(0))?, self.bytes(at(1), at(2))?))
                }
                None => None,
            },
            libc::SYS_pwrite64 => match self.open_file(at(0)) {
                Some(path) => Some(Op::Write(path, at(3), self.bytes(at(1), at(2))?)),
                None => None,
            },
            libc::SYS_fsync | libc::SYS_fdatasync => self.open_file(at(0)).map(Op::Sync),
            libc::SYS_ftruncate => self.open_file(at(0)).map(|path| Op::Truncate(path, at(1))),
            libc::SYS_openat if at(2) & libc::O_CREAT as u64 != 0 => {
                let path = self.path(at(1))?;
                // Opening what is there already does nothing to it, unless it is emptied.
                let is_made = at(2) & libc::O_TRUNC as u64 != 0
                    || path.as_ref().is_some_and(|path| !self.folder.join(path).exists());
                path.filter(|_| is_made).map(Op::Create)
            }
            libc::SYS_mkdirat => self.path(at(1))?.map(Op::Folder),
            libc::SYS_unlinkat => self.path(at(1))?.map(Op::Remove),
            libc::SYS_renameat | libc::SYS_renameat2 => self.rename(at(1), at(3))?,
            #[cfg(target_arch = "x86_64")]
            libc::SYS_mkdir => self.path(at(0))?.map(Op::Folder),
            #[cfg(target_arch = "x86_64")]
            libc::SYS_unlink => self.path(at(0))?.map(Op::Remove),
            #[cfg(target_arch = "x86_64")]
            libc::SYS_rename => self.rename(at(0), at(1))?,
            _ => None,
        };
        Ok(op)
    }

    fn rename(&self, from: u64, to: u64) -> Result<Option<Op>> {
        Ok(self.path(from)?.zip(self.path(to)?).map(|(from, to)| Op::Rename(from, to)))
    }

    fn bytes(&self, at: u64, length: u64) -> Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(length)?];
        self.memory.read_exact_at(&mut bytes, at)?;
        Ok(bytes)
    }

    /// A path in the process's memory, if it lies in the folder.
    fn path(&self, at: u64) -> Result<Option<PathBuf>> {
        let mut bytes = vec![0; 4096];
        let read = self.memory.read_at(&mut bytes, at)?;
        let text = bytes[..read].split(|byte| *byte == 0).next().unwrap_or_default();
        Ok(self.within(Path::new(std::str::from_utf8(text)?)))
    }

    fn open_file(&self, descriptor: u64) -> Option<PathBuf> {
        self.within(&fs::read_link(format!("/proc/{}/fd/{descriptor}", self.pid)).ok()?)
    }

    /// The store is built anew from the ledger in any case: only the rest is of interest.
    fn within(&self, path: &Path) -> Option<PathBuf> {
        let path = path.strip_prefix(&self.folder).ok()?;
        (!path.starts_with("store") && !path.starts_with("lock")).then(|| path.to_owned())
    }

    fn position(&self, descriptor: u64) -> Result<u64> {
        let info = fs::read_to_string(format!("/proc/{}/fdinfo/{descriptor}", self.pid))?;
        let position = info.lines().find_map(|line| line.strip_prefix("pos:"));
        Ok(position.context("a file without a position")?.trim().parse()?)
    }
}
