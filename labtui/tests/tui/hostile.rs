//! Boards that print anything at all: their screen may be a mess, the reader's terminal is not, and
//! nothing answers them.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use labtui::emulator::Emulator;
use labtui::feed::{FeedId, News};
use labtui::update::Effect;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

use crate::sample::Stage;

/// Everything a terminal may be told, and a good deal that none should be.
fn sequences() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = Vec::new();
    let numbers =
        ["", "0", "1", "5", "6", "99999", "1;1", "?1", "?25", "?1049", "?2004", "?2026", ">", "="];
    for last in b'@'..=b'~' {
        for number in
            ["", "6", "?1049", "2147483647;65535", "1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17;18"]
        {
            all.push(format!("\x1b[{number}{}", char::from(last)).into_bytes());
        }
    }
    for number in numbers {
        for last in ["c", "n", "p", "t", "u", "q", "x", "$p", "*y", "S", "T", "h", "l"] {
            all.push(format!("\x1b[{number}{last}").into_bytes());
        }
    }
    for code in [0, 1, 2, 4, 7, 8, 9, 10, 11, 12, 50, 52, 104, 133, 777, 1337] {
        for end in ["\x07", "\x1b\\", "\u{9c}", ""] {
            all.push(format!("\x1b]{code};?{end}").into_bytes());
            all.push(format!("\x1b]{code};c;aGFjaw=={end}").into_bytes());
        }
    }
    for start in ["\x1bP", "\x1b_", "\x1b^", "\x1bX", "\u{90}", "\u{9f}"] {
        all.push(format!("{start}$qm\x1b\\").into_bytes());
        all.push(format!("{start}+q544e\x1b\\").into_bytes());
    }
    for byte in 0..=255_u8 {
        all.push(vec![byte]);
        all.push(vec![0x1b, byte]);
        all.push(vec![0x1b, b'#', byte]);
        all.push(vec![0x1b, b'(', byte]);
    }
    for text in [
        "e\u{301}\u{302}\u{303}",
        "\u{202e}olleh",
        "👨\u{200d}👩\u{200d}👧",
        "☀\u{fe0f}x",
        "a\u{e0041}",
        "\u{feff}",
    ] {
        all.push(text.as_bytes().to_vec());
    }
    all
}

/// A terminal obeys nothing that is drawn, and every cell is as wide as it should be.
fn assert_harmless(emulator: &Emulator, area: Rect, what: &[u8]) {
    let mut buffer = Buffer::empty(Rect::new(0, 0, area.right(), area.bottom()));
    emulator.draw(area, &mut buffer);
    for y in area.rows().map(|row| row.y) {
        let mut x = area.x;
        while x < area.right() {
            let symbol = buffer[Position { x, y }].symbol();
            let plain = symbol.chars().all(labtui::text::is_plain);
            let width = symbol.width() as u16;
            assert!(plain && (width == 1 || width == 2), "{symbol:?} after {what:?}");
            x += width;
        }
        assert_eq!(x, area.right(), "a wide character hangs over the edge after {what:?}");
    }
}

#[test]
fn there_are_more_than_three_hundred_sequences() {
    assert!(sequences().len() > 300, "{}", sequences().len());
}

#[test]
fn no_sequence_reaches_the_readers_terminal() {
    let area = Rect::new(0, 0, 40, 10);
    for sequence in sequences() {
        let mut emulator = Emulator::new(40, 10);
        emulator.print(b"before\tx");
        emulator.print(&sequence);
        emulator.print("after 漢字\r\n".as_bytes());
        assert_harmless(&emulator, area, &sequence);
    }
}

#[test]
fn no_sequence_is_answered() {
    for sequence in sequences() {
        let mut stage = Stage::console(40, 10, "");
        let feed = FeedId::Console(stage.model.console.as_ref().unwrap().feed);
        stage.done();
        stage.news(feed, News::Bytes(sequence.clone()));
        let typed = stage.done().into_iter().filter(|effect| matches!(effect, Effect::Type(_)));
        assert_eq!(typed.count(), 0, "{sequence:?}");
    }
}

#[test]
fn noise_and_changing_sizes_break_nothing() {
    let mut seed = 7_u32;
    let mut chance = move || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed >> 16
    };
    let known = sequences();
    let mut emulator = Emulator::new(80, 24);
    let (mut width, mut height) = (80, 24);
    for _ in 0..4_000 {
        let noise: Vec<u8> = (0..chance() % 60).map(|_| chance() as u8).collect();
        emulator.print(&noise);
        emulator.print(&known[chance() as usize % known.len()]);
        if chance() % 10 == 0 {
            (width, height) = ((chance() % 90) as u16, (chance() % 30) as u16);
            emulator.resize(width, height);
        }
        assert_harmless(&emulator, Rect::new(3, 2, width, height), &noise);
    }
}

#[test]
fn a_screen_that_is_held_back_is_shown_all_the_same() {
    let mut emulator = Emulator::new(20, 2);
    emulator.print(b"\x1b[?2026hstill here");
    assert!(line(&emulator, 0).starts_with("still here"));
}

#[test]
fn a_title_that_never_ends_does_not_swallow_the_console() {
    let mut emulator = Emulator::new(40, 3);
    emulator.print(b"\x1b]0;");
    for _ in 0..40 {
        emulator.print(&[b'a'; 2_000]);
    }
    emulator.print(b"\r\nstill here");
    let screen: String = (0..3).map(|y| line(&emulator, y)).collect();
    assert!(screen.contains("still here"), "{screen}");
}

fn draw(emulator: &Emulator) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, 40, 3));
    emulator.draw(buffer.area, &mut buffer);
    buffer
}

fn line(emulator: &Emulator, y: u16) -> String {
    let buffer = draw(emulator);
    (0..40).map(|x| buffer[(x, y)].symbol().to_owned()).collect()
}

#[test]
fn what_boards_print_looks_as_it_should() {
    let mut emulator = Emulator::new(40, 3);
    emulator.print("a\tb e\u{301} 漢x\r\n".as_bytes());
    assert!(line(&emulator, 0).starts_with("a       b e\u{301} 漢 x"), "{}", line(&emulator, 0));
    emulator.print(b"\x1b(0qqx\x1b(B ok");
    assert!(line(&emulator, 1).starts_with("──│ ok"), "{}", line(&emulator, 1));
}

#[test]
fn colours_and_attributes_are_kept() {
    let style = |sequence: &str| {
        let mut emulator = Emulator::new(40, 3);
        emulator.print(format!("\x1b[{sequence}mx").as_bytes());
        let cell = draw(&emulator)[(0, 0)].clone();
        (cell.fg, cell.bg, cell.modifier)
    };
    let (plain, none) = (Color::Reset, Modifier::empty());
    for (sequence, expected) in [
        ("0", (plain, plain, none)),
        ("31;44", (Color::Red, Color::Blue, none)),
        ("97;100", (Color::White, Color::DarkGray, none)),
        ("38;5;208", (Color::Indexed(208), plain, none)),
        ("48;2;1;2;3", (plain, Color::Rgb(1, 2, 3), none)),
        ("1", (plain, plain, Modifier::BOLD)),
        ("2", (plain, plain, Modifier::DIM)),
        ("3", (plain, plain, Modifier::ITALIC)),
        ("4", (plain, plain, Modifier::UNDERLINED)),
        ("7", (plain, plain, Modifier::REVERSED)),
        ("9", (plain, plain, Modifier::CROSSED_OUT)),
        ("1;4;7", (plain, plain, Modifier::BOLD | Modifier::UNDERLINED | Modifier::REVERSED)),
    ] {
        assert_eq!(style(sequence), expected, "{sequence}");
    }
}

fn typed(before: &str, code: KeyCode, modifiers: KeyModifiers) -> String {
    let mut emulator = Emulator::new(40, 3);
    emulator.print(before.as_bytes());
    String::from_utf8(emulator.key(KeyEvent::new(code, modifiers))).unwrap()
}

#[test]
fn keys_are_what_xterm_sends() {
    const NONE: KeyModifiers = KeyModifiers::NONE;
    const CTRL: KeyModifiers = KeyModifiers::CONTROL;
    const ALT: KeyModifiers = KeyModifiers::ALT;
    const SHIFT: KeyModifiers = KeyModifiers::SHIFT;
    let application = "\x1b[?1h";
    for (before, code, modifiers, expected) in [
        ("", KeyCode::Char('a'), NONE, "a"),
        ("", KeyCode::Char('é'), NONE, "é"),
        ("", KeyCode::Char('c'), CTRL, "\x03"),
        ("", KeyCode::Char('h'), CTRL, "\x08"),
        ("", KeyCode::Char(' '), CTRL, "\0"),
        ("", KeyCode::Char('5'), CTRL, "\x1d"),
        ("", KeyCode::Char('b'), ALT, "\x1bb"),
        ("", KeyCode::Char('x'), CTRL | ALT, "\x1b\x18"),
        ("", KeyCode::Enter, NONE, "\r"),
        ("\x1b[20h", KeyCode::Enter, NONE, "\r\n"),
        ("", KeyCode::Esc, NONE, "\x1b"),
        ("", KeyCode::Tab, NONE, "\t"),
        ("", KeyCode::BackTab, SHIFT, "\x1b[Z"),
        ("", KeyCode::Backspace, NONE, "\x7f"),
        ("", KeyCode::Backspace, ALT, "\x1b\x7f"),
        ("", KeyCode::Up, NONE, "\x1b[A"),
        (application, KeyCode::Up, NONE, "\x1bOA"),
        (application, KeyCode::Left, CTRL, "\x1b[1;5D"),
        ("", KeyCode::Right, SHIFT | ALT, "\x1b[1;4C"),
        ("", KeyCode::Home, NONE, "\x1b[H"),
        (application, KeyCode::End, NONE, "\x1bOF"),
        ("", KeyCode::Insert, NONE, "\x1b[2~"),
        ("", KeyCode::Delete, SHIFT, "\x1b[3;2~"),
        ("", KeyCode::PageUp, NONE, "\x1b[5~"),
        ("", KeyCode::PageDown, CTRL, "\x1b[6;5~"),
        ("", KeyCode::F(1), NONE, "\x1bOP"),
        ("", KeyCode::F(4), SHIFT, "\x1b[1;2S"),
        ("", KeyCode::F(5), NONE, "\x1b[15~"),
        ("", KeyCode::F(12), CTRL, "\x1b[24;5~"),
        ("", KeyCode::F(20), NONE, ""),
    ] {
        assert_eq!(typed(before, code, modifiers), expected, "{code:?} {modifiers:?}");
    }
}

#[test]
fn a_paste_is_bracketed_if_the_board_asked_for_it_and_cannot_leave_its_brackets() {
    let mut emulator = Emulator::new(40, 3);
    assert_eq!(emulator.paste("a\nb\r\nc"), b"a\rb\rc");
    emulator.print(b"\x1b[?2004h");
    assert_eq!(emulator.paste("a\x1b[201~b"), b"\x1b[200~a[201~b\x1b[201~");
}
