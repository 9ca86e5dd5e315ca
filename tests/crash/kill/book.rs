//! What all users were told, against what the lab has and what its journal says.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use protocol::Time;
use protocol::board::BoardName;
use protocol::client::Client;
use protocol::journal::{Entry, Event};
use protocol::power::PowerAsk;
use protocol::user::UserName;

use super::user::{Stay, User};
use super::{Broken, Den, boards, promised};

/// What tells an entry from all others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    Reserved { board: BoardName, number: u64, who: UserName },
    Extended { number: u64, until: Time },
    Ended { number: u64, who: UserName },
    Queued { place: u64, who: UserName },
    Unqueued { place: u64 },
    Noted { text: String },
}

/// A hold: its number, whose it is, and until when.
type Held = (u64, UserName, Time);

/// The journal, read as far as it goes, and what follows from it.
#[derive(Default)]
pub(super) struct Book {
    seen: Vec<Entry>,
    marks: BTreeSet<Mark>,
    held: BTreeMap<BoardName, Held>,
    waiting: BTreeMap<u64, UserName>,
    /// By board, the newest hold there ever was.
    fences: BTreeMap<BoardName, u64>,
    cycles: BTreeMap<BoardName, u64>,
    acks: u64,
}

impl Book {
    /// All that was read.
    pub(super) fn seen(&self) -> &[Entry] {
        &self.seen
    }

    /// How many acknowledgements were compared.
    pub(super) fn acks(&self, users: &[User]) -> u64 {
        self.acks + users.iter().flat_map(|user| user.cycles.values()).sum::<u64>()
    }

    /// Compares what a restarted lab has with what its users were told.
    pub(super) async fn check(
        &mut self,
        den: &Den,
        client: &Client,
        users: &mut [User],
    ) -> Result<()> {
        one_at_a_time(users)?;
        let given_up = users.iter().flat_map(|user| &user.given_up).copied().collect();
        for entry in den.journal(self.seen.len() as u64 + 1).await? {
            self.read(entry, &given_up)?;
        }
        for mark in users.iter_mut().flat_map(|user| user.marks.drain(..)) {
            promised(self.marks.contains(&mark), || format!("{mark:?} is lost"))?;
            self.acks += 1;
        }
        for board in boards()? {
            let told = users.iter().filter_map(|user| user.cycles.get(&board)).sum();
            let done = self.cycles.get(&board).copied().unwrap_or_default();
            promised(done >= told, || format!("{board}: {told} cycles told, {done} written down"))?;
            let offs = den.edges(&board).lines().filter(|edge| *edge == "off").count() as u64;
            promised(offs >= told, || format!("{board}: {told} cycles told, {offs} times off"))?;
        }
        let holds = client.holds().await?.into_iter();
        let held = holds.map(|hold| (hold.board, (hold.number, hold.who, hold.until))).collect();
        promised(self.held == held, || format!("it has {held:?}, its journal {:?}", self.held))?;
        let places = client.queue().await?.into_iter();
        let waiting = places.map(|place| (place.number, place.who)).collect();
        promised(self.waiting == waiting, || {
            format!("{waiting:?} wait, its journal has {:?}", self.waiting)
        })?;
        Ok(())
    }

    /// Goes on by one entry. No hold begins while another lasts, and none ends that was not given up.
    fn read(&mut self, entry: Entry, given_up: &BTreeSet<u64>) -> Result<(), Broken> {
        let next = self.seen.len() as u64 + 1;
        promised(entry.seq == next, || format!("entry {next} is missing: {entry:?}"))?;
        let odd = || format!("{entry:?} after {:?} and {:?}", self.held, self.waiting);
        match (&entry.event, entry.board.clone(), entry.who.clone()) {
            (Event::Reserved { number, until, waited_since, .. }, Some(board), Some(who)) => {
                let newest = self.fences.insert(board.clone(), *number);
                promised(newest < Some(*number), odd)?;
                promised(!self.held.contains_key(&board), || format!("held twice: {}", odd()))?;
                let place = self.waiting.iter().find(|(_, waits)| **waits == who);
                if let Some(place) =
                    place.map(|(place, _)| *place).filter(|_| waited_since.is_some())
                {
                    self.waiting.remove(&place);
                }
                self.held.insert(board.clone(), (*number, who.clone(), *until));
                self.marks.insert(Mark::Reserved { board, number: *number, who });
            }
            (Event::Extended { number, until }, Some(board), _) => {
                let held = self.held.get_mut(&board).filter(|held| held.0 == *number);
                promised(held.is_some(), || format!("{entry:?} of no hold"))?;
                held.into_iter().for_each(|held| held.2 = *until);
                self.marks.insert(Mark::Extended { number: *number, until: *until });
            }
            (Event::Ended { number, holder, .. }, Some(board), _) => {
                let held = self.held.get(&board).map(|(number, who, _)| (number, who));
                promised(held == Some((number, holder)), odd)?;
                promised(given_up.contains(number), || format!("nobody asked for it: {}", odd()))?;
                self.held.remove(&board);
                self.marks.insert(Mark::Ended { number: *number, who: holder.clone() });
            }
            (Event::Queued { place, .. }, _, Some(who)) => {
                self.waiting.insert(*place, who.clone());
                self.marks.insert(Mark::Queued { place: *place, who });
            }
            (Event::Unqueued { place, .. }, ..) => {
                promised(self.waiting.contains_key(place), odd)?;
                self.waiting.remove(place);
                self.marks.insert(Mark::Unqueued { place: *place });
            }
            (Event::Noted { text }, ..) => {
                self.marks.insert(Mark::Noted { text: text.clone() });
            }
            (Event::PowerDone { ask: PowerAsk::Cycle }, Some(board), _) => {
                *self.cycles.entry(board).or_default() += 1;
            }
            _ => {}
        }
        self.seen.push(entry);
        Ok(())
    }
}

/// At no time could two be certain that the same board was theirs.
fn one_at_a_time(users: &[User]) -> Result<(), Broken> {
    let mut stays: Vec<&Stay> = users.iter().flat_map(|user| &user.stays).collect();
    stays.sort();
    for two in stays.windows(2) {
        let (one, next) = (two[0], two[1]);
        let is_over = one.board != next.board || one.to.is_some_and(|to| to <= next.from);
        promised(is_over, || format!("two were told that they hold it: {one:?}, {next:?}"))?;
    }
    Ok(())
}
