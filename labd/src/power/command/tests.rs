use super::*;
use crate::power::trial::{self, list, text};

fn read(settings: &[(&str, Node)]) -> Result<Command, Vec<String>> {
    trial::read(Command::read, settings)
}

#[test]
fn a_text_is_split_on_blanks_and_a_list_is_not() {
    let spoken = read(&[("on", text(" pdu.sh  on 3 ")), ("off", text("pdu.sh off 3"))]).unwrap();
    assert_eq!(spoken.to_string(), "command pdu.sh on 3");
    assert_eq!(spoken.controller(), "pdu.sh");
    assert_eq!(spoken.limit, Duration::from_secs(10));
    assert!(!spoken.can_tell());
    let listed = list([text("/opt/a pdu"), text("on"), Node::Int(3)]);
    let listed = read(&[("on", listed), ("off", text("x")), ("controller", text("pdu1"))]).unwrap();
    assert_eq!(listed.on.program, "/opt/a pdu");
    assert_eq!(listed.on.arguments, ["on", "3"]);
    assert_eq!(listed.controller(), "pdu1");
}

/// `on = [pdu.sh, on, 3]` would run `pdu.sh true 3`.
#[test]
fn a_bare_on_in_a_list_is_a_fault() {
    let faults = read(&[("off", text("x")), ("on", list([text("pdu.sh"), Node::Bool(true)]))]);
    assert_eq!(
        faults.unwrap_err(),
        ["conf:2:1: on: a word of a command reads as something else; put it in quotes"]
    );
}

#[test]
fn a_command_without_a_program_is_a_fault() {
    let faults = read(&[("on", text("  ")), ("off", list([])), ("limit", Node::Seconds(0.0))]);
    assert_eq!(
        faults.unwrap_err(),
        [
            "conf:1:1: on: '  ' is not a command: [program, argument, …]",
            "conf:2:1: off: a list is not a command: [program, argument, …]",
            "conf:3:1: limit: no time at all is too little",
        ]
    );
}

#[test]
fn only_the_first_word_tells_how_the_outlet_stands() {
    assert_eq!(on_or_off(b"on\n"), Some(true));
    assert_eq!(on_or_off(b"\n  OFF since Monday\n"), Some(false));
    assert_eq!(on_or_off(b"outlet on\n"), None);
    assert_eq!(on_or_off(b"1"), None);
    assert_eq!(on_or_off(b""), None);
}

#[test]
fn the_last_line_that_says_anything_is_shown_and_nothing_a_terminal_would_obey() {
    assert_eq!(last_line(b"trying\nno such \x1b[31moutlet\r\n\n"), ": no such outlet");
    assert_eq!(last_line(b"\n \n"), "");
    assert!(last_line(&[b'x'; 1000]).len() < 2 * SHOWN);
}
