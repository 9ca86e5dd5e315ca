//! Everything the screen shows. It is changed by `update` and read by `view`; there is no other state.

use std::collections::{BTreeSet, VecDeque};

use jiff::tz::TimeZone;
use protocol::board::{Board, BoardDetail, BoardName};
use protocol::journal::Entry;
use protocol::user::Who;
use protocol::{Error, Time};

use crate::call::Call;
use crate::dialog::Dialog;
use crate::emulator::Emulator;
use crate::keys::Context;
use crate::notice::{KEPT, Notice, SHOWN, Tone};
use crate::table::Table;

/// How many entries of a board's timeline are kept.
const TIMELINE: usize = 2_000;

/// Everything the screen shows.
pub struct Model {
    /// The instant that the screen shows.
    pub now: Time,
    /// Where the reader's clock stands.
    pub zone: TimeZone,
    /// The screen's width and height in cells.
    pub size: (u16, u16),
    /// Where the lab is.
    pub lab: String,
    /// Who the lab says we are.
    pub me: Option<Who>,
    /// Whether the table is live.
    pub link: Link,
    /// The boards.
    pub table: Table,
    /// Which pane has the focus.
    pub focus: Focus,
    /// The board looked at closely.
    pub closeup: Option<Closeup>,
    /// The console somebody is attached to; it takes the whole screen.
    pub console: Option<Console>,
    /// A question that waits for its answer.
    pub dialog: Option<Dialog>,
    /// A page on top of all the others.
    pub page: Option<Page>,
    /// Whether a filter is being typed.
    pub filtering: Filtering,
    /// What was said, newest last.
    pub notices: VecDeque<Notice>,
    /// Calls that are not answered yet.
    pub calls: Vec<Call>,
    /// The boards we wait in line for.
    pub awaited: BTreeSet<BoardName>,
    /// Holds that we ended ourselves, so that their end is no news.
    pub let_go: BTreeSet<u64>,
    /// How many timelines and consoles have been followed; names the next one.
    pub feeds: u64,
}

/// How a feed stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// The first attempt.
    Connecting,
    /// What is shown is how things are.
    Up,
    /// What is shown is how things were.
    Down {
        /// Why.
        why: Error,
        /// How many attempts have failed.
        attempt: u32,
        /// When the next one is.
        next: Time,
    },
    /// There will be no other attempt.
    Refused(Error),
}

/// A pane that keys go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Focus {
    /// The board table.
    Table,
    /// What is known of a board.
    Facts,
    /// What happened to it.
    Timeline,
}

/// Whether a filter is being typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filtering {
    /// Keys are letters of the filter.
    Typing,
    /// Keys are actions.
    Done,
}

/// A page on top of all the others, scrolled down by so many lines (help) or up from the newest by
/// so many messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// The keys.
    Help(usize),
    /// What was said.
    Messages(usize),
}

/// A board looked at closely.
#[derive(Debug)]
pub struct Closeup {
    /// Which.
    pub board: BoardName,
    /// Names the feed of its timeline.
    pub feed: u64,
    /// Everything about it, when that has been read.
    pub detail: Option<BoardDetail>,
    /// Whether something has changed since it was asked for.
    pub stale: bool,
    /// What happened to it, newest last.
    pub entries: VecDeque<Entry>,
    /// How the timeline's feed stands.
    pub link: Link,
    /// How many lines the facts are scrolled down.
    pub top: usize,
    /// How many entries the timeline is scrolled up from the newest.
    pub back: usize,
}

/// A console somebody is attached to.
pub struct Console {
    /// Whose.
    pub board: BoardName,
    /// Names its feed.
    pub feed: u64,
    /// Its screen.
    pub emulator: Emulator,
    /// How its feed stands.
    pub link: Link,
    /// Names us in calls about the pen, while connected.
    pub session: Option<u64>,
    /// What the next key means.
    pub mode: Mode,
}

/// What the next key means in a console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It goes to the board.
    Live,
    /// It is labtui's.
    Prefixed,
    /// It moves in the history.
    Scrollback,
}

/// Who types on a console, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PenHolder {
    /// Not known yet.
    Unknown,
    /// This console.
    Us,
    /// Somebody else, or our own name elsewhere.
    Other(String),
    /// Nobody.
    Nobody,
}

impl Model {
    /// A screen that has shown nothing yet.
    pub fn new(lab: String, zone: TimeZone, size: (u16, u16), now: Time) -> Model {
        Model {
            now,
            zone,
            size,
            lab,
            me: None,
            link: Link::Connecting,
            table: Table::default(),
            focus: Focus::Table,
            closeup: None,
            console: None,
            dialog: None,
            page: None,
            filtering: Filtering::Done,
            notices: VecDeque::new(),
            calls: Vec::new(),
            awaited: BTreeSet::new(),
            let_go: BTreeSet::new(),
            feeds: 0,
        }
    }

    /// What keys mean now.
    pub fn context(&self) -> Context {
        match (&self.page, &self.dialog, &self.console) {
            (Some(Page::Help(_)), ..) => Context::Help,
            (Some(Page::Messages(_)), ..) => Context::Messages,
            (None, Some(Dialog::Choice(_)), _) => Context::Choice,
            (None, Some(Dialog::Question(_)), _) => Context::Question,
            (None, None, Some(console)) => match console.mode {
                Mode::Live => Context::Console,
                Mode::Prefixed => Context::Prefixed,
                Mode::Scrollback => Context::Scrollback,
            },
            (None, None, None) => match (self.filtering, self.focus) {
                (Filtering::Typing, _) => Context::Filter,
                (Filtering::Done, Focus::Table) => Context::Table,
                (Filtering::Done, _) => Context::Closeup,
            },
        }
    }

    /// Says something to the person at the screen.
    pub fn say(&mut self, tone: Tone, text: &str) {
        self.note(Notice::new(self.now, tone, text));
    }

    /// Shows a notice, and keeps it. Said twice, it is shown longer.
    pub fn note(&mut self, notice: Notice) {
        if self.fresh().next().is_some_and(|last| last.text == notice.text) {
            self.notices.pop_back();
        }
        if self.notices.len() == KEPT {
            self.notices.pop_front();
        }
        self.notices.push_back(notice);
    }

    /// The notices that are still on the screen by themselves, newest first.
    pub fn fresh(&self) -> impl Iterator<Item = &Notice> {
        self.notices.iter().rev().take_while(|notice| self.now.since(notice.at) < SHOWN)
    }

    /// Whether the board is ours.
    pub fn is_mine(&self, board: &Board) -> bool {
        let me = self.me.as_ref().map(|me| &me.name);
        board.hold.as_ref().is_some_and(|hold| Some(&hold.who) == me)
    }

    /// Who types on the console.
    pub fn pen(&self) -> PenHolder {
        let Some(console) = &self.console else { return PenHolder::Unknown };
        let detail = self.closeup.as_ref().and_then(|closeup| closeup.detail.as_ref());
        let of_this = detail.filter(|detail| detail.board.name == console.board);
        let Some(line) = of_this.and_then(|detail| detail.line.as_ref()) else {
            return PenHolder::Unknown;
        };
        match line.viewers.iter().find(|viewer| viewer.pen) {
            Some(viewer) if Some(viewer.session) == console.session => PenHolder::Us,
            Some(viewer) => PenHolder::Other(viewer.who.to_string()),
            None => PenHolder::Nobody,
        }
    }
}

impl Closeup {
    /// A look at a board of which nothing is known yet.
    pub fn new(board: BoardName, feed: u64) -> Closeup {
        Closeup {
            board,
            feed,
            detail: None,
            stale: false,
            entries: VecDeque::new(),
            link: Link::Connecting,
            top: 0,
            back: 0,
        }
    }

    /// More of the timeline. What is looked at stays where it is.
    pub fn extend(&mut self, entries: Vec<Entry>) {
        if self.back > 0 {
            self.back += entries.len();
        }
        self.entries.extend(entries);
        let surplus = self.entries.len().saturating_sub(TIMELINE);
        self.entries.drain(..surplus);
        self.back = self.back.min(self.entries.len().saturating_sub(1));
    }
}
