//! One of those who use the lab: what they do until it is gone, and what they are told.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::time::Instant;

use anyhow::{Context, Result};
use lab_tests::dice::Dice;
use lab_tests::lab;
use protocol::address::Address;
use protocol::board::BoardName;
use protocol::client::Client;
use protocol::dial::dial_known;
use protocol::hold::{Hold, Placed, Release};
use protocol::power::PowerAsk;
use protocol::user::UserName;
use protocol::wire::Purpose;
use protocol::{Error, Span};
use rustix::process::Uid;
use rustix::thread::set_thread_res_uid;

use super::book::Mark;
use super::{boards, name, promised, uids};

/// A user of the system's, with what they know.
pub(super) struct User {
    uid: u32,
    name: UserName,
    dice: Dice,
    /// What they were told is theirs, and have not asked to end.
    held: BTreeMap<BoardName, Hold>,
    /// The same of a place in the queue.
    place: Option<u64>,
    /// What the journal must have; emptied by who looks there.
    pub(super) marks: Vec<Mark>,
    pub(super) stays: Vec<Stay>,
    /// The numbers of the holds that they asked to end.
    pub(super) given_up: BTreeSet<u64>,
    /// How often they were told that a board's power was cycled.
    pub(super) cycles: BTreeMap<BoardName, u64>,
    pub(super) refused: u64,
}

/// A time in which a user could be certain that a board was theirs: from when they were told, to when
/// they asked to end it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stay {
    pub(super) board: BoardName,
    pub(super) from: Instant,
    pub(super) to: Option<Instant>,
    pub(super) number: u64,
    pub(super) who: UserName,
}

impl User {
    pub(super) fn new(uid: u32, dice: Dice) -> Result<User> {
        Ok(User {
            uid,
            name: name(uid)?,
            dice,
            held: BTreeMap::new(),
            place: None,
            marks: Vec::new(),
            stays: Vec::new(),
            given_up: BTreeSet::new(),
            cycles: BTreeMap::new(),
            refused: 0,
        })
    }

    /// Uses the lab until it is gone. This thread is the user's: others must not go on in it.
    pub(super) fn use_until_gone(mut self, address: &Address) -> Result<User> {
        let uid = Uid::from_raw(self.uid);
        set_thread_res_uid(uid, uid, uid)
            .with_context(|| format!("nobody can be user {uid} here"))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let Err(why) = runtime.block_on(self.use_it(address));
        match why.downcast_ref() {
            Some(Error::Unreachable { .. } | Error::TooOld { .. }) => Ok(self),
            _ => {
                Err(why.context(format!("{} with {:?} and {:?}", self.name, self.held, self.place)))
            }
        }
    }

    async fn use_it(&mut self, address: &Address) -> Result<Infallible> {
        // On a connection that is not made again: what was on the way when it broke is in doubt.
        let (flow, _) = dial_known(address, None, &Purpose::Call).await?;
        let client = Client::over(flow, address.clone());
        self.look(&client).await?;
        loop {
            let board = self.any_held();
            match (self.place, board) {
                (Some(place), None) => self.wait(&client, place).await?,
                (Some(place), _) if self.dice.one_in(3) => self.wait(&client, place).await?,
                (_, Some(board)) if !self.dice.one_in(6) => self.use_board(&client, board).await?,
                _ => self.take(&client).await?,
            }
            match self.dice.below(8) {
                0 => self.look(&client).await?,
                1..5 => self.note(&client).await?,
                _ => {}
            }
        }
    }

    fn any_held(&mut self) -> Option<BoardName> {
        let count = self.held.len().max(1);
        self.held.keys().nth(self.dice.index(count)).cloned()
    }

    fn any_board(&mut self) -> Result<BoardName> {
        let mut boards = boards()?;
        Ok(boards.swap_remove(self.dice.index(boards.len())))
    }

    /// Looks what the lab says is theirs. What they were told is among it.
    async fn look(&mut self, client: &Client) -> Result<()> {
        // In this order: a place that is served meanwhile is a hold by then.
        let mut places = client.queue().await?;
        let mut holds = client.holds().await?;
        places.retain(|place| place.who == self.name);
        holds.retain(|hold| hold.who == self.name);
        for told in self.held.values() {
            let lasts = |hold: &Hold| {
                (hold.number, &hold.board) == (told.number, &told.board) && hold.until >= told.until
            };
            promised(holds.iter().any(lasts), || format!("{told:?} is lost; there are {holds:?}"))?;
        }
        if let Some(place) = self.place {
            let is_there = places.iter().any(|one| one.number == place)
                || holds.iter().any(|hold| hold.place == Some(place));
            promised(is_there, || format!("place {place} of {} is lost", self.name))?;
        }
        self.place = places.first().map(|place| place.number);
        for hold in holds {
            self.has(hold);
        }
        Ok(())
    }

    /// They are told that a board is theirs.
    fn has(&mut self, hold: Hold) {
        let Hold { number, board, .. } = hold.clone();
        if hold.place.is_some() && hold.place == self.place {
            self.place = None;
        }
        let before = self.held.insert(board.clone(), hold);
        if before.is_none_or(|before| before.number != number) {
            let who = self.name.clone();
            self.stays.push(Stay {
                board: board.clone(),
                from: Instant::now(),
                to: None,
                number,
                who,
            });
            self.marks.push(Mark::Reserved { board, number, who: self.name.clone() });
        }
    }

    /// They are about to ask that a hold ends, and can be certain of nothing until they look.
    fn doubt(&mut self, board: &BoardName) -> Option<Hold> {
        let hold = self.held.remove(board)?;
        self.given_up.insert(hold.number);
        let stay = self.stays.iter_mut().rfind(|stay| stay.number == hold.number)?;
        stay.to = Some(Instant::now());
        Some(hold)
    }

    /// Asks for a board of the class, or for one by name.
    async fn take(&mut self, client: &Client) -> Result<()> {
        let mut ask = match self.dice.one_in(3) {
            true => lab::board(self.any_board()?.as_str()),
            false => lab::class("shared"),
        };
        if self.place.is_none() && !self.dice.one_in(3) {
            ask = lab::queued(ask);
        }
        match client.reserve(ask).await {
            Ok(Placed::Held { hold }) => self.has(hold),
            Ok(Placed::Queued { place }) => {
                self.marks.push(Mark::Queued { place: place.number, who: self.name.clone() });
                self.place = Some(place.number);
            }
            Err(Error::HeldBy { .. } | Error::AllTaken { .. } | Error::OthersWait { .. }) => {
                self.refused += 1
            }
            Err(other) => return Err(other.into()),
        }
        Ok(())
    }

    /// Waits a little, or not any more.
    async fn wait(&mut self, client: &Client, place: u64) -> Result<()> {
        if !self.dice.one_in(4) {
            if let Placed::Held { hold } = client.placed(place, Span::millis(20)).await? {
                self.has(hold);
            }
            return Ok(());
        }
        self.place = None;
        match client.unqueue(place).await {
            Ok(()) => self.marks.push(Mark::Unqueued { place }),
            // It was their turn just now.
            Err(Error::NoSuch { .. }) => {
                self.place = Some(place);
                self.look(client).await?;
            }
            Err(other) => return Err(other.into()),
        }
        Ok(())
    }

    /// Notes something on a board's timeline, whoever has it.
    async fn note(&mut self, client: &Client) -> Result<()> {
        let text = format!("{} {}", self.name, self.dice.below(u64::MAX));
        let board = self.any_board()?;
        client.note(board, text.clone()).await?;
        self.marks.push(Mark::Noted { text });
        Ok(())
    }

    /// Does something with a board that is theirs.
    async fn use_board(&mut self, client: &Client, board: BoardName) -> Result<()> {
        match self.dice.below(16) {
            0..6 => self.extend(client, board).await,
            6..9 => self.give(client, board).await,
            9..11 => {
                client.power(board.clone(), PowerAsk::Cycle).await?;
                *self.cycles.entry(board).or_default() += 1;
                Ok(())
            }
            _ => {
                let number = self.doubt(&board).map(|hold| hold.number);
                let hold = client.release(board, Release { number, breaking: None }).await?;
                self.marks.push(Mark::Ended { number: hold.number, who: hold.who });
                Ok(())
            }
        }
    }

    async fn extend(&mut self, client: &Client, board: BoardName) -> Result<()> {
        let before = self.held.get(&board).map(|hold| hold.until);
        match client.extend(board, Span::minutes(61 + self.dice.below(120))).await {
            Ok(hold) => {
                if before < Some(hold.until) {
                    self.marks.push(Mark::Extended { number: hold.number, until: hold.until });
                }
                self.has(hold);
            }
            Err(Error::OthersWait { .. }) => self.refused += 1,
            Err(other) => return Err(other.into()),
        }
        Ok(())
    }

    async fn give(&mut self, client: &Client, board: BoardName) -> Result<()> {
        let others: Vec<u32> = uids().filter(|uid| *uid != self.uid).collect();
        let to = name(others[self.dice.index(others.len())])?;
        let Some(Hold { number, who, .. }) = self.doubt(&board) else { return Ok(()) };
        let given = client.give(board.clone(), to.clone()).await?;
        self.marks.push(Mark::Ended { number, who });
        self.marks.push(Mark::Reserved { board, number: given.number, who: to });
        Ok(())
    }
}
