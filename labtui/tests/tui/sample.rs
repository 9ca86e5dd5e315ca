//! A small lab on paper, at a fixed instant.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use labtui::call::{Answer, Call};
use labtui::feed::{FeedId, News};
use labtui::model::Model;
use labtui::update::{Effect, Message, update};
use protocol::board::{Board, BoardDetail, BoardName, State};
use protocol::boot::{Boot, Boots, Cause, Outcome, Reached, Usual};
use protocol::console::{ConsoleDetail, ConsoleState, Viewer};
use protocol::hold::{Ended, Hold, Place, Want};
use protocol::journal::{Entry, Event};
use protocol::power::{PowerAsk, PowerDetail, PowerState};
use protocol::search::Hit;
use protocol::user::{Role, UserName, Who};
use protocol::wire::Welcome;
use protocol::{Span, Time};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use labtui::view::{self, Colours, Look, Signs};

/// 2026-11-20 14:00 UTC.
pub(crate) const NOW: Time = Time(1_795_183_200_000);

pub(crate) const ALL: Look = Look { colours: Colours::All, signs: Signs::Unicode };

pub(crate) fn name(text: &str) -> BoardName {
    text.parse().unwrap()
}

pub(crate) fn user(text: &str) -> UserName {
    text.parse().unwrap()
}

pub(crate) fn hold(board: &str, who: &str, number: u64, left: Span) -> Hold {
    let (board, who, since) = (name(board), user(who), NOW - Span::minutes(30));
    let (until, grace, note, place) = (NOW + left, None, None, None);
    Hold { number, board, who, since, until, grace, note, place }
}

pub(crate) fn board(text: &str, class: &str) -> Board {
    Board {
        name: name(text),
        class: class.to_owned(),
        tags: Vec::new(),
        groups: Vec::new(),
        state: State::Free,
        hold: None,
        waiting: 0,
        power: PowerState::Off,
        console: ConsoleState::Open,
        last_line: String::new(),
        fault: None,
    }
}

pub(crate) fn held(text: &str, class: &str, who: &str, number: u64, left: Span) -> Board {
    let hold = Some(hold(text, who, number, left));
    Board { state: State::Held, hold, power: PowerState::On, ..board(text, class) }
}

/// Eight boards in all states; `ada` is us.
pub(crate) fn boards() -> Vec<Board> {
    let mut all = vec![
        board("bbb-1", "beaglebone"),
        held("rpi4-1", "rpi4", "ada", 41, Span::minutes(80)),
        held("rpi4-2", "rpi4", "bob", 39, Span::seconds(272)),
        board("rpi4-10", "rpi4"),
        board("rk3588-1", "rk3588"),
        held("x86-1", "server", "carol.jones", 12, Span::hours(50)),
        board("zcu102-1", "zcu102"),
        board("zcu102-2", "zcu102"),
    ];
    all[1].last_line = "root@rpi4-1:~# dmesg | tail".to_owned();
    all[1].hold.as_mut().unwrap().note = Some("bisecting the USB hang".to_owned());
    all[2].last_line = "[   12.345678] usb 1-1.3: new high-speed USB device number 4".to_owned();
    all[2].waiting = 2;
    all[2].tags = vec!["poe".to_owned(), "usb3".to_owned()];
    all[4].state = State::Preparing;
    all[4].last_line = "U-Boot 2026.10 (Oct 01 2026) \u{1b}[2Jevil".to_owned();
    all[5].last_line = "login:".to_owned();
    all[6].power = PowerState::Unknown;
    all[6].fault = Some("/dev/ttyUSB3 is gone".to_owned());
    all[6].console = ConsoleState::Away;
    all
}

/// Somebody at a console.
pub(crate) fn viewer(session: u64, who: &str, pen: bool) -> Viewer {
    let (who, since, paired, waits, asked) = (user(who), NOW, false, None, None);
    Viewer { session, who, since, pen, paired, waits, asked }
}

pub(crate) fn detail(board: Board) -> BoardDetail {
    let place = Place {
        number: 7,
        who: user("dave"),
        want: Want::Class { name: board.class.clone() },
        span: None,
        since: NOW - Span::minutes(5),
        position: 1,
        expected: None,
        because: Vec::new(),
    };
    BoardDetail {
        description: Some("Shelf 2, left. Camera port in use.".to_owned()),
        macs: vec!["dc:a6:32:01:02:03".to_owned()],
        default_span: Span::hours(2),
        longest_span: Span::hours(8),
        attributes: [("ip".to_owned(), "10.0.0.41".into()), ("cores".to_owned(), 4.into())].into(),
        outlet: Some(PowerDetail {
            outlet: "snmppower poe-1 port 3".to_owned(),
            state: board.power,
            seen: Some(NOW - Span::seconds(4)),
            doing: None,
            fault: None,
        }),
        line: Some(ConsoleDetail {
            device: "serialconsole /dev/ttyUSB0 115200 8N1".to_owned(),
            state: ConsoleState::Open,
            start: 0,
            end: 48_213,
            viewers: vec![viewer(3, "ada", true), viewer(4, "bob", false)],
            fault: None,
            uart: None,
            quality: None,
            doing: None,
            breaks: BTreeMap::new(),
            lines: BTreeMap::new(),
        }),
        queue: vec![place],
        board,
    }
}

pub(crate) fn entry(seq: u64, board: &str, who: Option<&str>, ago: Span, event: Event) -> Entry {
    let (who, board) = (who.map(user), Some(name(board)));
    Entry { seq, at: NOW - ago, who, via: None, request: None, board, offset: None, event }
}

/// A line that was found.
pub(crate) fn hit(board: &str, offset: u64, line: &str, spans: &[(usize, usize)]) -> Hit {
    let (board, line, spans) = (name(board), line.to_owned(), spans.to_vec());
    Hit { board, at: NOW - Span::minutes(90), offset, line, spans }
}

/// Three boots: one that was done, one that panicked, and one that hangs.
pub(crate) fn boots() -> Boots {
    let reached = |stage: &str, after, offset| Reached {
        stage: stage.to_owned(),
        after: Span::millis(after),
        offset,
    };
    let (stages, took) = (vec![reached("u-boot", 1_100, 120)], Some(Span::millis(12_310)));
    let done = Boot {
        number: 1,
        at: NOW - Span::hours(30),
        offset: 100,
        cause: Cause::Power,
        stages: [stages.clone(), vec![reached("kernel", 3_000, 400)]].concat(),
        outcome: Outcome::Done,
        took,
        hung: false,
    };
    let (at, outcome) = (NOW - Span::hours(2), Outcome::Panicked);
    let panicked = Boot { number: 2, at, offset: 5_000, outcome, ..done.clone() };
    let slow = vec![reached("u-boot", 9_000, 9_100)];
    let hung = Boot {
        number: 3,
        at: NOW - Span::minutes(3),
        offset: 9_000,
        cause: Cause::Reset,
        stages: slow,
        outcome: Outcome::Going,
        took: None,
        hung: true,
    };
    let (p50, p95, p99) = (Span::millis(1_000), Span::millis(2_000), Span::millis(4_000));
    let usual = vec![Usual { stage: None, boots: 20, p50, p95, p99 }];
    Boots { boots: vec![done, panicked, hung], usual }
}

pub(crate) fn entries(board: &str) -> Vec<Entry> {
    let until = NOW + Span::minutes(80);
    let (ada, bob) = (Some("ada"), Some("bob"));
    let cycle = PowerAsk::Cycle;
    let how = Ended::Broken { by: user("root"), reason: "the rack is moved".to_owned() };
    let reserved = Event::Reserved {
        number: 41,
        until,
        waited_since: None,
        note: Some("bisecting the USB hang".to_owned()),
    };
    let typed = Event::Typed { text: Some("dmesg | tail".to_owned()), bytes: 13 };
    vec![
        entry(3, board, bob, Span::hours(30), Event::Noted { text: "fan is loud".to_owned() }),
        entry(
            9,
            board,
            None,
            Span::minutes(40),
            Event::Ended { number: 38, holder: user("bob"), how },
        ),
        entry(10, board, ada, Span::minutes(30), reserved),
        entry(11, board, ada, Span::minutes(29), Event::PowerAsked { ask: cycle }),
        entry(12, board, None, Span::minutes(28), Event::PowerDone { ask: cycle }),
        entry(13, board, ada, Span::minutes(27), Event::PenTaken { session: 3 }),
        entry(14, board, ada, Span::seconds(65), typed),
    ]
}

/// The screen together with the effects of all that happened to it.
pub(crate) struct Stage {
    pub(crate) model: Model,
    pub(crate) effects: Vec<Effect>,
}

impl Stage {
    /// A screen that has heard nothing yet.
    pub(crate) fn new(width: u16, height: u16) -> Stage {
        let lab = "unix:/run/labd/labd.sock".to_owned();
        Stage { model: Model::new(lab, TimeZone::UTC, (width, height), NOW), effects: Vec::new() }
    }

    /// The small lab, live.
    pub(crate) fn live(width: u16, height: u16) -> Stage {
        let mut stage = Stage::new(width, height);
        stage.news(FeedId::Boards, News::Up(Welcome::default()));
        let who = Who::new(user("ada"), Role::User);
        stage.answer(Call::WhoAmI, Ok(Answer::Who(who)));
        stage.news(FeedId::Boards, News::Boards(boards()));
        stage
    }

    /// The same with `rpi4-1` selected, which is ours, and everything about it known.
    pub(crate) fn on_ours(width: u16, height: u16) -> Stage {
        let mut stage = Stage::live(width, height);
        stage.select("rpi4-1");
        stage
    }

    pub(crate) fn select(&mut self, board: &str) {
        self.keys("g");
        while self.model.table.selected().map(|board| board.name.as_str()) != Some(board) {
            self.keys("j");
        }
        self.know();
    }

    /// Answers for the board that is looked at, if there is one.
    pub(crate) fn know(&mut self) {
        let Some(closeup) = &self.model.closeup else { return };
        let (feed, board) = (closeup.feed, closeup.board.clone());
        let detail = detail(self.model.table.row(&board).unwrap().clone());
        let entries = entries(board.as_str());
        self.answer(Call::Detail(board), Ok(Answer::Detail(Box::new(detail))));
        self.news(FeedId::Timeline(feed), News::Up(Welcome::default()));
        if self.model.closeup.as_ref().unwrap().entries.is_empty() {
            self.news(FeedId::Timeline(feed), News::Entries(entries));
        }
        let again = self.model.closeup.as_ref().unwrap().board.clone();
        self.model.calls.retain(|call| *call != Call::Detail(again.clone()));
    }

    /// Attaches to `rpi4-1`, which prints.
    pub(crate) fn console(width: u16, height: u16, printed: &str) -> Stage {
        let mut stage = Stage::on_ours(width, height);
        stage.keys("c");
        let feed = FeedId::Console(stage.model.console.as_ref().unwrap().feed);
        stage.news(feed, News::Up(Welcome { start: 0, session: 3, ..Welcome::default() }));
        stage.news(feed, News::Bytes(printed.as_bytes().to_vec()));
        stage.know();
        stage
    }

    pub(crate) fn send(&mut self, message: Message) -> &mut Stage {
        self.at(NOW, message)
    }

    pub(crate) fn at(&mut self, now: Time, message: Message) -> &mut Stage {
        let effects = update(&mut self.model, now, message);
        self.effects.extend(effects);
        self
    }

    pub(crate) fn news(&mut self, feed: FeedId, news: News) -> &mut Stage {
        self.send(Message::News { feed, news })
    }

    pub(crate) fn answer(
        &mut self,
        call: Call,
        answer: Result<Answer, protocol::Error>,
    ) -> &mut Stage {
        self.send(Message::Answer { call, answer })
    }

    pub(crate) fn press(&mut self, code: KeyCode, modifiers: KeyModifiers) -> &mut Stage {
        self.send(Message::Key(KeyEvent::new(code, modifiers)))
    }

    /// Presses keys one after another: `\n` is Enter, `\x1b` Esc, `\t` Tab, other control characters
    /// Ctrl with their letter.
    pub(crate) fn keys(&mut self, keys: &str) -> &mut Stage {
        for key in keys.chars() {
            match key {
                '\n' => self.press(KeyCode::Enter, KeyModifiers::NONE),
                '\t' => self.press(KeyCode::Tab, KeyModifiers::NONE),
                '\x1b' => self.press(KeyCode::Esc, KeyModifiers::NONE),
                '\x7f' => self.press(KeyCode::Backspace, KeyModifiers::NONE),
                '\x01'..='\x1a' => {
                    let letter = char::from(key as u8 + b'a' - 1);
                    self.press(KeyCode::Char(letter), KeyModifiers::CONTROL)
                }
                key => self.press(KeyCode::Char(key), KeyModifiers::NONE),
            };
        }
        self
    }

    /// What was done since the last time this was asked.
    pub(crate) fn done(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    pub(crate) fn last_notice(&self) -> &str {
        self.model.notices.back().map_or("", |notice| &notice.text)
    }

    pub(crate) fn backend(&self, look: Look) -> TestBackend {
        let (width, height) = self.model.size;
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| view::draw(frame, &self.model, look)).unwrap();
        terminal.backend().clone()
    }

    pub(crate) fn screen(&self) -> String {
        self.backend(ALL).to_string()
    }
}
