//! What each message changes, and what is to be done about it.
//!
//! Pure: no clock, no network, no terminal. Effects are data that the program's loop carries out.

mod actions;
mod answers;

use crossterm::event::{KeyEvent, KeyEventKind};
use protocol::board::{Board, BoardName};
use protocol::console::Pen;
use protocol::journal::{Entry, Event};
use protocol::{Error, Span, Time};

use crate::call::{Answer, Call};
use crate::dialog::Dialog;
use crate::feed::{FeedId, News};
use crate::keys::{Context, Key, Move, PREFIX};
use crate::model::{Closeup, Console, Filtering, Focus, Link, Mode, Model, PenHolder};
use crate::notice::Tone;
use crate::text::clean;
use crate::view;

/// The longest text somebody can type into a dialog.
const LONGEST_TEXT: usize = 200;

/// What is older than this was so before anybody looked.
const RECENT: Span = Span::seconds(10);

/// Something that happened.
#[derive(Debug)]
pub enum Message {
    /// A key was pressed.
    Key(KeyEvent),
    /// A text was pasted.
    Paste(String),
    /// The screen has another width and height now.
    Resize(u16, u16),
    /// Time went by.
    Tick,
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
    /// Paint the whole screen.
    Redraw,
    /// Stop until continued.
    Suspend,
    /// End the program.
    Quit,
}

/// Takes a message into the model at the instant `now`; says what is to be done.
pub fn update(model: &mut Model, now: Time, message: Message) -> Vec<Effect> {
    model.now = now;
    let mut effects = Vec::new();
    match message {
        Message::Key(event) if event.kind == KeyEventKind::Release => {}
        Message::Key(event) => key(model, event, &mut effects),
        Message::Paste(text) => paste(model, &text, &mut effects),
        Message::Resize(width, height) => model.size = (width, height),
        Message::Tick => {}
        Message::News { feed, news } => hear(model, feed, news, &mut effects),
        Message::Answer { call, answer } => answers::take(model, &call, answer, &mut effects),
    }
    settle(model, &mut effects);
    effects
}

fn key(model: &mut Model, event: KeyEvent, effects: &mut Vec<Effect>) {
    let (context, pressed) = (model.context(), Key::pressed(event));
    let action = pressed.and_then(|key| context.action(key));
    match (context, action) {
        (Context::Console, _) if pressed == Some(PREFIX) => set_mode(model, Mode::Prefixed),
        (Context::Console, _) => {
            let bytes = model.console.as_ref().map(|console| console.emulator.key(event));
            send(model, bytes.unwrap_or_default(), effects);
        }
        (Context::Prefixed, None) => {
            set_mode(model, Mode::Live);
            model.say(Tone::Failed, "That is no command of labtui's. ^T ? shows them all.");
        }
        (Context::Filter | Context::Question, None) => {
            if let Some(Key::Char(c)) = pressed {
                write(model, &c.to_string());
            }
        }
        (_, Some(action)) => actions::act(model, action, effects),
        (_, None) => {}
    }
}

fn paste(model: &mut Model, text: &str, effects: &mut Vec<Effect>) {
    match model.context() {
        Context::Console => {
            let bytes = model.console.as_ref().map(|console| console.emulator.paste(text));
            send(model, bytes.unwrap_or_default(), effects);
        }
        Context::Filter | Context::Question => write(model, text),
        _ => {}
    }
}

/// Sends keystrokes to the board, if it can be reached. Without the pen they have no effect there,
/// which is said here, since the board cannot say it.
fn send(model: &mut Model, bytes: Vec<u8>, effects: &mut Vec<Effect>) {
    let connected = model.console.as_ref().is_some_and(|console| console.link == Link::Up);
    if bytes.is_empty() {
    } else if !connected {
        model.say(Tone::Failed, "Not connected: what you type is not sent. ^T q detaches.");
    } else {
        if matches!(model.pen(), PenHolder::Other(_) | PenHolder::Nobody) {
            model.say(Tone::News, "You are only looking: ^T p asks for the pen.");
        }
        effects.push(Effect::Type(bytes));
    }
}

/// Appends to the text that is being typed.
fn write(model: &mut Model, text: &str) {
    let text = clean(text);
    if let Some(Dialog::Question(question)) = &mut model.dialog {
        let room = LONGEST_TEXT.saturating_sub(question.text.chars().count());
        question.text.extend(text.chars().take(room));
        question.fault = None;
    } else if model.filtering == Filtering::Typing {
        let room = LONGEST_TEXT.saturating_sub(model.table.filter().chars().count());
        let longer = text.chars().take(room);
        model.table.set_filter(model.table.filter().chars().chain(longer).collect());
    }
}

fn set_mode(model: &mut Model, mode: Mode) {
    if let Some(console) = &mut model.console {
        console.mode = mode;
    }
}

fn hear(model: &mut Model, feed: FeedId, news: News, effects: &mut Vec<Effect>) {
    match feed {
        FeedId::Boards => hear_boards(model, news, effects),
        FeedId::Timeline(number) => {
            let Some(closeup) = model.closeup.as_mut().filter(|it| it.feed == number) else {
                return;
            };
            closeup.link = link(&closeup.link, model.now, &news);
            if let News::Entries(entries) = news {
                hear_entries(model, entries, effects);
            }
        }
        FeedId::Console(number) => {
            let connected = matches!(news, News::Up(_));
            if let Some(console) = model.console.as_mut().filter(|it| it.feed == number) {
                hear_console(console, model.now, news);
            }
            if connected {
                refresh(model, effects);
            }
        }
    }
}

fn hear_boards(model: &mut Model, news: News, effects: &mut Vec<Effect>) {
    model.link = link(&model.link, model.now, &news);
    match news {
        News::Up(_) => call(model, Call::WhoAmI, effects),
        News::Boards(boards) => {
            tell_of_holds(model, &boards);
            model.table.replace(boards);
            refresh(model, effects);
        }
        News::Changed(boards) => {
            tell_of_holds(model, &boards);
            let look = model.closeup.as_ref().map(|closeup| &closeup.board);
            let other = boards.iter().filter(|board| Some(&board.name) == look);
            let lively =
                other.into_iter().any(|board| is_news(&model.table.row(&board.name), board));
            model.table.change(boards);
            if lively {
                refresh(model, effects);
            }
        }
        _ => {}
    }
}

/// Whether a row says more than that the board printed another line.
fn is_news(old: &Option<&Board>, new: &Board) -> bool {
    let Some(old) = old else { return true };
    let silent = Board { last_line: old.last_line.clone(), ..new.clone() };
    **old != silent
}

/// Says which boards became ours, or were taken from us, without our doing.
fn tell_of_holds(model: &mut Model, boards: &[Board]) {
    for board in boards {
        let old = model.table.row(&board.name);
        let had = old.filter(|old| model.is_mine(old)).and_then(|old| old.hold.as_ref());
        let lost = had.map(|hold| hold.number).filter(|_| !model.is_mine(board));
        let name = &board.name;
        if lost.is_some_and(|number| !model.let_go.contains(&number)) {
            model.say(Tone::News, &format!("Your hold of {name} is over; its timeline says how."));
        }
        if model.is_mine(board) && model.awaited.remove(name) {
            model.say(Tone::News, &format!("{name} is yours now. Press c for its console."));
        }
    }
}

/// Says that somebody wants or took the pen that this console has. What was so before it was
/// attached is no news.
fn tell_of_the_pen(model: &mut Model, entries: &[Entry]) {
    let Some(ours) = model.console.as_ref().and_then(|console| console.session) else { return };
    let (me, now) = (model.me.as_ref().map(|me| me.name.clone()), model.now);
    for entry in entries.iter().filter(|entry| now.since(entry.at) < RECENT) {
        let who = entry.who.as_ref().map_or("somebody", |who| who.as_str());
        match &entry.event {
            Event::PenAsked { session, of } if Some(of) == me.as_ref() && *session != ours => {
                model.say(Tone::News, &format!("{who} asks for the pen. ^T q leaves it to them."));
            }
            Event::PenForced { session, from, reason }
                if Some(from) == me.as_ref() && *session != ours =>
            {
                model.say(Tone::Failed, &format!("{who} took the pen: {reason}"));
            }
            _ => {}
        }
    }
}

/// More of the timeline. The board's details are read again, unless somebody only typed.
fn hear_entries(model: &mut Model, entries: Vec<Entry>, effects: &mut Vec<Effect>) {
    tell_of_the_pen(model, &entries);
    let typed = |entry: &Entry| matches!(entry.event, Event::Typed { .. });
    let lively = !entries.iter().all(typed);
    if let Some(closeup) = &mut model.closeup {
        closeup.extend(entries);
    }
    if lively {
        refresh(model, effects);
    }
}

fn hear_console(console: &mut Console, now: Time, news: News) {
    console.link = link(&console.link, now, &news);
    match news {
        News::Up(welcome) => console.session = Some(welcome.session),
        News::Down { .. } | News::Refused(_) => console.session = None,
        News::Gap(bytes) => {
            let gap = format!("\r\n[{bytes} bytes that were printed here are no longer kept]\r\n");
            console.emulator.print(gap.as_bytes());
        }
        News::Bytes(bytes) => console.emulator.print(&bytes),
        _ => {}
    }
}

/// How a feed stands after it said this.
fn link(old: &Link, now: Time, news: &News) -> Link {
    match news {
        News::Up(_) => Link::Up,
        News::Refused(why) => Link::Refused(why.clone()),
        News::Down { why, attempt, pause } => {
            Link::Down { why: why.clone(), attempt: *attempt, next: now + *pause }
        }
        _ => old.clone(),
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
    }
    let looked_at = match &model.console {
        Some(console) => Some(&console.board),
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

/// Goes back one level; false at the root.
fn back(model: &mut Model) -> bool {
    if model.page.take().is_some() {
        return true;
    }
    match &mut model.console {
        Some(console) => {
            console.emulator.scroll(Move::Last);
            console.mode = Mode::Live;
            true
        }
        None => std::mem::replace(&mut model.focus, Focus::Table) != Focus::Table,
    }
}
