//! The desk against a single line of sessions, whose head has the pen.
//!
//! Planted, and caught by `the_pen_goes_down_the_line`: a place in line outlives its session and
//! gets the pen; who loses the pen by force is last in line; a cut spares the last hold but one; the next in
//! line has the turn of the one before.

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
    Seat { who: name(session), via: None, request: None, since: Time(session), hold }
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
                Outcome::InLine { position: position as u32, of: name(self.line[0]), newly }
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
