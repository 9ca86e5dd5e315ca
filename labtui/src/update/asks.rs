//! What boards are asked for, and what is asked before.

use protocol::board::Board;
use protocol::hold::Release;
use protocol::power::{PowerAsk, PowerState};
use protocol::user::Role;

use super::{Effect, call};
use crate::call::Call;
use crate::dialog::{Choice, Dialog, Purpose, Question, Step, left};
use crate::keys::{Action, Group};
use crate::model::{Model, Undo};
use crate::notice::Tone;

/// Who has a board, and for how long, as a sentence without its full stop.
pub(super) fn holding(model: &Model, board: &Board) -> String {
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

pub(super) fn reserve(model: &mut Model, board: &Board) {
    let name = &board.name;
    if model.is_mine(board) {
        let extend = model.typed(Group::Boards, Action::Extend);
        let text = format!("{name} is yours already. {extend} extends the hold.");
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

pub(super) fn extend(model: &mut Model, board: &Board) {
    let name = &board.name;
    if !model.is_mine(board) {
        let reserve = model.typed(Group::Boards, Action::Reserve);
        let text = format!("{}. {reserve} reserves it.", holding(model, board));
        return model.say(Tone::Failed, &text);
    }
    let about = format!("{}. How long is it to last from now?", holding(model, board));
    let text = usual_span(model, board).unwrap_or_else(|| "1h".to_owned());
    let purpose = Purpose::Extend(name.clone());
    let question = Question::new(format!("Extend your hold of {name}"), about, text, purpose);
    model.dialog = Some(Dialog::Question(question));
}

pub(super) fn release(model: &mut Model, board: &Board) {
    let name = &board.name;
    let is_admin = model.me.as_ref().is_some_and(|me| me.role == Role::Admin);
    let Some(hold) = &board.hold else {
        let reserve = model.typed(Group::Boards, Action::Reserve);
        let text = format!("Nobody holds {name}. {reserve} reserves it.");
        return model.say(Tone::News, &text);
    };
    if model.is_mine(board) {
        let release = Release { number: Some(hold.number), breaking: None };
        let step = Step::Call(Call::Release { board: name.clone(), release });
        model.dialog = Some(Dialog::Choice(Choice {
            title: format!("Release {name}?"),
            about: format!("{}. Whoever waits for it gets it.", holding(model, board)),
            answers: vec![("Release".to_owned(), step), cancel()],
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

pub(super) fn power(model: &mut Model, board: &Board) {
    if board.power == PowerState::None {
        let text = format!("{} has no outlet, so nothing can switch it.", board.name);
        return model.say(Tone::Failed, &text);
    }
    let step = |ask| Step::Power(board.name.clone(), ask);
    model.dialog = Some(Dialog::Choice(Choice {
        title: format!("Power of {}", board.name),
        about: format!("Power is {}. {}.", board.power, holding(model, board)),
        answers: vec![
            ("On".to_owned(), step(PowerAsk::On)),
            ("Off".to_owned(), step(PowerAsk::Off)),
            ("Cycle".to_owned(), step(PowerAsk::Cycle)),
            cancel(),
        ],
        marked: 0,
    }));
}

/// Switches a board. Nobody is asked about their own; about any other, Enter is no.
pub(super) fn switch(model: &mut Model, board: &Board, ask: PowerAsk, effects: &mut Vec<Effect>) {
    let name = board.name.clone();
    if model.is_mine(board) {
        return call(model, Call::Power { board: name, ask }, effects);
    }
    let (yes, effect) = damage(ask);
    let step = Step::Call(Call::Power { board: name.clone(), ask });
    model.dialog = Some(Dialog::Choice(Choice {
        title: format!("{yes} {name}?"),
        about: format!("{}. {effect}", holding(model, board)),
        answers: vec![cancel(), (yes.to_owned(), step)],
        marked: 0,
    }));
}

/// What it is called, and what it does to a board.
pub(super) fn damage(ask: PowerAsk) -> (&'static str, &'static str) {
    match ask {
        PowerAsk::On => ("Switch on", "What is off boots."),
        PowerAsk::Off => ("Switch off", "Power is cut at once; what runs is lost."),
        PowerAsk::Cycle => ("Cycle", "Power is cut at once and comes back; what runs is lost."),
        PowerAsk::Reset => ("Reset", "All begins again at once; what runs is lost."),
    }
}

/// The answer that does nothing.
pub(super) fn cancel() -> (String, Step) {
    ("Cancel".to_owned(), Step::Nothing)
}

/// What was switched can be switched back for a while, where there is a way back.
pub(super) fn switched(model: &mut Model, board: &protocol::board::BoardName, ask: PowerAsk) {
    let back = match ask {
        PowerAsk::On => PowerAsk::Off,
        PowerAsk::Off => PowerAsk::On,
        PowerAsk::Cycle | PowerAsk::Reset => return,
    };
    model.undo = Some(Undo { board: board.clone(), ask: back, at: model.now });
}

/// Switches back what was just switched.
pub(super) fn undo(model: &mut Model, effects: &mut Vec<Effect>) {
    let Some(Undo { board, ask, .. }) = model.undoable().cloned() else {
        return model.say(Tone::News, "Nothing was switched in the last three seconds.");
    };
    model.undo = None;
    match model.table.row(&board).cloned() {
        Some(row) => switch(model, &row, ask, effects),
        None => model.say(Tone::Failed, &format!("{board} is not in the lab any more.")),
    }
}

pub(super) fn force_pen(model: &mut Model, session: u64) {
    let about = "Whoever has the pen reads your reason, and so does the timeline.".to_owned();
    let title = "Take the pen by force".to_owned();
    let question = Question::new(title, about, String::new(), Purpose::ForcePen(session));
    model.dialog = Some(Dialog::Question(question));
}
