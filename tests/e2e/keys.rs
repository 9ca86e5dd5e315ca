//! Ssh public keys: whose they are, and what ends with them.
//!
//! Planted, and caught: anybody removes any key; a removed key leaves its connections be.

use anyhow::Result;
use lab_tests::lab::TestLab;
use lab_tests::person::Person;
use labd::lab::people::{Peer, Proof};
use protocol::Error;
use protocol::account::AccountAsk;
use protocol::user::Role;
use protocol::wire::Follow;

fn line(letter: &str) -> String {
    format!("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{} somebody@home", letter.repeat(43))
}

#[tokio::test]
async fn a_key_is_ones_own_to_add_and_to_remove_and_an_administrators() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let (ada, bob, root) = (lab.user("ada").await?, lab.user("bob").await?, lab.admin().await?);
    let adas = ada.add_key(None, line("A")).await?;
    assert_eq!((adas.who.as_str(), &adas.line), ("ada", &line("A")));
    assert!(adas.fingerprint.starts_with("SHA256:"), "{}", adas.fingerprint);
    let twice = bob.add_key(None, line("A")).await.unwrap_err();
    assert!(twice.to_string().contains("is somebody else's already"), "{twice}");
    let for_others = bob.add_key(Some("ada".parse()?), line("B")).await.unwrap_err();
    assert!(matches!(for_others, Error::NotAllowed { .. }), "{for_others}");
    assert_eq!(bob.keys().await?, []);
    assert_eq!(ada.keys().await?, std::slice::from_ref(&adas));
    let bobs = root.add_key(Some("bob".parse()?), line("C")).await?;
    assert_eq!(root.keys().await?.len(), 2);
    let refused = bob.remove_key(adas.fingerprint.clone()).await.unwrap_err();
    assert!(matches!(refused, Error::NoSuch { .. }), "{refused}");
    let lab = lab.restart().await?;
    let (bob, root) = (lab.user("bob").await?, lab.admin().await?);
    assert_eq!(bob.remove_key(bobs.fingerprint.clone()).await?, bobs);
    assert_eq!(root.remove_key(adas.fingerprint.clone()).await?, adas);
    assert_eq!(root.keys().await?, []);
    Ok(())
}

#[tokio::test]
async fn who_came_with_a_key_that_is_removed_is_out() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let root = lab.admin().await?;
    let add = AccountAsk::Add { role: Role::User, span: None };
    root.change_account("zoe".parse()?, add).await?;
    let key = root.add_key(Some("zoe".parse()?), line("A")).await?;
    let proof = Proof::Key(key.fingerprint.clone());
    let peer = Peer::new("zoe".parse()?, proof, "test".to_owned());
    let zoe = Person::from(lab.lab(), peer.clone()).await?;
    let mut table = zoe.follow(Follow::Boards).await?;
    root.remove_key(key.fingerprint).await?;
    zoe.is_shown_out().await?;
    table.rest().await?;
    assert!(matches!(lab.lab().who(&peer), Err(Error::NotKnown { .. })));
    Ok(())
}
