//! Planted, and caught: a browser may come back twice; what a login has come to is told twice; a code may be
//! typed as often as one likes; a login lasts for ever; one source has all the room.

use super::*;

const NOW: Time = Time(1_000);

fn source(last: u8) -> Source {
    Source::from(std::net::IpAddr::from([192, 0, 2, last]))
}

fn ada() -> Person {
    let identity = "https://id.example.org#1".parse().expect("an identity");
    Person { identity, called: "ada".to_owned(), admitted: None }
}

/// One that is away, and what its browser is to bring back.
fn away(attempts: &mut Attempts) -> (u64, String) {
    let number = attempts.begin("corp", source(1), NOW).expect("there is room");
    let challenge = Challenge::new().expect("chance");
    let state = challenge.state().to_owned();
    attempts.sent(number, "handle", "BCDF-GHJK", Stage::Away(challenge));
    (number, state)
}

fn unconfirmed(attempts: &mut Attempts) {
    let (number, _) = away(attempts);
    let ticket = blake3::hash(b"ticket");
    attempts.put(number, Stage::Unconfirmed { ticket, tries: 0, person: ada() });
}

#[test]
fn a_browser_comes_back_once() {
    let mut attempts = Attempts::default();
    let (number, state) = away(&mut attempts);
    assert!(attempts.back("another", NOW).is_none());
    let (back, provider, _) = attempts.back(&state, NOW).expect("it is known");
    assert_eq!((back, provider.as_str()), (number, "corp"));
    assert!(attempts.back(&state, NOW).is_none());
    let (_, look) = attempts.look("handle", NOW).expect("it is known");
    assert!(matches!(look, Look::Wait(_)));
}

#[test]
fn what_it_has_come_to_is_told_once() {
    for stage in [Stage::Known(ada()), Stage::Refused("no".to_owned())] {
        let mut attempts = Attempts::default();
        let (number, _) = away(&mut attempts);
        attempts.put(number, stage);
        assert!(attempts.look("another", NOW).is_none());
        let look = attempts.look("handle", NOW);
        assert!(matches!(look, Some((_, Look::Known(_) | Look::Refused(_)))));
        assert!(attempts.look("handle", NOW).is_none());
    }
}

#[test]
fn a_code_is_typed_wrong_three_times_at_most() {
    let mut attempts = Attempts::default();
    unconfirmed(&mut attempts);
    assert_eq!(attempts.confirm("another", "BCDF-GHJK", NOW), Typed::Nowhere);
    assert_eq!(attempts.confirm("ticket", "", NOW), Typed::Wrong(2));
    assert_eq!(attempts.confirm("ticket", "BCDF-GHJL", NOW), Typed::Wrong(1));
    assert_eq!(attempts.confirm("ticket", "BCDF", NOW), Typed::Wrong(0));
    assert_eq!(attempts.confirm("ticket", "BCDF-GHJK", NOW), Typed::Nowhere);
    assert!(matches!(attempts.look("handle", NOW), Some((_, Look::Refused(_)))));
}

#[test]
fn who_types_the_code_is_known() {
    let mut attempts = Attempts::default();
    unconfirmed(&mut attempts);
    assert!(matches!(attempts.look("handle", NOW), Some((_, Look::Wait(_)))));
    assert_eq!(attempts.confirm("ticket", "BCDF-GHJK", NOW), Typed::Right);
    let look = attempts.look("handle", NOW);
    assert!(matches!(look, Some((_, Look::Known(person))) if person == ada()));
}

#[test]
fn ten_minutes_are_enough() {
    let late = NOW + PATIENCE;
    let mut attempts = Attempts::default();
    let (_, state) = away(&mut attempts);
    assert!(attempts.look("handle", late).is_none());
    assert!(attempts.back(&state, late).is_none());
    let mut attempts = Attempts::default();
    unconfirmed(&mut attempts);
    assert_eq!(attempts.confirm("ticket", "BCDF-GHJK", late), Typed::Nowhere);
}

#[test]
fn so_many_are_under_way_in_all_and_from_one_source() {
    let mut attempts = Attempts::default();
    for _ in 0..MOST.1 {
        attempts.begin("corp", source(1), NOW).expect("there is room");
    }
    assert!(attempts.begin("corp", source(1), NOW).is_err());
    for last in 2..=(MOST.0 / MOST.1) as u8 {
        for _ in 0..MOST.1 {
            attempts.begin("corp", source(last), NOW).expect("there is room");
        }
    }
    // The oldest of all gives way, and then there is room for one more from where it came.
    attempts.begin("corp", source(200), NOW).expect("one gives way");
    assert!(attempts.begin("corp", source(2), NOW).is_err());
    attempts.begin("corp", source(1), NOW).expect("there is room");
    assert_eq!(attempts.all.len(), MOST.0);
}
