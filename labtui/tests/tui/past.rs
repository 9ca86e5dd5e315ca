//! Going back in what consoles printed: search, jumps, boots, and the whole lab.

use labtui::call::{Answer, Call};
use labtui::feed::{FeedId, News};
use labtui::keys::Context;
use labtui::model::{Mode, Page};
use labtui::past::Printed;
use labtui::plain::tell;
use labtui::update::{Effect, Message};
use protocol::boot::{Cause, Outcome};
use protocol::journal::{Entry, Event};
use protocol::power::PowerState;
use protocol::search::{Direction, Search};
use protocol::{Error, Span};
use ratatui::buffer::Cell;
use ratatui::crossterm::event::{KeyCode, KeyModifiers};

use crate::sample::{ALL, Stage, boots, entry, hit, name};

/// What is asked of `rpi4-1`'s console.
fn ask(pattern: &str, direction: Direction, from: Option<u64>) -> Box<Search> {
    let (pattern, boards) = (pattern.to_owned(), vec![name("rpi4-1")]);
    let limit = Some(1);
    Box::new(Search { pattern, boards, direction, from, limit, ..Search::default() })
}

fn older(pattern: &str, from: Option<u64>) -> Box<Search> {
    ask(pattern, Direction::Backward, from)
}

fn at(offset: u64) -> Call {
    Call::Past { board: name("rpi4-1"), offset }
}

/// The calls that were made since the last time this was asked.
fn calls(stage: &mut Stage) -> Vec<Call> {
    let call = |effect| match effect {
        Effect::Call(call) if call.is_a_deed() => Some(call),
        _ => None,
    };
    stage.done().into_iter().filter_map(call).collect()
}

fn find(stage: &mut Stage, asked: Box<Search>, offset: u64, line: &str) {
    let hits = vec![hit("rpi4-1", offset, line, &[])];
    stage.answer(Call::Find(asked), Ok(Answer::Hits(hits)));
}

fn show(stage: &mut Stage, offset: u64, before: &str, after: &str) {
    let (before, after) = (before.as_bytes().to_vec(), after.as_bytes().to_vec());
    stage.answer(at(offset), Ok(Answer::Past(Printed { offset, before, after })));
}

/// A live console whose history shows a panic.
pub(crate) fn at_a_panic(width: u16, height: u16) -> Stage {
    let mut stage = Stage::console(width, height, "login: ");
    stage.keys("\x14/panic");
    let mut asked: Vec<Call> = calls(&mut stage);
    // Each answer lets the next question out.
    while let Some(Call::Find(search)) = asked.pop() {
        find(&mut stage, search, 48, "Kernel panic");
        asked = calls(&mut stage);
        asked.retain(|call| matches!(call, Call::Find(_)));
    }
    show(&mut stage, 48, "Booting\r\n", "Kernel panic\r\n---[ end ]---\r\nU-Boot\r\n");
    stage.keys("\n").done();
    stage
}

#[test]
fn row_13_a_console_is_searched_while_one_types_with_one_question_at_a_time() {
    let mut stage = Stage::console(80, 24, "login: ");
    stage.done();
    stage.keys("\x14/p");
    assert_eq!(calls(&mut stage), [Call::Find(older("p", None))]);
    stage.keys("anic");
    assert_eq!(calls(&mut stage), [], "the first is not answered yet");
    find(&mut stage, older("p", None), 90, "pwd");
    assert_eq!(calls(&mut stage), [Call::Find(older("panic", None))], "it is not shown");
    find(&mut stage, older("panic", None), 48, "Kernel panic");
    assert_eq!(calls(&mut stage), [at(48)]);
    show(&mut stage, 48, "Booting\r\n", "Kernel panic\r\nU-Boot\r\n");
    let screen = stage.screen();
    assert!(screen.contains("Booting") && screen.contains("Kernel panic"), "{screen}");
    assert!(!screen.contains("U-Boot") && !screen.contains("login:"), "{screen}");
    assert!(screen.contains(" /panic "), "{screen}");
}

#[test]
fn row_13_the_hit_says_where_and_when_and_q_esc_and_end_go_back_to_live() {
    for back in [KeyCode::Char('q'), KeyCode::Esc, KeyCode::End] {
        let mut stage = at_a_panic(80, 24);
        let last = stage.screen().lines().last().unwrap().to_owned();
        assert!(last.contains("rpi4-1 @48 · 12:30:00 · /panic"), "{last}");
        stage.press(back, KeyModifiers::NONE);
        let console = stage.model.console.as_ref().unwrap();
        assert!(console.past.is_none() && console.mode == Mode::Live, "{back:?}");
        assert!(stage.screen().contains("login:"));
    }
}

#[test]
fn row_13_n_and_capital_n_go_to_older_and_newer_lines() {
    let mut stage = at_a_panic(80, 24);
    stage.keys("n");
    assert_eq!(calls(&mut stage), [Call::Find(older("panic", Some(48)))]);
    find(&mut stage, older("panic", Some(48)), 7, "panic");
    assert_eq!(calls(&mut stage), [at(7)]);
    show(&mut stage, 7, "", "panic");
    stage.keys("N");
    let newer = ask("panic", Direction::Forward, Some(8));
    assert_eq!(calls(&mut stage), [Call::Find(newer.clone())]);
    stage.answer(Call::Find(newer), Ok(Answer::Hits(Vec::new())));
    assert_eq!(stage.last_notice(), "Not found: no newer line has 'panic'.");
    assert!(stage.model.console.as_ref().unwrap().past.is_some(), "it stays where it was");
}

#[test]
fn row_13_a_regex_is_asked_for_and_what_is_wrong_with_it_stands_beside_it() {
    let mut stage = Stage::console(80, 24, "");
    stage.done();
    stage.keys("\x14/");
    stage.send(Message::Paste("-e oops|panic(".to_owned()));
    let asked = Box::new(Search { regex: true, ..*older("oops|panic(", None) });
    assert_eq!(calls(&mut stage), [Call::Find(asked.clone())]);
    let why = Error::Bad { why: "a group is not closed".to_owned() };
    stage.answer(Call::Find(asked), Err(why));
    assert!(stage.screen().contains("! a group is not closed"), "{}", stage.screen());
    assert_eq!(stage.last_notice(), "", "nobody has finished it yet");
}

#[test]
fn row_13_a_search_that_is_given_up_goes_back_to_where_one_was() {
    let mut stage = at_a_panic(80, 24);
    stage.keys("/other\x1b");
    stage.answer(Call::Find(older("o", Some(48))), Ok(Answer::Hits(Vec::new())));
    assert!(calls(&mut stage).contains(&at(48)));
    stage.keys("q\x14/other\x1b");
    assert_eq!(stage.model.context(), Context::Console);
}

#[test]
fn row_13_scrolling_down_in_the_past_shows_what_came_next() {
    let mut stage = at_a_panic(80, 24);
    let marked = |stage: &Stage| {
        let look = stage.model.theme.selected;
        let has =
            |cell: &Cell| Some(cell.bg) == look.bg && cell.modifier.contains(look.add_modifier);
        let backend = stage.backend(ALL);
        let mut lines = backend.buffer().content.chunks(80).take(23);
        lines.any(|line| line.iter().all(has))
    };
    assert!(marked(&stage), "the line that was found");
    stage.keys("j");
    assert!(!stage.screen().contains("---[ end ]---"));
    assert!(!marked(&stage), "the last line is another now");
    stage.keys("j");
    assert!(stage.screen().contains("---[ end ]---") && !stage.screen().contains("U-Boot"));
    stage.press(KeyCode::PageDown, KeyModifiers::NONE);
    assert!(stage.screen().contains("U-Boot"));
    stage.keys("j");
    let end = 48 + "Kernel panic\r\n---[ end ]---\r\nU-Boot\r\n".len() as u64;
    assert_eq!(calls(&mut stage), [at(end)], "more is read");
    show(&mut stage, end, "U-Boot\r\n", "");
    stage.keys("j");
    assert!(stage.model.console.as_ref().unwrap().past.is_none(), "nothing came after that");
}

#[test]
fn row_13_what_is_no_longer_kept_is_told() {
    let mut stage = at_a_panic(80, 24);
    stage.keys("n");
    find(&mut stage, older("panic", Some(48)), 7, "panic");
    let printed = Printed { offset: 30, before: Vec::new(), after: b"Booting".to_vec() };
    stage.answer(at(7), Ok(Answer::Past(printed)));
    assert_eq!(
        stage.last_notice(),
        "What was printed there is no longer kept. This is the oldest."
    );
}

fn happened(seq: u64, offset: u64, event: Event) -> Entry {
    Entry { offset: Some(offset), ..entry(seq, "rpi4-1", None, Span::minutes(5), event) }
}

#[test]
fn row_13_jumps_lead_to_boots_notes_power_and_panics() {
    let mut stage = Stage::console(80, 24, "");
    let feed = FeedId::Timeline(stage.model.closeup.as_ref().unwrap().feed);
    let (number, after) = (1, Span::seconds(4));
    let matched = Event::Matched { trigger: "oops".to_owned(), text: "Oops: 1".to_owned() };
    let entries = vec![
        happened(20, 100, Event::PowerSent { to: PowerState::On }),
        happened(21, 110, Event::BootBegan { number, cause: Cause::Power }),
        happened(22, 300, matched),
        happened(23, 400, Event::BootEnded { number, outcome: Outcome::Panicked, after }),
        happened(24, 500, Event::BootBegan { number: 2, cause: Cause::Itself }),
        happened(25, 600, Event::Panicked),
    ];
    stage.news(feed, News::Entries(entries));
    stage.keys("\x14[").done();
    for (key, offset) in
        [("b", 500), ("b", 110), ("p", 100), ("M", 300), ("X", 400), ("X", 600), ("x", 400)]
    {
        stage.keys(key);
        assert_eq!(calls(&mut stage), [at(offset)], "{key}");
        show(&mut stage, offset, "as it was", "");
    }
    assert!(stage.screen().contains("@400 · 13:55:00 · boot 1: panick"), "{}", stage.screen());
    stage.keys("m");
    show(&mut stage, 300, "", "");
    stage.keys("m");
    assert_eq!(stage.last_notice(), "The timeline that is read here has no older note or mark.");
}

#[test]
fn boots_are_listed_newest_first_and_enter_shows_one_on_the_console() {
    let mut stage = Stage::on_ours(100, 24);
    stage.done();
    stage.keys("b");
    assert_eq!(calls(&mut stage), [Call::Boots(name("rpi4-1"))]);
    assert!(stage.screen().contains("The lab is looking"));
    stage.answer(Call::Boots(name("rpi4-1")), Ok(Answer::Boots(boots())));
    let screen = stage.screen();
    let row = |number: &str| screen.lines().position(|line| line.contains(number)).unwrap();
    assert!(row(" 3 13:57:00    reset   hung") < row(" 2 12:00:00    power   panicked"));
    assert!(screen.contains("u-boot 9.00s!") && screen.contains("kernel 3.00s"), "{screen}");
    stage.keys("j\n");
    let place = at(5_000);
    assert_eq!(calls(&mut stage), [place]);
    show(&mut stage, 5_000, "it was off", "U-Boot\r\n");
    assert!(stage.screen().contains("boot 2") && stage.screen().contains("it was off"));
    stage.keys("q\x14h");
    assert_eq!(stage.model.page, Some(Page::Boots(0)));
}

#[test]
fn a_refused_list_says_so_and_does_not_wait_for_ever() {
    let mut stage = Stage::on_ours(100, 24);
    stage.keys("b");
    stage.answer(Call::Boots(name("rpi4-1")), Err(Error::Unknown));
    assert!(stage.screen().contains("The lab did not answer. The messages say why."));
}

#[test]
fn the_whole_lab_is_searched_and_a_hit_opens_its_console() {
    let mut stage = Stage::on_ours(100, 24);
    stage.done();
    stage.keys("fKernel panic\n");
    let asked = stage.model.hits.as_ref().unwrap().asked.clone();
    assert_eq!(
        (asked.pattern.as_str(), asked.regex, asked.limit),
        ("Kernel panic", false, Some(500))
    );
    assert_eq!(calls(&mut stage), [Call::Find(asked.clone())]);
    let found = vec![
        hit("zcu102-2", 9, "[1.2] Kernel panic", &[(6, 18)]),
        hit("rpi4-1", 48, "Kernel panic", &[(0, 12)]),
    ];
    stage.answer(Call::Find(asked), Ok(Answer::Hits(found)));
    assert!(stage.screen().contains("2 lines with 'Kernel panic'"), "{}", stage.screen());
    stage.keys("j\n");
    assert_eq!(calls(&mut stage), [at(48)]);
    assert_eq!(stage.model.console.as_ref().unwrap().board, name("rpi4-1"));
    stage.keys("q\x14-");
    assert_eq!(stage.model.page, Some(Page::Hits(0)), "and back to the hits");
    stage.keys("q\x14q:search -e a|b\n");
    assert!(stage.model.hits.as_ref().unwrap().asked.regex);
}

#[test]
fn hits_of_boards_that_are_gone_open_nothing() {
    let mut stage = Stage::on_ours(100, 24);
    stage.keys(":search x\n");
    let asked = stage.model.hits.as_ref().unwrap().asked.clone();
    stage.answer(Call::Find(asked), Ok(Answer::Hits(vec![hit("old-1", 4, "x", &[])])));
    stage.keys("\n");
    assert!(stage.model.console.is_none());
    assert!(stage.last_notice().starts_with("old-1 is not in the lab any more."));
}

#[test]
fn without_a_screen_boots_and_found_lines_are_said_line_by_line() {
    let mut stage = Stage::on_ours(100, 24);
    let (_, effects) = tell(&mut stage.model, Message::Command("search panic".to_owned()));
    let [Effect::Call(asked)] = effects.as_slice() else { panic!("{effects:?}") };
    let hits = vec![hit("rpi4-1", 48, "Kernel\x1b[2J panic", &[])];
    let answer = Ok(Answer::Hits(hits));
    let (lines, _) = tell(&mut stage.model, Message::Answer { call: asked.clone(), answer });
    assert_eq!(lines, ["rpi4-1 @48: Kernel panic"]);
    let (call, answer) = (Call::Boots(name("rpi4-1")), Ok(Answer::Boots(boots())));
    let (lines, _) = tell(&mut stage.model, Message::Answer { call, answer });
    assert_eq!(lines[0], "rpi4-1: boot 3 @9000, by reset, going, hung");
    assert_eq!(lines[2], "rpi4-1: boot 1 @100, by power, done after 12.31s");
}
