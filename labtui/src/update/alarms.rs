//! What boards do by themselves that whoever holds them wants to know at once.

use protocol::boot::Outcome;
use protocol::journal::{Entry, Event};

use crate::model::Model;
use crate::notice::Tone;

/// Says what triggers found, which boots hang and what panicked, of boards that are ours or looked at.
pub(super) fn tell(model: &mut Model, entries: &[Entry]) {
    for entry in entries {
        let (Some(board), Some(tone)) = (&entry.board, alarm(&entry.event)) else { continue };
        let is_mine = model.table.row(board).is_some_and(|row| model.is_mine(row));
        let is_seen = model.closeup.as_ref().is_some_and(|closeup| closeup.board == *board);
        if is_mine || is_seen {
            model.say(tone, &format!("{board}: {}", entry.event));
        }
    }
}

/// How an event is meant; none if it is no alarm.
fn alarm(event: &Event) -> Option<Tone> {
    match event {
        Event::Matched { .. } | Event::Muted { .. } => Some(Tone::News),
        Event::BootHung { .. } | Event::Panicked => Some(Tone::Failed),
        Event::BootEnded { outcome: Outcome::Panicked, .. } => Some(Tone::Failed),
        _ => None,
    }
}
