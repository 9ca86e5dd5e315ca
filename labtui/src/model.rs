//! Everything the screen shows. It is changed by `update` and read by `view`; there is no other state.

use std::collections::{BTreeSet, VecDeque};

use jiff::tz::TimeZone;
use protocol::account::{Account, Token};
use protocol::address::Address;
use protocol::board::{Board, BoardDetail, BoardName};
use protocol::console::{Desk, Viewer};
use protocol::journal::Entry;
use protocol::power::PowerAsk;
use protocol::user::Who;
use protocol::{Error, Span, Time};

use crate::audit::Audit;
use crate::batch::Batch;
use crate::calendar::Calendar;
use crate::call::Call;
use crate::dialog::Dialog;
use crate::emulator::Emulator;
use crate::filter::Filter;
use crate::grid::Grid;
use crate::keys::{Action, Context, Group, Key};
use crate::notice::{KEPT, Notice, SHOWN, Tone};
use crate::palette::Palette;
use crate::past::{BootList, Hits, Past, Place, Quest};
use crate::settings::Settings;
use crate::table::Table;
use crate::theme::{Background, Theme};

/// How many entries of a board's timeline are kept.
const TIMELINE: usize = 2_000;

/// How long it is said how to switch back what was just switched.
pub const UNDO: Span = Span::seconds(3);

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
    /// Consoles side by side.
    pub grid: Option<Grid>,
    /// What is followed of them: feeds, and whose.
    pub watched: Vec<(u64, BoardName)>,
    /// A question that waits for its answer.
    pub dialog: Option<Dialog>,
    /// A page on top of all the others.
    pub page: Option<Page>,
    /// How the calendar stands.
    pub calendar: Calendar,
    /// Who has an account, once that has been read.
    pub accounts: Option<Vec<Account>>,
    /// What people come in with, once that has been read.
    pub tokens: Option<Vec<Token>>,
    /// Who did what, while somebody looks.
    pub audit: Option<Audit>,
    /// What is being typed, besides answers.
    pub typing: Option<Typing>,
    /// The last filter that was taken, which `n` and `N` look for.
    pub sought: Filter,
    /// What help shows only bindings with.
    pub search: String,
    /// Whether the pane with the focus is shown alone.
    pub zoomed: bool,
    /// Where one is, and can come back to.
    pub here: Option<View>,
    /// Where one was before.
    pub last: Option<View>,
    /// Whether clicks and the wheel are to be labtui's, but in a console.
    pub mouse: bool,
    /// Whether they are at the moment.
    pub captured: bool,
    /// What was just switched, and can be switched back.
    pub undo: Option<Undo>,
    /// Boards that were asked together, and how each fared.
    pub batch: Option<Batch>,
    /// What consoles printed that was looked for last.
    pub hits: Option<Hits>,
    /// The boots of the board that they were last asked of.
    pub boots: Option<BootList>,
    /// Commands that were typed, newest last.
    pub history: Vec<String>,
    /// The labs that one has logged in to.
    pub labs: Vec<(String, Address)>,
    /// What somebody has made of labtui.
    pub settings: Settings,
    /// What the terminal's own background is.
    pub background: Background,
    /// How things look.
    pub theme: Theme,
    /// How long the last question to the lab took.
    pub round_trip: Option<Span>,
    /// How far the lab's clock is ahead of ours, where that is known.
    pub skew: Option<Span>,
    /// When the table was live last.
    pub seen: Time,
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

/// What is being typed, besides answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typing {
    /// A filter for the table.
    Filter,
    /// A word to look for in help.
    Search,
    /// What to look for in a console's history.
    Past,
    /// A command.
    Command(Palette),
}

/// Somewhere that one can come back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum View {
    /// The table, with this filter.
    Boards(String),
    /// A board's details.
    Board(BoardName),
    /// A board's console.
    Console(BoardName),
    /// Several, side by side.
    Consoles(Vec<BoardName>),
    /// What was said.
    Messages,
    /// What a search of all consoles has found.
    Hits,
    /// The boots of the board that they were last asked of.
    Boots,
    /// Holds and the queue against time.
    Calendar,
}

/// What can be switched back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undo {
    /// Whose power.
    pub board: BoardName,
    /// How.
    pub ask: PowerAsk,
    /// When it was switched.
    pub at: Time,
}

/// A page on top of all the others, scrolled down by so many lines (help) or up from the newest by
/// so many messages; or with so many rows above the one that is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// The keys.
    Help(usize),
    /// What was said.
    Messages(usize),
    /// How each board fared that was asked together with others.
    Report(usize),
    /// What a search of all consoles has found.
    Hits(usize),
    /// A board's boots.
    Boots(usize),
    /// Holds and the queue against time.
    Calendar,
    /// Who has an account.
    Users(usize),
    /// What people come in with.
    Tokens(usize),
    /// Who did what, scrolled up from the newest.
    Audit(usize),
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
    /// Who is at it, when that has been heard.
    pub desk: Option<Desk>,
    /// What the next key means.
    pub mode: Mode,
    /// Keys that may become the prefix, and are not the board's yet.
    pub held: Vec<Key>,
    /// Whether nothing has been typed since Enter.
    pub line_start: bool,
    /// How it looked earlier, if that is what is shown.
    pub past: Option<Past>,
    /// What is looked for in its history.
    pub quest: Quest,
    /// Where one goes in its history as soon as the last place is there.
    pub wanted: Option<Place>,
    /// The place that is being read.
    pub asked: Option<Place>,
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
    /// Somebody else, who lets this console type as well.
    Paired(String),
    /// Somebody else, or our own name elsewhere.
    Other(String),
    /// Nobody.
    Nobody,
}

impl Focus {
    /// The number in the pane's title, which goes there.
    pub fn number(self) -> u8 {
        match self {
            Focus::Table => 1,
            Focus::Facts => 2,
            Focus::Timeline => 3,
        }
    }
}

impl Model {
    /// A screen that has shown nothing yet.
    pub fn new(lab: String, zone: TimeZone, size: (u16, u16), now: Time) -> Model {
        let settings = Settings::default();
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
            grid: None,
            watched: Vec::new(),
            dialog: None,
            page: None,
            calendar: Calendar::default(),
            accounts: None,
            tokens: None,
            audit: None,
            typing: None,
            sought: Filter::default(),
            search: String::new(),
            zoomed: false,
            here: None,
            last: None,
            mouse: false,
            captured: false,
            undo: None,
            batch: None,
            hits: None,
            boots: None,
            history: Vec::new(),
            labs: Vec::new(),
            theme: settings.theme.theme(Background::default()),
            settings,
            background: Background::default(),
            round_trip: None,
            skew: None,
            seen: now,
            notices: VecDeque::new(),
            calls: Vec::new(),
            awaited: BTreeSet::new(),
            let_go: BTreeSet::new(),
            feeds: 0,
        }
    }

    /// What keys mean now.
    pub fn context(&self) -> Context {
        match &self.typing {
            Some(Typing::Command(_)) => return Context::Palette,
            Some(Typing::Filter | Typing::Search | Typing::Past) => return Context::Filter,
            None => {}
        }
        match (&self.page, &self.dialog, &self.console) {
            (Some(Page::Help(_)), ..) => Context::Help,
            (Some(Page::Hits(_) | Page::Boots(_)), ..) => Context::Listing,
            (Some(Page::Calendar), ..) => Context::Calendar,
            (Some(_), ..) => Context::Messages,
            (None, Some(Dialog::Choice(_)), _) => Context::Choice,
            (None, Some(Dialog::Question(_)), _) => Context::Question,
            (None, None, Some(console)) => match console.mode {
                Mode::Live => Context::Console,
                Mode::Prefixed => Context::Prefixed,
                Mode::Scrollback => Context::Scrollback,
            },
            (None, None, None) if let Some(grid) = &self.grid => match grid.typing {
                None => Context::Grid,
                Some(_) => Context::Typing,
            },
            (None, None, None) if self.focus == Focus::Table => Context::Table,
            (None, None, None) => Context::Closeup,
        }
    }

    /// What to type for it, as a sentence names it.
    pub fn typed(&self, group: Group, action: Action) -> String {
        self.settings.keys.typed(group, action)
    }

    /// Takes over what somebody has made of labtui.
    pub fn adopt(&mut self, settings: Settings) {
        self.theme = settings.theme.theme(self.background);
        self.settings = settings;
    }

    /// What was just switched, as long as it is said how to switch it back.
    pub fn undoable(&self) -> Option<&Undo> {
        self.undo.as_ref().filter(|undo| self.now.since(undo.at) < UNDO)
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
        let (Some(console), Some(viewers)) = (&self.console, self.viewers()) else {
            return PenHolder::Unknown;
        };
        let is_us = |viewer: &Viewer| Some(viewer.session) == console.session;
        let paired = viewers.iter().any(|viewer| is_us(viewer) && viewer.paired);
        match viewers.iter().find(|viewer| viewer.pen) {
            Some(viewer) if is_us(viewer) => PenHolder::Us,
            Some(viewer) if paired => PenHolder::Paired(viewer.who.to_string()),
            Some(viewer) => PenHolder::Other(viewer.who.to_string()),
            None => PenHolder::Nobody,
        }
    }

    /// Who is at the console: as its desk says, or until that is heard the board's details.
    pub fn viewers(&self) -> Option<&[Viewer]> {
        let console = self.console.as_ref()?;
        if let Some(desk) = &console.desk {
            return Some(&desk.viewers);
        }
        let detail = self.closeup.as_ref()?.detail.as_ref()?;
        let line = detail.line.as_ref().filter(|_| detail.board.name == console.board)?;
        Some(&line.viewers)
    }

    /// Who asks for the pen that this console has, first who asked first.
    pub fn asking(&self) -> Option<&Viewer> {
        let asks = self.viewers().unwrap_or_default().iter().filter(|it| it.asked.is_some());
        asks.min_by_key(|viewer| viewer.waits).filter(|_| self.pen() == PenHolder::Us)
    }
}

impl Console {
    /// A console of which nothing has been printed yet.
    pub fn new(board: BoardName, feed: u64, (width, height): (u16, u16)) -> Console {
        Console {
            board,
            feed,
            emulator: Emulator::new(width, height),
            link: Link::Connecting,
            session: None,
            desk: None,
            mode: Mode::Live,
            held: Vec::new(),
            line_start: true,
            past: None,
            quest: Quest::default(),
            wanted: None,
            asked: None,
        }
    }

    /// The screen that is shown.
    pub fn screen(&self) -> &Emulator {
        self.past.as_ref().map_or(&self.emulator, |past| &past.emulator)
    }

    /// Back to what it prints now.
    pub fn go_live(&mut self) {
        self.emulator.scroll(crate::keys::Move::Last);
        (self.mode, self.past) = (Mode::Live, None);
        (self.wanted, self.asked) = (None, None);
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
