//! What each answer to a call means to the person who asked.

use protocol::Error;
use protocol::board::BoardName;
use protocol::console::{PenAsk, PenState};
use protocol::hold::{Hold, Placed, Want};
use protocol::power::PowerDetail;

use super::{Effect, asks, batch, calendar, grid, lists, past, refresh};
use crate::call::{Answer, Call};
use crate::dialog::left;
use crate::keys::{Action, Group};
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
    if let Some(fate) = fate(model, &answer)
        && batch::take(model, call, fate)
    {
        return after(model, call, effects);
    }
    match (call, answer) {
        (_, Ok(Answer::Who(who))) => model.me = Some(who),
        (_, Ok(Answer::Detail(detail))) => {
            grid::know(model, &detail);
            if let Some(closeup) = model.closeup.as_mut()
                && closeup.board == detail.board.name
            {
                closeup.detail = Some(*detail);
            }
        }
        (_, Ok(Answer::Queue(queue))) => model.calendar.queue = Some(queue),
        (_, Ok(Answer::Accounts(accounts))) => model.accounts = Some(accounts),
        (_, Ok(Answer::Tokens(tokens))) => model.tokens = Some(tokens),
        (Call::Extend { .. }, Ok(Answer::Hold(hold))) => extended(model, &hold),
        (_, Ok(Answer::Hold(hold))) => {
            model.say(Tone::Done, &format!("{} is released.", hold.board));
        }
        (Call::Reserve { board, .. }, Ok(Answer::Placed(placed))) => reserve(model, board, placed),
        (Call::Power { board, ask }, Ok(Answer::Power(outlet))) => {
            power(model, board, &outlet);
            if outlet.fault.is_none() {
                asks::switched(model, board, *ask);
            }
        }
        (Call::Pen { session, .. }, Ok(Answer::Pen(pen)))
            if grid::pen(model, *session, pen, effects) => {}
        (Call::Pen { ask, .. }, Ok(Answer::Pen(pen))) => pen_stands(model, ask, pen),
        (Call::Break { .. }, Ok(_)) => model.say(Tone::Done, "BREAK sent."),
        (Call::Boots(board), Ok(Answer::Boots(boots))) => lists::booted(model, board, boots),
        (Call::Find(asked), Ok(Answer::Hits(hits))) => {
            past::found(model, asked, &hits);
            lists::found(model, asked, hits);
        }
        (Call::Past { board, offset }, Ok(Answer::Past(printed))) => {
            past::recalled(model, board, *offset, printed);
        }
        (_, Ok(_)) => {}
        (Call::Find(asked), Err(why)) if !asked.boards.is_empty() => {
            past::refused(model, asked, &why);
        }
        // The banner says that the lab is not there; nobody asked for these.
        (Call::WhoAmI | Call::Detail(_) | Call::Queue, Err(Error::Unreachable { .. })) => {}
        (call, Err(why)) => {
            if let Call::Past { board, offset } = call {
                past::lost(model, board, *offset);
            }
            model.note(Notice::refused(model.now, call, &why, &model.settings.keys));
        }
    }
    after(model, call, effects);
}

/// How a board fared that may have been asked together with others, in a few words.
fn fate(model: &mut Model, answer: &Result<Answer, Error>) -> Option<Result<String, String>> {
    Some(match answer {
        Ok(Answer::Power(PowerDetail { fault: Some(fault), .. })) => Err(fault.clone()),
        Ok(Answer::Power(outlet)) => Ok(outlet.state.to_string()),
        Ok(Answer::Hold(_)) => Ok("released".to_owned()),
        Ok(Answer::Placed(Placed::Held { hold })) => {
            Ok(format!("yours for {}", left(hold.until, model.now)))
        }
        Ok(Answer::Placed(Placed::Queued { place })) => {
            if let Want::Board { name } = &place.want {
                model.awaited.insert(name.clone());
            }
            Ok(format!("number {} in line", place.position))
        }
        Ok(_) => return None,
        Err(why) => Err(why.to_string()),
    })
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
    if *call == Call::Queue && model.calendar.stale {
        calendar::refresh(model, effects);
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
            let console = model.typed(Group::Boards, Action::Console);
            let text = format!("{board} is yours for {span}. {console}: its console.");
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

fn pen_stands(model: &mut Model, ask: &PenAsk, pen: PenState) {
    match ask {
        PenAsk::Grant { .. } => return model.say(Tone::Done, "The pen is handed over."),
        PenAsk::Keep => return model.say(Tone::Done, "You keep the pen; who asked is told."),
        PenAsk::Pair { .. } => return model.say(Tone::Done, "Two type now. The pen stays yours."),
        PenAsk::Part => return model.say(Tone::Done, "Who has the pen types alone again."),
        _ => {}
    }
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
