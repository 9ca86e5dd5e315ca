//! The calendar: opened, scrolled, and read anew as holds change.

use super::{Effect, call};
use crate::call::Call;
use crate::keys::{Action, Side};
use crate::model::{Focus, Model, Page};

/// How many cells one scrolls at once.
const STEP: i64 = 8;

/// Shows it.
pub(super) fn open(model: &mut Model, effects: &mut Vec<Effect>) {
    model.page = Some(Page::Calendar);
    model.calendar.shift = 0;
    refresh(model, effects);
}

/// Reads who waits, now or when the present answer is there, if the calendar is looked at.
pub(super) fn refresh(model: &mut Model, effects: &mut Vec<Effect>) {
    if model.page != Some(Page::Calendar) {
        return;
    }
    model.calendar.stale = model.calls.contains(&Call::Queue);
    if !model.calendar.stale {
        call(model, Call::Queue, effects);
    }
}

/// Does what a key of the calendar asks for; false if it is none of its keys.
pub(super) fn act(model: &mut Model, action: Action) -> bool {
    if model.page != Some(Page::Calendar) {
        return false;
    }
    let calendar = &mut model.calendar;
    match action {
        Action::Toward(Side::Left) => calendar.shift -= STEP,
        Action::Toward(Side::Right) => calendar.shift += STEP,
        Action::Now => calendar.shift = 0,
        Action::Zoom => (calendar.far, calendar.shift) = (!calendar.far, 0),
        Action::Open => {
            (model.page, model.grid, model.focus) = (None, None, Focus::Facts);
        }
        _ => return false,
    }
    true
}
