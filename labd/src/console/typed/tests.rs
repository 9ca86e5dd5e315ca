//! What is typed at a board that takes its time.
//!
//! Planted, and caught: time counts from when it was typed; what the board has not taken is due; the next span's
//! echo is looked for within the last one's.

use super::*;

fn ada() -> By {
    By { who: "ada".parse().ok(), ..By::default() }
}

fn spans(events: Vec<(By, Event)>) -> Vec<(Option<String>, u64)> {
    let span = |(_, event)| match event {
        Event::Typed { text, bytes } => (text, bytes),
        other => panic!("{other:?}"),
    };
    events.into_iter().map(span).collect()
}

/// A board at a prompt that takes and echoes a few bytes at a time.
fn echo(typed: &mut Typed, text: &str, now: &mut Instant) -> Vec<(Option<String>, u64)> {
    let mut done = Vec::new();
    for piece in text.as_bytes().chunks(16) {
        *now += ECHO / 2;
        typed.wrote(piece.len(), *now);
        done.extend(spans(typed.settle(*now)));
        let echo = String::from_utf8_lossy(piece).replace('\r', "\r\n# ");
        done.extend(spans(typed.printed(echo.as_bytes())));
    }
    done
}

#[test]
fn a_paste_is_written_down_whole_however_long_the_board_takes() {
    let (mut typed, mut now) = (Typed::default(), Instant::now());
    typed.printed(b"# ");
    let paste: String = (0..100).map(|n| format!("echo this is line {n}\r")).collect();
    assert!(paste.len() < LONGEST);
    typed.type_in(&ada(), paste.as_bytes(), now);
    let done = echo(&mut typed, &paste, &mut now);
    assert_eq!(done, [(Some(paste.replace('\r', "\\r")), paste.len() as u64)]);
}

#[test]
fn a_longer_one_is_written_down_in_pieces_that_end_with_a_line() {
    let (mut typed, mut now) = (Typed::default(), Instant::now());
    typed.printed(b"# ");
    let paste: String = (0..900).map(|n| format!("echo this is line {n}\r")).collect();
    typed.type_in(&ada(), paste.as_bytes(), now);
    let done = echo(&mut typed, &paste, &mut now);
    assert!(done.len() > 4, "{done:?}");
    let whole: String = done.iter().map(|(text, _)| text.clone().unwrap()).collect();
    assert_eq!(whole, paste.replace('\r', "\\r"));
    assert!(done.iter().all(|(text, _)| text.as_ref().unwrap().ends_with("\\r")));
}

#[test]
fn what_is_not_echoed_is_due_when_the_board_has_had_its_time() {
    let (mut typed, now) = (Typed::default(), Instant::now());
    typed.type_in(&ada(), b"hunter2\r", now);
    assert_eq!(spans(typed.settle(now + IDLE * 2)), [], "the board has not taken it");
    typed.wrote(8, now + IDLE * 2);
    assert_eq!(spans(typed.printed(b"\r\nhunter2\r\n")), []);
    assert_eq!(spans(typed.settle(now + IDLE * 2)), []);
    assert_eq!(spans(typed.settle(now + IDLE * 2 + ECHO)), [(None, 8)]);
}

#[test]
fn what_the_board_never_took_is_not_written_down() {
    let (mut typed, now) = (Typed::default(), Instant::now());
    typed.type_in(&ada(), b"ls\rreboot\r", now);
    typed.wrote(3, now);
    typed.give_up();
    assert_eq!(spans(typed.printed(b"ls\r\n")), [(Some("ls\\r".to_owned()), 3)]);
    typed.type_in(&ada(), b"id\r", now);
    typed.give_up();
    assert_eq!(spans(typed.settle(now + ECHO)), []);
}
