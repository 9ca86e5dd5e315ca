//! The firmware and the boot loader of simulated servers: UEFI, then GRUB with its menu.

use std::time::Duration;

use super::board::{End, Hardware};
use super::editor::{Edit, Editor};

/// How long the menu waits, in seconds.
const TIMEOUT: u64 = 3;
const ENTER: u8 = b'\r';

/// Runs up to the kernel's start.
///
/// # Errors
/// [`End::Reset`] or [`End::Halt`] if GRUB is told so.
pub(super) async fn run(hardware: &mut Hardware, firmware: &str) -> Result<(), End> {
    hardware.play(firmware).await;
    let mut chosen = menu(hardware).await;
    while let Choice::CommandLine = chosen {
        chosen = command_line(hardware).await?;
    }
    hardware.play("\x1b[2J\x1b[H\nLoading Linux 6.12.9-lab-amd64 ...\n+60 Loading initial ramdisk ...\n+90 ").await;
    Ok(())
}

/// What was chosen in the menu.
#[derive(Clone, Copy)]
enum Choice {
    Linux,
    CommandLine,
}

async fn menu(hardware: &mut Hardware) -> Choice {
    hardware.print(MENU).await;
    for left in (1..=TIMEOUT).rev() {
        let line = format!(
            "\r   The highlighted entry will be executed automatically in {left}s.          "
        );
        hardware.print(&line).await;
        let second = hardware.now() + Duration::from_secs(1);
        if let Some(key) = hardware.key_until(second).await {
            hardware.print("\r\x1b[K").await;
            return choose(hardware, key).await;
        }
    }
    Choice::Linux
}

/// The countdown is over once a key was hit; now somebody must choose.
async fn choose(hardware: &mut Hardware, mut key: u8) -> Choice {
    loop {
        match key {
            ENTER | b'\n' => return Choice::Linux,
            b'c' => return Choice::CommandLine,
            _ => key = hardware.key().await,
        }
    }
}

async fn command_line(hardware: &mut Hardware) -> Result<Choice, End> {
    hardware.print("\x1b[2J\x1b[H   GNU GRUB  version 2.14-lab\n\n   Minimal BASH-like line editing is supported.\n\ngrub> ").await;
    let mut editor = Editor::default();
    loop {
        match editor.key(hardware.key().await) {
            Edit::Going(echo) => hardware.print(&echo).await,
            Edit::Interrupted | Edit::Closed => editor = Editor::default(),
            Edit::Entered(line) => {
                let answer = match line.trim() {
                    "" => String::new(),
                    "boot" | "normal" => return Ok(Choice::Linux),
                    "exit" | "normal_exit" => return Ok(menu(hardware).await),
                    "reboot" => return Err(End::Reset),
                    "halt" => return Err(End::Halt),
                    "ls" => "(proc) (hd0) (hd0,gpt3) (hd0,gpt2) (hd0,gpt1)\n".to_owned(),
                    "help" => "boot exit halt help ls reboot\n".to_owned(),
                    other => format!("error: can't find command `{}'.\n", first(other)),
                };
                hardware.print(&format!("\n{answer}grub> ")).await;
            }
        }
    }
}

fn first(line: &str) -> &str {
    line.split_whitespace().next().unwrap_or_default()
}

const MENU: &str = "\x1b[2J\x1b[H
                             GNU GRUB  version 2.14-lab

 +----------------------------------------------------------------------------+
 |\x1b[7m*Lab Server Linux 7                                                         \x1b[0m|
 | Advanced options for Lab Server Linux 7                                    |
 | UEFI Firmware Settings                                                     |
 |                                                                            |
 +----------------------------------------------------------------------------+

      Use the ^ and v keys to select which entry is highlighted.
      Press enter to boot the selected OS or `c' for a command-line.

";
