//! Replays: what a console printed and what happened to its board, in one order.

use anyhow::{Context, Result, ensure};
use lab_tests::follower::Follower;
use lab_tests::lab::{Plan, TestLab, board, boards, name};
use lab_tests::patience::soon;
use lab_tests::person::Person;
use protocol::account::AccountAsk;
use protocol::console::From;
use protocol::journal::Event;
use protocol::replay::Moment;
use protocol::wire::Follow;
use protocol::{Error, Span, Time};

fn past(from: From, until: Option<From>) -> Follow {
    Follow::Replay { board: name("rpi4"), from, until, stop_at_end: true }
}

/// What is told, shortly: what was printed, and `<what happened>`, each with its time.
async fn told(person: &Person, what: Follow) -> Result<Vec<(Time, String)>> {
    let text = person.follow(what).await?.rest().await?;
    let moments = text.lines().map(serde_json::from_str).collect::<Result<Vec<Moment>, _>>()?;
    Ok(moments.iter().filter_map(short).collect())
}

fn short(moment: &Moment) -> Option<(Time, String)> {
    match moment {
        Moment::Printed { at, bytes, .. } => {
            Some((*at, String::from_utf8_lossy(bytes).into_owned()))
        }
        Moment::Happened { entry } => match &entry.event {
            Event::Noted { text } => Some((entry.at, format!("<{text}>"))),
            Event::Typed { text, .. } => Some((entry.at, format!("<typed {text:?}>"))),
            _ => None,
        },
        Moment::Unknown => None,
    }
}

fn words(told: &[(Time, String)]) -> Vec<&str> {
    told.iter().map(|(_, words)| words.as_str()).collect()
}

/// A board that has said a little, with a note after each of three times.
async fn scene() -> Result<(TestLab, Person)> {
    let lab = Plan::new(boards(&["rpi4"])).by_hand().open().await?;
    lab.settled().await?;
    let ada = lab.user("ada").await?;
    let mut console = ada.look_at("rpi4", From::Start).await?;
    for text in ["one", "two", "three"] {
        lab.advance(Span::seconds(10));
        lab.board("rpi4").print(format!("{text}\n")).await?;
        console.until(format!("{text}\n")).await?;
        lab.advance(Span::millis(5));
        ada.note(name("rpi4"), text.to_owned()).await?;
    }
    Ok((lab, ada))
}

#[tokio::test]
async fn bytes_and_entries_come_in_the_order_in_which_they_came_with_their_times() -> Result<()> {
    let (lab, ada) = scene().await?;
    let begun = Time(lab.now().0 - 30_015);
    let told = told(&ada, past(From::Start, None)).await?;
    assert_eq!(words(&told), ["one\n", "<one>", "two\n", "<two>", "three\n", "<three>"]);
    let times: Vec<_> = told.iter().map(|(at, _)| at.since(begun).0).collect();
    assert_eq!(times, [10_000, 10_005, 20_005, 20_010, 30_010, 30_015]);
    Ok(())
}

#[tokio::test]
async fn a_part_of_the_past_is_neither_longer_nor_shorter_than_was_asked() -> Result<()> {
    let (lab, ada) = scene().await?;
    let ago = |ms| From::Ago { span: Span(ms) };
    for (from, until, wanted) in [
        (From::Offset { offset: 4 }, None, &["<one>", "two\n", "<two>", "three\n", "<three>"][..]),
        (From::Offset { offset: 1 }, Some(From::Offset { offset: 6 }), &["ne\n", "<one>", "tw"]),
        (ago(20_005), Some(ago(10_005)), &["two\n", "<two>"]),
        (ago(20_010), Some(ago(10_006)), &["<one>", "two\n"]),
        (From::Time { time: lab.now() }, Some(ago(0)), &["<three>"]),
        (From::End, None, &[]),
    ] {
        assert_eq!(words(&told(&ada, past(from, until)).await?), wanted, "{from:?} {until:?}");
    }
    Ok(())
}

async fn next(replay: &mut Follower) -> Result<String> {
    loop {
        if let Some((_, words)) = short(&serde_json::from_str(&replay.line().await?)?) {
            return Ok(words);
        }
    }
}

#[tokio::test]
async fn a_replay_goes_on_with_what_happens() -> Result<()> {
    let (lab, ada) = scene().await?;
    let what =
        Follow::Replay { board: name("rpi4"), from: From::End, until: None, stop_at_end: false };
    let mut replay = ada.follow(what).await?;
    lab.board("rpi4").print("four\n").await?;
    assert_eq!(next(&mut replay).await?, "four\n");
    ada.note(name("rpi4"), "four".to_owned()).await?;
    assert_eq!(next(&mut replay).await?, "<four>");
    lab.board("rpi4").print("five\n").await?;
    assert_eq!(next(&mut replay).await?, "five\n");
    Ok(())
}

#[tokio::test]
async fn what_was_typed_unseen_is_in_no_replay() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let ada = lab.user("ada").await?;
    ada.reserve(board("rpi4")).await?;
    let mut journal = ada.journal("rpi4").await?;
    let mut console = ada.type_at("rpi4").await?;
    lab.board("rpi4").print("Password: ").await?;
    console.until("Password: ").await?;
    console.type_in("hunter2\r").await?;
    lab.board("rpi4").typed(8).await?;
    lab.board("rpi4").print("\r\nWelcome\r\n").await?;
    journal.event(|event| matches!(event, Event::Typed { .. })).await?;
    let text = ada.follow(past(From::Start, None)).await?.rest().await?;
    ensure!(text.contains(r#""kind":"typed","text":null,"bytes":8"#), "{text}");
    ensure!(!text.contains("hunter2"), "{text}");
    Ok(())
}

#[tokio::test]
async fn who_may_not_see_a_board_any_more_sees_no_more_of_its_replay() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let (ada, root) = (lab.user("ada").await?, lab.admin().await?);
    let what =
        Follow::Replay { board: name("rpi4"), from: From::Start, until: None, stop_at_end: false };
    let mut replay = ada.follow(what.clone()).await?;
    ada.note(name("rpi4"), "before".to_owned()).await?;
    assert_eq!(next(&mut replay).await?, "<before>");
    let hidden = boards(&["rpi4"]).replace("name = rpi4;", "name = rpi4; groups = kernel;");
    let mut lab = lab;
    lab.ground().configure(&hidden).await?;
    root.reload().await?;
    root.note(name("rpi4"), "after".to_owned()).await?;
    let rest = soon(replay.rest()).await??;
    ensure!(!rest.contains("after"), "{rest}");
    let refused = ada.follow(what.clone()).await.err().context("it is hidden")?;
    ensure!(matches!(refused, Error::NoSuch { .. }), "{refused}");
    let add = AccountAsk::Add { role: protocol::user::Role::User, span: None };
    root.change_account("ada".parse()?, add).await?;
    root.change_account("ada".parse()?, AccountAsk::Join { group: "kernel".to_owned() }).await?;
    let again = lab.user("ada").await?.follow(what).await;
    ensure!(again.is_ok(), "{:?}", again.err());
    Ok(())
}
