//! What the reader's terminal can show: colours or none, all signs or ASCII only.
//!
//! Everything is drawn as if it could show all, and then made to fit, so that no pane has to care.

use ratatui::buffer::Buffer;

use super::ladder;

/// What the reader's terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Its colours.
    pub colours: Colours,
    /// Its signs.
    pub signs: Signs,
}

/// Which colours there are. No state is ever told by colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Colours {
    /// None, since somebody asked for none or the terminal has none.
    None,
    /// Sixteen, chosen by the terminal's owner.
    Sixteen,
    /// Those and a cube of 240 more.
    Indexed,
    /// All.
    All,
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
        let forced = set("CLICOLOR_FORCE").is_some_and(|value| value != "0");
        let depth = set("COLORTERM").unwrap_or_default();
        let colours = match () {
            () if set("NO_COLOR").is_some() || (old && !forced) => Colours::None,
            () if depth == "truecolor" || depth == "24bit" || term.ends_with("-direct") => {
                Colours::All
            }
            () if term.contains("256color") => Colours::Indexed,
            () => Colours::Sixteen,
        };
        let signs = if !old && locale.contains("utf8") { Signs::Unicode } else { Signs::Ascii };
        Look { colours, signs }
    }

    /// Makes what is drawn fit.
    pub fn apply(self, buffer: &mut Buffer) {
        if self == (Look { colours: Colours::All, signs: Signs::Unicode }) {
            return;
        }
        for cell in &mut buffer.content {
            cell.fg = ladder::fitted(cell.fg, self.colours);
            cell.bg = ladder::fitted(cell.bg, self.colours);
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
        '┏' | '┓' | '┗' | '┛' => '#',
        '╭' | '╮' | '╰' | '╯' | '╔' | '╗' | '╚' | '╝' => '+',
        '●' => '*',
        '█' => '#',
        '▒' => '=',
        '░' => '.',
        '◆' => '*',
        '◇' => 'o',
        '▼' => 'v',
        '○' => 'o',
        '◐' | '…' => '~',
        '▸' => '>',
        '·' => '.',
        '↑' => '^',
        '↓' => 'v',
        '✓' => '+',
        '✗' => 'x',
        '≠' => '!',
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
        let (indexed, utf8) = (Colours::Indexed, Signs::Unicode);
        let expect = |environment: &[(&str, &str)], colours, signs| {
            assert_eq!(look(environment), Look { colours, signs }, "{environment:?}");
        };
        let (xterm, english) = (("TERM", "xterm-256color"), ("LANG", "en_GB.UTF-8"));
        expect(&[xterm, english], indexed, utf8);
        expect(&[xterm, english, ("COLORTERM", "truecolor")], Colours::All, utf8);
        expect(&[("TERM", "xterm"), english], Colours::Sixteen, utf8);
        expect(&[("TERM", "linux"), english], Colours::Sixteen, utf8);
        expect(&[xterm, ("LANG", "C.utf8"), ("NO_COLOR", "")], indexed, utf8);
        expect(&[xterm, ("LANG", "C.utf8"), ("NO_COLOR", "1")], Colours::None, utf8);
        let both = ("CLICOLOR_FORCE", "1");
        expect(&[xterm, english, ("NO_COLOR", "1"), both], Colours::None, utf8);
        expect(&[xterm, ("LC_ALL", "C"), ("LANG", "C.utf8")], indexed, Signs::Ascii);
        expect(&[xterm], indexed, Signs::Ascii);
        expect(&[("TERM", "vt100"), ("LANG", "C.utf8")], Colours::None, Signs::Ascii);
        expect(&[("TERM", "vt220"), both], Colours::Sixteen, Signs::Ascii);
    }
}
