//! Waiting for a board.

use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::Result;
use futures::poll;
use lab_tests::lab::{MONDAY, Plan, TestLab, board, boards, class, held, name, queued, waits};
use lab_tests::patience::soon;
use labd::ledger::Draft;
use protocol::hold::{Ask, Obstacle, Placed, Release};
use protocol::journal::{By, Event};
use protocol::user::{Role, Who};
use protocol::{Error, Span};

use super::median;

#[tokio::test]
async fn who_waits_is_told_where_why_and_until_when() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4", "rpi5"]).await?;
    let (ada, bob, eve) = (lab.user("ada").await?, lab.user("bob").await?, lab.user("eve").await?);
    ada.reserve(Ask { span: Some(Span::hours(1)), ..board("rpi4") }).await?;
    ada.reserve(Ask { span: Some(Span::hours(3)), ..board("rpi5") }).await?;
    let first = waits(bob.reserve(queued(class("rpi"))).await?)?;
    assert_eq!((first.position, first.expected), (1, Some(MONDAY + Span::hours(1))));
    let who = || "ada".parse().unwrap();
    let because = |board, hours| Obstacle {
        board: name(board),
        who: who(),
        until: MONDAY + Span::hours(hours),
    };
    assert_eq!(first.because, [because("rpi4", 1), because("rpi5", 3)]);
    let second = waits(eve.reserve(queued(board("rpi4"))).await?)?;
    // Bob has it before her, for the two hours that a hold lasts if nobody says.
    assert_eq!((second.position, second.expected), (2, Some(MONDAY + Span::hours(3))));
    assert_eq!(ada.board(name("rpi4")).await?.board.waiting, 2);
    assert_eq!(ada.queue().await?, [first, second]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_board_that_is_given_back_goes_to_who_waits_at_once() -> Result<()> {
    let lab = Plan::new(boards(&["rpi4"])).open().await?;
    let (mut one, mut two) = (lab.user("ada").await?, lab.user("bob").await?);
    one.reserve(board("rpi4")).await?;
    let mut times = Vec::new();
    for _ in 0..100 {
        let place = waits(two.reserve(queued(board("rpi4"))).await?)?;
        let waiting = tokio::spawn({
            let two = two.clone();
            async move { two.placed(place.number, Span::minutes(1)).await }
        });
        let began = Instant::now();
        one.release(name("rpi4"), Release::default()).await?;
        held(soon(waiting).await???)?;
        times.push(began.elapsed());
        std::mem::swap(&mut one, &mut two);
    }
    let (worst, p50) = (times.iter().max().copied(), median(times));
    eprintln!("100 grants on release: p50 {p50:?}, worst {worst:?}");
    assert!(p50 < Duration::from_millis(100), "{p50:?}");
    Ok(())
}

#[tokio::test]
async fn who_asks_for_many_does_not_push_aside_who_asks_for_one() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let (ada, bob, eve) = (lab.user("ada").await?, lab.user("bob").await?, lab.user("eve").await?);
    eve.reserve(board("rpi4")).await?;
    let mut places = Vec::new();
    for _ in 0..3 {
        places.push(waits(ada.reserve(queued(board("rpi4"))).await?)?.number);
    }
    places.insert(1, waits(bob.reserve(queued(board("rpi4"))).await?)?.number);
    let order: Vec<_> = eve.queue().await?.iter().map(|place| place.number).collect();
    assert_eq!(order, places, "everybody's first ask comes before anybody's second");
    for person in [&eve, &ada, &bob, &ada] {
        person.release(name("rpi4"), Release::default()).await?;
    }
    assert_eq!(ada.holds().await?[0].place, Some(places[3]));
    Ok(())
}

#[tokio::test]
async fn a_place_is_kept_over_a_restart() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let (ada, bob) = (lab.user("ada").await?, lab.user("bob").await?);
    ada.reserve(board("rpi4")).await?;
    let place = waits(bob.reserve(queued(board("rpi4"))).await?)?;
    let lab = lab.restart().await?;
    let (ada, bob) = (lab.user("ada").await?, lab.user("bob").await?);
    assert_eq!(bob.queue().await?, std::slice::from_ref(&place));
    ada.release(name("rpi4"), Release::default()).await?;
    let hold = held(bob.placed(place.number, Span::minutes(1)).await?)?;
    assert_eq!((hold.who.as_str(), hold.place), ("bob", Some(place.number)));
    Ok(())
}

#[tokio::test]
async fn a_place_can_be_given_up_by_whose_it_is() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let (ada, bob, eve) = (lab.user("ada").await?, lab.user("bob").await?, lab.user("eve").await?);
    ada.reserve(board("rpi4")).await?;
    let place = waits(bob.reserve(queued(board("rpi4"))).await?)?.number;
    let refused = eve.unqueue(place).await.unwrap_err();
    assert!(matches!(refused, Error::NoSuch { .. }), "{refused}");
    let waiting = tokio::spawn({
        let bob = bob.clone();
        async move { bob.placed(place, Span::minutes(1)).await }
    });
    bob.unqueue(place).await?;
    let told = soon(waiting).await??.unwrap_err();
    assert!(matches!(told, Error::NoSuch { .. }), "{told}");
    ada.release(name("rpi4"), Release::default()).await?;
    assert_eq!(ada.holds().await?, []);
    Ok(())
}

#[tokio::test]
async fn who_asks_how_a_place_stands_is_answered_when_their_patience_is_over() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let (ada, bob) = (lab.user("ada").await?, lab.user("bob").await?);
    ada.reserve(board("rpi4")).await?;
    let place = waits(bob.reserve(queued(board("rpi4"))).await?)?;
    let placed = bob.placed(place.number, Span::default()).await?;
    assert_eq!(placed, Placed::Queued { place });
    Ok(())
}

/// A kill just then must not lose a hold that somebody was told of.
#[tokio::test]
async fn a_turn_that_comes_while_patience_ends_is_told_when_it_is_on_disk() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    lab.settled().await?;
    let lab = lab.lab();
    let who = |name: &str| anyhow::Ok(Who::new(name.parse()?, Role::User));
    let (ada, bob) = (who("ada")?, who("bob")?);
    held(lab.reserve(&ada, board("rpi4")).await?)?;
    let place = waits(lab.reserve(&bob, queued(board("rpi4"))).await?)?;
    let rpi4 = name("rpi4");
    // The disk has much to do.
    let note = |_| Draft {
        by: By::default(),
        board: None,
        offset: None,
        event: Event::Noted { text: "x".repeat(1_000) },
        writes: Vec::new(),
    };
    drop(lab.ledger().stage_all((0..20_000).map(note)));
    let mut release = pin!(lab.release(&ada, &rpi4, Release::default()));
    assert!(poll!(&mut release).is_pending(), "it is decided, and on its way to the disk");
    held(lab.placed(&bob, place.number, Span(0)).await?)?;
    assert!(lab.ledger().unwritten().is_none(), "bob was told of what is not on disk");
    release.await?;
    Ok(())
}

#[tokio::test]
async fn a_board_that_joins_the_lab_goes_to_who_waits() -> Result<()> {
    let mut lab = TestLab::with_boards(&["rpi4"]).await?;
    let (ada, bob, eve) = (lab.user("ada").await?, lab.user("bob").await?, lab.user("eve").await?);
    ada.reserve(class("rpi")).await?;
    let place = waits(bob.reserve(queued(class("rpi"))).await?)?;
    lab.ground().configure(&boards(&["rpi4", "rpi5"])).await?;
    lab.admin().await?.reload().await?;
    let hold = held(bob.placed(place.number, Span::minutes(1)).await?)?;
    assert_eq!(hold.board, name("rpi5"));
    let refused = eve.reserve(class("rpi")).await.unwrap_err();
    assert!(matches!(refused, Error::AllTaken { .. }), "{refused}");
    Ok(())
}
