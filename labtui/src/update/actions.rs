//! What each action does.

use protocol::board::Board;
use protocol::console::{PenAsk, Viewer};
use protocol::search::Direction;

use super::{
    Effect, asks, batch, calendar, call, copy, grid, lists, moved, past, send, set_mode, typing,
    views,
};
use crate::call::Call;
use crate::dialog::{Dialog, Step};
use crate::grid::{Grid, Reach};
use crate::keys::{Action, Key, Move};
use crate::model::{Focus, Mode, Model, Page, Typing};
use crate::notice::Tone;
use crate::palette::Palette;
use crate::view;

/// Does what a key asks for.
pub(super) fn act(model: &mut Model, action: Action, effects: &mut Vec<Effect>) {
    if calendar::act(model, action) || grid::act(model, action, effects) {
        return;
    }
    match action {
        Action::Move(by) => move_by(model, by),
        Action::Open => model.focus = Focus::Facts,
        Action::NextPane => model.focus = next_pane(model.focus),
        Action::PreviousPane => model.focus = next_pane(next_pane(model.focus)),
        Action::Pane(number) => go_to_pane(model, number),
        Action::Zoom => model.zoomed = !model.zoomed,
        Action::Reserve if batch::is_meant(model) => batch::reserve(model),
        Action::Reserve => with_board(model, asks::reserve),
        Action::Release if batch::is_meant(model) => batch::release(model),
        Action::Release => with_board(model, asks::release),
        Action::Extend => with_board(model, asks::extend),
        Action::Power if batch::is_meant(model) => batch::power(model),
        Action::Power => {
            set_mode(model, Mode::Live);
            with_board(model, asks::power);
        }
        Action::Undo => asks::undo(model, effects),
        Action::Copy => copy::offer(model),
        Action::Console => with_board(model, |model, board| views::attach(model, board, effects)),
        Action::Consoles => grid::open_marked(model, effects),
        Action::Calendar => calendar::open(model, effects),
        // Where there is no grid and no calendar.
        Action::Toward(_) | Action::Type(_) | Action::Now => {}
        Action::Filter => model.typing = Some(Typing::Filter),
        Action::NextMatch => find(model, 1),
        Action::PreviousMatch => find(model, -1),
        Action::Mark => {
            model.table.mark();
            move_by(model, Move::Down);
        }
        Action::MarkRange => model.table.mark_range(),
        Action::Sort => model.table.reorder(),
        Action::Reverse => model.table.reverse(),
        Action::Palette => model.typing = Some(Typing::Command(Palette::default())),
        Action::LastView => views::last(model, effects),
        Action::Labs => views::labs(model),
        Action::Messages => model.page = Some(Page::Messages(0)),
        Action::Report => report(model),
        Action::Mouse => mouse(model),
        Action::Help => {
            set_mode(model, Mode::Live);
            model.search.clear();
            model.page = Some(Page::Help(0));
        }
        Action::Search => {
            model.search.clear();
            model.typing = Some(Typing::Search);
        }
        Action::Back if !views::back(model) && !model.table.unmark() => {
            model.table.set_filter(String::new());
        }
        Action::Back => {}
        Action::Leave if !views::back(model) => effects.push(Effect::Quit),
        Action::Leave => {}
        Action::Accept => accept(model, effects),
        Action::Cancel if model.typing.is_some() => typing::cancel(model),
        Action::Cancel => model.dialog = None,
        Action::Erase => typing::edit(model, |text| _ = text.pop()),
        Action::EraseAll => typing::edit(model, String::clear),
        Action::Complete => typing::complete(model, 1),
        Action::CompleteBack => typing::complete(model, -1),
        Action::Earlier => typing::recall(model, 1),
        Action::Later => typing::recall(model, -1),
        Action::NextChoice => mark(model, 1),
        Action::PreviousChoice => mark(model, -1),
        Action::Detach => views::depart(model, effects),
        Action::Literal => literal(model, effects),
        Action::AskPen => ask_pen(model, PenAsk::Ask, effects),
        Action::GrantPen => ask_pen(model, PenAsk::Grant { session: None }, effects),
        Action::KeepPen => ask_pen(model, PenAsk::Keep, effects),
        Action::PairPen => {
            let is_paired = model.viewers().unwrap_or_default().iter().any(|it| it.paired);
            let ask = if is_paired { PenAsk::Part } else { PenAsk::Pair { session: None } };
            ask_pen(model, ask, effects);
        }
        Action::ForcePen => with_session(model, asks::force_pen),
        Action::Who => who(model),
        Action::Break => with_session(model, |model, session| {
            call(model, Call::Break { session }, effects);
        }),
        Action::NextConsole => views::neighbour(model, 1, effects),
        Action::PreviousConsole => views::neighbour(model, -1, effects),
        Action::Scrollback => set_mode(model, Mode::Scrollback),
        Action::SearchPast => past::search(model),
        Action::OlderHit => past::next(model, Direction::Backward),
        Action::NewerHit => past::next(model, Direction::Forward),
        Action::Older(mark) => past::leap(model, mark, Direction::Backward),
        Action::Newer(mark) => past::leap(model, mark, Direction::Forward),
        Action::SearchLab => {
            let palette = Palette { text: "search ".to_owned(), ..Palette::default() };
            model.typing = Some(Typing::Command(palette));
        }
        Action::Boots => with_board(model, |model, board| lists::boots(model, board, effects)),
        Action::Jump => lists::jump(model, effects),
        Action::Redraw => effects.push(Effect::Redraw),
        Action::Suspend => effects.push(Effect::Suspend),
        Action::Quit => effects.push(Effect::Quit),
    }
}

fn next_pane(focus: Focus) -> Focus {
    match focus {
        Focus::Table => Focus::Facts,
        Focus::Facts => Focus::Timeline,
        Focus::Timeline => Focus::Table,
    }
}

fn go_to_pane(model: &mut Model, number: u8) {
    let panes = [Focus::Table, Focus::Facts, Focus::Timeline];
    model.focus = panes.into_iter().find(|pane| pane.number() == number).unwrap_or(model.focus);
}

pub(super) fn move_by(model: &mut Model, by: Move) {
    let layout = view::layout(model);
    if let Some(page) = model.page {
        let height = layout.page_rows();
        model.page = Some(match page {
            Page::Help(top) => Page::Help(moved(top, by, height, view::help_lines(model, &layout))),
            Page::Report(top) => {
                let rows = model.batch.as_ref().map_or(0, |batch| batch.rows.len());
                Page::Report(moved(top, by, height, rows))
            }
            Page::Users(top) => {
                let count = model.accounts.as_ref().map_or(0, Vec::len);
                Page::Users(moved(top, by, height, count))
            }
            Page::Tokens(top) => {
                let count = model.tokens.as_ref().map_or(0, Vec::len);
                Page::Tokens(moved(top, by, height, count))
            }
            Page::Audit(back) => {
                Page::Audit(moved_back(back, by, height, view::audit_back(model, &layout)))
            }
            Page::Calendar => {
                let place = model.table.place().unwrap_or(0);
                model.table.select(moved(place, by, height, model.table.len()));
                Page::Calendar
            }
            Page::Messages(back) => {
                Page::Messages(moved_back(back, by, height, view::messages_back(model, &layout)))
            }
            Page::Hits(_) | Page::Boots(_) => lists::moved_by(model, page, by, height),
        });
    } else if model.console.is_some() {
        past::scroll(model, by);
    } else if model.focus == Focus::Table {
        let place = model.table.place().unwrap_or(0);
        model.table.select(moved(place, by, layout.table_rows(), model.table.len()));
    } else {
        let facts = view::facts_lines(model, &layout).saturating_sub(layout.facts_rows()) + 1;
        let furthest = view::timeline_back(model, &layout);
        let Some(closeup) = &mut model.closeup else { return };
        if model.focus == Focus::Facts {
            closeup.top = moved(closeup.top, by, layout.facts_rows(), facts);
        } else {
            let height = layout.timeline_rows();
            closeup.back = moved_back(closeup.back, by, height, furthest);
        }
    }
}

/// The same as [`moved`], counted up from the newest, at most to `furthest`.
fn moved_back(back: usize, by: Move, page: usize, furthest: usize) -> usize {
    furthest - moved(furthest.saturating_sub(back), by, page, furthest + 1)
}

/// Goes to the next board that the filter finds, or that the last one would find.
fn find(model: &mut Model, by: isize) {
    let filter = model.table.filter();
    let sought = if filter.text().is_empty() { &model.sought } else { filter };
    if sought.text().is_empty() {
        return model.say(Tone::News, "Nothing has been looked for yet. / does.");
    }
    match model.table.find(sought, by) {
        Some(place) => model.table.select(place),
        None => {
            let text = format!("No board is found by '{}'.", sought.text());
            model.say(Tone::News, &text);
        }
    }
}

/// What a deed is about: the board of the console that is attached or has the focus, else the one
/// that is selected.
fn with_board(model: &mut Model, act: impl FnOnce(&mut Model, &Board)) {
    let attached = model.console.as_ref().map(|console| &console.board);
    let board = match attached.or(model.grid.as_ref().and_then(Grid::board)) {
        Some(name) => model.table.row(name),
        None => model.table.selected(),
    };
    match board.cloned() {
        Some(board) => act(model, &board),
        None => model.say(Tone::Failed, "No board is selected. Esc takes the filter away."),
    }
}

fn with_session(model: &mut Model, act: impl FnOnce(&mut Model, u64)) {
    set_mode(model, Mode::Live);
    match model.console.as_ref().and_then(|console| console.session) {
        Some(session) => act(model, session),
        None => {
            let detach = model.typed(crate::keys::Group::Console, Action::Detach);
            let text = format!("Not connected. It goes on by itself; {detach} detaches.");
            model.say(Tone::Failed, &text);
        }
    }
}

/// Sends the prefix to the board.
fn literal(model: &mut Model, effects: &mut Vec<Effect>) {
    set_mode(model, Mode::Live);
    let prefix: Vec<Key> = model.settings.keys.escape.prefix.clone();
    let Some(console) = &model.console else { return };
    let bytes = prefix.into_iter().flat_map(|key| console.emulator.key(key.event())).collect();
    send(model, bytes, effects);
}

/// Tells who types on the console and who looks on.
fn who(model: &mut Model) {
    set_mode(model, Mode::Live);
    let viewer = |it: &Viewer| {
        let stands = it.stands().unwrap_or_else(|| "looks on".to_owned());
        format!("{} {stands}", it.who)
    };
    let viewers: Vec<String> = model.viewers().unwrap_or_default().iter().map(viewer).collect();
    match viewers.is_empty() {
        false => model.say(Tone::News, &format!("{}.", viewers.join(", "))),
        true => model.say(Tone::News, "Nobody is known to be here yet."),
    }
}

fn ask_pen(model: &mut Model, ask: PenAsk, effects: &mut Vec<Effect>) {
    with_session(model, |model, session| call(model, Call::Pen { session, ask }, effects));
}

fn report(model: &mut Model) {
    match model.batch {
        Some(_) => model.page = Some(Page::Report(0)),
        None => model.say(Tone::News, "No boards were asked together yet. Space marks them."),
    }
}

fn mouse(model: &mut Model) {
    model.mouse = !model.mouse;
    model.say(
        Tone::News,
        match model.mouse {
            true => "The mouse is labtui's. With Shift it selects text, as always.",
            false => "The mouse is the terminal's.",
        },
    );
}

fn accept(model: &mut Model, effects: &mut Vec<Effect>) {
    if model.typing.is_some() {
        return typing::accept(model, effects);
    }
    match model.dialog.take() {
        None => {}
        Some(Dialog::Question(mut question)) => match question.step() {
            Ok(next) => step(model, next, effects),
            Err(fault) => {
                question.fault = Some(fault);
                model.dialog = Some(Dialog::Question(question));
            }
        },
        Some(Dialog::Choice(choice)) => step(model, choice.step(), effects),
    }
}

/// Does what an answer leads to.
pub(super) fn step(model: &mut Model, step: Step, effects: &mut Vec<Effect>) {
    match step {
        Step::Nothing => {}
        Step::Call(asked) => {
            if let Call::Release { release, .. } = &asked {
                model.let_go.extend(release.number);
            }
            call(model, asked, effects);
        }
        Step::Power(board, ask) => match model.table.row(&board).cloned() {
            Some(row) => asks::switch(model, &row, ask, effects),
            None => model.say(Tone::Failed, &format!("{board} is not in the lab any more.")),
        },
        Step::PowerAll(ask) => batch::switch(model, ask),
        Step::Together(all) => batch::ask(model, all, effects),
        Step::TypeOnAll => grid::type_on(model, Reach::All, effects),
        Step::Copy(text) => effects.push(Effect::Copy(text)),
        Step::Go(address) => views::go(model, address, effects),
    }
}

fn mark(model: &mut Model, by: isize) {
    if let Some(Dialog::Choice(choice)) = &mut model.dialog {
        choice.mark(by);
    }
}
