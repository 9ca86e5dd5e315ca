use std::collections::HashSet;
use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits { in_hand: 3, outcomes: 4, bytes: 1_000 };

fn key(n: u8) -> Key {
    static IDS: LazyLock<Vec<RequestId>> =
        LazyLock::new(|| (0..12).map(|_| RequestId::new().expect("chance")).collect());
    ("ada".parse().expect("a name"), IDS[usize::from(n)])
}

/// What happens to a request.
#[derive(Debug, Clone)]
enum Deed {
    /// It arrives for the first time, or again.
    Arrives(u8),
    /// It is done.
    Done(u8, usize),
    /// So many seconds pass.
    Passes(u64),
}

fn any_deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => (0..12_u8).prop_map(Deed::Arrives),
        3 => (0..12_u8, 0..600_usize).prop_map(|(n, bytes)| Deed::Done(n, bytes)),
        1 => (0..100_u64).prop_map(Deed::Passes),
    ]
}

proptest! {
    /// However often it is asked, and whatever was forgotten, nothing is done twice; and no more is
    /// remembered than may be.
    #[test]
    fn nothing_is_done_twice(deeds in vec(any_deed(), 0..200)) {
        let mut once = Once::new(LIMITS);
        let (mut now, mut in_hand, mut begun) = (Duration::ZERO, HashSet::new(), HashSet::new());
        let mut first_asked = HashMap::new();
        for deed in deeds {
            match deed {
                Deed::Arrives(n) => {
                    let asked_before = first_asked.get(&n).map(|first| now - *first);
                    first_asked.entry(n).or_insert(now);
                    match once.ask(&key(n), asked_before, n, now) {
                        Ok(None) => {
                            prop_assert!(begun.insert(n), "{n} is done twice");
                            in_hand.insert(n);
                        }
                        Ok(Some(there)) => prop_assert_eq!(*there, n),
                        Err(Refusal::Forgotten) => prop_assert!(asked_before.is_some()),
                        Err(Refusal::Full) => prop_assert_eq!(in_hand.len(), LIMITS.in_hand),
                    }
                    prop_assert!(in_hand.len() <= LIMITS.in_hand);
                }
                Deed::Done(n, bytes) => if in_hand.remove(&n) {
                    once.done(key(n), bytes, now);
                },
                Deed::Passes(seconds) => now += Duration::from_secs(seconds),
            }
            prop_assert!(once.bytes() <= LIMITS.bytes);
            prop_assert!(once.requests.len() <= LIMITS.in_hand + LIMITS.outcomes);
        }
    }
}

#[test]
fn what_never_arrived_is_done_when_it_is_asked_again_and_what_was_forgotten_is_not() {
    let (mut once, second) = (Once::new(LIMITS), Duration::from_secs(1));
    let again = |seconds| Some(second * seconds);
    assert_eq!(once.ask(&key(0), again(3), (), second * 100), Ok(None), "nothing is forgotten yet");
    once.done(key(0), 10, second * 100);
    assert_eq!(once.ask(&key(0), again(20), (), second * 120), Ok(Some(&())));
    // After its time, it may have been any of those that were asked before its end.
    let late = second * 100 + KEPT;
    assert_eq!(once.ask(&key(0), again(200), (), late), Err(Refusal::Forgotten));
    assert_eq!(once.ask(&key(1), again(200), (), late), Err(Refusal::Forgotten));
    assert_eq!(once.ask(&key(1), again(30), (), late), Ok(None));
    assert_eq!(once.bytes(), 0);
}
