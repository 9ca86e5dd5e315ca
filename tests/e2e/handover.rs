//! How holds end, and what ends with them.

use std::time::{Duration, Instant};

use anyhow::Result;
use lab_tests::lab::{Plan, TestLab, board, boards, held, name};
use protocol::console::{From, PenAsk};
use protocol::hold::{Ask, Ended, Release};
use protocol::journal::Event;
use protocol::power::PowerAsk;
use protocol::{Error, Span};

use super::median;

fn is_end(event: &Event) -> bool {
    matches!(event, Event::Ended { .. })
}

#[tokio::test]
async fn a_board_that_is_handed_over_has_a_new_number_and_the_old_console_is_cut() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let (ada, bob) = (lab.user("ada").await?, lab.user("bob").await?);
    let old = held(ada.reserve(board("rpi4")).await?)?;
    let mut typist = ada.type_at("rpi4").await?;
    let mut onlooker = ada.look_at("rpi4", From::End).await?;
    let new = ada.give(name("rpi4"), "bob".parse()?).await?;
    assert!(new.number > old.number);
    assert_eq!((new.who.as_str(), new.until), ("bob", old.until));
    assert_eq!(typist.rest().await?, "");
    lab.board("rpi4").print("still here\n").await?;
    assert_eq!(onlooker.line().await?, "still here");
    let refused = ada.type_at("rpi4").await.err();
    assert!(matches!(refused, Some(Error::HeldBy { .. })), "{refused:?}");
    bob.type_at("rpi4").await?.type_in("ls\r").await?;
    assert_eq!(lab.board("rpi4").typed(3).await?, "ls\r");
    Ok(())
}

#[tokio::test]
async fn a_board_is_never_free_while_it_is_handed_over() -> Result<()> {
    let setup = "#!/bin/sh\necho \"$1 $2 $3\" >> @dir/runs\n";
    let config = format!("setup_script = \"@dir/setup\"\n{}", boards(&["rpi4"]));
    let lab = Plan::new(config).script("setup", setup).by_hand().open().await?;
    let (ada, bob) = (lab.user("ada").await?, lab.user("bob").await?);
    ada.reserve(board("rpi4")).await?;
    ada.give(name("rpi4"), "bob".parse()?).await?;
    bob.release(name("rpi4"), Release::default()).await?;
    let runs = std::fs::read_to_string(lab.path("runs"))?;
    assert_eq!(runs, "reserve rpi4 ada\nrelease rpi4 ada\nreserve rpi4 bob\nrelease rpi4 bob\n");
    let journal = ada.journal("rpi4").await?.entries_until(|event| *event == Event::Freed).await?;
    let frees = journal.iter().filter(|entry| entry.event == Event::Freed).count();
    assert_eq!(frees, 1, "at the very end");
    Ok(())
}

#[tokio::test]
async fn a_board_is_not_handed_to_a_stranger_or_to_oneself() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let ada = lab.user("ada").await?;
    ada.reserve(board("rpi4")).await?;
    let refused = ada.give(name("rpi4"), "nobody-knows-me".parse()?).await.unwrap_err();
    assert_eq!(refused.to_string(), "there is no user 'nobody-knows-me'");
    let refused = ada.give(name("rpi4"), "ada".parse()?).await.unwrap_err();
    assert_eq!(refused.to_string(), "ada holds rpi4 already");
    Ok(())
}

#[tokio::test]
async fn an_old_number_is_refused_with_how_its_hold_ended() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let (ada, bob) = (lab.user("ada").await?, lab.user("bob").await?);
    let old = held(ada.reserve(board("rpi4")).await?)?.number;
    ada.give(name("rpi4"), "bob".parse()?).await?;
    bob.give(name("rpi4"), "ada".parse()?).await?;
    let release = |number| Release { number: Some(number), breaking: None };
    let refused = ada.release(name("rpi4"), release(old)).await.unwrap_err();
    let how = "it is not the board's newest".to_owned();
    assert_eq!(refused, Error::HoldOver { board: name("rpi4"), number: old, how });
    let newest = ada.holds().await?[0].number;
    ada.release(name("rpi4"), release(newest)).await?;
    let refused = ada.release(name("rpi4"), release(newest)).await.unwrap_err();
    let how = "released".to_owned();
    assert_eq!(refused, Error::HoldOver { board: name("rpi4"), number: newest, how });
    Ok(())
}

#[tokio::test]
async fn a_hold_is_broken_for_a_reason_that_both_sides_see() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let (ada, root) = (lab.user("ada").await?, lab.admin().await?);
    let hold = held(ada.reserve(board("rpi4")).await?)?;
    let mut typist = ada.type_at("rpi4").await?;
    let breaking = Release { number: None, breaking: Some("fire drill".to_owned()) };
    let refused = ada.release(name("rpi4"), breaking.clone()).await.unwrap_err();
    assert!(matches!(refused, Error::NotAllowed { .. }), "{refused}");
    assert_eq!(root.release(name("rpi4"), breaking).await?.number, hold.number);
    typist.rest().await?;
    let told = ada.placed(hold.number, Span::default()).await.unwrap_err();
    let how = "broken by root: fire drill".to_owned();
    assert_eq!(told, Error::HoldOver { board: name("rpi4"), number: hold.number, how });
    let entry = ada.journal("rpi4").await?.event(is_end).await?;
    let how = Ended::Broken { by: "root".parse()?, reason: "fire drill".to_owned() };
    assert_eq!(entry.event, Event::Ended { number: hold.number, holder: "ada".parse()?, how });
    assert_eq!(entry.who, Some("root".parse()?));
    Ok(())
}

#[tokio::test]
async fn a_holder_is_warned_once_before_the_end_and_again_if_they_extend() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let ada = lab.user("ada").await?;
    let hold = held(ada.reserve(Ask { span: Some(Span::hours(1)), ..board("rpi4") }).await?)?;
    let mut journal = ada.journal("rpi4").await?;
    let warns = |event: &Event| matches!(event, Event::Ending { .. });
    lab.advance(Span::minutes(55));
    let warning = journal.event(warns).await?;
    assert_eq!((warning.at, warning.event.until()), (lab.now(), Some(hold.until)));
    ada.extend(name("rpi4"), Span::hours(1)).await?;
    lab.advance(Span::minutes(55));
    journal.event(warns).await?;
    lab.advance(Span::minutes(5));
    let rest = journal.entries_until(is_end).await?;
    assert_eq!(rest.len(), 1, "{rest:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_hold_cuts_who_types_within_a_tenth_of_a_second_and_leaves_who_looks()
-> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let (ada, guest) = (lab.user("ada").await?, lab.viewer("guest").await?);
    let mut onlooker = guest.look_at("rpi4", From::End).await?;
    let mut times = Vec::new();
    for round in 0..9 {
        ada.reserve(Ask { span: Some(Span::minutes(10)), ..board("rpi4") }).await?;
        let mut typist = ada.type_at("rpi4").await?;
        let mut second = ada.type_at("rpi4").await?;
        lab.advance(Span::minutes(10));
        let began = Instant::now();
        typist.rest().await?;
        second.rest().await?;
        times.push(began.elapsed());
        lab.board("rpi4").print(format!("round {round}\n")).await?;
        assert_eq!(onlooker.line().await?, format!("round {round}"));
    }
    let (worst, p50) = (times.iter().max().copied(), median(times));
    eprintln!("consoles cut at the end of a hold: p50 {p50:?}, worst {worst:?}");
    assert!(p50 < Duration::from_millis(100), "{p50:?}");
    Ok(())
}

#[tokio::test]
async fn who_came_to_look_and_took_the_pen_is_cut_too() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let ada = lab.user("ada").await?;
    let mut console = ada.look_at("rpi4", From::End).await?;
    let hold = held(ada.reserve(board("rpi4")).await?)?;
    ada.pen(console.session(), PenAsk::Take).await?;
    console.type_in("x").await?;
    assert_eq!(lab.board("rpi4").typed(1).await?, "x");
    ada.release(name("rpi4"), Release { number: Some(hold.number), breaking: None }).await?;
    console.rest().await?;
    Ok(())
}

#[tokio::test]
async fn what_was_still_to_be_typed_under_a_hold_that_is_over_is_not_typed() -> Result<()> {
    let paced =
        boards(&["rpi4"]).replace("class = rpi;", "class = rpi; pace { bytes = 1; every = 20ms }");
    let lab = Plan::new(paced).by_hand().open().await?;
    let (ada, bob) = (lab.user("ada").await?, lab.user("bob").await?);
    ada.reserve(board("rpi4")).await?;
    let mut console = ada.type_at("rpi4").await?;
    console.type_in("rm -r /\r".repeat(1_000)).await?;
    lab.board("rpi4").typed(8).await?;
    ada.release(name("rpi4"), Release::default()).await?;
    bob.reserve(board("rpi4")).await?;
    let mut console = bob.type_at("rpi4").await?;
    console.type_in("!").await?;
    let mut typed = String::new();
    while !typed.ends_with('!') {
        typed += &lab.board("rpi4").typed(1).await?;
    }
    assert!(
        typed.len() < 100,
        "{} bytes of the old hold were typed under the new one",
        typed.len()
    );
    Ok(())
}

#[tokio::test]
async fn power_is_for_the_holder_and_for_administrators() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let (ada, bob, root) = (lab.user("ada").await?, lab.user("bob").await?, lab.admin().await?);
    let refused = bob.power(name("rpi4"), PowerAsk::On).await.unwrap_err();
    assert_eq!(refused, Error::NotHeld { board: name("rpi4") });
    ada.reserve(board("rpi4")).await?;
    let refused = bob.power(name("rpi4"), PowerAsk::On).await.unwrap_err();
    assert!(matches!(refused, Error::HeldBy { .. }), "{refused}");
    ada.power(name("rpi4"), PowerAsk::On).await?;
    root.power(name("rpi4"), PowerAsk::Off).await?;
    assert_eq!(lab.outlet("rpi4").orders(), ["on", "off"]);
    Ok(())
}
