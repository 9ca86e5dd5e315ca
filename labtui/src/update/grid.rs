//! Consoles side by side: which are followed, where the focus is, and what is typed on them.

use crossterm::event::{KeyCode, KeyEvent};
use protocol::board::{BoardDetail, BoardName};
use protocol::console::{PenAsk, PenState};

use super::{Effect, asks, call, hear, prefixed, views};
use crate::call::Call;
use crate::dialog::{Choice, Dialog, Step};
use crate::emulator::Emulator;
use crate::feed::News;
use crate::grid::{Grid, Live, MOST, Reach};
use crate::keys::{Action, Key, Side};
use crate::model::{Model, PenHolder};
use crate::notice::Tone;
use crate::view;

/// Shows the consoles of the marked boards; if none is marked, of those that the table shows.
pub(super) fn open_marked(model: &mut Model, effects: &mut Vec<Effect>) {
    let marked = model.table.marked().into_iter();
    let mut boards: Vec<BoardName> = marked.map(|board| board.name.clone()).collect();
    if boards.is_empty() {
        boards = model.table.visible(usize::MAX).map(|(_, board)| board.name.clone()).collect();
    }
    open(model, boards, effects);
}

/// Shows the consoles of these boards.
pub(super) fn open(model: &mut Model, boards: Vec<BoardName>, effects: &mut Vec<Effect>) {
    if boards.is_empty() {
        return model.say(Tone::Failed, "There is no board to show the console of.");
    }
    if boards.len() > MOST {
        let text = format!("These are the first {MOST} of {} consoles.", boards.len());
        model.say(Tone::News, &text);
    }
    let here = model.console.as_ref().map(|console| console.board.clone());
    let focus = boards.iter().take(MOST).position(|board| Some(board) == here.as_ref());
    views::leave(model, effects);
    model.grid = Some(Grid::new(boards, focus.unwrap_or(0)));
}

/// Follows what is drawn, and nothing else. Typing on all ends when not all are drawn any more, so
/// that no board is left out unseen.
pub(super) fn settle(model: &mut Model, effects: &mut Vec<Effect>) {
    let drawn: Vec<usize> = view::panes(model).into_iter().map(|(place, _)| place).collect();
    let mut watched = Vec::new();
    if let Some(grid) = &mut model.grid {
        for (place, pane) in grid.panes.iter_mut().enumerate() {
            if !drawn.contains(&place) {
                pane.live = None;
                continue;
            }
            let live = pane.live.get_or_insert_with(|| {
                model.feeds += 1;
                Live::new(model.feeds)
            });
            watched.push((live.feed, pane.board.clone()));
        }
        if grid.typing == Some(Reach::All) && watched.len() < grid.panes.len() {
            grid.typing = None;
            model.say(Tone::Failed, "Not all consoles fit any more: you type on none of them.");
        }
    }
    if model.watched != watched {
        model.watched.clone_from(&watched);
        effects.push(Effect::Watch(watched));
    }
}

/// Does what a key of a grid asks for; false if it is none of a grid's.
pub(super) fn act(model: &mut Model, action: Action, effects: &mut Vec<Effect>) -> bool {
    let columns = view::columns(model).max(1);
    let Some(grid) = &mut model.grid else { return false };
    let (focus, count) = (grid.focus, grid.panes.len());
    let other = match action {
        Action::NextPane => Some((focus + 1) % count),
        Action::PreviousPane => Some((focus + count - 1) % count),
        Action::Pane(number) => Some(usize::from(number).saturating_sub(1)),
        Action::Toward(Side::Left) => focus.checked_sub(1),
        Action::Toward(Side::Right) => Some(focus + 1),
        Action::Toward(Side::Above) => focus.checked_sub(columns),
        Action::Toward(Side::Below) => Some(focus + columns),
        _ => None,
    };
    match action {
        Action::NextPane | Action::PreviousPane | Action::Pane(_) | Action::Toward(_) => {
            grid.focus = other.filter(|place| *place < count).unwrap_or(focus);
        }
        Action::Zoom => grid.zoomed = !grid.zoomed,
        Action::Type(Reach::One) => type_on(model, Reach::One, effects),
        Action::Type(Reach::All) => ask(model),
        _ => return false,
    }
    true
}

/// Asks before anything is typed on more than one board.
fn ask(model: &mut Model) {
    let Some(grid) = &mut model.grid else { return };
    grid.zoomed = false;
    let (drawn, count) =
        (view::panes(model).len(), model.grid.as_ref().map_or(0, |it| it.panes.len()));
    if drawn < count {
        let text = format!(
            "{drawn} of the {count} consoles fit on this screen, and nothing is typed unseen. \
             Make it larger, or mark fewer boards."
        );
        return model.say(Tone::Failed, &text);
    }
    let (ours, others) = split(model);
    if ours.is_empty() {
        return model.say(Tone::Failed, "None of these boards is yours to type on.");
    }
    let end = model.settings.keys.escape.label();
    let mut about = format!("Every key goes to {} until {end}: {}.", ours.len(), ours.join(", "));
    if !others.is_empty() {
        about.push_str(&format!(" Not to {}.", others.join(", ")));
    }
    model.dialog = Some(Dialog::Choice(Choice {
        title: format!("Type on {} consoles at once?", ours.len()),
        about,
        answers: vec![asks::cancel(), ("Type on all".to_owned(), Step::TypeOnAll)],
        marked: 0,
    }));
}

/// The boards of a grid that are ours, and the others with who holds them.
fn split(model: &Model) -> (Vec<String>, Vec<String>) {
    let (mut ours, mut others) = (Vec::new(), Vec::new());
    for name in model.grid.iter().flat_map(Grid::boards) {
        match model.table.row(&name) {
            Some(board) if model.is_mine(board) => ours.push(name.to_string()),
            Some(board) => match &board.hold {
                Some(hold) => others.push(format!("{name} ({})", hold.who)),
                None => others.push(format!("{name} (nobody's)")),
            },
            None => others.push(format!("{name} (not in the lab)")),
        }
    }
    (ours, others)
}

/// From now on keys go to boards.
pub(super) fn type_on(model: &mut Model, reach: Reach, effects: &mut Vec<Effect>) {
    let Some(grid) = &mut model.grid else { return };
    grid.typing = Some(reach);
    grid.line_start = true;
    with_pens(model, |_, live| live.pen != PenHolder::Us, PenAsk::Take, effects);
    let grid = model.grid.as_ref();
    let place = grid.map_or(0, |grid| grid.focus);
    let board = grid.and_then(Grid::board).and_then(|name| model.table.row(name));
    if reach == Reach::One && board.is_none_or(|board| !model.is_mine(board)) {
        if let Some(grid) = &mut model.grid {
            grid.typing = None;
        }
        let text = format!("You only look at console {}: its board is not yours.", place + 1);
        model.say(Tone::News, &text);
    }
}

/// Asks something about the pens of what keys go to, as far as the boards are ours.
fn with_pens(
    model: &mut Model,
    which: impl Fn(usize, &Live) -> bool,
    ask: PenAsk,
    effects: &mut Vec<Effect>,
) {
    let Some(grid) = &model.grid else { return };
    let meant = grid.live().filter(|(place, board, live)| {
        let ours = model.table.row(board).is_some_and(|board| model.is_mine(board));
        grid.reaches(*place) && ours && which(*place, live)
    });
    let sessions: Vec<u64> = meant.filter_map(|(_, _, live)| live.session).collect();
    for session in sessions {
        call(model, Call::Pen { session, ask: ask.clone() }, effects);
    }
}

/// Keys are labtui's again, and the pens anybody's.
fn end(model: &mut Model, effects: &mut Vec<Effect>) {
    with_pens(model, |_, _| true, PenAsk::Drop, effects);
    if let Some(grid) = &mut model.grid {
        grid.typing = None;
    }
}

/// A key that is the boards', unless it goes on with the prefix, which ends that.
pub(super) fn key(
    model: &mut Model,
    event: KeyEvent,
    pressed: Option<Key>,
    effects: &mut Vec<Effect>,
) {
    let escape = &model.settings.keys.escape;
    let Some(grid) = &mut model.grid else { return };
    match prefixed(escape, &mut grid.held, grid.line_start, pressed) {
        Some(true) => return end(model, effects),
        Some(false) => return,
        None => {}
    }
    let held = std::mem::take(&mut grid.held).into_iter().map(Key::event);
    let events: Vec<KeyEvent> = held.chain([event]).collect();
    grid.line_start = event.code == KeyCode::Enter;
    let keys = |emulator: &Emulator| events.iter().flat_map(|it| emulator.key(*it)).collect();
    send(model, keys, effects);
    if event.code == KeyCode::Enter {
        look_at_pens(model, effects);
    }
}

/// Sends to each console that keys go to, and whose pen is ours, what is typed there.
pub(super) fn send(
    model: &mut Model,
    typed: impl Fn(&Emulator) -> Vec<u8>,
    effects: &mut Vec<Effect>,
) {
    let Some(grid) = &model.grid else { return };
    let has = grid.live().filter(|(place, _, live)| grid.reaches(*place) && live.has_pen());
    let sent: Vec<(u64, Vec<u8>)> =
        has.map(|(_, _, live)| (live.feed, typed(&live.emulator))).collect();
    if sent.is_empty() {
        let end = model.settings.keys.escape.label();
        let text = format!("No console got that: you have the pen of none. {end} ends typing.");
        return model.say(Tone::Failed, &text);
    }
    let some = sent.into_iter().filter(|(_, bytes)| !bytes.is_empty());
    effects.extend(some.map(|(feed, bytes)| Effect::TypeOn { feed, bytes }));
}

/// Asks who has the pens, since somebody may have taken one.
fn look_at_pens(model: &mut Model, effects: &mut Vec<Effect>) {
    let Some(grid) = &model.grid else { return };
    let meant = grid.live().filter(|(place, ..)| grid.reaches(*place));
    let boards: Vec<BoardName> = meant.map(|(_, board, _)| board.clone()).collect();
    boards.into_iter().for_each(|board| look(model, board, effects));
}

fn look(model: &mut Model, board: BoardName, effects: &mut Vec<Effect>) {
    let detail = Call::Detail(board);
    if !model.calls.contains(&detail) {
        call(model, detail, effects);
    }
}

/// What the feed of a pane says.
pub(super) fn hear(model: &mut Model, feed: u64, news: News, effects: &mut Vec<Effect>) {
    let now = model.now;
    let Some(grid) = &mut model.grid else { return };
    let Some(place) = grid.live().find(|(_, _, live)| live.feed == feed).map(|(place, ..)| place)
    else {
        return;
    };
    let board = grid.panes[place].board.clone();
    let Some(live) = &mut grid.panes[place].live else { return };
    let connected = matches!(news, News::Up(_));
    let changed = connected || matches!(news, News::Down { .. } | News::Refused(_));
    hear::print(&mut live.link, &mut live.session, &mut live.emulator, now, news);
    if changed {
        live.pen = PenHolder::Unknown;
    }
    if connected {
        with_pens(model, |other, _| other == place, PenAsk::Take, effects);
        look(model, board, effects);
    }
}

/// Takes in who is at a console.
pub(super) fn know(model: &mut Model, detail: &BoardDetail) {
    let Some(grid) = &mut model.grid else { return };
    let panes = grid.panes.iter_mut().filter(|pane| pane.board == detail.board.name);
    for live in panes.filter_map(|pane| pane.live.as_mut()) {
        if let Some(line) = &detail.line {
            live.know(line);
        }
    }
}

/// Takes in how a pen stands; false if it is no pane's.
pub(super) fn pen(
    model: &mut Model,
    session: u64,
    pen: PenState,
    effects: &mut Vec<Effect>,
) -> bool {
    let Some(grid) = &mut model.grid else { return false };
    let here = |live: &Live| live.session == Some(session);
    let found = grid.live().find(|(_, _, live)| here(live)).map(|(_, board, _)| board.clone());
    let Some(board) = found else { return false };
    for live in grid.live_mut().filter(|live| here(live)) {
        live.pen = match pen {
            PenState::Yours | PenState::Paired => PenHolder::Us,
            PenState::InLine { .. } | PenState::NotYours => PenHolder::Unknown,
        };
    }
    look(model, board, effects);
    true
}
