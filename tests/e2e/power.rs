//! Switching boards.

use std::time::Instant;

use anyhow::Result;
use lab_tests::lab::{Plan, TestLab, board, boards, held, name};
use lab_tests::patience::soon;
use protocol::client::Client;
use protocol::journal::{Entry, Event};
use protocol::power::{PowerAsk, PowerState};
use protocol::{Error, Span};

/// Boards that stay off for three seconds within a cycle.
fn slow(names: &[&str]) -> String {
    boards(names).replace("dwell = 0s", "dwell = 3s")
}

fn done(event: &Event) -> bool {
    matches!(event, Event::PowerDone { .. })
}

fn sentences(entries: &[Entry]) -> Vec<String> {
    let who = |entry: &Entry| entry.who.as_ref().map(|who| format!("{who}: ")).unwrap_or_default();
    let of_power = |entry: &&Entry| {
        let text = entry.event.to_string();
        text.contains("power") || text.contains("outlet")
    };
    entries.iter().filter(of_power).map(|entry| format!("{}{}", who(entry), entry.event)).collect()
}

#[tokio::test]
async fn every_step_of_a_cycle_is_on_the_timeline_before_it_is_taken() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let ada = lab.user("ada").await?;
    ada.reserve(board("rpi4")).await?;
    let detail = ada.power(name("rpi4"), PowerAsk::On).await?;
    assert_eq!((detail.state, detail.doing, detail.fault), (PowerState::On, None, None));
    let mut journal = ada.journal("rpi4").await?;
    journal.event(done).await?;
    ada.power(name("rpi4"), PowerAsk::Cycle).await?;
    assert_eq!(
        sentences(&journal.entries_until(done).await?),
        [
            "ada: asked for power cycle",
            "ada: the outlet was told to be off",
            "power was seen to be off",
            "ada: the cycle goes on: power stays off for a while",
            "ada: the cycle goes on: power is to be on",
            "ada: the outlet was told to be on",
            "boot 2 began: power came on",
            "power was seen to be on",
            "ada: power cycle is done",
        ]
    );
    assert_eq!(lab.outlet("rpi4").orders(), ["on", "off", "on"]);
    Ok(())
}

#[tokio::test]
async fn a_board_stays_off_for_a_while_within_a_cycle() -> Result<()> {
    let lab = Plan::new(slow(&["rpi4"])).by_hand().open().await?;
    let ada = lab.user("ada").await?;
    ada.reserve(board("rpi4")).await?;
    ada.power(name("rpi4"), PowerAsk::On).await?;
    let mut journal = ada.journal("rpi4").await?;
    let cycling = tokio::spawn({
        let ada = ada.clone();
        async move { ada.power(name("rpi4"), PowerAsk::Cycle).await }
    });
    let rests = |event: &Event| matches!(event, Event::PowerStep { to: PowerState::Off });
    journal.event(rests).await?;
    assert!(!lab.outlet("rpi4").is_on());
    assert_eq!(ada.board(name("rpi4")).await?.outlet.unwrap().doing, Some(PowerAsk::Cycle));
    lab.advance(Span::seconds(3));
    assert_eq!(soon(cycling).await???.state, PowerState::On);
    Ok(())
}

#[tokio::test]
async fn who_asks_for_what_is_being_done_waits_for_the_same_deed() -> Result<()> {
    let lab = Plan::new(slow(&["rpi4"])).by_hand().open().await?;
    let (ada, root) = (lab.user("ada").await?, lab.admin().await?);
    ada.reserve(board("rpi4")).await?;
    let mut journal = ada.journal("rpi4").await?;
    let ask = |who: &Client, ask| {
        let who = who.clone();
        tokio::spawn(async move { who.power(name("rpi4"), ask).await })
    };
    let cycle = ask(&ada, PowerAsk::Cycle);
    journal.event(|event| matches!(event, Event::PowerStep { .. })).await?;
    let joined = [ask(&root, PowerAsk::Cycle), ask(&ada, PowerAsk::Cycle)];
    for _ in &joined {
        journal.event(|event| *event == Event::PowerJoined { ask: PowerAsk::Cycle }).await?;
    }
    // Behind it: one that waits to be begun is joined as well.
    let off = ask(&ada, PowerAsk::Off);
    ada.board(name("rpi4")).await?;
    let also_off = ask(&root, PowerAsk::Off);
    // An answer to a later call: what was sent before it has been taken by then.
    root.board(name("rpi4")).await?;
    lab.advance(Span::seconds(3));
    for asked in [cycle].into_iter().chain(joined) {
        soon(asked).await???;
    }
    for asked in [off, also_off] {
        assert_eq!(soon(asked).await???.state, PowerState::Off);
    }
    assert_eq!(lab.outlet("rpi4").orders(), ["off", "on", "off"]);
    let is_off = |event: &Event| *event == Event::PowerDone { ask: PowerAsk::Off };
    let told = sentences(&ada.journal("rpi4").await?.entries_until(is_off).await?);
    let asked: Vec<_> = told.iter().filter(|sentence| sentence.contains("asked")).collect();
    assert_eq!(
        asked,
        [
            "ada: asked for power cycle",
            "root: also asked for power cycle",
            "ada: also asked for power cycle",
            "ada: asked for power off",
            "root: also asked for power off",
        ]
    );
    Ok(())
}

#[tokio::test]
async fn a_deed_is_done_though_who_asked_for_it_has_left() -> Result<()> {
    let lab = Plan::new(slow(&["rpi4"])).by_hand().open().await?;
    let ada = lab.user("ada").await?;
    ada.reserve(board("rpi4")).await?;
    let mut journal = ada.journal("rpi4").await?;
    let asked = tokio::spawn({
        let caller = lab.user("ada").await?;
        async move { caller.power(name("rpi4"), PowerAsk::Cycle).await }
    });
    journal.event(|event| matches!(event, Event::PowerStep { .. })).await?;
    asked.abort();
    lab.advance(Span::seconds(3));
    journal.event(done).await?;
    assert!(lab.outlet("rpi4").is_on());
    Ok(())
}

#[tokio::test]
async fn a_restart_in_the_middle_of_a_cycle_does_not_leave_the_board_off() -> Result<()> {
    let lab = Plan::new(slow(&["rpi4"])).by_hand().open().await?;
    let ada = lab.user("ada").await?;
    ada.reserve(board("rpi4")).await?;
    ada.power(name("rpi4"), PowerAsk::On).await?;
    let mut journal = ada.journal("rpi4").await?;
    let asked = tokio::spawn({
        let ada = ada.clone();
        async move { ada.power(name("rpi4"), PowerAsk::Cycle).await }
    });
    journal.event(|event| matches!(event, Event::PowerStep { .. })).await?;
    let lab = lab.restart().await?;
    let told = soon(asked).await??.unwrap_err();
    assert!(matches!(told, Error::Unreachable { .. } | Error::CannotRecord { .. }), "{told}");
    let ada = lab.user("ada").await?;
    let mut journal = ada.journal("rpi4").await?;
    // The pause begins again: nobody knows how long the board was really off.
    let again = |event: &Event| *event == Event::PowerAsked { ask: PowerAsk::Cycle };
    journal.event(again).await?;
    assert_eq!(journal.event(again).await?.who, Some("ada".parse()?));
    lab.advance(Span::seconds(3));
    let rest = journal.entries_until(done).await?;
    let of_ada = |entry: &Entry| entry.who.is_some();
    let seen = |entry: &Entry| {
        use Event::{BootBegan, ConsoleOpened, PowerSeen};
        matches!(entry.event, PowerSeen { .. } | ConsoleOpened | BootBegan { .. })
    };
    assert!(rest.iter().all(|entry| of_ada(entry) || seen(entry)), "{rest:#?}");
    assert_eq!(lab.outlet("rpi4").orders(), ["on", "off", "on"]);
    Ok(())
}

#[tokio::test]
async fn an_outlet_that_refuses_is_told_with_its_words() -> Result<()> {
    let lab = Plan::new(boards(&["rpi4"]).replace("limit = 3s", "limit = 100ms")).open().await?;
    let ada = lab.user("ada").await?;
    ada.reserve(board("rpi4")).await?;
    ada.power(name("rpi4"), PowerAsk::On).await?;
    lab.outlet("rpi4").fail()?;
    let refused = ada.power(name("rpi4"), PowerAsk::Off).await.unwrap_err();
    assert!(refused.to_string().ends_with("rpi4: the relay is stuck"), "{refused}");
    let failed = |event: &Event| matches!(event, Event::PowerFailed { .. });
    ada.journal("rpi4").await?.event(failed).await?;
    let row = ada.board(name("rpi4")).await?;
    assert_eq!(row.board.power, PowerState::Unknown, "nobody can say");
    assert!(row.board.fault.unwrap_or_default().contains("relay is stuck"));
    Ok(())
}

/// How it stood when the daemon last ran is remembered for the timeline, and shown to nobody.
#[tokio::test]
async fn after_a_restart_nobody_can_say_until_the_outlet_does() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    lab.settled().await?;
    let power = async |lab: &TestLab| -> Result<PowerState> {
        Ok(lab.admin().await?.board(name("rpi4")).await?.board.power)
    };
    assert_eq!(power(&lab).await?, PowerState::Off);
    lab.outlet("rpi4").die()?;
    let lab = lab.restart().await?;
    assert_eq!(power(&lab).await?, PowerState::Unknown);
    Ok(())
}

#[tokio::test]
async fn a_controller_that_is_dead_delays_its_own_boards_only() -> Result<()> {
    let config = boards(&["rpi4", "rpi5", "rpi6"])
        .replace("@outlet(rpi4)", "@outlet(rpi4 at poe)")
        .replace("@outlet(rpi5)", "@outlet(rpi5 at poe)");
    let lab = Plan::new(config).open().await?;
    lab.outlet("rpi4").die()?;
    lab.outlet("rpi5").die()?;
    let root = lab.admin().await?;
    let dead = ["rpi4", "rpi5"].map(|board| {
        let root = root.clone();
        tokio::spawn(async move { root.power(name(board), PowerAsk::On).await })
    });
    root.board(name("rpi4")).await?;
    let began = Instant::now();
    for ask in [PowerAsk::On, PowerAsk::Off, PowerAsk::Cycle] {
        root.power(name("rpi6"), ask).await?;
    }
    let others = began.elapsed();
    for asked in dead {
        assert!(matches!(soon(asked).await??, Err(Error::Device { .. })));
    }
    eprintln!(
        "three jobs beside a dead controller: {others:?}; it was given up after {:?}",
        began.elapsed()
    );
    assert!(others < began.elapsed());
    Ok(())
}

#[tokio::test]
async fn a_board_without_an_outlet_says_so() -> Result<()> {
    let lab = Plan::new("classes { a { } } boards [ { name = bare; class = a } ]").open().await?;
    let ada = lab.user("ada").await?;
    held(ada.reserve(board("bare")).await?)?;
    let refused = ada.power(name("bare"), PowerAsk::On).await.unwrap_err();
    assert_eq!(refused, Error::Lacks { board: name("bare"), what: "outlet".to_owned() });
    assert_eq!(ada.board(name("bare")).await?.board.power, PowerState::None);
    let refused = ada.type_at("bare").await.err();
    assert_eq!(refused, Some(Error::Lacks { board: name("bare"), what: "console".to_owned() }));
    Ok(())
}

#[tokio::test]
async fn what_an_earlier_holder_asked_for_and_was_not_begun_is_not_done_to_the_next() -> Result<()>
{
    let lab = Plan::new(slow(&["rpi4"])).by_hand().open().await?;
    let ada = lab.user("ada").await?;
    ada.reserve(board("rpi4")).await?;
    let mut journal = ada.journal("rpi4").await?;
    let ask = |ask| {
        let ada = ada.clone();
        tokio::spawn(async move { ada.power(name("rpi4"), ask).await })
    };
    let cycle = ask(PowerAsk::Cycle);
    journal.event(|event| matches!(event, Event::PowerStep { .. })).await?;
    let off = ask(PowerAsk::Off);
    ada.board(name("rpi4")).await?;
    ada.give(name("rpi4"), "bob".parse()?).await?;
    lab.advance(Span::seconds(3));
    assert_eq!(soon(cycle).await???.state, PowerState::On, "a cycle is never left in its middle");
    let told = soon(off).await??.unwrap_err();
    assert!(matches!(told, Error::HoldOver { .. }), "{told}");
    assert!(lab.outlet("rpi4").is_on());
    Ok(())
}

#[tokio::test]
async fn a_restart_tells_which_power_has_changed_meanwhile_and_only_that() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4", "rpi5"]).await?;
    lab.settled().await?;
    lab.outlet("rpi5").switch_on_by_hand()?;
    let lab = lab.restart().await?;
    lab.settled().await?;
    let ada = lab.user("ada").await?;
    ada.outlet(name("rpi4")).await?;
    ada.outlet(name("rpi5")).await?;
    ada.note(name("rpi4"), "looked".to_owned()).await?;
    ada.note(name("rpi5"), "looked".to_owned()).await?;
    let noted = |event: &Event| matches!(event, Event::Noted { .. });
    let seen = |entries: Vec<Entry>| sentences(&entries);
    let same = ada.journal("rpi4").await?.entries_until(noted).await?;
    assert_eq!(seen(same), ["power was seen to be off"], "once, before the restart");
    let other = ada.journal("rpi5").await?.entries_until(noted).await?;
    assert_eq!(seen(other), ["power was seen to be off", "power was seen to be on"]);
    Ok(())
}
