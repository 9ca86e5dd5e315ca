//! The doorstep, against a plain list of who is there and a ledger of penalties.
//!
//! Planted, and caught: a barred source is let in a second too early; penalties do not add up; whoever
//! leaves makes room for another source; an IPv6 site has as many sources as addresses.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn source(last: u8) -> Source {
    IpAddr::from([192, 0, 2, last]).into()
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_source_is_barred_from_the_threshold_on_until_its_penalties_have_worn_off() {
    let mut guard = Guard::default();
    let (bad, good) = (source(1), source(2));
    for _ in 0..2 {
        guard.note(bad, Offence::BadProof, Duration::ZERO);
        let come = guard.come(bad, Duration::ZERO).expect("not barred yet");
        guard.leave(come.ticket);
    }
    guard.note(bad, Offence::BadProof, Duration::ZERO);
    assert_eq!(guard.come(bad, Duration::ZERO), Err(Refusal::Barred(15 * SECOND)));
    assert!(guard.come(good, Duration::ZERO).is_ok());
    // Below the threshold again, and still barred: else whoever waits a moment is back.
    assert_eq!(guard.come(bad, 14 * SECOND), Err(Refusal::Barred(SECOND)));
    assert!(guard.come(bad, 15 * SECOND).is_ok());
}

#[test]
fn penalties_have_a_most() {
    let mut guard = Guard::default();
    for _ in 0..1_000 {
        guard.note(source(1), Offence::TooSlow, Duration::ZERO);
    }
    assert_eq!(guard.come(source(1), Duration::ZERO), Err(Refusal::Barred(MOST)));
    assert!(guard.come(source(1), MOST).is_ok());
}

#[test]
fn a_hundred_thousand_sources_cost_no_more_than_the_table_holds() {
    let mut guard = Guard::default();
    for n in 0..100_000_u32 {
        let source = IpAddr::from((0x0a00_0000 + n).to_be_bytes()).into();
        (0..3).for_each(|_| guard.note(source, Offence::TooSlow, Duration::from_micros(n.into())));
    }
    assert_eq!((guard.penalties.len(), guard.ends.len()), (SOURCES, SOURCES));
    let newest = IpAddr::from((0x0a00_0000 + 99_999_u32).to_be_bytes()).into();
    assert!(guard.come(newest, SECOND).is_err(), "the newest is remembered");
}

#[test]
fn a_site_is_one_source_and_a_mapped_address_is_the_address() {
    let of = |text: &str| Source::from(text.parse::<IpAddr>().expect("an address"));
    assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
    assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
    assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
}

#[test]
fn a_site_has_only_so_many_places_in_all_of_its_networks() {
    let mut guard = Guard::default();
    let of = |text: String| Source::from(text.parse::<IpAddr>().expect("an address"));
    let mut come = |text: String| guard.come(of(text), Duration::ZERO).is_ok();
    let network = |n: &usize| format!("2001:db8:0:{n:x}::1");
    let let_in = (0..1_000).filter(|n| come(network(n))).count();
    assert_eq!(let_in, Limits::default().site);
    assert!(come("2001:db8:1::1".to_owned()), "others have theirs");
}

#[test]
fn when_all_places_are_taken_the_first_of_the_source_with_most_gives_way() {
    let mut guard = Guard::new(Limits { all: 4, source: 3, site: 3 });
    let mut come = |who| guard.come(source(who), Duration::ZERO).expect("room");
    let first = come(1).ticket;
    let second = come(2).ticket;
    let third = come(2).ticket;
    assert_eq!(come(3).gives_way, None);
    assert_eq!(come(4).gives_way, Some(second));
    assert_eq!(come(5).gives_way, Some(first));
    assert_eq!(come(6).gives_way, Some(third));
}

#[derive(Debug, Clone, Copy)]
enum Deed {
    Come(u8),
    Leave(u8),
    Note(u8, Offence),
    Wait(u64),
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let offence = prop_oneof![
        Just(Offence::Silent),
        Just(Offence::Nonsense),
        Just(Offence::BadProof),
        Just(Offence::TooSlow)
    ];
    let deed = prop_oneof![
        4 => (0_u8..3).prop_map(Deed::Come),
        3 => (0_u8..3).prop_map(Deed::Leave),
        2 => (0_u8..3, offence).prop_map(|(who, offence)| Deed::Note(who, offence)),
        1 => (0_u64..12_000).prop_map(Deed::Wait),
    ];
    vec(deed, 0..80)
}

proptest! {
    #[test]
    fn the_guard_does_as_a_list_of_those_present_would(deeds in deeds()) {
        let limits = Limits { all: 4, source: 2, site: 2 };
        let mut guard = Guard::new(limits);
        let (mut here, mut now) = (Vec::<(u8, Ticket)>::new(), Duration::ZERO);
        // Of each source: what it still has to wait, and whether it is barred.
        let mut owed = [(Duration::ZERO, false); 3];
        for deed in deeds {
            match deed {
                Deed::Come(who) => {
                    let (left, is_barred) = owed[usize::from(who)];
                    let of = |who: u8| here.iter().filter(|(other, _)| *other == who).count();
                    let most = (0..3).map(of).max();
                    let first = here.iter().position(|(other, _)| Some(of(*other)) == most);
                    let expected = match () {
                        () if is_barred => Err(Refusal::Barred(left)),
                        () if of(who) == limits.source => Err(Refusal::Crowd),
                        () if here.len() == limits.all => Ok(first),
                        () => Ok(None),
                    };
                    let come = guard.come(source(who), now);
                    let gone = expected.map(|first| first.map(|first| here.remove(first).1));
                    prop_assert_eq!(come.map(|come| come.gives_way), gone);
                    here.extend(come.map(|come| (who, come.ticket)));
                }
                Deed::Leave(who) => {
                    if let Some(at) = here.iter().position(|(other, _)| *other == who) {
                        guard.leave(here.remove(at).1);
                    }
                }
                Deed::Note(who, offence) => {
                    guard.note(source(who), offence, now);
                    let (left, is_barred) = &mut owed[usize::from(who)];
                    *left = (*left + offence.penalty()).min(MOST);
                    *is_barred |= *left >= BARRED;
                }
                Deed::Wait(ms) => {
                    let waited = Duration::from_millis(ms);
                    now += waited;
                    for (left, is_barred) in &mut owed {
                        *left = left.saturating_sub(waited);
                        *is_barred &= !left.is_zero();
                    }
                }
            }
            prop_assert_eq!(guard.doorstep(), here.len());
        }
    }
}
