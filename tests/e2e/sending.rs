//! Files through a board's console.

use anyhow::Result;
use lab_tests::follower::Follower;
use lab_tests::lab::{TestLab, board, name};
use lab_tests::person::Person;
use protocol::Error;
use protocol::console::{From, PenAsk, Signal};
use protocol::hold::Release;
use protocol::journal::Event;
use protocol::send::{File, Sending, Way};
use protocol::wire::Follow;

async fn send(who: &Person, size: u64, way: Way) -> Result<Follower, Error> {
    let file = File { name: "image.bin".to_owned(), size, way };
    who.follow(Follow::Send { board: name("rpi4"), file }).await
}

/// What becomes of it.
async fn outcome(sending: &mut Follower) -> Result<Sending> {
    loop {
        match serde_json::from_str(&sending.line().await?)? {
            Sending::Taken { .. } => {}
            outcome => return Ok(outcome),
        }
    }
}

async fn why_not(sending: &mut Follower) -> Result<(u64, String)> {
    match outcome(sending).await? {
        Sending::Failed { at, why } => Ok((at, why)),
        other => anyhow::bail!("{other:?}"),
    }
}

async fn scene() -> Result<(TestLab, Person, Follower)> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let ada = lab.user("ada").await?;
    ada.reserve(board("rpi4")).await?;
    let seat = ada.type_at("rpi4").await?;
    Ok((lab, ada, seat))
}

#[tokio::test]
async fn a_file_goes_through_a_console_block_by_block_while_nobody_types() -> Result<()> {
    let (lab, ada, seat) = scene().await?;
    let mut journal = ada.journal("rpi4").await?;
    let rpi4 = lab.board("rpi4");
    let mut sending = send(&ada, 200, Way::Xmodem).await?;
    sending.type_in([b'a'; 200]).await?;
    rpi4.print("C").await?;
    let block = rpi4.typed(133).await?;
    assert!(block.contains(&"a".repeat(128)), "{block:?}");

    let why = ada.type_in(seat.session(), b"x".to_vec()).await.unwrap_err();
    assert_eq!(why.to_string(), "nobody types on the console of rpi4 now: ada sends image.bin");
    for busy in [
        ada.signal(name("rpi4"), Signal::Break { name: None }).await.err(),
        send(&ada, 0, Way::Paste).await.err(),
    ] {
        assert!(matches!(busy, Some(Error::Busy { .. })), "{busy:?}");
    }

    rpi4.print("\x06").await?;
    rpi4.typed(133).await?;
    rpi4.print("\x06").await?;
    assert_eq!(rpi4.typed(1).await?, "\x04");
    rpi4.print("\x06").await?;
    assert_eq!(outcome(&mut sending).await?, Sending::Done);

    let sent = Event::Sent { file: "image.bin".to_owned() };
    let entries = journal.entries_until(|event| *event == sent).await?;
    let typed = entries.iter().any(|entry| matches!(entry.event, Event::Typed { .. }));
    assert!(!typed, "what is sent is not what somebody types");
    ada.type_in(seat.session(), b"x".to_vec()).await?;
    assert_eq!(rpi4.typed(1).await?, "x");
    Ok(())
}

#[tokio::test]
async fn text_is_pasted_as_its_echo_comes_back() -> Result<()> {
    let (lab, ada, _seat) = scene().await?;
    let echo = lab.board("rpi4").echo().await?;
    let text = "no end of a line in it ".repeat(20);
    let mut sending = send(&ada, text.len() as u64, Way::Paste).await?;
    sending.type_in(&text).await?;
    assert_eq!(outcome(&mut sending).await?, Sending::Done);
    drop(echo);
    Ok(())
}

#[tokio::test]
async fn who_leaves_or_says_more_cancels_it_and_the_board_is_told() -> Result<()> {
    let (lab, ada, _seat) = scene().await?;
    let mut journal = ada.journal("rpi4").await?;
    let rpi4 = lab.board("rpi4");
    let cancelled = "\x18".repeat(8) + &"\x08".repeat(8);
    let mut sending = send(&ada, 200, Way::Xmodem).await?;
    sending.type_in([b'a'; 201]).await?;
    assert_eq!(why_not(&mut sending).await?, (0, "it was cancelled".to_owned()));
    assert_eq!(rpi4.typed(16).await?, cancelled);

    let mut sending = send(&ada, 200, Way::Xmodem).await?;
    sending.type_in([b'a'; 200]).await?;
    rpi4.print("C").await?;
    rpi4.typed(133).await?;
    drop(sending);
    assert_eq!(rpi4.typed(16).await?, cancelled);
    let failed = |event: &Event| matches!(event, Event::SendFailed { .. });
    for _ in 0..2 {
        journal.event(failed).await?;
    }
    Ok(())
}

#[tokio::test]
async fn it_ends_with_the_hold_and_with_the_pen() -> Result<()> {
    let (lab, ada, seat) = scene().await?;
    let root = lab.admin().await?;
    let roots = root.look_at("rpi4", From::End).await?;
    let mut sending = send(&ada, 200, Way::Xmodem).await?;
    root.pen(roots.session(), PenAsk::Force { reason: "stop".to_owned() }).await?;
    let (_, why) = why_not(&mut sending).await?;
    assert_eq!(why, "you do not have the pen of rpi4's console; root has it");
    root.type_in(roots.session(), b"x".to_vec()).await?;
    assert_eq!(lab.board("rpi4").typed(1).await?, "x", "and nothing before it");
    let refused = send(&ada, 200, Way::Xmodem).await.err();
    assert!(matches!(refused, Some(Error::NoPen { .. })), "{refused:?}");

    root.pen(roots.session(), PenAsk::Drop).await?;
    drop(seat);
    let mut sending = send(&ada, 200, Way::Xmodem).await?;
    ada.release(name("rpi4"), Release::default()).await?;
    let (_, why) = why_not(&mut sending).await?;
    assert!(why.contains("is over"), "{why}");
    Ok(())
}
