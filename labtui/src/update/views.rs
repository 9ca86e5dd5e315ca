//! Where somebody is, was, and goes.

use protocol::address::Address;
use protocol::board::{Board, BoardName};
use protocol::console::Pen;

use super::{Effect, calendar, grid, set_mode};
use crate::dialog::{Choice, Dialog, Step};
use crate::model::{Console, Focus, Mode, Model, Page, View};
use crate::notice::Tone;

/// Where somebody is; none where one does not come back to, such as help.
pub(super) fn present(model: &Model) -> Option<View> {
    match (&model.page, &model.console) {
        _ if model.typing.is_some() || model.dialog.is_some() => None,
        (Some(Page::Messages(_)), _) => Some(View::Messages),
        (Some(Page::Hits(_)), _) => Some(View::Hits),
        (Some(Page::Boots(_)), _) => Some(View::Boots),
        (Some(Page::Calendar), _) => Some(View::Calendar),
        (Some(_), _) => None,
        (None, Some(console)) => Some(View::Console(console.board.clone())),
        (None, None) if let Some(grid) = &model.grid => Some(View::Consoles(grid.boards())),
        (None, None) if model.focus == Focus::Table => {
            Some(View::Boards(model.table.filter().text().to_owned()))
        }
        (None, None) => model.table.selected().map(|board| View::Board(board.name.clone())),
    }
}

/// Remembers where somebody was, if they went elsewhere.
pub(super) fn remember(model: &mut Model, before: Option<View>) {
    let after = present(model);
    if after.is_some() && model.here != after {
        model.last = model.here.take().or(before);
        model.here = after;
    }
}

/// Goes where somebody was before.
pub(super) fn last(model: &mut Model, effects: &mut Vec<Effect>) {
    set_mode(model, Mode::Live);
    match model.last.clone() {
        Some(view) => show(model, view, effects),
        None => model.say(Tone::News, "You have been nowhere else yet."),
    }
}

/// Goes to a view.
pub(super) fn show(model: &mut Model, view: View, effects: &mut Vec<Effect>) {
    match view {
        View::Boards(filter) => {
            leave(model, effects);
            model.table.set_filter(filter);
        }
        View::Board(name) => {
            leave(model, effects);
            if select(model, &name) {
                model.focus = Focus::Facts;
            }
        }
        View::Console(name) => match model.table.row(&name).cloned() {
            Some(board) => attach(model, &board, effects),
            None => missing(model, &name),
        },
        View::Consoles(boards) => grid::open(model, boards, effects),
        View::Calendar => calendar::open(model, effects),
        View::Messages => model.page = Some(Page::Messages(0)),
        View::Hits => model.page = Some(Page::Hits(0)),
        View::Boots => model.page = Some(Page::Boots(0)),
    }
}

/// Back to the table, from wherever.
pub(super) fn leave(model: &mut Model, effects: &mut Vec<Effect>) {
    (model.page, model.grid, model.focus) = (None, None, Focus::Table);
    detach(model, effects);
}

/// Selects a board; a filter that hides it is taken away.
pub(super) fn select(model: &mut Model, name: &BoardName) -> bool {
    if model.table.row(name).is_none() {
        missing(model, name);
        return false;
    }
    if !model.table.select_board(name) {
        model.table.set_filter(String::new());
        model.table.select_board(name);
    }
    true
}

fn missing(model: &mut Model, name: &BoardName) {
    model.say(Tone::Failed, &format!("There is no board {name} here. :boards lists them all."));
}

pub(super) fn attach(model: &mut Model, board: &Board, effects: &mut Vec<Effect>) {
    model.feeds += 1;
    (model.page, model.grid) = (None, None);
    let (feed, name) = (model.feeds, board.name.clone());
    let types = model.is_mine(board) && !model.settings.read_only;
    let pen = if types { Pen::Wanted } else { Pen::Unwanted };
    model.console = Some(Console::new(name.clone(), feed, model.size));
    effects.push(Effect::Attach { feed, board: name, pen });
}

/// Detaches, and goes back to the consoles side by side if it was attached from there.
pub(super) fn depart(model: &mut Model, effects: &mut Vec<Effect>) {
    match model.last.clone() {
        Some(View::Consoles(boards)) => grid::open(model, boards, effects),
        _ => detach(model, effects),
    }
}

pub(super) fn detach(model: &mut Model, effects: &mut Vec<Effect>) {
    if model.console.take().is_some() {
        effects.push(Effect::Detach);
    }
}

/// Attaches to the console of the board so many rows further down the table, going around.
pub(super) fn neighbour(model: &mut Model, by: isize, effects: &mut Vec<Effect>) {
    set_mode(model, Mode::Live);
    let Some(console) = &model.console else { return };
    let here = console.board.clone();
    model.table.select_board(&here);
    let (count, place) = (model.table.len() as isize, model.table.place().unwrap_or(0) as isize);
    model.table.select((place + by).rem_euclid(count.max(1)) as usize);
    match model.table.selected().filter(|board| board.name != here).cloned() {
        Some(board) => attach(model, &board, effects),
        None => model.say(Tone::News, "The table shows no other board."),
    }
}

/// Goes back one level; false at the root.
pub(super) fn back(model: &mut Model) -> bool {
    if model.page.take().is_some() {
        model.search.clear();
        return true;
    }
    match &mut model.console {
        Some(console) => {
            console.go_live();
            true
        }
        None if model.grid.take().is_some() => true,
        None => std::mem::replace(&mut model.focus, Focus::Table) != Focus::Table,
    }
}

/// Offers the labs that one has logged in to.
pub(super) fn labs(model: &mut Model) {
    if model.labs.is_empty() {
        let text = "You have logged in to no lab elsewhere. labctl login does that.";
        return model.say(Tone::News, text);
    }
    let step = |(name, address): &(String, Address)| (name.clone(), Step::Go(address.clone()));
    let answers = model.labs.iter().map(step).chain([("Cancel".to_owned(), Step::Nothing)]);
    model.dialog = Some(Dialog::Choice(Choice {
        title: "Go to another lab".to_owned(),
        about: format!("You are at {}.", model.lab),
        answers: answers.collect(),
        marked: 0,
    }));
}

/// Goes to another lab: of this one nothing is left but what was said.
pub(super) fn go(model: &mut Model, address: Address, effects: &mut Vec<Effect>) {
    let (zone, size, now) = (model.zone.clone(), model.size, model.now);
    let old = std::mem::replace(model, Model::new(address.to_string(), zone, size, now));
    model.feeds = old.feeds;
    model.notices = old.notices;
    model.history = old.history;
    model.labs = old.labs;
    (model.mouse, model.captured) = (old.mouse, old.captured);
    model.background = old.background;
    model.adopt(old.settings);
    effects.push(Effect::Go(address));
}
