//! Marked boards, asked together: which and how many is shown before, how each fared after.

use protocol::board::{Board, BoardName};
use protocol::hold::Release;
use protocol::power::{PowerAsk, PowerState};

use super::{Effect, asks};
use crate::batch::Batch;
use crate::call::Call;
use crate::dialog::{Choice, Dialog, Purpose, Question, Step};
use crate::model::{Model, Page};
use crate::notice::Tone;

/// Whether marked boards are meant, rather than the one that is selected.
pub(super) fn is_meant(model: &Model) -> bool {
    model.console.is_none() && !model.table.marked().is_empty()
}

fn marked(model: &Model) -> Vec<Board> {
    model.table.marked().into_iter().cloned().collect()
}

/// `3 boards: rpi4-1 (you), rpi4-2 (bob), rpi4-10.`
fn listed(model: &Model, boards: &[Board]) -> String {
    let one = |board: &Board| match &board.hold {
        None => board.name.to_string(),
        Some(_) if model.is_mine(board) => format!("{} (you)", board.name),
        Some(hold) => format!("{} ({})", board.name, hold.who),
    };
    let names: Vec<String> = boards.iter().map(one).collect();
    let noun = if boards.len() == 1 { "board" } else { "boards" };
    format!("{} {noun}: {}.", boards.len(), names.join(", "))
}

fn calls(boards: &[Board], ask: impl Fn(BoardName) -> Call) -> Vec<(BoardName, Call)> {
    boards.iter().map(|board| (board.name.clone(), ask(board.name.clone()))).collect()
}

/// Offers what can be done to the outlets of the marked boards.
pub(super) fn power(model: &mut Model) {
    let boards = marked(model);
    let step = |text: &str, ask| (text.to_owned(), Step::PowerAll(ask));
    model.dialog = Some(Dialog::Choice(Choice {
        title: format!("Power of {} boards", boards.len()),
        about: listed(model, &boards),
        answers: vec![
            step("On", PowerAsk::On),
            step("Off", PowerAsk::Off),
            step("Cycle", PowerAsk::Cycle),
            asks::cancel(),
        ],
        marked: 0,
    }));
}

/// Asks before the marked boards are switched: a choice where all are ours or are switched on, their
/// number where what runs on boards of others would be lost.
pub(super) fn switch(model: &mut Model, ask: PowerAsk) {
    let switchable = |board: &Board| board.power != PowerState::None;
    let boards: Vec<Board> = marked(model).into_iter().filter(switchable).collect();
    if boards.is_empty() {
        return model.say(Tone::Failed, "None of the marked boards has an outlet.");
    }
    let others = boards.iter().filter(|board| !model.is_mine(board)).count();
    let (yes, effect) = asks::damage(ask);
    let title = format!("{yes} {} boards?", boards.len());
    let together = Step::Together(Batch::new(
        yes.to_lowercase(),
        calls(&boards, |board| Call::Power { board, ask }),
    ));
    let about = format!("{} {effect}", listed(model, &boards));
    let ours = (vec![(yes.to_owned(), together.clone()), asks::cancel()], 0);
    let (answers, marked) = match (others, ask) {
        (0, _) => ours,
        (_, PowerAsk::On) => (vec![asks::cancel(), (yes.to_owned(), together)], 0),
        (others, _) => {
            let about = format!("{about} {others} are not yours. How many boards is that?");
            let purpose = Purpose::Count(boards.len(), Box::new(together));
            let question = Question::new(title, about, String::new(), purpose);
            model.dialog = Some(Dialog::Question(question));
            return;
        }
    };
    model.dialog = Some(Dialog::Choice(Choice { title, about, answers, marked }));
}

/// Asks for how long the marked boards are to be held.
pub(super) fn reserve(model: &mut Model) {
    let boards: Vec<Board> =
        marked(model).into_iter().filter(|board| !model.is_mine(board)).collect();
    if boards.is_empty() {
        return model.say(Tone::News, "All the marked boards are yours already.");
    }
    let list = listed(model, &boards);
    let about = format!("{list} For how long? Nothing: as long as is usual for each.");
    let names = boards.iter().map(|board| board.name.clone()).collect();
    let title = format!("Reserve {} boards", boards.len());
    let question = Question::new(title, about, String::new(), Purpose::ReserveAll(names));
    model.dialog = Some(Dialog::Question(question));
}

/// Asks before those of the marked boards are released that are ours.
pub(super) fn release(model: &mut Model) {
    let boards: Vec<Board> =
        marked(model).into_iter().filter(|board| model.is_mine(board)).collect();
    if boards.is_empty() {
        return model.say(Tone::Failed, "None of the marked boards is yours.");
    }
    let call = |board: &Board| {
        let number = board.hold.as_ref().map(|hold| hold.number);
        let release = Release { number, breaking: None };
        (board.name.clone(), Call::Release { board: board.name.clone(), release })
    };
    let calls = boards.iter().map(call).collect();
    let step = Step::Together(Batch::new("release".to_owned(), calls));
    model.dialog = Some(Dialog::Choice(Choice {
        title: format!("Release {} boards?", boards.len()),
        about: format!("{} Whoever waits for them gets them.", listed(model, &boards)),
        answers: vec![("Release".to_owned(), step), asks::cancel()],
        marked: 0,
    }));
}

/// Asks all boards at once, and shows how each fares.
pub(super) fn ask(model: &mut Model, batch: Batch, effects: &mut Vec<Effect>) {
    for row in &batch.rows {
        if let Call::Release { release, .. } = &row.call {
            model.let_go.extend(release.number);
        }
        model.calls.push(row.call.clone());
        effects.push(Effect::Call(row.call.clone()));
    }
    model.table.unmark();
    model.page = Some(Page::Report(0));
    model.batch = Some(batch);
}

/// Takes the fate of one of them in; false if the call was no part of them.
pub(super) fn take(model: &mut Model, call: &Call, fate: Result<String, String>) -> bool {
    let Some(batch) = &mut model.batch else { return false };
    let Some(row) = batch.waiting(call) else { return false };
    row.fate = Some(fate);
    if let (done, failed, 0) = batch.count() {
        let tone = if failed == 0 { Tone::Done } else { Tone::Failed };
        let text = format!("{}: {done} done, {failed} failed.", batch.title);
        model.say(tone, &text);
    }
    true
}
