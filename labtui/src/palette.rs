//! The command line: what can be typed after `:`, and how it is completed.
//!
//! A command is an action of the key map by its name, or one of [`COMMANDS`] with what it is about.

use protocol::board::Board;
use protocol::power::PowerAsk;

use crate::fuzzy;
use crate::keys::{Action, Group};
use crate::model::Model;
use crate::theme;

/// How many commands are remembered.
pub const REMEMBERED: usize = 200;

/// How many ways to complete a command are offered at once.
pub const OFFERED: usize = 8;

/// A command that is being typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Palette {
    /// What stands there.
    pub text: String,
    /// What was typed by hand, and which way to complete it stands there instead.
    pub offered: Option<(String, usize)>,
    /// Which of those remembered stands there, counted back from the newest.
    pub recalled: Option<usize>,
}

/// A command that says what it is about.
pub struct Command {
    /// Its name.
    pub name: &'static str,
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// What it is about, word by word.
    pub about: &'static [About],
    /// What it does, for help.
    pub help: &'static str,
}

/// What a word of a command is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// A board.
    Board,
    /// Boards, to the end of the line.
    Boards,
    /// A filter, to the end of the line.
    Filter,
    /// What to do to an outlet.
    Power,
    /// A time, such as 2h.
    Span,
    /// A look.
    Theme,
    /// A lab that one has logged in to.
    Lab,
    /// What to look for, to the end of the line.
    Pattern,
    /// What to look for in the audit, to the end of the line.
    Audit,
}

/// What can be done to an outlet.
pub const POWER: [(&str, PowerAsk); 4] = [
    ("on", PowerAsk::On),
    ("off", PowerAsk::Off),
    ("cycle", PowerAsk::Cycle),
    ("reset", PowerAsk::Reset),
];

/// Every command that says what it is about.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "boards",
        aliases: &["board-table", "b"],
        about: &[About::Filter],
        help: "show the boards that a filter finds: boards tag=poe",
    },
    Command {
        name: "board",
        aliases: &["details"],
        about: &[About::Board],
        help: "show a board's details",
    },
    Command {
        name: "console",
        aliases: &["attach"],
        about: &[About::Board],
        help: "attach to a console",
    },
    Command {
        name: "consoles",
        aliases: &["split"],
        about: &[About::Boards],
        help: "show consoles side by side",
    },
    Command {
        name: "power",
        aliases: &[],
        about: &[About::Board, About::Power],
        help: "switch a board: on, off, cycle or reset",
    },
    Command {
        name: "reserve",
        aliases: &[],
        about: &[About::Board, About::Span],
        help: "reserve a board, for as long as is usual if nothing is said",
    },
    Command { name: "release", aliases: &[], about: &[About::Board], help: "release a board" },
    Command {
        name: "extend",
        aliases: &[],
        about: &[About::Board, About::Span],
        help: "hold a board for this long from now",
    },
    Command { name: "users", aliases: &[], about: &[], help: "show who has an account" },
    Command { name: "tokens", aliases: &[], about: &[], help: "show what people come in with" },
    Command {
        name: "audit",
        aliases: &[],
        about: &[About::Audit],
        help: "show who did what, and what was not allowed",
    },
    Command {
        name: "search",
        aliases: &["grep"],
        about: &[About::Pattern],
        help: "search what all consoles printed: text, or -e regex",
    },
    Command { name: "boots", aliases: &[], about: &[About::Board], help: "list a board's boots" },
    Command {
        name: "theme",
        aliases: &[],
        about: &[About::Theme],
        help: "look like this until labtui ends",
    },
    Command {
        name: "labs",
        aliases: &["lab", "ctx"],
        about: &[About::Lab],
        help: "go to another lab",
    },
];

/// The groups whose actions are commands, too.
const GROUPS: [Group; 4] = [Group::Boards, Group::Table, Group::Views, Group::Everywhere];

/// The command of that name.
pub fn command(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name || command.aliases.contains(&name))
}

/// The action of that name.
pub fn action(model: &Model, name: &str) -> Option<Action> {
    let mut named = model.settings.keys.all().filter(|it| GROUPS.contains(&it.group));
    named.find(|binding| binding.name == name).map(|binding| binding.action)
}

/// The names of all commands.
pub fn names(model: &Model) -> Vec<String> {
    let actions = model.settings.keys.all().filter(|it| GROUPS.contains(&it.group));
    let withheld = |name: &str| {
        let changes = ["power", "reserve", "release", "extend"].contains(&name);
        changes && model.settings.read_only
    };
    let own = COMMANDS.iter().map(|command| command.name).filter(|name| !withheld(name));
    let mut names: Vec<String> = own.chain(actions.map(|it| it.name)).map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

/// What a filter that is typed after `boards` is for the table: `tag=poe` is `-l tag=poe`.
pub fn filter(words: &[&str]) -> String {
    let word = |word: &&str| match word.contains('=') && !word.starts_with('-') {
        true => format!("-l {word}"),
        false => (*word).to_owned(),
    };
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// The ways to complete what is typed, best first, each as the whole line.
pub fn offers(model: &Model, text: &str) -> Vec<String> {
    let (before, last) = text.rsplit_once(' ').unwrap_or(("", text));
    let words: Vec<&str> = before.split_whitespace().collect();
    let candidates = match words.split_first() {
        None => names(model),
        Some((name, rest)) => match command(name).and_then(|it| it.word(rest.len())) {
            Some(about) => about.candidates(model),
            None => Vec::new(),
        },
    };
    let whole = |word: String| format!("{before}{}{word}", if words.is_empty() { "" } else { " " });
    let fitting = fuzzy::ranked(last, candidates).into_iter().map(whole);
    fitting.filter(|line| line != text).collect()
}

impl Command {
    /// What the word at a place is.
    fn word(&self, place: usize) -> Option<About> {
        let endless = self.about.last().filter(|last| matches!(last, About::Boards | About::Audit));
        self.about.get(place).or(endless).copied()
    }
}

impl About {
    fn candidates(self, model: &Model) -> Vec<String> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        match self {
            About::Board | About::Boards => {
                model.table.all().map(|board| board.name.to_string()).collect()
            }
            About::Filter => labels(model),
            About::Power => words(&POWER.map(|(word, _)| word)),
            About::Span => words(&["30m", "1h", "2h", "8h"]),
            About::Theme => words(&theme::NAMES),
            About::Pattern => Vec::new(),
            About::Audit => words(&["denied", "user=", "board=", "via="]),
            About::Lab => model.labs.iter().map(|(name, _)| name.clone()).collect(),
        }
    }

    /// What it is called in help.
    pub fn title(self) -> &'static str {
        match self {
            About::Board => "BOARD",
            About::Boards => "BOARD…",
            About::Filter => "FILTER",
            About::Power => "on|off|cycle|reset",
            About::Span => "TIME",
            About::Theme => "THEME",
            About::Audit => "WHAT…",
            About::Lab => "LAB",
            About::Pattern => "PATTERN",
        }
    }
}

/// What the boards there are can be told apart by.
fn labels(model: &Model) -> Vec<String> {
    let of_board = |board: &Board| {
        let own = [format!("class={}", board.class), format!("state={}", board.state)];
        let holder = board.hold.as_ref().map(|hold| format!("holder={}", hold.who));
        let tags = board.tags.iter().map(|tag| format!("tag={tag}"));
        own.into_iter().chain(holder).chain(tags).collect::<Vec<_>>()
    };
    let mut labels: Vec<String> = model.table.all().flat_map(of_board).collect();
    labels.sort();
    labels.dedup();
    labels
}

impl Palette {
    /// The next way to complete what was typed, or the one before; none if there is none.
    pub fn complete(&mut self, offers: &[String], by: isize) {
        let (typed, place) = match self.offered.take() {
            Some((typed, place)) => {
                let count = offers.len().max(1) as isize;
                (typed, (place as isize + by).rem_euclid(count) as usize)
            }
            None if by < 0 => (self.text.clone(), offers.len().saturating_sub(1)),
            None => (self.text.clone(), 0),
        };
        if let Some(offer) = offers.get(place) {
            self.text.clone_from(offer);
            self.offered = Some((typed, place));
        }
    }

    /// What was typed by hand.
    pub fn by_hand(&self) -> &str {
        self.offered.as_ref().map_or(&self.text, |(typed, _)| typed)
    }

    /// An earlier command, or a later one.
    pub fn recall(&mut self, history: &[String], by: isize) {
        let place = match (self.recalled, by) {
            (None, 1..) => 0,
            (Some(place), 1..) => (place + 1).min(history.len().saturating_sub(1)),
            (Some(place @ 1..), _) => place - 1,
            _ => {
                *self = Palette::default();
                return;
            }
        };
        if let Some(text) = history.iter().rev().nth(place) {
            *self = Palette { text: text.clone(), offered: None, recalled: Some(place) };
        }
    }
}
