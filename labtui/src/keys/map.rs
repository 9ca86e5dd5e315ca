//! The keys that labtui comes with.
//!
//! Capital letters are for what others hold; a Ctrl-letter harms nothing.

use crossterm::event::KeyCode;

use super::action::{Action, Move, Side};
use super::{Binding, Escape, Group, Key, KeyMap};
use crate::grid::Reach;
use crate::past::Mark;

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

struct Line {
    group: Group,
    name: &'static str,
    keys: &'static [Key],
    action: Action,
    help: &'static str,
    hint: Option<&'static str>,
}

const fn hinted(
    group: Group,
    name: &'static str,
    keys: &'static [Key],
    action: Action,
    help: &'static str,
    hint: &'static str,
) -> Line {
    Line { group, name, keys, action, help, hint: Some(hint) }
}

const fn listed(
    group: Group,
    name: &'static str,
    keys: &'static [Key],
    action: Action,
    help: &'static str,
) -> Line {
    Line { group, name, keys, action, help, hint: None }
}

#[rustfmt::skip]
const MAP: &[Line] = {
    use Action as A;
    use Key::{Alt, Char, Ctrl};
    &[
    hinted(Group::Boards, "open", &[ENTER], A::Open, "show the board's details and timeline", "details"),
    hinted(Group::Boards, "reserve", &[Char('r')], A::Reserve, "reserve the board, or wait in line for it", "reserve"),
    listed(Group::Boards, "release", &[Char('R')], A::Release, "release it; an administrator breaks another's hold"),
    listed(Group::Boards, "extend", &[Char('x')], A::Extend, "extend your hold"),
    hinted(Group::Boards, "power", &[Char('p')], A::Power, "switch power: on, off, cycle", "power"),
    listed(Group::Boards, "undo", &[Char('u')], A::Undo, "switch back what you just switched"),
    hinted(Group::Boards, "console", &[Char('c')], A::Console, "attach to the console", "console"),
    listed(Group::Boards, "copy", &[Char('y')], A::Copy, "copy the name, a command, or what it printed last"),
    listed(Group::Boards, "boots", &[Char('b')], A::Boots, "list its boots, and go to one on the console"),
    listed(Group::Boards, "next-pane", &[TAB], A::NextPane, "go to the next pane"),
    listed(Group::Boards, "previous-pane", &[BACK_TAB], A::PreviousPane, "go to the pane before"),
    listed(Group::Boards, "pane-1", &[Char('1')], A::Pane(1), "go to the boards"),
    listed(Group::Boards, "pane-2", &[Char('2')], A::Pane(2), "go to the details"),
    listed(Group::Boards, "pane-3", &[Char('3')], A::Pane(3), "go to the timeline"),
    listed(Group::Boards, "zoom", &[Char('z'), Char('+'), Char('_')], A::Zoom, "show this pane alone, or all again"),
    hinted(Group::Table, "filter", &[Char('/')], A::Filter, "filter: regex, !regex, -l tag=poe, -f fuzzy", "filter"),
    listed(Group::Table, "next-match", &[Char('n')], A::NextMatch, "next board that the filter finds"),
    listed(Group::Table, "previous-match", &[Char('N')], A::PreviousMatch, "the one before"),
    listed(Group::Table, "mark", &[Char(' ')], A::Mark, "mark the board, to ask it together with others"),
    listed(Group::Table, "mark-range", &[Char('v')], A::MarkRange, "mark from here on, until pressed again"),
    listed(Group::Table, "consoles", &[Char('C')], A::Consoles, "show the consoles of the marked boards side by side"),
    listed(Group::Table, "sort", &[Char('s')], A::Sort, "sort by name, class, state, or end of hold"),
    listed(Group::Table, "reverse", &[Char('S')], A::Reverse, "turn the order around"),
    listed(Group::Moving, "up", &[Char('k'), UP], A::Move(Move::Up), "up"),
    listed(Group::Moving, "down", &[Char('j'), DOWN], A::Move(Move::Down), "down"),
    listed(Group::Moving, "half-up", &[Ctrl('u')], A::Move(Move::HalfUp), "half a page up"),
    listed(Group::Moving, "half-down", &[Ctrl('d')], A::Move(Move::HalfDown), "half a page down"),
    listed(Group::Moving, "page-up", &[PAGE_UP], A::Move(Move::PageUp), "a page up"),
    listed(Group::Moving, "page-down", &[PAGE_DOWN], A::Move(Move::PageDown), "a page down"),
    listed(Group::Moving, "first", &[Char('g'), HOME], A::Move(Move::First), "to the first line"),
    listed(Group::Moving, "last", &[Char('G'), END], A::Move(Move::Last), "to the last line"),
    hinted(Group::Views, "palette", &[Char(':')], A::Palette, "type a command; Tab completes it", "command"),
    hinted(Group::Views, "help", &[Char('?')], A::Help, "show these keys", "help"),
    listed(Group::Views, "last-view", &[Char('-')], A::LastView, "go where you were before"),
    listed(Group::Views, "search", &[Char('f')], A::SearchLab, "search what all consoles printed"),
    listed(Group::Views, "labs", &[Char('@')], A::Labs, "go to another lab"),
    listed(Group::Views, "messages", &[Char('e')], A::Messages, "show the last 200 messages"),
    listed(Group::Views, "report", &[Char('o')], A::Report, "show how the boards fared that were asked together"),
    listed(Group::Views, "calendar", &[Char('w')], A::Calendar, "show when who holds what, and who waits for it"),
    listed(Group::Views, "mouse", &[Char('m')], A::Mouse, "take the mouse, or leave it to the terminal"),
    listed(Group::Views, "back", &[ESC], A::Back, "go back; at the table, take marks and filter away"),
    hinted(Group::Views, "leave", &[Char('q')], A::Leave, "go back; at the table, quit", "quit"),
    listed(Group::Help, "search", &[Char('/')], A::Search, "show only what has a word in it"),
    hinted(Group::Writing, "accept", &[ENTER], A::Accept, "take what is typed", "accept"),
    hinted(Group::Writing, "cancel", &[ESC], A::Cancel, "forget what is typed", "cancel"),
    listed(Group::Writing, "erase", &[BACKSPACE, Ctrl('h')], A::Erase, "erase a letter"),
    listed(Group::Writing, "erase-all", &[Ctrl('u')], A::EraseAll, "erase everything"),
    hinted(Group::Palette, "complete", &[TAB], A::Complete, "complete what is typed; again: the next way", "complete"),
    listed(Group::Palette, "complete-back", &[BACK_TAB], A::CompleteBack, "the way before"),
    listed(Group::Palette, "earlier", &[UP, Ctrl('p')], A::Earlier, "what was typed before"),
    listed(Group::Palette, "later", &[DOWN, Ctrl('n')], A::Later, "what was typed after that"),
    hinted(Group::Choosing, "next", &[TAB, RIGHT, DOWN, Char('l'), Char('j')], A::NextChoice, "next answer", "next"),
    listed(Group::Choosing, "previous", &[BACK_TAB, LEFT, UP, Char('h'), Char('k')], A::PreviousChoice, "answer before"),
    hinted(Group::Choosing, "accept", &[ENTER], A::Accept, "take the marked answer", "choose"),
    hinted(Group::Choosing, "cancel", &[ESC, Char('q')], A::Cancel, "do nothing", "cancel"),
    hinted(Group::Console, "detach", &[Char('q')], A::Detach, "detach from the console", "detach"),
    hinted(Group::Console, "help", &[Char('?')], A::Help, "show these keys", "help"),
    listed(Group::Console, "literal", &[], A::Literal, "send the prefix itself"),
    hinted(Group::Console, "ask-pen", &[Char('r')], A::AskPen, "take the pen, or ask for it", "pen"),
    listed(Group::Console, "grant-pen", &[Char('g')], A::GrantPen, "hand the pen to who asks for it"),
    listed(Group::Console, "keep-pen", &[Char('k')], A::KeepPen, "keep the pen that somebody asks for"),
    listed(Group::Console, "pair-pen", &[Char('t')], A::PairPen, "let who asks type as well, or end that"),
    listed(Group::Console, "force-pen", &[Char('f')], A::ForcePen, "take the pen by force, with a reason"),
    listed(Group::Console, "who", &[Char('w')], A::Who, "tell who types and who looks on"),
    hinted(Group::Console, "break", &[Char('b')], A::Break, "send a BREAK", "break"),
    listed(Group::Console, "power", &[Char('p')], A::Power, "switch power: on, off, cycle"),
    listed(Group::Console, "copy", &[Char('y')], A::Copy, "copy what is on the screen"),
    listed(Group::Console, "next-console", &[Char('n')], A::NextConsole, "attach to the next board's console"),
    listed(Group::Console, "previous-console", &[Char('N')], A::PreviousConsole, "attach to the console before"),
    listed(Group::Console, "last-view", &[Char('-')], A::LastView, "go where you were before"),
    hinted(Group::Console, "scrollback", &[Char('[')], A::Scrollback, "scroll back", "scroll"),
    hinted(Group::Console, "search", &[Char('/')], A::SearchPast, "search all it printed: text, or -e regex", "search"),
    listed(Group::Console, "boots", &[Char('h')], A::Boots, "list the board's boots"),
    listed(Group::Scrollback, "search", &[Char('/')], A::SearchPast, "search all it printed: text, or -e regex"),
    hinted(Group::Scrollback, "older", &[Char('n')], A::OlderHit, "the line before that has it", "older"),
    hinted(Group::Scrollback, "newer", &[Char('N')], A::NewerHit, "the line after that has it", "newer"),
    hinted(Group::Scrollback, "older-boot", &[Char('b')], A::Older(Mark::Boot), "where the boot before began", "boot"),
    listed(Group::Scrollback, "newer-boot", &[Char('B')], A::Newer(Mark::Boot), "where the next boot began"),
    hinted(Group::Scrollback, "older-note", &[Char('m')], A::Older(Mark::Note), "the note, or trigger's mark, before", "note"),
    listed(Group::Scrollback, "newer-note", &[Char('M')], A::Newer(Mark::Note), "the next note, or trigger's mark"),
    hinted(Group::Scrollback, "older-power", &[Char('p')], A::Older(Mark::Power), "where power was switched before", "power"),
    listed(Group::Scrollback, "newer-power", &[Char('P')], A::Newer(Mark::Power), "where power was switched next"),
    hinted(Group::Scrollback, "older-panic", &[Char('x')], A::Older(Mark::Panic), "the panic before", "panic"),
    listed(Group::Scrollback, "newer-panic", &[Char('X')], A::Newer(Mark::Panic), "the next panic"),
    hinted(Group::Scrollback, "return", &[Char('q'), ESC], A::Back, "return to the live console, as End does", "live"),
    hinted(Group::Listing, "jump", &[ENTER], A::Jump, "show the console as it was then", "console"),
    hinted(Group::Calendar, "open", &[ENTER], A::Open, "show the board's details and timeline", "details"),
    hinted(Group::Calendar, "earlier", &[Char('h'), LEFT], A::Toward(Side::Left), "what was or is earlier", "earlier"),
    hinted(Group::Calendar, "later", &[Char('l'), RIGHT], A::Toward(Side::Right), "what is later", "later"),
    listed(Group::Calendar, "now", &[Char('n')], A::Now, "back to now"),
    listed(Group::Calendar, "zoom", &[Char('z'), Char('+'), Char('_')], A::Zoom, "from afar, or close up again"),
    hinted(Group::Grid, "attach", &[ENTER], A::Console, "attach to the console with the focus", "attach"),
    hinted(Group::Grid, "type", &[Char('t')], A::Type(Reach::One), "type on it; the prefix ends that", "type"),
    hinted(Group::Grid, "type-on-all", &[Char('T')], A::Type(Reach::All), "type on all of them; the prefix ends that", "type on all"),
    listed(Group::Grid, "next-pane", &[TAB], A::NextPane, "go to the next console"),
    listed(Group::Grid, "previous-pane", &[BACK_TAB], A::PreviousPane, "go to the console before"),
    listed(Group::Grid, "left", &[Char('h'), LEFT, Alt(KeyCode::Left)], A::Toward(Side::Left), "go to the one on the left"),
    listed(Group::Grid, "right", &[Char('l'), RIGHT, Alt(KeyCode::Right)], A::Toward(Side::Right), "go to the one on the right"),
    listed(Group::Grid, "above", &[Char('k'), UP, Alt(KeyCode::Up)], A::Toward(Side::Above), "go to the one above"),
    listed(Group::Grid, "below", &[Char('j'), DOWN, Alt(KeyCode::Down)], A::Toward(Side::Below), "go to the one below"),
    listed(Group::Grid, "pane-1", &[Char('1')], A::Pane(1), "go to console 1"),
    listed(Group::Grid, "pane-2", &[Char('2')], A::Pane(2), "go to console 2"),
    listed(Group::Grid, "pane-3", &[Char('3')], A::Pane(3), "go to console 3"),
    listed(Group::Grid, "pane-4", &[Char('4')], A::Pane(4), "go to console 4"),
    listed(Group::Grid, "pane-5", &[Char('5')], A::Pane(5), "go to console 5"),
    listed(Group::Grid, "pane-6", &[Char('6')], A::Pane(6), "go to console 6"),
    listed(Group::Grid, "pane-7", &[Char('7')], A::Pane(7), "go to console 7"),
    listed(Group::Grid, "pane-8", &[Char('8')], A::Pane(8), "go to console 8"),
    listed(Group::Grid, "pane-9", &[Char('9')], A::Pane(9), "go to console 9"),
    listed(Group::Grid, "zoom", &[Char('z'), Char('+'), Char('_')], A::Zoom, "show this console alone, or all again"),
    listed(Group::Everywhere, "help", &[F1], A::Help, "show these keys"),
    listed(Group::Everywhere, "redraw", &[Ctrl('l')], A::Redraw, "paint the screen again"),
    listed(Group::Everywhere, "suspend", &[Ctrl('z')], A::Suspend, "suspend"),
    listed(Group::Everywhere, "quit", &[Ctrl('c')], A::Quit, "quit"),
    ]
};

impl Default for KeyMap {
    fn default() -> KeyMap {
        let bindings = MAP.iter().map(|line| {
            let Line { group, name, keys, action, help, hint } = *line;
            Binding { group, name, keys: keys.to_vec(), action, help, hint }
        });
        let (bindings, escape) = (bindings.collect(), Escape::default());
        let mut map = KeyMap { bindings, escape: escape.clone(), read_only: false };
        map.set_escape(escape);
        map
    }
}
