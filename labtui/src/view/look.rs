//! What the reader's terminal can show: colours or none, all signs or ASCII only.
//!
//! Everything is drawn as if it could show all, and then made to fit, so that no pane has to care.

use ratatui::buffer::Buffer;
use ratatui::style::Color;

/// What the reader's terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Its colours.
    pub colours: Colours,
    /// Its signs.
    pub signs: Signs,
}

/// Which colours there are. No state is ever told by colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colours {
    /// All.
    All,
    /// None, since somebody asked for none or the terminal has none.
    None,
}

/// Which signs there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signs {
    /// All.
    Unicode,
    /// ASCII only.
    Ascii,
}

impl Look {
    /// What the environment says. `get` reads a variable.
    pub fn of(get: impl Fn(&str) -> Option<String>) -> Look {
        let set = |name: &str| get(name).filter(|value| !value.is_empty());
        let term = set("TERM").unwrap_or_default();
        let old = term.starts_with("vt1") || term.starts_with("vt2");
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
        let locale = locale.unwrap_or_default().to_lowercase().replace('-', "");
        Look {
            colours: if old || set("NO_COLOR").is_some() { Colours::None } else { Colours::All },
            signs: if !old && locale.contains("utf8") { Signs::Unicode } else { Signs::Ascii },
        }
    }

    /// Makes what is drawn fit.
    pub fn apply(self, buffer: &mut Buffer) {
        if self == (Look { colours: Colours::All, signs: Signs::Unicode }) {
            return;
        }
        for cell in &mut buffer.content {
            if self.colours == Colours::None {
                cell.set_fg(Color::Reset).set_bg(Color::Reset);
            }
            if self.signs == Signs::Ascii && !cell.symbol().is_ascii() {
                let sign = cell.symbol().chars().next().map_or(' ', ascii);
                cell.set_char(sign);
            }
        }
    }
}

fn ascii(sign: char) -> char {
    match sign {
        '─' | '━' | '═' | '–' | '—' => '-',
        '│' | '┃' | '║' => '|',
        '┌' | '┐' | '└' | '┘' | '├' | '┤' | '┬' | '┴' | '┼' => '+',
        '╭' | '╮' | '╰' | '╯' | '╔' | '╗' | '╚' | '╝' => '+',
        '●' => '*',
        '○' => 'o',
        '◐' | '…' => '~',
        '▸' => '>',
        '·' => '.',
        '↑' => '^',
        '↓' => 'v',
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(environment: &[(&str, &str)]) -> Look {
        let find = |name: &str| environment.iter().find(|(key, _)| *key == name);
        Look::of(|name| find(name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_environment_says_what_can_be_shown() {
        let (all, utf8) = (Colours::All, Signs::Unicode);
        let xterm = ("TERM", "xterm-256color");
        let expect = |environment: &[(&str, &str)], colours, signs| {
            assert_eq!(look(environment), Look { colours, signs }, "{environment:?}");
        };
        expect(&[xterm, ("LANG", "en_GB.UTF-8")], all, utf8);
        expect(&[xterm, ("LANG", "C.utf8"), ("NO_COLOR", "")], all, utf8);
        expect(&[xterm, ("LANG", "C.utf8"), ("NO_COLOR", "1")], Colours::None, utf8);
        expect(&[xterm, ("LC_ALL", "C"), ("LANG", "C.utf8")], all, Signs::Ascii);
        expect(&[xterm], all, Signs::Ascii);
        expect(&[("TERM", "vt100"), ("LANG", "C.utf8")], Colours::None, Signs::Ascii);
    }
}
