//! Consoles side by side: up to sixteen panes, each with a feed of its own while it is drawn.

pub mod compare;

use protocol::board::BoardName;
use protocol::console::ConsoleDetail;

use crate::emulator::Emulator;
use crate::keys::Key;
use crate::model::{Link, PenHolder};

/// How many consoles there are side by side at most.
pub const MOST: usize = 16;

/// Consoles side by side.
pub struct Grid {
    /// One a board, never none.
    pub panes: Vec<Pane>,
    /// The pane with the focus.
    pub focus: usize,
    /// Whether it is shown alone.
    pub zoomed: bool,
    /// Where keys go, if not to labtui.
    pub typing: Option<Reach>,
    /// Keys that may become the prefix, and are no board's yet.
    pub held: Vec<Key>,
    /// Whether nothing has been typed since Enter.
    pub line_start: bool,
}

/// Which panes get what is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The one with the focus.
    One,
    /// Every one.
    All,
}

/// One console among others.
pub struct Pane {
    /// Whose.
    pub board: BoardName,
    /// What is seen of it; none while it is not drawn.
    pub live: Option<Live>,
}

/// A console that is drawn.
pub struct Live {
    /// Names its feed.
    pub feed: u64,
    /// Its screen, as large as the lab takes every console's to be: a pane is a window on it.
    pub emulator: Emulator,
    /// How its feed stands.
    pub link: Link,
    /// Names us in calls about the pen, while connected.
    pub session: Option<u64>,
    /// Who types on it.
    pub pen: PenHolder,
}

impl Grid {
    /// The consoles of these boards, of which one has the focus.
    pub fn new(boards: Vec<BoardName>, focus: usize) -> Grid {
        let pane = |board| Pane { board, live: None };
        Grid {
            panes: boards.into_iter().take(MOST).map(pane).collect(),
            focus,
            zoomed: false,
            typing: None,
            held: Vec::new(),
            line_start: true,
        }
    }

    /// Whose they are.
    pub fn boards(&self) -> Vec<BoardName> {
        self.panes.iter().map(|pane| pane.board.clone()).collect()
    }

    /// The board with the focus.
    pub fn board(&self) -> Option<&BoardName> {
        self.panes.get(self.focus).map(|pane| &pane.board)
    }

    /// Whether what is typed is meant for a pane.
    pub fn reaches(&self, place: usize) -> bool {
        match self.typing {
            None => false,
            Some(Reach::One) => place == self.focus,
            Some(Reach::All) => true,
        }
    }

    /// What is drawn, each with its place.
    pub fn live(&self) -> impl Iterator<Item = (usize, &BoardName, &Live)> {
        let panes = self.panes.iter().enumerate();
        panes.filter_map(|(place, pane)| Some((place, &pane.board, pane.live.as_ref()?)))
    }

    /// What is drawn, to be changed.
    pub fn live_mut(&mut self) -> impl Iterator<Item = &mut Live> {
        self.panes.iter_mut().filter_map(|pane| pane.live.as_mut())
    }
}

impl Live {
    /// A console that nothing is known of yet.
    pub fn new(feed: u64) -> Live {
        let (link, pen) = (Link::Connecting, PenHolder::Unknown);
        Live { feed, emulator: Emulator::pane(), link, session: None, pen }
    }

    /// Whether keys have an effect on it.
    pub fn has_pen(&self) -> bool {
        self.link == Link::Up && matches!(self.pen, PenHolder::Us | PenHolder::Paired(_))
    }

    /// Takes in who is there.
    pub fn know(&mut self, line: &ConsoleDetail) {
        let types = |viewer: &&protocol::console::Viewer| viewer.pen || viewer.paired;
        let all: Vec<_> = line.viewers.iter().filter(types).collect();
        self.pen = match (all.iter().any(|it| Some(it.session) == self.session), all.first()) {
            (true, _) => PenHolder::Us,
            (false, Some(viewer)) => PenHolder::Other(viewer.who.to_string()),
            (false, None) => PenHolder::Nobody,
        };
    }
}
