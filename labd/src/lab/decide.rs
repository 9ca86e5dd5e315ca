//! A decision takes a lock and no await: lock, ask the rule, stage, unlock. Then it is waited for,
//! and whatever follows from it is begun.

use std::sync::Arc;

use futures::FutureExt;
use parking_lot::MutexGuard;
use protocol::board::BoardName;
use protocol::hold::{Hold, Want};
use protocol::journal::{By, Event};
use protocol::user::{UserName, Who};
use protocol::{Error, Time};
use tokio::task::JoinHandle;

use super::{Board, Lab, Remembered, internal, request};
use crate::config::BoardConfig;
use crate::keeper::setup::Verb;
use crate::ledger::{Commit, Draft, Write};
use crate::rules::hold::{Book, Done, Stage};

/// A decision that is made, and on its way to the disk.
pub(super) struct Decision {
    /// What it changed.
    pub(super) done: Vec<Done>,
    task: JoinHandle<Result<Vec<Chore>, Error>>,
}

/// What is done to a board after a decision, and how that ended.
pub(super) struct Chore {
    pub(super) board: BoardName,
    pub(super) task: JoinHandle<Result<(), Error>>,
}

impl Decision {
    /// Waits until it is on disk. Returns what was begun because of it.
    ///
    /// # Errors
    /// [`Error::CannotRecord`]: then nothing was decided.
    pub(super) async fn settled(self) -> Result<(Vec<Done>, Vec<Chore>), Error> {
        let chores = self.task.await.unwrap_or_else(|error| Err(internal(error)))?;
        Ok((self.done, chores))
    }
}

/// The key under which a board's stage is written down.
pub(super) fn board_key(board: &BoardName) -> String {
    format!("board/{board}")
}

/// The key under which a place in the queue is written down.
pub(super) fn place_key(number: u64) -> String {
    format!("place/{number:020}")
}

/// The key under which a board's attributes are written down.
pub(super) fn attributes_key(board: &BoardName) -> String {
    format!("attributes/{board}")
}

impl Board {
    /// Lets nothing through that comes under a hold older than `newest`.
    fn bar(&self, newest: u64) {
        self.fence.send_modify(|fence| *fence = newest.max(*fence));
        self.line.iter().for_each(|line| line.bar(newest));
    }

    /// Takes a [`Board::bar`] back as far as the hold of that number: it has not ended after all.
    fn readmit(&self, number: u64) {
        self.fence.send_modify(|fence| *fence = number.min(*fence));
        self.line.iter().for_each(|line| line.readmit(number));
    }
}

impl Lab {
    /// What is remembered, read back from the store if a commit has failed since it was last used.
    ///
    /// # Errors
    /// [`Error::CannotRecord`] if it cannot be read back.
    pub(super) fn remembered(&self) -> Result<MutexGuard<'_, Remembered>, Error> {
        let mut remembered = self.book.lock();
        let generation = self.ledger().generation();
        if remembered.generation != generation {
            if let Some((ms, commit)) = remembered.shift.take()
                && matches!(commit.now_or_never(), Some(Err(_)))
            {
                self.clock.shift(-ms);
            }
            self.memory.catch_up();
            let mut read_back = self
                .read_back(generation)
                .map_err(|error| Error::CannotRecord { why: error.to_string() })?;
            read_back.book.take_over(&remembered.book);
            *remembered = read_back;
        }
        Ok(remembered)
    }

    /// What `look` sees, when all that it may have seen is on disk. If that fails it looks again.
    ///
    /// # Errors
    /// What it sees; [`Error::CannotRecord`] if the lab is closed.
    pub async fn told<T>(&self, look: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
        loop {
            let seen = look()?;
            match self.ledger().unwritten() {
                None => return Ok(seen),
                Some(commit) => match commit.await {
                    Ok(_) => return Ok(seen),
                    Err(error) if self.ledger().is_closed() => {
                        return Err(Error::CannotRecord { why: error.to_string() });
                    }
                    Err(_) => drop(self.remembered()?),
                },
            }
        }
    }

    /// Asks the book, and stages what it answers.
    ///
    /// # Errors
    /// The book's. Then nothing has changed.
    pub(super) fn decide(
        self: &Arc<Self>,
        who: Option<&Who>,
        ask: impl FnOnce(&mut Book, Time) -> Result<Vec<Done>, Error>,
    ) -> Result<Decision, Error> {
        self.decide_with(who, ask, |_| Vec::new())
    }

    /// The same, with more to remember and to write down, if anything is decided at all.
    pub(super) fn decide_with(
        self: &Arc<Self>,
        who: Option<&Who>,
        ask: impl FnOnce(&mut Book, Time) -> Result<Vec<Done>, Error>,
        besides: impl FnOnce(&mut Remembered) -> Vec<Write>,
    ) -> Result<Decision, Error> {
        let mut remembered = self.remembered()?;
        let done = ask(&mut remembered.book, self.clock.now())?;
        let mut drafts = self.drafts(&remembered.book, who.map(|who| &who.name), &done);
        for draft in
            drafts.iter_mut().filter(|draft| draft.by.who.as_ref() == who.map(|who| &who.name))
        {
            draft.by = request::by(who);
        }
        if let Some(first) = drafts.first_mut() {
            first.writes.extend(besides(&mut remembered));
        }
        self.bar_ended(&done);
        let commit = self.ledger().stage_upon(remembered.generation, drafts);
        drop(remembered);
        let task = request::spawn(self.clone().settle(commit, done.clone()));
        Ok(Decision { done, task })
    }

    async fn settle(self: Arc<Self>, commit: Commit, done: Vec<Done>) -> Result<Vec<Chore>, Error> {
        if let Err(error) = commit.await {
            // Who looks now must not see what was just refused.
            let remembered = self.remembered()?;
            for (board, number) in self.ended(&done) {
                let lasts = |hold: &Hold| hold.number == number;
                if remembered.book.hold_of(&board.config.name).is_some_and(lasts) {
                    board.readmit(number);
                }
            }
            return Err(Error::CannotRecord { why: error.to_string() });
        }
        let chores = done.iter().filter_map(|done| self.follow_up(done)).collect();
        if !done.is_empty() {
            self.decisions.send_modify(|count| *count += 1);
        }
        Ok(chores)
    }

    /// An end counts from here, however slow the disk is: only what it says is told later.
    pub(super) fn bar_ended(&self, done: &[Done]) {
        self.ended(done).for_each(|(board, number)| board.bar(number + 1));
    }

    /// The boards whose holds end, each with the number of the hold.
    fn ended(&self, done: &[Done]) -> impl Iterator<Item = (Arc<Board>, u64)> {
        done.iter().filter_map(|done| match done {
            Done::Ended { hold, .. } => Some((self.board(&hold.board)?, hold.number)),
            _ => None,
        })
    }

    /// Wakes who follows the board, cuts what is over, and begins what is to be done.
    pub(super) fn follow_up(self: &Arc<Self>, done: &Done) -> Option<Chore> {
        match done {
            Done::Reserved { hold, place } => {
                self.touch(&hold.board);
                // They no longer wait for the others that would have done.
                place.iter().for_each(|place| self.touch_all(&place.ask.want));
                self.begin_chore(&hold.board)
            }
            Done::Ended { hold, how } => {
                self.touch(&hold.board);
                if let Some(board) = self.board(&hold.board) {
                    board.line.iter().for_each(|line| line.cut(hold.number + 1));
                    board.keeper.iter().for_each(|keeper| keeper.cut(hold.number + 1, how));
                }
                self.begin_chore(&hold.board)
            }
            Done::Prepared { hold } | Done::Extended { hold } | Done::Ending { hold } => {
                self.touch(&hold.board);
                None
            }
            Done::Freed { board } => {
                self.touch(board);
                None
            }
            Done::Queued { want, .. } | Done::Unqueued { want, .. } => {
                self.touch_all(want);
                None
            }
        }
    }

    /// Prepares or cleans a board, if that is what it waits for.
    pub(super) fn begin_chore(self: &Arc<Self>, board: &BoardName) -> Option<Chore> {
        let stage = self.book.lock().book.stage(board).ok()?.clone();
        let lab = self.clone();
        let task = match stage {
            Stage::Preparing { hold, ssh_key, after } => {
                request::spawn(async move { lab.prepare(hold, ssh_key, after).await })
            }
            Stage::Releasing { hold } => request::spawn(async move { lab.clean(hold).await }),
            Stage::Free | Stage::Held { .. } => return None,
        };
        Some(Chore { board: board.clone(), task })
    }

    fn touch(&self, board: &BoardName) {
        if let Some(board) = self.board(board) {
            board.mark.touch();
        }
    }

    /// Touches every board that would do.
    fn touch_all(&self, want: &Want) {
        let would_do = |board: &&Arc<Board>| {
            let BoardConfig { name, class, tags, .. } = &board.config;
            want.is_met_by(name, class, tags)
        };
        self.boards_now().values().filter(would_do).for_each(|board| board.mark.touch());
    }

    /// The entries of what was decided, each with the records it writes.
    pub(super) fn drafts(&self, book: &Book, who: Option<&UserName>, done: &[Done]) -> Vec<Draft> {
        let freed_in_passing =
            |index: usize| index > 0 && matches!(done[index], Done::Freed { .. });
        (0..done.len())
            .filter(|index| !freed_in_passing(*index))
            .map(|index| self.draft(book, who, &done[index]))
            .collect()
    }

    fn draft(&self, book: &Book, who: Option<&UserName>, done: &Done) -> Draft {
        let on = |hold: &Hold, who: Option<&UserName>, event| {
            let record = book.record(&hold.board);
            let write = record.map(|record| Write::put(board_key(&hold.board), &record));
            self.entry(Some(&hold.board), who, event, write.into_iter().collect())
        };
        match done {
            Done::Reserved { hold, place } => {
                let event = Event::Reserved {
                    number: hold.number,
                    until: hold.until,
                    waited_since: place.as_ref().map(|place| place.since),
                    note: hold.note.clone(),
                };
                let mut draft = on(hold, Some(&hold.who), event);
                if let Some(place) = place {
                    draft.writes.push(Write::Delete(place_key(place.number)));
                    // It is no longer their turn.
                    let others = book.all_waiting().filter(|waiting| waiting.who == place.who);
                    draft.writes.extend(
                        others.map(|waiting| Write::put(place_key(waiting.number), waiting)),
                    );
                }
                draft
            }
            Done::Prepared { hold } => {
                let event =
                    Event::SetupDone { number: hold.number, verb: Verb::Reserve.word().to_owned() };
                on(hold, None, event)
            }
            Done::Queued { place, who, want } => {
                let write =
                    book.waiting(*place).map(|waiting| Write::put(place_key(*place), waiting));
                let event = Event::Queued { place: *place, want: want.clone() };
                self.entry(None, Some(who), event, write.into_iter().collect())
            }
            Done::Unqueued { place, who, why, .. } => {
                let write = Write::Delete(place_key(*place));
                let event = Event::Unqueued { place: *place, why: why.map(str::to_owned) };
                self.entry(None, Some(who), event, vec![write])
            }
            Done::Extended { hold } => {
                on(hold, who, Event::Extended { number: hold.number, until: hold.until })
            }
            Done::Ending { hold } => {
                on(hold, None, Event::Ending { number: hold.number, until: hold.until })
            }
            Done::Ended { hold, how } => {
                let (number, holder) = (hold.number, hold.who.clone());
                on(hold, who, Event::Ended { number, holder, how: how.clone() })
            }
            Done::Freed { board } => {
                let record = book.record(board);
                let write = record.map(|record| Write::put(board_key(board), &record));
                self.entry(Some(board), None, Event::Freed, write.into_iter().collect())
            }
        }
    }

    /// An entry about a board, at the place where its console is.
    pub(super) fn entry(
        &self,
        board: Option<&BoardName>,
        who: Option<&UserName>,
        event: Event,
        writes: Vec<Write>,
    ) -> Draft {
        let recording = board.and_then(|board| self.board(board)?.recording.clone());
        let offset = recording.map(|recording| recording.end());
        let by = By { who: who.cloned(), ..request::by(None) };
        Draft { by, board: board.cloned(), offset, event, writes }
    }

    /// The same of somebody who is here.
    pub(super) fn entry_by(
        &self,
        who: &Who,
        board: Option<&BoardName>,
        event: Event,
        writes: Vec<Write>,
    ) -> Draft {
        Draft { by: request::by(Some(who)), ..self.entry(board, None, event, writes) }
    }
}
