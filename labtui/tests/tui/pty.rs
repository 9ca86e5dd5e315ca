//! The real program in a real terminal: it gives the terminal back, however it ends.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, Termios, tcgetattr};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use tokio::runtime::Runtime;

use crate::fake::FakeLab;
use crate::sample::{boards, entries};

const ENTER: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?1049l";
const SHOW_CURSOR: &str = "\x1b[?25h";
const LIMIT: Duration = Duration::from_secs(20);

/// A terminal, and labtui in it.
struct Stand {
    lab: FakeLab,
    runtime: Runtime,
    child: Child,
    master: File,
    slave: OwnedFd,
    before: Termios,
    output: Arc<(Mutex<String>, Condvar)>,
}

impl Stand {
    fn new(environment: &[(&str, &str)]) -> Stand {
        let mut command = Command::new(env!("CARGO_BIN_EXE_labtui"));
        command.env_clear();
        command.envs([("TERM", "xterm-256color"), ("LANG", "C.UTF-8"), ("HOME", "/nonexistent")]);
        command.envs(environment.iter().copied());
        Stand::with(command)
    }

    fn with(mut command: Command) -> Stand {
        let runtime = Runtime::new().unwrap();
        let lab = FakeLab::new(boards(), entries("rpi4-1"));
        let door = runtime.block_on(async { lab.open() });
        std::mem::forget(door);
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(Some(&size), None).unwrap();
        let end = || Stdio::from(pty.slave.try_clone().unwrap());
        let before = tcgetattr(pty.slave.as_fd()).unwrap();
        command.env("LAB", lab.address().to_string());
        // A group of its own, so that a signal to it is none to the tests.
        let child = command.stdin(end()).stdout(end()).stderr(end()).process_group(0).spawn();
        let master = File::from(pty.master);
        let output = Arc::<(Mutex<String>, Condvar)>::default();
        read_all(master.try_clone().unwrap(), output.clone());
        let child = child.unwrap();
        Stand { lab, runtime, child, master, slave: pty.slave, before, output }
    }

    /// The program with the table on the screen, and told who we are.
    fn started() -> Stand {
        let stand = Stand::new(&[]);
        stand.until("yours");
        stand
    }

    /// Waits until the program has written this; gives what it wrote until then, and forgets that.
    fn until(&self, text: &str) -> String {
        let (output, more) = &*self.output;
        let end = Instant::now() + LIMIT;
        let mut written = output.lock().unwrap();
        while !written.contains(text) {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{text:?} was never written: {written:?}");
            written = more.wait_timeout(written, left).unwrap().0;
        }
        let end = written.find(text).unwrap_or(0) + text.len();
        written.drain(..end).collect()
    }

    fn keys(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }

    fn wait(&mut self) -> ExitStatus {
        let end = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "it does not end");
            std::thread::yield_now();
        }
    }

    fn assert_raw(&self) {
        let now = tcgetattr(self.slave.as_fd()).unwrap();
        assert!(!now.local_flags.intersects(LocalFlags::ICANON | LocalFlags::ECHO));
    }

    /// The terminal is as it was found: modes, screen, cursor.
    fn assert_given_back(&self) {
        let last = format!("{LEAVE}{SHOW_CURSOR}");
        let written = self.until(&last);
        assert!(written.ends_with(&last), "{written:?}");
        assert_eq!(tcgetattr(self.slave.as_fd()).unwrap(), self.before);
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_all(mut master: File, output: Arc<(Mutex<String>, Condvar)>) {
    std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(count @ 1..) = master.read(&mut piece) {
            let (written, more) = &*output;
            written.lock().unwrap().push_str(&String::from_utf8_lossy(&piece[..count]));
            more.notify_all();
        }
    });
}

/// A program that cargo has built beside the tests.
fn example(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let built = own.parent().and_then(Path::parent).unwrap();
    let path = built.join("examples").join(name);
    assert!(
        path.exists(),
        "{} is not built: run tests/run, or cargo build --examples",
        path.display()
    );
    path
}

/// The bytes from leaving the other screen on, and the exit code.
fn ends(cause: impl FnOnce(&mut Stand)) -> Option<i32> {
    let mut stand = Stand::started();
    stand.assert_raw();
    cause(&mut stand);
    let status = stand.wait();
    stand.assert_given_back();
    status.code()
}

#[test]
fn the_terminal_is_given_back_after_q() {
    assert_eq!(ends(|stand| stand.keys("q")), Some(0));
}

#[test]
fn the_terminal_is_given_back_after_ctrl_c() {
    assert_eq!(ends(|stand| stand.keys("\x03")), Some(0));
}

#[test]
fn the_terminal_is_given_back_after_each_signal() {
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGHUP, 129), (Signal::SIGINT, 130)] {
        assert_eq!(ends(|stand| stand.signal(signal)), Some(code), "{signal}");
    }
}

#[test]
fn the_terminal_is_given_back_while_suspended_and_taken_again_after() {
    let mut stand = Stand::started();
    stand.keys("\x1a");
    stand.until(LEAVE);
    let stopped = waitpid(stand.pid(), Some(WaitPidFlag::WUNTRACED)).unwrap();
    assert!(matches!(stopped, WaitStatus::Stopped(_, Signal::SIGTSTP)), "{stopped:?}");
    assert_eq!(tcgetattr(stand.slave.as_fd()).unwrap(), stand.before);
    stand.signal(Signal::SIGCONT);
    stand.until(ENTER);
    stand.until("rpi4-10");
    stand.assert_raw();
    stand.keys("q");
    assert_eq!(stand.wait().code(), Some(0));
    stand.assert_given_back();
}

#[test]
fn the_terminal_is_given_back_before_a_panic_is_printed() {
    let mut stand = Stand::with(Command::new(example("panic")));
    let written = stand.until("on purpose");
    let (taken, printed) = written.split_once(&format!("{LEAVE}{SHOW_CURSOR}")).unwrap();
    assert!(taken.contains(ENTER) && printed.contains("on purpose"), "{written:?}");
    assert_eq!(tcgetattr(stand.slave.as_fd()).unwrap(), stand.before);
    assert_eq!(stand.wait().code(), Some(101));
}

#[test]
fn the_terminal_is_given_back_after_the_lab_went_away() {
    let cut = |stand: &mut Stand| {
        stand.lab.change(|known| {
            known.refusing = Some(protocol::Error::Unknown);
            known.cuts += 1;
        });
        stand.until("Not live");
        stand.keys("q");
    };
    assert_eq!(ends(cut), Some(0));
}

#[test]
fn a_change_in_the_lab_is_seen_and_a_key_reaches_it() {
    let mut stand = Stand::started();
    let mut row = boards()[0].clone();
    row.last_line = "brand-new".to_owned();
    stand.lab.change(|known| known.rows.push(row));
    stand.until("brand-new");
    stand.keys("jjp\r");
    let lab = stand.lab.clone();
    let switched =
        lab.until("rpi4-1 is on", |known| known.calls.contains(&"power rpi4-1 on".into()));
    stand.runtime.block_on(switched);
    stand.keys("c");
    stand.until("detach");
    stand.lab.change(|known| known.printed.extend(b"U-Boot\x1b[c\x1b]0;evil\x07=> "));
    let seen = stand.until("=>");
    assert!(!seen.contains("evil") && !seen.contains("\x1b[c"), "{seen:?}");
    stand.keys("ls\r\x03");
    stand.runtime.block_on(lab.until("ls is typed", |known| known.typed == b"ls\r\x03"));
    stand.keys("\x14q");
    stand.until("Boards");
    stand.keys("q");
    assert_eq!(stand.wait().code(), Some(0));
    stand.assert_given_back();
}

#[test]
fn no_colour_is_sent_where_none_is_wanted() {
    let mut stand = Stand::new(&[("NO_COLOR", "1")]);
    let mut seen = stand.until("yours");
    stand.keys("jjp");
    seen.push_str(&stand.until("[On]"));
    stand.keys("q?");
    seen.push_str(&stand.until("Keys"));
    stand.keys("qq");
    stand.wait();
    seen.push_str(&stand.until(SHOW_CURSOR));
    for sequence in seen.split("\x1b[").skip(1) {
        let end = sequence.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(0);
        let (numbers, last) = sequence.split_at(end);
        let colour = |n: &str| n.parse().is_ok_and(|n: u32| (30..=49).contains(&n) || n >= 90);
        let coloured = last.starts_with('m') && numbers.split(';').any(colour);
        assert!(!coloured, "{sequence:?}");
    }
}

#[test]
fn where_it_cannot_draw_it_says_what_to_use_instead() {
    let mut stand = Stand::new(&[("TERM", "dumb")]);
    assert_eq!(stand.wait().code(), Some(1));
    let said = stand.until("labctl");
    assert!(!said.contains(ENTER), "{said:?}");
    let piped = Command::new(env!("CARGO_BIN_EXE_labtui")).stdin(Stdio::null()).output().unwrap();
    assert_eq!(piped.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&piped.stderr).contains("labctl boards"));
    assert!(piped.stdout.is_empty());
}
