//! Export, import, verify, rebuild.

use anyhow::Result;
use lab_tests::lab::{TestLab, board, held, name, queued, waits};
use protocol::wire::Follow;

async fn export(lab: &TestLab) -> Result<Vec<String>> {
    let text = lab.admin().await?.follow(Follow::Export).await?.rest().await?;
    Ok(text.lines().map(str::to_owned).collect())
}

#[tokio::test]
async fn an_export_taken_over_elsewhere_is_the_same_lab() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let (ada, bob) = (lab.user("ada").await?, lab.user("bob").await?);
    let hold = held(ada.reserve(board("rpi4")).await?)?;
    let place = waits(bob.reserve(queued(board("rpi4"))).await?)?;
    let lines = export(&lab).await?;
    let other = TestLab::with_boards(&["rpi4"]).await?;
    let root = other.admin().await?;
    assert_eq!(root.import(lines.clone()).await?.len(), 1);
    assert_eq!(root.holds().await?, std::slice::from_ref(&hold));
    assert_eq!(root.queue().await?, std::slice::from_ref(&place));
    let refused = root.import(lines).await.unwrap_err();
    assert!(refused.to_string().contains("an import is for a lab that is not in use"), "{refused}");
    let other = other.restart().await?;
    let (ada, bob) = (other.user("ada").await?, other.user("bob").await?);
    assert_eq!(ada.holds().await?, [hold]);
    ada.release(name("rpi4"), Default::default()).await?;
    held(bob.placed(place.number, protocol::Span::minutes(1)).await?)?;
    Ok(())
}

#[tokio::test]
async fn an_export_that_was_touched_is_refused() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    lab.user("ada").await?.reserve(board("rpi4")).await?;
    let lines = export(&lab).await?;
    let other = TestLab::with_boards(&["rpi4"]).await?;
    let root = other.admin().await?;
    let touched: Vec<_> = lines.iter().map(|line| line.replace("ada", "eve")).collect();
    let refused = root.import(touched).await.unwrap_err();
    assert_eq!(refused.to_string(), "the export is not as it was written: its hash is wrong");
    let refused = root.import(lines[..lines.len() - 1].to_vec()).await.unwrap_err();
    assert!(refused.to_string().starts_with("the last line is not the end"), "{refused}");
    let refused = root.import(Vec::new()).await.unwrap_err();
    assert!(refused.to_string().starts_with("this is not an export of labd"), "{refused}");
    assert_eq!(root.holds().await?, []);
    Ok(())
}

#[tokio::test]
async fn a_lab_that_is_verified_and_rebuilt_is_as_it_was() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    lab.settled().await?;
    let (ada, root) = (lab.user("ada").await?, lab.admin().await?);
    let hold = held(ada.reserve(board("rpi4")).await?)?;
    let said = root.verify().await?;
    assert!(said[0].ends_with("every hash is right"), "{said:?}");
    assert_eq!(said[1], "store: every record is what the ledger says");
    let before = export(&lab).await?;
    let said = root.rebuild().await?;
    assert!(said[0].starts_with("the store is built anew; the old one is in "), "{said:?}");
    assert_eq!(export(&lab).await?, before);
    ada.extend(name("rpi4"), protocol::Span::hours(5)).await?;
    let lab = lab.restart().await?;
    let holds = lab.user("ada").await?.holds().await?;
    assert_eq!((holds[0].number, holds.len()), (hold.number, 1));
    assert!(holds[0].until > hold.until);
    Ok(())
}

#[tokio::test]
async fn an_import_brings_no_number_back() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let (ada, root) = (lab.user("ada").await?, lab.admin().await?);
    let release = || ada.release(name("rpi4"), Default::default());
    ada.reserve(board("rpi4")).await?;
    release().await?;
    let lines = export(&lab).await?;
    for _ in 0..3 {
        ada.reserve(board("rpi4")).await?;
        release().await?;
    }
    let newest = held(ada.reserve(board("rpi4")).await?)?;
    release().await?;
    root.import(lines).await?;
    let after = held(ada.reserve(board("rpi4")).await?)?;
    assert!(after.number > newest.number, "{after:?}");
    ada.power(name("rpi4"), protocol::power::PowerAsk::On).await?;
    release().await?;
    let lab = lab.restart().await?;
    let later = held(lab.user("ada").await?.reserve(board("rpi4")).await?)?;
    assert!(later.number > after.number, "{later:?}");
    Ok(())
}
