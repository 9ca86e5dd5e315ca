//! Taking over a changed configuration.

use anyhow::Result;
use lab_tests::lab::{Plan, TestLab, board, boards, file, held, name};
use protocol::board::Filter;
use protocol::console::From;
use protocol::hold::Release;
use protocol::journal::Event;
use protocol::{Error, Span};

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

#[tokio::test]
async fn a_reload_is_written_down_with_what_it_changes() -> Result<()> {
    let mut lab = TestLab::with_boards(&["rpi4"]).await?;
    let root = lab.admin().await?;
    let what =
        protocol::wire::Follow::Journal { board: None, from: Some(1), tail: 0, stop_at_end: false };
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
    lab.ground().forget_lines();
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
