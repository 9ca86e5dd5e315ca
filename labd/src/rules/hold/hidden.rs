//! What is taken from those for whom a board is no longer there: they left its group, or it became another's.

use std::mem;

use protocol::Time;
use protocol::board::BoardName;
use protocol::hold::{Ended, Want};
use protocol::user::UserName;

use super::waiting::HOPELESS;
use super::{Book, Done};

/// So many are remembered whose places were given up.
const MOST_HOPELESS: usize = 256;

impl Book {
    /// Takes from everybody what is not there for them, as `sees` says: holds end, and places are for what is
    /// left of the boards that would do, or given up. No place becomes wider again.
    pub fn withdraw(
        &mut self,
        sees: impl Fn(&UserName, &BoardName) -> bool,
        now: Time,
    ) -> Vec<Done> {
        // Places first: what is taken from one goes to nobody else for whom it is not there.
        let mut done = self.narrow(&sees);
        let hidden = self.holds().filter(|hold| !sees(&hold.who, &hold.board));
        for board in hidden.map(|hold| hold.board.clone()).collect::<Vec<_>>() {
            done.extend(self.end(&board, Ended::Hidden, now));
        }
        done
    }

    fn narrow(&mut self, sees: impl Fn(&UserName, &BoardName) -> bool) -> Vec<Done> {
        let mut done = Vec::new();
        for mut waiting in mem::take(&mut self.queue) {
            let (open, hidden) = self
                .boards_for(&waiting.ask.want)
                .map(|(board, _)| board.clone())
                .partition::<Vec<_>, _>(|board| sees(&waiting.who, board));
            if open.is_empty() && !hidden.is_empty() {
                self.hopeless.insert(waiting.number, waiting.who.clone());
                done.push(waiting.given_up(HOPELESS));
                continue;
            }
            if !hidden.is_empty() {
                let want = Box::new(waiting.ask.want.whole().clone());
                waiting.ask.want = Want::Among { want, boards: open };
                let (place, who) = (waiting.number, waiting.who.clone());
                done.push(Done::Queued { place, who, want: waiting.ask.want.clone() });
            }
            self.queue.push(waiting);
        }
        while self.hopeless.len() > MOST_HOPELESS {
            self.hopeless.pop_first();
        }
        done
    }
}
