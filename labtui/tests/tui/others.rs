//! What others do at one's console, and what one's boards do by themselves.

use labtui::call::{Answer, Call};
use labtui::feed::{FeedId, News};
use labtui::model::PenHolder;
use labtui::notice::Tone;
use labtui::update::Effect;
use protocol::boot::Outcome;
use protocol::console::{Desk, PenAsk, PenState, Viewer};
use protocol::journal::Event;
use protocol::{Error, Span};

use crate::sample::{NOW, Stage, entry, user, viewer};

/// The desk of the console that is attached says who is there.
pub(crate) fn at_the_desk(stage: &mut Stage, viewers: Vec<Viewer>) {
    let feed = FeedId::Desk(stage.model.console.as_ref().unwrap().feed);
    stage.news(feed, News::Desk(Desk { viewers, doing: None }));
}

fn happens(stage: &mut Stage, who: &str, event: Event) {
    let feed = FeedId::Timeline(stage.model.closeup.as_ref().unwrap().feed);
    stage.news(feed, News::Entries(vec![entry(90, "rpi4-1", Some(who), Span(0), event)]));
}

fn asks(stage: &mut Stage) -> Vec<PenAsk> {
    let ask = |effect| match effect {
        Effect::Call(Call::Pen { session: 3, ask }) => Some(ask),
        _ => None,
    };
    stage.done().into_iter().filter_map(ask).collect()
}

fn last_line(stage: &Stage) -> String {
    stage.screen().lines().last().unwrap_or_default().to_owned()
}

#[test]
fn row_12_the_last_line_says_who_else_is_there_as_they_come_and_go() {
    let mut stage = Stage::console(100, 24, "");
    let us = viewer(3, "ada", true);
    let four = ["bob", "carol", "dave", "eve"];
    let others = four.iter().zip(4..).map(|(who, session)| viewer(session, who, false));
    at_the_desk(&mut stage, [us.clone()].into_iter().chain(others).collect());
    let line = last_line(&stage);
    assert!(line.contains("pen: yours · with bob, carol, dave, and 1 more"), "{line}");
    at_the_desk(&mut stage, vec![us]);
    assert!(!last_line(&stage).contains("with"), "{}", last_line(&stage));
    let feed = FeedId::Desk(stage.model.console.as_ref().unwrap().feed);
    let desk = Desk { viewers: Vec::new(), doing: Some("bob sends u-boot.bin".to_owned()) };
    stage.news(feed, News::Desk(desk));
    assert!(last_line(&stage).contains("bob sends u-boot.bin"));
    stage.news(feed, News::Down { why: Error::Unknown, attempt: 1, pause: Span(250) });
    assert!(!last_line(&stage).contains("u-boot.bin"), "what is not known is not shown");
}

#[test]
fn row_12_who_asks_stands_in_the_last_line_and_is_answered_with_one_key() {
    let mut stage = Stage::console(80, 24, "");
    let bob = Viewer { waits: Some(1), asked: Some(NOW), ..viewer(9, "bob", false) };
    at_the_desk(&mut stage, vec![viewer(3, "ada", true), bob.clone()]);
    let line = last_line(&stage);
    assert!(line.contains("rpi4-1 · bob asks for the pen: ^T g gives, ^T k keeps  "), "{line}");
    stage.done();
    for (key, ask, answer, said) in [
        ("k", PenAsk::Keep, PenState::Yours, "You keep the pen; who asked is told."),
        ("t", PenAsk::Pair { session: None }, PenState::Yours, "Two type now."),
        ("g", PenAsk::Grant { session: None }, PenState::NotYours, "The pen is handed over."),
    ] {
        stage.keys("\x14").keys(key);
        assert_eq!(asks(&mut stage), std::slice::from_ref(&ask), "{key}");
        stage.answer(Call::Pen { session: 3, ask }, Ok(Answer::Pen(answer)));
        assert!(stage.last_notice().starts_with(said), "{}", stage.last_notice());
    }
    let paired = Viewer { paired: true, asked: None, ..bob };
    at_the_desk(&mut stage, vec![viewer(3, "ada", true), paired]);
    stage.done();
    stage.keys("\x14t");
    assert_eq!(asks(&mut stage), [PenAsk::Part], "the same key ends it");
}

#[test]
fn row_12_who_is_let_type_as_well_is_not_told_that_they_only_look() {
    let mut stage = Stage::console(80, 24, "");
    let us = Viewer { paired: true, ..viewer(3, "ada", false) };
    at_the_desk(&mut stage, vec![viewer(9, "bob", true), us]);
    assert_eq!(stage.model.pen(), PenHolder::Paired("bob".to_owned()));
    stage.keys("x");
    assert_eq!(stage.last_notice(), "");
    assert!(last_line(&stage).contains("pen: bob · you type as well"));
}

#[test]
fn row_12_who_asks_somebody_else_is_not_ours_to_answer() {
    let mut stage = Stage::console(80, 24, "");
    let bob = Viewer { waits: Some(1), asked: Some(NOW), ..viewer(9, "bob", false) };
    at_the_desk(&mut stage, vec![viewer(3, "ada", false), viewer(4, "eve", true), bob]);
    assert!(last_line(&stage).contains("pen: eve · read-only · with bob, eve"));
}

#[test]
fn row_12_what_becomes_of_an_ask_is_told() {
    let mut stage = Stage::console(80, 24, "");
    let (ada, bob) = (user("ada"), user("bob"));
    for (event, said) in [
        (Event::PenGranted { session: 3, to: ada.clone() }, "bob handed you the pen."),
        (Event::PenKept { from: vec![ada.clone()] }, "bob keeps the pen."),
        (Event::PenPassed { session: 9, from: ada.clone() }, "bob has the pen, since you did not"),
        (Event::PenPassed { session: 3, from: bob }, "You have the pen, since bob did not answer."),
        (Event::Paired { session: 3, with: ada.clone() }, "bob lets you type as well."),
        (Event::Parted { with: ada }, "bob types alone again."),
    ] {
        happens(&mut stage, "bob", event);
        assert!(stage.last_notice().starts_with(said), "{}", stage.last_notice());
    }
    let count = stage.model.notices.len();
    happens(&mut stage, "bob", Event::PenGranted { session: 77, to: user("eve") });
    assert_eq!(stage.model.notices.len(), count, "what is between others is theirs");
}

#[test]
fn triggers_and_hung_boots_of_boards_that_are_ours_or_looked_at_are_told() {
    let mut stage = Stage::on_ours(80, 24);
    let mut said = |board: &str, event: Event| {
        let before = stage.model.notices.len();
        let entry = entry(90, board, None, Span(0), event);
        stage.news(FeedId::Journal, News::Entries(vec![entry]));
        let new = stage.model.notices.iter().skip(before);
        new.map(|notice| (notice.tone, notice.text.clone())).collect::<Vec<_>>()
    };
    let (trigger, text) = ("oops".to_owned(), "Oops: \x1b[2J1".to_owned());
    let matched = Event::Matched { trigger, text };
    let news = (Tone::News, "rpi4-1: oops matched: Oops: 1".to_owned());
    assert_eq!(said("rpi4-1", matched.clone()), [news]);
    assert_eq!(said("x86-1", matched), [], "that is somebody else's");
    let stage_name = Some("kernel".to_owned());
    let hung = Event::BootHung { number: 4, stage: stage_name, usual: Span::seconds(20) };
    let text = "rpi4-1: boot 4 hangs in kernel, where others stay 20.00s at most".to_owned();
    assert_eq!(said("rpi4-1", hung), [(Tone::Failed, text)]);
    let ended = |outcome| Event::BootEnded { number: 4, outcome, after: Span::seconds(3) };
    assert_eq!(said("rpi4-1", ended(Outcome::Done)), [], "that is as it should be");
    assert_eq!(said("rpi4-1", ended(Outcome::Panicked)).len(), 1);
}
