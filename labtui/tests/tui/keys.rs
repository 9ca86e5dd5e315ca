//! The key map: complete, listed, and working; and no key, at no time, breaks anything.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use labtui::call::{Answer, Call};
use labtui::feed::{FeedId, News};
use labtui::keys::{Action, Binding, Context, Group, Key, KeyMap, Move};
use labtui::model::Page;
use labtui::past::Printed;
use labtui::update::{Effect, Message};
use protocol::journal::Event;
use protocol::wire::Welcome;
use protocol::{Error, Span, Time};
use ratatui::crossterm::event::{
    KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};

use crate::sample::{ALL, NOW, Stage, board, boards, boots, detail, entry, held, hit};

/// A screen in a context, with something to move in.
fn in_context(context: Context) -> Stage {
    let printed: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    let mut stage = match context {
        Context::Console | Context::Prefixed | Context::Scrollback => {
            Stage::console(80, 24, &printed.join("\r\n"))
        }
        _ => Stage::on_ours(80, 24),
    };
    stage.keys(match context {
        Context::Table => "/!zcu\n",
        Context::Console => "",
        Context::Closeup => "\n",
        Context::Filter => "/rpi",
        Context::Palette => ":console b7\n:theme dark\n:c",
        Context::Question => "x",
        Context::Choice => "p\t",
        Context::Messages => "re",
        Context::Help => "?jjjjjjjjjj",
        Context::Listing => ":search panic\n",
        Context::Prefixed => "\x14",
        Context::Scrollback => "\x14[\x15\x15",
        Context::Calendar => "wl",
        Context::Grid | Context::Typing => "",
    });
    if matches!(context, Context::Grid | Context::Typing) {
        let many = (0..10).map(|n| held(&format!("b{n}"), "x", "ada", n, Span::hours(1)));
        stage.news(FeedId::Boards, News::Boards(many.collect()));
        stage.keys("C5");
    }
    if context == Context::Typing {
        stage.keys("t");
    }
    if context == Context::Closeup {
        stage.know();
        let feed = FeedId::Timeline(stage.model.closeup.as_ref().unwrap().feed);
        let many = (20..60).map(|seq| entry(seq, "rpi4-1", None, Span(0), Event::Break)).collect();
        stage.news(feed, News::Entries(many));
        stage.keys("\t\x15\x15\x15");
    }
    if context == Context::Listing {
        let asked = stage.model.hits.as_ref().unwrap().asked.clone();
        let hits = (0..60).map(|n| hit("rpi4-2", n, &format!("panic {n}"), &[(0, 5)])).collect();
        stage.answer(Call::Find(asked), Ok(Answer::Hits(hits)));
        stage.keys("\x04\x04");
    }
    if context == Context::Messages {
        for n in 0..60 {
            stage.model.say(labtui::notice::Tone::News, &format!("message {n}"));
        }
        stage.keys("\x15\x15");
    }
    assert_eq!(stage.model.context(), context);
    stage.done();
    stage
}

#[test]
fn every_key_that_is_listed_does_something_visible() {
    for context in Context::ALL {
        let keys = KeyMap::default();
        for binding in keys.bindings(context) {
            for key in &binding.keys {
                let mut stage = in_context(context);
                let pane = stage.model.grid.as_ref().map(|grid| grid.focus as u8 + 1);
                let pane = pane.unwrap_or(stage.model.focus.number());
                if binding.action == Action::Pane(pane) {
                    stage.keys("\t");
                }
                let before = stage.backend(ALL);
                stage.send(Message::Key(key.event()));
                let same = stage.backend(ALL) == before && stage.done().is_empty();
                assert!(!same, "{key} ({}) does nothing in {context:?}", binding.help);
            }
        }
    }
}

#[test]
fn row_1_help_lists_every_binding_with_all_its_keys() {
    let mut stage = Stage::on_ours(100, 200);
    stage.keys("?");
    let (screen, keys) = (stage.screen(), KeyMap::default());
    for binding in keys.all() {
        let label = keys.label(binding);
        let line = screen
            .lines()
            .find(|line| line.contains(&format!("  {label} ")) && line.contains(binding.help));
        assert!(line.is_some(), "{label} {}", binding.help);
    }
    for group in Group::ALL {
        assert!(screen.contains(group.title()), "{group:?}");
    }
}

#[test]
fn help_fits_a_screen_of_eighty_columns() {
    let keys = KeyMap::default();
    for binding in keys.all() {
        assert!(keys.label(binding).len() < 22 && binding.help.len() <= 54, "{}", binding.help);
    }
}

#[test]
fn no_key_means_two_things_in_one_place() {
    let map = KeyMap::default();
    assert_eq!(map.check(), Ok(()));
    for context in Context::ALL {
        let keys: Vec<(&Key, &Binding)> =
            map.bindings(context).flat_map(|it| it.keys.iter().map(move |key| (key, it))).collect();
        for (place, (key, binding)) in keys.iter().enumerate() {
            assert_eq!(map.action(context, **key), Some(binding.action), "{key} in {context:?}");
            assert!(!keys[..place].iter().any(|(other, _)| other == key), "{key} in {context:?}");
        }
    }
}

#[test]
fn row_5_nothing_that_harms_is_on_a_control_letter() {
    let harmless = [
        Action::Move(Move::HalfUp),
        Action::Move(Move::HalfDown),
        Action::EraseAll,
        Action::Erase,
        Action::Literal,
        Action::Earlier,
        Action::Later,
        Action::Redraw,
        Action::Suspend,
        Action::Quit,
    ];
    let map = KeyMap::default();
    let has_ctrl = |it: &&Binding| it.keys.iter().any(|key| matches!(key, Key::Ctrl(_)));
    for binding in map.all().filter(has_ctrl) {
        assert!(harmless.contains(&binding.action), "{}", binding.help);
    }
}

#[test]
fn every_context_is_described_in_the_map() {
    for group in Group::ALL {
        assert!(Context::ALL.iter().any(|context| context.groups().contains(&group)), "{group:?}");
    }
}

/// Numbers by chance that are the same each time.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 += 1;
        BuildHasherDefault::<DefaultHasher>::default().hash_one(self.0)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn key(&mut self) -> KeyEvent {
        const CODES: [KeyCode; 16] = [
            KeyCode::Enter,
            KeyCode::Enter,
            KeyCode::Esc,
            KeyCode::Tab,
            KeyCode::BackTab,
            KeyCode::Backspace,
            KeyCode::Up,
            KeyCode::Down,
            KeyCode::PageUp,
            KeyCode::PageDown,
            KeyCode::Home,
            KeyCode::End,
            KeyCode::F(1),
            KeyCode::F(12),
            KeyCode::Delete,
            KeyCode::Null,
        ];
        let modifiers = match self.below(12) {
            0 => KeyModifiers::SHIFT,
            1 => KeyModifiers::ALT,
            2 => KeyModifiers::CONTROL | KeyModifiers::ALT,
            _ => KeyModifiers::NONE,
        };
        let some = |letters: &str, n: u64| letters.chars().nth(n as usize).unwrap();
        match self.below(8) {
            0 | 1 => KeyEvent::new(CODES[self.below(16) as usize], modifiers),
            2 => {
                KeyEvent::new(KeyCode::Char(some("tttludlz", self.below(8))), KeyModifiers::CONTROL)
            }
            3 => KeyEvent::new(
                KeyCode::Char(some("é漢\u{301}!🦀\u{7f}\u{0}x", self.below(8))),
                modifiers,
            ),
            _ => KeyEvent::new(
                KeyCode::Char(some("jkgGrRxpcmqs?/![bfhl19: v-@yzonNuSew.~5CtTw", self.below(43))),
                modifiers,
            ),
        }
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = self.below(40);
        (0..length).map(|_| self.below(256) as u8).collect()
    }

    fn news(&mut self, stage: &Stage) -> Message {
        let timeline = stage.model.closeup.as_ref().map_or(0, |closeup| closeup.feed);
        let console = stage.model.console.as_ref().map_or(0, |console| console.feed);
        let down = || News::Down { why: Error::Unknown, attempt: 2, pause: Span::millis(700) };
        let pane = stage.model.watched.first().map_or(0, |(feed, _)| *feed);
        let all = [FeedId::Boards, FeedId::Timeline(timeline), FeedId::Console(console)];
        let feed = match self.below(4) {
            3 => FeedId::Console(pane),
            n => all[n as usize],
        };
        let number = self.below(12);
        let row =
            held(&format!("rpi4-{number}"), "漢字class", "ada", number, Span::seconds(number));
        let news = match self.below(9) {
            0 => News::Up(Welcome { start: 0, session: self.below(5), ..Welcome::default() }),
            1 => down(),
            2 => News::Boards(boards().into_iter().take(self.below(9) as usize).collect()),
            3 => News::Changed(vec![row]),
            4 => News::Changed(vec![board(&format!("rpi4-{number}"), "x")]),
            5 => News::Gap(self.below(1_000)),
            6 => News::Refused(Error::Unknown),
            7 => {
                let noted = Event::Noted { text: String::from_utf8_lossy(&self.bytes()).into() };
                News::Entries(vec![entry(number, "rpi4-1", Some("bob"), Span(number), noted)])
            }
            _ => News::Bytes(self.bytes()),
        };
        Message::News { feed, news }
    }

    /// The answer to a call that was really made, or to none.
    fn answer(&mut self, calls: &[Call]) -> Message {
        let call = match calls.len() {
            0 => Call::WhoAmI,
            n => calls[self.below(n as u64) as usize].clone(),
        };
        let board = calls.iter().find_map(|call| match call {
            Call::Detail(name) => Some(board(name.as_str(), "rpi4")),
            _ => None,
        });
        let answer = match (self.below(3), board) {
            (0, _) => Err(Error::Unknown),
            _ if matches!(call, Call::Find(_)) => {
                let spans = [(self.below(9) as usize, self.below(9) as usize)];
                Ok(Answer::Hits(vec![hit("rpi4-1", self.below(99), "漢字panic", &spans)]))
            }
            _ if matches!(call, Call::Past { .. }) => {
                let (offset, before, after) = (self.below(99), self.bytes(), self.bytes());
                Ok(Answer::Past(Printed { offset, before, after }))
            }
            _ if matches!(call, Call::Boots(_)) => Ok(Answer::Boots(boots())),
            (1, Some(board)) => Ok(Answer::Detail(Box::new(detail(board)))),
            _ => Ok(Answer::Done),
        };
        Message::Answer { call, answer }
    }

    fn mouse(&mut self) -> Message {
        let kinds = [
            MouseEventKind::Down(MouseButton::Left),
            MouseEventKind::ScrollUp,
            MouseEventKind::ScrollDown,
            MouseEventKind::Moved,
        ];
        let kind = kinds[self.below(4) as usize];
        let (column, row) = (self.below(140) as u16, self.below(50) as u16);
        Message::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE })
    }

    fn message(&mut self, stage: &Stage) -> Message {
        match self.below(24) {
            20 => self.mouse(),
            0 => Message::Resize(self.below(130) as u16, self.below(43) as u16),
            1 => Message::Paste(String::from_utf8_lossy(&self.bytes()).into()),
            2 => Message::Tick,
            3..=6 => self.news(stage),
            7 => self.answer(&stage.model.calls),
            _ => Message::Key(self.key()),
        }
    }
}

#[test]
fn a_hundred_thousand_keys_sizes_and_news_break_nothing() {
    let mut chance = Chance(20_261_120);
    let mut stage = Stage::on_ours(80, 24);
    let mut visited = Vec::new();
    for step in 0..100_000_u64 {
        if step % 1_000 == 0 {
            stage.news(FeedId::Boards, News::Boards(boards()));
            stage.send(Message::Command("consoles rpi4-1 rpi4-2 bbb-1".to_owned())).keys("t");
        }
        let message = chance.message(&stage);
        stage.at(Time(NOW.0 + step * 20), message);
        for effect in stage.done() {
            match effect {
                Effect::Type(bytes) => {
                    assert!(stage.model.console.is_some() && !bytes.is_empty());
                }
                Effect::TypeOn { feed, bytes } => {
                    let live = |(watched, _): &(u64, _)| *watched == feed;
                    assert!(stage.model.watched.iter().any(live) && !bytes.is_empty());
                }
                _ => {}
            }
        }
        if step % 50 == 0 {
            for cell in &stage.backend(ALL).buffer().content {
                assert!(!cell.symbol().contains(char::is_control), "{cell:?}");
            }
        }
        assert!(stage.model.notices.len() <= labtui::notice::KEPT);
        assert!(stage.model.table.is_empty() || stage.model.table.place().is_some());
        if !matches!(stage.model.page, Some(Page::Help(_))) {
            visited.push(stage.model.context());
        }
        if stage.model.table.row(&"rpi4-1".parse().unwrap()).is_none() {
            stage.news(FeedId::Boards, News::Boards(boards()));
        }
    }
    for context in Context::ALL.into_iter().filter(|it| *it != Context::Help) {
        let visits = visited.iter().filter(|visit| **visit == context).count();
        assert!(visits > 100, "{context:?} was visited {visits} times");
    }
}
