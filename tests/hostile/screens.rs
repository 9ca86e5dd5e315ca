//! A screen that is painted again: it is as it was, and has become no more than a screen.

use lab_tests::hostile::{Screen, Sequence, corpus};
use protocol::screen::{Painter, SIZE};
use protocol::text::Sanitiser;

#[test]
fn a_screen_after_any_sequence_is_painted_again_and_goes_on() {
    for Sequence { name, bytes } in corpus() {
        let (mut one, mut other) = (Painter::new(SIZE), Painter::new(SIZE));
        one.print(&[b"before ", bytes.as_slice()].concat());
        other.print(&one.paint());
        let held = bytes.len() - one.terminal().held().min(bytes.len());
        for (painter, rest) in [(&mut one, &b""[..]), (&mut other, &bytes[held..])] {
            painter.print(rest);
            // Whatever letters look like by then, they are letters again.
            painter.print(b"\x18\x0f\x1b(Bafter\r\nnext");
        }
        assert_eq!(one.terminal().lines(), other.terminal().lines(), "{name}");
        let text = one.terminal().lines().concat();
        assert!(text.contains("next"), "{name}: {text:?}");
    }
}

#[test]
fn what_paints_a_screen_does_nothing_else_to_a_terminal() {
    for Sequence { name, bytes } in corpus() {
        let (mut painter, mut screen) = (Painter::new(SIZE), Screen::default());
        let before = screen.modes();
        painter.print(&bytes);
        let mut safe = Vec::new();
        Sanitiser::default().feed(&painter.paint(), &mut safe);
        screen.show(&safe);
        assert_eq!(screen.modes(), before, "{name}");
        assert_eq!(format!("{:?}", screen.said()), "[]", "{name}");
    }
}
