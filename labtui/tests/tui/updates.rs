//! What messages change, and what is done about them.

use labtui::call::{Answer, Call};
use labtui::dialog::Dialog;
use labtui::feed::{FeedId, News};
use labtui::keys::Context;
use labtui::model::{Focus, Page, PenHolder};
use labtui::notice::KEPT;
use labtui::update::{Effect, Message};
use protocol::board::{Board, State};
use protocol::console::{Pen, PenAsk, PenState};
use protocol::hold::{Place, Placed, Release, Want};
use protocol::journal::Event;
use protocol::power::{PowerAsk, PowerState};
use protocol::user::{Role, Who};
use protocol::wire::Welcome;
use protocol::{Error, Span};

use crate::sample::{NOW, Stage, board, boards, entry, held, hold, name, user};

fn power(board: &str, ask: PowerAsk) -> Effect {
    Effect::Call(Call::Power { board: name(board), ask })
}

fn selected(stage: &Stage) -> &str {
    stage.model.table.selected().map_or("", |board| board.name.as_str())
}

/// The calls among what was done that somebody asked for.
fn deeds(stage: &mut Stage) -> Vec<Effect> {
    let deed = |effect: &Effect| matches!(effect, Effect::Call(call) if call.is_a_deed());
    stage.done().into_iter().filter(deed).collect()
}

#[test]
fn the_selection_stays_on_its_board_when_rows_change() {
    let mut stage = Stage::on_ours(80, 24);
    let mut more: Vec<Board> = (0..50).map(|n| board(&format!("a{n}"), "new")).collect();
    stage.news(FeedId::Boards, News::Changed(more.clone()));
    assert_eq!(selected(&stage), "rpi4-1");
    assert!(stage.screen().contains("▸ rpi4-1"));
    stage.keys("sss/rpi");
    assert_eq!(selected(&stage), "rpi4-1");
    stage.keys("x");
    assert_eq!(selected(&stage), "", "nothing is left to select");
    stage.keys("\x7f");
    more.extend(boards());
    stage.news(FeedId::Boards, News::Boards(more));
    assert!(selected(&stage).starts_with("rpi4"));
}

#[test]
fn the_selection_moves_to_the_neighbour_when_its_board_goes() {
    let mut stage = Stage::live(80, 24);
    stage.select("rpi4-2");
    let left = boards().into_iter().filter(|board| board.name != name("rpi4-2")).collect();
    stage.news(FeedId::Boards, News::Boards(left));
    assert_eq!(selected(&stage), "rpi4-10");
}

#[test]
fn a_board_that_is_taken_out_of_the_lab_is_shown_no_more() {
    let mut stage = Stage::on_ours(80, 24);
    stage.news(FeedId::Boards, News::Changed(vec![Board::gone(name("rpi4-1"))]));
    assert_eq!((selected(&stage), stage.model.table.len()), ("rpi4-2", 7));
    assert!(stage.last_notice().starts_with("Your hold of rpi4-1 is over"));
}

#[test]
fn a_board_without_an_outlet_has_no_power_menu() {
    let mut stage = Stage::live(80, 24);
    let bare = Board { power: PowerState::None, ..board("bbb-1", "beaglebone") };
    stage.news(FeedId::Boards, News::Changed(vec![bare]));
    stage.keys("gp");
    assert_eq!(stage.model.dialog, None);
    assert_eq!(stage.last_notice(), "bbb-1 has no outlet, so nothing can switch it.");
}

#[test]
fn filters_look_at_name_class_tags_holder_and_state() {
    let mut stage = Stage::live(80, 24);
    for (filter, expected) in [
        ("RPI4-", 3),
        ("server", 1),
        ("poe", 1),
        ("carol", 1),
        ("free", 4),
        ("rpi free", 1),
        ("!rpi !zcu", 3),
        ("!", 8),
        ("rpi !", 3),
    ] {
        stage.keys("/\x15").keys(filter).keys("\n");
        assert_eq!(stage.model.table.len(), expected, "{filter}");
        assert_eq!(stage.model.table.hidden(), 8 - expected, "{filter}");
    }
    stage.keys("\x1b");
    assert_eq!(stage.model.table.len(), 8);
}

#[test]
fn a_hold_is_asked_for_with_the_usual_span_suggested() {
    let mut stage = Stage::live(120, 40);
    stage.select("bbb-1");
    stage.done();
    stage.keys("r\n");
    let span = Some(Span::hours(2));
    assert_eq!(deeds(&mut stage), [Effect::Call(Call::Reserve { board: name("bbb-1"), span })]);
    stage.keys("r\x15\n");
    let call = Call::Reserve { board: name("bbb-1"), span: None };
    assert_eq!(deeds(&mut stage), [Effect::Call(call.clone())]);
    let hold = hold("bbb-1", "ada", 50, Span::hours(2));
    stage.answer(call, Ok(Answer::Placed(Placed::Held { hold })));
    assert_eq!(stage.last_notice(), "bbb-1 is yours for 2h. c: its console.");
}

#[test]
fn a_bad_span_is_told_where_it_was_typed() {
    let mut stage = Stage::live(80, 24);
    stage.keys("rnonsense\n");
    assert_eq!(deeds(&mut stage), []);
    let Some(Dialog::Question(question)) = &stage.model.dialog else { panic!("it went away") };
    assert!(question.fault.as_ref().is_some_and(|fault| fault.contains("30s")));
    stage.keys("\x1545min\n");
    assert_eq!(deeds(&mut stage).len(), 1);
}

#[test]
fn who_waits_in_line_is_told_when_the_board_is_theirs() {
    let mut stage = Stage::live(80, 24);
    stage.select("rpi4-2");
    stage.keys("r\n");
    let call = Call::Reserve { board: name("rpi4-2"), span: None };
    let place = Place {
        number: 9,
        who: user("ada"),
        want: Want::Board { name: name("rpi4-2") },
        span: None,
        since: NOW,
        position: 3,
        expected: Some(NOW + Span::hours(1)),
        because: Vec::new(),
    };
    stage.answer(call, Ok(Answer::Placed(Placed::Queued { place })));
    assert!(stage.last_notice().starts_with("You are number 3 in line"), "{}", stage.last_notice());
    let ours = held("rpi4-2", "rpi4", "ada", 51, Span::hours(2));
    stage.news(FeedId::Boards, News::Changed(vec![ours]));
    assert!(stage.last_notice().starts_with("rpi4-2 is yours now"), "{}", stage.last_notice());
}

#[test]
fn who_loses_a_board_is_told_unless_they_gave_it_back() {
    let mut stage = Stage::on_ours(80, 24);
    stage.news(FeedId::Boards, News::Changed(vec![board("rpi4-1", "rpi4")]));
    assert!(stage.last_notice().starts_with("Your hold of rpi4-1 is over"));

    let mut stage = Stage::on_ours(80, 24);
    stage.keys("R\n");
    let release = Release { number: Some(41), breaking: None };
    let call = Call::Release { board: name("rpi4-1"), release };
    assert_eq!(deeds(&mut stage), [Effect::Call(call.clone())]);
    stage.news(FeedId::Boards, News::Changed(vec![board("rpi4-1", "rpi4")]));
    stage.answer(call, Ok(Answer::Hold(hold("rpi4-1", "ada", 41, Span::seconds(0)))));
    assert_eq!(stage.model.notices.len(), 1);
    assert_eq!(stage.last_notice(), "rpi4-1 is released.");
}

#[test]
fn row_16_power_of_the_own_board_takes_enter_and_of_another_takes_a_choice() {
    let mut stage = Stage::on_ours(80, 24);
    stage.keys("p\n");
    assert_eq!(deeds(&mut stage), [power("rpi4-1", PowerAsk::On)]);
    stage.keys("p\t\n");
    assert_eq!(deeds(&mut stage), [power("rpi4-1", PowerAsk::Off)]);

    stage.select("rpi4-2");
    stage.keys("p\n\n");
    assert_eq!(deeds(&mut stage), [], "Enter, Enter does nothing to the board of another");
    stage.keys("p\t\t\n");
    let screen = stage.screen();
    for word in ["Cycle rpi4-2?", "bob holds rpi4-2 for 4m32s more", "is lost", "[Cancel]"] {
        assert!(screen.contains(word), "{word} in {screen}");
    }
    stage.keys("\t\n");
    assert_eq!(deeds(&mut stage), [power("rpi4-2", PowerAsk::Cycle)]);
}

#[test]
fn only_an_administrator_is_asked_why_a_hold_is_broken() {
    let mut stage = Stage::live(80, 24);
    stage.select("rpi4-2");
    stage.keys("R");
    assert!(stage.last_notice().contains("Only bob or an administrator"));
    let who = Who::new(user("ada"), Role::Admin);
    stage.answer(Call::WhoAmI, Ok(Answer::Who(who)));
    stage.keys("R\n");
    assert_eq!(deeds(&mut stage), [], "a reason is needed");
    stage.keys("the rack moves\n");
    let release = Release { number: Some(39), breaking: Some("the rack moves".to_owned()) };
    let call = Call::Release { board: name("rpi4-2"), release };
    assert_eq!(deeds(&mut stage), [Effect::Call(call)]);
}

#[test]
fn the_same_is_not_asked_twice_at_once() {
    let mut stage = Stage::on_ours(80, 24);
    stage.keys("p\np\n");
    assert_eq!(deeds(&mut stage), [power("rpi4-1", PowerAsk::On)]);
    assert_eq!(stage.last_notice(), "Still trying to switch rpi4-1 on.");
}

#[test]
fn a_refusal_says_what_to_do_next_and_stays_five_seconds() {
    let mut stage = Stage::live(80, 24);
    let (board, who, until) = (name("rpi4-2"), user("bob"), NOW + Span::minutes(20));
    let call = Call::Power { board: board.clone(), ask: PowerAsk::Off };
    stage.answer(call, Err(Error::HeldBy { board, who, until }));
    let text = "Could not switch rpi4-2 off: rpi4-2 is held by bob for 20m more. \
                r waits in line.";
    assert_eq!(stage.last_notice(), text);
    stage.at(NOW + Span::millis(4_999), Message::Tick);
    assert_eq!(stage.model.fresh().count(), 1);
    stage.at(NOW + Span::seconds(5), Message::Tick);
    assert_eq!(stage.model.fresh().count(), 0);
    stage.keys("e");
    assert!(stage.screen().contains("r waits in line"));
}

#[test]
fn the_last_two_hundred_messages_are_kept() {
    let mut stage = Stage::live(80, 24);
    for n in 0..300 {
        stage.model.say(labtui::notice::Tone::News, &format!("message {n}"));
    }
    assert_eq!(stage.model.notices.len(), KEPT);
    assert_eq!(stage.last_notice(), "message 299");
}

#[test]
fn a_timeline_follows_the_selection_and_old_news_are_dropped() {
    let mut stage = Stage::live(120, 40);
    stage.done();
    stage.keys("j");
    let looks = |effect: &Effect| match effect {
        Effect::Look { feed, board } => Some((*feed, board.clone())),
        _ => None,
    };
    let first = stage.done().iter().find_map(looks).unwrap();
    stage.keys("j");
    let second = stage.done().iter().find_map(looks).unwrap();
    assert!(first.0 != second.0 && first.1 != second.1);
    let noted = |text: &str| Event::Noted { text: text.to_owned() };
    let late = vec![entry(1, "rk3588-1", None, Span(0), noted("late"))];
    stage.news(FeedId::Timeline(first.0), News::Entries(late));
    assert_eq!(stage.model.closeup.as_ref().unwrap().entries.len(), 0);
}

#[test]
fn a_timeline_scrolled_back_stays_where_it_is() {
    let mut stage = Stage::on_ours(120, 40);
    stage.keys("\t\tkk");
    assert_eq!(stage.model.focus, Focus::Timeline);
    let closeup = stage.model.closeup.as_ref().unwrap();
    assert_eq!(closeup.back, 0, "all of it is shown");
    let feed = closeup.feed;
    let many = (20..60).map(|seq| entry(seq, "rpi4-1", None, Span(0), Event::Break)).collect();
    stage.news(FeedId::Timeline(feed), News::Entries(many));
    stage.keys("kk");
    let new = entry(99, "rpi4-1", None, Span(0), Event::Break);
    stage.news(FeedId::Timeline(feed), News::Entries(vec![new]));
    assert_eq!(stage.model.closeup.as_ref().unwrap().back, 3);
}

#[test]
fn details_are_read_again_when_something_changes_but_not_for_every_line() {
    let mut stage = Stage::on_ours(120, 40);
    let ours = stage.model.table.selected().unwrap().clone();
    let detail = Effect::Call(Call::Detail(name("rpi4-1")));
    stage.done();
    let printed = Board { last_line: "another line".to_owned(), ..ours.clone() };
    stage.news(FeedId::Boards, News::Changed(vec![printed]));
    assert_eq!(stage.done(), []);
    let waits = Board { waiting: 5, ..ours.clone() };
    stage.news(FeedId::Boards, News::Changed(vec![waits]));
    assert_eq!(stage.done(), std::slice::from_ref(&detail));
    let more = Board { waiting: 6, ..ours };
    stage.news(FeedId::Boards, News::Changed(vec![more]));
    assert_eq!(stage.done(), [], "one question at a time");
    stage.answer(Call::Detail(name("rpi4-1")), Err(Error::Unknown));
    assert_eq!(stage.done(), [detail]);
}

#[test]
fn in_a_console_every_key_is_the_boards() {
    let mut stage = Stage::console(80, 24, "");
    stage.done();
    stage.keys("q\x1b\x03\x1a\x0c?m/");
    let typed: Vec<u8> = stage
        .done()
        .into_iter()
        .flat_map(|effect| match effect {
            Effect::Type(bytes) => bytes,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(typed, b"q\x1b\x03\x1a\x0c?m/");
    stage.keys("\x14\x14");
    assert_eq!(stage.done(), [Effect::Type(vec![0x14])]);
    stage.keys("\x14q");
    assert_eq!(stage.done()[0], Effect::Detach);
    assert_eq!(stage.model.context(), Context::Table);
}

#[test]
fn the_pen_is_wanted_for_the_own_board_only() {
    let mut stage = Stage::console(80, 24, "");
    let pens = |stage: &mut Stage| {
        let pen = |effect| match effect {
            Effect::Attach { pen, .. } => Some(pen),
            _ => None,
        };
        stage.done().into_iter().find_map(pen)
    };
    assert_eq!(pens(&mut stage), Some(Pen::Wanted));
    stage.keys("\x14q");
    stage.select("rpi4-2");
    stage.keys("c");
    assert_eq!(pens(&mut stage), Some(Pen::Unwanted));
}

#[test]
fn the_pen_is_asked_for_forced_and_shown() {
    let mut stage = Stage::console(80, 24, "");
    assert_eq!(stage.model.pen(), PenHolder::Us);
    let feed = FeedId::Console(stage.model.console.as_ref().unwrap().feed);
    stage.news(feed, News::Up(Welcome { start: 0, session: 8, ..Welcome::default() }));
    assert_eq!(stage.model.pen(), PenHolder::Other("ada".to_owned()));
    stage.keys("x");
    assert_eq!(stage.last_notice(), "You are only looking: ^T r asks for the pen.");
    stage.done();
    stage.keys("\x14r");
    let ask = Call::Pen { session: 8, ask: PenAsk::Ask };
    assert_eq!(deeds(&mut stage), [Effect::Call(ask.clone())]);
    stage.answer(ask, Ok(Answer::Pen(PenState::InLine { position: 1 })));
    assert_eq!(stage.last_notice(), "ada has the pen and knows; you are number 1 in line.");
    stage.keys("\x14fit hangs\n");
    let force = PenAsk::Force { reason: "it hangs".to_owned() };
    assert_eq!(deeds(&mut stage), [Effect::Call(Call::Pen { session: 8, ask: force })]);
    stage.keys("\x14b");
    assert_eq!(deeds(&mut stage), [Effect::Call(Call::Break { session: 8 })]);
}

#[test]
fn who_has_the_pen_is_told_who_wants_or_took_it() {
    let mut stage = Stage::console(80, 24, "");
    let feed = FeedId::Timeline(stage.model.closeup.as_ref().unwrap().feed);
    let asked = Event::PenAsked { session: 9, of: user("ada") };
    let old = entry(70, "rpi4-1", Some("bob"), Span::minutes(1), asked.clone());
    stage.news(feed, News::Entries(vec![old]));
    assert_eq!(stage.last_notice(), "");
    let new = entry(71, "rpi4-1", Some("bob"), Span(0), asked);
    stage.news(feed, News::Entries(vec![new]));
    assert!(stage.last_notice().starts_with("bob asks for the pen. ^T g hands it over"));
    let reason = "it hangs".to_owned();
    let forced = Event::PenForced { session: 9, from: user("ada"), reason };
    let new = entry(72, "rpi4-1", Some("bob"), Span(0), forced);
    stage.news(feed, News::Entries(vec![new]));
    assert_eq!(stage.last_notice(), "bob took the pen: it hangs");
}

#[test]
fn nothing_is_sent_to_a_board_that_cannot_be_reached() {
    let mut stage = Stage::console(80, 24, "");
    let feed = FeedId::Console(stage.model.console.as_ref().unwrap().feed);
    stage.news(feed, News::Down { why: Error::Unknown, attempt: 1, pause: Span::millis(250) });
    stage.done();
    stage.keys("reboot\n");
    assert_eq!(stage.done(), []);
    assert!(stage.last_notice().contains("is not sent"));
}

#[test]
fn old_bytes_of_a_console_that_was_left_are_dropped() {
    let mut stage = Stage::console(80, 24, "first");
    let old = FeedId::Console(stage.model.console.as_ref().unwrap().feed);
    stage.keys("\x14qc");
    stage.news(old, News::Bytes(b"late".to_vec()));
    assert!(!stage.screen().contains("late"));
}

#[test]
fn going_back_ends_at_the_table_and_leaving_there_ends_the_program() {
    let mut stage = Stage::on_ours(80, 24);
    stage.keys("/rpi\n\n?");
    assert_eq!(stage.model.page, Some(Page::Help(0)));
    stage.keys("q");
    assert_eq!((stage.model.page, stage.model.focus), (None, Focus::Facts));
    stage.keys("q");
    assert_eq!(stage.model.focus, Focus::Table);
    stage.keys("\x1b");
    assert_eq!(stage.model.table.filter().text(), "");
    stage.done();
    stage.keys("\x1b");
    assert_eq!(stage.done(), []);
    stage.keys("q");
    assert_eq!(stage.done(), [Effect::Quit]);
    stage.keys("\x03");
    assert_eq!(stage.done(), [Effect::Quit]);
}

#[test]
fn a_reconnected_lab_is_asked_who_we_are() {
    let mut stage = Stage::live(80, 24);
    stage.done();
    stage.news(FeedId::Boards, News::Down { why: Error::Unknown, attempt: 1, pause: Span(250) });
    stage.news(FeedId::Boards, News::Up(Welcome::default()));
    assert_eq!(stage.done(), [Effect::Call(Call::WhoAmI)]);
    assert_eq!(stage.model.table.all().filter(|row| row.state == State::Held).count(), 3);
}
