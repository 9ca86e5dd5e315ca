//! The order of those who wait against people who take turns.
//!
//! Planted, and caught by `people_take_turns`: turns are ignored. Caught by
//! `a_forecast_has_one_on_each_board`: a board is free as soon as it is taken; who was served keeps
//! their turn.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn names(names: &[&str]) -> Vec<UserName> {
    names.iter().map(|name| name.parse().expect("a name")).collect()
}

fn line(who: &[UserName]) -> impl Iterator<Item = (&UserName, u64)> {
    who.iter().zip(1..)
}

fn any_line() -> impl Strategy<Value = Vec<UserName>> {
    vec(select(names(&["ada", "bob", "cy", "dee"])), 0..20)
}

#[test]
fn everybodys_first_ask_comes_before_anybodys_second() {
    let who = names(&["ci", "ci", "ci", "ada", "bob", "ada"]);
    assert_eq!(order(line(&who)), [0, 3, 4, 1, 5, 2]);
}

#[test]
fn who_was_served_goes_to_the_end_of_the_line() {
    let who = names(&["ci", "bob"]);
    assert_eq!(order([(&who[0], 7), (&who[1], 2)].into_iter()), [1, 0]);
}

proptest! {
    /// Everybody is served once, and each person's asks in the order in which they came.
    #[test]
    fn everybody_is_served_once(who in any_line()) {
        let order = order(line(&who));
        prop_assert_eq!(order.iter().copied().collect::<BTreeSet<_>>(), (0..who.len()).collect());
        prop_assert_eq!(order.len(), who.len());
        for (at, index) in order.iter().enumerate() {
            prop_assert!(order[..at].iter().all(|one| who[*one] != who[*index] || one < index));
        }
    }

    /// People stand in a ring, and each is served once in a round: whether one asks who is next
    /// after each, as the lab does, or for the whole order at once.
    #[test]
    fn people_take_turns(who in any_line()) {
        let mut ring: VecDeque<(&UserName, VecDeque<usize>)> = VecDeque::new();
        for (index, who) in who.iter().enumerate() {
            match ring.iter_mut().find(|(other, _)| *other == who) {
                Some((_, asks)) => asks.push_back(index),
                None => ring.push_back((who, VecDeque::from([index]))),
            }
        }
        let mut turns = Vec::new();
        while let Some((who, mut asks)) = ring.pop_front() {
            if let Some(ask) = asks.pop_front() {
                turns.push(ask);
                ring.push_back((who, asks));
            }
        }
        prop_assert_eq!(&order(line(&who)), &turns);

        let mut waiting: Vec<_> = line(&who).enumerate().collect();
        let mut served = Vec::new();
        while !waiting.is_empty() {
            let next = order(waiting.iter().map(|(_, ask)| *ask))[0];
            let (index, (who, _)) = waiting.remove(next);
            served.push(index);
            for (_, other) in waiting.iter_mut().filter(|(_, other)| other.0 == who) {
                other.1 = 100 + served.len() as u64;
            }
        }
        prop_assert_eq!(served, turns);
    }

    /// With boards that all will do, whoever is before somebody is not served after them, and no
    /// board has two at once.
    #[test]
    fn a_forecast_has_one_on_each_board(who in any_line(), boards in 1_usize..4, span in 1_u64..9) {
        let free = (0..boards).map(|board| (Time(10 * board as u64), board)).collect();
        let when = forecast(line(&who), free, |_, _| Some(Span(span)));
        let times: Vec<Time> = order(line(&who)).into_iter().filter_map(|index| when[index]).collect();
        prop_assert_eq!(times.len(), who.len());
        prop_assert!(times.is_sorted());
        let mut starts: BTreeMap<Time, usize> = BTreeMap::new();
        times.iter().for_each(|time| *starts.entry(*time).or_default() += 1);
        for time in &times {
            let held = starts.range(..=time).filter(|(start, _)| **start + Span(span) > *time);
            prop_assert!(held.map(|(_, count)| count).sum::<usize>() <= boards);
        }
    }
}
