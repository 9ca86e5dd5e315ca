//! The desk against a single line of sessions, whose head has the pen.
//!
//! Planted, and caught by `the_pen_goes_down_the_line`: a place in line outlives its session and
//! gets the pen; who loses the pen by force is last in line; a cut spares the last hold but one; the next in
//! line has the turn of the one before.
//!
//! Planted, and caught by `nobody_types_without_leave`: a guest has the pen when it is given up; who does not
//! hold the board hands it to a guest; a guest keeps the hold when the pen is forced away; the pen passes though
//! its owner types, or to who was told that it is kept; a pair outlives the turn in which it was made.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone, Copy)]
enum Deed {
    Sit(u64, Option<u64>),
    Bind(u64, Option<u64>),
    Take(u64),
    Force(u64),
    Drop(u64),
    Leave(u64),
    /// A hold ends: every session opened under an older one than this leaves.
    Cut(u64),
}

/// Who sits here under which hold, and who wants the pen; the first has it.
#[derive(Default)]
struct Model {
    seats: BTreeMap<u64, Option<u64>>,
    line: Vec<u64>,
}

fn name(session: u64) -> UserName {
    // Two sessions are one person's.
    format!("user{}", session / 2).parse().expect("a name")
}

fn seat(session: u64, hold: Option<u64>) -> Seat {
    Seat { who: name(session), via: None, request: None, since: Time(session), hold, guest: false }
}

fn any_deed() -> impl Strategy<Value = Deed> {
    let (session, hold) = (0_u64..6, proptest::option::of(0_u64..9));
    prop_oneof![
        3 => (session.clone(), hold.clone()).prop_map(|(session, hold)| Deed::Sit(session, hold)),
        1 => (session.clone(), hold).prop_map(|(session, hold)| Deed::Bind(session, hold)),
        5 => session.clone().prop_map(Deed::Take),
        2 => session.clone().prop_map(Deed::Force),
        2 => session.clone().prop_map(Deed::Drop),
        2 => session.prop_map(Deed::Leave),
        1 => (0_u64..9).prop_map(Deed::Cut),
    ]
}

impl Model {
    fn place(&self, session: u64) -> Option<usize> {
        self.line.iter().position(|other| *other == session)
    }

    fn take(&mut self, session: u64) -> Outcome {
        let newly = !self.line.contains(&session);
        if newly {
            self.line.push(session);
        }
        match self.place(session) {
            Some(0) if newly => Outcome::Taken,
            Some(position) if position > 0 => {
                Outcome::InLine { position: position as u32, of: Some(name(self.line[0])), newly }
            }
            _ => Outcome::Had,
        }
    }

    fn force(&mut self, session: u64) -> Outcome {
        let owner = self.line.first().copied();
        self.line.retain(|other| *other != session);
        self.line.insert(0, session);
        match owner {
            None => Outcome::Taken,
            Some(owner) if owner == session => Outcome::Had,
            Some(owner) => Outcome::Forced { from: name(owner) },
        }
    }

    fn drop_pen(&mut self, session: u64) -> (bool, Option<u64>) {
        let had = self.line.first() == Some(&session);
        self.line.retain(|other| *other != session);
        (had, self.line.first().copied().filter(|_| had))
    }

    fn leave(&mut self, session: u64) -> (bool, Option<u64>) {
        self.seats.remove(&session);
        self.drop_pen(session)
    }

    fn pen_of(&self, session: u64) -> PenState {
        match self.place(session) {
            None => PenState::NotYours,
            Some(0) => PenState::Yours,
            Some(position) => PenState::InLine { position: position as u32 },
        }
    }
}

proptest! {
    /// One viewer at most has the pen, the line keeps its order, and nobody is in it who has left.
    #[test]
    fn the_pen_goes_down_the_line(deeds in vec(any_deed(), 0..60)) {
        let (mut desk, mut model) = (Desk::default(), Model::default());
        let mut turns = BTreeMap::new();
        for deed in deeds {
            let (turn, owner) = (desk.turn(), model.line.first().copied());
            let is_cut = matches!(deed, Deed::Cut(_));
            match deed {
                Deed::Sit(session, hold) if !model.seats.contains_key(&session) => {
                    desk.sit(session, seat(session, hold));
                    model.seats.insert(session, hold);
                }
                Deed::Bind(session, hold) => {
                    desk.bind(session, hold);
                    model.seats.entry(session).and_modify(|seat| *seat = hold);
                }
                Deed::Take(session) if model.seats.contains_key(&session) => {
                    prop_assert_eq!(desk.take(session), model.take(session));
                }
                Deed::Force(session) if model.seats.contains_key(&session) => {
                    prop_assert_eq!(desk.force(session), model.force(session));
                }
                Deed::Drop(session) => {
                    prop_assert_eq!(desk.drop_pen(session), model.drop_pen(session));
                }
                Deed::Leave(session) => {
                    prop_assert_eq!(desk.leave(session), model.leave(session));
                }
                Deed::Cut(newest) => {
                    let mut old = Vec::new();
                    for (session, hold) in &model.seats {
                        old.extend(hold.filter(|hold| *hold < newest).map(|_| *session));
                    }
                    prop_assert_eq!(desk.older_than(newest), old.clone());
                    for session in old {
                        prop_assert_eq!(desk.leave(session), model.leave(session));
                    }
                }
                // Who does not sit here is not heard.
                Deed::Sit(..) | Deed::Take(_) | Deed::Force(_) => {}
            }
            // Who has it again has another turn; nobody's is nobody's.
            let present = model.line.first().copied();
            let is_new = present.is_some() && present != owner;
            // In a cut some may have it for a moment.
            prop_assert!(is_cut || (desk.turn() > turn) == is_new);
            prop_assert!(desk.turn() >= turn);
            if let Some(present) = present {
                prop_assert_eq!(*turns.entry(desk.turn()).or_insert(present), present);
            }
            let viewers = desk.viewers();
            prop_assert!(viewers.iter().map(|viewer| viewer.session).eq(model.seats.keys().copied()));
            for viewer in &viewers {
                prop_assert_eq!(&viewer.who, &name(viewer.session));
                prop_assert_eq!(desk.seat(viewer.session).map(|seat| seat.hold), model.seats.get(&viewer.session).copied());
                prop_assert_eq!(viewer.pen, model.line.first() == Some(&viewer.session));
            }
            for session in 0..6 {
                prop_assert_eq!(desk.pen_of(session), model.pen_of(session));
                prop_assert_eq!(desk.has_pen(session), model.place(session) == Some(0));
            }
        }
    }
}

/// What is asked of the desk when there are guests: sessions 4 and 5. The holder's are 0 and 1, an
/// administrator's 2 and 3.
#[derive(Debug, Clone, Copy)]
enum Move {
    Sit(u64),
    Take(u64),
    Ask(u64),
    Force(u64),
    Grant(u64, Option<u64>),
    Keep(u64),
    Pair(u64, Option<u64>),
    Part(u64),
    Drop(u64),
    Leave(u64),
    Types(u64),
    Passes,
}

const HOLD: u64 = 7;
const PATIENCE: Span = Span(10);

fn is_guest(session: u64) -> bool {
    session >= 4
}

fn any_move() -> impl Strategy<Value = Move> {
    let session = 0_u64..6;
    let to = proptest::option::of(0_u64..6);
    prop_oneof![
        4 => session.clone().prop_map(Move::Sit),
        2 => session.clone().prop_map(Move::Take),
        5 => session.clone().prop_map(Move::Ask),
        1 => session.clone().prop_map(Move::Force),
        4 => (session.clone(), to.clone()).prop_map(|(by, to)| Move::Grant(by, to)),
        1 => session.clone().prop_map(Move::Keep),
        4 => (session.clone(), to).prop_map(|(by, to)| Move::Pair(by, to)),
        1 => session.clone().prop_map(Move::Part),
        1 => session.clone().prop_map(Move::Drop),
        1 => session.clone().prop_map(Move::Leave),
        2 => session.prop_map(Move::Types),
        3 => Just(Move::Passes),
    ]
}

/// Who was let type by whom, and who waits for an answer; whatever else becomes of the pen.
#[derive(Default)]
struct Leave {
    seated: Vec<u64>,
    let_by_holder: Vec<u64>,
    asked: BTreeMap<u64, u64>,
    typed: u64,
}

proptest! {
    /// A guest types by the holder's leave and under the holder's hold, and nobody loses the pen in silence who
    /// types or answers.
    #[test]
    fn nobody_types_without_leave(moves in vec(any_move(), 0..80)) {
        let (mut desk, mut leave) = (Desk::default(), Leave::default());
        for (now, step) in moves.into_iter().enumerate() {
            let now = now as u64;
            let owner = (0..6).find(|session| desk.has_pen(*session));
            let turn = desk.turn();
            let seated = |session: &u64| leave.seated.contains(session);
            match step {
                Move::Sit(session) if !seated(&session) => {
                    let hold = (session < 2).then_some(HOLD);
                    desk.sit(session, seat(session, hold));
                    leave.seated.push(session);
                }
                Move::Take(session) if seated(&session) && !is_guest(session) => {
                    desk.take(session);
                }
                Move::Ask(session) if seated(&session) => {
                    let outcome = match is_guest(session) {
                        true => desk.ask_as_guest(session, Time(now)),
                        false => desk.ask(session, Time(now)),
                    };
                    if matches!(outcome, Outcome::InLine { newly: true, .. }) {
                        leave.asked.insert(session, now);
                    }
                }
                Move::Force(session) if seated(&session) && !is_guest(session) => {
                    desk.force(session);
                }
                Move::Grant(by, to) if seated(&by) && !is_guest(by) => {
                    if let Ok(to) = desk.grant(by, to) {
                        prop_assert!(owner == Some(by) || owner.is_none());
                        prop_assert!(desk.has_pen(to) && !desk.has_pen(by));
                        leave.let_by_holder.extend((by < 2).then_some(to));
                    }
                }
                Move::Keep(by) if seated(&by) && !is_guest(by) => {
                    if let Ok(told) = desk.keep(by) {
                        let mut told: Vec<_> = told.iter().map(ToString::to_string).collect();
                        let mut asked: Vec<_> =
                            leave.asked.keys().map(|session| name(*session).to_string()).collect();
                        told.sort();
                        asked.sort();
                        prop_assert_eq!(told, asked);
                        leave.asked.clear();
                    }
                }
                Move::Pair(by, with) if seated(&by) && !is_guest(by) => {
                    if let Ok(with) = desk.pair(by, with) {
                        prop_assert!(owner == Some(by) && desk.has_pen(by));
                        prop_assert_eq!(desk.pen_of(with), PenState::Paired);
                        leave.let_by_holder.extend((by < 2).then_some(with));
                    }
                }
                Move::Part(session) if seated(&session) => drop(desk.part(session)),
                Move::Drop(session) if seated(&session) => drop(desk.drop_pen(session)),
                Move::Leave(session) => {
                    desk.leave(session);
                    leave.seated.retain(|seated| *seated != session);
                }
                Move::Types(session) if desk.has_pen(session) => {
                    desk.types(session, Time(now));
                    leave.typed = now;
                }
                Move::Passes => {
                    let first = leave.asked.iter().filter(|(session, _)| !is_guest(**session));
                    let waited = first.map(|(_, since)| *since).min();
                    let passed = desk.hand_over(Time(now), PATIENCE);
                    if let Some((_, to)) = &passed {
                        let since = leave.asked.get(to).copied();
                        prop_assert!(!is_guest(*to) && since.is_some_and(|since| since + PATIENCE.0 <= now));
                        prop_assert!(leave.typed + PATIENCE.0 <= now);
                        prop_assert!(owner.is_some() && !desk.has_pen(owner.unwrap_or_default()));
                    } else if owner.is_some() && leave.typed + PATIENCE.0 <= now {
                        // The first in line who asked is waited for, if perhaps not who asked first.
                        prop_assert_eq!(waited.is_some(), desk.due(PATIENCE).is_some());
                    }
                }
                _ => {}
            }
            let types = |session: &u64| desk.may_type(*session);
            leave.asked.retain(|session, _| {
                matches!(desk.pen_of(*session), PenState::InLine { .. })
            });
            leave.let_by_holder.retain(types);
            prop_assert!((0..6).filter(types).count() <= 2);
            let paired = (0..6).any(|session| desk.pen_of(session) == PenState::Paired);
            prop_assert!(!paired || desk.owner().is_some());
            prop_assert!(!paired || desk.turn() == turn || owner.is_none());
            for session in (0..6).filter(types) {
                prop_assert!(leave.seated.contains(&session));
            }
            for guest in (4..6).filter(|guest| leave.seated.contains(guest)) {
                prop_assert_eq!(types(&guest), leave.let_by_holder.contains(&guest), "{:?}", step);
                let hold = types(&guest).then_some(HOLD);
                prop_assert_eq!(desk.seat(guest).and_then(|seat| seat.hold), hold);
                prop_assert_eq!(desk.lent(guest), hold);
            }
        }
    }
}
