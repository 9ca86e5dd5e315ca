//! What each action does.

use protocol::board::Board;
use protocol::console::{Pen, PenAsk};
use protocol::hold::Release;
use protocol::power::{PowerAsk, PowerState};
use protocol::user::Role;

use super::{Effect, back, call, moved, send, set_mode};
use crate::call::Call;
use crate::dialog::{Choice, Dialog, Purpose, Question, Step, left};
use crate::emulator::Emulator;
use crate::keys::{Action, Context, Move};
use crate::model::{Console, Filtering, Focus, Link, Mode, Model, Page};
use crate::notice::Tone;
use crate::view;

/// Does what a key asks for.
pub(super) fn act(model: &mut Model, action: Action, effects: &mut Vec<Effect>) {
    match action {
        Action::Move(by) => move_by(model, by),
        Action::Open => model.focus = Focus::Facts,
        Action::NextPane => model.focus = next_pane(model.focus),
        Action::PreviousPane => model.focus = next_pane(next_pane(model.focus)),
        Action::Reserve => with_board(model, reserve),
        Action::Release => with_board(model, release),
        Action::Extend => with_board(model, extend),
        Action::Power => with_board(model, power),
        Action::Console => with_board(model, |model, board| attach(model, board, effects)),
        Action::Filter => model.filtering = Filtering::Typing,
        Action::Sort => model.table.reorder(),
        Action::Messages => model.page = Some(Page::Messages(0)),
        Action::Help => {
            set_mode(model, Mode::Live);
            model.page = Some(Page::Help(0));
        }
        Action::Back if !back(model) => model.table.set_filter(String::new()),
        Action::Back => {}
        Action::Leave if !back(model) => effects.push(Effect::Quit),
        Action::Leave => {}
        Action::Accept => accept(model, effects),
        Action::Cancel => cancel(model),
        Action::Erase => edit(model, erase),
        Action::EraseAll => edit(model, String::clear),
        Action::NextChoice => mark(model, 1),
        Action::PreviousChoice => mark(model, -1),
        Action::Detach => {
            model.console = None;
            effects.push(Effect::Detach);
        }
        Action::Literal => {
            set_mode(model, Mode::Live);
            send(model, vec![0x14], effects);
        }
        Action::AskPen => with_session(model, |model, session| {
            call(model, Call::Pen { session, ask: PenAsk::Take }, effects);
        }),
        Action::ForcePen => with_session(model, force_pen),
        Action::Break => with_session(model, |model, session| {
            call(model, Call::Break { session }, effects);
        }),
        Action::Scrollback => set_mode(model, Mode::Scrollback),
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

fn move_by(model: &mut Model, by: Move) {
    let layout = view::layout(model);
    if let Some(page) = model.page {
        let height = layout.page_rows();
        model.page = Some(match page {
            Page::Help(top) => Page::Help(moved(top, by, height, view::help_lines(model, &layout))),
            Page::Messages(back) => {
                Page::Messages(moved_back(back, by, height, view::messages_back(model, &layout)))
            }
        });
    } else if let Some(console) = &mut model.console {
        console.emulator.scroll(by);
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

fn with_board(model: &mut Model, act: impl FnOnce(&mut Model, &Board)) {
    match model.table.selected().cloned() {
        Some(board) => act(model, &board),
        None => model.say(Tone::Failed, "No board is selected. Esc takes the filter away."),
    }
}

fn with_session(model: &mut Model, act: impl FnOnce(&mut Model, u64)) {
    set_mode(model, Mode::Live);
    match model.console.as_ref().and_then(|console| console.session) {
        Some(session) => act(model, session),
        None => model.say(Tone::Failed, "Not connected. It goes on by itself; ^T q detaches."),
    }
}

/// Who has a board, and for how long, as a sentence without its full stop.
fn holding(model: &Model, board: &Board) -> String {
    let name = &board.name;
    match &board.hold {
        None => format!("Nobody holds {name}"),
        Some(hold) if model.is_mine(board) => {
            format!("You hold {name} for {} more", left(hold.until, model.now))
        }
        Some(hold) => format!("{} holds {name} for {} more", hold.who, left(hold.until, model.now)),
    }
}

/// The span that a hold of the selected board has by default, if that is known.
fn usual_span(model: &Model, board: &Board) -> Option<String> {
    let detail = model.closeup.as_ref().and_then(|closeup| closeup.detail.as_ref());
    let detail = detail.filter(|detail| detail.board.name == board.name);
    detail.map(|detail| detail.default_span.to_string())
}

fn reserve(model: &mut Model, board: &Board) {
    let name = &board.name;
    if model.is_mine(board) {
        let text = format!("{name} is yours already. Press x to extend the hold.");
        return model.say(Tone::News, &text);
    }
    let line = match (board.hold.is_some(), board.waiting) {
        (false, _) => "It is free.".to_owned(),
        (true, 0) => format!("{}. You will be next.", holding(model, board)),
        (true, n) => format!("{}. You will wait in line behind {n}.", holding(model, board)),
    };
    let about = format!("{line} For how long? Nothing: as long as is usual for the board.");
    let text = usual_span(model, board).unwrap_or_default();
    let purpose = Purpose::Reserve(name.clone());
    let question = Question::new(format!("Reserve {name}"), about, text, purpose);
    model.dialog = Some(Dialog::Question(question));
}

fn extend(model: &mut Model, board: &Board) {
    let name = &board.name;
    if !model.is_mine(board) {
        let text = format!("{}. Press r to reserve it.", holding(model, board));
        return model.say(Tone::Failed, &text);
    }
    let about = format!("{}. How long is it to last from now?", holding(model, board));
    let text = usual_span(model, board).unwrap_or_else(|| "1h".to_owned());
    let purpose = Purpose::Extend(name.clone());
    let question = Question::new(format!("Extend your hold of {name}"), about, text, purpose);
    model.dialog = Some(Dialog::Question(question));
}

fn release(model: &mut Model, board: &Board) {
    let name = &board.name;
    let is_admin = model.me.as_ref().is_some_and(|me| me.role == Role::Admin);
    let Some(hold) = &board.hold else {
        let text = format!("Nobody holds {name}. Press r to reserve it.");
        return model.say(Tone::News, &text);
    };
    if model.is_mine(board) {
        let release = Release { number: Some(hold.number), breaking: None };
        let step = Step::Call(Call::Release { board: name.clone(), release });
        model.dialog = Some(Dialog::Choice(Choice {
            title: format!("Release {name}?"),
            about: format!("{}. Whoever waits for it gets it.", holding(model, board)),
            answers: vec![("Release", step), ("Cancel", Step::Nothing)],
            marked: 0,
        }));
    } else if is_admin {
        let about = format!("{}. Why is it to end now?", holding(model, board));
        let title = format!("Break the hold of {} on {name}", hold.who);
        let purpose = Purpose::BreakHold(name.clone(), hold.number);
        let question = Question::new(title, about, String::new(), purpose);
        model.dialog = Some(Dialog::Question(question));
    } else {
        let text = format!(
            "{}. Only {} or an administrator can end that.",
            holding(model, board),
            hold.who
        );
        model.say(Tone::Failed, &text);
    }
}

fn power(model: &mut Model, board: &Board) {
    if board.power == PowerState::None {
        let text = format!("{} has no outlet, so nothing can switch it.", board.name);
        return model.say(Tone::Failed, &text);
    }
    let step = |ask| Step::Power(board.name.clone(), ask);
    model.dialog = Some(Dialog::Choice(Choice {
        title: format!("Power of {}", board.name),
        about: format!("Power is {}. {}.", board.power, holding(model, board)),
        answers: vec![
            ("On", step(PowerAsk::On)),
            ("Off", step(PowerAsk::Off)),
            ("Cycle", step(PowerAsk::Cycle)),
            ("Cancel", Step::Nothing),
        ],
        marked: 0,
    }));
}

/// The question before power changes. On the own board Enter is yes; on any other it is no.
fn confirm_power(model: &Model, board: &Board, ask: PowerAsk) -> Dialog {
    let name = &board.name;
    let (yes, effect) = match ask {
        PowerAsk::On => ("Switch on", "It will boot."),
        PowerAsk::Off => ("Switch off", "Its power is cut at once; what runs on it is lost."),
        PowerAsk::Cycle => {
            ("Cycle", "Its power is cut at once and comes back; what runs on it is lost.")
        }
        PowerAsk::Reset => ("Reset", "It begins again at once; what runs on it is lost."),
    };
    let step = Step::Call(Call::Power { board: name.clone(), ask });
    let (answers, marked) = if model.is_mine(board) {
        (vec![(yes, step), ("Cancel", Step::Nothing)], 0)
    } else {
        (vec![("Cancel", Step::Nothing), (yes, step)], 0)
    };
    let title = format!("{yes} {name}?");
    let about = format!("{}. {effect}", holding(model, board));
    Dialog::Choice(Choice { title, about, answers, marked })
}

fn attach(model: &mut Model, board: &Board, effects: &mut Vec<Effect>) {
    model.feeds += 1;
    let (feed, board_name) = (model.feeds, board.name.clone());
    let pen = if model.is_mine(board) { Pen::Wanted } else { Pen::Unwanted };
    model.console = Some(Console {
        board: board_name.clone(),
        feed,
        emulator: Emulator::new(model.size.0, model.size.1),
        link: Link::Connecting,
        session: None,
        mode: Mode::Live,
    });
    effects.push(Effect::Attach { feed, board: board_name, pen });
}

fn force_pen(model: &mut Model, session: u64) {
    let about = "Whoever has the pen reads your reason, and so does the timeline.".to_owned();
    let title = "Take the pen by force".to_owned();
    let question = Question::new(title, about, String::new(), Purpose::ForcePen(session));
    model.dialog = Some(Dialog::Question(question));
}

fn accept(model: &mut Model, effects: &mut Vec<Effect>) {
    match model.dialog.take() {
        None => model.filtering = Filtering::Done,
        Some(Dialog::Question(mut question)) => match question.call() {
            Ok(asked) => call(model, asked, effects),
            Err(fault) => {
                question.fault = Some(fault);
                model.dialog = Some(Dialog::Question(question));
            }
        },
        Some(Dialog::Choice(choice)) => step(model, choice.step(), effects),
    }
}

fn step(model: &mut Model, step: Step, effects: &mut Vec<Effect>) {
    match step {
        Step::Nothing => {}
        Step::Call(asked) => {
            if let Call::Release { release, .. } = &asked {
                model.let_go.extend(release.number);
            }
            call(model, asked, effects);
        }
        Step::Power(board, ask) => match model.table.row(&board).cloned() {
            Some(row) if ask == PowerAsk::On && model.is_mine(&row) => {
                call(model, Call::Power { board, ask }, effects);
            }
            Some(row) => model.dialog = Some(confirm_power(model, &row, ask)),
            None => model.say(Tone::Failed, &format!("{board} is not in the lab any more.")),
        },
    }
}

/// Esc out of a filter takes it away; out of a dialog, does nothing.
fn cancel(model: &mut Model) {
    if model.dialog.take().is_none() {
        model.filtering = Filtering::Done;
        model.table.set_filter(String::new());
    }
}

fn edit(model: &mut Model, change: impl FnOnce(&mut String)) {
    if let Some(Dialog::Question(question)) = &mut model.dialog {
        change(&mut question.text);
        question.fault = None;
    } else if model.context() == Context::Filter {
        let mut filter = model.table.filter().to_owned();
        change(&mut filter);
        model.table.set_filter(filter);
    }
}

fn erase(text: &mut String) {
    text.pop();
}

fn mark(model: &mut Model, by: isize) {
    if let Some(Dialog::Choice(choice)) = &mut model.dialog {
        choice.mark(by);
    }
}
