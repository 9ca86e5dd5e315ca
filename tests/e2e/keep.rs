//! Holds and places that live as long as a client keeps them.

use anyhow::Result;
use lab_tests::lab::{Plan, TestLab, board, boards, file, held, name, queued, waits};
use lab_tests::patience::soon;
use protocol::hold::{Ask, Ended, IfTaken, Release, WAITERS_GRACE};
use protocol::journal::Event;
use protocol::{Error, Span};

const GRACE: Span = Span::seconds(30);

fn kept(name: &str) -> Ask {
    Ask { grace: Some(GRACE), ..board(name) }
}

fn is_end(event: &Event) -> bool {
    matches!(event, Event::Ended { .. })
}

#[tokio::test]
async fn a_hold_whose_client_is_gone_is_over_after_its_grace() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let ada = lab.user("ada").await?;
    let hold = held(ada.reserve(kept("rpi4")).await?)?;
    let keeper = ada.keep(hold.number).await?;
    lab.advance(Span::hours(1));
    let mut journal = ada.journal("rpi4").await?;
    ada.note(name("rpi4"), "an hour later".to_owned()).await?;
    let so_far = journal.entries_until(|event| matches!(event, Event::Noted { .. })).await?;
    assert!(!so_far.iter().any(|entry| is_end(&entry.event)), "{so_far:#?}");
    keeper.hang_up().await?;
    let gone = lab.now();
    lab.advance(GRACE);
    let end = journal.event(is_end).await?;
    assert_eq!(end.at, gone + GRACE);
    assert!(matches!(end.event, Event::Ended { how: Ended::Abandoned, .. }), "{:?}", end.event);
    Ok(())
}

/// A client cannot keep what it has not been given: its grace begins when the setup script is done.
#[tokio::test]
async fn a_setup_that_outlasts_the_grace_costs_nobody_the_board() -> Result<()> {
    let setup = "#!/bin/sh\n[ $1 = reserve ] && [ $2 = rpi4 ] || exit 0\n\
        echo $$ > @dir/began; until [ -e @dir/go ]; do sleep 0.01; done\n";
    let config = format!("setup_script = \"@dir/setup\"\n{}", boards(&["rpi4", "rpi5"]));
    let lab = Plan::new(config).script("setup", setup).by_hand().open().await?;
    let ada = lab.user("ada").await?;
    let asking = tokio::spawn({
        let ada = ada.clone();
        async move { ada.reserve(kept("rpi4")).await }
    });
    file(&lab.path("began")).await?;
    // What ends at the same time as the grace would have shows that the lab has looked.
    ada.reserve(Ask { span: Some(GRACE), ..board("rpi5") }).await?;
    let mut other = ada.journal("rpi5").await?;
    lab.advance(GRACE);
    other.event(|event| *event == Event::Freed).await?;
    std::fs::write(lab.path("go"), "")?;
    let hold = held(soon(asking).await???)?;
    assert_eq!(ada.holds().await?, [hold]);
    // Nobody comes to keep it, and it is given up when the grace is over: not before.
    let prepared = lab.now();
    ada.reserve(Ask { span: Some(Span::seconds(29)), ..board("rpi5") }).await?;
    lab.advance(Span::seconds(29));
    other.event(is_end).await?;
    lab.advance(Span::seconds(1));
    let end = ada.journal("rpi4").await?.event(is_end).await?;
    assert_eq!(end.at, prepared + GRACE);
    assert!(matches!(end.event, Event::Ended { how: Ended::Abandoned, .. }), "{:?}", end.event);
    Ok(())
}

#[tokio::test]
async fn a_client_that_comes_back_in_time_finds_its_hold() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let ada = lab.user("ada").await?;
    let hold = held(ada.reserve(kept("rpi4")).await?)?;
    ada.keep(hold.number).await?.hang_up().await?;
    lab.advance(Span::seconds(29));
    let keeper = ada.keep(hold.number).await?;
    lab.advance(Span::hours(1));
    ada.note(name("rpi4"), "an hour later".to_owned()).await?;
    assert_eq!(ada.holds().await?.len(), 1);
    drop(keeper);
    Ok(())
}

#[tokio::test]
async fn a_kept_hold_lasts_over_a_restart_if_its_client_comes_back() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4", "rpi5"]).await?;
    let ada = lab.user("ada").await?;
    let (first, second) =
        (held(ada.reserve(kept("rpi4")).await?)?, held(ada.reserve(kept("rpi5")).await?)?);
    let keepers = (ada.keep(first.number).await?, ada.keep(second.number).await?);
    lab.advance(Span::hours(1));
    let lab = lab.restart().await?;
    drop(keepers);
    let ada = lab.user("ada").await?;
    let _keeper = ada.keep(first.number).await?;
    let mut journal = ada.journal("rpi5").await?;
    lab.advance(GRACE);
    journal.event(is_end).await?;
    assert_eq!(ada.holds().await?, [first]);
    Ok(())
}

#[tokio::test]
async fn a_place_whose_client_is_gone_is_given_up() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let (ada, bob) = (lab.user("ada").await?, lab.user("bob").await?);
    ada.reserve(board("rpi4")).await?;
    let place = waits(bob.reserve(queued(kept("rpi4"))).await?)?.number;
    bob.keep(place).await?.hang_up().await?;
    lab.advance(GRACE);
    let told = bob.placed(place, Span::minutes(1)).await.unwrap_err();
    assert!(matches!(told, Error::NoSuch { .. }), "{told}");
    assert_eq!(ada.queue().await?, []);
    Ok(())
}

#[tokio::test]
async fn who_keeps_a_place_keeps_the_hold_that_comes_of_it() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let (ada, bob) = (lab.user("ada").await?, lab.user("bob").await?);
    ada.reserve(board("rpi4")).await?;
    let place = waits(bob.reserve(queued(kept("rpi4"))).await?)?.number;
    let keeper = bob.keep(place).await?;
    ada.release(name("rpi4"), Default::default()).await?;
    let hold = held(bob.placed(place, Span::minutes(1)).await?)?;
    lab.advance(Span::hours(1));
    ada.note(name("rpi4"), "an hour later".to_owned()).await?;
    assert_eq!(bob.holds().await?, [hold]);
    drop(keeper);
    Ok(())
}

#[tokio::test]
async fn a_keeper_is_told_when_there_is_nothing_to_keep_any_more() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let (ada, bob) = (lab.user("ada").await?, lab.user("bob").await?);
    let hold = held(ada.reserve(kept("rpi4")).await?)?;
    let refused = bob.keep(hold.number).await.err();
    assert!(matches!(refused, Some(Error::NoSuch { .. })), "{refused:?}");
    let mut keeper = ada.keep(hold.number).await?;
    ada.release(name("rpi4"), Default::default()).await?;
    assert_eq!(keeper.rest().await?, "");
    Ok(())
}

#[tokio::test]
async fn who_waits_and_is_gone_gets_no_board() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let (ada, bob) = (lab.user("ada").await?, lab.user("bob").await?);
    ada.reserve(board("rpi4")).await?;
    let waits_for = Ask { if_taken: IfTaken::Wait, ..board("rpi4") };
    let place = waits(bob.reserve(waits_for).await?)?;
    let mut journal = bob.journal("rpi4").await?;
    bob.keep(place.number).await?.hang_up().await?;
    lab.advance(WAITERS_GRACE);
    let given_up = async {
        while !ada.queue().await?.is_empty() {
            tokio::task::yield_now().await;
        }
        Ok::<_, anyhow::Error>(())
    };
    lab_tests::patience::soon(given_up).await??;
    ada.release(name("rpi4"), Release::default()).await?;
    journal.event(is_end).await?;
    assert_eq!(ada.holds().await?, []);
    Ok(())
}
