//! What labtui says of itself, without a screen.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Mutex;

use anyhow::Context as _;
use protocol::address::Address;
use tracing::level_filters::LevelFilter;

use crate::files::Files;
use crate::keys::Group;
use crate::palette::COMMANDS;
use crate::settings::Settings;
use crate::view::Look;

/// Prints a text, whole.
pub(crate) fn print(text: &str) -> anyhow::Result<ExitCode> {
    io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Writes down from now on what labtui does.
///
/// # Errors
/// Why there is nothing to write on.
pub(crate) fn log(level: LevelFilter, files: Option<&Files>) -> anyhow::Result<()> {
    let files = files.context("there is no log here: you have no files of your own")?;
    let file = files.open_log().with_context(|| files.log.display().to_string())?;
    let log = tracing_subscriber::fmt().with_max_level(level).with_ansi(false);
    log.with_writer(Mutex::new(file)).init();
    Ok(())
}

/// Where labtui keeps its files, and what it makes of this terminal.
pub(crate) fn info(files: Option<&Files>, lab: &Address) -> String {
    let look = Look::of(|name| std::env::var(name).ok());
    let mut lines = vec![
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("lab", lab.to_string()),
        ("colours", format!("{:?}", look.colours).to_lowercase()),
        ("signs", format!("{:?}", look.signs).to_lowercase()),
    ];
    match files {
        None => lines.push(("files", "none: a visitor has none here".to_owned())),
        Some(files) => {
            let all =
                [("settings", &files.settings), ("history", &files.history), ("log", &files.log)];
            lines.extend(all.map(|(name, path)| (name, there(path))));
        }
    }
    lines.into_iter().map(|(name, text)| format!("{name:<10} {text}\n")).collect()
}

fn there(path: &std::path::Path) -> String {
    let not = if path.exists() { "" } else { " (not there)" };
    format!("{}{not}", path.display())
}

/// Every key and every command, as Markdown.
pub fn keys(settings: &Settings) -> String {
    let mut text = String::new();
    for group in Group::ALL {
        let _ = writeln!(
            text,
            "## {}\n\n| keys | `[keys.{}]` | |\n| --- | --- | --- |",
            group.title(),
            group.name()
        );
        for binding in settings.keys.group(group) {
            let keys: Vec<String> =
                binding.keys.iter().map(|key| format!("`{}`", escaped(&key.to_string()))).collect();
            let _ = writeln!(text, "| {} | {} | {} |", keys.join(" "), binding.name, binding.help);
        }
        text.push('\n');
    }
    text.push_str("## Commands\n\nThe name of every action is a command, too.\n\n| command | |\n| --- | --- |\n");
    for command in COMMANDS {
        let about: String = command.about.iter().map(|word| format!(" {}", word.title())).collect();
        let _ = writeln!(text, "| `:{}{}` | {} |", command.name, escaped(&about), command.help);
    }
    text
}

/// A bar would end the cell of a table.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}
