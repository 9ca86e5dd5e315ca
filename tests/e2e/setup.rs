//! The setup script: what a site does before a hold begins and after it has ended.

use std::fs;

use anyhow::Result;
use lab_tests::lab::{Plan, TestLab, board, boards, file, held, name, queued, waits};
use lab_tests::patience::soon;
use protocol::board::State;
use protocol::hold::{Ask, Ended, Release};
use protocol::journal::Event;
use protocol::{Error, Span};
use serde_json::json;

/// A lab whose setup script is this.
async fn lab(script: &str) -> Result<TestLab> {
    let config = format!("setup_script = \"@dir/setup\"\nsetup_limit = 2s\n{}", boards(&["rpi4"]));
    let script = format!("#!/bin/sh\ncd @dir\n{script}\n");
    Plan::new(config).script("setup", &script).by_hand().open().await
}

fn failed(event: &Event) -> bool {
    matches!(event, Event::SetupFailed { .. })
}

#[tokio::test]
async fn what_the_script_prints_is_known_of_the_board_while_it_is_held() -> Result<()> {
    let lab = lab(r#"[ $1 = release ] || echo '{ "ip": "10.0.0.7", "port": 2222 }'"#).await?;
    let ada = lab.user("ada").await?;
    ada.reserve(board("rpi4")).await?;
    let known = ada.board(name("rpi4")).await?.attributes;
    assert_eq!(known["ip"], json!("10.0.0.7"));
    assert_eq!(known["port"], json!(2222));
    assert_eq!(known["arch"], json!("arm64-aarch64"), "the class's are there too");
    let lab = lab.restart().await?;
    let ada = lab.user("ada").await?;
    assert_eq!(ada.board(name("rpi4")).await?.attributes, known, "also after a restart");
    ada.release(name("rpi4"), Release::default()).await?;
    assert!(!ada.board(name("rpi4")).await?.attributes.contains_key("ip"));
    Ok(())
}

#[tokio::test]
async fn the_script_is_told_of_the_board_the_hold_and_the_key() -> Result<()> {
    let lab = lab(r#"[ $1 = release ] && exit 0
        echo "$@ | $LAB_BOARD $LAB_CLASS $LAB_USER $LAB_HOLD" > told; cat > known"#)
    .await?;
    let ada = lab.user("ada").await?;
    let ask = Ask { ssh_key: Some("ssh-ed25519 AAAA ada".to_owned()), ..board("rpi4") };
    let number = held(ada.reserve(ask).await?)?.number;
    let told = fs::read_to_string(lab.path("told"))?;
    assert_eq!(told, format!("reserve rpi4 ada ssh-ed25519 AAAA ada | rpi4 rpi ada {number}\n"));
    let known: serde_json::Value = serde_json::from_str(&fs::read_to_string(lab.path("known"))?)?;
    assert_eq!(known["arch"], "arm64-aarch64");
    Ok(())
}

#[tokio::test]
async fn a_script_that_fails_undoes_the_hold_and_is_quoted() -> Result<()> {
    let lab = lab("[ $1 = release ] && exit 0\necho no jail left >&2; exit 3").await?;
    let ada = lab.user("ada").await?;
    let refused = ada.reserve(board("rpi4")).await.unwrap_err();
    let (why, output) = ("it ended with status 3".to_owned(), "no jail left".to_owned());
    assert_eq!(
        refused,
        Error::Setup { board: name("rpi4"), why: why.clone(), output: output.clone() }
    );
    let mut journal = ada.journal("rpi4").await?;
    let entry = journal.event(failed).await?;
    let Event::SetupFailed { why: noted, output: printed, .. } = entry.event else {
        unreachable!()
    };
    assert_eq!((noted, printed), (why, output));
    let end = journal.event(|event| matches!(event, Event::Ended { .. })).await?;
    assert!(matches!(end.event, Event::Ended { how: Ended::Undone, .. }), "{:?}", end.event);
    journal.event(|event| *event == Event::Freed).await?;
    assert_eq!(ada.board(name("rpi4")).await?.board.state, State::Free);
    Ok(())
}

#[tokio::test]
async fn a_script_that_prints_nonsense_or_takes_too_long_undoes_the_hold() -> Result<()> {
    for (script, told) in [
        ("echo ready", "what it printed is not one JSON object"),
        ("echo '[1]'", "what it printed is not one JSON object"),
        ("echo waiting for the jail >&2; exec sleep 600", "it took longer than 2s"),
        ("kill -9 $$", "it was killed"),
    ] {
        let lab = lab(&format!("[ $1 = release ] && exit 0\n{script}")).await?;
        let ada = lab.user("ada").await?;
        let refused = ada.reserve(board("rpi4")).await.unwrap_err();
        let Error::Setup { why, .. } = refused else { panic!("{refused}") };
        assert!(why.starts_with(told), "{why}");
        assert_eq!(ada.holds().await?, []);
    }
    Ok(())
}

#[tokio::test]
async fn a_failed_setup_does_not_keep_the_board_from_who_waits() -> Result<()> {
    let lab = lab("[ $1 = release ] && exit 0\n[ $3 != bob ] || exit 1").await?;
    let (ada, bob, eve) = (lab.user("ada").await?, lab.user("bob").await?, lab.user("eve").await?);
    ada.reserve(board("rpi4")).await?;
    let bobs = waits(bob.reserve(queued(board("rpi4"))).await?)?.number;
    let eves = waits(eve.reserve(queued(board("rpi4"))).await?)?.number;
    ada.release(name("rpi4"), Release::default()).await?;
    held(eve.placed(eves, Span::minutes(1)).await?)?;
    let told = bob.placed(bobs, Span::minutes(1)).await.unwrap_err();
    assert!(told.to_string().ends_with("is over: its setup failed"), "{told}");
    Ok(())
}

#[tokio::test]
async fn who_waits_is_not_forgotten_while_their_board_is_prepared() -> Result<()> {
    let lab =
        lab("[ $1 = release ] && exit 0\n[ $3 = ada ] || until [ -e go ]; do sleep 0.01; done")
            .await?;
    let (ada, bob) = (lab.user("ada").await?, lab.user("bob").await?);
    ada.reserve(board("rpi4")).await?;
    let place = waits(bob.reserve(queued(board("rpi4"))).await?)?.number;
    ada.release(name("rpi4"), Release::default()).await?;
    assert_eq!(ada.board(name("rpi4")).await?.board.state, State::Preparing);
    assert_eq!(waits(bob.placed(place, Span::default()).await?)?.number, place);
    fs::write(lab.path("go"), "")?;
    held(bob.placed(place, Span::minutes(1)).await?)?;
    Ok(())
}

#[tokio::test]
async fn a_board_is_promised_while_its_script_runs_and_freed_if_it_is_given_back_meanwhile()
-> Result<()> {
    let lab = lab(r#"echo $1 >> runs; [ $1 = release ] && exit 0
        until [ -e go ]; do sleep 0.01; done"#)
    .await?;
    let (ada, bob) = (lab.user("ada").await?, lab.user("bob").await?);
    let reserving = tokio::spawn({
        let ada = ada.clone();
        async move { ada.reserve(board("rpi4")).await }
    });
    file(&lab.path("runs")).await?;
    assert_eq!(bob.board(name("rpi4")).await?.board.state, State::Preparing);
    let refused = bob.reserve(board("rpi4")).await.unwrap_err();
    assert!(matches!(refused, Error::HeldBy { .. }), "{refused}");
    let releasing = tokio::spawn({
        let ada = ada.clone();
        async move { ada.release(name("rpi4"), Release::default()).await }
    });
    let mut journal = bob.journal("rpi4").await?;
    journal.event(|event| matches!(event, Event::Ended { .. })).await?;
    fs::write(lab.path("go"), "")?;
    soon(releasing).await???;
    let told = soon(reserving).await??.unwrap_err();
    assert!(matches!(told, Error::HoldOver { .. }), "{told}");
    assert_eq!(fs::read_to_string(lab.path("runs"))?, "reserve\nrelease\n");
    assert_eq!(bob.board(name("rpi4")).await?.board.state, State::Free);
    Ok(())
}

#[tokio::test]
async fn a_clean_up_that_fails_is_told_and_the_board_is_chosen_last() -> Result<()> {
    let config = format!("setup_script = \"@dir/setup\"\n{}", boards(&["rpi4", "rpi5"]));
    let script =
        "#!/bin/sh\n[ $1 = reserve ] || [ $2 != rpi4 ] || { echo jail stuck >&2; exit 1; }\n";
    let lab = Plan::new(config).script("setup", script).by_hand().open().await?;
    let ada = lab.user("ada").await?;
    ada.reserve(board("rpi4")).await?;
    ada.reserve(board("rpi5")).await?;
    ada.release(name("rpi4"), Release::default()).await?;
    lab.advance(Span::minutes(1));
    ada.release(name("rpi5"), Release::default()).await?;
    let fault = ada.board(name("rpi4")).await?.board.fault.unwrap_or_default();
    assert_eq!(fault, "its setup script failed on release: it ended with status 1");
    assert!(ada.doctor().await?.iter().any(|line| line.contains(&fault)));
    let chosen = held(ada.reserve(lab_tests::lab::class("rpi")).await?)?.board;
    assert_eq!(
        chosen,
        name("rpi5"),
        "rpi4 has been free for longer, but something is wrong with it"
    );
    Ok(())
}

#[tokio::test]
async fn power_goes_off_when_a_hold_ends_if_that_is_configured() -> Result<()> {
    let config = boards(&["rpi4"]).replace("class = rpi;", "class = rpi; on_release = off;");
    let lab = Plan::new(config).by_hand().open().await?;
    let ada = lab.user("ada").await?;
    ada.reserve(board("rpi4")).await?;
    ada.power(name("rpi4"), protocol::power::PowerAsk::On).await?;
    ada.release(name("rpi4"), Release::default()).await?;
    assert!(!lab.outlet("rpi4").is_on());
    let journal = ada.journal("rpi4").await?.entries_until(|event| *event == Event::Freed).await?;
    let order: Vec<_> = journal
        .iter()
        .map(|entry| &entry.event)
        .skip_while(|event| !matches!(event, Event::Ended { .. }))
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        order,
        [
            "the hold of ada is over: released",
            "asked for power off",
            "the outlet was told to be off",
            "power was seen to be off",
            "boot 1: cut after 0.00s",
            "power off is done",
            "is free and clean",
        ]
    );
    Ok(())
}
