//! What of the timeline, and of what others want, is there for whoever reads.

use protocol::board::BoardName;
use protocol::hold::{Ended, Want};
use protocol::journal::{Entry, Event};
use protocol::user::{Role, Who};

use crate::config::BoardConfig;
use crate::lab::{Lab, sees};
use crate::rules::access::{self, On};

impl Lab {
    /// An entry of the timeline as somebody may read it, if they may.
    pub fn readable(&self, who: &Who, entry: &Entry) -> Option<Entry> {
        let mut entry = self.may_read(who, entry).then(|| entry.clone())?;
        if entry.who.as_ref() != Some(&who.name) && who.role < Role::Moderator {
            // Where others work, and with what they come, is not everybody's to know.
            entry.via = None;
        }
        if let Event::Queued { want, .. } = &mut entry.event {
            *want = self.want_shown(who, want);
        }
        Some(entry)
    }

    /// Not one of a board that is not there for them, and of what concerns who may do what only their
    /// own.
    fn may_read(&self, who: &Who, entry: &Entry) -> bool {
        let is_private = matches!(
            entry.event,
            Event::Account { .. }
                | Event::Token { .. }
                | Event::Key { .. }
                | Event::Login { .. }
                | Event::Denied { .. }
        );
        let is_own = entry.who.as_ref() == Some(&who.name);
        if is_private && !is_own && who.role < Role::Moderator {
            return false;
        }
        let boards = self.boards_now();
        match (&entry.board, &entry.event) {
            // Whoever loses a board that is no longer there for them is told so.
            (Some(_), Event::Ended { holder, how: Ended::Hidden, .. }) if *holder == who.name => {
                true
            }
            (Some(board), _) => match boards.get(board) {
                Some(board) => sees(who, board),
                None => self.may_look_back(who, board),
            },
            (None, Event::Queued { want, .. }) => boards.values().any(|board| {
                let BoardConfig { name, class, tags, .. } = &board.config;
                want.is_met_by(name, class, tags) && sees(who, board)
            }),
            (None, _) => true,
        }
    }

    /// Whether a board that has left the lab was there for somebody.
    pub(in crate::lab) fn may_look_back(&self, who: &Who, board: &BoardName) -> bool {
        if let Some(present) = self.board(board) {
            return sees(who, &present);
        }
        let remembered = self.book.lock();
        let groups = remembered.groups.get(board).map(Vec::as_slice).unwrap_or_default();
        // Of what class it was nobody knows any more.
        access::sees(who, On { board, class: "", groups, hold: None, lent: None })
    }

    /// What is wanted, as far as it is there for whoever asks.
    pub(in crate::lab) fn narrowed(&self, who: &Who, want: Want) -> Want {
        let boards = self.boards_now();
        let would_do =
            |board: &&BoardConfig| want.is_met_by(&board.name, &board.class, &board.tags);
        let all: Vec<_> = boards.values().map(|board| &board.config).filter(would_do).collect();
        let theirs =
            |config: &&&BoardConfig| boards.get(&config.name).is_some_and(|board| sees(who, board));
        let open: Vec<_> = all.iter().filter(theirs).map(|config| config.name.clone()).collect();
        if open.len() == all.len() || matches!(want, Want::Board { .. }) {
            return want;
        }
        Want::Among { want: Box::new(want), boards: open }
    }
}
