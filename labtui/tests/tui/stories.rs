//! The conventions that take a real terminal, or none: what is written to it, what is read from it,
//! and the files beside it. Named by their rows, as those in `rows`.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use labtui::emulator::Emulator;
use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use protocol::wire::Follow;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::fake::FakeLab;
use crate::sample::{board, boards, entries};

const LIMIT: Duration = Duration::from_secs(20);
const SIZE: (u16, u16) = (100, 30);

/// A lab, and a home with nothing in it.
struct Home {
    lab: FakeLab,
    runtime: Runtime,
    folder: TempDir,
}

impl Home {
    fn new() -> Home {
        let runtime = Runtime::new().unwrap();
        let lab = FakeLab::new(boards(), entries("rpi4-1"));
        std::mem::forget(runtime.block_on(async { lab.open() }));
        Home { lab, runtime, folder: TempDir::new().unwrap() }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn settings(&self, text: &str) {
        let folder = self.file("config/labd");
        fs::create_dir_all(&folder).unwrap();
        // Saved as editors do it: written beside, and put in place whole.
        fs::write(folder.join("new"), text).unwrap();
        fs::rename(folder.join("new"), folder.join("labtui.toml")).unwrap();
    }

    fn command(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_labtui"));
        command.env_clear().args(arguments);
        command.env("XDG_CONFIG_HOME", self.file("config"));
        command.env("XDG_STATE_HOME", self.file("state"));
        command.env("HOME", self.folder.path()).env("LAB", self.lab.address().to_string());
        command.envs([("TERM", "xterm-256color"), ("LANG", "C.UTF-8")]);
        command.envs(environment.iter().copied());
        command
    }

    fn start(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Seat {
        Seat::new(self.command(arguments, environment))
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments, &[]).stdin(Stdio::null()).output().unwrap()
    }
}

/// labtui on a terminal, and what that shows.
struct Seat {
    child: Child,
    keyboard: File,
    bytes: Receiver<Vec<u8>>,
    written: Vec<u8>,
    screen: Emulator,
}

impl Seat {
    fn new(mut command: Command) -> Seat {
        let size = Winsize { ws_row: SIZE.1, ws_col: SIZE.0, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(Some(&size), None).unwrap();
        let end = || Stdio::from(pty.slave.try_clone().unwrap());
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        let keyboard = File::from(pty.master);
        let mut reader = keyboard.try_clone().unwrap();
        let (sender, bytes) = channel();
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut piece) {
                if sender.send(piece[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        let screen = Emulator::new(SIZE.0, SIZE.1);
        Seat { child, keyboard, bytes, written: Vec::new(), screen }
    }

    fn keys(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// What the terminal shows.
    fn shown(&self) -> String {
        let area = Rect::new(0, 0, SIZE.0, SIZE.1);
        let mut buffer = Buffer::empty(area);
        self.screen.draw(area, &mut buffer);
        let cell = |x, y| buffer[(x, y)].symbol().to_owned();
        let line = |y| (0..SIZE.0).map(|x| cell(x, y)).collect::<String>();
        (0..SIZE.1).map(line).collect::<Vec<_>>().join("\n")
    }

    /// Waits until the terminal shows this.
    fn until(&mut self, text: &str) -> &mut Seat {
        self.until_so(text, |seat| seat.shown().contains(text))
    }

    fn until_gone(&mut self, text: &str) -> &mut Seat {
        self.until_so(text, |seat| !seat.shown().contains(text))
    }

    fn until_written(&mut self, text: &str) -> &mut Seat {
        self.until_so(text, |seat| seat.text().contains(text))
    }

    fn until_so(&mut self, what: &str, so: impl Fn(&Seat) -> bool) -> &mut Seat {
        let end = Instant::now() + LIMIT;
        while !so(self) {
            let left = end.saturating_duration_since(Instant::now());
            match self.bytes.recv_timeout(left) {
                Ok(bytes) => {
                    self.screen.print(&bytes);
                    self.written.extend(bytes);
                }
                Err(why) => panic!("{what}: {why}\n{}\n{:?}", self.shown(), self.text()),
            }
        }
        self
    }

    /// All that was written to the terminal.
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.written).into_owned()
    }

    /// Waits for the end, and reads the last that was written.
    fn end(&mut self) -> ExitStatus {
        let end = Instant::now() + LIMIT;
        loop {
            if let Ok(bytes) = self.bytes.recv_timeout(Duration::from_millis(10)) {
                self.written.extend(bytes);
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                // The terminal is read to its end, which comes when nobody has it open any more.
                while let Ok(bytes) = self.bytes.recv_timeout(LIMIT) {
                    self.written.extend(bytes);
                }
                return status;
            }
            assert!(Instant::now() < end, "it does not end: {}", self.shown());
        }
    }

    /// The numbers of every colour that was asked for.
    fn colours(&self) -> Vec<Vec<u32>> {
        let text = self.text();
        let sequences = text.split("\x1b[").skip(1);
        let colour = |sequence: &str| {
            let (numbers, _) = sequence.split_once('m')?;
            let numbers: Vec<u32> =
                numbers.split(';').map(str::parse).collect::<Result<_, _>>().ok()?;
            let is_colour = |n: &u32| (30..=38).contains(n) || (40..=48).contains(n) || *n >= 90;
            numbers.iter().any(is_colour).then_some(numbers)
        };
        sequences.filter_map(colour).collect()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn row_29_settings_that_are_saved_are_taken_over_live() {
    let home = Home::new();
    let mut seat = home.start(&[], &[]);
    seat.until("yours").until(" p power");
    home.settings("[keys.boards]\npower = 'F5'\n");
    seat.until("F5 power");
    home.settings("[keys.boards]\npower = 'Entre'\n");
    seat.until("did you mean").until("F5 power");
    home.settings("mouse = true\n");
    seat.until(" p power").until_written("\x1b[?1000h");
    seat.keys("q");
    assert_eq!(seat.end().code(), Some(0));
}

#[test]
fn row_29_settings_that_are_wrong_from_the_start_are_told_with_their_place() {
    let home = Home::new();
    home.settings("mouse = true\n\n[keys.boards]\npower = 'Entre'\n[theme]\nbda = 'red'\n");
    let mut seat = home.start(&[], &[]);
    assert_eq!(seat.end().code(), Some(1));
    let said = seat.text();
    assert!(said.contains("labtui.toml: line 4, column 9: there is no key 'Entre'"), "{said}");
    assert!(said.contains("labtui.toml: line 6, column 1: there is no look 'bda'"), "{said}");
    assert!(!said.contains("\x1b[?1049h"), "{said:?}");
}

#[test]
fn row_29_the_books_pages_are_what_labtui_says_of_itself() {
    let home = Home::new();
    let keys = String::from_utf8(home.run(&["keys"]).stdout).unwrap();
    let page = include_str!("../../../contrib/book/labtui-keys.md");
    assert!(page.ends_with(&keys), "labtui keys >> contrib/book/labtui-keys.md, below its head");
    let schema = String::from_utf8(home.run(&["schema"]).stdout).unwrap();
    assert_eq!(schema, include_str!("../../../contrib/labtui.schema.json"));
    home.settings("[keys.boards]\npower = 'F5'\n");
    let keys = String::from_utf8(home.run(&["keys"]).stdout).unwrap();
    assert!(keys.contains("| `F5` | power |"), "the keys as they are now");
}

#[test]
fn row_2_commands_are_remembered_from_one_day_to_the_next() {
    let home = Home::new();
    let mut seat = home.start(&[], &[]);
    seat.until("yours").keys(":boards rpi\r");
    seat.until("Boards 3 of 8").keys("q");
    seat.end();
    let mut seat = home.start(&[], &[]);
    seat.until("yours").keys(":\x1b[A");
    seat.until(":boards rpi").keys("\r");
    seat.until("Boards 3 of 8");
    let history = home.file("state/labd/labtui.history");
    assert_eq!(fs::metadata(&history).unwrap().permissions().mode() & 0o777, 0o600);
}

/// Each pane is followed once, and what is typed just before the end still arrives.
#[test]
fn row_9_consoles_side_by_side_are_followed_typed_on_and_left() {
    let home = Home::new();
    home.lab.change(|known| known.printed = b"U-Boot> ".to_vec());
    let mut seat = home.start(&[], &[]);
    seat.until("yours").keys(":consoles rpi4-1 bbb-1\r");
    seat.until("2 identical, 0 differ").keys("t");
    seat.until("└ TYPING ").keys("boot\r\x14qq");
    assert!(seat.end().success());
    let known = home.runtime.block_on(home.lab.until("anything", |_| true));
    assert_eq!(String::from_utf8(known.typed).unwrap(), "boot\r");
    let consoles = |follow: &&Follow| matches!(follow, Follow::Console { .. });
    assert_eq!(known.follows.iter().filter(consoles).count(), 2);
}

#[test]
fn row_19_the_terminal_is_asked_for_its_background_and_its_answer_is_no_key() {
    let home = Home::new();
    let mut seat = home.start(&[], &[("COLORTERM", "truecolor")]);
    seat.until_written("\x1b]11;?\x1b\\").until("yours");
    let light = vec![38, 2, 0, 102, 43];
    let has_light =
        |seat: &Seat| seat.colours().iter().any(|it| it.windows(5).any(|part| part == light));
    assert!(!has_light(&seat), "nothing waits for the answer");
    seat.keys("\x1b]11;rgb:ffff/ffff/ffff\x1b\\");
    seat.until_so("light colours", has_light);
    seat.keys("\x1b]11;rgb:");
    seat.keys("0000/0000/0000\x07?");
    seat.until("Keys");
    assert!(!seat.shown().contains("Reserve"), "{}", seat.shown());
}

#[test]
fn row_20_no_rung_is_sent_a_colour_that_it_has_not() {
    let home = Home::new();
    let painted = "\x1b[38;2;1;2;3mtrue\x1b[38;5;99mcube\x1b[31mred\x1b[0m=> ";
    home.lab.change(|known| known.printed.extend(painted.as_bytes()));
    for (environment, most) in [
        (&[("COLORTERM", "truecolor")][..], 4),
        (&[], 3),
        (&[("TERM", "xterm")], 2),
        (&[("TERM", "xterm"), ("NO_COLOR", "1")], 1),
        (&[("TERM", "vt100")], 1),
        (&[("TERM", "vt220"), ("COLORTERM", "truecolor")], 1),
    ] {
        let mut seat = home.start(&[], environment);
        seat.until("yours").keys("jjc");
        seat.until("truecubered=>").keys("\x14q");
        seat.until("1 Boards").keys("q");
        seat.end();
        let part = |numbers: &[u32]| match numbers {
            [38 | 48, 2, _] => 4,
            [38 | 48, 5, 16..=255] => 3,
            _ => 2,
        };
        let rung = |numbers: &Vec<u32>| numbers.windows(3).map(part).max().unwrap_or(2);
        let sent = seat.colours().iter().map(rung).max().unwrap_or(1);
        assert_eq!(sent, most, "{environment:?}: {:?}", seat.colours());
        let is_old = environment.iter().any(|(_, term)| term.starts_with("vt"));
        assert_eq!(seat.text().is_ascii(), is_old, "{environment:?}");
    }
}

#[test]
fn row_20_a_terminal_that_only_prints_is_told_of_labctl() {
    let home = Home::new();
    let mut seat = home.start(&[], &[("TERM", "dumb")]);
    assert_eq!(seat.end().code(), Some(1));
    assert!(seat.text().contains("labctl boards") && !seat.text().contains('\x1b'));
}

#[test]
fn row_21_a_locale_without_utf_8_gets_ascii_and_words() {
    let home = Home::new();
    let mut seat = home.start(&[], &[("LANG", "C")]);
    seat.until("yours").keys(" p");
    seat.until("[On]");
    assert!(seat.written.is_ascii(), "{:?}", seat.text());
    for words in ["o free", "+ 1 Boards 8 -", "* held", "~ preparing", "1 marked"] {
        assert!(seat.shown().contains(words), "{words} in {}", seat.shown());
    }
}

#[test]
fn row_14_what_is_copied_goes_to_the_terminal_over_ssh() {
    let home = Home::new();
    let mut seat = home.start(&[], &[("SSH_CONNECTION", "1 2 3 4"), ("DISPLAY", ":0")]);
    seat.until("yours").keys("jjy");
    seat.until("Copy from rpi4-1").keys("\r");
    seat.until_written("\x1b]52;c;cnBpNC0x\x07").until("Copied.");
}

#[test]
fn row_18_and_27_the_mouse_is_given_back_however_it_ends() {
    let home = Home::new();
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
        let mut seat = home.start(&[], &[]);
        seat.until("yours").keys("m");
        seat.until_written("\x1b[?1000h").keys("c");
        seat.until_written("\x1b[?1000l").keys("\x14q");
        seat.until("1 Boards")
            .until_so("again", |seat| seat.text().matches("\x1b[?1000h").count() == 2);
        kill(Pid::from_raw(i32::try_from(seat.child.id()).unwrap()), signal).unwrap();
        seat.end();
        let text = seat.text();
        let (last, leave) = (text.rfind("\x1b[?1000l"), text.rfind("\x1b[?1049l"));
        assert!(last > text.rfind("\x1b[?1000h") && last < leave, "{signal}: {text:?}");
    }
}

#[test]
fn row_17_read_only_asks_the_lab_for_nothing() {
    let home = Home::new();
    let mut seat = home.start(&["--read-only"], &[]);
    seat.until("yours").until("read-only").keys("jjp");
    seat.until("Nothing is changed here").keys(":power rpi4-1 off\rq");
    seat.end();
    let calls =
        home.runtime.block_on(home.lab.until("whoami", |known| !known.calls.is_empty())).calls;
    assert_eq!(calls, ["whoami"]);
}

#[test]
fn row_28_without_motion_nothing_is_written_while_nothing_happens() {
    let home = Home::new();
    let mut seat = home.start(&[], &[("NO_MOTION", "1")]);
    seat.until("yours").keys("?");
    seat.until("Keys").keys("q");
    seat.until_gone("Keys");
    home.settings("mouse = true\n");
    seat.until_written("\x1b[?1000h");
    // Whatever is still on its way comes within a frame or two.
    let silent = |seat: &mut Seat, span| match seat.bytes.recv_timeout(span) {
        Err(RecvTimeoutError::Timeout) => true,
        Err(RecvTimeoutError::Disconnected) => panic!("it has ended"),
        Ok(_) => false,
    };
    while !silent(&mut seat, Duration::from_millis(300)) {}
    assert!(silent(&mut seat, Duration::from_millis(2_500)), "holds are counted down");
}

#[test]
fn row_28_plain_is_lines_without_cursor_movements_and_takes_commands() {
    let home = Home::new();
    let mut child = home
        .command(&["--plain"], &[("TERM", "dumb")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut typed, said) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        BufReader::new(said).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    let mut all = String::new();
    let mut until = |text: &str| {
        while !all.contains(text) {
            let line = lines.recv_timeout(LIMIT);
            all.push_str(&line.unwrap_or_else(|_| panic!("{text:?} was never said: {all}")));
            all.push('\n');
        }
        assert!(!all.chars().any(|c| c.is_control() && c != '\n'), "{all:?}");
    };
    until("Live.\n");
    until("rpi4-2: held by bob, power on, 2 wait\n");
    home.lab.change(|known| known.rows.push(board("brand-new", "x")));
    until("brand-new: free, power off\n");
    typed.write_all(b"power rpi4-2 off\n").unwrap();
    until("Say one of: Cancel, Switch off.\n");
    typed.write_all(b"switch off\n").unwrap();
    until("rpi4-2 is on.\n");
    typed.write_all(b"reserve bbb-1 45min\nborads\n").unwrap();
    until("bbb-1 is yours for");
    until("Did you mean 'boards'?\n");
    typed.write_all(b"quit\n").unwrap();
    assert!(child.wait().unwrap().success());
    let asked = |known: &crate::fake::Known| known.calls.contains(&"power rpi4-2 off".into());
    home.runtime.block_on(home.lab.until("it was switched", asked));
}

#[test]
fn row_31_info_says_where_the_files_are_and_the_log_keeps_secrets() {
    let home = Home::new();
    let info = String::from_utf8(home.run(&["info"]).stdout).unwrap();
    for file in ["config/labd/labtui.toml", "state/labd/labtui.history", "state/labd/labtui.log"] {
        assert!(info.contains(home.file(file).to_str().unwrap()), "{file} in {info}");
    }
    home.lab.change(|known| known.printed.extend(b"Password: "));
    let mut seat = home.start(&["--log", "debug"], &[]);
    seat.until("yours").keys("jjc");
    seat.until("Password: ").keys("hunter2\r");
    home.runtime.block_on(home.lab.until("typed", |known| known.typed.ends_with(b"hunter2\r")));
    seat.keys("\x14q");
    seat.until("1 Boards").keys("q");
    seat.end();
    assert!(!seat.text().contains("DEBUG"), "never on the screen");
    let path = home.file("state/labd/labtui.log");
    let log = fs::read_to_string(&path).unwrap();
    assert!(log.contains("Attach") && log.contains("type 1 bytes"), "{log}");
    assert!(!log.contains("hunter2"), "{log}");
    assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn row_29_a_visitor_has_no_files_here() {
    let home = Home::new();
    home.settings("mouse = 3\n");
    let mut seat = home.start(&[], &[("LAB_VISITOR", "1")]);
    seat.until("yours").keys(":sort\rq");
    assert_eq!(seat.end().code(), Some(0));
    assert!(!home.file("state").exists());
}
