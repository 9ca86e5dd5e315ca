//! Holding a board, and holding it longer.

use anyhow::Result;
use lab_tests::lab::{MONDAY, Plan, TestLab, board, class, held, name, queued, tagged, waits};
use protocol::board::State;
use protocol::hold::Ask;
use protocol::{Error, Span};

const MIXED: &str = "
access { user = [ada, bob] }
holds { default = 2h; longest = 8h }
classes { rpi { tags = [arm64] }, nuc { tags = [x86] } }
boards [
    { name = rpi4; class = rpi; tags = [poe] }, { name = rpi5; class = rpi; tags = [usb3] },
    { name = nuc1; class = nuc },
]";

#[tokio::test]
async fn a_board_is_held_by_its_name_its_class_or_its_tags() -> Result<()> {
    let lab = Plan::new(MIXED).by_hand().open().await?;
    let ada = lab.user("ada").await?;
    let hold = held(ada.reserve(board("rpi4")).await?)?;
    assert_eq!(
        (hold.who.as_str(), hold.since, hold.until),
        ("ada", MONDAY, MONDAY + Span::hours(2))
    );
    let bob = lab.user("bob").await?;
    assert_eq!(held(bob.reserve(class("rpi")).await?)?.board, name("rpi5"));
    assert_eq!(held(bob.reserve(tagged("not arm64 or usb3")).await?)?.board, name("nuc1"));
    assert_eq!(bob.board(name("rpi4")).await?.board.state, State::Held);
    assert_eq!(bob.holds().await?.len(), 3);
    Ok(())
}

#[tokio::test]
async fn a_taken_board_is_refused_with_its_holder_and_the_end() -> Result<()> {
    let lab = Plan::new(MIXED).by_hand().open().await?;
    let (ada, bob) = (lab.user("ada").await?, lab.user("bob").await?);
    ada.reserve(board("rpi4")).await?;
    ada.reserve(Ask { span: Some(Span::hours(1)), ..board("rpi5") }).await?;
    let who: protocol::user::UserName = "ada".parse()?;
    let refused = bob.reserve(board("rpi4")).await.unwrap_err();
    let until = MONDAY + Span::hours(2);
    assert_eq!(refused, Error::HeldBy { board: name("rpi4"), who: who.clone(), until });
    let refused = bob.reserve(class("rpi")).await.unwrap_err();
    let until = MONDAY + Span::hours(1);
    assert_eq!(refused, Error::AllTaken { count: 2, board: name("rpi5"), who, until });
    Ok(())
}

#[tokio::test]
async fn what_there_is_not_is_told_with_what_there_is() -> Result<()> {
    let lab = Plan::new(MIXED).by_hand().open().await?;
    let ada = lab.user("ada").await?;
    for (ask, told) in [
        (board("rpi44"), "there is no board 'rpi44'; did you mean 'rpi4'?"),
        (class("rpj"), "there is no class with boards 'rpj'; did you mean 'rpi'?"),
        (tagged("arm64 and riscv"), "there is no board with 'arm64 and riscv'"),
    ] {
        assert_eq!(ada.reserve(ask).await.unwrap_err().to_string(), told);
    }
    Ok(())
}

#[tokio::test]
async fn asking_again_for_ones_own_board_extends_the_hold_and_never_shortens_it() -> Result<()> {
    let lab = Plan::new(MIXED).by_hand().open().await?;
    let ada = lab.user("ada").await?;
    let first = held(ada.reserve(board("rpi4")).await?)?;
    let shorter = Ask { span: Some(Span::hours(1)), ..board("rpi4") };
    assert_eq!(held(ada.reserve(shorter).await?)?, first);
    let longer = Ask { span: Some(Span::hours(3)), ..board("rpi4") };
    let longer = held(ada.reserve(longer).await?)?;
    assert_eq!((longer.number, longer.until), (first.number, MONDAY + Span::hours(3)));
    Ok(())
}

#[tokio::test]
async fn a_hold_grows_to_the_longest_and_while_others_wait_no_further() -> Result<()> {
    let lab = Plan::new(MIXED).by_hand().open().await?;
    let (ada, bob) = (lab.user("ada").await?, lab.user("bob").await?);
    ada.reserve(board("rpi4")).await?;
    let longest = MONDAY + Span::hours(8);
    assert_eq!(ada.extend(name("rpi4"), Span::hours(1_000)).await?.until, longest);
    lab.advance(Span::hours(1));
    assert_eq!(ada.extend(name("rpi4"), Span::hours(8)).await?.until, longest + Span::hours(1));
    waits(bob.reserve(queued(board("rpi4"))).await?)?;
    lab.advance(Span::hours(1));
    let refused = ada.extend(name("rpi4"), Span::hours(8)).await.unwrap_err();
    let until = longest + Span::hours(1);
    assert_eq!(refused, Error::OthersWait { board: name("rpi4"), count: 1, until });
    Ok(())
}

#[tokio::test]
async fn only_its_holder_extends_a_hold() -> Result<()> {
    let lab = Plan::new(MIXED).by_hand().open().await?;
    let (ada, bob) = (lab.user("ada").await?, lab.user("bob").await?);
    let refused = bob.extend(name("rpi4"), Span::hours(1)).await.unwrap_err();
    assert_eq!(refused, Error::NotHeld { board: name("rpi4") });
    ada.reserve(board("rpi4")).await?;
    let refused = bob.extend(name("rpi4"), Span::hours(1)).await.unwrap_err();
    assert!(matches!(refused, Error::HeldBy { .. }), "{refused}");
    Ok(())
}

#[tokio::test]
async fn holds_and_their_ends_are_kept_over_a_restart() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let first = held(lab.user("ada").await?.reserve(board("rpi4")).await?)?;
    let lab = lab.restart().await?;
    let ada = lab.user("ada").await?;
    assert_eq!(ada.holds().await?, std::slice::from_ref(&first));
    ada.release(name("rpi4"), Default::default()).await?;
    let lab = lab.restart().await?;
    let next = held(lab.user("ada").await?.reserve(board("rpi4")).await?)?;
    assert!(next.number > first.number, "a number is never used twice");
    Ok(())
}

#[tokio::test]
async fn a_hold_of_no_time_and_a_key_of_two_lines_are_refused() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let ada = lab.user("ada").await?;
    let nothing = Ask { span: Some(Span::default()), ..board("rpi4") };
    assert!(matches!(ada.reserve(nothing).await, Err(Error::Bad { .. })));
    for key in ["ssh-rsa AAA\ncommand=\"evil\" ssh-rsa BBB", "AAA", "ssh-rsa A$(B)", "", "ssh-rsa"]
    {
        let with = Ask { ssh_key: Some(key.to_owned()), ..board("rpi4") };
        assert!(matches!(ada.reserve(with).await, Err(Error::Bad { .. })), "{key:?}");
    }
    let with =
        Ask { ssh_key: Some("ssh-ed25519 AAAAC3Nz+/= ada@home".to_owned()), ..board("rpi4") };
    ada.reserve(with).await?;
    Ok(())
}
