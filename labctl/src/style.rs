//! Colours: when to use them, and which word stands out how.

use std::fmt;
use std::io::IsTerminal;

/// When to use colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Colour {
    /// On a terminal, unless NO_COLOR is set or TERM is dumb.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Colour {
    /// NO_COLOR and TERM=dumb speak against colours, CLICOLOR_FORCE for them; else a terminal decides.
    pub fn suits(self, stream: &impl IsTerminal) -> bool {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        match self {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto if set("NO_COLOR") => false,
            Colour::Auto
                if std::env::var_os("CLICOLOR_FORCE").is_some_and(|value| value != "0") =>
            {
                true
            }
            Colour::Auto => {
                stream.is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
            }
        }
    }
}

/// How a word stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// As it is.
    Plain,
    /// Good: free, on, open.
    Good,
    /// Worth a look: held, waiting.
    Busy,
    /// Wrong.
    Bad,
    /// Less important.
    Faint,
    /// The head of a table.
    Head,
}

/// A word that stands out, if colours are used.
pub fn paint(colour: bool, word: impl fmt::Display, style: Style) -> String {
    let code = match style {
        Style::Plain => return word.to_string(),
        Style::Good => "32",
        Style::Busy => "33",
        Style::Bad => "31",
        Style::Faint => "2",
        Style::Head => "1",
    };
    if colour { format!("\x1b[{code}m{word}\x1b[0m") } else { word.to_string() }
}
