//! The book against a smaller idea of itself.
//!
//! Bugs that were planted, and what caught each (besides what else did):
//!
//! | bug | caught by |
//! | --- | --- |
//! | somebody else may release, near the end | `the_book_keeps_every_promise` |
//! | a hold ends a millisecond late | `the_book_keeps_every_promise` |
//! | after an undone hold nobody is served | `the_book_keeps_every_promise` |
//! | who came first is served first, whatever their turn | `the_book_keeps_every_promise` |
//! | who was served keeps their turn | `the_book_keeps_every_promise` |
//! | a number is used again after a restart | `a_board_that_was_away_has_no_old_number_again` |
//! | the holder is warned at every tick | `the_book_keeps_every_promise` |
//! | no warning of the new end after an extension, or of a gift | `the_book_keeps_every_promise` |
//! | the longest is ignored, or who waits is, on extension | `the_book_keeps_every_promise` |
//! | a place outlives its client, or gets a board as it is given up | `the_book_keeps_every_promise` |
//! | the grace runs while the board is prepared, or from before it was | `the_book_keeps_every_promise` |
//! | *cleaned* for an old number frees the board | `the_book_keeps_every_promise` |
//! | the clock is set, and places keep their old times | `the_book_keeps_every_promise` |
//! | a new board is not offered to those who wait | `the_book_keeps_every_promise` |
//! | another number than the newest is accepted | `the_book_keeps_every_promise` |
//! | a board that is cleaned counts as held until the old end | `the_book_keeps_every_promise` |
//! | a board that is cleaned is no obstacle | `the_book_keeps_every_promise` |
//! | the forecast forgets who was served meanwhile | `what_is_foretold_comes_true` |
//! | the forecast gives a board to two | `nobody_waits_longer_than_foretold` |

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestCaseError;

use super::*;

mod model;

use model::Promises;

const BOARDS: [&str; 4] = ["a1", "a2", "b1", "b2"];
const START: Time = Time(1_000_000);

/// Something that is done to a book.
#[derive(Debug, Clone)]
enum Deed {
    /// Time goes by. The lab notices, or is late.
    Pass(u64, Noticed),
    Reserve(UserName, Ask),
    Unqueue(UserName, Pick),
    Extend(UserName, BoardName, Span),
    Release(UserName, BoardName, Option<Pick>),
    Break(UserName, BoardName, Option<Pick>),
    Give(UserName, BoardName, UserName),
    Prepared(BoardName, Pick),
    Undo(BoardName, Pick),
    Cleaned(BoardName, Pick),
    Keep(UserName, Pick),
    LetGo(usize),
    Shift(i64),
    Faulty(BoardName, bool),
    Terms(BoardName, Terms),
    Restart,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Noticed {
    Now,
    Later,
}

/// One of the numbers that there have ever been.
#[derive(Debug, Clone, Copy)]
enum Pick {
    /// The one that the board knows.
    Present,
    /// So many before the newest.
    Back(usize),
}

/// A book, what was promised, and what the lab would have on disk.
struct Run {
    book: Book,
    model: Promises,
    boards: BTreeMap<BoardName, String>,
    places: BTreeMap<u64, String>,
    /// Every number there has been, as they came.
    numbers: Vec<u64>,
    /// The numbers that may never come again.
    used: BTreeSet<u64>,
    wakes: u32,
}

fn board(name: &str) -> BoardName {
    name.parse().expect("a name")
}

fn user(name: &str) -> UserName {
    name.parse().expect("a name")
}

fn any_board() -> impl Strategy<Value = BoardName> {
    select(&BOARDS[..]).prop_map(board)
}

fn any_user() -> impl Strategy<Value = UserName> {
    select(vec!["ada", "bob", "cy"]).prop_map(user)
}

fn any_pick() -> impl Strategy<Value = Pick> {
    prop_oneof![2 => Just(Pick::Present), 3 => (0_usize..8).prop_map(Pick::Back)]
}

fn any_ask() -> impl Strategy<Value = Ask> {
    let tags = |text: &str| Want::Tags { expr: text.parse().expect("tags") };
    let want = prop_oneof![
        4 => any_board().prop_map(|name| Want::Board { name }),
        2 => select(vec!["a", "b", "z"]).prop_map(|name| Want::Class { name: name.to_owned() }),
        1 => vec(any_board(), 1..3).prop_map(|boards| {
            let want = Box::new(Want::Class { name: "a".to_owned() });
            Want::Among { want, boards }
        }),
        2 => select(vec!["fast", "not fast", "not b"]).prop_map(tags),
    ];
    let if_taken = prop_oneof![1 => Just(IfTaken::Refuse), 4 => Just(IfTaken::Queue)];
    let grace = prop_oneof![2 => Just(None), 1 => (0_u64..40).prop_map(|ms| Some(Span(ms)))];
    (want, option::of((1_u64..150).prop_map(Span)), if_taken, grace).prop_map(
        |(want, span, if_taken, grace)| Ask {
            want,
            span,
            if_taken,
            grace,
            note: None,
            ssh_key: None,
        },
    )
}

fn any_terms(chores: BoxedStrategy<(bool, bool)>) -> impl Strategy<Value = Terms> {
    let tags = select(vec![vec![], vec!["fast".to_owned()]]);
    let class = select(vec!["a", "b"]);
    (class, tags, 1_u64..60, 40_u64..120, chores).prop_map(
        |(class, tags, default, longest, (prepares, cleans))| Terms {
            class: class.to_owned(),
            tags,
            default_hold: Span(default),
            longest_hold: Span(longest),
            prepares,
            cleans,
        },
    )
}

fn any_deed(chores: BoxedStrategy<(bool, bool)>) -> impl Strategy<Value = Deed> {
    let noticed = prop_oneof![3 => Just(Noticed::Now), 1 => Just(Noticed::Later)];
    let shift = -500_i64..500;
    prop_oneof![
        8 => (0_u64..30, noticed).prop_map(|(ms, noticed)| Deed::Pass(ms, noticed)),
        12 => (any_user(), any_ask()).prop_map(|(who, ask)| Deed::Reserve(who, ask)),
        2 => (any_user(), any_pick()).prop_map(|(who, pick)| Deed::Unqueue(who, pick)),
        3 => (any_user(), any_board(), 0_u64..150)
            .prop_map(|(who, board, ms)| Deed::Extend(who, board, Span(ms))),
        4 => (any_user(), any_board(), option::of(any_pick()))
            .prop_map(|(who, board, pick)| Deed::Release(who, board, pick)),
        1 => (any_user(), any_board(), option::of(any_pick()))
            .prop_map(|(who, board, pick)| Deed::Break(who, board, pick)),
        2 => (any_user(), any_board(), any_user())
            .prop_map(|(who, board, to)| Deed::Give(who, board, to)),
        4 => (any_board(), any_pick()).prop_map(|(board, pick)| Deed::Prepared(board, pick)),
        1 => (any_board(), any_pick()).prop_map(|(board, pick)| Deed::Undo(board, pick)),
        5 => (any_board(), any_pick()).prop_map(|(board, pick)| Deed::Cleaned(board, pick)),
        3 => (any_user(), any_pick()).prop_map(|(who, pick)| Deed::Keep(who, pick)),
        2 => (0_usize..4).prop_map(Deed::LetGo),
        1 => shift.prop_map(Deed::Shift),
        1 => (any_board(), any::<bool>()).prop_map(|(board, bad)| Deed::Faulty(board, bad)),
        1 => (any_board(), any_terms(chores)).prop_map(|(board, terms)| Deed::Terms(board, terms)),
        1 => Just(Deed::Restart),
    ]
}

fn any_chores() -> BoxedStrategy<(bool, bool)> {
    any::<(bool, bool)>().boxed()
}

/// The terms of all boards, and what is then done.
fn any_history(
    chores: BoxedStrategy<(bool, bool)>,
) -> impl Strategy<Value = (Vec<Terms>, Vec<Deed>)> {
    (vec(any_terms(chores.clone()), BOARDS.len()), vec(any_deed(chores), 0..80))
}

impl Run {
    fn new(terms: Vec<Terms>) -> Run {
        let warning = Span(12);
        let (mut book, mut model) = (Book::new(warning), Promises::new(START, warning));
        for (name, terms) in BOARDS.into_iter().zip(terms) {
            book.put_board(board(name), terms.clone());
            model.put(board(name), terms);
        }
        let (boards, places, numbers, used) = Default::default();
        let mut run = Run { book, model, boards, places, numbers, used, wakes: 0 };
        run.both(|book, now| Ok(book.tick(now)), |it| Ok(it.tick())).expect("a quiet start");
        run
    }

    fn pick(&self, board: Option<&BoardName>, pick: Pick) -> u64 {
        let back = |back: usize| self.numbers.iter().rev().nth(back).copied().unwrap_or(99_999);
        match (pick, board) {
            (Pick::Back(some), _) => back(some),
            (Pick::Present, Some(board)) => {
                self.model.boards[board].hold.as_ref().map_or(99_999, |hold| hold.number)
            }
            (Pick::Present, None) => back(0),
        }
    }

    /// Time goes by for the book alone.
    fn pass(&mut self, ms: u64) -> Vec<Done> {
        self.model.now = self.model.now + Span(ms);
        self.book.tick(self.model.now)
    }

    /// Does a deed, and compares what both sides say of it and how they stand.
    fn step(&mut self, deed: &Deed) -> Result<(), TestCaseError> {
        let newest = |run: &Run| BOARDS.map(|name| run.newest(&board(name)));
        let before = newest(self);
        self.act(deed)?;
        let grew = newest(self).iter().zip(before).all(|(newest, before)| *newest >= before);
        prop_assert!(grew, "a board's fence shrank");
        self.compare()
    }

    fn act(&mut self, deed: &Deed) -> Result<(), TestCaseError> {
        let fence = |board, pick: &Option<Pick>| pick.map(|pick| self.pick(Some(board), pick));
        match deed {
            Deed::Pass(ms, noticed) => {
                self.model.now = self.model.now + Span(*ms);
                match noticed {
                    Noticed::Now => self.both(|book, now| Ok(book.tick(now)), |it| Ok(it.tick())),
                    Noticed::Later => Ok(()),
                }
            }
            Deed::Reserve(who, ask) => self
                .both(|book, now| book.reserve(who, ask.clone(), now), |it| it.reserve(who, ask)),
            Deed::Unqueue(who, pick) => {
                let number = self.pick(None, *pick);
                self.both(|book, _| book.unqueue(who, number), |it| it.unqueue(who, number))
            }
            Deed::Extend(who, board, span) => self.both(
                |book, now| book.extend(board, who, *span, now),
                |it| it.extend(board, who, *span),
            ),
            Deed::Release(who, board, pick) => {
                let number = fence(board, pick);
                self.both(
                    |book, now| book.release(board, who, number, now),
                    |it| it.release(board, who, number),
                )
            }
            Deed::Break(by, board, pick) => {
                let number = fence(board, pick);
                self.both(
                    |book, now| book.break_hold(board, number, by, "why".to_owned(), now),
                    |it| it.break_hold(board, number, by),
                )
            }
            Deed::Give(who, board, to) => {
                self.both(|book, now| book.give(board, who, to, now), |it| it.give(board, who, to))
            }
            Deed::Prepared(board, pick) => {
                let number = self.pick(Some(board), *pick);
                self.both(
                    |book, now| Ok(book.prepared(board, number, now)),
                    |it| Ok(it.prepared(board, number)),
                )
            }
            Deed::Undo(board, pick) => {
                let number = self.pick(Some(board), *pick);
                self.both(
                    |book, now| Ok(book.undo(board, number, now)),
                    |it| Ok(it.undo(board, number)),
                )
            }
            Deed::Cleaned(board, pick) => {
                let number = self.pick(Some(board), *pick);
                self.both(
                    |book, now| Ok(book.cleaned(board, number, now)),
                    |it| Ok(it.cleaned(board, number)),
                )
            }
            Deed::Keep(who, pick) => {
                let number = self.pick(None, *pick);
                self.both(
                    |book, _| book.keep(who, number).map(|()| Vec::new()),
                    |it| it.keep(who, number),
                )
            }
            Deed::LetGo(index) => {
                if let Some(number) = self.model.kept.get(*index).copied() {
                    self.book.let_go(number, self.model.now);
                    self.model.let_go(number);
                }
                Ok(())
            }
            Deed::Shift(ms) => {
                self.book.shift(*ms);
                self.model.shift(*ms);
                self.write_everything();
                Ok(())
            }
            Deed::Faulty(board, faulty) => {
                self.book.set_faulty(board, *faulty);
                self.model.set_faulty(board, *faulty);
                Ok(())
            }
            Deed::Terms(board, terms) => {
                self.book.put_board(board.clone(), terms.clone());
                self.model.put(board.clone(), terms.clone());
                Ok(())
            }
            Deed::Restart => {
                self.restart();
                self.model.restart();
                Ok(())
            }
        }
    }

    fn both(
        &mut self,
        book: impl FnOnce(&mut Book, Time) -> Result<Vec<Done>, Error>,
        model: impl FnOnce(&mut Promises) -> Result<Vec<Done>, Error>,
    ) -> Result<(), TestCaseError> {
        let answer = book(&mut self.book, self.model.now);
        for number in answer.iter().flatten().filter_map(new_number) {
            prop_assert!(self.used.insert(number), "{} was used before", number);
            self.numbers.push(number);
            self.model.numbers.push_back(number);
        }
        let told = answer.clone().map(|done| done.into_iter().map(without_place).collect());
        prop_assert_eq!(told, model(&mut self.model));
        prop_assert!(self.model.numbers.is_empty());
        answer.iter().for_each(|done| self.write_down(done));
        Ok(())
    }

    /// The number of the newest hold that the board knows.
    fn newest(&self, board: &BoardName) -> u64 {
        let Record { stage, last, .. } = self.book.record(board).expect("a record");
        stage.hold().map(|hold| hold.number).max(last.map(|last| last.number)).unwrap_or(0)
    }

    /// What the lab writes down of a decision.
    fn write_down(&mut self, done: &[Done]) {
        for done in done {
            match done {
                Done::Queued { place, .. } => self.write_place(*place),
                Done::Unqueued { place, .. } => drop(self.places.remove(place)),
                Done::Freed { board } => self.write_board(board),
                Done::Reserved { hold, place } => {
                    self.write_board(&hold.board);
                    if let Some(place) = place {
                        self.places.remove(&place.number);
                        let theirs = self.book.all_waiting().filter(|other| other.who == place.who);
                        let theirs: Vec<_> = theirs.map(|other| other.number).collect();
                        theirs.into_iter().for_each(|number| self.write_place(number));
                    }
                }
                Done::Prepared { hold }
                | Done::Extended { hold }
                | Done::Ending { hold }
                | Done::Ended { hold, .. } => self.write_board(&hold.board),
            }
        }
    }

    fn write_everything(&mut self) {
        BOARDS.into_iter().for_each(|name| self.write_board(&board(name)));
        for number in self.places.keys().copied().collect::<Vec<_>>() {
            self.write_place(number);
        }
    }

    fn write_board(&mut self, board: &BoardName) {
        let record = serde_json::to_string(&self.book.record(board)).expect("a record");
        self.boards.insert(board.clone(), record);
    }

    fn write_place(&mut self, number: u64) {
        let Some(waiting) = self.book.waiting(number) else { return };
        self.places.insert(number, serde_json::to_string(waiting).expect("a place"));
    }

    fn restart(&mut self) {
        let now = self.model.now;
        self.book = Book::new(self.model.warning);
        for (board, bench) in &self.model.boards {
            self.book.put_board(board.clone(), bench.terms.clone());
        }
        for (board, record) in &self.boards {
            self.book.restore_board(board, serde_json::from_str(record).expect("a record"), now);
        }
        for waiting in self.places.values() {
            self.book.restore_waiting(serde_json::from_str(waiting).expect("a place"), now);
        }
        // A place that was given up and that nothing came of is not written anywhere.
        let newest = BOARDS.map(|name| self.newest(&board(name))).into_iter().max();
        let newest = newest.max(self.places.keys().next_back().copied()).unwrap_or(0);
        self.used.retain(|number| *number <= newest);
        self.numbers.retain(|number| *number <= newest);
    }

    /// Compares everything that can be seen.
    fn compare(&self) -> Result<(), TestCaseError> {
        let Run { book, model, .. } = self;
        for (board, bench) in &model.boards {
            prop_assert_eq!(book.state(board), bench.state);
            prop_assert_eq!(book.stage(board).expect("a board").hold(), bench.hold.as_ref());
            prop_assert_eq!(book.hold_of(board), bench.living());
            let wanting = || model.wishes.iter().filter(|wish| model.meets(board, &wish.ask.want));
            prop_assert_eq!(book.waiting_for(board), wanting().count() as u32);
            let lost = bench.hold.is_none() && !model.changed && wanting().next().is_some();
            prop_assert!(!lost, "{} is free, and somebody waits for it", board);
            for number in self.numbers.iter().rev().take(8) {
                prop_assert_eq!(book.check_fence(board, *number), model.fence(board, *number));
            }
        }
        let waiting = book.all_waiting().map(|it| (it.number, &it.who, &it.ask, it.since));
        let wishes = model.wishes.iter().map(|it| (it.number, &it.who, &it.ask, it.since));
        prop_assert!(waiting.eq(wishes));
        prop_assert_eq!(book.next_tick(), model.next_due());
        for (who, number) in ["ada", "bob"].into_iter().zip(self.numbers.iter().rev()) {
            let placed = book.placed(&user(who), *number);
            let placed = placed.map(|placed| placed.map(|(hold, state)| (hold.clone(), state)));
            prop_assert_eq!(placed, model.placed(&user(who), *number));
        }
        let order = model.order();
        let places = book.places(model.now);
        prop_assert_eq!(places.len(), order.len());
        for (at, (place, wish)) in places.iter().zip(&order).enumerate() {
            prop_assert_eq!((place.number, &place.who), (wish.number, &wish.who));
            prop_assert_eq!(place.position as usize, model.rivals_before(&order, at) + 1);
            prop_assert_eq!(&place.because, &model.obstacles(&wish.ask.want));
        }
        Ok(())
    }

    /// Lets time do what it has to do next, and all chores; says to which places boards went.
    fn wake(&mut self, next: Time) -> Result<Vec<u64>, TestCaseError> {
        let done = self.pass(next.since(self.model.now).0);
        self.wakes += 1;
        prop_assert!(!done.is_empty(), "nothing was due");
        prop_assert!(self.wakes < 1_000, "time does the same again and again");
        Ok(granted(&done).into_iter().chain(self.do_chores()).collect())
    }

    /// Does all chores at once, and says to which places the boards went.
    fn do_chores(&mut self) -> Vec<u64> {
        let mut done = Vec::new();
        for name in BOARDS.map(board) {
            let number = self.newest(&name);
            done.extend(self.book.cleaned(&name, number, self.model.now));
            let number = self.newest(&name);
            done.extend(self.book.prepared(&name, number, self.model.now));
        }
        granted(&done)
    }
}

fn granted(done: &[Done]) -> Vec<u64> {
    let place = |done: &Done| match done {
        Done::Reserved { hold, .. } => hold.place,
        _ => None,
    };
    done.iter().filter_map(place).collect()
}

fn new_number(done: &Done) -> Option<u64> {
    match done {
        Done::Reserved { hold, .. } => Some(hold.number),
        Done::Queued { place, .. } => Some(*place),
        _ => None,
    }
}

/// The place is named in the hold.
fn without_place(done: Done) -> Done {
    match done {
        Done::Reserved { hold, place } if place.as_ref().map(|it| it.number) == hold.place => {
            Done::Reserved { hold, place: None }
        }
        other => other,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// A board is held by whom it was promised to, no shorter and no longer, and served in order,
    /// whatever people, time, scripts and restarts do.
    #[test]
    fn the_book_keeps_every_promise((terms, deeds) in any_history(any_chores())) {
        let mut run = Run::new(terms);
        for deed in &deeds {
            run.step(deed)?;
        }
    }

    /// If nobody does anything, everybody gets a board exactly when they were told.
    #[test]
    fn what_is_foretold_comes_true(
        (terms, deeds) in any::<bool>()
            .prop_flat_map(|scripts| any_history(Just((scripts, scripts)).boxed())),
    ) {
        let mut run = Run::new(terms);
        for deed in &deeds {
            run.step(deed)?;
        }
        let waiting = run.book.all_waiting().map(|it| (it.who.clone(), it.number));
        let held = run.book.holds().map(|hold| (hold.who.clone(), hold.number));
        for (who, number) in waiting.chain(held).collect::<Vec<_>>() {
            run.book.keep(&who, number).expect("to be kept");
        }
        run.pass(0);
        run.do_chores();
        let foretold: BTreeMap<_, _> = run
            .book
            .places(run.model.now)
            .into_iter()
            .filter_map(|place| Some((place.number, place.expected?)))
            .collect();
        let mut came_true = BTreeMap::new();
        while let Some(next) = run.book.next_tick() {
            let granted = run.wake(next)?;
            came_true.extend(granted.into_iter().map(|place| (place, run.model.now)));
        }
        prop_assert_eq!(came_true, foretold);
    }

    /// Who asks first for one board by its name is not kept waiting longer than they were told,
    /// whoever else gives back early.
    #[test]
    fn nobody_waits_longer_than_foretold(
        (terms, deeds) in any_history(any_chores()),
        early in vec((0_u64..30, any_board(), any::<bool>()), 1..60),
    ) {
        let mut run = Run::new(terms);
        let named = |deed: &&Deed| match deed {
            Deed::Reserve(_, ask) => matches!(ask.want, Want::Board { .. }) && ask.grace.is_none(),
            Deed::Pass(..) | Deed::Extend(..) => true,
            _ => false,
        };
        for deed in deeds.iter().filter(named) {
            run.step(deed)?;
        }
        run.pass(0);
        run.do_chores();
        let mut asked = BTreeSet::new();
        let mut foretold = run.book.places(run.model.now);
        foretold.retain(|place| asked.insert(place.who.clone()));
        for (ms, board, gives_back) in early {
            let then = run.model.now + Span(ms);
            while let Some(next) = run.book.next_tick().filter(|next| *next <= then) {
                run.wake(next)?;
            }
            run.pass(then.since(run.model.now).0);
            if gives_back {
                let now = run.model.now;
                let _ = run.book.break_hold(&board, None, &user("ada"), String::new(), now);
                run.do_chores();
            }
            for place in &foretold {
                let waits = run.book.waiting(place.number).is_some();
                prop_assert!(!waits || place.expected > Some(run.model.now), "{:?}", place);
            }
        }
    }
}

/// A board that leaves the lab and comes back goes on counting, over a restart too.
#[test]
fn a_board_that_was_away_has_no_old_number_again() {
    let terms = Terms {
        class: "a".to_owned(),
        tags: Vec::new(),
        default_hold: Span(10),
        longest_hold: Span(10),
        prepares: false,
        cleans: false,
    };
    let (a1, ada) = (board("a1"), user("ada"));
    let ask = Ask {
        want: Want::Board { name: a1.clone() },
        span: None,
        if_taken: IfTaken::Refuse,
        grace: None,
        note: None,
        ssh_key: None,
    };
    let mut book = Book::new(Span(0));
    book.put_board(a1.clone(), terms.clone());
    let reserve = |book: &mut Book| match &book.reserve(&ada, ask.clone(), START) {
        Ok(done) => new_number(&done[0]).expect("a hold"),
        Err(error) => panic!("{error}"),
    };
    let first = reserve(&mut book);
    assert!(matches!(book.remove_board(&a1), Err(Error::HeldBy { .. })));
    book.release(&a1, &ada, Some(first), START).expect("a hold");
    let record = book.record(&a1).expect("a record");
    book.remove_board(&a1).expect("a free board");
    book.put_board(a1.clone(), terms.clone());
    assert!(reserve(&mut book) > first);

    let mut book = Book::new(Span(0));
    book.restore_board(&a1, record, START);
    book.put_board(a1.clone(), terms);
    assert!(reserve(&mut book) > first);
}
