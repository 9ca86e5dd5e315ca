//! A lab small enough to be seen through: what was promised to whom.
//!
//! It knows the deeds and nothing of the book, but for one thing: the number of each new hold and
//! place is the book's to choose, and is handed in.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use protocol::board::{BoardName, State};
use protocol::hold::{Ask, Ended, Hold, IfTaken, Obstacle, Want};
use protocol::user::UserName;
use protocol::{Error, Span, Time};

use crate::rules::hold::{Done, Terms};

pub(super) struct Promises {
    pub(super) now: Time,
    pub(super) warning: Span,
    pub(super) boards: BTreeMap<BoardName, Bench>,
    /// In the order in which they came.
    pub(super) wishes: Vec<Wish>,
    /// The hold or place of each client that keeps one.
    pub(super) kept: Vec<u64>,
    /// Boards have changed since the last tick.
    pub(super) changed: bool,
    /// When each was last served from the queue; counted like [`Wish::came`].
    served: BTreeMap<UserName, u64>,
    count: u64,
    /// The numbers of what is new in the book's answer.
    pub(super) numbers: VecDeque<u64>,
}

pub(super) struct Bench {
    pub(super) terms: Terms,
    pub(super) state: State,
    /// Whose it is, will be, or was.
    pub(super) hold: Option<Hold>,
    pub(super) last: Option<(u64, Option<u64>, Ended)>,
    pub(super) faulty: bool,
    warned: bool,
    lonely_since: Time,
    free_since: Time,
}

#[derive(Clone)]
pub(super) struct Wish {
    pub(super) number: u64,
    pub(super) who: UserName,
    pub(super) ask: Ask,
    pub(super) since: Time,
    came: u64,
    lonely_since: Time,
}

type Answer = Result<Vec<Done>, Error>;

impl Bench {
    pub(super) fn living(&self) -> Option<&Hold> {
        self.hold.as_ref().filter(|_| self.state != State::Releasing)
    }

    fn warns_at(&self, hold: &Hold, warning: Span) -> u64 {
        hold.until.0 - warning.0.min(hold.until.0.saturating_sub(hold.since.0) / 4)
    }
}

impl Promises {
    pub(super) fn new(now: Time, warning: Span) -> Promises {
        Promises {
            now,
            warning,
            boards: BTreeMap::new(),
            wishes: Vec::new(),
            kept: Vec::new(),
            changed: false,
            served: BTreeMap::new(),
            count: 0,
            numbers: VecDeque::new(),
        }
    }

    pub(super) fn put(&mut self, board: BoardName, terms: Terms) {
        let bench = Bench {
            terms: terms.clone(),
            state: State::Free,
            hold: None,
            last: None,
            faulty: false,
            warned: false,
            lonely_since: Time(0),
            free_since: Time(0),
        };
        self.boards.entry(board).or_insert(bench).terms = terms;
        self.changed = true;
    }

    pub(super) fn meets(&self, board: &BoardName, want: &Want) -> bool {
        let Terms { class, tags, .. } = &self.boards[board].terms;
        match want {
            Want::Board { name } => name == board,
            Want::Class { name } => name == class,
            Want::Tags { expr } => {
                let text = expr.to_string();
                let (tag, should) =
                    text.strip_prefix("not ").map_or((&*text, true), |t| (t, false));
                (class == tag || tags.iter().any(|has| has == tag)) == should
            }
            Want::Among { want, boards } => {
                self.meets(board, want) && boards.iter().any(|other| other == board)
            }
        }
    }

    pub(super) fn would_do(&self, want: &Want) -> Vec<BoardName> {
        self.boards.keys().filter(|board| self.meets(board, want)).cloned().collect()
    }

    /// Round after round, each person once: who came first, or was served longest ago.
    pub(super) fn order(&self) -> Vec<Wish> {
        let mut theirs: BTreeMap<&UserName, VecDeque<&Wish>> = BTreeMap::new();
        for wish in &self.wishes {
            theirs.entry(&wish.who).or_default().push_back(wish);
        }
        let turn = |who: &UserName, wishes: &VecDeque<&Wish>| {
            self.served.get(who).copied().unwrap_or(0).max(wishes[0].came)
        };
        let mut persons: Vec<_> =
            theirs.into_iter().map(|(who, wishes)| (turn(who, &wishes), wishes)).collect();
        persons.sort_by_key(|(turn, _)| *turn);
        let mut order = Vec::new();
        while order.len() < self.wishes.len() {
            for (_, wishes) in &mut persons {
                order.extend(wishes.pop_front().cloned());
            }
        }
        order
    }

    pub(super) fn obstacles(&self, want: &Want) -> Vec<Obstacle> {
        let holds =
            self.would_do(want).into_iter().filter_map(|board| self.boards[&board].hold.clone());
        holds.map(|Hold { board, who, until, .. }| Obstacle { board, who, until }).collect()
    }

    fn is_kept(&self, number: u64, place: Option<u64>) -> bool {
        self.kept.iter().any(|kept| *kept == number || Some(*kept) == place)
    }

    /// When what is kept under these numbers is given up.
    fn given_up(
        &self,
        number: u64,
        place: Option<u64>,
        grace: Option<Span>,
        since: Time,
    ) -> Option<u64> {
        grace.filter(|_| !self.is_kept(number, place)).map(|grace| since.0 + grace.0)
    }

    /// When a hold ends because nobody keeps it. Only what somebody has been given can be kept.
    fn abandoned(&self, bench: &Bench) -> Option<u64> {
        let hold = bench.hold.as_ref().filter(|_| bench.state == State::Held)?;
        self.given_up(hold.number, hold.place, hold.grace, bench.lonely_since)
    }

    pub(super) fn next_due(&self) -> Option<Time> {
        let of_bench = |bench: &Bench| {
            let hold = bench.living()?;
            let warns = bench.warns_at(hold, self.warning);
            let due = if bench.warned { hold.until.0 } else { warns };
            Some(due.min(self.abandoned(bench).unwrap_or(u64::MAX)))
        };
        let of_wish =
            |wish: &Wish| self.given_up(wish.number, None, wish.ask.grace, wish.lonely_since);
        let holds = self.boards.values().filter_map(of_bench);
        let due = holds.chain(self.wishes.iter().filter_map(of_wish)).min().map(Time);
        if self.changed { Some(Time(0)) } else { due }
    }

    fn count(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    fn number(&mut self) -> u64 {
        self.numbers.pop_front().unwrap_or(0)
    }

    fn bench(&mut self, board: &BoardName) -> &mut Bench {
        self.boards.get_mut(board).expect("a board")
    }

    fn held_by(hold: &Hold) -> Error {
        Error::HeldBy { board: hold.board.clone(), who: hold.who.clone(), until: hold.until }
    }

    /// Refuses whoever is not the holder.
    fn owned(&self, board: &BoardName, who: &UserName) -> Result<Hold, Error> {
        match self.boards[board].living() {
            None => Err(Error::NotHeld { board: board.clone() }),
            Some(hold) if hold.who != *who => Err(Promises::held_by(hold)),
            Some(hold) => Ok(hold.clone()),
        }
    }

    pub(super) fn fence(&self, board: &BoardName, number: u64) -> Result<(), Error> {
        let bench = &self.boards[board];
        if bench.living().is_some_and(|hold| hold.number == number) {
            return Ok(());
        }
        let how = match &bench.last {
            Some((last, _, how)) if *last == number => how.to_string(),
            _ => "it is not the board's newest".to_owned(),
        };
        Err(Error::HoldOver { board: board.clone(), number, how })
    }

    fn grant(&mut self, board: &BoardName, who: &UserName, ask: &Ask, place: Option<u64>) -> Done {
        let (now, number) = (self.now, self.number());
        let bench = self.bench(board);
        let span = ask.span.unwrap_or(bench.terms.default_hold).min(bench.terms.longest_hold);
        let hold = Hold {
            number,
            board: board.clone(),
            who: who.clone(),
            since: now,
            until: now + span,
            grace: ask.grace,
            note: ask.note.clone(),
            place,
        };
        bench.state = if bench.terms.prepares { State::Preparing } else { State::Held };
        bench.hold = Some(hold.clone());
        (bench.warned, bench.lonely_since) = (false, now);
        Done::Reserved { hold, place: None }
    }

    fn serve(&mut self, board: &BoardName) -> Option<Done> {
        let wish = self.order().into_iter().find(|wish| self.meets(board, &wish.ask.want))?;
        self.wishes.retain(|other| other.number != wish.number);
        let count = self.count();
        self.served.insert(wish.who.clone(), count);
        Some(self.grant(board, &wish.who, &wish.ask, Some(wish.number)))
    }

    fn free(&mut self, board: &BoardName) -> Done {
        let now = self.now;
        let bench = self.bench(board);
        (bench.state, bench.hold, bench.free_since) = (State::Free, None, now);
        self.serve(board).unwrap_or(Done::Freed { board: board.clone() })
    }

    fn end(&mut self, board: &BoardName, how: Ended) -> Vec<Done> {
        let now = self.now;
        let bench = self.bench(board);
        let hold = bench.hold.clone().expect("a hold");
        bench.last = Some((hold.number, hold.place, how.clone()));
        bench.state = State::Releasing;
        bench.hold = Some(Hold { until: hold.until.min(now), ..hold.clone() });
        let mut done = vec![Done::Ended { hold, how }];
        if !self.boards[board].terms.cleans {
            done.push(self.free(board));
        }
        done
    }

    pub(super) fn reserve(&mut self, who: &UserName, ask: &Ask) -> Answer {
        let would_do = self.would_do(&ask.want);
        let benches = || would_do.iter().map(|board| (board, &self.boards[board]));
        if would_do.is_empty() {
            let mut want = &ask.want;
            while let Want::Among { want: inner, .. } = want {
                want = inner;
            }
            let (what, name) = match want {
                Want::Board { name } => ("board", name.to_string()),
                Want::Class { name } => ("class with boards", name.clone()),
                Want::Tags { expr } => ("board with", expr.to_string()),
                Want::Among { .. } => unreachable!("it was unpacked"),
            };
            return Err(Error::NoSuch { what: what.to_owned(), name, near: None });
        }
        if let Want::Board { name } = &ask.want
            && self.owned(name, who).is_ok()
        {
            let span = ask.span.unwrap_or(self.boards[name].terms.default_hold);
            return self.extend(name, who, span);
        }
        let free = benches().filter(|(_, bench)| bench.hold.is_none());
        if let Some((board, _)) = free.min_by_key(|(_, bench)| (bench.faulty, bench.free_since)) {
            return Ok(vec![self.grant(&board.clone(), who, ask, None)]);
        }
        if ask.if_taken == IfTaken::Refuse {
            let holds = benches().filter_map(|(_, bench)| bench.hold.clone());
            let first = holds.min_by_key(|hold| hold.until).expect("a hold");
            let Hold { board, who, until, .. } = first.clone();
            return Err(match would_do.len() {
                1 => Promises::held_by(&first),
                count => Error::AllTaken { count: count as u32, board, who, until },
            });
        }
        let (number, came, since) = (self.number(), self.count(), self.now);
        let (who, ask) = (who.clone(), ask.clone());
        let done = Done::Queued { place: number, who: who.clone(), want: ask.want.clone() };
        self.wishes.push(Wish { number, who, ask, since, came, lonely_since: since });
        Ok(vec![done])
    }

    pub(super) fn unqueue(&mut self, who: &UserName, number: u64) -> Answer {
        let theirs = |wish: &Wish| (wish.number, &wish.who) == (number, who);
        let wish = self.wishes.iter().find(|wish| theirs(wish)).cloned();
        self.wishes.retain(|wish| !theirs(wish));
        let want = wish.ok_or_else(|| no_place(number))?.ask.want;
        Ok(vec![Done::Unqueued { place: number, who: who.clone(), want, why: None }])
    }

    pub(super) fn extend(&mut self, board: &BoardName, who: &UserName, span: Span) -> Answer {
        let mut hold = self.owned(board, who)?;
        let rivals = self.wishes.iter().filter(|wish| wish.who != *who);
        let count = rivals.filter(|wish| self.meets(board, &wish.ask.want)).count() as u32;
        let now = self.now;
        let longest = self.boards[board].terms.longest_hold;
        let asked = now + span.min(longest);
        let last = hold.since + longest;
        if asked > hold.until {
            if count > 0 && last <= hold.until {
                return Err(Error::OthersWait { board: board.clone(), count, until: hold.until });
            }
            hold.until = if count > 0 { asked.min(last) } else { asked };
            let bench = self.bench(board);
            (bench.hold, bench.warned) = (Some(hold.clone()), false);
        }
        Ok(vec![Done::Extended { hold }])
    }

    pub(super) fn release(
        &mut self,
        board: &BoardName,
        who: &UserName,
        number: Option<u64>,
    ) -> Answer {
        number.map_or(Ok(()), |number| self.fence(board, number))?;
        self.owned(board, who)?;
        Ok(self.end(board, Ended::Released))
    }

    pub(super) fn break_hold(
        &mut self,
        board: &BoardName,
        number: Option<u64>,
        by: &UserName,
    ) -> Answer {
        number.map_or(Ok(()), |number| self.fence(board, number))?;
        if self.boards[board].living().is_none() {
            return Err(Error::NotHeld { board: board.clone() });
        }
        Ok(self.end(board, Ended::Broken { by: by.clone(), reason: "why".to_owned() }))
    }

    pub(super) fn give(&mut self, board: &BoardName, who: &UserName, to: &UserName) -> Answer {
        let old = self.owned(board, who)?;
        if who == to {
            return Err(Error::Bad { why: format!("{to} holds {board} already") });
        }
        let new = Hold {
            number: self.number(),
            who: to.clone(),
            since: self.now,
            grace: None,
            place: None,
            ..old.clone()
        };
        let how = Ended::Given { to: to.clone() };
        let bench = self.bench(board);
        bench.last = Some((old.number, old.place, how.clone()));
        (bench.hold, bench.warned) = (Some(new.clone()), false);
        bench.state = if bench.terms.prepares { State::Preparing } else { State::Held };
        Ok(vec![Done::Ended { hold: old, how }, Done::Reserved { hold: new, place: None }])
    }

    /// Whether the board is in this state because of this hold.
    fn is_at(&self, board: &BoardName, state: State, number: u64) -> bool {
        let bench = &self.boards[board];
        bench.state == state && bench.hold.as_ref().is_some_and(|hold| hold.number == number)
    }

    pub(super) fn prepared(&mut self, board: &BoardName, number: u64) -> Vec<Done> {
        if !self.is_at(board, State::Preparing, number) {
            return Vec::new();
        }
        let now = self.now;
        let bench = self.bench(board);
        (bench.state, bench.lonely_since) = (State::Held, now);
        bench.hold.clone().into_iter().map(|hold| Done::Prepared { hold }).collect()
    }

    pub(super) fn undo(&mut self, board: &BoardName, number: u64) -> Vec<Done> {
        let is_it = self.is_at(board, State::Preparing, number);
        if is_it { self.end(board, Ended::Undone) } else { Vec::new() }
    }

    pub(super) fn cleaned(&mut self, board: &BoardName, number: u64) -> Vec<Done> {
        let is_it = self.is_at(board, State::Releasing, number);
        if is_it { vec![self.free(board)] } else { Vec::new() }
    }

    pub(super) fn tick(&mut self) -> Vec<Done> {
        let mut done = Vec::new();
        for wish in self.wishes.clone() {
            let given_up = self.given_up(wish.number, None, wish.ask.grace, wish.lonely_since);
            if given_up.is_some_and(|when| when <= self.now.0) {
                self.wishes.retain(|other| other.number != wish.number);
                done.push(Done::Unqueued {
                    place: wish.number,
                    who: wish.who,
                    want: wish.ask.want,
                    why: Some("the client that kept the place went away"),
                });
            }
        }
        for board in self.boards.keys().cloned().collect::<Vec<_>>() {
            let bench = &self.boards[&board];
            let Some(hold) = bench.living().cloned() else { continue };
            let given_up = self.abandoned(bench);
            if hold.until <= self.now {
                done.extend(self.end(&board, Ended::Expired));
            } else if given_up.is_some_and(|when| when <= self.now.0) {
                done.extend(self.end(&board, Ended::Abandoned));
            } else if !bench.warned && bench.warns_at(&hold, self.warning) <= self.now.0 {
                self.bench(&board).warned = true;
                done.push(Done::Ending { hold });
            }
        }
        for wish in self.wishes.clone() {
            let hopeless = !self.boards.keys().any(|board| self.meets(board, &wish.ask.want));
            if self.changed && hopeless {
                self.wishes.retain(|other| other.number != wish.number);
                done.push(Done::Unqueued {
                    place: wish.number,
                    who: wish.who,
                    want: wish.ask.want,
                    why: Some("no board that would do is left for them"),
                });
            }
        }
        for board in self.boards.keys().cloned().collect::<Vec<_>>() {
            if self.changed && self.boards[&board].hold.is_none() {
                done.extend(self.serve(&board));
            }
        }
        self.changed = false;
        done
    }

    pub(super) fn set_faulty(&mut self, board: &BoardName, faulty: bool) {
        self.bench(board).faulty = faulty;
    }

    pub(super) fn placed(
        &self,
        who: &UserName,
        number: u64,
    ) -> Result<Option<(Hold, State)>, Error> {
        if self.wishes.iter().any(|wish| wish.number == number && wish.who == *who) {
            return Ok(None);
        }
        let is_it = |of: u64, place: Option<u64>| of == number || place == Some(number);
        for bench in self.boards.values() {
            if let Some(hold) = bench.living()
                && hold.who == *who
                && is_it(hold.number, hold.place)
            {
                return Ok(Some((hold.clone(), bench.state)));
            }
        }
        for (board, bench) in &self.boards {
            if let Some((last, place, how)) = &bench.last
                && is_it(*last, *place)
            {
                let (board, number, how) = (board.clone(), *last, how.to_string());
                return Err(Error::HoldOver { board, number, how });
            }
        }
        Err(no_place(number))
    }

    fn has(&self, who: &UserName, number: u64) -> bool {
        let holds = self.boards.values().filter_map(Bench::living);
        let mut mine = holds.filter(|hold| hold.who == *who);
        self.wishes.iter().any(|wish| wish.number == number && wish.who == *who)
            || mine.any(|hold| hold.number == number || hold.place == Some(number))
    }

    pub(super) fn keep(&mut self, who: &UserName, number: u64) -> Answer {
        if !self.has(who, number) {
            return Err(no_place(number));
        }
        self.kept.push(number);
        Ok(Vec::new())
    }

    pub(super) fn let_go(&mut self, number: u64) {
        let at = self.kept.iter().position(|kept| *kept == number).expect("a keeper");
        self.kept.swap_remove(at);
        let now = self.now;
        let refers = |of: u64, place: Option<u64>| of == number || place == Some(number);
        for wish in self.wishes.iter_mut().filter(|wish| wish.number == number) {
            wish.lonely_since = now;
        }
        for bench in self.boards.values_mut() {
            if bench.living().is_some_and(|hold| refers(hold.number, hold.place)) {
                bench.lonely_since = now;
            }
        }
    }

    pub(super) fn shift(&mut self, ms: i64) {
        let holds = self.boards.values_mut().flat_map(|bench| {
            let of_hold = bench.hold.iter_mut().flat_map(|hold| [&mut hold.since, &mut hold.until]);
            of_hold.chain([&mut bench.lonely_since, &mut bench.free_since])
        });
        let wishes = self.wishes.iter_mut();
        let wishes = wishes.flat_map(|wish| [&mut wish.since, &mut wish.lonely_since]);
        for time in holds.chain(wishes).chain([&mut self.now]) {
            *time = time.shifted(ms);
        }
    }

    /// Clients have gone; what only concerned the choice among free boards is forgotten.
    pub(super) fn restart(&mut self) {
        self.kept.clear();
        let now = self.now;
        self.wishes.iter_mut().for_each(|wish| wish.lonely_since = now);
        for bench in self.boards.values_mut() {
            (bench.lonely_since, bench.free_since, bench.faulty) = (now, Time(0), false);
        }
        self.changed = true;
    }

    /// How many of those before a place in `order` want any of the boards that it wants.
    pub(super) fn rivals_before(&self, order: &[Wish], at: usize) -> usize {
        let boards =
            |wish: &Wish| self.would_do(&wish.ask.want).into_iter().collect::<BTreeSet<_>>();
        let mine = boards(&order[at]);
        order[..at].iter().filter(|other| !boards(other).is_disjoint(&mine)).count()
    }
}

fn no_place(number: u64) -> Error {
    Error::NoSuch {
        what: "hold or place of yours".to_owned(),
        name: number.to_string(),
        near: None,
    }
}
