//! What each message changes, and what is to be done about it.
//!
//! Pure: no clock, no network, no terminal. Effects are data that the program's loop carries out.

mod actions;
mod alarms;
mod answers;
mod asks;
mod batch;
mod calendar;
mod commands;
mod copy;
mod grid;
mod hear;
mod lists;
mod mouse;
mod office;
mod past;
mod pen;
mod typing;
mod views;

use crossterm::event::{KeyEvent, KeyEventKind, MouseEvent};
use protocol::address::Address;
use protocol::board::BoardName;
use protocol::console::Pen;
use protocol::{Error, Span, Time};

use crate::call::{Answer, Call};
use crate::feed::{FeedId, News};
use crate::keys::escape::Place;
use crate::keys::{Action, Context, Escape, Group, Key, Move};
use crate::model::{Closeup, Focus, Link, Mode, Model, PenHolder};
use crate::notice::Tone;
use crate::settings::{Fault, Settings};
use crate::theme::Background;
use crate::view;

/// Something that happened.
#[derive(Debug)]
pub enum Message {
    /// A key was pressed.
    Key(KeyEvent),
    /// A text was pasted.
    Paste(String),
    /// The screen has another width and height now.
    Resize(u16, u16),
    /// The mouse was moved, clicked, or its wheel was turned.
    Mouse(MouseEvent),
    /// Time went by.
    Tick,
    /// A command was given in a line of its own.
    Command(String),
    /// The settings were saved, or could not be read.
    Settings(Result<Box<Settings>, Vec<Fault>>),
    /// The terminal said what its background is.
    Background(Background),
    /// A question to the lab took so long.
    RoundTrip(Span),
    /// A feed said something.
    News {
        /// Which.
        feed: FeedId,
        /// What.
        news: News,
    },
    /// A call was answered.
    Answer {
        /// Which.
        call: Call,
        /// How.
        answer: Result<Answer, Error>,
    },
}

/// Something to be done outside the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Make a call.
    Call(Call),
    /// Follow a board's timeline, and no other.
    Look {
        /// Names the feed.
        feed: u64,
        /// Whose.
        board: BoardName,
    },
    /// Follow no timeline.
    LookAway,
    /// Follow a board's console.
    Attach {
        /// Names the feed.
        feed: u64,
        /// Whose.
        board: BoardName,
        /// To type, or only to look.
        pen: Pen,
    },
    /// Follow no console.
    Detach,
    /// Send this to the board.
    Type(Vec<u8>),
    /// Follow the whole lab's timeline under this name, or not.
    Audit(Option<u64>),
    /// Follow the consoles of these boards side by side, each by a feed of that name, and no others.
    Watch(Vec<(u64, BoardName)>),
    /// Send this to one of them.
    TypeOn {
        /// By the feed of this name.
        feed: u64,
        /// What.
        bytes: Vec<u8>,
    },
    /// Follow another lab, and no more this one.
    Go(Address),
    /// Put this where other programs paste it from.
    Copy(String),
    /// Take the mouse, or leave it to the terminal.
    Mouse(bool),
    /// Keep this command for another day.
    Remember(String),
    /// Paint the whole screen.
    Redraw,
    /// Stop until continued.
    Suspend,
    /// End the program.
    Quit,
}

impl Effect {
    /// What is done, for the log: never what was typed or copied.
    pub fn summary(&self) -> String {
        match self {
            Effect::Type(bytes) => format!("type {} bytes", bytes.len()),
            Effect::TypeOn { bytes, .. } => format!("type {} bytes", bytes.len()),
            Effect::Copy(text) => format!("copy {} bytes", text.len()),
            Effect::Remember(_) => "remember a command".to_owned(),
            Effect::Call(call) => format!("call: {call}"),
            other => format!("{other:?}"),
        }
    }
}

/// Takes a message into the model at the instant `now`; says what is to be done.
pub fn update(model: &mut Model, now: Time, message: Message) -> Vec<Effect> {
    model.now = now;
    let (mut effects, before) = (Vec::new(), views::present(model));
    match message {
        Message::Key(event) if event.kind == KeyEventKind::Release => {}
        Message::Key(event) => key(model, event, &mut effects),
        Message::Paste(text) => paste(model, &text, &mut effects),
        Message::Resize(width, height) => model.size = (width, height),
        Message::Mouse(event) => mouse::take(model, event),
        Message::Tick => {}
        Message::Command(line) => commands::take(model, &line, &mut effects),
        Message::Settings(Ok(settings)) => {
            model.mouse = settings.mouse;
            model.adopt(*settings);
        }
        Message::Settings(Err(faults)) => refuse(model, &faults),
        Message::Background(background) => {
            model.background = background;
            model.theme = model.settings.theme.theme(background);
        }
        Message::RoundTrip(span) => model.round_trip = Some(span),
        Message::News { feed, news } => hear::hear(model, feed, news, &mut effects),
        Message::Answer { call, answer } => answers::take(model, &call, answer, &mut effects),
    }
    settle(model, &mut effects);
    views::remember(model, before);
    effects
}

fn refuse(model: &mut Model, faults: &[Fault]) {
    for fault in faults {
        model.say(Tone::Failed, &format!("labtui.toml is not taken over: {fault}"));
    }
}

fn key(model: &mut Model, event: KeyEvent, effects: &mut Vec<Effect>) {
    let (context, pressed) = (model.context(), Key::pressed(event));
    let keys = &model.settings.keys;
    let action = pressed.and_then(|key| keys.action(context, key));
    let withheld = pressed.is_some_and(|key| keys.is_withheld(context, key));
    match (context, action) {
        (Context::Console, _) => console_key(model, event, pressed, effects),
        (Context::Typing, _) => grid::key(model, event, pressed, effects),
        (Context::Filter | Context::Palette | Context::Question, None) => {
            if let Some(Key::Char(c)) = pressed {
                typing::write(model, &c.to_string());
            }
        }
        (_, None) if withheld => {
            set_mode(model, Mode::Live);
            model.say(Tone::Failed, "Nothing is changed here: labtui is read-only.");
        }
        (Context::Prefixed, None) => {
            set_mode(model, Mode::Live);
            let help = model.typed(Group::Console, Action::Help);
            let text = format!("That is no command of labtui's. {help} shows them all.");
            model.say(Tone::Failed, &text);
        }
        (_, Some(action)) => actions::act(model, action, effects),
        (_, None) => {}
    }
}

/// A key in a console is the board's, unless it goes on with the prefix.
fn console_key(
    model: &mut Model,
    event: KeyEvent,
    pressed: Option<Key>,
    effects: &mut Vec<Effect>,
) {
    let escape = &model.settings.keys.escape;
    let Some(console) = &mut model.console else { return };
    match prefixed(escape, &mut console.held, console.line_start, pressed) {
        Some(true) => console.mode = Mode::Prefixed,
        Some(false) => {}
        None => console_typed(model, event, effects),
    }
}

/// Whether a key ends the prefix, or goes on with it; none if it is the board's.
fn prefixed(
    escape: &Escape,
    held: &mut Vec<Key>,
    line_start: bool,
    pressed: Option<Key>,
) -> Option<bool> {
    let begun = held.len();
    let may = begun > 0 || escape.place == Place::Anywhere || line_start;
    let key = pressed.filter(|key| may && escape.prefix.get(begun) == Some(key))?;
    held.push(key);
    let ended = held.len() == escape.prefix.len();
    if ended {
        held.clear();
    }
    Some(ended)
}

fn console_typed(model: &mut Model, event: KeyEvent, effects: &mut Vec<Effect>) {
    let Some(console) = &mut model.console else { return };
    let held = std::mem::take(&mut console.held).into_iter().map(Key::event);
    let typed = held.chain([event]).flat_map(|event| console.emulator.key(event));
    let bytes: Vec<u8> = typed.collect();
    console.line_start = event.code == crossterm::event::KeyCode::Enter;
    send(model, bytes, effects);
}

fn paste(model: &mut Model, text: &str, effects: &mut Vec<Effect>) {
    match model.context() {
        Context::Console => {
            let bytes = model.console.as_ref().map(|console| console.emulator.paste(text));
            send(model, bytes.unwrap_or_default(), effects);
        }
        Context::Typing => grid::send(model, |emulator| emulator.paste(text), effects),
        Context::Filter | Context::Palette | Context::Question => typing::write(model, text),
        _ => {}
    }
}

/// Sends keystrokes to the board, if it can be reached. Without the pen they have no effect there,
/// which is said here, since the board cannot say it.
fn send(model: &mut Model, bytes: Vec<u8>, effects: &mut Vec<Effect>) {
    let connected = model.console.as_ref().is_some_and(|console| console.link == Link::Up);
    if bytes.is_empty() {
    } else if model.settings.read_only {
        model.say(Tone::News, "You are only looking: labtui is read-only.");
    } else if !connected {
        let detach = model.typed(Group::Console, Action::Detach);
        let text = format!("Not connected: what you type is not sent. {detach} detaches.");
        model.say(Tone::Failed, &text);
    } else {
        if matches!(model.pen(), PenHolder::Other(_) | PenHolder::Nobody) {
            let ask = model.typed(Group::Console, Action::AskPen);
            model.say(Tone::News, &format!("You are only looking: {ask} asks for the pen."));
        }
        effects.push(Effect::Type(bytes));
    }
}

fn set_mode(model: &mut Model, mode: Mode) {
    if let Some(console) = &mut model.console {
        console.mode = mode;
    }
}

/// Makes a call, unless the same is waiting for its answer.
fn call(model: &mut Model, call: Call, effects: &mut Vec<Effect>) {
    if model.calls.contains(&call) && call.is_a_deed() {
        model.say(Tone::News, &format!("Still trying to {call}."));
    } else {
        model.calls.push(call.clone());
        effects.push(Effect::Call(call));
    }
}

/// Reads the details of the board looked at, now or when the present answer is there.
fn refresh(model: &mut Model, effects: &mut Vec<Effect>) {
    let Some(closeup) = &mut model.closeup else { return };
    let detail = Call::Detail(closeup.board.clone());
    closeup.stale = model.calls.contains(&detail);
    if !closeup.stale {
        call(model, detail, effects);
    }
}

/// Makes what is shown fit what has changed.
fn settle(model: &mut Model, effects: &mut Vec<Effect>) {
    let layout = view::layout(model);
    model.table.scroll_into(layout.table_rows());
    if let Some(console) = &mut model.console {
        console.emulator.resize(layout.console.width, layout.console.height);
        if let Some(past) = &mut console.past {
            past.emulator.resize(layout.console.width, layout.console.height);
        }
    }
    grid::settle(model, effects);
    office::settle(model, effects);
    let looked_at = match &model.console {
        Some(console) => Some(&console.board),
        None if let Some(grid) = &model.grid => grid.board().filter(|_| grid.typing.is_some()),
        None if layout.shows_closeup() => model.table.selected().map(|board| &board.name),
        None => None,
    };
    let present = model.closeup.as_ref().map(|closeup| &closeup.board);
    if present != looked_at {
        look(model, looked_at.cloned(), effects);
    }
    if model.table.is_empty() && model.console.is_none() {
        model.focus = Focus::Table;
    }
    past::settle(model, effects);
    // Where a board has the screen, what is selected with the mouse is its text.
    let captured = model.mouse && model.console.is_none();
    if std::mem::replace(&mut model.captured, captured) != captured {
        effects.push(Effect::Mouse(captured));
    }
}

fn look(model: &mut Model, board: Option<BoardName>, effects: &mut Vec<Effect>) {
    model.feeds += 1;
    let feed = model.feeds;
    model.closeup = board.clone().map(|board| Closeup::new(board, feed));
    match board {
        Some(board) => {
            effects.push(Effect::Look { feed, board });
            refresh(model, effects);
        }
        None => effects.push(Effect::LookAway),
    }
}

/// Where a movement leads in `count` lines of which a page shows `page`.
fn moved(from: usize, by: Move, page: usize, count: usize) -> usize {
    let (page, last) = (page.max(1), count.saturating_sub(1));
    match by {
        Move::Up => from.saturating_sub(1),
        Move::Down => from + 1,
        Move::HalfUp => from.saturating_sub(page.div_ceil(2)),
        Move::HalfDown => from + page.div_ceil(2),
        Move::PageUp => from.saturating_sub(page),
        Move::PageDown => from + page,
        Move::First => 0,
        Move::Last => last,
    }
    .min(last)
}
