//! How people share a console: asking for the pen, handing it over, keeping it, typing together, and who is there.

use anyhow::Result;
use lab_tests::follower::Follower;
use lab_tests::lab::{Plan, TestLab, board, boards, name};
use lab_tests::person::Person;
use protocol::console::{Desk, From, PenAsk, PenState};
use protocol::hold::Release;
use protocol::journal::{Entry, Event};
use protocol::wire::Follow;
use protocol::{Error, Span};

const IN_LINE: PenState = PenState::InLine { position: 1 };

/// A board that ada holds and types at, and bob, who looks on.
struct Scene {
    lab: TestLab,
    ada: Person,
    bob: Person,
    journal: Follower,
    adas: Follower,
    bobs: Follower,
}

impl Scene {
    async fn new() -> Result<Scene> {
        let patient = boards(&["rpi4"]).replace("class = rpi;", "class = rpi; pen_timeout = 10s;");
        let lab = Plan::new(patient).by_hand().open().await?;
        let (ada, bob) = (lab.user("ada").await?, lab.user("bob").await?);
        ada.reserve(board("rpi4")).await?;
        let journal = ada.journal("rpi4").await?;
        let adas = ada.type_at("rpi4").await?;
        let bobs = bob.look_at("rpi4", From::End).await?;
        Ok(Scene { lab, ada, bob, journal, adas, bobs })
    }

    async fn bob_asks(&mut self) -> Result<()> {
        assert_eq!(self.bob.pen(self.bobs.session(), PenAsk::Ask).await?, IN_LINE);
        let asked = Event::PenAsked { session: self.bobs.session(), of: "ada".parse()? };
        let entry = self.journal.event(|event| *event == asked).await?;
        assert_eq!(entry.who, Some("bob".parse()?));
        Ok(())
    }

    async fn bob_types(&self, text: &str) -> Result<(), Error> {
        self.bob.type_in(self.bobs.session(), text.into()).await
    }

    async fn ada_says(&self, ask: PenAsk) -> Result<PenState, Error> {
        self.ada.pen(self.adas.session(), ask).await
    }
}

#[tokio::test]
async fn who_does_not_hold_the_board_types_by_the_holders_leave_and_no_longer_than_the_hold()
-> Result<()> {
    let mut scene = Scene::new().await?;
    let why = scene.bob_types("x").await.unwrap_err();
    assert!(matches!(why, Error::HeldBy { .. }), "{why}");
    scene.bob_asks().await?;
    let why = scene.bob_types("x").await.unwrap_err();
    assert!(matches!(why, Error::HeldBy { .. }), "asking opens nothing: {why}");
    // Nor does time.
    scene.lab.advance(Span::seconds(60));
    assert_eq!(scene.ada_says(PenAsk::Take).await?, PenState::Yours);

    let session = scene.bobs.session();
    scene.ada_says(PenAsk::Grant { session: Some(session) }).await?;
    let granted = Event::PenGranted { session, to: "bob".parse()? };
    assert_eq!(scene.journal.event(|event| *event == granted).await?.who, Some("ada".parse()?));
    scene.bob_types("ls\r").await?;
    assert_eq!(scene.lab.board("rpi4").typed(3).await?, "ls\r");
    let Entry { who, .. } =
        scene.journal.event(|event| matches!(event, Event::Typed { .. })).await?;
    assert_eq!(who, Some("bob".parse()?));
    let power = scene.bob.power(name("rpi4"), protocol::power::PowerAsk::Off).await.unwrap_err();
    assert!(matches!(power, Error::HeldBy { .. }), "typing is all he was let: {power}");

    scene.ada.release(name("rpi4"), Release::default()).await?;
    scene.bobs.rest().await?;
    let why = scene.bob_types("x").await.unwrap_err();
    assert!(matches!(why, Error::NoSuch { .. }), "{why}");
    Ok(())
}

#[tokio::test]
async fn who_has_the_pen_keeps_it_and_who_asked_is_told() -> Result<()> {
    let mut scene = Scene::new().await?;
    scene.bob_asks().await?;
    assert_eq!(scene.ada_says(PenAsk::Keep).await?, PenState::Yours);
    let kept = Event::PenKept { from: vec!["bob".parse()?] };
    scene.journal.event(|event| *event == kept).await?;
    let why = scene.ada_says(PenAsk::Grant { session: None }).await.unwrap_err();
    assert_eq!(why.to_string(), "nobody there asks for the pen of rpi4's console");
    Ok(())
}

#[tokio::test]
async fn the_pen_passes_to_who_asked_with_the_same_right_if_its_owner_neither_answers_nor_types()
-> Result<()> {
    let Scene { lab, ada, adas, mut journal, .. } = Scene::new().await?;
    let other = ada.type_at("rpi4").await?;
    assert_eq!(ada.pen(other.session(), PenAsk::Ask).await?, IN_LINE);
    lab.advance(Span::seconds(9));
    // Whoever types has not left.
    ada.type_in(adas.session(), b"x".to_vec()).await?;
    lab.advance(Span::seconds(9));
    assert_eq!(ada.pen(adas.session(), PenAsk::Take).await?, PenState::Yours);
    lab.advance(Span::seconds(1));
    let passed = Event::PenPassed { session: other.session(), from: "ada".parse()? };
    journal.event(|event| *event == passed).await?;
    assert_eq!(ada.pen(other.session(), PenAsk::Take).await?, PenState::Yours);
    assert_eq!(ada.pen(adas.session(), PenAsk::Take).await?, IN_LINE, "and is next in line");
    Ok(())
}

#[tokio::test]
async fn two_type_together_each_under_their_own_name_until_either_ends_it() -> Result<()> {
    for by_ada in [true, false] {
        let mut scene = Scene::new().await?;
        scene.bob_asks().await?;
        scene.ada_says(PenAsk::Pair { session: None }).await?;
        let who = "bob".parse()?;
        let paired = Event::Paired { session: scene.bobs.session(), with: who };
        scene.journal.event(|event| *event == paired).await?;
        scene.bob_types("b\r").await?;
        scene.ada.type_in(scene.adas.session(), b"a\r".to_vec()).await?;
        assert_eq!(scene.lab.board("rpi4").typed(4).await?, "b\ra\r");
        for who in ["bob", "ada"] {
            let typed = scene.journal.event(|event| matches!(event, Event::Typed { .. })).await?;
            assert_eq!(typed.who, Some(who.parse()?));
        }
        if by_ada {
            scene.ada_says(PenAsk::Part).await?;
        } else {
            scene.bob.pen(scene.bobs.session(), PenAsk::Drop).await?;
        }
        let parted = Event::Parted { with: "bob".parse()? };
        scene.journal.event(|event| *event == parted).await?;
        let why = scene.bob_types("x").await.unwrap_err();
        assert!(matches!(why, Error::HeldBy { .. }), "{why}");
        scene.ada.type_in(scene.adas.session(), b"y".to_vec()).await?;
        assert_eq!(scene.lab.board("rpi4").typed(1).await?, "y");
    }
    Ok(())
}

#[tokio::test]
async fn a_password_is_nobodys_to_read_whoever_of_two_types_it() -> Result<()> {
    let mut scene = Scene::new().await?;
    scene.bob_asks().await?;
    scene.ada_says(PenAsk::Pair { session: None }).await?;
    let rpi4 = scene.lab.board("rpi4");
    for (who, other) in [("bob", "ada"), ("ada", "bob")] {
        rpi4.print("Password: ").await?;
        scene.bobs.until("Password: ").await?;
        // The other's return ends it: what is typed by two is as little echoed.
        let mut typists = [("bob", &scene.bob, &scene.bobs), ("ada", &scene.ada, &scene.adas)];
        typists.sort_by_key(|(name, ..)| *name != who);
        let [(_, first, seat), (_, second, others)] = typists;
        first.type_in(seat.session(), b"hunter2".to_vec()).await?;
        second.type_in(others.session(), b"\r".to_vec()).await?;
        assert_eq!(rpi4.typed(8).await?, "hunter2\r");
        rpi4.print("\r\nWelcome\r\n").await?;
        let typed = scene.journal.event(|event| matches!(event, Event::Typed { .. })).await?;
        assert_eq!(typed.who, Some(who.parse()?));
        assert_eq!(typed.event, Event::Typed { text: None, bytes: 7 });
        let typed = scene.journal.event(|event| matches!(event, Event::Typed { .. })).await?;
        assert_eq!(typed.who, Some(other.parse()?), "a return is no secret");
    }
    Ok(())
}

#[tokio::test]
async fn who_is_there_is_told_as_they_come_wait_and_go() -> Result<()> {
    let mut scene = Scene::new().await?;
    let mut desk = scene.ada.follow(Follow::Desk { board: name("rpi4") }).await?;
    let mut until = async |wanted: &str| {
        loop {
            let Desk { viewers, .. } = serde_json::from_str(&desk.line().await?)?;
            let said = |viewer: &protocol::console::Viewer| {
                format!("{}: {}", viewer.who, viewer.stands().unwrap_or_default())
            };
            if viewers.iter().map(said).collect::<Vec<_>>().join(", ") == wanted {
                return anyhow::Ok(());
            }
        }
    };
    until("ada: has the pen, bob: ").await?;
    scene.bob_asks().await?;
    until("ada: has the pen, bob: asks for the pen").await?;
    scene.ada_says(PenAsk::Pair { session: None }).await?;
    until("ada: has the pen, bob: types as well").await?;
    drop(scene.bobs);
    until("ada: has the pen").await?;
    Ok(())
}
