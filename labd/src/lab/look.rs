//! What people see: rows, details, classes, holds, the queue.

use std::sync::Arc;
use std::time::Duration;

use protocol::Error;
use protocol::board::{self, BoardDetail, BoardName, Class, Filter};
use protocol::console::{ConsoleDetail, ConsoleState};
use protocol::hold::{Hold, Place, Want};
use protocol::power::PowerState;
use protocol::user::{Verb, Who};
use tokio::time::timeout;

use super::{Board, Lab, sees};
use crate::rules::hold::Book;

/// A disk that works has written by then.
const AT_ONCE: Duration = Duration::from_secs(1);

impl Lab {
    /// The board table.
    pub fn rows(&self, who: &Who, filter: &Filter) -> Vec<board::Board> {
        let boards = self.boards_now();
        let remembered = self.book.lock();
        let wanted = |board: &&Arc<Board>| {
            let Board { config, .. } = &***board;
            let hold = remembered.book.hold_of(&config.name);
            filter
                .want
                .as_ref()
                .is_none_or(|want| want.is_met_by(&config.name, &config.class, &config.tags))
                && sees(who, board)
                && (!filter.mine || hold.is_some_and(|hold| hold.who == who.name))
        };
        boards.values().filter(wanted).map(|board| row(board, &remembered.book)).collect()
    }

    /// The rows that have changed since change number `since`.
    pub fn rows_since(&self, who: &Who, since: u64) -> Vec<board::Board> {
        let boards = self.boards_now();
        let is_new = |board: &&Arc<Board>| board.mark.newest() > since && sees(who, board);
        let changed: Vec<_> = boards.values().filter(is_new).collect();
        let remembered = self.book.lock();
        changed.into_iter().map(|board| row(board, &remembered.book)).collect()
    }

    /// Every board, and whether something is wrong with it.
    pub(super) fn faults(&self) -> Vec<(BoardName, bool)> {
        let boards = self.boards_now();
        boards.iter().map(|(name, board)| (name.clone(), fault(board).is_some())).collect()
    }

    /// The consoles, for those who count.
    pub fn consoles(&self) -> Vec<(BoardName, ConsoleDetail)> {
        let boards = self.boards_now();
        let detail = |board: &Arc<Board>| board.line.as_ref().map(|line| line.detail());
        boards.iter().filter_map(|(name, board)| Some((name.clone(), detail(board)?))).collect()
    }

    /// The number of the newest entry that is on disk.
    pub fn newest(&self) -> u64 {
        *self.ledger().committed().borrow()
    }

    /// Whether decisions can be made, and come to the disk within a second.
    pub async fn is_ready(&self) -> bool {
        let is_ending = *self.ending().borrow();
        !is_ending && matches!(timeout(AT_ONCE, self.told(|| Ok(()))).await, Ok(Ok(())))
    }

    /// Everything about one board.
    ///
    /// # Errors
    /// [`Error::NoSuch`].
    pub fn detail(&self, who: &Who, name: &BoardName) -> Result<BoardDetail, Error> {
        let board = self.find(who, Verb::See, name)?;
        let queue = self.queue_for(who, &board);
        let attributes = self.known(&board);
        let config = &board.config;
        Ok(BoardDetail {
            board: row(&board, &self.book.lock().book),
            description: config.description.clone(),
            macs: config.macs.clone(),
            default_span: config.default_hold,
            longest_span: config.longest_hold,
            attributes,
            outlet: board.keeper.as_ref().map(|keeper| keeper.detail()),
            line: board.line.as_ref().map(|line| line.detail()),
            queue,
        })
    }

    /// The classes, and how their boards stand.
    pub fn classes(&self, who: &Who) -> Vec<Class> {
        let (boards, all) = (self.boards_seen(who), self.boards_now());
        let remembered = self.book.lock();
        let places = remembered.book.places(self.clock.now());
        let class = |(name, attributes): (&String, &_)| {
            let here: Vec<_> = boards.iter().filter(|board| board.config.class == *name).collect();
            let want = Want::Class { name: name.clone() };
            let is_free =
                |board: &&&Arc<Board>| remembered.book.hold_of(&board.config.name).is_none();
            Class {
                name: name.clone(),
                attributes: Clone::clone(attributes),
                boards: here.len() as u32,
                free: here.iter().filter(is_free).count() as u32,
                waiting: places.iter().filter(|place| *place.want.whole() == want).count() as u32,
            }
        };
        // A class whose boards are all somebody else's is not there either.
        let is_there = |name: &&String| {
            let of_class = |board: &&Arc<Board>| board.config.class == **name;
            boards.iter().any(|board| of_class(&board))
                || !all.values().any(|board| of_class(&board))
        };
        let config = self.config();
        config.classes.iter().filter(|(name, _)| is_there(name)).map(class).collect()
    }

    /// Every hold of a board that is there for whoever asks, and all of their own.
    pub fn holds(&self, who: &Who) -> Vec<Hold> {
        let boards = self.boards_now();
        let is_seen = |hold: &&Hold| {
            let is_own = hold.who == who.name && who.scope.is_open();
            is_own || boards.get(&hold.board).is_some_and(|board| sees(who, board))
        };
        self.book.lock().book.holds().filter(is_seen).cloned().collect()
    }

    /// The queue, first served first, as far as it is for boards that are there for whoever asks.
    pub fn queue(&self, who: &Who) -> Vec<Place> {
        let boards = self.boards_seen(who);
        let would_take = |place: &Place| boards.iter().any(|board| would_do(board, &place.want));
        let now = self.clock.now();
        let places = self.book.lock().book.places(now);
        places.into_iter().filter(would_take).map(|place| self.shown(who, place)).collect()
    }

    /// Those in the queue who would take a board.
    fn queue_for(&self, who: &Who, board: &Board) -> Vec<Place> {
        let now = self.clock.now();
        let places = self.book.lock().book.places(now);
        let would_take = |place: &Place| would_do(board, &place.want);
        places.into_iter().filter(would_take).map(|place| self.shown(who, place)).collect()
    }

    /// A place without the boards that are not there for whoever looks.
    fn shown(&self, who: &Who, place: Place) -> Place {
        let boards = self.boards_now();
        let is_seen = |board: &BoardName| boards.get(board).is_some_and(|board| sees(who, board));
        let because = place.because.into_iter().filter(|it| is_seen(&it.board)).collect();
        Place { want: self.want_shown(who, &place.want), because, ..place }
    }

    /// What is wanted, without the boards that are not there for whoever looks.
    pub(super) fn want_shown(&self, who: &Who, want: &Want) -> Want {
        let Want::Among { want, boards } = want else { return want.clone() };
        let seen = self.names_seen(who);
        let boards = boards.iter().filter(|board| seen.contains(board)).cloned().collect();
        Want::Among { want: want.clone(), boards }
    }

    /// The boards that are there for whoever asks.
    pub(super) fn boards_seen(&self, who: &Who) -> Vec<Arc<Board>> {
        self.boards_now().values().filter(|board| sees(who, board)).cloned().collect()
    }

    /// Their names.
    pub fn names_seen(&self, who: &Who) -> Vec<BoardName> {
        self.boards_seen(who).iter().map(|board| board.config.name.clone()).collect()
    }
}

fn would_do(Board { config, .. }: &Board, want: &Want) -> bool {
    want.is_met_by(&config.name, &config.class, &config.tags)
}

fn row(board: &Board, book: &Book) -> board::Board {
    let name = &board.config.name;
    board::Board {
        name: name.clone(),
        class: board.config.class.clone(),
        tags: board.config.tags.clone(),
        groups: board.config.groups.clone(),
        state: book.state(name),
        hold: book.hold_of(name).cloned(),
        waiting: book.waiting_for(name),
        power: board.keeper.as_ref().map_or(PowerState::None, |keeper| keeper.detail().state),
        console: board.line.as_ref().map_or(ConsoleState::None, |line| line.state().0),
        last_line: board.line.as_ref().map(|line| line.last_line()).unwrap_or_default(),
        fault: fault(board),
    }
}

/// What is wrong with a board: its last clean-up, its outlet, its console.
fn fault(board: &Board) -> Option<String> {
    let outlet = || board.keeper.as_ref().and_then(|keeper| keeper.detail().fault);
    let console = || board.line.as_ref().and_then(|line| line.state().1);
    board.trouble.lock().clone().or_else(outlet).or_else(console)
}
