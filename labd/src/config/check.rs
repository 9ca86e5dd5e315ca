//! `labd check FILE`: every fault and every warning, with its line and a mark under it.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use protocol::text::is_plain;

use super::Config;
use super::fault::{Fault, Line, Weight};
use super::ucl::{self, Place};

/// No more of a line is shown, in characters.
const WIDEST: usize = 100;

/// Prints every fault and warning of a configuration, and how many there are. Returns whether there is
/// no fault.
///
/// # Errors
/// If `out` cannot be written to.
pub fn check(path: &Path, out: &mut impl Write) -> io::Result<bool> {
    let (config, found) = Config::examine(|faults| ucl::load(path, faults));
    let mut sources = Sources::hiding(&found);
    for fault in &found {
        writeln!(out, "{fault}")?;
        if let Some(line) = sources.line(&fault.at) {
            show(out, &fault.at, &line)?;
        }
    }
    let warnings = found.iter().filter(|fault| fault.weight == Weight::Warning).count();
    let mut sum = match &config {
        Some(Config { boards, classes, .. }) => {
            let boards = counted(boards.len(), "board", "boards");
            format!("{boards} in {}, no faults", counted(classes.len(), "class", "classes"))
        }
        None => counted(found.len() - warnings, "fault", "faults"),
    };
    if warnings > 0 {
        sum += &format!(", {}", counted(warnings, "warning", "warnings"));
    }
    writeln!(out, "{}: {sum}", path.display())?;
    Ok(config.is_some())
}

fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// Writes a line, and a mark under the column. Of a long line, what is around it.
fn show(out: &mut impl Write, at: &Place, line: &str) -> io::Result<()> {
    let column = at.column.saturating_sub(1) as usize;
    let from = if line.chars().count() <= WIDEST { 0 } else { column.saturating_sub(WIDEST / 2) };
    let text: String = line.chars().skip(from).take(WIDEST).map(plain).collect();
    let number = at.line.to_string();
    writeln!(out, "{number:>5} | {text}")?;
    writeln!(out, "      | {:1$}^", "", column - from)
}

/// A character that does nothing to a terminal, and is one column wide if the original was.
fn plain(c: char) -> char {
    match c {
        '\t' => ' ',
        c if is_plain(c) => c,
        _ => '·',
    }
}

/// The lines of the files in which there are faults.
struct Sources {
    files: HashMap<PathBuf, Vec<String>>,
    hidden: HashSet<(PathBuf, u32)>,
}

impl Sources {
    /// A secret stays hidden if another fault is on its line, too.
    fn hiding(faults: &[Fault]) -> Sources {
        let hidden = faults.iter().filter(|fault| fault.line == Line::Hidden);
        let hidden = hidden.map(|fault| (fault.at.file.to_path_buf(), fault.at.line)).collect();
        Sources { files: HashMap::new(), hidden }
    }

    fn line(&mut self, at: &Place) -> Option<String> {
        let file = at.file.to_path_buf();
        if self.hidden.contains(&(file.clone(), at.line)) {
            return None;
        }
        let lines = self.files.entry(file).or_insert_with_key(|file| lines(file));
        lines.get(at.line as usize - 1).cloned()
    }
}

fn lines(file: &Path) -> Vec<String> {
    // What is no file, and is complained of for that, might never end.
    let bytes = if file.is_file() { fs::read(file).unwrap_or_default() } else { Vec::new() };
    String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
}
