//! What goes on by itself: chores end, time passes, clients come and go.

use std::mem;

use protocol::board::BoardName;
use protocol::hold::{Ended, Hold};
use protocol::user::UserName;
use protocol::{Error, Time};

use super::slot::warns_at;
use super::waiting::{ALONE, HOPELESS, Ties};
use super::{Book, Done, Stage, Waiting, no_place};

impl Book {
    /// The setup of hold `number` is done. The client that keeps the hold has its grace from now on,
    /// though it may have gone meanwhile.
    pub fn prepared(&mut self, board: &BoardName, number: u64, now: Time) -> Vec<Done> {
        let Some(slot) = self.boards.get_mut(board) else { return Vec::new() };
        match &slot.stage {
            Stage::Preparing { hold, .. } if hold.number == number => {
                let hold = hold.clone();
                slot.stage = Stage::Held { hold: hold.clone() };
                slot.ties.gone_since = now;
                vec![Done::Prepared { hold }]
            }
            _ => Vec::new(),
        }
    }

    /// The setup of hold `number` has failed: the hold never was, and the board must be cleaned.
    pub fn undo(&mut self, board: &BoardName, number: u64, now: Time) -> Vec<Done> {
        match self.boards.get(board).map(|slot| &slot.stage) {
            Some(Stage::Preparing { hold, .. }) if hold.number == number => {
                self.end(board, Ended::Undone, now)
            }
            _ => Vec::new(),
        }
    }

    /// The board is clean after hold `number`: the next in the queue has it.
    pub fn cleaned(&mut self, board: &BoardName, number: u64, now: Time) -> Vec<Done> {
        match self.boards.get(board).map(|slot| &slot.stage) {
            Some(Stage::Releasing { hold }) if hold.number == number => self.free(board, now),
            _ => Vec::new(),
        }
    }

    /// What time does: drops what nobody keeps, warns, ends what is over, serves boards that have come
    /// or changed to those who wait for them, and drops who waits for boards that have gone.
    pub fn tick(&mut self, now: Time) -> Vec<Done> {
        let gone = |waiting: &mut Waiting| waiting.ties.given_up(waiting.grace(), now);
        // First, so that no board goes to somebody whose place is given up.
        let gone = self.queue.extract_if(.., gone);
        let mut done: Vec<_> = gone.map(|waiting| waiting.given_up(ALONE)).collect();
        let warning = self.warning;
        for board in self.boards_that(|slot| slot.due(warning).is_some_and(|due| due <= now)) {
            done.extend(self.tick_board(&board, now));
        }
        if mem::take(&mut self.unserved) {
            done.extend(self.drop_hopeless());
            for board in self.boards_that(|slot| slot.stage == Stage::Free) {
                done.extend(self.serve(&board, now));
            }
        }
        done
    }

    /// Nobody waits for boards that there are none of.
    fn drop_hopeless(&mut self) -> Vec<Done> {
        let (hopeless, queue) = mem::take(&mut self.queue)
            .into_iter()
            .partition::<Vec<_>, _>(|waiting| self.boards_for(&waiting.ask.want).next().is_none());
        self.queue = queue;
        hopeless.into_iter().map(|waiting| waiting.given_up(HOPELESS)).collect()
    }

    /// When [`Book::tick`] has something to do next.
    pub fn next_tick(&self) -> Option<Time> {
        if self.unserved {
            return Some(Time::default());
        }
        let holds = self.boards.values().filter_map(|slot| slot.due(self.warning));
        let places = self.queue.iter().filter_map(|waiting| waiting.ties.gives_up(waiting.grace()));
        holds.chain(places).min()
    }

    /// A client keeps a hold or a place from now on.
    ///
    /// # Errors
    /// [`Error::NoSuch`] if there is none of that number of theirs.
    pub fn keep(&mut self, who: &UserName, number: u64) -> Result<(), Error> {
        let ties = self.ties(number).filter(|(owner, _)| owner == who);
        let (_, ties) = ties.ok_or_else(|| no_place(number))?;
        ties.connected += 1;
        Ok(())
    }

    /// A client that kept a hold or a place has gone.
    pub fn let_go(&mut self, number: u64, now: Time) {
        if let Some((_, ties)) = self.ties(number) {
            ties.connected = ties.connected.saturating_sub(1);
            ties.gone_since = now;
        }
    }

    /// Notes whether something is wrong with a board: it is then chosen last.
    pub fn set_faulty(&mut self, board: &BoardName, faulty: bool) {
        if let Some(slot) = self.boards.get_mut(board) {
            slot.faulty = faulty;
        }
    }

    pub(super) fn tick_board(&mut self, board: &BoardName, now: Time) -> Vec<Done> {
        let warning = self.warning;
        let Some(slot) = self.boards.get_mut(board) else { return Vec::new() };
        let Some(hold) = slot.stage.living().cloned() else { return Vec::new() };
        if hold.until <= now {
            return self.end(board, Ended::Expired, now);
        }
        if slot.gives_up().is_some_and(|when| when <= now) {
            return self.end(board, Ended::Abandoned, now);
        }
        if !slot.warned && warns_at(&hold, warning) <= now {
            slot.warned = true;
            return vec![Done::Ending { hold }];
        }
        Vec::new()
    }

    pub(super) fn ties(&mut self, number: u64) -> Option<(UserName, &mut Ties)> {
        let place = self.queue.iter_mut().find(|waiting| waiting.number == number);
        if let Some(place) = place {
            return Some((place.who.clone(), &mut place.ties));
        }
        self.boards.values_mut().find_map(|slot| {
            let is_it = |hold: &&Hold| hold.number == number || hold.place == Some(number);
            let hold = slot.stage.living().filter(is_it)?;
            Some((hold.who.clone(), &mut slot.ties))
        })
    }
}
