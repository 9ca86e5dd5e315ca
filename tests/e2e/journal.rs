//! The timeline: everything that happened, in one order.

use anyhow::Result;
use lab_tests::lab::{TestLab, board, name};
use lab_tests::person::Person;
use protocol::console::From;
use protocol::hold::Release;
use protocol::journal::{Entry, Event};
use protocol::wire::Follow;

/// The lab's whole timeline, down to its end.
async fn all(
    person: &Person,
    board: Option<&str>,
    from: Option<u64>,
    tail: u32,
) -> Result<Vec<Entry>> {
    let what =
        Follow::Journal { board: board.map(name), from, since: None, tail, stop_at_end: true };
    let text = person.follow(what).await?.rest().await?;
    Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

#[tokio::test]
async fn entries_have_one_order_without_a_gap_and_offsets_that_only_grow() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4", "rpi5"]).await?;
    let (ada, guest) = (lab.user("ada").await?, lab.viewer("guest").await?);
    let mut consoles =
        [guest.look_at("rpi4", From::Start).await?, guest.look_at("rpi5", From::Start).await?];
    for round in 0..5 {
        for (console, name_of) in consoles.iter_mut().zip(["rpi4", "rpi5"]) {
            ada.reserve(board(name_of)).await?;
            lab.board(name_of).print(format!("round {round}\n")).await?;
            console.line().await?;
            ada.release(name(name_of), Release::default()).await?;
        }
    }
    let journal = all(&guest, None, Some(1), 0).await?;
    let numbers: Vec<_> = journal.iter().map(|entry| entry.seq).collect();
    assert_eq!(numbers, (1..=journal.len() as u64).collect::<Vec<_>>());
    assert!(matches!(journal[0].event, Event::Started { .. }));
    for board in ["rpi4", "rpi5"] {
        let own = all(&guest, Some(board), Some(1), 0).await?;
        assert!(own.iter().all(|entry| entry.board == Some(name(board))));
        let offsets: Vec<_> = own.iter().filter_map(|entry| entry.offset).collect();
        assert!(offsets.is_sorted(), "{offsets:?}");
        assert_eq!(offsets.last(), Some(&(5 * 8)));
        let whole = journal.iter().filter(|entry| entry.board == Some(name(board)));
        assert_eq!(own, whole.cloned().collect::<Vec<_>>());
    }
    Ok(())
}

#[tokio::test]
async fn the_newest_entries_can_be_had_and_then_those_to_come() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4", "rpi5"]).await?;
    lab.settled().await?;
    let ada = lab.user("ada").await?;
    for text in ["one", "two", "three"] {
        ada.note(name("rpi4"), text.to_owned()).await?;
        ada.note(name("rpi5"), "of another board".to_owned()).await?;
    }
    let what = Follow::Journal {
        board: Some(name("rpi4")),
        from: None,
        since: None,
        tail: 2,
        stop_at_end: false,
    };
    let mut journal = ada.follow(what).await?;
    ada.note(name("rpi5"), "of another board".to_owned()).await?;
    ada.note(name("rpi4"), "four".to_owned()).await?;
    for text in ["two", "three", "four"] {
        assert_eq!(journal.entry().await?.event, Event::Noted { text: text.to_owned() });
    }
    assert_eq!(all(&ada, Some("rpi4"), None, 0).await?, []);
    Ok(())
}

#[tokio::test]
async fn a_journal_goes_on_over_restarts_at_the_same_number() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    lab.settled().await?;
    let ada = lab.user("ada").await?;
    ada.note(name("rpi4"), "before".to_owned()).await?;
    let before = all(&ada, None, Some(1), 0).await?;
    let mut followed = ada.journal("rpi4").await?;
    let lab = lab.restart().await?;
    followed.rest().await?;
    let ada = lab.user("ada").await?;
    let after = all(&ada, None, Some(1), 0).await?;
    assert_eq!(after[..before.len()], before);
    let next = all(&ada, None, Some(before.len() as u64 + 1), 0).await?;
    assert_eq!(next[0].event, Event::Stopped);
    assert!(matches!(next[1].event, Event::Started { .. }));
    Ok(())
}

#[tokio::test]
async fn a_note_has_its_author_and_an_end() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let ada = lab.user("ada").await?;
    ada.note(name("rpi4"), "the fan is loud".to_owned()).await?;
    let noted = |event: &Event| matches!(event, Event::Noted { .. });
    let entry = ada.journal("rpi4").await?.event(noted).await?;
    assert_eq!((entry.who, entry.at), (Some("ada".parse()?), lab.now()));
    let refused = ada.note(name("rpi4"), "x".repeat(5_000)).await.unwrap_err();
    assert_eq!(refused.to_string(), "a note has at most 4096 bytes");
    Ok(())
}
