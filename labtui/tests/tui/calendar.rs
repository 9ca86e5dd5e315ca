//! The calendar: who holds what and when, and who waits.

use insta::assert_snapshot;
use labtui::call::{Answer, Call};
use labtui::feed::{FeedId, News};
use labtui::keys::Context;
use labtui::model::{Focus, Page};
use labtui::update::Effect;
use labtui::view::{Colours, Look, Signs};
use protocol::board::Board;
use protocol::hold::{Place, Want};
use protocol::{Error, Span};

use crate::sample::{NOW, Stage, boards, name, user};

fn place(who: &str, want: Want, position: u32, expected: Option<Span>) -> Place {
    let (number, since, because) = (u64::from(position), NOW - Span::minutes(5), Vec::new());
    let (who, expected, span) = (user(who), expected.map(|left| NOW + left), Some(Span::hours(2)));
    Place { number, who, want, span, since, position, expected, because }
}

fn queue() -> Vec<Place> {
    let board = |text| Want::Board { name: name(text) };
    vec![
        place("ada", board("rpi4-2"), 1, Some(Span::seconds(272))),
        place("dave", board("rpi4-2"), 2, Some(Span::minutes(125))),
        place("dave", board("rpi4-1"), 1, Some(Span::minutes(80))),
        place("eve", Want::Class { name: "rpi4".to_owned() }, 3, None),
    ]
}

/// The calendar of the small lab, with a queue.
fn calendar(width: u16, height: u16) -> Stage {
    let mut stage = Stage::live(width, height);
    stage.select("rpi4-2");
    stage.done();
    stage.keys("w");
    assert_eq!(stage.done(), [Effect::Call(Call::Queue)]);
    stage.answer(Call::Queue, Ok(Answer::Queue(queue())));
    stage
}

fn line(stage: &Stage, board: &str) -> String {
    let screen = stage.screen();
    let found = screen.lines().find(|line| line.contains(board));
    found.unwrap_or_default().trim_matches('"').to_owned()
}

#[test]
fn pictures() {
    let picture = |stage: &Stage| {
        let screen = stage.screen();
        let lines = screen.lines().map(|line| line.trim_matches('"').trim_end());
        lines.collect::<Vec<_>>().join("\n")
    };
    let mut far = calendar(80, 24);
    far.keys("z");
    let mut later = calendar(80, 24);
    later.keys("l");
    let all = [calendar(120, 30), calendar(80, 24), far, later, calendar(60, 15), calendar(30, 10)];
    assert_snapshot!(all.iter().map(picture).collect::<Vec<_>>().join("\n--\n"));
}

/// By signs and words; colours only help.
#[test]
fn ones_own_holds_and_places_are_told_from_those_of_others() {
    let stage = calendar(100, 24);
    let (mine, bobs) = (line(&stage, "rpi4-1 "), line(&stage, "rpi4-2 "));
    assert!(mine.contains("█ you █") && mine.contains("◇ dave ░"), "{mine}");
    assert!(bobs.contains("▒") && bobs.contains("◆ you ░") && bobs.contains("◇ dave ░"), "{bobs}");
    assert!(line(&stage, "any rpi4").contains("◇ eve waits for any rpi4, number 3 in line"));
    let bare = stage.backend(Look { colours: Colours::None, signs: Signs::Ascii }).to_string();
    assert!(bare.contains("# you #") && bare.contains("* you .") && bare.contains("o dave ."));
}

#[test]
fn one_scrolls_in_time_and_comes_back_to_now() {
    let mut stage = calendar(80, 24);
    let now = stage.screen();
    assert!(now.contains('▼'));
    stage.keys("l");
    assert!(!stage.screen().contains('▼'), "now is left of what is seen");
    stage.keys("hh");
    assert_eq!(line(&stage, "▼").find('▼'), line(&stage, "▼").rfind('▼'));
    stage.keys("n");
    assert_eq!(stage.screen(), now);
    stage.keys("ll");
    stage.keys("qw");
    assert_eq!(stage.screen(), now, "it opens at now");
}

#[test]
fn enter_opens_the_board_and_the_last_view_is_the_calendar() {
    let mut stage = calendar(80, 24);
    stage.keys("k");
    assert_eq!(stage.model.table.selected().unwrap().name, name("rpi4-1"));
    stage.keys("\n");
    assert_eq!((stage.model.page, stage.model.focus), (None, Focus::Facts));
    stage.keys("-");
    assert_eq!(
        (stage.model.page, stage.model.context()),
        (Some(Page::Calendar), Context::Calendar)
    );
}

#[test]
fn who_waits_is_read_again_when_a_hold_changes_and_only_then() {
    let mut stage = calendar(80, 24);
    let bobs = boards().into_iter().find(|board| board.name == name("rpi4-2")).unwrap();
    let printed = Board { last_line: "another line".to_owned(), ..bobs.clone() };
    stage.news(FeedId::Boards, News::Changed(vec![printed]));
    assert!(!stage.done().contains(&Effect::Call(Call::Queue)));
    let asked = |stage: &mut Stage| {
        stage.done().into_iter().filter(|it| *it == Effect::Call(Call::Queue)).count()
    };
    for waiting in 3..6 {
        stage.news(FeedId::Boards, News::Changed(vec![Board { waiting, ..bobs.clone() }]));
    }
    assert_eq!(asked(&mut stage), 1, "one question at a time");
    stage.answer(Call::Queue, Err(Error::Unknown));
    assert_eq!(asked(&mut stage), 1, "something has changed since");
    stage.answer(Call::Queue, Ok(Answer::Queue(Vec::new())));
    assert_eq!(asked(&mut stage), 0);
    assert!(!stage.screen().contains('◇'));
    stage.keys("q");
    stage.news(FeedId::Boards, News::Changed(vec![Board { waiting: 9, ..bobs }]));
    assert_eq!(asked(&mut stage), 0, "nobody looks");
}
