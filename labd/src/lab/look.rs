//! What people see: rows, details, classes, holds, the queue.

use protocol::Error;
use protocol::board::{self, BoardDetail, BoardName, Class, Filter};
use protocol::console::ConsoleState;
use protocol::hold::{Hold, Place, Want};
use protocol::power::PowerState;
use protocol::user::Who;

use super::{Board, Lab};
use crate::rules::hold::Book;

impl Lab {
    /// The board table.
    pub fn rows(&self, who: &Who, filter: &Filter) -> Vec<board::Board> {
        let boards = self.boards_now();
        let remembered = self.book.lock();
        let wanted = |board: &&std::sync::Arc<Board>| {
            let Board { config, .. } = &***board;
            let hold = remembered.book.hold_of(&config.name);
            filter
                .want
                .as_ref()
                .is_none_or(|want| want.is_met_by(&config.name, &config.class, &config.tags))
                && (!filter.mine || hold.is_some_and(|hold| hold.who == who.name))
        };
        boards.values().filter(wanted).map(|board| row(board, &remembered.book)).collect()
    }

    /// The rows that have changed since change number `since`.
    pub fn rows_since(&self, since: u64) -> Vec<board::Board> {
        let boards = self.boards_now();
        let changed: Vec<_> = boards.values().filter(|board| board.mark.newest() > since).collect();
        let remembered = self.book.lock();
        changed.into_iter().map(|board| row(board, &remembered.book)).collect()
    }

    /// Every board, and whether something is wrong with it.
    pub(super) fn faults(&self) -> Vec<(BoardName, bool)> {
        let boards = self.boards_now();
        boards.iter().map(|(name, board)| (name.clone(), fault(board).is_some())).collect()
    }

    /// Everything about one board.
    ///
    /// # Errors
    /// [`Error::NoSuch`].
    pub fn detail(&self, name: &BoardName) -> Result<BoardDetail, Error> {
        let board = self.find(name)?;
        let want = Want::Board { name: name.clone() };
        let queue = self.queue_for(&want);
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
    pub fn classes(&self) -> Vec<Class> {
        let boards = self.boards_now();
        let remembered = self.book.lock();
        let places = remembered.book.places(self.clock.now());
        let class = |(name, attributes): (&String, &_)| {
            let here: Vec<_> =
                boards.keys().filter(|board| boards[*board].config.class == *name).collect();
            let want = Want::Class { name: name.clone() };
            Class {
                name: name.clone(),
                attributes: Clone::clone(attributes),
                boards: here.len() as u32,
                free: here.iter().filter(|board| remembered.book.hold_of(board).is_none()).count()
                    as u32,
                waiting: places.iter().filter(|place| place.want == want).count() as u32,
            }
        };
        self.config().classes.iter().map(class).collect()
    }

    /// Every hold.
    pub fn holds(&self) -> Vec<Hold> {
        self.book.lock().book.holds().cloned().collect()
    }

    /// The whole queue, first served first.
    pub fn queue(&self) -> Vec<Place> {
        let now = self.clock.now();
        self.book.lock().book.places(now)
    }

    /// Those in the queue who would take what is wanted.
    fn queue_for(&self, want: &Want) -> Vec<Place> {
        let boards = self.boards_now();
        let Want::Board { name } = want else { return Vec::new() };
        let Some(board) = boards.get(name) else { return Vec::new() };
        let Board { config, .. } = &**board;
        let would_take =
            |place: &Place| place.want.is_met_by(&config.name, &config.class, &config.tags);
        self.queue().into_iter().filter(would_take).collect()
    }
}

fn row(board: &Board, book: &Book) -> board::Board {
    let name = &board.config.name;
    board::Board {
        name: name.clone(),
        class: board.config.class.clone(),
        tags: board.config.tags.clone(),
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
