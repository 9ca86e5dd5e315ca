//! Which board is given to whom; and how a hold ends, so that the next has its turn.

use protocol::board::BoardName;
use protocol::hold::{Ask, Ended, Hold, Want};
use protocol::user::UserName;
use protocol::{Error, Span, Time};

use super::waiting::Ties;
use super::{Book, Done, Last, Slot, Stage, Waiting, held_by, no_board};
use crate::rules::queue;

impl Book {
    pub(super) fn end(&mut self, board: &BoardName, how: Ended, now: Time) -> Vec<Done> {
        let Some(slot) = self.boards.get_mut(board) else { return Vec::new() };
        let Some(hold) = slot.stage.living().cloned() else { return Vec::new() };
        slot.last = Some(Last { number: hold.number, place: hold.place, how: how.clone() });
        // What is over is over from now on: nobody is told that it lasts until its time is up.
        let over = Hold { until: hold.until.min(now), ..hold.clone() };
        slot.stage = Stage::Releasing { hold: over };
        let clean = !slot.terms.cleans;
        let mut done = vec![Done::Ended { hold, how }];
        if clean {
            done.extend(self.free(board, now));
        }
        done
    }

    /// Nobody has the board now; the next in the queue gets it.
    pub(super) fn free(&mut self, board: &BoardName, now: Time) -> Vec<Done> {
        let Some(slot) = self.boards.get_mut(board) else { return Vec::new() };
        slot.stage = Stage::Free;
        slot.free_since = now;
        vec![self.serve(board, now).unwrap_or_else(|| Done::Freed { board: board.clone() })]
    }

    /// Gives a free board to the next in the queue who would take it, if there is one.
    pub(super) fn serve(&mut self, board: &BoardName, now: Time) -> Option<Done> {
        let slot = self.boards.get(board)?;
        let would_take = |index: &usize| slot.would_do(board, &self.queue[*index].ask.want);
        let index = queue::order(self.turns()).into_iter().find(would_take)?;
        let waiting = self.queue.remove(index);
        for other in self.queue.iter_mut().filter(|other| other.who == waiting.who) {
            other.turn = self.next;
        }
        let (who, ask) = (waiting.who.clone(), waiting.ask.clone());
        Some(self.grant(board, &who, &ask, Some(waiting), now))
    }

    /// Who waits, and their turns.
    pub(super) fn turns(&self) -> impl Iterator<Item = (&UserName, u64)> {
        self.queue.iter().map(|waiting| (&waiting.who, waiting.turn))
    }

    pub(super) fn grant(
        &mut self,
        board: &BoardName,
        who: &UserName,
        ask: &Ask,
        place: Option<Waiting>,
        now: Time,
    ) -> Done {
        let slot = self.boards.get(board);
        let span = slot.map_or_else(Span::default, |slot| slot.span_for(ask));
        let hold = Hold {
            number: self.number(),
            board: board.clone(),
            who: who.clone(),
            since: now,
            until: now + span,
            grace: ask.grace,
            note: ask.note.clone(),
            place: place.as_ref().map(|place| place.number),
        };
        let ties = place.as_ref().map_or_else(Ties::default, |place| place.ties);
        if let Some(slot) = self.boards.get_mut(board) {
            slot.warned = false;
            // The client gets its grace to come and keep what it was given just now; what is prepared
            // first, from then on.
            slot.ties = Ties { gone_since: now, ..ties };
            slot.stage = if slot.terms.prepares {
                Stage::Preparing { hold: hold.clone(), ssh_key: ask.ssh_key.clone(), after: None }
            } else {
                Stage::Held { hold: hold.clone() }
            };
        }
        Done::Reserved { hold, place }
    }

    pub(super) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    pub(super) fn boards_that(&self, is_so: impl Fn(&Slot) -> bool) -> Vec<BoardName> {
        let these = self.boards.iter().filter(|(_, slot)| is_so(slot));
        these.map(|(board, _)| board.clone()).collect()
    }

    pub(super) fn boards_for<'a>(
        &'a self,
        want: &'a Want,
    ) -> impl Iterator<Item = (&'a BoardName, &'a Slot)> {
        // By far the commonest ask names its board: no need to look at the others.
        let named = match want {
            Want::Board { name } => Some(self.boards.get_key_value(name)),
            _ => None,
        };
        let all = named.is_none().then_some(&self.boards).into_iter().flatten();
        let one = named.flatten();
        one.into_iter().chain(all.filter(|(board, slot)| slot.would_do(board, want)))
    }

    pub(super) fn candidates(&self, want: &Want) -> Result<Vec<BoardName>, Error> {
        let boards: Vec<_> = self.boards_for(want).map(|(board, _)| board.clone()).collect();
        if !boards.is_empty() {
            return Ok(boards);
        }
        Err(no_such(want))
    }

    /// The free board that has been free the longest; a faulty one only if there is no other.
    pub(super) fn best_free(&self, boards: &[BoardName]) -> Option<BoardName> {
        let free = boards.iter().filter_map(|board| Some((board, self.boards.get(board)?)));
        free.filter(|(_, slot)| slot.stage == Stage::Free)
            .min_by_key(|(_, slot)| (slot.faulty, slot.free_since))
            .map(|(board, _)| board.clone())
    }

    pub(super) fn taken(&self, boards: &[BoardName]) -> Error {
        let holds = boards.iter().filter_map(|board| self.boards.get(board)?.stage.hold());
        match (boards, holds.min_by_key(|hold| hold.until)) {
            ([_], Some(hold)) => held_by(hold),
            (boards, Some(hold)) => Error::AllTaken {
                count: boards.len() as u32,
                board: hold.board.clone(),
                who: hold.who.clone(),
                until: hold.until,
            },
            (_, None) => Error::Unknown,
        }
    }
}

/// Boards that are not open to whoever asks are not there for them.
fn no_such(want: &Want) -> Error {
    let (what, name) = match want {
        Want::Board { name } => return no_board(name),
        Want::Among { want, .. } => return no_such(want),
        Want::Class { name } => ("class with boards", name.clone()),
        Want::Tags { expr } => ("board with", expr.to_string()),
    };
    Error::NoSuch { what: what.to_owned(), name, near: None }
}
