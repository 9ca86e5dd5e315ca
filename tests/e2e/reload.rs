//! Taking over a changed configuration.

use anyhow::Result;
use lab_tests::lab::{Plan, TestLab, board, boards, file, held, name};
use lab_tests::patience::{soon, until};
use protocol::board::Filter;
use protocol::console::{From, Pen};
use protocol::hold::Release;
use protocol::journal::Event;
use protocol::power::{PowerAsk, PowerDetail, PowerState};
use protocol::wire::Follow;
use protocol::{Error, Span};
use tokio::task::JoinHandle;

#[tokio::test]
async fn what_is_configured_as_it_was_goes_on_undisturbed() -> Result<()> {
    let mut lab = TestLab::with_boards(&["rpi4", "rpi5"]).await?;
    let (ada, root) = (lab.user("ada").await?, lab.admin().await?);
    let hold = held(ada.reserve(board("rpi4")).await?)?;
    let mut console = ada.type_at("rpi4").await?;
    lab.board("rpi4").print("before ").await?;
    console.until("before ").await?;
    let changed = boards(&["rpi4", "rpi6"]).replace("tags = [arm64]", "tags = [arm64, poe]");
    lab.ground().configure(&changed).await?;
    let changes = root.reload().await?;
    assert_eq!(changes, ["rpi5 is gone", "rpi4: changed tags", "rpi6 is new"]);
    lab.board("rpi4").print("after\n").await?;
    assert_eq!(console.line().await?, "after", "the same session, from the next byte on");
    console.type_in("x").await?;
    assert_eq!(lab.board("rpi4").typed(1).await?, "x");
    assert_eq!(ada.holds().await?, [hold]);
    let names = ada.boards(Filter::default()).await?.into_iter().map(|row| row.name);
    assert_eq!(names.collect::<Vec<_>>(), [name("rpi4"), name("rpi6")]);
    let journal = ada.journal("rpi4").await?;
    drop(journal);
    lab.board("rpi6").print("hello\n").await?;
    assert_eq!(ada.look_at("rpi6", From::Start).await?.line().await?, "hello");
    assert_eq!(root.reload().await?, [""; 0], "nothing has changed since");
    Ok(())
}

/// All that is kept of a console.
fn all_of(board: &str) -> Follow {
    Follow::Console { board: name(board), from: From::Start, pen: Pen::Unwanted, stop_at_end: true }
}

#[tokio::test]
async fn a_board_that_has_left_keeps_its_history_and_goes_on_with_it_when_it_is_back() -> Result<()>
{
    let mut lab = TestLab::with_boards(&["rpi4", "rpi5"]).await?;
    let mut guest = lab.viewer("guest").await?;
    let root = lab.admin().await?;
    lab.board("rpi5").print("before\n").await?;
    guest.look_at("rpi5", From::Start).await?.until("before\n").await?;
    root.note(name("rpi5"), "the fan is loud".to_owned()).await?;
    let noted = |event: &Event| matches!(event, Event::Noted { .. });
    lab.ground().configure(&boards(&["rpi4"])).await?;
    root.reload().await?;
    drop(root);
    for _ in ["at once", "after a restart"] {
        guest.journal("rpi5").await?.event(noted).await?;
        assert_eq!(guest.follow(all_of("rpi5")).await?.rest().await?, "before\n");
        let live = guest.look_at("rpi5", From::Start).await.err();
        assert!(matches!(live, Some(Error::NoSuch { .. })), "{live:?}");
        for never in [guest.journal("rpi6").await.err(), guest.follow(all_of("rpi6")).await.err()] {
            assert!(matches!(never, Some(Error::NoSuch { .. })), "{never:?}");
        }
        drop(guest);
        lab = lab.restart().await?;
        guest = lab.viewer("guest").await?;
    }
    lab.ground().configure(&boards(&["rpi4", "rpi5"])).await?;
    lab.admin().await?.reload().await?;
    lab.board("rpi5").print("after\n").await?;
    guest.look_at("rpi5", From::Start).await?.until("before\nafter\n").await?;
    guest.journal("rpi5").await?.event(noted).await?;
    Ok(())
}

#[tokio::test]
async fn what_a_board_printed_that_has_left_is_kept_no_longer_than_the_rest() -> Result<()> {
    let config = |names: &[&str]| format!("history {{ age = 1w }}\n{}", boards(names));
    let mut lab = Plan::new(config(&["rpi4", "rpi5"])).by_hand().open().await?;
    lab.board("rpi5").print("secret\n").await?;
    lab.viewer("guest").await?.look_at("rpi5", From::Start).await?.until("secret\n").await?;
    lab.ground().configure(&config(&["rpi4"])).await?;
    lab.admin().await?.reload().await?;
    let lab = lab.restart().await?;
    let bytes = |lab: &TestLab, start: u64| {
        lab.path(&format!("state/consoles/rpi5/{start:020}.bytes")).exists()
    };
    until(|| bytes(&lab, 7)).await?;
    assert!(bytes(&lab, 0), "it is not old");
    lab.advance(Span::hours(24 * 7 + 1));
    let lab = lab.restart().await?;
    until(|| !bytes(&lab, 0)).await?;
    assert!(bytes(&lab, 7), "no byte of another console of that name is counted anew");
    Ok(())
}

#[tokio::test]
async fn a_reload_is_written_down_with_what_it_changes() -> Result<()> {
    let mut lab = TestLab::with_boards(&["rpi4"]).await?;
    let root = lab.admin().await?;
    let what = protocol::wire::Follow::Journal {
        board: None,
        from: Some(1),
        since: None,
        tail: 0,
        stop_at_end: false,
    };
    let mut journal = root.follow(what).await?;
    lab.ground().configure(&boards(&["rpi4", "rpi5"])).await?;
    root.reload().await?;
    let entry = journal.event(|event| matches!(event, Event::Reloaded { .. })).await?;
    assert_eq!(entry.event, Event::Reloaded { changes: vec!["rpi5 is new".to_owned()] });
    assert_eq!(entry.who, Some("root".parse()?));
    Ok(())
}

#[tokio::test]
async fn a_configuration_with_faults_changes_nothing_and_every_fault_is_told() -> Result<()> {
    let mut lab = TestLab::with_boards(&["rpi4"]).await?;
    let root = lab.admin().await?;
    lab.ground()
        .configure("bords [ ]\nclasses { a { } }\nboards [ { name = x; class = b } ]\n")
        .await?;
    let refused = root.reload().await.unwrap_err();
    let Error::Config { faults } = refused else { panic!("{refused}") };
    assert_eq!(faults.len(), 2, "{faults:#?}");
    assert!(faults[0].contains("labd.conf:1:1: ") && faults[0].contains("did you mean 'boards'?"));
    assert!(faults[1].contains("there is no class 'b'"), "{faults:#?}");
    assert_eq!(root.boards(Filter::default()).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_board_that_is_held_cannot_be_taken_out() -> Result<()> {
    let mut lab = TestLab::with_boards(&["rpi3", "rpi4"]).await?;
    let (ada, root) = (lab.user("ada").await?, lab.admin().await?);
    ada.reserve(board("rpi4")).await?;
    lab.ground().configure(&boards(&["rpi5"])).await?;
    let refused = root.reload().await.unwrap_err();
    assert!(matches!(&refused, Error::HeldBy { board, .. } if *board == name("rpi4")), "{refused}");
    let names = ada.boards(Filter::default()).await?.into_iter().map(|row| row.name);
    assert_eq!(names.collect::<Vec<_>>(), [name("rpi3"), name("rpi4")]);
    held(ada.reserve(board("rpi3")).await?)?;
    Ok(())
}

#[tokio::test]
async fn a_board_that_is_being_cleaned_cannot_be_taken_out_and_the_others_stay_too() -> Result<()> {
    let setup = "#!/bin/sh\ncd @dir\n[ $1 = reserve ] && exit 0\ntouch cleaning\nuntil [ -e go ]; do sleep 0.01; done\n";
    let config = |names: &[&str]| format!("setup_script = \"@dir/setup\"\n{}", boards(names));
    let mut lab =
        Plan::new(config(&["rpi3", "rpi4"])).script("setup", setup).by_hand().open().await?;
    let (ada, root) = (lab.user("ada").await?, lab.admin().await?);
    ada.reserve(board("rpi4")).await?;
    let releasing = tokio::spawn({
        let ada = ada.clone();
        async move { ada.release(name("rpi4"), Release::default()).await }
    });
    file(&lab.path("cleaning")).await?;
    lab.ground().configure(&config(&["rpi5"])).await?;
    let refused = root.reload().await.unwrap_err();
    assert!(matches!(refused, Error::HeldBy { .. }), "{refused}");
    held(ada.reserve(board("rpi3")).await?)?;
    std::fs::write(lab.path("go"), "")?;
    releasing.await??;
    Ok(())
}

#[tokio::test]
async fn a_console_that_is_configured_anew_keeps_its_history() -> Result<()> {
    let mut lab = TestLab::with_boards(&["rpi4"]).await?;
    let (ada, root) = (lab.user("ada").await?, lab.admin().await?);
    let mut console = ada.look_at("rpi4", From::Start).await?;
    lab.board("rpi4").print("one\n").await?;
    assert_eq!(console.line().await?, "one");
    let paced =
        boards(&["rpi4"]).replace("class = rpi;", "class = rpi; pace { bytes = 1; every = 1ms }");
    lab.ground().configure(&paced).await?;
    assert_eq!(root.reload().await?, ["rpi4: changed pace"]);
    lab.board("rpi4").print("two\n").await?;
    assert_eq!(ada.look_at("rpi4", From::Start).await?.until("two\n").await?, "one\ntwo\n");
    assert_eq!(console.line().await?, "two", "who looked goes on looking");
    Ok(())
}

#[tokio::test]
async fn holds_made_after_a_reload_have_its_terms() -> Result<()> {
    let mut lab = TestLab::with_boards(&["rpi4"]).await?;
    let (ada, root) = (lab.user("ada").await?, lab.admin().await?);
    let before = held(ada.reserve(board("rpi4")).await?)?;
    lab.ground()
        .configure(&("holds { default = 10min }\n".to_owned() + &boards(&["rpi4"])))
        .await?;
    root.reload().await?;
    assert_eq!(ada.holds().await?, [before]);
    ada.release(name("rpi4"), Release::default()).await?;
    let after = held(ada.reserve(board("rpi4")).await?)?;
    assert_eq!(after.until.since(after.since), Span::minutes(10));
    Ok(())
}

/// Boards that stay off for three seconds within a cycle.
fn slow() -> String {
    boards(&["rpi4"]).replace("dwell = 0s", "dwell = 3s")
}

/// A lab whose board has been switched off in a cycle, and that cycle.
async fn cycling() -> Result<(TestLab, JoinHandle<Result<PowerDetail, Error>>)> {
    let lab = Plan::new(slow()).by_hand().open().await?;
    let ada = lab.user("ada").await?;
    ada.reserve(board("rpi4")).await?;
    let mut journal = ada.journal("rpi4").await?;
    let cycle = tokio::spawn(async move { ada.power(name("rpi4"), PowerAsk::Cycle).await });
    journal.event(|event| matches!(event, Event::PowerStep { .. })).await?;
    Ok((lab, cycle))
}

#[tokio::test]
async fn a_cycle_in_hand_is_finished_once_when_the_times_of_power_change() -> Result<()> {
    let (mut lab, cycle) = cycling().await?;
    let root = lab.admin().await?;
    lab.ground().configure(&slow().replace("limit = 3s", "limit = 4s")).await?;
    assert_eq!(root.reload().await?, ["how power is switched has changed"]);
    lab.advance(Span::seconds(3));
    assert_eq!(soon(cycle).await???.state, PowerState::On);
    root.power(name("rpi4"), PowerAsk::Off).await?;
    assert_eq!(lab.outlet("rpi4").orders(), ["off", "on", "off"]);
    Ok(())
}

#[tokio::test]
async fn a_cycle_in_hand_is_finished_where_it_began_before_the_board_has_another_outlet()
-> Result<()> {
    let (mut lab, cycle) = cycling().await?;
    let (ada, root) = (lab.user("ada").await?, lab.admin().await?);
    lab.ground().configure(&slow().replace("@outlet(rpi4)", "@outlet(other)")).await?;
    let reloading = tokio::spawn(async move { root.reload().await });
    let all =
        Follow::Journal { board: None, from: Some(1), since: None, tail: 0, stop_at_end: false };
    let reloaded = |event: &Event| matches!(event, Event::Reloaded { .. });
    ada.follow(all).await?.event(reloaded).await?;
    let off = tokio::spawn({
        let ada = ada.clone();
        async move { ada.power(name("rpi4"), PowerAsk::Off).await }
    });
    ada.board(name("rpi4")).await?;
    lab.advance(Span::seconds(3));
    assert_eq!(soon(cycle).await???.state, PowerState::On);
    assert_eq!(soon(reloading).await???, ["rpi4: changed outlet"]);
    assert_eq!(soon(off).await???.state, PowerState::Off);
    assert_eq!(lab.outlet("rpi4").orders(), ["off", "on"]);
    assert_eq!(lab.outlet("other").orders(), ["off"]);
    Ok(())
}

#[tokio::test]
async fn what_was_asked_of_a_board_that_is_taken_out_is_refused_if_it_is_not_begun() -> Result<()> {
    let mut lab = Plan::new(slow()).by_hand().open().await?;
    let (ada, root) = (lab.user("ada").await?, lab.admin().await?);
    let mut journal = ada.journal("rpi4").await?;
    let ask = |ask| {
        let root = root.clone();
        tokio::spawn(async move { root.power(name("rpi4"), ask).await })
    };
    let cycle = ask(PowerAsk::Cycle);
    journal.event(|event| matches!(event, Event::PowerStep { .. })).await?;
    let off = ask(PowerAsk::Off);
    root.board(name("rpi4")).await?;
    lab.ground().configure(&boards(&["rpi5"])).await?;
    let reloading = tokio::spawn({
        let root = root.clone();
        async move { root.reload().await }
    });
    let refused = soon(off).await??.unwrap_err();
    assert!(refused.to_string().contains("the board was taken out of the lab"), "{refused}");
    lab.advance(Span::seconds(3));
    assert_eq!(soon(cycle).await???.state, PowerState::On);
    soon(reloading).await???;
    assert_eq!(lab.outlet("rpi4").orders(), ["off", "on"]);
    Ok(())
}
