//! In which order those who wait are served, and when that may be.
//!
//! Everybody's first ask comes before anybody's second: whoever asks for ten boards does not push
//! aside those who ask for one. Among first asks, who came first is served first; who has been
//! served goes to the end of the line with whatever else they ask for. A person's asks keep their
//! order, and each moves up as the one before it is served, so nobody waits for ever.

use std::collections::{BTreeSet, HashMap};

use protocol::user::UserName;
use protocol::{Span, Time};

#[cfg(test)]
mod tests;

/// The indexes of those who wait, in the order in which they are served, given who they are in the
/// order in which they came, and their turns: something that grows, and is set anew for all that
/// somebody waits for whenever something of theirs is served.
pub fn order<'a>(line: impl Iterator<Item = (&'a UserName, u64)>) -> Vec<usize> {
    rank(line.enumerate())
}

/// When everybody in the line is served, if nobody does anything and nothing takes time but holds.
/// `free` is when each board is free; `takes` is for how long somebody, by their index in the line,
/// would take a board.
pub fn forecast<'a, Board: Copy + Ord>(
    line: impl Iterator<Item = (&'a UserName, u64)>,
    mut free: BTreeSet<(Time, Board)>,
    takes: impl Fn(usize, Board) -> Option<Span>,
) -> Vec<Option<Time>> {
    let line: Vec<_> = line.collect();
    let mut waiting: Vec<_> = line.iter().copied().enumerate().collect();
    let mut order = rank(waiting.iter().copied());
    let mut last = line.iter().map(|(_, turn)| *turn).max().unwrap_or_default();
    let mut served = vec![None; line.len()];
    while let Some((at, board)) = free.pop_first() {
        let take = |(place, index): (usize, &usize)| Some((place, *index, takes(*index, board)?));
        let Some((place, index, span)) = order.iter().enumerate().find_map(take) else { continue };
        served[index] = Some(at);
        free.insert((at + span, board));
        order.remove(place);
        waiting.retain(|(other, _)| *other != index);
        last += 1;
        let mut others =
            waiting.iter_mut().filter(|(_, (who, _))| *who == line[index].0).peekable();
        if others.peek().is_some() {
            others.for_each(|(_, (_, turn))| *turn = last);
            order = rank(waiting.iter().copied());
        }
    }
    served
}

fn rank<'a>(line: impl Iterator<Item = (usize, (&'a UserName, u64))>) -> Vec<usize> {
    // How many asks of theirs so far, and the turn of the first.
    let mut asks: HashMap<&UserName, (usize, u64)> = HashMap::new();
    let mut ranked: Vec<((usize, u64), usize)> = line
        .map(|(index, (who, turn))| {
            let asks = asks.entry(who).and_modify(|(count, _)| *count += 1).or_insert((1, turn));
            (*asks, index)
        })
        .collect();
    ranked.sort_unstable();
    ranked.into_iter().map(|(_, index)| index).collect()
}
