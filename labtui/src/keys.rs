//! What keys do, and where.
//!
//! Input is looked up in one [`KeyMap`], and help, hints and the book's page are written from it, so
//! that they cannot disagree. [`map`] has the keys that labtui comes with; settings change them. In a
//! console each key goes to the board, except the [`Escape`] and the one after it.

pub mod action;
pub mod escape;
pub mod map;
pub mod name;

pub use action::{Action, Move, Side};
pub use escape::Escape;
pub use name::Key;

/// Where somebody is, so what keys mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// The board table.
    Table,
    /// The facts or the timeline of a board.
    Closeup,
    /// Typing a filter, or what to look for in help.
    Filter,
    /// Typing a command.
    Palette,
    /// Typing an answer.
    Question,
    /// Choosing among answers.
    Choice,
    /// Reading what was said, or how each board fared.
    Messages,
    /// Reading the keys.
    Help,
    /// Reading what happened on consoles, a row each.
    Listing,
    /// Typing to a board.
    Console,
    /// The same, after the prefix.
    Prefixed,
    /// Reading what a board printed.
    Scrollback,
    /// Looking at the calendar.
    Calendar,
    /// Looking at consoles side by side.
    Grid,
    /// Typing on them.
    Typing,
}

/// Keys that belong together, and are listed together in help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// What boards can be asked.
    Boards,
    /// How the table is shown.
    Table,
    /// Getting about.
    Moving,
    /// Going elsewhere and back.
    Views,
    /// Reading the keys.
    Help,
    /// Reading what happened on consoles, a row each.
    Listing,
    /// Typing a text.
    Writing,
    /// Typing a command.
    Palette,
    /// Picking an answer.
    Choosing,
    /// In a console, after the prefix.
    Console,
    /// In a console's history.
    Scrollback,
    /// The calendar.
    Calendar,
    /// Consoles side by side.
    Grid,
    /// Wherever keys are not the board's.
    Everywhere,
}

/// One line of the map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Where it is listed.
    pub group: Group,
    /// What settings and the palette call it.
    pub name: &'static str,
    /// Any of these does it.
    pub keys: Vec<Key>,
    /// What it does.
    pub action: Action,
    /// What it does, for help.
    pub help: &'static str,
    /// What it does in a word, if the status line should say so.
    pub hint: Option<&'static str>,
}

/// What every key does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyMap {
    bindings: Vec<Binding>,
    /// How labtui is called from within a console.
    pub escape: Escape,
    /// Whether only keys that change nothing in the lab are there.
    pub read_only: bool,
}

/// A key that would mean two things in one place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} would mean both '{one}' and '{other}'")]
pub struct Clash {
    /// The key.
    pub key: Key,
    /// What it means.
    pub one: &'static str,
    /// What else it would mean.
    pub other: &'static str,
}

impl Context {
    /// Every place.
    pub const ALL: [Context; 15] = [
        Context::Table,
        Context::Closeup,
        Context::Filter,
        Context::Palette,
        Context::Question,
        Context::Choice,
        Context::Messages,
        Context::Help,
        Context::Listing,
        Context::Console,
        Context::Prefixed,
        Context::Scrollback,
        Context::Calendar,
        Context::Grid,
        Context::Typing,
    ];

    /// The groups whose keys work here. A console's own keys are the board's.
    pub fn groups(self) -> &'static [Group] {
        use Group::*;
        match self {
            Context::Table => &[Boards, Table, Moving, Views, Everywhere],
            Context::Closeup => &[Boards, Moving, Views, Everywhere],
            Context::Messages => &[Moving, Views, Everywhere],
            Context::Help => &[Help, Moving, Views, Everywhere],
            Context::Listing => &[Listing, Moving, Views, Everywhere],
            Context::Filter | Context::Question => &[Writing, Everywhere],
            Context::Palette => &[Writing, Palette, Everywhere],
            Context::Choice => &[Choosing, Everywhere],
            Context::Console | Context::Typing => &[],
            Context::Prefixed => &[Console],
            Context::Scrollback => &[Scrollback, Moving],
            Context::Calendar => &[Calendar, Moving, Views, Everywhere],
            Context::Grid => &[Grid, Views, Everywhere],
        }
    }
}

impl Group {
    /// Every group, as help lists them.
    pub const ALL: [Group; 14] = [
        Group::Boards,
        Group::Table,
        Group::Moving,
        Group::Views,
        Group::Console,
        Group::Scrollback,
        Group::Listing,
        Group::Calendar,
        Group::Grid,
        Group::Palette,
        Group::Writing,
        Group::Choosing,
        Group::Help,
        Group::Everywhere,
    ];

    /// Its heading in help.
    pub fn title(self) -> &'static str {
        match self {
            Group::Boards => "Boards",
            Group::Table => "Table",
            Group::Moving => "Moving",
            Group::Views => "Views",
            Group::Help => "Reading this",
            Group::Listing => "Among boots, and lines that were found",
            Group::Writing => "Typing a filter, a command or an answer",
            Group::Palette => "Typing a command",
            Group::Choosing => "Choosing an answer",
            Group::Console => "In a console every key goes to the board, except",
            Group::Scrollback => "Scrolling back in a console",
            Group::Calendar => "Calendar",
            Group::Grid => "Consoles side by side",
            Group::Everywhere => "Everywhere but in a console",
        }
    }

    /// Its name in settings: `[keys.boards]`.
    pub fn name(self) -> &'static str {
        match self {
            Group::Boards => "boards",
            Group::Table => "table",
            Group::Moving => "moving",
            Group::Views => "views",
            Group::Help => "help",
            Group::Listing => "listing",
            Group::Writing => "writing",
            Group::Palette => "palette",
            Group::Choosing => "choosing",
            Group::Console => "console",
            Group::Scrollback => "scrollback",
            Group::Calendar => "calendar",
            Group::Grid => "consoles",
            Group::Everywhere => "everywhere",
        }
    }
}

impl KeyMap {
    /// Every binding that works at all.
    pub fn all(&self) -> impl Iterator<Item = &Binding> {
        let may = |binding: &&Binding| !(self.read_only && binding.action.changes_the_lab());
        self.bindings.iter().filter(may)
    }

    /// A group's part of the map.
    pub fn group(&self, group: Group) -> impl Iterator<Item = &Binding> {
        self.all().filter(move |binding| binding.group == group)
    }

    /// What works in a place, in the order of the map.
    pub fn bindings(&self, context: Context) -> impl Iterator<Item = &Binding> {
        self.all().filter(move |binding| context.groups().contains(&binding.group))
    }

    /// What a key does in a place.
    pub fn action(&self, context: Context, key: Key) -> Option<Action> {
        self.bindings(context).find(|it| it.keys.contains(&key)).map(|binding| binding.action)
    }

    /// Whether a key would do something in a place, were labtui not read-only.
    pub fn is_withheld(&self, context: Context, key: Key) -> bool {
        let here = |it: &&Binding| context.groups().contains(&it.group);
        let bound = self.bindings.iter().filter(here).any(|it| it.keys.contains(&key));
        bound && self.action(context, key).is_none()
    }

    /// What to type for it, as a sentence names it: `r`, `^T q`; where no key does it, its command.
    pub fn typed(&self, group: Group, action: Action) -> String {
        let found = self.group(group).find(|binding| binding.action == action);
        match found.map(|binding| (binding.keys.first(), binding.name)) {
            Some((Some(key), _)) => self.label_of(group, *key),
            Some((None, name)) => format!(":{name}"),
            None => "?".to_owned(),
        }
    }

    /// A binding's keys, as they are typed: `k Up`, `^T q`.
    pub fn label(&self, binding: &Binding) -> String {
        let keys = binding.keys.iter().map(|key| self.label_of(binding.group, *key));
        keys.collect::<Vec<_>>().join(" ")
    }

    fn label_of(&self, group: Group, key: Key) -> String {
        match group {
            Group::Console => format!("{} {key}", self.escape.label()),
            _ => key.to_string(),
        }
    }

    /// The same, with other keys for one binding; false if there is none of that name.
    pub fn bind(&mut self, group: Group, name: &str, keys: Vec<Key>) -> bool {
        let found = self.bindings.iter_mut().find(|it| it.group == group && it.name == name);
        found.map(|binding| binding.keys = keys).is_some()
    }

    /// The same, called in another way from within a console.
    pub fn set_escape(&mut self, escape: Escape) {
        let own = |binding: &Binding| binding.group == Group::Console;
        for binding in self.bindings.iter_mut().filter(|it| own(it)) {
            match (binding.action, escape.detach) {
                (Action::Literal, _) => binding.keys = escape.prefix[..1].to_vec(),
                (Action::Detach, Some(key)) if !binding.keys.contains(&key) => {
                    binding.keys.insert(0, key);
                }
                _ => {}
            }
        }
        self.escape = escape;
    }

    /// Whether each key means one thing wherever it means anything.
    ///
    /// # Errors
    /// The first that does not.
    pub fn check(&self) -> Result<(), Clash> {
        let here = |context: Context| {
            let all = self.bindings.iter().filter(move |it| context.groups().contains(&it.group));
            all.flat_map(|it| it.keys.iter().map(move |key| (*key, it.name))).collect::<Vec<_>>()
        };
        for keys in Context::ALL.map(here) {
            for (place, (key, other)) in keys.iter().enumerate() {
                if let Some((_, one)) = keys[..place].iter().find(|(before, _)| before == key) {
                    return Err(Clash { key: *key, one, other });
                }
            }
        }
        Ok(())
    }
}
