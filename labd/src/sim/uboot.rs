//! The boot loader of simulated embedded boards: countdown, prompt, commands.

use std::collections::BTreeMap;
use std::time::Duration;

use super::board::{End, Hardware};
use super::editor::{Edit, Editor};
use super::model::UBoot;

/// The variables.
pub(super) type Environment = BTreeMap<String, String>;

const PROMPT: &str = "=> ";

/// Where the prompt leads.
enum Next {
    Prompt,
    Kernel,
}

/// Runs up to the kernel's start. `flash` holds what `saveenv` saved.
///
/// # Errors
/// [`End::Reset`] if `reset` is typed.
pub(super) async fn run(
    hardware: &mut Hardware,
    texts: &UBoot,
    flash: &mut Option<Environment>,
) -> Result<(), End> {
    hardware.play(texts.start).await;
    let defaults = || texts.environment.iter().map(|(k, v)| (k.to_string(), v.to_string()));
    let environment = flash.clone().unwrap_or_else(|| defaults().collect());
    let stopped = countdown(hardware, &environment).await;
    if stopped {
        Loader { hardware, texts, environment, flash }.prompt().await?;
    }
    hardware.play(texts.load).await;
    Ok(())
}

/// Counts down from `bootdelay` seconds. Returns whether a key stopped it.
async fn countdown(hardware: &mut Hardware, environment: &Environment) -> bool {
    let delay = environment.get("bootdelay").and_then(|delay| delay.parse::<i32>().ok());
    let delay = delay.unwrap_or(0).min(99);
    if delay < 0 {
        // U-Boot's own rule: a negative delay means straight to the prompt.
        return true;
    }
    hardware.print(&format!("Hit any key to stop autoboot: {delay:2} ")).await;
    for left in (0..delay).rev() {
        let second = hardware.now() + Duration::from_secs(1);
        let stopped = hardware.key_until(second).await.is_some();
        hardware.print(&format!("\x08\x08\x08{:2} ", if stopped { 0 } else { left })).await;
        if stopped {
            hardware.print("\n").await;
            return true;
        }
    }
    hardware.print("\n").await;
    false
}

struct Loader<'a> {
    hardware: &'a mut Hardware,
    texts: &'a UBoot,
    environment: Environment,
    flash: &'a mut Option<Environment>,
}

impl Loader<'_> {
    async fn prompt(&mut self) -> Result<(), End> {
        loop {
            self.hardware.print(PROMPT).await;
            let line = self.line().await;
            if let Next::Kernel = self.command(&line).await? {
                return Ok(());
            }
        }
    }

    async fn line(&mut self) -> String {
        let mut editor = Editor::default();
        loop {
            match editor.key(self.hardware.key().await) {
                Edit::Going(echo) => self.hardware.print(&echo).await,
                Edit::Entered(line) => {
                    self.hardware.print("\n").await;
                    return line;
                }
                Edit::Interrupted => {
                    self.hardware.print(&format!("<INTERRUPT>\n{PROMPT}")).await;
                    editor = Editor::default();
                }
                Edit::Closed => {}
            }
        }
    }

    async fn command(&mut self, line: &str) -> Result<Next, End> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = match words.as_slice() {
            [] => String::new(),
            ["boot" | "bootd"] | ["run", "bootcmd"] | ["bootflow", ..] => return Ok(Next::Kernel),
            ["reset"] => {
                self.hardware.play("resetting ...\n+50 ").await;
                return Err(End::Reset);
            }
            ["help" | "?"] => HELP.to_owned(),
            ["version"] => self.texts.version.to_owned(),
            ["bdinfo"] => self.hardware.fill(self.texts.info),
            ["echo", words @ ..] => words.join(" ") + "\n",
            ["printenv"] => self.all(),
            ["printenv", names @ ..] => names.iter().map(|name| self.one(name)).collect(),
            ["setenv", name, value @ ..] => self.assign(name, &value.join(" ")),
            ["saveenv"] => {
                *self.flash = Some(self.environment.clone());
                "Saving Environment to MMC... Writing to MMC(0)... OK\n".to_owned()
            }
            ["mmc", "list"] => "mmc@fe2b0000: 1 (SD)\nmmc@fe310000: 0 (eMMC)\n".to_owned(),
            ["dhcp"] => {
                self.hardware
                    .play("BOOTP broadcast 1\n+250 BOOTP broadcast 2\n+500 BOOTP broadcast 3")
                    .await;
                "\nRetry time exceeded; starting again\n".to_owned()
            }
            [unknown, ..] => format!("Unknown command '{unknown}' - try 'help'\n"),
        };
        self.hardware.print(&answer).await;
        Ok(Next::Prompt)
    }

    fn all(&self) -> String {
        let lines: String = self.environment.iter().map(|(k, v)| format!("{k}={v}\n")).collect();
        format!("{lines}\nEnvironment size: {}/32764 bytes\n", lines.len())
    }

    fn one(&self, name: &str) -> String {
        match self.environment.get(name) {
            Some(value) => format!("{name}={value}\n"),
            None => format!("## Error: \"{name}\" not defined\n"),
        }
    }

    /// Setting a variable to nothing removes it. Says nothing, as all goes well.
    fn assign(&mut self, name: &str, value: &str) -> String {
        if value.is_empty() {
            self.environment.remove(name);
        } else {
            self.environment.insert(name.to_owned(), value.to_owned());
        }
        String::new()
    }
}

const HELP: &str = "\
?         - alias for 'help'
bdinfo    - print Board Info structure
boot      - boot default, i.e., run 'bootcmd'
bootd     - boot default, i.e., run 'bootcmd'
bootflow  - Boot flows
dhcp      - boot image via network using DHCP/TFTP protocol
echo      - echo args to console
help      - print command description/usage
mmc       - MMC sub system
printenv  - print environment variables
reset     - Perform RESET of the CPU
run       - run commands in an environment variable
saveenv   - save environment variables to persistent storage
setenv    - set environment variables
version   - print monitor, compiler and linker version
";
