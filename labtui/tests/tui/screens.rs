//! Whole screens, at every size that looks different. Each file has one view at all of them.

use insta::assert_snapshot;
use labtui::call::{Answer, Call};
use labtui::feed::{FeedId, News};
use labtui::update::Message;
use labtui::view::{self, Colours, Look, Signs};
use protocol::console::Viewer;
use protocol::journal::Event;
use protocol::{Error, Span, Time};
use ratatui::style::Color;

use crate::others::at_the_desk;
use crate::past::at_a_panic;
use crate::sample::{ALL, NOW, Stage, board, boards, boots, entry, hit, viewer};

const SIZES: [(u16, u16); 4] = [(120, 40), (80, 24), (60, 15), (20, 5)];

/// One view at every size.
fn at_every_size(stage: impl Fn(u16, u16) -> Stage) -> String {
    let picture = |(width, height)| {
        let screen = stage(width, height).screen();
        let lines: Vec<&str> =
            screen.lines().map(|line| line.trim_matches('"').trim_end()).collect();
        format!("-- {width}x{height}\n{}\n", lines.join("\n"))
    };
    SIZES.map(picture).concat()
}

fn typed(stage: fn(u16, u16) -> Stage, keys: &str) -> String {
    at_every_size(|width, height| {
        let mut stage = stage(width, height);
        stage.keys(keys);
        stage
    })
}

fn unreachable() -> Error {
    let (address, why) = ("unix:/run/labd/labd.sock".to_owned(), "connection refused".to_owned());
    Error::Unreachable { address, why }
}

#[test]
fn the_table() {
    assert_snapshot!(at_every_size(Stage::on_ours));
}

#[test]
fn before_the_lab_has_answered() {
    assert_snapshot!(at_every_size(Stage::new));
}

#[test]
fn a_lab_without_boards() {
    assert_snapshot!(at_every_size(|width, height| {
        let mut stage = Stage::live(width, height);
        stage.news(FeedId::Boards, News::Boards(Vec::new()));
        stage
    }));
}

#[test]
fn a_filter() {
    assert_snapshot!(typed(Stage::on_ours, "/rpi !bob"));
}

#[test]
fn a_filter_that_hides_everything() {
    assert_snapshot!(typed(Stage::on_ours, "/nosuch\n"));
}

#[test]
fn the_details() {
    assert_snapshot!(at_every_size(|width, height| {
        let mut stage = Stage::on_ours(width, height);
        stage.keys("\n").know();
        stage
    }));
}

#[test]
fn the_timeline_scrolled_back() {
    assert_snapshot!(at_every_size(|width, height| {
        let mut stage = Stage::on_ours(width, height);
        stage.keys("\n").know();
        let feed = FeedId::Timeline(stage.model.closeup.as_ref().unwrap().feed);
        let many = (20..60).map(|seq| entry(seq, "rpi4-1", None, Span(0), Event::Break)).collect();
        stage.news(feed, News::Entries(many));
        stage.keys("\t\x15kk");
        stage
    }));
}

#[test]
fn asking_for_a_hold() {
    assert_snapshot!(at_every_size(|width, height| {
        let mut stage = Stage::live(width, height);
        stage.select("rpi4-2");
        stage.keys("r2 weeks");
        stage.keys("x\n");
        stage
    }));
}

#[test]
fn the_power_menu() {
    assert_snapshot!(typed(Stage::on_ours, "p\t"));
}

#[test]
fn switching_a_board_of_somebody_else() {
    assert_snapshot!(at_every_size(|width, height| {
        let mut stage = Stage::live(width, height);
        stage.select("rpi4-2");
        stage.keys("p\t\n");
        stage
    }));
}

#[test]
fn notices() {
    assert_snapshot!(at_every_size(|width, height| {
        let mut stage = Stage::on_ours(width, height);
        stage.keys("s");
        let call = Call::Extend { board: "rpi4-1".parse().unwrap(), span: Span::hours(9) };
        let board = "rpi4-1".parse().unwrap();
        stage.answer(call, Err(Error::OthersWait { board, count: 2, until: NOW + Span::hours(1) }));
        stage
    }));
}

#[test]
fn the_messages() {
    assert_snapshot!(at_every_size(|width, height| {
        let mut stage = Stage::on_ours(width, height);
        stage.keys("rgx\nx\x15\x15Re");
        stage.at(NOW + Span::seconds(9), Message::Tick);
        stage
    }));
}

#[test]
fn the_keys() {
    assert_snapshot!(typed(Stage::on_ours, "?"));
}

#[test]
fn without_a_connection() {
    assert_snapshot!(at_every_size(|width, height| {
        let mut stage = Stage::on_ours(width, height);
        let down = News::Down { why: unreachable(), attempt: 3, pause: Span::seconds(2) };
        stage.news(FeedId::Boards, down);
        stage
    }));
}

const PRINTED: &str = "\x1b[32mU-Boot\x1b[0m 2026.10\r\nHit any key: \x1b[7m 2 \x1b[0m\r\n\
    \x1b[1mbold\x1b[0m\ttab\te\u{301} 漢字\x1b]0;title\x07\r\n=> ";

fn console(width: u16, height: u16) -> Stage {
    Stage::console(width, height, PRINTED)
}

#[test]
fn a_console() {
    assert_snapshot!(at_every_size(console));
}

#[test]
fn a_console_after_the_prefix() {
    assert_snapshot!(typed(console, "\x14"));
}

#[test]
fn the_keys_of_a_console() {
    assert_snapshot!(typed(console, "\x14?"));
}

#[test]
fn scrolling_back_in_a_console() {
    assert_snapshot!(at_every_size(|width, height| {
        let lines: Vec<String> = (0..100).map(|n| format!("line {n}")).collect();
        let mut stage = Stage::console(width, height, &lines.join("\r\n"));
        stage.keys("\x14[\x15");
        stage
    }));
}

#[test]
fn a_line_that_was_found_in_a_console() {
    assert_snapshot!(at_every_size(at_a_panic));
}

#[test]
fn the_boots_of_a_board() {
    assert_snapshot!(at_every_size(|width, height| {
        let mut stage = Stage::on_ours(width, height);
        stage.keys("b");
        let board = "rpi4-1".parse().unwrap();
        stage.answer(Call::Boots(board), Ok(Answer::Boots(boots())));
        stage.keys("j");
        stage
    }));
}

#[test]
fn lines_that_were_found_in_the_lab() {
    assert_snapshot!(at_every_size(|width, height| {
        let mut stage = Stage::on_ours(width, height);
        stage.keys(":search panic\n");
        let asked = stage.model.hits.as_ref().unwrap().asked.clone();
        let hits = vec![
            hit("zcu102-2", 9, "[    1.2] Kernel panic - not syncing", &[(17, 22)]),
            hit("rpi4-1", 48, "panic\x1b[2J panic", &[(0, 5), (10, 15)]),
        ];
        stage.answer(Call::Find(asked), Ok(Answer::Hits(hits)));
        stage
    }));
}

#[test]
fn a_console_whose_pen_somebody_asks_for() {
    assert_snapshot!(at_every_size(|width, height| {
        let mut stage = console(width, height);
        let bob = Viewer { waits: Some(1), asked: Some(NOW), ..viewer(9, "bob", false) };
        at_the_desk(&mut stage, vec![viewer(3, "ada", true), bob]);
        stage
    }));
}

#[test]
fn a_console_without_a_connection() {
    assert_snapshot!(at_every_size(|width, height| {
        let mut stage = console(width, height);
        let feed = FeedId::Console(stage.model.console.as_ref().unwrap().feed);
        let down = News::Down { why: unreachable(), attempt: 1, pause: Span::millis(250) };
        stage.news(feed, down);
        stage
    }));
}

#[test]
fn in_ascii() {
    let stage = Stage::on_ours(120, 40);
    let look = Look { colours: Colours::None, signs: Signs::Ascii };
    let backend = stage.backend(look);
    for cell in &backend.buffer().content {
        assert!(cell.symbol().is_ascii(), "{cell:?}");
        assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset), "{cell:?}");
    }
    assert_snapshot!(backend);
}

#[test]
fn without_colours_everything_can_still_be_told_apart() {
    let words = Stage::on_ours(120, 40).screen();
    for word in ["○ free", "● held", "◐ preparing", "unknown", "! /dev/ttyUSB3", "▸", "you"]
    {
        assert!(words.contains(word), "{word}");
    }
}

#[test]
fn stale_rows_are_dim() {
    let mut stage = Stage::on_ours(80, 24);
    let down = News::Down { why: unreachable(), attempt: 3, pause: Span::seconds(2) };
    stage.news(FeedId::Boards, down);
    let backend = stage.backend(ALL);
    let dim = backend
        .buffer()
        .content
        .iter()
        .filter(|cell| cell.modifier.contains(ratatui::style::Modifier::DIM));
    assert_eq!(dim.count(), 78 * boards().len());
}

#[test]
fn every_size_can_be_drawn_in_every_view() {
    let views = [
        "", "\n", "\t\t", "/x", "/(", "r", "p", "e", "?", "?/x", "c", "c\x14", "c\x14?", "c\x14[",
        ":", ":co\t", "b", "fx\n", "c\x14/x", "z", "z\t", "z\t\t", "  p", "  p\n\n", "y", "@",
    ];
    for keys in views {
        let mut stage = Stage::on_ours(80, 24);
        stage.keys(keys);
        for width in (0..24).chain([59, 60, 119, 120, 300]) {
            for height in (0..8).chain([14, 15, 16, 60]) {
                stage.send(Message::Resize(width, height));
                stage.backend(ALL);
            }
        }
    }
}

#[test]
fn countdowns_count() {
    let mut stage = Stage::on_ours(80, 24);
    assert!(stage.screen().contains("4m32s"));
    stage.at(NOW + Span::seconds(2), Message::Tick);
    assert!(stage.screen().contains("4m30s"));
    stage.at(Time(NOW.0 + 300_000), Message::Tick);
    assert!(stage.screen().contains(" 0s "));
}

#[test]
fn the_screen_is_not_drawn_again_where_nothing_counts() {
    let mut stage = Stage::live(80, 24);
    assert!(view::is_ticking(&stage.model));
    stage.keys("/free\n");
    assert!(!view::is_ticking(&stage.model), "no hold is shown");
    stage.keys("R");
    assert!(view::is_ticking(&stage.model), "a notice is to go away");
    stage.at(NOW + Span::seconds(6), Message::Tick);
    assert!(!view::is_ticking(&stage.model));
}

#[test]
fn a_thousand_boards_show_as_many_as_fit() {
    let mut stage = Stage::live(80, 24);
    let many = (0..1_000).map(|n| board(&format!("board-{n}"), "rpi4")).collect();
    stage.news(FeedId::Boards, News::Boards(many));
    stage.keys("G");
    let screen = stage.screen();
    assert!(screen.contains("▸ board-999") && screen.contains("board-981"), "{screen}");
    stage.keys("g");
    assert!(stage.screen().contains("▸ board-0 "), "{}", stage.screen());
}
