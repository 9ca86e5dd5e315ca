//! A console's history: what is looked for in it, and where one goes.
//!
//! One question about each is under way at a time. What somebody types meanwhile is asked when it is
//! answered, so that a search follows the keys as fast as the lab does.

use protocol::Error;
use protocol::board::BoardName;
use protocol::search::{Direction, Hit, Search};

use super::{Effect, call};
use crate::call::Call;
use crate::keys::{Action, Group, Move};
use crate::model::{Console, Mode, Model, Typing};
use crate::notice::Tone;
use crate::past::{Mark, Past, Place, Printed, Quest};
use crate::view;

/// Starts to type what to look for, from where one is.
pub(super) fn search(model: &mut Model) {
    let Some(console) = &mut model.console else { return };
    let origin = console.past.as_ref().map(|past| past.place.clone());
    console.quest = Quest { origin, ..Quest::default() };
    console.mode = Mode::Scrollback;
    model.typing = Some(Typing::Past);
}

/// Changes what is looked for; it is looked for at once.
pub(super) fn edit(model: &mut Model, change: impl FnOnce(&mut String)) {
    let Some(console) = &mut model.console else { return };
    let from = console.quest.origin.as_ref().map(|place| place.offset);
    change(&mut console.quest.text);
    console.quest.fault = None;
    console.quest.next(&console.board, Direction::Backward, from);
}

/// Forgets what was looked for, and goes back to where one was.
pub(super) fn cancel(model: &mut Model) {
    let Some(console) = &mut model.console else { return };
    match std::mem::take(&mut console.quest).origin {
        Some(place) => console.wanted = Some(place),
        None => console.go_live(),
    }
}

/// Looks for the next line that has it.
pub(super) fn next(model: &mut Model, direction: Direction) {
    let Some(console) = &mut model.console else { return };
    if console.quest.text.is_empty() {
        let search = model.typed(Group::Scrollback, Action::SearchPast);
        let text = format!("Nothing has been looked for yet. {search} does.");
        return model.say(Tone::News, &text);
    }
    let here = console.past.as_ref().map(|past| past.place.offset);
    match (direction, here) {
        (Direction::Forward, None) => model.say(Tone::News, "This is the newest."),
        (Direction::Forward, Some(here)) => {
            console.quest.next(&console.board, direction, Some(here + 1));
        }
        (Direction::Backward, here) => console.quest.next(&console.board, direction, here),
    }
}

/// What was found, if it is still what is looked for.
pub(super) fn found(model: &mut Model, asked: &Search, hits: &[Hit]) {
    let Some(console) = with_quest(model, asked) else { return };
    let text = console.quest.text.clone();
    if let Some(hit) = hits.first() {
        console.wanted = Some(Place::of_hit(hit, &text));
        return;
    }
    let way = match asked.direction {
        Direction::Backward => "older",
        Direction::Forward => "newer",
    };
    complain(model, format!("no {way} line has '{text}'"));
}

/// A search was refused: its regex is not finished, or the lab is not there.
pub(super) fn refused(model: &mut Model, asked: &Search, why: &Error) {
    if with_quest(model, asked).is_some() {
        complain(model, why.to_string());
    }
}

/// The console whose last question this was, if it has no other by now.
fn with_quest<'a>(model: &'a mut Model, asked: &Search) -> Option<&'a mut Console> {
    let console = model.console.as_mut()?;
    console.quest.asked.take_if(|it| **it == *asked)?;
    console.quest.wanted.is_none().then_some(console)
}

/// Says it beside what is typed, as long as that is being typed.
fn complain(model: &mut Model, why: String) {
    match (&model.typing, &mut model.console) {
        (Some(Typing::Past), Some(console)) => console.quest.fault = Some(why),
        _ => model.say(Tone::News, &format!("Not found: {why}.")),
    }
}

/// Goes to a mark before or after what is shown, as far as the timeline has been read.
pub(super) fn leap(model: &mut Model, mark: Mark, direction: Direction) {
    let Some(console) = &model.console else { return };
    let here = console.past.as_ref().map_or(u64::MAX, |past| past.place.offset);
    let closeup = model.closeup.as_ref().filter(|closeup| closeup.board == console.board);
    let marks = closeup.iter().flat_map(|it| &it.entries).filter(|entry| mark.is(&entry.event));
    let places = marks.filter_map(Place::of_entry);
    let found = match direction {
        Direction::Backward => places.filter(|it| it.offset < here).max_by_key(|it| it.offset),
        Direction::Forward => places.filter(|it| it.offset > here).min_by_key(|it| it.offset),
    };
    match found {
        Some(place) => go(model, place),
        None => {
            let way = if direction == Direction::Backward { "older" } else { "newer" };
            let text = format!("The timeline that is read here has no {way} {}.", mark.title());
            model.say(Tone::News, &text);
        }
    }
}

/// Shows the console as it looked at a place, as soon as that is read.
pub(super) fn go(model: &mut Model, place: Place) {
    if let Some(console) = &mut model.console {
        (console.mode, console.wanted) = (Mode::Scrollback, Some(place));
    }
}

/// What the console printed around a place, if it is still the one to go to.
pub(super) fn recalled(model: &mut Model, board: &BoardName, offset: u64, printed: Printed) {
    let screen = view::layout(model).console;
    let Some(console) = with_place(model, board, offset) else { return };
    let Some(place) = console.asked.take().filter(|_| console.wanted.is_none()) else { return };
    let is_lost = printed.offset > offset;
    console.past = Some(Past::new(place, printed, (screen.width, screen.height)));
    if is_lost {
        model.say(Tone::News, "What was printed there is no longer kept. This is the oldest.");
    }
}

/// What the console printed there cannot be read; the notice says why.
pub(super) fn lost(model: &mut Model, board: &BoardName, offset: u64) {
    if let Some(console) = with_place(model, board, offset) {
        console.asked = None;
    }
}

fn with_place<'a>(model: &'a mut Model, board: &BoardName, offset: u64) -> Option<&'a mut Console> {
    let console = model.console.as_mut().filter(|console| console.board == *board)?;
    let is_asked = console.asked.as_ref().is_some_and(|place| place.offset == offset);
    is_asked.then_some(console)
}

/// Scrolls. Below the screen of the past lies what came next, and at the end of all what comes now.
pub(super) fn scroll(model: &mut Model, by: Move) {
    let Some(console) = &mut model.console else { return };
    let Some(past) = &mut console.past else { return console.emulator.scroll(by) };
    let height = usize::from(model.size.1);
    let lines = match by {
        Move::Down => 1,
        Move::HalfDown => height / 2,
        Move::PageDown => height,
        Move::Last => return console.go_live(),
        _ => return past.emulator.scroll(by),
    };
    if past.emulator.scrolled().0 > 0 {
        return past.emulator.scroll(by);
    }
    if past.go_on(lines) {
        return;
    }
    // All that was read has been shown: more of it is read, or this is how it looks now.
    let (offset, about) = (past.offset(), past.place.about.clone());
    match offset == past.place.offset {
        true => console.go_live(),
        false => console.wanted = Some(Place { offset, at: None, about, is_line: true }),
    }
}

/// Asks for what is still to be found and to be shown.
pub(super) fn settle(model: &mut Model, effects: &mut Vec<Effect>) {
    let Some(console) = &mut model.console else { return };
    let is_asked = |asked: Call| model.calls.contains(&asked);
    let mut next = Vec::new();
    let looking = console.quest.asked.clone().is_some_and(|asked| is_asked(Call::Find(asked)));
    if !looking && let Some(search) = console.quest.wanted.take() {
        console.quest.asked = Some(search.clone());
        next.push(Call::Find(search));
    }
    let board = console.board.clone();
    let past = |offset| Call::Past { board: board.clone(), offset };
    let reading = console.asked.as_ref().is_some_and(|place| is_asked(past(place.offset)));
    if !reading && let Some(place) = console.wanted.take() {
        next.push(past(place.offset));
        console.asked = Some(place);
    }
    next.into_iter().for_each(|asked| call(model, asked, effects));
}
