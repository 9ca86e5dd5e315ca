//! The conventions of terminal programs, a test for each row of the book's table, named by its row.
//! Those that take a real terminal are in `stories`.

use labtui::call::{Answer, Call};
use labtui::dialog::Dialog;
use labtui::feed::{FeedId, News};
use labtui::keys::{Action, Context, Escape, Group, Key, KeyMap, escape};
use labtui::model::{Focus, Page, Typing};
use labtui::palette;
use labtui::settings::Settings;
use labtui::theme::{self, Background};
use labtui::update::{Effect, Message};
use labtui::view::{self, Colours, Look, Signs};
use protocol::address::Address;
use protocol::board::Board;
use protocol::console::{Pen, PenAsk};
use protocol::hold::{Placed, Release};
use protocol::journal::Event;
use protocol::power::{PowerAsk, PowerDetail, PowerState};
use protocol::wire::Welcome;
use protocol::{Error, Span};
use ratatui::crossterm::event::{
    KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use ratatui::style::Color;

use crate::sample::{ALL, NOW, Stage, board, boards, entry, held, hold, name};

fn selected(stage: &Stage) -> &str {
    stage.model.table.selected().map_or("", |board| board.name.as_str())
}

/// The calls among what was done that somebody asked for.
fn deeds(stage: &mut Stage) -> Vec<Call> {
    let deed = |effect| match effect {
        Effect::Call(call) if call.is_a_deed() => Some(call),
        _ => None,
    };
    stage.done().into_iter().filter_map(deed).collect()
}

/// The line at the bottom of the screen.
fn status(stage: &Stage) -> String {
    let screen = stage.screen();
    screen.lines().last().unwrap_or_default().trim_matches('"').trim().to_owned()
}

fn with_settings(stage: &mut Stage, text: &str) {
    let settings = Settings::read(text).map(Box::new);
    stage.send(Message::Settings(settings));
}

fn power(board: &str, ask: PowerAsk) -> Call {
    Call::Power { board: name(board), ask }
}

fn powered(state: PowerState) -> Result<Answer, Error> {
    let outlet = "fake".to_owned();
    Ok(Answer::Power(PowerDetail { outlet, state, seen: None, doing: None, fault: None }))
}

fn typed(stage: &mut Stage) -> Vec<u8> {
    let bytes = |effect| match effect {
        Effect::Type(bytes) => Some(bytes),
        _ => None,
    };
    stage.done().into_iter().filter_map(bytes).flatten().collect()
}

#[test]
fn row_1_help_is_searched_and_says_the_keys_as_they_were_changed() {
    let mut stage = Stage::on_ours(80, 24);
    stage.keys("?/brea\n");
    let screen = stage.screen();
    assert!(screen.contains("^T b") && screen.contains("send a BREAK"), "{screen}");
    assert!(!screen.contains("reserve the board"), "{screen}");
    stage.keys("/nosuch");
    assert!(stage.screen().contains("No key has 'nosuch' in it."));
    stage.keys("\n\x1b");
    assert_eq!(stage.model.page, None);
    with_settings(&mut stage, "escape = 'screen'\n[keys.console]\nbreak = 'B'\n");
    stage.press(KeyCode::F(1), KeyModifiers::NONE).keys("/brea");
    assert!(stage.screen().contains("^A B"), "{}", stage.screen());
}

#[test]
fn row_2_commands_are_completed_by_some_of_their_letters() {
    let mut stage = Stage::live(80, 24);
    stage.keys(":cns\t");
    let Some(Typing::Command(line)) = &stage.model.typing else { panic!("nothing is typed") };
    assert_eq!(line.text, "console");
    stage.keys(" zc2\t\n");
    assert_eq!(stage.model.console.as_ref().unwrap().board, name("zcu102-2"));
    stage.keys("\x14-:boards clas\t\n");
    assert_eq!(stage.model.table.filter().text(), "-l class=rpi4");
    let offers = palette::offers(&stage.model, "power rpi4-1 ");
    assert_eq!(offers, ["on", "off", "cycle", "reset"].map(|it| format!("power rpi4-1 {it}")));
    stage.keys(":theme mono\n");
    assert_eq!(stage.model.theme, theme::Theme::named("mono", Background::Dark));
}

#[test]
fn row_2_every_action_outside_of_texts_and_consoles_is_a_command() {
    let keys = KeyMap::default();
    let stage = Stage::on_ours(80, 24);
    for context in [Context::Table, Context::Closeup] {
        for binding in keys.bindings(context).filter(|it| it.group != Group::Moving) {
            assert_eq!(palette::action(&stage.model, binding.name), Some(binding.action));
            assert!(palette::names(&stage.model).contains(&binding.name.to_owned()));
        }
    }
}

#[test]
fn row_2_a_wrong_command_says_what_may_be_meant() {
    let mut stage = Stage::live(80, 24);
    for (line, said) in [
        ("borads", "There is no command 'borads'. Did you mean 'boards'?"),
        ("console", "It is written so: console BOARD"),
        ("power rpi4-1 of", "It is written so: power BOARD on|off|cycle|reset"),
        ("console nosuch", "There is no board nosuch here. :boards lists them all."),
        ("labs hq", "You have logged in to no lab 'hq'. labctl login does that."),
        ("sort x", "'sort' takes no words after it."),
    ] {
        stage.keys(":").send(Message::Paste(line.to_owned())).keys("\n");
        // The console of the selected board is a command without a word.
        if line == "console" {
            stage.keys("\x14q");
            continue;
        }
        assert_eq!(stage.last_notice(), said);
        assert_eq!(deeds(&mut stage), []);
    }
}

#[test]
fn row_2_history_is_gone_through_and_kept() {
    let mut stage = Stage::live(80, 24);
    stage.keys(":sort\n:theme dark\n:theme dark\n");
    let kept: Vec<Effect> =
        stage.done().into_iter().filter(|it| matches!(it, Effect::Remember(_))).collect();
    assert_eq!(kept, ["sort", "theme dark"].map(|it| Effect::Remember(it.to_owned())));
    let text = |stage: &Stage| match &stage.model.typing {
        Some(Typing::Command(line)) => line.text.clone(),
        other => panic!("{other:?}"),
    };
    stage.keys(":\x10\x10\x10");
    assert_eq!(text(&stage), "sort");
    stage.keys("\x0e");
    assert_eq!(text(&stage), "theme dark");
    stage.keys("\x0e");
    assert_eq!(text(&stage), "");
    stage.keys("\x1b");
    assert_eq!(stage.model.typing, None);
}

#[test]
fn row_2_minus_goes_where_one_was_before() {
    let mut stage = Stage::live(80, 24);
    stage.keys(":boards rpi\n:messages\n");
    assert_eq!(stage.model.page, Some(Page::Messages(0)));
    stage.keys("-");
    assert_eq!((stage.model.page, stage.model.table.filter().text()), (None, "rpi"));
    stage.keys("-");
    assert_eq!(stage.model.page, Some(Page::Messages(0)));
    stage.keys("q:console rk3588-1\n\x14-");
    assert_eq!(stage.model.console.as_ref().map(|it| &it.board), None);
    stage.keys("-");
    assert_eq!(stage.model.console.as_ref().map(|it| &it.board), Some(&name("rk3588-1")));
}

#[test]
fn row_2_another_lab_leaves_nothing_of_this_one() {
    let mut stage = Stage::live(80, 24);
    let hq: Address = "unix:/run/hq.sock".parse().unwrap();
    stage.model.labs = vec![("hq".to_owned(), hq.clone())];
    stage.keys(" @\n");
    assert!(stage.done().contains(&Effect::Go(hq.clone())));
    assert_eq!((stage.model.table.len(), stage.model.lab.as_str()), (0, "unix:/run/hq.sock"));
    assert_eq!((&stage.model.me, stage.model.table.marked().len()), (&None, 0));
    stage.keys(":labs hq\n");
    assert!(stage.done().contains(&Effect::Go(hq)));
}

#[test]
fn row_3_the_four_forms_of_a_filter() {
    let mut stage = Stage::live(80, 24);
    for (filter, expected) in [
        ("^rpi4-[12]$", 2),
        ("!^zcu", 6),
        ("-l class=rpi4", 3),
        ("-l class=rpi4,state=free", 1),
        ("-l tag=poe", 1),
        ("-l holder=bob", 1),
        ("-l rack=3", 0),
        ("-f zc2", 2),
        ("-f r41", 2),
        ("rpi !bob -l state=held", 1),
        ("-l", 8),
        ("-f", 8),
    ] {
        stage.keys("/\x15").keys(filter).keys("\n");
        assert_eq!(stage.model.table.len(), expected, "{filter}");
    }
}

#[test]
fn row_3_a_bad_filter_says_so_in_place_and_hides_nothing_more() {
    let mut stage = Stage::live(80, 24);
    stage.keys("/rpi(");
    assert_eq!(stage.model.table.len(), 3, "what it meant before goes on");
    assert!(status(&stage).starts_with("/rpi( ! unclosed group"), "{}", status(&stage));
    stage.keys("\n");
    assert!(status(&stage).starts_with("/rpi( ! unclosed group"), "it stays visible");
    stage.keys("/4)\n");
    assert_eq!((stage.model.table.len(), stage.model.table.filter().fault()), (3, None));
    stage.keys("/\x15(\n");
    assert_eq!(stage.model.table.len(), 8, "alone it hides nothing");
}

#[test]
fn row_3_the_filter_stays_visible_and_n_goes_through_what_it_finds() {
    let mut stage = Stage::live(80, 24);
    stage.keys("/rpi\n");
    assert!(status(&stage).starts_with("/rpi"), "{}", status(&stage));
    stage.keys("\x1bg");
    assert!(!status(&stage).contains("/rpi"));
    let mut found = Vec::new();
    for key in ["n", "n", "n", "n", "N", "N"] {
        found.push(selected(stage.keys(key)).to_owned());
    }
    assert_eq!(found, ["rpi4-1", "rpi4-2", "rpi4-10", "rpi4-1", "rpi4-10", "rpi4-2"]);
}

#[test]
fn row_4_letters_and_arrows_move_alike() {
    for (letter, code) in
        [("j", KeyCode::Down), ("k", KeyCode::Up), ("g", KeyCode::Home), ("G", KeyCode::End)]
    {
        let (mut one, mut other) = (Stage::live(80, 24), Stage::live(80, 24));
        one.keys("jj").keys(letter);
        other.keys("jj").press(code, KeyModifiers::NONE);
        assert_eq!(selected(&one), selected(&other), "{letter}");
    }
    let mut stage = Stage::live(80, 24);
    stage.keys("Ggg");
    assert_eq!(selected(&stage), "bbb-1", "g g is the first line, too");
}

#[test]
fn row_5_half_pages_move_and_no_ctrl_letter_asks_anything_of_a_board() {
    let mut stage = Stage::live(80, 24);
    let many = (0..100).map(|n| board(&format!("b{n}"), "x")).collect();
    stage.news(FeedId::Boards, News::Boards(many));
    stage.keys("\x04");
    assert_eq!(stage.model.table.place(), Some(10));
    stage.keys("\x15");
    assert_eq!(stage.model.table.place(), Some(0));
}

#[test]
fn row_7_tab_and_numbers_choose_a_pane_and_titles_say_which() {
    let mut stage = Stage::on_ours(120, 40);
    let screen = stage.screen();
    for title in ["┌ 1 Boards 8 ", "┌ 2 rpi4-1 ", "┌ 3 Timeline "] {
        assert!(screen.contains(title), "{title}");
    }
    for (key, pane) in [("3", Focus::Timeline), ("1", Focus::Table), ("2", Focus::Facts)] {
        assert_eq!(stage.keys(key).model.focus, pane);
    }
    assert_eq!(stage.keys("\t").model.focus, Focus::Timeline);
    stage.press(KeyCode::BackTab, KeyModifiers::SHIFT);
    assert_eq!(stage.model.focus, Focus::Facts);
}

#[test]
fn row_8_zoom_shows_one_pane_alone() {
    let mut stage = Stage::on_ours(120, 40);
    stage.keys("3z");
    let screen = stage.screen();
    assert!(screen.contains("3 Timeline · alone") && !screen.contains("1 Boards"), "{screen}");
    assert!(!screen.contains("2 rpi4-1"), "{screen}");
    stage.keys("_");
    assert!(stage.screen().contains("1 Boards"));
    stage.keys("1+");
    assert!(!stage.screen().contains("Timeline"));
}

#[test]
fn row_10_every_preset_detaches_and_says_how() {
    for (preset, detach, label) in [
        ("tio", "\x14q", "^T q"),
        ("screen", "\x01d", "^A d"),
        ("conserver", "\x05c.", "^E c ."),
        ("ssh", "\n~.", "~ ."),
    ] {
        let mut stage = Stage::live(100, 24);
        with_settings(&mut stage, &format!("escape = '{preset}'"));
        stage.select("rpi4-1");
        stage.keys("c");
        assert!(status(&stage).ends_with(&format!("{label} detach")), "{}", status(&stage));
        stage.keys(detach);
        assert!(stage.model.console.is_none(), "{preset}");
    }
    for (preset, code) in [("telnet", '5'), ("microcom", '4')] {
        let mut stage = Stage::live(100, 24);
        with_settings(&mut stage, &format!("escape = '{preset}'"));
        stage.keys("c").press(KeyCode::Char(code), KeyModifiers::CONTROL).keys("q");
        assert!(stage.model.console.is_none(), "{preset}");
    }
    assert!(escape::PRESETS.iter().all(|name| Escape::preset(name).is_some()));
}

#[test]
fn row_10_keys_that_do_not_become_the_prefix_are_the_boards() {
    let mut stage = Stage::console(80, 24, "");
    with_settings(&mut stage, "escape = 'conserver'");
    stage.done();
    stage.keys("a\x05b\x05\x05c\x05");
    assert_eq!(typed(&mut stage), b"a\x05b\x05\x05c", "the prefix, then ^E, sends the prefix");
    with_settings(&mut stage, "escape = 'ssh'");
    stage.keys("\x1b[");
    stage.done();
    stage.keys("a~.\n~~b");
    assert_eq!(typed(&mut stage), b"a~.\r~b");
    assert!(stage.model.console.is_some());
}

#[test]
fn row_11_commands_in_a_console() {
    let mut stage = Stage::console(80, 24, "U-Boot\r\n=> ");
    let feed = FeedId::Console(stage.model.console.as_ref().unwrap().feed);
    stage.keys("\x14w");
    assert_eq!(stage.last_notice(), "ada has the pen, bob looks on.");
    stage.done();
    stage.keys("\x14p\n");
    assert_eq!(deeds(&mut stage), [power("rpi4-1", PowerAsk::On)]);
    stage.news(feed, News::Up(Welcome { session: 8, ..Welcome::default() }));
    stage.keys("\x14r\x14b");
    let ask = Call::Pen { session: 8, ask: PenAsk::Ask };
    assert_eq!(deeds(&mut stage), [ask, Call::Break { session: 8 }]);
    stage.keys("\x14n");
    assert_eq!(stage.model.console.as_ref().unwrap().board, name("rpi4-2"));
    stage.keys("\x14N\x14N");
    assert_eq!(stage.model.console.as_ref().unwrap().board, name("rk3588-1"));
    stage.keys("\x14x");
    assert!(stage.last_notice().contains("^T ? shows them all"), "{}", stage.last_notice());
}

#[test]
fn row_14_the_copy_menu_gives_names_commands_and_what_was_printed() {
    let copied = |stage: &mut Stage| {
        let copy = |effect| match effect {
            Effect::Copy(text) => Some(text),
            _ => None,
        };
        stage.done().into_iter().find_map(copy).unwrap()
    };
    let mut stage = Stage::on_ours(80, 24);
    stage.keys("y\n");
    assert_eq!(copied(&mut stage), "rpi4-1");
    stage.keys("y\t\n");
    assert_eq!(copied(&mut stage), "labctl ssh rpi4-1");
    stage.keys("y\t\t\t\n");
    assert_eq!(copied(&mut stage), "root@rpi4-1:~# dmesg | tail");
    let mut stage = Stage::console(80, 24, "漢字 \x1b[31mred\x1b[0m\r\n\x1b]52;c;ZXZpbA==\x07=> ");
    assert!(stage.done().iter().all(|it| !matches!(it, Effect::Copy(_))), "boards copy nothing");
    stage.keys("\x14y\n");
    assert_eq!(copied(&mut stage), "漢字 red\n=>");
}

#[test]
fn row_15_marks_are_set_singly_and_in_ranges() {
    let mut stage = Stage::live(80, 24);
    let marked = |stage: &Stage| {
        let all = stage.model.table.marked();
        all.iter().map(|board| board.name.to_string()).collect::<Vec<_>>()
    };
    stage.keys("  ");
    assert_eq!(marked(&stage), ["bbb-1", "rk3588-1"]);
    stage.keys("k ");
    assert_eq!(marked(&stage), ["bbb-1"], "again takes it away");
    stage.keys("Gvk");
    assert_eq!(marked(&stage), ["bbb-1", "zcu102-1", "zcu102-2"], "as far as one has moved");
    stage.keys("vk");
    assert_eq!(marked(&stage), ["bbb-1", "zcu102-1", "zcu102-2"]);
    assert!(status(&stage).contains("3 marked") && stage.screen().contains(" ✓zcu102-2"));
    stage.keys("/rpi\n");
    assert_eq!(marked(&stage).len(), 3, "a filter hides marks and takes none away");
    stage.news(FeedId::Boards, News::Changed(vec![Board::gone(name("zcu102-2"))]));
    stage.news(FeedId::Boards, News::Changed(vec![board("zcu102-2", "zcu102")]));
    assert_eq!(marked(&stage).len(), 2, "one that went and came back is not marked");
    stage.keys("\x1b");
    assert_eq!((marked(&stage).len(), stage.model.table.filter().text()), (0, "rpi"));
}

#[test]
fn row_15_marked_boards_are_asked_at_once_and_each_fares_for_itself() {
    let mut stage = Stage::live(80, 24);
    stage.done();
    stage.keys("  r");
    let screen = stage.screen();
    for words in ["Reserve 2 boards", "2 boards: bbb-1, rk3588-1."] {
        assert!(screen.contains(words), "{words} in {screen}");
    }
    stage.keys("1h\n");
    let span = Some(Span::hours(1));
    let calls = ["bbb-1", "rk3588-1"].map(|it| Call::Reserve { board: name(it), span });
    assert_eq!(deeds(&mut stage), calls);
    let [first, second] = calls;
    let (board, who, until) = (name("rk3588-1"), crate::sample::user("bob"), NOW);
    stage.answer(second, Err(Error::HeldBy { board, who, until }));
    let screen = stage.screen();
    for words in ["reserve 2: 0 done, 1 failed, 1 to go", "… bbb-1", "✗ rk3588-1", "held by bob"]
    {
        assert!(screen.contains(words), "{words} in {screen}");
    }
    let hold = hold("bbb-1", "ada", 50, Span::hours(1));
    stage.answer(first, Ok(Answer::Placed(Placed::Held { hold })));
    assert!(stage.screen().contains("✓ bbb-1             yours for 1h"), "{}", stage.screen());
    assert_eq!(stage.last_notice(), "reserve: 1 done, 1 failed.");
    stage.keys("qo");
    assert_eq!(stage.model.page, Some(Page::Report(0)), "it can be read again");
}

#[test]
fn row_15_only_ones_own_among_the_marked_are_released() {
    let mut stage = Stage::live(80, 24);
    stage.keys("vGvR\n");
    let release = Release { number: Some(41), breaking: None };
    assert_eq!(deeds(&mut stage), [Call::Release { board: name("rpi4-1"), release }]);
}

#[test]
fn row_16_what_is_switched_off_can_be_switched_on_for_three_seconds() {
    let mut stage = Stage::on_ours(80, 24);
    stage.done();
    stage.keys("p\t\n");
    assert_eq!(deeds(&mut stage), [power("rpi4-1", PowerAsk::Off)], "nobody is asked");
    stage.answer(power("rpi4-1", PowerAsk::Off), powered(PowerState::Off));
    assert!(status(&stage).starts_with("u switches rpi4-1 on again"), "{}", status(&stage));
    assert!(view::is_ticking(&stage.model));
    stage.keys("u");
    assert_eq!(deeds(&mut stage), [power("rpi4-1", PowerAsk::On)]);
    stage.answer(power("rpi4-1", PowerAsk::On), powered(PowerState::On));
    stage.at(NOW + Span::seconds(3), Message::Tick);
    assert!(!status(&stage).contains("again"));
    stage.at(NOW + Span::seconds(3), Message::Key(KeyEvent::from(KeyCode::Char('u'))));
    assert_eq!(deeds(&mut stage), []);
}

#[test]
fn row_16_many_boards_of_others_have_to_be_counted() {
    let mut stage = Stage::live(80, 24);
    stage.keys("vGvp\t\n");
    let screen = stage.screen();
    assert!(screen.contains("Switch off 8 boards?"), "{screen}");
    let Some(Dialog::Question(question)) = &stage.model.dialog else { panic!("nobody asks") };
    for words in ["8 boards: bbb-1,", "rpi4-2 (bob)", "is lost. 7 are not yours. How many"] {
        assert!(question.about.contains(words), "{words} in {}", question.about);
    }
    stage.keys("yes\n");
    assert_eq!(deeds(&mut stage), []);
    assert!(stage.screen().contains("there are 8; Esc does nothing"), "{}", stage.screen());
    stage.keys("\x158\n");
    assert_eq!(deeds(&mut stage).len(), 8);

    let mut stage = Stage::live(80, 24);
    stage.keys("vGvp\n\n");
    assert_eq!(deeds(&mut stage), [], "Enter, Enter switches nothing of others, not even on");
}

#[test]
fn row_17_read_only_has_no_key_that_changes_anything() {
    let mut stage = Stage::on_ours(100, 200);
    with_settings(&mut stage, "read-only = true");
    assert!(stage.screen().contains("read-only"));
    stage.keys("?");
    let help = stage.screen();
    for gone in ["reserve the board, or wait", "switch power", "send a BREAK", "by force"] {
        assert!(!help.contains(gone), "{gone}");
    }
    assert!(help.contains("attach to the console"));
    stage.keys("q");
    stage.done();
    stage.keys("r\x1bpRxu:power rpi4-1 off\n:reserve rpi4-2\n:release rpi4-1\n p\n");
    assert_eq!(deeds(&mut stage), []);
    assert_eq!(stage.last_notice(), "Nothing is changed here: labtui is read-only.");
    stage.keys("c");
    let feed = FeedId::Console(stage.model.console.as_ref().unwrap().feed);
    assert!(stage.done().iter().any(|it| matches!(it, Effect::Attach { pen: Pen::Unwanted, .. })));
    stage.news(feed, News::Up(Welcome { session: 3, ..Welcome::default() }));
    stage.keys("reboot\n\x14f\x14r\x14b").send(Message::Paste("reboot".to_owned()));
    let asked = |it: &Effect| match it {
        Effect::Call(call) => call.is_a_deed(),
        it => matches!(it, Effect::Type(_)),
    };
    assert!(!stage.done().iter().any(asked) && stage.model.dialog.is_none());
}

fn mouse(kind: MouseEventKind, column: u16, row: u16) -> Message {
    Message::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE })
}

#[test]
fn row_18_clicks_select_and_the_wheel_scrolls_what_is_under_it() {
    let mut stage = Stage::on_ours(120, 40);
    assert!(!stage.model.mouse, "off unless wanted");
    stage.done();
    stage.keys("m");
    assert_eq!(stage.done(), [Effect::Mouse(true)]);
    let screen = stage.screen();
    let line = screen.lines().position(|line| line.contains("x86-1")).unwrap();
    stage.send(mouse(MouseEventKind::Down(MouseButton::Left), 5, line as u16));
    assert_eq!((selected(&stage), stage.model.focus), ("x86-1", Focus::Table));
    stage.send(mouse(MouseEventKind::Down(MouseButton::Left), 100, 30));
    assert_eq!((selected(&stage), stage.model.focus), ("x86-1", Focus::Timeline));
    stage.send(mouse(MouseEventKind::ScrollUp, 5, 20));
    assert_eq!((selected(&stage), stage.model.focus), ("rpi4-1", Focus::Table));
    stage.send(mouse(MouseEventKind::Down(MouseButton::Left), 5, 39));
    assert_eq!(selected(&stage), "rpi4-1", "the status line is no board");
    stage.keys("c");
    assert!(stage.done().contains(&Effect::Mouse(false)), "a console's text can be selected");
    stage.keys("\x14q");
    assert!(stage.done().contains(&Effect::Mouse(true)));
}

#[test]
fn row_19_a_theme_is_a_name_or_some_changes_and_auto_follows_the_background() {
    let mut stage = Stage::on_ours(80, 24);
    stage.send(Message::Background(Background::Light));
    assert_eq!(stage.model.theme, theme::Theme::named("light", Background::Light));
    with_settings(&mut stage, "[theme]\nbase = 'dark'\ngood = '#123456'\n");
    let mut dark = theme::Theme::named("dark", Background::Dark);
    dark.good = ratatui::style::Style::new().fg(Color::Rgb(0x12, 0x34, 0x56));
    assert_eq!(stage.model.theme, dark);
    let free = |cell: &&ratatui::buffer::Cell| cell.fg == Color::Rgb(0x12, 0x34, 0x56);
    assert!(stage.backend(ALL).buffer().content.iter().filter(free).count() > 4);
}

#[test]
fn row_19_and_20_every_view_in_every_theme_on_every_rung_keeps_its_words() {
    for theme in theme::NAMES {
        for keys in ["", "p", ":co", "  p", "c"] {
            let mut stage = Stage::on_ours(80, 24);
            let before = stage.keys(keys).screen();
            with_settings(&mut stage, &format!("theme = '{theme}'"));
            assert_eq!(stage.screen(), before, "a theme changes no letter");
            for colours in [Colours::None, Colours::Sixteen, Colours::Indexed, Colours::All] {
                let backend = stage.backend(Look { colours, signs: Signs::Unicode });
                for cell in &backend.buffer().content {
                    for colour in [cell.fg, cell.bg] {
                        let fits = match colour {
                            Color::Rgb(..) => colours == Colours::All,
                            Color::Indexed(_) => colours >= Colours::Indexed,
                            Color::Reset => true,
                            _ => colours >= Colours::Sixteen,
                        };
                        assert!(fits, "{colour:?} in {theme} with {colours:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn row_21_letters_of_any_width_shift_no_column() {
    let mut stage = Stage::live(120, 24);
    let rows = ["漢字", "👩‍👩‍👧", "e\u{301}\u{323}x", "\u{202e}evil", "ﷺ", "plain"];
    let rows = rows.iter().enumerate().map(|(n, class)| Board {
        last_line: format!("{class} says {class}"),
        ..held(&format!("b{n}"), class, "ada", n as u64, Span::hours(1))
    });
    stage.news(FeedId::Boards, News::Boards(rows.collect()));
    stage.keys("z");
    let backend = stage.backend(ALL);
    let buffer = backend.buffer();
    let column = |y: u16| (0..120).find(|x| buffer[(*x, y)].symbol() == "●").unwrap();
    let columns: Vec<u16> = (3..9).map(column).collect();
    assert!(columns.iter().all(|x| *x == columns[0]), "{columns:?}");
    assert!((3..9).all(|y| buffer[(119, y)].symbol() == "│"));
}

#[test]
fn row_22_the_largest_screen_is_drawn_and_changes_of_size_tell_the_board_nothing() {
    let mut stage = Stage::console(80, 24, "U-Boot\r\n");
    for (width, height) in [(1, 1), (500, 200), (0, 0), (500, 1), (1, 200), (80, 24)] {
        stage.done();
        stage.send(Message::Resize(width, height));
        stage.backend(ALL);
        assert_eq!(typed(&mut stage), b"");
        stage.keys("\x14?q");
    }
    assert!(stage.screen().contains("U-Boot"), "{}", stage.screen());
}

#[test]
fn row_23_the_first_and_last_lines_say_where_who_and_how() {
    let mut stage = Stage::on_ours(120, 24);
    stage.send(Message::RoundTrip(Span(12)));
    let ahead = entry(90, "rpi4-1", None, Span(0), Event::Break);
    let ahead = protocol::journal::Entry { at: NOW + Span::seconds(7), ..ahead };
    let feed = FeedId::Timeline(stage.model.closeup.as_ref().unwrap().feed);
    stage.news(feed, News::Entries(vec![ahead]));
    let screen = stage.screen();
    let first = screen.lines().next().unwrap();
    for words in ["/run/labd/labd.sock", "ada (user)", "1 yours", "7s ahead", "● live 12 ms"] {
        assert!(first.contains(words), "{words} in {first}");
    }
    stage.keys("/rpi\n kx\n");
    let last = status(&stage);
    for words in ["/rpi", "1 marked", "extend your hold of"] {
        assert!(last.contains(words), "{words} in {last}");
    }
}

#[test]
fn row_25_the_banner_says_why_when_next_and_how_old_all_is() {
    let mut stage = Stage::live(120, 24);
    let why = Error::Unreachable { address: "x".to_owned(), why: "refused".to_owned() };
    let down = |attempt| News::Down { why: why.clone(), attempt, pause: Span::seconds(4) };
    stage.news(FeedId::Boards, down(1));
    stage.at(NOW + Span::seconds(61), Message::News { feed: FeedId::Boards, news: down(5) });
    let screen = stage.screen();
    let banner = "Not live: refused. Attempt 5 failed, next in 4s. What is shown is 1m1s old.";
    assert!(screen.contains(banner), "{screen}");
}

#[test]
fn row_28_where_nothing_is_to_move_nothing_counts() {
    let mut stage = Stage::on_ours(80, 24);
    assert!(view::is_ticking(&stage.model));
    with_settings(&mut stage, "motion = false");
    assert!(!view::is_ticking(&stage.model));
    let before = stage.screen();
    assert!(before.contains("15:20") && !before.contains("1h20m"), "{before}");
    stage.at(NOW + Span::seconds(30), Message::Tick);
    assert_eq!(stage.screen(), before);
    let down = News::Down { why: Error::Unknown, attempt: 1, pause: Span::seconds(9) };
    stage.news(FeedId::Boards, down);
    assert!(!view::is_ticking(&stage.model));
}

#[test]
fn row_28_the_cursor_is_at_the_selected_row_or_behind_what_is_typed() {
    let mut stage = Stage::live(80, 24);
    let cursor = |stage: &Stage| {
        let position = stage.backend(ALL).cursor_position();
        (position.x, position.y)
    };
    assert_eq!(cursor(&stage), (1, 3));
    assert_eq!(cursor(stage.keys("j")), (1, 4));
    assert_eq!(cursor(stage.keys("/rpi")), (5, 23));
    assert_eq!(cursor(stage.keys("\n:co")), (4, 23));
    stage.keys("\x1b\x1b").select("rpi4-1");
    stage.keys("x");
    let (x, y) = cursor(stage.keys("\x151h"));
    let screen = stage.screen();
    let line: Vec<char> = screen.lines().nth(usize::from(y)).unwrap().chars().collect();
    assert_eq!(line[usize::from(x) - 1..][..2].iter().collect::<String>(), "1h");
}

#[test]
fn row_29_saved_settings_are_taken_over_and_bad_ones_are_told_and_left() {
    let mut stage = Stage::on_ours(80, 24);
    stage.done();
    with_settings(&mut stage, "[keys.boards]\npower = 'F5'\nconsole = []\n");
    assert!(status(&stage).contains("F5 power") && !status(&stage).contains("console"));
    stage.press(KeyCode::F(5), KeyModifiers::NONE);
    assert!(matches!(stage.model.dialog, Some(Dialog::Choice(_))));
    stage.keys("\x1b");
    with_settings(&mut stage, "[keys.boards]\npower = 'Entre'\n");
    let text = "labtui.toml is not taken over: line 2, column 9: there is no key 'Entre'; \
                did you mean 'Enter'?";
    assert_eq!(stage.last_notice(), text);
    let key = Key::Named(KeyCode::F(5));
    let keys = &stage.model.settings.keys;
    assert_eq!(keys.action(Context::Table, key), Some(Action::Power), "what was, stays");
}

#[test]
fn row_30_an_empty_table_says_why_and_what_to_do() {
    let mut stage = Stage::new(100, 24);
    assert!(stage.screen().contains("Connecting to unix:/run/labd/labd.sock"));
    let why = Error::Unreachable { address: "x".to_owned(), why: "refused".to_owned() };
    stage.news(FeedId::Boards, News::Down { why, attempt: 1, pause: Span(250) });
    assert!(stage.screen().contains("Start labd there, or give another --lab"));
    stage.news(FeedId::Boards, News::Up(Welcome::default()));
    stage.news(FeedId::Boards, News::Boards(Vec::new()));
    assert!(stage.screen().contains("no boards that you may see"), "{}", stage.screen());
    stage.news(FeedId::Boards, News::Boards(boards()));
    stage.keys("/nosuch\n");
    assert!(stage.screen().contains("The filter 'nosuch' hides 8 boards. Esc takes it away."));
}

#[test]
fn row_31_the_log_has_no_letter_that_was_typed_or_copied() {
    for secret in [
        Effect::Type(b"hunter2".to_vec()),
        Effect::TypeOn { feed: 1, bytes: b"hunter2".to_vec() },
        Effect::Copy("hunter2".to_owned()),
        Effect::Remember("hunter2".to_owned()),
    ] {
        assert!(!secret.summary().contains("hunter2"), "{}", secret.summary());
    }
}

#[test]
fn the_books_table_has_every_row_and_names_tests_that_there_are() {
    let page = include_str!("../../../contrib/book/labtui.md");
    for row in 1..=31 {
        assert!(page.contains(&format!("\n| {row} | ")), "row {row}");
    }
    let files = [
        include_str!("rows.rs"),
        include_str!("stories.rs"),
        include_str!("screens.rs"),
        include_str!("keys.rs"),
        include_str!("updates.rs"),
        include_str!("grid.rs"),
        include_str!("pty.rs"),
        include_str!("past.rs"),
        include_str!("others.rs"),
    ];
    let (_, table) = page.split_once("## Conventions").unwrap();
    let named = table.split(|c: char| !(c.is_ascii_alphanumeric() || "_…".contains(c)));
    let mut count = 0;
    for start in named.filter_map(|word| word.strip_suffix('…')).filter(|word| word.contains('_'))
    {
        assert!(files.iter().any(|file| file.contains(&format!("fn {start}"))), "{start}");
        count += 1;
    }
    assert!(count > 40, "{count}");
}

#[test]
fn the_books_settings_are_the_usual_ones() {
    let page = include_str!("../../../contrib/book/labtui.md");
    let (_, rest) = page.split_once("```toml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let mut usual = Settings::default();
    let power = ["p", "F5"].map(|key| key.parse().unwrap());
    usual.keys.bind(Group::Boards, "power", power.to_vec());
    usual.theme.name = Some("auto");
    usual.keys.set_escape(Escape::preset("tio").unwrap());
    assert_eq!(Settings::read(example), Ok(usual));
}
