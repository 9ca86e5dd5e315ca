//! What each answer to a call means to the person who asked.

use protocol::Error;
use protocol::board::BoardName;
use protocol::console::PenState;
use protocol::hold::{Hold, Placed};
use protocol::power::PowerDetail;

use super::{Effect, refresh};
use crate::call::{Answer, Call};
use crate::dialog::left;
use crate::model::{Model, PenHolder};
use crate::notice::{Notice, Tone};

/// Takes an answer in.
pub(super) fn take(
    model: &mut Model,
    call: &Call,
    answer: Result<Answer, Error>,
    effects: &mut Vec<Effect>,
) {
    if let Some(place) = model.calls.iter().position(|waiting| waiting == call) {
        model.calls.remove(place);
    }
    match (call, answer) {
        (_, Ok(Answer::Who(who))) => model.me = Some(who),
        (_, Ok(Answer::Detail(detail))) => {
            if let Some(closeup) = model.closeup.as_mut()
                && closeup.board == detail.board.name
            {
                closeup.detail = Some(*detail);
            }
        }
        (Call::Extend { .. }, Ok(Answer::Hold(hold))) => extended(model, &hold),
        (_, Ok(Answer::Hold(hold))) => {
            model.say(Tone::Done, &format!("{} is released.", hold.board));
        }
        (Call::Reserve { board, .. }, Ok(Answer::Placed(placed))) => reserve(model, board, placed),
        (Call::Power { board, .. }, Ok(Answer::Power(outlet))) => power(model, board, &outlet),
        (_, Ok(Answer::Pen(pen))) => pen_stands(model, pen),
        (Call::Break { .. }, Ok(_)) => model.say(Tone::Done, "BREAK sent."),
        (_, Ok(_)) => {}
        // The banner says that the lab is not there; nobody asked for these.
        (Call::WhoAmI | Call::Detail(_), Err(Error::Unreachable { .. })) => {}
        (call, Err(why)) => model.note(Notice::refused(model.now, call, &why)),
    }
    after(model, call, effects);
}

/// Reads the details again, if something has changed since, or the answer changed it.
fn after(model: &mut Model, call: &Call, effects: &mut Vec<Effect>) {
    let stale = model.closeup.as_ref().is_some_and(|closeup| match call {
        Call::Detail(board) => closeup.stale && closeup.board == *board,
        Call::Pen { .. } => true,
        _ => false,
    });
    if stale {
        refresh(model, effects);
    }
}

fn extended(model: &mut Model, hold: &Hold) {
    let text = format!("{} is yours for {} more.", hold.board, left(hold.until, model.now));
    model.say(Tone::Done, &text);
}

fn reserve(model: &mut Model, board: &BoardName, placed: Placed) {
    match placed {
        Placed::Held { hold } => {
            model.awaited.remove(board);
            let span = left(hold.until, model.now);
            let text = format!("{board} is yours for {span}. Press c for its console.");
            model.say(Tone::Done, &text);
        }
        Placed::Queued { place } => {
            model.awaited.insert(board.clone());
            let when = match place.expected {
                Some(at) => format!("free in {} at the latest", left(at, model.now)),
                None => "nobody can say when it is free".to_owned(),
            };
            let text = format!("You are number {} in line for {board}: {when}.", place.position);
            model.say(Tone::News, &text);
        }
    }
}

fn power(model: &mut Model, board: &BoardName, outlet: &PowerDetail) {
    match &outlet.fault {
        None => model.say(Tone::Done, &format!("{board} is {}.", outlet.state)),
        Some(fault) => {
            let text = format!("{board}: {fault}. Look at the device, then try again.");
            model.say(Tone::Failed, &text);
        }
    }
}

fn pen_stands(model: &mut Model, pen: PenState) {
    let who = match model.pen() {
        PenHolder::Other(who) => who,
        _ => "Somebody else".to_owned(),
    };
    match pen {
        PenState::Yours => model.say(Tone::Done, "You have the pen."),
        PenState::InLine { position } => {
            let text = format!("{who} has the pen and knows; you are number {position} in line.");
            model.say(Tone::News, &text);
        }
        PenState::Paired => model.say(Tone::Done, "You type as well."),
        PenState::NotYours => model.say(Tone::News, "You do not have the pen."),
    }
}
