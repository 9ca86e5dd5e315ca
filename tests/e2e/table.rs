//! The board table: all of it first, then whatever changes.

use anyhow::Result;
use lab_tests::lab::{TestLab, board, boards, class, name, queued, waits};
use protocol::board::{Filter, State};
use protocol::console::ConsoleState;
use protocol::hold::Release;
use protocol::power::{PowerAsk, PowerState};
use protocol::wire::Follow;

#[tokio::test]
async fn the_table_is_sent_whole_and_then_row_by_row_as_it_changes() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4", "rpi5"]).await?;
    let (ada, bob) = (lab.user("ada").await?, lab.user("bob").await?);
    let mut table = ada.follow(Follow::Boards).await?;
    let mut first = Vec::new();
    while let Some(row) = table.row().await? {
        first.push(row.name);
    }
    assert_eq!(first, [name("rpi4"), name("rpi5")]);
    ada.reserve(board("rpi5")).await?;
    let row = table.row_when(|row| row.state == State::Held).await?;
    assert_eq!((row.name, row.hold.map(|hold| hold.who)), (name("rpi5"), Some("ada".parse()?)));
    bob.reserve(queued(board("rpi5"))).await?;
    table.row_when(|row| row.name == name("rpi5") && row.waiting == 1).await?;
    ada.power(name("rpi5"), PowerAsk::On).await?;
    table.row_when(|row| row.name == name("rpi5") && row.power == PowerState::On).await?;
    lab.board("rpi4").print("hello\n").await?;
    table.row_when(|row| row.name == name("rpi4") && row.last_line == "hello").await?;
    lab.board("rpi4").unplug().await;
    table.row_when(|row| row.name == name("rpi4") && row.console == ConsoleState::Away).await?;
    Ok(())
}

#[tokio::test]
async fn whoever_takes_one_of_a_class_no_longer_waits_for_the_others() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4", "rpi5"]).await?;
    let (ada, bob) = (lab.user("ada").await?, lab.user("bob").await?);
    ada.reserve(board("rpi4")).await?;
    ada.reserve(board("rpi5")).await?;
    let mut table = ada.follow(Follow::Boards).await?;
    while table.row().await?.is_some() {}
    waits(bob.reserve(queued(class("rpi"))).await?)?;
    let (mut four, mut five) = (false, false);
    while !(four && five) {
        let row = table.row_when(|row| row.waiting == 1).await?;
        four |= row.name == name("rpi4");
        five |= row.name == name("rpi5");
    }
    ada.release(name("rpi5"), Release::default()).await?;
    table.row_when(|row| row.name == name("rpi4") && row.waiting == 0).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_board_that_leaves_the_lab_is_told_as_gone_and_one_that_joins_is_told() -> Result<()> {
    let mut lab = TestLab::with_boards(&["rpi4", "rpi5"]).await?;
    let root = lab.admin().await?;
    for _ in 0..10 {
        let mut table = root.follow(Follow::Boards).await?;
        while table.row().await?.is_some() {}
        lab.ground().configure(&boards(&["rpi4", "rpi6"])).await?;
        root.reload().await?;
        let (mut gone, mut new) = (false, false);
        while !(gone && new) {
            let row = table.row_when(|row| row.name != name("rpi4")).await?;
            gone |= (row.name == name("rpi5")) && row.state == State::Gone;
            new |= row.name == name("rpi6") && row.state == State::Free;
        }
        lab.ground().configure(&boards(&["rpi4", "rpi5"])).await?;
        root.reload().await?;
    }
    lab.ground().configure("").await?;
    let mut table = root.follow(Follow::Boards).await?;
    while table.row().await?.is_some() {}
    root.reload().await?;
    for _ in 0..2 {
        table.row_when(|row| row.state == State::Gone).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_table_can_be_cut_to_what_is_wanted() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4", "rpi5"]).await?;
    let ada = lab.user("ada").await?;
    ada.reserve(board("rpi5")).await?;
    let names = |filter| async {
        let rows = ada.boards(filter).await?;
        anyhow::Ok(rows.into_iter().map(|row| row.name.to_string()).collect::<Vec<_>>())
    };
    assert_eq!(names(Filter { mine: true, want: None }).await?, ["rpi5"]);
    let want = Some(lab_tests::lab::tagged("arm64").want);
    assert_eq!(names(Filter { mine: false, want }).await?, ["rpi4", "rpi5"]);
    let want = Some(lab_tests::lab::class("nuc").want);
    assert_eq!(names(Filter { mine: false, want }).await?, [""; 0]);
    let classes = ada.classes().await?;
    assert_eq!((classes[0].boards, classes[0].free, classes[0].waiting), (2, 1, 0));
    Ok(())
}
