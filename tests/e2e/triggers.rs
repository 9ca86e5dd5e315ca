//! Triggers: what the lab does when a console shows something.

use std::cell::Cell;
use std::fs;
use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use axum::Json;
use axum::routing::post;
use lab_tests::lab::{Plan, TestLab, board, file, name};
use lab_tests::patience::soon;
use protocol::board::State;
use protocol::console::From;
use protocol::journal::Event;
use protocol::power::PowerAsk;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

fn lab(triggers: &str) -> Plan {
    Plan::new(format!(
        "power {{ dwell = 0s }} access {{ admin = root; user = ada }} triggers {{ {triggers} }}
         classes {{ rpi {{ }} }}
         boards [ {{ name = rpi4; class = rpi; options = [ @console(rpi4), @outlet(rpi4) ] }} ]"
    ))
    .by_hand()
}

async fn entries(lab: &TestLab, wanted: impl Fn(&Event) -> bool) -> Result<Vec<Event>> {
    let mut journal = lab.admin().await?.journal("rpi4").await?;
    let entries = journal.entries_until(wanted).await?;
    Ok(entries.into_iter().map(|entry| entry.event).collect())
}

#[tokio::test]
async fn a_prompt_is_answered_whoever_has_the_pen() -> Result<()> {
    let trigger = "stop { match = \"stop autoboot: +[0-9]\"; send = \" \" }";
    let lab = lab(trigger).open().await?;
    let ada = lab.user("ada").await?;
    ada.reserve(board("rpi4")).await?;
    let _pen = ada.type_at("rpi4").await?;
    lab.board("rpi4").print("Hit any key to stop auto").await?;
    lab.board("rpi4").print("\x1b[1mboot:  3").await?;
    assert_eq!(lab.board("rpi4").typed(1).await?, " ");
    lab.board("rpi4").print(" \r\n=> ").await?;
    let mut journal = lab.admin().await?.journal("rpi4").await?;
    let matched = journal.event(|event| matches!(event, Event::Matched { .. })).await?;
    let text = "Hit any key to stop autoboot:  3".to_owned();
    assert_eq!(matched.event, Event::Matched { trigger: "stop".into(), text });
    assert_eq!(matched.offset, Some(36), "its place is behind the colour");
    let typed = journal.event(|event| matches!(event, Event::Typed { .. })).await?;
    assert_eq!((typed.who, typed.via), (None, Some("trigger stop".to_owned())));
    Ok(())
}

/// Somebody who hears of what triggers tell: their port, and what they hear.
async fn hook() -> Result<(u16, mpsc::Receiver<Value>)> {
    let (heard, told) = mpsc::channel(1);
    let hook = post(async move |Json(facts): Json<Value>| {
        // The test may have ended.
        let _ = heard.send(facts).await;
    });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    let server = axum::serve(listener, axum::Router::new().route("/hook", hook));
    tokio::spawn(server.into_future());
    Ok((port, told))
}

#[tokio::test]
async fn who_is_to_hear_of_it_is_told() -> Result<()> {
    let (port, mut told) = hook().await?;
    let lab = lab(&format!(
        "hot {{ match = \"over temperature\"; post = \"http://127.0.0.1:{port}/hook\" }}"
    ))
    .open()
    .await?;
    lab.board("rpi4").print("[ 12.5] thermal: over temperature\n").await?;
    let facts = soon(told.recv()).await?.context("a body")?;
    assert_eq!(
        facts,
        serde_json::json!({
            "board": "rpi4", "class": "rpi", "trigger": "hot",
            "text": "[ 12.5] thermal: over temperature", "offset": 33, "at": lab.now().0,
        })
    );
    Ok(())
}

#[tokio::test]
async fn an_address_that_is_secret_is_in_a_file_and_only_there() -> Result<()> {
    let (port, mut told) = hook().await?;
    let lab = lab("hot { match = \"too hot\"; post_file = hook }")
        .secret("hook", &format!("http://127.0.0.1:{port}/hook"))
        .open()
        .await?;
    lab.board("rpi4").print("too hot\n").await?;
    assert_eq!(soon(told.recv()).await?.context("a body")?["trigger"], "hot");
    assert_eq!(lab.admin().await?.triggers().await?[0].deeds, ["post"]);

    fs::remove_file(lab.path("hook"))?;
    lab.board("rpi4").print("too hot again\n").await?;
    let noted = entries(&lab, |event| matches!(event, Event::Noted { .. })).await?;
    let text =
        "nobody could be told: the file with the address cannot be read; the log of labd says why";
    assert_eq!(noted.last(), Some(&Event::Noted { text: text.to_owned() }));
    Ok(())
}

#[tokio::test]
async fn a_program_is_told_and_what_fails_is_on_the_timeline() -> Result<()> {
    let tell = "#!/bin/sh\ncat > \"$(dirname \"$0\")/told.new\"\n\
        echo \" $LAB_BOARD $LAB_TRIGGER $LAB_OFFSET $LAB_TEXT\" >> \"$(dirname \"$0\")/told.new\"\n\
        mv \"$(dirname \"$0\")/told.new\" \"$(dirname \"$0\")/told\"\n";
    let triggers = "hot { match = \"too hot\"; run = [\"./tell\"] }
        sad { match = \"too sad\"; run = [false] }
        lost { match = \"lost\"; post = \"http://127.0.0.1:1/\" }";
    let lab = lab(triggers).script("tell", tell).open().await?;
    lab.board("rpi4").print("too hot\n").await?;
    let told = file(&lab.path("told")).await?;
    assert!(told.starts_with("{\"at\":"), "{told}");
    assert!(told.ends_with(" rpi4 hot 7 too hot\n"), "{told}");
    lab.board("rpi4").print("too sad\n").await?;
    entries(&lab, |event| {
        matches!(event, Event::Noted { text } if text == "the program failed: exit status: 1")
    })
    .await?;
    lab.board("rpi4").print("lost\n").await?;
    entries(&lab, |event| {
        matches!(event, Event::Noted { text } if text.starts_with("nobody could be told: "))
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn a_board_can_be_switched_off_and_a_hold_ended() -> Result<()> {
    let lab = lab("fire { match = \"smoke\"; power = off; release = yes }").open().await?;
    let ada = lab.user("ada").await?;
    ada.reserve(board("rpi4")).await?;
    ada.power(name("rpi4"), PowerAsk::On).await?;
    lab.board("rpi4").print("there is smoke").await?;
    let seen = entries(&lab, |event| matches!(event, Event::PowerDone { ask: PowerAsk::Off }));
    assert!(seen.await?.contains(&Event::PowerAsked { ask: PowerAsk::Off }));
    entries(&lab, |event| matches!(event, Event::Ended { .. })).await?;
    assert_eq!(ada.board(name("rpi4")).await?.board.state, State::Free);
    assert!(!lab.outlet("rpi4").is_on());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_board_that_says_it_a_million_times_is_muted() -> Result<()> {
    let lab = lab("loop { match = \"=> \"; send = \"again\\n\"; times = 3; every = 1min }")
        .open()
        .await?;
    let mut console = lab.admin().await?.look_at("rpi4", From::Start).await?;
    let prompts = "=> \n".repeat(10_000);
    let printing = async {
        for _ in 0..100 {
            lab.board("rpi4").print(&prompts).await?;
        }
        lab.board("rpi4").print("the end").await
    };
    let ((), seen) = futures::try_join!(printing, console.until("the end"))?;
    assert_eq!(seen.len(), 4_000_000 + 7);
    assert_eq!(lab.board("rpi4").typed(18).await?, "again\nagain\nagain\n");
    lab.advance(protocol::Span::minutes(1));
    lab.board("rpi4").print("\n=> ").await?;
    assert_eq!(lab.board("rpi4").typed(6).await?, "again\n");
    let matched = Cell::new(0);
    let entries = entries(&lab, |event| {
        matched.set(matched.get() + u32::from(matches!(event, Event::Matched { .. })));
        matched.get() == 4
    });
    let entries = entries.await?;
    let muted = entries.iter().filter(|event| matches!(event, Event::Muted { .. })).count();
    assert_eq!(muted, 1, "{entries:?}");
    assert!(entries.len() < 20, "{}", entries.len());
    Ok(())
}

#[tokio::test]
async fn a_reload_has_other_triggers_and_the_line_so_far() -> Result<()> {
    let mut lab = lab("one { match = \"one\"; send = \"1\" }").open().await?;
    let mut console = lab.admin().await?.look_at("rpi4", From::Start).await?;
    lab.board("rpi4").print("tw").await?;
    console.until("tw").await?;
    let config = fs::read_to_string(lab.path("labd.conf"))?;
    let config = config
        .replace("one { match = \"one\"; send = \"1\" }", "two { match = \"^two\"; send = \"2\" }");
    fs::write(lab.path("labd.conf"), config)?;
    let _ = lab.ground();
    let root = lab.admin().await?;
    assert_eq!(root.reload().await?, ["rpi4: changed triggers"]);
    let triggers = root.triggers().await?;
    let told: Vec<_> = triggers.iter().map(|it| (it.name.as_str(), it.boards.len())).collect();
    assert_eq!(told, [("two", 1)]);
    lab.board("rpi4").print("o\n").await?;
    assert_eq!(lab.board("rpi4").typed(1).await?, "2");
    Ok(())
}
