//! What answers on a simulated board's console once it has booted: login, and a shell.

use std::convert::Infallible;
use std::time::Duration;

use super::board::End;
use super::editor::{Edit, Editor};
use super::linux::Linux;

/// Serves the console: logins and sessions, one after the other.
///
/// # Errors
/// How the kernel ended.
pub(super) async fn serve(linux: &mut Linux<'_>) -> Result<Infallible, End> {
    loop {
        let issue = linux.model.userland.issue;
        linux.hardware.print(issue).await;
        while !login(linux).await? {}
        Shell { linux: &mut *linux, status: 0 }.session().await?;
    }
}

/// What ended a line.
enum Entered {
    Line(String),
    Interrupted,
    Closed,
}

async fn read(linux: &mut Linux<'_>, prompt: &str, mut editor: Editor) -> Result<Entered, End> {
    linux.hardware.print(prompt).await;
    loop {
        let entered = match editor.key(linux.key().await?) {
            Edit::Going(echo) => {
                linux.hardware.print(&echo).await;
                continue;
            }
            Edit::Entered(line) => Entered::Line(line),
            Edit::Interrupted => {
                linux.hardware.print("^C").await;
                Entered::Interrupted
            }
            Edit::Closed => Entered::Closed,
        };
        linux.hardware.print("\n").await;
        return Ok(entered);
    }
}

/// Asks once. Only root is known; where it has a password, any will do.
async fn login(linux: &mut Linux<'_>) -> Result<bool, End> {
    let userland = &linux.model.userland;
    let prompt = format!("{} login: ", userland.hostname);
    let Entered::Line(name) = read(linux, &prompt, Editor::default()).await? else {
        return Ok(false);
    };
    match name.trim() {
        "" => return Ok(false),
        "root" if !userland.password => return Ok(true),
        _ => {}
    }
    let Entered::Line(_) = read(linux, "Password: ", Editor::hidden()).await? else {
        return Ok(false);
    };
    let known = name.trim() == "root";
    if !known {
        linux.hardware.print("Login incorrect\n").await;
    }
    Ok(known)
}

struct Shell<'a, 'b> {
    linux: &'a mut Linux<'b>,
    status: u8,
}

impl Shell<'_, '_> {
    /// Until `exit` or Ctrl-D.
    async fn session(&mut self) -> Result<(), End> {
        let prompt = self.linux.model.userland.prompt;
        loop {
            match read(self.linux, prompt, Editor::default()).await? {
                Entered::Interrupted => {}
                Entered::Closed => return Ok(()),
                Entered::Line(line) => {
                    for words in commands(&line) {
                        let words: Vec<String> = words
                            .iter()
                            .map(|word| word.replace("$?", &self.status.to_string()))
                            .collect();
                        let words: Vec<&str> = words.iter().map(String::as_str).collect();
                        if let ["exit" | "logout", ..] = words[..] {
                            return Ok(());
                        }
                        self.status = self.run(&words).await?;
                    }
                }
            }
        }
    }

    /// Runs a command. Returns its exit status.
    async fn run(&mut self, words: &[&str]) -> Result<u8, End> {
        match words {
            ["reboot", ..] => Err(self.shut_down("reboot: Restarting system", End::Reset).await),
            ["poweroff" | "halt", ..] => Err(self.shut_down("reboot: Power down", End::Halt).await),
            ["echo", text @ .., ">", "/proc/sysrq-trigger"] => {
                for key in text.first().into_iter().flat_map(|text| text.bytes().take(1)) {
                    self.linux.sysrq(key).await?;
                }
                Ok(0)
            }
            ["sleep", seconds] => self.sleep(seconds).await,
            ["yes", ..] => self.repeat(words.get(1).unwrap_or(&"y")).await,
            _ => {
                let (status, output) = match self.answer(words) {
                    Ok(output) => (0, output),
                    Err(Failure(status, output)) => (status, output),
                };
                self.linux.hardware.print(&output).await;
                Ok(status)
            }
        }
    }

    async fn shut_down(&mut self, last: &str, end: End) -> End {
        self.linux.hardware.play(GOODBYE).await;
        self.linux.message(last).await;
        end
    }

    async fn sleep(&mut self, seconds: &str) -> Result<u8, End> {
        let Some(span) = seconds.parse().ok().and_then(|s| Duration::try_from_secs_f64(s).ok())
        else {
            self.linux.hardware.print("sleep: invalid number\n").await;
            return Ok(1);
        };
        self.interrupted(span).await
    }

    /// Says the same until Ctrl-C: what a console's reader is tried with.
    async fn repeat(&mut self, text: &str) -> Result<u8, End> {
        loop {
            self.linux.hardware.print(&format!("{text}\n")).await;
            if self.interrupted(Duration::ZERO).await? != 0 {
                return Ok(130);
            }
        }
    }

    /// Waits. Returns the exit status: 130 if Ctrl-C came first.
    async fn interrupted(&mut self, span: Duration) -> Result<u8, End> {
        let until = self.linux.hardware.now() + span;
        while let Some(key) = self.linux.key_until(until).await? {
            if key == 0x03 {
                self.linux.hardware.print("^C\n").await;
                return Ok(130);
            }
        }
        Ok(0)
    }

    /// What a command prints that only looks.
    fn answer(&mut self, words: &[&str]) -> Result<String, Failure> {
        let userland = &self.linux.model.userland;
        Ok(match words {
            [] => String::new(),
            ["help"] => HELP.to_owned(),
            ["true" | "sync" | "cd", ..] => String::new(),
            ["false"] => return Err(Failure(1, String::new())),
            ["clear"] => "\x1b[H\x1b[J".to_owned(),
            ["echo", "-n", text @ ..] => text.join(" "),
            ["echo", text @ ..] => text.join(" ") + "\n",
            ["hostname"] => format!("{}\n", userland.hostname),
            ["whoami"] => "root\n".to_owned(),
            ["id"] => "uid=0(root) gid=0(root) groups=0(root)\n".to_owned(),
            ["pwd"] => "/root\n".to_owned(),
            ["tty"] => format!("/dev/{}\n", userland.tty),
            ["uname", options @ ..] => self.uname(options),
            ["uptime"] => self.uptime(),
            ["free"] => self.free(),
            ["ps", ..] => PROCESSES.replace("{tty}", userland.tty),
            ["dmesg", ..] => self.linux.ring.concat(),
            ["ls", rest @ ..] => self.list(rest.last().filter(|last| !last.starts_with('-')))?,
            ["cat", path] => self.file(path)?,
            [unknown, ..] => {
                return Err(Failure(127, format!("-sh: {unknown}: not found\n")));
            }
        })
    }

    fn uname(&self, options: &[&str]) -> String {
        let userland = &self.linux.model.userland;
        let answer = match options {
            ["-r"] => userland.release.to_owned(),
            ["-m"] => userland.machine.to_owned(),
            ["-n"] => userland.hostname.to_owned(),
            ["-v"] => userland.build.to_owned(),
            ["-a"] => format!(
                "Linux {} {} {} {} GNU/Linux",
                userland.hostname, userland.release, userland.build, userland.machine
            ),
            _ => "Linux".to_owned(),
        };
        answer + "\n"
    }

    /// The board has no clock that keeps time: its day begins as it starts.
    fn uptime(&self) -> String {
        let up = self.linux.uptime().as_secs();
        let (hours, minutes, seconds) = (up / 3_600, up / 60 % 60, up % 60);
        let time =
            if hours > 0 { format!("{hours:2}:{minutes:02}") } else { format!("{minutes} min") };
        format!(
            " {:02}:{minutes:02}:{seconds:02} up {time},  1 users,  load average: 0.08, 0.03, 0.01\n",
            hours % 24
        )
    }

    fn free(&mut self) -> String {
        let total = self.linux.model.userland.memory_kib;
        let used = total / 14 + self.linux.hardware.random.within(0..2_000);
        let cache = total / 22;
        let (free, available) = (total - used - cache, total - used - 4_096);
        format!(
            "              total        used        free      shared  buff/cache   available\n\
             Mem:    {total:11} {used:11} {free:11} {:11} {cache:11} {available:11}\n\
             Swap:   {:11} {:11} {:11}\n",
            76, 0, 0, 0
        )
    }

    fn list(&self, path: Option<&&str>) -> Result<String, Failure> {
        let path = path.map_or("/root", |path| *path);
        Ok(match path.trim_end_matches('/') {
            "" => "bin      etc      lib      mnt      root     sbin     tmp      var\nboot     home     media    proc     run      sys      usr\n".to_owned(),
            "/root" | "." | "~" => String::new(),
            "/boot" => "config  initrd.img  vmlinuz\n".to_owned(),
            "/dev" => format!("console  kmsg  mem  null  random  {}  urandom  watchdog  zero\n", self.linux.model.userland.tty),
            "/etc" => "fstab  group  hostname  hosts  inittab  os-release  passwd  shadow\n".to_owned(),
            "/proc" => "cmdline  cpuinfo  meminfo  sysrq-trigger  uptime  version\n".to_owned(),
            "/tmp" | "/home" | "/mnt" | "/media" => String::new(),
            other if self.file(other).is_ok() => format!("{other}\n"),
            _ => return Err(Failure(1, format!("ls: {path}: No such file or directory\n"))),
        })
    }

    fn file(&self, path: &str) -> Result<String, Failure> {
        let userland = &self.linux.model.userland;
        Ok(match path {
            "/etc/os-release" => userland.distribution.to_owned(),
            "/etc/hostname" => format!("{}\n", userland.hostname),
            "/etc/hosts" => "127.0.0.1\tlocalhost\n".to_owned(),
            "/etc/passwd" => "root:x:0:0:root:/root:/bin/sh\n".to_owned(),
            "/proc/cmdline" => format!("{}\n", userland.arguments),
            "/proc/cpuinfo" => userland.cpus.to_owned(),
            "/proc/meminfo" => format!("MemTotal:       {:8} kB\n", userland.memory_kib),
            "/proc/uptime" => format!("{:.2} {0:.2}\n", self.linux.uptime().as_secs_f64()),
            "/proc/version" => {
                format!("Linux version {} (lab@sim) {}\n", userland.release, userland.build)
            }
            "/sys/class/net/eth0/address" => format!("{}\n", self.linux.hardware.mac),
            _ => {
                return Err(Failure(
                    1,
                    format!("cat: can't open '{path}': No such file or directory\n"),
                ));
            }
        })
    }
}

/// Exit status, and what is printed.
struct Failure(u8, String);

/// Splits a line into commands (`;`, `&&`) of words. Quotes hold words together; `>` is a word.
fn commands(line: &str) -> Vec<Vec<String>> {
    let (mut all, mut words, mut word) = (Vec::new(), Vec::new(), None::<String>);
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => word.get_or_insert_default().push(c),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ' | ';' | '&' | '>') => {
                words.extend(word.take());
                match c {
                    '>' => words.push(c.to_string()),
                    ';' | '&' => all.push(std::mem::take(&mut words)),
                    _ => {}
                }
            }
            (None, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    all.push(words);
    all.retain(|words| !words.is_empty());
    all
}

const GOODBYE: &str = "\
+100 Stopping sshd: OK
+60 Stopping network: OK
+80 Stopping syslogd: OK
+40 The system is going down NOW!
Sent SIGTERM to all processes
+200 Sent SIGKILL to all processes
+100 ";

const HELP: &str = "\
cat cd clear dmesg echo exit false free halt help hostname id ls poweroff ps pwd reboot sleep sync
true tty uname uptime whoami yes
";

const PROCESSES: &str = "\
  PID USER       VSZ STAT COMMAND
    1 root      2316 S    init
    2 root         0 SW   [kthreadd]
    3 root         0 SW   [pool_workqueue_release]
    4 root         0 IW<  [kworker/R-rcu_g]
   11 root         0 IW   [kworker/u16:0-ev]
   14 root         0 SW   [ksoftirqd/0]
   15 root         0 IW   [rcu_preempt]
   16 root         0 SW   [migration/0]
   41 root         0 SW   [kdevtmpfs]
   58 root         0 SW   [oom_reaper]
   60 root         0 SW   [kcompactd0]
   97 root         0 SW   [watchdogd]
  131 root         0 SW   [mmc_complete]
  148 root         0 SW   [jbd2/root-8]
  176 root      2316 S    /sbin/syslogd -n
  180 root      2316 S    /sbin/klogd -n
  231 root      6540 S    sshd: /usr/sbin/sshd [listener]
  247 root      2448 S    -sh ({tty})
  262 root      2316 R    ps
";

#[cfg(test)]
mod tests {
    use super::commands;

    #[test]
    fn a_line_is_split_as_a_shell_would() {
        let split = |line| commands(line).iter().map(|words| words.join("|")).collect::<Vec<_>>();
        assert_eq!(split("echo c > /proc/sysrq-trigger"), ["echo|c|>|/proc/sysrq-trigger"]);
        assert_eq!(split("echo 'a; b'  c;echo \"\"&& ls"), ["echo|a; b|c", "echo|", "ls"]);
        assert_eq!(split(" ; "), Vec::<String>::new());
    }
}
