//! Every key there is.
//!
//! Input is looked up here, and help and hints are written from here, so that they cannot disagree.
//! In a console each key goes to the board, except [`PREFIX`] and the one after it.

use std::fmt;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A key as the map names it. Shift is part of the letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A letter, a digit, a sign.
    Char(char),
    /// Ctrl and a letter.
    Ctrl(char),
    /// Any other.
    Named(KeyCode),
}

/// In a console, the key after this one is for labtui.
pub const PREFIX: Key = Key::Ctrl('t');

/// Where somebody is, so what keys mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// The board table.
    Table,
    /// The facts or the timeline of a board.
    Closeup,
    /// Typing a filter.
    Filter,
    /// Typing an answer.
    Question,
    /// Choosing among answers.
    Choice,
    /// Reading what was said.
    Messages,
    /// Reading the keys.
    Help,
    /// Typing to a board.
    Console,
    /// The same, after the prefix.
    Prefixed,
    /// Reading what a board printed.
    Scrollback,
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
    Viewing,
    /// Typing a text.
    Writing,
    /// Picking an answer.
    Choosing,
    /// In a console, after the prefix.
    Prefixed,
    /// In a console's history.
    Scrollback,
    /// Wherever keys are not the board's.
    Everywhere,
}

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Moves in what has the focus.
    Move(Move),
    /// Shows the board's details.
    Open,
    /// Gives the next pane the focus.
    NextPane,
    /// Gives the pane before the focus.
    PreviousPane,
    /// Asks for a hold.
    Reserve,
    /// Ends a hold.
    Release,
    /// Makes a hold last longer.
    Extend,
    /// Offers what can be done to the outlet.
    Power,
    /// Attaches to the console.
    Console,
    /// Starts to type a filter.
    Filter,
    /// Orders the table by the next column.
    Sort,
    /// Shows what was said.
    Messages,
    /// Shows the keys.
    Help,
    /// Goes back one level; at the root, takes the filter away.
    Back,
    /// Goes back one level; at the root, quits.
    Leave,
    /// Takes the text or the answer.
    Accept,
    /// Forgets the text or the answer.
    Cancel,
    /// Takes the last letter away.
    Erase,
    /// Takes the whole text away.
    EraseAll,
    /// The next answer.
    NextChoice,
    /// The answer before.
    PreviousChoice,
    /// Leaves the console.
    Detach,
    /// Sends the prefix itself to the board.
    Literal,
    /// Asks for the pen.
    AskPen,
    /// Takes the pen, and asks for the reason.
    ForcePen,
    /// Sends a BREAK.
    Break,
    /// Shows what the board printed before.
    Scrollback,
    /// Paints the whole screen again.
    Redraw,
    /// Stops the program until the shell continues it.
    Suspend,
    /// Ends the program.
    Quit,
}

/// A movement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// One line up.
    Up,
    /// One line down.
    Down,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// Half a page up.
    HalfUp,
    /// Half a page down.
    HalfDown,
    /// To the first line.
    First,
    /// To the last line.
    Last,
}

/// One line of the map.
#[derive(Debug)]
pub struct Binding {
    /// Where it is listed.
    pub group: Group,
    /// Any of these does it.
    pub keys: &'static [Key],
    /// What it does.
    pub action: Action,
    /// What it does, for help.
    pub help: &'static str,
    /// What it does in a word, if the status line should say so.
    pub hint: Option<&'static str>,
}

const UP: Key = Key::Named(KeyCode::Up);
const DOWN: Key = Key::Named(KeyCode::Down);
const LEFT: Key = Key::Named(KeyCode::Left);
const RIGHT: Key = Key::Named(KeyCode::Right);
const ENTER: Key = Key::Named(KeyCode::Enter);
const ESC: Key = Key::Named(KeyCode::Esc);
const TAB: Key = Key::Named(KeyCode::Tab);
const BACK_TAB: Key = Key::Named(KeyCode::BackTab);
const BACKSPACE: Key = Key::Named(KeyCode::Backspace);
const HOME: Key = Key::Named(KeyCode::Home);
const END: Key = Key::Named(KeyCode::End);
const PAGE_UP: Key = Key::Named(KeyCode::PageUp);
const PAGE_DOWN: Key = Key::Named(KeyCode::PageDown);
const F1: Key = Key::Named(KeyCode::F(1));

const fn hinted(
    group: Group,
    keys: &'static [Key],
    action: Action,
    help: &'static str,
    hint: &'static str,
) -> Binding {
    Binding { group, keys, action, help, hint: Some(hint) }
}

const fn listed(group: Group, keys: &'static [Key], action: Action, help: &'static str) -> Binding {
    Binding { group, keys, action, help, hint: None }
}

/// The one key map.
#[rustfmt::skip]
pub const MAP: &[Binding] = {
    use Action as A;
    use Key::{Char, Ctrl};
    &[
    hinted(Group::Boards, &[ENTER], A::Open, "show the board's details and timeline", "details"),
    hinted(Group::Boards, &[Char('r')], A::Reserve, "reserve the board, or wait in line for it", "reserve"),
    listed(Group::Boards, &[Char('R')], A::Release, "release it; an administrator breaks another's hold"),
    listed(Group::Boards, &[Char('x')], A::Extend, "extend your hold"),
    hinted(Group::Boards, &[Char('p')], A::Power, "switch power: on, off, cycle", "power"),
    hinted(Group::Boards, &[Char('c')], A::Console, "attach to the console", "console"),
    listed(Group::Boards, &[TAB], A::NextPane, "go to the next pane"),
    listed(Group::Boards, &[BACK_TAB], A::PreviousPane, "go to the pane before"),
    hinted(Group::Table, &[Char('/')], A::Filter, "filter as you type; !word shows boards without it", "filter"),
    listed(Group::Table, &[Char('s')], A::Sort, "sort by name, class, state, or end of hold"),
    listed(Group::Moving, &[Char('k'), UP], A::Move(Move::Up), "up"),
    listed(Group::Moving, &[Char('j'), DOWN], A::Move(Move::Down), "down"),
    listed(Group::Moving, &[Ctrl('u')], A::Move(Move::HalfUp), "half a page up"),
    listed(Group::Moving, &[Ctrl('d')], A::Move(Move::HalfDown), "half a page down"),
    listed(Group::Moving, &[PAGE_UP], A::Move(Move::PageUp), "a page up"),
    listed(Group::Moving, &[PAGE_DOWN], A::Move(Move::PageDown), "a page down"),
    listed(Group::Moving, &[Char('g'), HOME], A::Move(Move::First), "to the first line"),
    listed(Group::Moving, &[Char('G'), END], A::Move(Move::Last), "to the last line"),
    hinted(Group::Viewing, &[Char('?')], A::Help, "show these keys", "help"),
    listed(Group::Viewing, &[Char('m')], A::Messages, "show the last 200 messages"),
    listed(Group::Viewing, &[ESC], A::Back, "go back; at the table, take the filter away"),
    hinted(Group::Viewing, &[Char('q')], A::Leave, "go back; at the table, quit", "quit"),
    hinted(Group::Writing, &[ENTER], A::Accept, "take what is typed", "accept"),
    hinted(Group::Writing, &[ESC], A::Cancel, "forget what is typed", "cancel"),
    listed(Group::Writing, &[BACKSPACE, Ctrl('h')], A::Erase, "erase a letter"),
    listed(Group::Writing, &[Ctrl('u')], A::EraseAll, "erase everything"),
    hinted(Group::Choosing, &[TAB, RIGHT, DOWN, Char('l'), Char('j')], A::NextChoice, "next answer", "next"),
    listed(Group::Choosing, &[BACK_TAB, LEFT, UP, Char('h'), Char('k')], A::PreviousChoice, "answer before"),
    hinted(Group::Choosing, &[ENTER], A::Accept, "take the marked answer", "choose"),
    hinted(Group::Choosing, &[ESC, Char('q')], A::Cancel, "do nothing", "cancel"),
    hinted(Group::Prefixed, &[Char('q')], A::Detach, "detach from the console", "detach"),
    hinted(Group::Prefixed, &[Char('?')], A::Help, "show these keys", "help"),
    listed(Group::Prefixed, &[PREFIX], A::Literal, "send ^T itself"),
    hinted(Group::Prefixed, &[Char('p')], A::AskPen, "take the pen, or ask for it", "pen"),
    hinted(Group::Prefixed, &[Char('f')], A::ForcePen, "take the pen by force, with a reason", "force"),
    hinted(Group::Prefixed, &[Char('b')], A::Break, "send a BREAK", "break"),
    hinted(Group::Prefixed, &[Char('[')], A::Scrollback, "scroll back", "scroll"),
    hinted(Group::Scrollback, &[Char('q'), ESC], A::Back, "return to the live console", "return"),
    listed(Group::Everywhere, &[F1], A::Help, "show these keys"),
    listed(Group::Everywhere, &[Ctrl('l')], A::Redraw, "paint the screen again"),
    listed(Group::Everywhere, &[Ctrl('z')], A::Suspend, "suspend"),
    listed(Group::Everywhere, &[Ctrl('c')], A::Quit, "quit"),
    ]
};

impl Context {
    /// The groups whose keys work here. A console's own keys are the board's.
    pub fn groups(self) -> &'static [Group] {
        use Group::*;
        match self {
            Context::Table => &[Boards, Table, Moving, Viewing, Everywhere],
            Context::Closeup => &[Boards, Moving, Viewing, Everywhere],
            Context::Messages | Context::Help => &[Moving, Viewing, Everywhere],
            Context::Filter | Context::Question => &[Writing, Everywhere],
            Context::Choice => &[Choosing, Everywhere],
            Context::Console => &[],
            Context::Prefixed => &[Prefixed],
            Context::Scrollback => &[Scrollback, Moving],
        }
    }

    /// What works here, in the order of the map.
    pub fn bindings(self) -> impl Iterator<Item = &'static Binding> {
        MAP.iter().filter(move |binding| self.groups().contains(&binding.group))
    }

    /// What a key does here.
    pub fn action(self, key: Key) -> Option<Action> {
        self.bindings().find(|binding| binding.keys.contains(&key)).map(|binding| binding.action)
    }
}

impl Group {
    /// Every group, as help lists them.
    pub const ALL: [Group; 9] = [
        Group::Boards,
        Group::Table,
        Group::Moving,
        Group::Viewing,
        Group::Prefixed,
        Group::Scrollback,
        Group::Writing,
        Group::Choosing,
        Group::Everywhere,
    ];

    /// Its heading in help.
    pub fn title(self) -> &'static str {
        match self {
            Group::Boards => "Boards",
            Group::Table => "Table",
            Group::Moving => "Moving",
            Group::Viewing => "Views",
            Group::Writing => "Typing a filter or an answer",
            Group::Choosing => "Choosing an answer",
            Group::Prefixed => "In a console every key goes to the board, except",
            Group::Scrollback => "Scrolling back in a console",
            Group::Everywhere => "Everywhere but in a console",
        }
    }

    /// The group's part of the map.
    pub fn bindings(self) -> impl Iterator<Item = &'static Binding> {
        MAP.iter().filter(move |binding| binding.group == self)
    }
}

impl Binding {
    /// Its keys, as they are typed: `k Up`, `^T q`.
    pub fn label(&self) -> String {
        let keys = self.keys.iter().map(|key| match self.group {
            Group::Prefixed => format!("{PREFIX} {key}"),
            _ => key.to_string(),
        });
        keys.collect::<Vec<_>>().join(" ")
    }
}

impl Key {
    /// The key that was pressed; none if the map has no name for it.
    pub fn pressed(event: KeyEvent) -> Option<Key> {
        if event.modifiers.intersects(KeyModifiers::ALT | KeyModifiers::SUPER) {
            return None;
        }
        match event.code {
            KeyCode::Char(c) if event.modifiers.contains(KeyModifiers::CONTROL) => {
                Some(Key::Ctrl(c.to_ascii_lowercase()))
            }
            KeyCode::Char(c) => Some(Key::Char(c)),
            code => Some(Key::Named(code)),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Char(c) => write!(f, "{c}"),
            Key::Ctrl(c) => write!(f, "^{}", c.to_ascii_uppercase()),
            Key::Named(KeyCode::PageUp) => write!(f, "PgUp"),
            Key::Named(KeyCode::PageDown) => write!(f, "PgDn"),
            Key::Named(KeyCode::BackTab) => write!(f, "Shift-Tab"),
            Key::Named(code) => write!(f, "{code}"),
        }
    }
}
