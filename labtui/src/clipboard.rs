//! Putting a text where other programs paste it from: by the desktop's own program where labtui runs
//! on one, else by asking the terminal (OSC 52), which works over ssh, too.
//!
//! Only what somebody chose is put there. A board cannot ask for it.

use std::io::{self, Write};
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The longest text that every terminal takes, encoded: what hterm and others cut off at.
pub const MOST: usize = 74_994;

/// Who puts a text there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// A program of the desktop's, with its arguments.
    Program(&'static [&'static str]),
    /// The terminal.
    Terminal,
}

/// Why a text was not copied.
#[derive(Debug, thiserror::Error)]
pub enum Uncopied {
    /// The terminal would cut it off.
    #[error(
        "{0} bytes are more than a terminal copies; labctl console --since prints them to a file"
    )]
    TooLong(usize),
    /// The system's.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The ways there are, best first. `get` reads a variable of the environment.
pub fn ways(get: impl Fn(&str) -> Option<String>) -> Vec<Way> {
    let set = |name: &str| get(name).is_some_and(|value| !value.is_empty());
    let mut ways = Vec::new();
    if !set("SSH_CONNECTION") && !set(protocol::address::VISITOR) {
        ways.extend(set("WAYLAND_DISPLAY").then_some(Way::Program(&["wl-copy"])));
        let xclip = Way::Program(&["xclip", "-selection", "clipboard"]);
        ways.extend(set("DISPLAY").then_some(xclip));
        ways.extend(cfg!(target_os = "macos").then_some(Way::Program(&["pbcopy"])));
    }
    ways.push(Way::Terminal);
    ways
}

/// What asks the terminal.
///
/// # Errors
/// [`Uncopied::TooLong`].
pub fn sequence(text: &str) -> Result<String, Uncopied> {
    let encoded = STANDARD.encode(text);
    if encoded.len() > MOST {
        return Err(Uncopied::TooLong(text.len()));
    }
    Ok(format!("\x1b]52;c;{encoded}\x07"))
}

/// Puts a text there, in the first way that works.
///
/// # Errors
/// Why the last one did not.
pub fn copy(text: &str, ways: &[Way], terminal: &mut impl Write) -> Result<(), Uncopied> {
    for way in ways {
        match way {
            Way::Program(program) if feed(program, text).is_ok() => return Ok(()),
            Way::Program(_) => {}
            Way::Terminal => {
                terminal.write_all(sequence(text)?.as_bytes())?;
                return Ok(terminal.flush()?);
            }
        }
    }
    Ok(())
}

fn feed(program: &[&str], text: &str) -> io::Result<()> {
    let (name, arguments) = program.split_first().ok_or(io::ErrorKind::NotFound)?;
    let mut command = Command::new(name);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(text.as_bytes())?;
    }
    match child.wait()?.success() {
        true => Ok(()),
        false => Err(io::Error::other("it failed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_desktop_comes_first_and_the_terminal_where_there_is_none() {
        let get =
            |set: &'static [&str]| move |name: &str| set.contains(&name).then(|| "1".to_owned());
        assert_eq!(ways(get(&[])), [Way::Terminal]);
        assert_eq!(ways(get(&["DISPLAY", "SSH_CONNECTION"])), [Way::Terminal]);
        assert_eq!(ways(get(&["WAYLAND_DISPLAY"])), [Way::Program(&["wl-copy"]), Way::Terminal]);
    }

    #[test]
    fn a_program_that_is_missing_or_fails_leaves_it_to_the_terminal() {
        for program in [&["/nonexistent/program"][..], &["false"]] {
            let mut terminal = Vec::new();
            let program: &'static [&'static str] = Box::leak(program.to_vec().into_boxed_slice());
            copy("rpi4-1", &[Way::Program(program), Way::Terminal], &mut terminal).unwrap();
            assert_eq!(terminal, b"\x1b]52;c;cnBpNC0x\x07");
        }
        let mut terminal = Vec::new();
        copy("rpi4-1", &[Way::Program(&["cat"]), Way::Terminal], &mut terminal).unwrap();
        assert!(terminal.is_empty());
    }

    #[test]
    fn what_the_terminal_would_cut_off_is_refused() {
        assert!(sequence(&"x".repeat(MOST / 4 * 3)).is_ok());
        assert!(matches!(sequence(&"x".repeat(MOST)), Err(Uncopied::TooLong(MOST))));
    }
}
