//! Consoles side by side: which are followed, what is typed where, and what differs.

use insta::assert_snapshot;
use labtui::call::{Answer, Call};
use labtui::dialog::Dialog;
use labtui::feed::{FeedId, News};
use labtui::grid::{MOST, Reach};
use labtui::keys::{Context, escape::Escape};
use labtui::model::PenHolder;
use labtui::update::{Effect, Message};
use labtui::view::{self, Colours, Look, Signs};
use protocol::console::{PenAsk, PenState};
use protocol::wire::Welcome;
use protocol::{Error, Span};
use ratatui::crossterm::event::{KeyCode, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::style::Color;

use crate::sample::{ALL, NOW, Stage, board, boards, detail, held, name};

/// Three boards of ours and one of bob's, side by side and connected; each printed the same but one.
fn four(width: u16, height: u16) -> Stage {
    let mut stage = Stage::live(width, height);
    let ours = |n: u64| held(&format!("rpi4-{n}"), "rpi4", "ada", 40 + n, Span::hours(1));
    stage.news(FeedId::Boards, News::Changed(vec![ours(1), ours(10), ours(11)]));
    stage.keys(":consoles rpi4-1 rpi4-2 rpi4-10 rpi4-11\n");
    for (place, feed) in feeds(&stage).into_iter().enumerate() {
        let session = 100 + place as u64;
        stage.news(feed, News::Up(Welcome { session, ..Welcome::default() }));
        let version = if place == 2 { "6.12.1" } else { "6.12.9" };
        let text = format!("$ uname -r\r\n{version}\r\n$ ");
        stage.news(feed, News::Bytes(text.into_bytes()));
    }
    stage
}

fn feeds(stage: &Stage) -> Vec<FeedId> {
    stage.model.watched.iter().map(|(feed, _)| FeedId::Console(*feed)).collect()
}

fn watched(stage: &Stage) -> Vec<&str> {
    stage.model.watched.iter().map(|(_, board)| board.as_str()).collect()
}

fn focus(stage: &Stage) -> usize {
    stage.model.grid.as_ref().unwrap().focus
}

/// Gives the pens of these sessions to us.
fn give(stage: &mut Stage, sessions: &[u64]) {
    for session in sessions {
        let call = Call::Pen { session: *session, ask: PenAsk::Take };
        stage.answer(call, Ok(Answer::Pen(PenState::Yours)));
    }
}

fn broadcasting(width: u16, height: u16) -> Stage {
    let mut stage = four(width, height);
    stage.keys("T\t\n");
    give(&mut stage, &[100, 102, 103]);
    let bobs = stage.model.table.row(&name("rpi4-2")).unwrap().clone();
    let answer = Answer::Detail(Box::new(detail(bobs)));
    stage.answer(Call::Detail(name("rpi4-2")), Ok(answer));
    stage.model.calls.clear();
    stage.done();
    stage
}

fn typed(stage: &mut Stage) -> Vec<(u64, Vec<u8>)> {
    let typed = |effect| match effect {
        Effect::TypeOn { feed, bytes } => Some((feed, bytes)),
        _ => None,
    };
    stage.done().into_iter().filter_map(typed).collect()
}

#[test]
fn marked_boards_are_shown_and_followed_until_one_leaves() {
    let mut stage = Stage::live(80, 24);
    stage.keys("g  ");
    stage.done();
    stage.keys("C");
    assert_eq!(watched(&stage), ["bbb-1", "rk3588-1"]);
    let watch = Effect::Watch(stage.model.watched.clone());
    assert!(stage.done().contains(&watch));
    stage.keys("q");
    assert!(stage.model.grid.is_none());
    assert!(stage.done().contains(&Effect::Watch(Vec::new())));
    stage.keys("-");
    assert_eq!(watched(&stage), ["bbb-1", "rk3588-1"]);
    stage.done();
    stage.keys("\n");
    assert_eq!(stage.model.console.as_ref().unwrap().board, name("bbb-1"));
    assert!(stage.done().contains(&Effect::Watch(Vec::new())));
    stage.keys("\x14q");
    assert_eq!(watched(&stage), ["bbb-1", "rk3588-1"]);
}

#[test]
fn there_are_sixteen_at_most() {
    let mut stage = Stage::live(200, 60);
    let many = (0..20).map(|n| board(&format!("b{n}"), "x")).collect();
    stage.news(FeedId::Boards, News::Boards(many));
    stage.keys("C");
    assert_eq!(watched(&stage).len(), MOST);
    assert_eq!(stage.last_notice(), "These are the first 16 of 20 consoles.");
    let panes = view::panes(&stage.model);
    assert_eq!(panes.iter().map(|(_, area)| area.area()).sum::<u32>(), 200 * 58);
}

#[test]
fn what_is_not_drawn_is_not_followed() {
    let mut stage = four(80, 24);
    stage.keys("2z");
    assert_eq!(watched(&stage), ["rpi4-2"]);
    assert!(stage.done().contains(&Effect::Watch(stage.model.watched.clone())));
    stage.keys("\t");
    assert_eq!(watched(&stage), ["rpi4-10"]);
    stage.keys("z");
    assert_eq!(watched(&stage).len(), 4);
    stage.send(Message::Resize(50, 12));
    assert_eq!(watched(&stage), ["rpi4-10"]);
    stage.send(Message::Resize(10, 3));
    assert_eq!(watched(&stage), [""; 0]);
}

#[test]
fn old_bytes_of_a_pane_that_was_left_are_dropped() {
    let mut stage = four(80, 24);
    let old = feeds(&stage)[0];
    stage.keys("2zz");
    stage.news(old, News::Bytes(b"late".to_vec()));
    assert!(!stage.screen().contains("late"));
}

#[test]
fn row_9_the_focus_goes_by_tab_arrows_and_number() {
    let mut stage = four(80, 24);
    let at = |stage: &mut Stage, code, modifiers, place| {
        stage.press(code, modifiers);
        assert_eq!(focus(stage), place, "{code:?}");
    };
    let (none, alt) = (KeyModifiers::NONE, KeyModifiers::ALT);
    at(&mut stage, KeyCode::Tab, none, 1);
    at(&mut stage, KeyCode::BackTab, none, 0);
    at(&mut stage, KeyCode::BackTab, none, 3);
    at(&mut stage, KeyCode::Up, alt, 1);
    at(&mut stage, KeyCode::Left, alt, 0);
    at(&mut stage, KeyCode::Left, alt, 0);
    at(&mut stage, KeyCode::Down, alt, 2);
    at(&mut stage, KeyCode::Right, alt, 3);
    at(&mut stage, KeyCode::Char('2'), none, 1);
    at(&mut stage, KeyCode::Char('9'), none, 1);
    let (kind, modifiers) = (MouseEventKind::Down(MouseButton::Left), KeyModifiers::NONE);
    stage.send(Message::Mouse(MouseEvent { kind, column: 60, row: 20, modifiers }));
    assert_eq!(focus(&stage), 3);
}

#[test]
fn row_9_typing_on_all_is_asked_first_and_cancelled_by_enter() {
    let mut stage = four(100, 30);
    stage.done();
    stage.keys("T");
    let Some(Dialog::Choice(choice)) = &stage.model.dialog else { panic!("nothing was asked") };
    assert_eq!(choice.title, "Type on 3 consoles at once?");
    assert_eq!(
        choice.about,
        "Every key goes to 3 until ^T: rpi4-1, rpi4-10, rpi4-11. Not to rpi4-2 (bob)."
    );
    stage.keys("\n");
    assert_eq!((stage.model.context(), stage.done()), (Context::Grid, Vec::new()));
}

#[test]
fn row_9_what_is_typed_goes_to_every_pane_with_the_pen_and_to_no_other() {
    let mut stage = four(100, 30);
    stage.done();
    stage.keys("T\t\n");
    let pens = |stage: &mut Stage, ask: PenAsk| -> Vec<u64> {
        let pen = |effect| match effect {
            Effect::Call(Call::Pen { session, ask: asked }) if asked == ask => Some(session),
            _ => None,
        };
        stage.done().into_iter().filter_map(pen).collect()
    };
    assert_eq!(pens(&mut stage, PenAsk::Take), [100, 102, 103]);
    stage.keys("l");
    assert_eq!(typed(&mut stage), []);
    assert!(stage.last_notice().starts_with("No console got that"), "{}", stage.last_notice());
    give(&mut stage, &[100, 103]);
    stage.done();
    stage.keys("l");
    let feed = |place: usize| stage.model.watched[place].0;
    let expected = [(feed(0), b"l".to_vec()), (feed(3), b"l".to_vec())];
    assert_eq!(typed(&mut stage), expected);
    stage.send(Message::Paste("a\nb".to_owned()));
    assert!(typed(&mut stage).iter().all(|(_, bytes)| bytes == b"a\rb"));
    stage.keys("\x14");
    assert_eq!(stage.model.context(), Context::Grid);
    assert_eq!(pens(&mut stage, PenAsk::Drop), [100, 102, 103]);
    stage.keys("j");
    assert_eq!(typed(&mut stage), []);
}

#[test]
fn row_9_a_pane_that_loses_the_pen_gets_nothing_more_and_says_so() {
    let mut stage = broadcasting(120, 40);
    stage.keys("\n");
    assert!(stage.done().contains(&Effect::Call(Call::Detail(name("rpi4-10")))));
    let taken = detail(stage.model.table.row(&name("rpi4-10")).unwrap().clone());
    stage.answer(Call::Detail(name("rpi4-10")), Ok(Answer::Detail(Box::new(taken))));
    assert!(stage.screen().contains("NOT TYPING: ada has the pen"), "{}", stage.screen());
    stage.keys("x");
    assert_eq!(typed(&mut stage).len(), 2);
    let feed = feeds(&stage)[3];
    stage.news(feed, News::Down { why: Error::Unknown, attempt: 1, pause: Span::millis(250) });
    stage.keys("x");
    assert_eq!(typed(&mut stage).len(), 1);
    assert!(stage.screen().contains("NOT TYPING: not connected"));
    stage.news(feed, News::Up(Welcome { session: 200, ..Welcome::default() }));
    let take = Call::Pen { session: 200, ask: PenAsk::Take };
    assert!(stage.done().contains(&Effect::Call(take)));
}

#[test]
fn row_9_nothing_is_typed_on_all_unseen() {
    let mut stage = four(80, 24);
    stage.send(Message::Resize(50, 12));
    stage.keys("T");
    assert!(stage.model.dialog.is_none());
    assert!(stage.last_notice().starts_with("1 of the 4 consoles fit"), "{}", stage.last_notice());
    let mut stage = broadcasting(80, 24);
    stage.send(Message::Resize(50, 12));
    assert_eq!(stage.model.context(), Context::Grid);
    stage.done();
    stage.keys("h");
    assert_eq!(typed(&mut stage), []);
}

#[test]
fn row_9_typing_on_all_is_told_by_words_and_by_a_red_and_thick_border() {
    let stage = broadcasting(120, 40);
    let screen = stage.screen();
    assert_eq!(screen.matches(" TYPING ━").count(), 3, "{screen}");
    assert!(screen.contains("NOT TYPING: ada has the pen"), "{screen}");
    assert!(screen.contains("TYPING ON 3 OF 4 CONSOLES: ^T ends it"), "{screen}");
    let corner = &stage.backend(ALL).buffer()[(0, 1)].clone();
    assert_eq!((corner.symbol(), corner.fg), ("┏", stage.model.theme.bad.fg.unwrap()));
    assert!(matches!(corner.fg, Color::Red | Color::LightRed | Color::Rgb(..) | Color::Indexed(_)));
    let bare = Look { colours: Colours::None, signs: Signs::Ascii };
    let bare = stage.backend(bare).to_string();
    assert!(bare.contains("TYPING ON 3 OF 4 CONSOLES") && bare.contains("NOT TYPING"), "{bare}");
}

#[test]
fn one_console_is_typed_on_without_a_question_if_it_is_ours() {
    let mut stage = four(80, 24);
    stage.done();
    stage.keys("t");
    give(&mut stage, &[100]);
    stage.done();
    stage.keys("q\x03\x1b");
    let feed = stage.model.watched[0].0;
    let keys: Vec<u8> = typed(&mut stage)
        .into_iter()
        .flat_map(|(to, bytes)| {
            assert_eq!(to, feed);
            bytes
        })
        .collect();
    assert_eq!(keys, b"q\x03\x1b");
    stage.keys("\x142t");
    assert_eq!(stage.model.context(), Context::Grid);
    assert_eq!(stage.last_notice(), "You only look at console 2: its board is not yours.");
}

#[test]
fn every_way_to_call_labtui_ends_typing() {
    let mut stage = broadcasting(80, 24);
    stage.model.settings.keys.set_escape(Escape::preset("ssh").unwrap());
    stage.keys("a~");
    assert_eq!(stage.model.context(), Context::Typing, "in the middle of a line it is the boards'");
    stage.keys("\n~");
    assert_eq!(stage.model.context(), Context::Grid);
    let mut stage = broadcasting(80, 24);
    stage.model.settings.keys.set_escape(Escape::preset("conserver").unwrap());
    stage.keys("\x05x");
    assert_eq!(typed(&mut stage)[0].1, b"\x05x");
    stage.keys("\x05c");
    assert_eq!(stage.model.context(), Context::Grid);
}

#[test]
fn the_one_that_differs_is_told_and_its_lines_are_marked() {
    let mut stage = four(80, 24);
    let screen = stage.screen();
    assert!(screen.contains("3 identical, 1 differs"), "{screen}");
    assert!(screen.contains("≠6.12.1"), "{screen}");
    assert_eq!(screen.matches("≠ 1 line, lacks 1").count(), 1, "{screen}");
    let feed = feeds(&stage)[2];
    stage.news(feed, News::Bytes(b"\x1b[2J\x1b[H$ uname -r\r\n6.12.9\r\n$ ".to_vec()));
    assert!(stage.screen().contains("4 identical, 0 differ"));
    stage.news(feed, News::Down { why: Error::Unknown, attempt: 1, pause: Span::millis(250) });
    assert!(stage.screen().contains("3 identical, 0 differ, 1 not compared"));
}

/// A screen has more lines than a pane; those around the cursor are shown.
#[test]
fn a_pane_shows_the_end_of_what_was_printed() {
    let mut stage = four(80, 24);
    let lines: Vec<String> = (0..30).map(|n| format!("line {n}\r\n")).collect();
    stage.news(feeds(&stage)[0], News::Bytes(lines.concat().into_bytes()));
    let screen = stage.screen();
    assert!(screen.contains("line 29") && !screen.contains("line 15"), "{screen}");
}

#[test]
fn who_may_only_look_types_nowhere() {
    let mut stage = four(80, 24);
    let settings = stage.model.settings.clone().read_only();
    stage.send(Message::Settings(Ok(Box::new(settings))));
    stage.done();
    stage.keys("tT");
    assert_eq!(stage.model.grid.as_ref().unwrap().typing, None::<Reach>);
    assert_eq!(stage.last_notice(), "Nothing is changed here: labtui is read-only.");
    assert_eq!(stage.done(), []);
}

#[test]
fn who_types_as_well_has_the_pen_too() {
    let mut stage = four(80, 24);
    let mut known = detail(stage.model.table.row(&name("rpi4-1")).unwrap().clone());
    let line = known.line.as_mut().unwrap();
    (line.viewers[1].session, line.viewers[1].paired) = (100, true);
    stage.answer(Call::Detail(name("rpi4-1")), Ok(Answer::Detail(Box::new(known))));
    let grid = stage.model.grid.as_ref().unwrap();
    assert_eq!(grid.panes[0].live.as_ref().unwrap().pen, PenHolder::Us);
}

#[test]
fn a_board_that_is_not_there_is_told() {
    let mut stage = Stage::live(80, 24);
    stage.news(FeedId::Boards, News::Boards(boards()));
    stage.keys(":consoles rpi4-1 nosuch\n");
    assert!(stage.model.grid.is_none());
    assert!(stage.last_notice().starts_with("There is no board nosuch here."));
    stage.keys(":split bbb-1\t");
    assert_eq!(stage.at(NOW, Message::Tick).model.context(), Context::Palette);
}

#[test]
fn pictures() {
    let picture = |stage: &Stage| {
        let screen = stage.screen();
        let lines = screen.lines().map(|line| line.trim_matches('"').trim_end());
        lines.collect::<Vec<_>>().join("\n")
    };
    let all =
        [four(80, 24), broadcasting(80, 24), four(60, 15), broadcasting(120, 30), four(30, 10)];
    assert_snapshot!(all.iter().map(picture).collect::<Vec<_>>().join("\n--\n"));
}
