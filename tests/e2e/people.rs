//! Accounts, roles for a while, tokens: whoever loses what they came with is out.
//!
//! Planted, and caught: a connection lasts as long as the client likes; it is not looked at when time
//! has passed, or after a reload; a token good for once lets in twice, or is gone when it has let in; a
//! login lasts for ever; what the configuration gave is kept over a reload; the last administrator goes; who came with
//! a token adds a key; who is denied is everybody's to read.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures::future::join_all;
use lab_tests::follower::Follower;
use lab_tests::lab::{Plan, TestLab, board, boards, held, name};
use lab_tests::person::Person;
use labd::lab::people::{Peer, Proof};
use labd::rpc::identity;
use nix::unistd::{Uid, User};
use protocol::account::{AccountAsk, Secret, TokenAsk};
use protocol::board::Filter;
use protocol::console::From;
use protocol::hold::Release;
use protocol::journal::{Entry, Event};
use protocol::user::{Role, Scope, UserName, Verb};
use protocol::wire::Follow;
use protocol::{Error, Span};
use tokio::sync::Barrier;

/// Whoever loses something is out within this time.
const AT_ONCE: Duration = Duration::from_secs(1);

fn user(name: &str) -> UserName {
    name.parse().unwrap()
}

fn add(role: Role) -> AccountAsk {
    AccountAsk::Add { role, span: None }
}

fn breaking() -> Release {
    Release { number: None, breaking: Some("because".to_owned()) }
}

/// A token of somebody who has an account with that role.
async fn token_of(lab: &TestLab, who: &str, role: Role) -> Result<Secret> {
    let root = lab.admin().await?;
    root.change_account(user(who), add(role)).await?;
    let ask = TokenAsk { who: Some(user(who)), ..TokenAsk::default() };
    Ok(root.make_token(ask).await?.secret)
}

/// Everything that somebody can follow in a lab whose board they hold.
async fn follows(who: &Person, number: u64) -> Result<Vec<Follower>> {
    let mut table = who.follow(Follow::Boards).await?;
    while table.row().await?.is_some() {}
    Ok(vec![
        who.type_at("rpi4").await?,
        who.look_at("rpi4", From::End).await?,
        who.journal("rpi4").await?,
        who.keep(number).await?,
        table,
    ])
}

/// They are shown out of all that they have open, within a second.
async fn are_out(who: &Person, follows: Vec<Follower>) -> Result<()> {
    let began = Instant::now();
    who.is_shown_out().await?;
    for (index, mut follow) in follows.into_iter().enumerate() {
        follow.rest().await.with_context(|| format!("follow {index} goes on"))?;
    }
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    Ok(())
}

/// Planted, and caught: in which groups somebody is, is looked up when they come and never again.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_a_group_of_the_system_is_out_within_seconds() -> Result<()> {
    let access = "access { admin = root; user = \"@lab-people\"; viewer = nobody }";
    let lab = Plan::new(access).open().await?;
    let now = lab.lab().of_name("nobody".parse()?).await?;
    // Nobody is in that group: as if they had left it since they came.
    let before = Peer { groups: vec!["lab-people".to_owned()], ..now.clone() };
    let (stays, leaves) =
        (Person::from(lab.lab(), now).await?, Person::from(lab.lab(), before).await?);
    assert_eq!(leaves.whoami().await?.role, Role::User);
    leaves.is_shown_out().await?;
    assert_eq!(stays.whoami().await?.role, Role::Viewer);
    Ok(())
}

#[tokio::test]
async fn a_revoked_token_ends_what_is_open_with_it_and_opens_nothing_more() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let root = lab.admin().await?;
    let secret = token_of(&lab, "zoe", Role::User).await?;
    let (zoe, other) = (lab.with_token(&secret).await?, lab.user("zoe").await?);
    assert_eq!(zoe.whoami().await?.name, user("zoe"));
    let hold = held(zoe.reserve(board("rpi4")).await?)?;
    let open = follows(&zoe, hold.number).await?;
    let token = root.tokens().await?.pop().context("there is one")?;
    assert_eq!(root.revoke_token(token.id.clone()).await?.who, user("zoe"));
    are_out(&zoe, open).await?;
    let refused = lab.lab().come_in(&secret, "test").await.unwrap_err();
    assert!(matches!(refused, Error::NotKnown { .. }), "{refused}");
    assert_eq!(other.holds().await?, [hold], "who came otherwise stays, and so does the hold");
    let refused = root.revoke_token(token.id).await.unwrap_err();
    assert!(matches!(refused, Error::NoSuch { .. }), "{refused}");
    Ok(())
}

#[tokio::test]
async fn a_role_for_a_while_is_over_when_the_time_is() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let (root, bob) = (lab.admin().await?, lab.user("bob").await?);
    let secret = token_of(&lab, "zoe", Role::Viewer).await?;
    let (role, span) = (Role::Moderator, Some(Span::hours(1)));
    root.change_account(user("zoe"), AccountAsk::Grant { role, span }).await?;
    let zoe = lab.with_token(&secret).await?;
    bob.reserve(board("rpi4")).await?;
    zoe.release(name("rpi4"), breaking()).await?;
    lab.advance(Span(Span::hours(1).0 - 1));
    assert_eq!(zoe.whoami().await?.role, Role::Moderator);
    let table = zoe.follow(Follow::Boards).await?;
    lab.advance(Span::millis(1));
    are_out(&zoe, vec![table]).await?;
    bob.reserve(board("rpi4")).await?;
    let zoe = lab.with_token(&secret).await?;
    assert_eq!(zoe.whoami().await?.role, Role::Viewer);
    let refused = zoe.release(name("rpi4"), breaking()).await.unwrap_err();
    assert!(matches!(refused, Error::NotAllowed { .. }), "{refused}");
    let account = root.accounts().await?.into_iter().find(|it| it.name == user("zoe"));
    assert_eq!(account.map(|account| account.roles.len()), Some(1), "it is not shown any longer");
    Ok(())
}

#[tokio::test]
async fn a_token_is_over_when_its_time_is() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let secret = token_of(&lab, "zoe", Role::User).await?;
    let zoe = lab.with_token(&secret).await?;
    let table = zoe.follow(Follow::Boards).await?;
    lab.advance(Span(Span::hours(8).0 - 1));
    zoe.whoami().await?;
    lab.advance(Span::millis(1));
    are_out(&zoe, vec![table]).await?;
    let refused = lab.lab().come_in(&secret, "test").await.unwrap_err();
    assert!(refused.to_string().contains("over"), "{refused}");
    assert_eq!(lab.admin().await?.tokens().await?, []);
    Ok(())
}

#[tokio::test]
async fn who_loses_a_role_loses_the_console_and_what_they_type_goes_nowhere() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let root = lab.admin().await?;
    let secret = token_of(&lab, "zoe", Role::Viewer).await?;
    root.change_account(user("zoe"), AccountAsk::Grant { role: Role::User, span: None }).await?;
    let zoe = lab.with_token(&secret).await?;
    let hold = held(zoe.reserve(board("rpi4")).await?)?;
    let mut open = follows(&zoe, hold.number).await?;
    open[0].type_in("a").await?;
    assert_eq!(lab.board("rpi4").typed(1).await?, "a");
    let withdraw = AccountAsk::Withdraw { role: Role::User };
    let account = root.change_account(user("zoe"), withdraw).await?.context("it is there")?;
    assert_eq!(account.roles.len(), 1);
    are_out(&zoe, open).await?;
    let zoe = lab.with_token(&secret).await?;
    let refused = zoe.type_at("rpi4").await.err();
    assert!(matches!(refused, Some(Error::NotAllowed { .. })), "{refused:?}");
    root.release(name("rpi4"), breaking()).await?;
    let bob = lab.user("bob").await?;
    bob.reserve(board("rpi4")).await?;
    bob.type_at("rpi4").await?.type_in("b").await?;
    assert_eq!(lab.board("rpi4").typed(1).await?, "b", "the next that is typed is bob's");
    Ok(())
}

#[tokio::test]
async fn who_has_no_account_any_more_is_out_and_so_are_their_tokens() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let root = lab.admin().await?;
    let secret = token_of(&lab, "zoe", Role::User).await?;
    let zoe = lab.with_token(&secret).await?;
    let table = zoe.follow(Follow::Boards).await?;
    assert_eq!(root.change_account(user("zoe"), AccountAsk::Remove).await?, None);
    are_out(&zoe, vec![table]).await?;
    root.change_account(user("zoe"), add(Role::User)).await?;
    let refused = lab.lab().come_in(&secret, "test").await.unwrap_err();
    assert!(matches!(refused, Error::NotKnown { .. }), "another zoe is not this one: {refused}");
    Ok(())
}

#[tokio::test]
async fn a_reload_that_takes_a_role_away_ends_what_was_open_with_it() -> Result<()> {
    let mut lab = TestLab::with_boards(&["rpi4"]).await?;
    let root = lab.admin().await?;
    let peer = Peer::new(user("ada"), Proof::System, "test".to_owned());
    let ada = Person::from(lab.lab(), peer).await?;
    let hold = held(ada.reserve(board("rpi4")).await?)?;
    let open = follows(&ada, hold.number).await?;
    let config = boards(&["rpi4"]).replace("[ada, bob, eve]", "bob");
    assert_ne!(config, boards(&["rpi4"]));
    lab.ground().configure(&config).await?;
    root.reload().await?;
    are_out(&ada, open).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_good_for_once_is_good_for_one_of_a_hundred_who_come_at_the_same_time() -> Result<()>
{
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let root = lab.admin().await?;
    for _ in 0..5 {
        let once = TokenAsk { once: true, ..TokenAsk::default() };
        let secret = root.make_token(once).await?.secret;
        let start = Arc::new(Barrier::new(100));
        let come_in = |_| {
            let (lab, secret, start) = (lab.lab().clone(), secret.clone(), start.clone());
            tokio::spawn(async move {
                start.wait().await;
                lab.come_in(&secret, "test").await
            })
        };
        let mut came = Vec::new();
        for answer in join_all((0..100).map(come_in)).await {
            match answer? {
                Ok(peer) => came.push(peer),
                Err(Error::NotKnown { .. }) => {}
                Err(other) => bail!(other),
            }
        }
        assert_eq!(came.len(), 1);
        let root = Person::from(lab.lab(), came.remove(0)).await?;
        assert_eq!(root.whoami().await?.name, user("root"));
    }
    let used: Vec<_> = root.tokens().await?.into_iter().map(|token| token.used).collect();
    assert_eq!(used, [Some(lab.now()); 5], "they are there until their time is over");
    Ok(())
}

#[tokio::test]
async fn who_came_with_a_token_good_for_once_is_out_when_it_is_revoked() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let root = lab.admin().await?;
    root.change_account(user("zoe"), add(Role::User)).await?;
    let once = TokenAsk { who: Some(user("zoe")), once: true, ..TokenAsk::default() };
    let made = root.make_token(once).await?;
    let zoe = lab.with_token(&made.secret).await?;
    let hold = held(zoe.reserve(board("rpi4")).await?)?;
    let open = follows(&zoe, hold.number).await?;
    let refused = lab.lab().come_in(&made.secret, "test").await.unwrap_err();
    assert!(refused.to_string().contains("used up"), "{refused}");
    root.revoke_token(made.token.id).await?;
    are_out(&zoe, open).await?;
    assert_eq!(root.tokens().await?, []);
    let refused = lab.lab().come_in(&made.secret, "test").await.unwrap_err();
    assert!(matches!(refused, Error::NotKnown { .. }), "{refused}");
    Ok(())
}

#[tokio::test]
async fn a_token_with_a_scope_revokes_itself() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let ada = lab.user("ada").await?;
    let scope = Scope { verbs: vec![Verb::See], ..Scope::default() };
    let made = ada.make_token(TokenAsk { scope, ..TokenAsk::default() }).await?;
    let other = ada.make_token(TokenAsk::default()).await?.token;
    let program = lab.with_token(&made.secret).await?;
    let refused = program.revoke_token(other.id.clone()).await.unwrap_err();
    assert!(matches!(refused, Error::OutOfScope { .. }), "{refused}");
    assert_eq!(program.revoke_token(made.token.id.clone()).await?.id, made.token.id);
    program.is_shown_out().await?;
    assert_eq!(ada.tokens().await?, [other]);
    Ok(())
}

#[tokio::test]
async fn an_invitation_has_no_scope() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let root = lab.admin().await?;
    root.change_account(user("zoe"), add(Role::User)).await?;
    let scope = Scope { boards: vec![name("rpi4")], ..Scope::default() };
    let ask = TokenAsk { who: Some(user("zoe")), joins: true, scope, ..TokenAsk::default() };
    let refused = root.make_token(ask.clone()).await.unwrap_err();
    assert!(refused.to_string().contains("an invitation has no scope"), "{refused}");
    assert_eq!(root.tokens().await?, []);
    root.make_token(TokenAsk { scope: Scope::default(), ..ask }).await?;
    Ok(())
}

#[tokio::test]
async fn a_token_of_somebody_of_the_system_opens_what_the_system_lets_them() -> Result<()> {
    // Nothing is said of access, so it is the system that says who labd's own user is.
    let lab = Plan::new("").by_hand().open().await?;
    let own = User::from_uid(Uid::effective())?.context("this test's user has a name")?.name;
    let me = Person::new(lab.lab(), &own, Role::Admin).await?;
    let secret = me.make_token(TokenAsk::default()).await?.secret;
    let bare = lab.lab().come_in(&secret, "test").await?;
    assert!(matches!(lab.lab().who(&bare), Err(Error::NotAllowed { .. })));
    let peer = identity::completed(bare, lab.lab()).await?;
    let me = lab.lab().who(&peer)?;
    assert_eq!((me.name.as_str(), me.role), (own.as_str(), Role::Admin));
    assert!(!me.groups.is_empty() && me.until.is_some(), "{me:?}");
    Ok(())
}

#[tokio::test]
async fn a_token_opens_what_it_is_for_and_makes_no_other() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4", "rpi5"]).await?;
    let ada = lab.user("ada").await?;
    let scope = Scope { boards: vec![name("rpi4")], verbs: vec![Verb::Hold], ..Scope::default() };
    let ask = TokenAsk { scope: scope.clone(), ..TokenAsk::default() };
    let secret = ada.make_token(ask).await?.secret;
    let program = lab.with_token(&secret).await?;
    assert_eq!(program.whoami().await?.scope, scope);
    let rows = program.boards(Filter::default()).await?;
    assert_eq!(rows.into_iter().map(|row| row.name).collect::<Vec<_>>(), [name("rpi4")]);
    let hold = held(program.reserve(board("rpi4")).await?)?;
    let _kept = program.keep(hold.number).await?;
    let out = |answer: Option<Error>| matches!(answer, Some(Error::OutOfScope { .. }));
    assert!(out(program.reserve(board("rpi5")).await.err()));
    assert!(out(program.type_at("rpi4").await.err()));
    assert!(out(program.make_token(TokenAsk::default()).await.err()));
    let line = format!("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{} ada", "A".repeat(43));
    assert!(out(program.add_key(None, line.clone()).await.err()));
    let whole = lab.with_token(&ada.make_token(TokenAsk::default()).await?.secret).await?;
    assert!(out(whole.add_key(None, line).await.err()), "a key would last longer than it");
    let longer = TokenAsk { span: Some(Span::hours(500)), ..TokenAsk::default() };
    let (came, made) = (whole.whoami().await?, whole.make_token(longer).await?.token);
    assert_eq!(Some(made.until), came.until, "so would a token");
    Ok(())
}

#[tokio::test]
async fn somebody_is_left_who_can_put_things_right() -> Result<()> {
    let lab = Plan::new("access { user = eve }").by_hand().open().await?;
    let root = lab.admin().await?;
    for who in ["ada", "bob"] {
        root.change_account(user(who), add(Role::Admin)).await?;
    }
    let (ada, bob) =
        (token_of(&lab, "ada2", Role::Admin).await?, token_of(&lab, "bob2", Role::Admin).await?);
    for who in ["ada", "bob"] {
        root.change_account(user(who), AccountAsk::Remove).await?;
    }
    let (ada, bob) = (lab.with_token(&ada).await?, lab.with_token(&bob).await?);
    // Each would be rid of the other, at the same time.
    let (one, other) = tokio::join!(
        ada.change_account(user("bob2"), AccountAsk::Remove),
        bob.change_account(user("ada2"), AccountAsk::Remove),
    );
    let removed = [&one, &other].into_iter().filter(|answer| **answer == Ok(None)).count();
    assert_eq!(removed, 1, "{one:?} {other:?}");
    let left = root.accounts().await?;
    let [last] = left.as_slice() else { bail!("{left:?}") };
    let for_a_while = AccountAsk::Grant { role: Role::Admin, span: Some(Span::hours(1)) };
    let withdrawn = AccountAsk::Withdraw { role: Role::Admin };
    for ask in [AccountAsk::Remove, withdrawn, for_a_while] {
        let refused = root.change_account(last.name.clone(), ask).await.unwrap_err();
        assert!(refused.to_string().contains("is the last administrator"), "{refused}");
    }
    root.change_account(user("zoe"), add(Role::Admin)).await?;
    root.change_account(last.name.clone(), AccountAsk::Remove).await?;
    Ok(())
}

/// What somebody reads of the whole timeline.
async fn timeline(who: &Person) -> Result<Vec<Entry>> {
    let all =
        Follow::Journal { board: None, from: Some(1), since: None, tail: 0, stop_at_end: true };
    let text = who.follow(all).await?.rest().await?;
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

#[tokio::test]
async fn who_was_denied_what_is_written_down_for_moderators_and_for_oneself() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let (ada, bob, root) = (lab.user("ada").await?, lab.user("bob").await?, lab.admin().await?);
    let judge = Person::new(lab.lab(), "judge", Role::Moderator).await?;
    ada.reserve(board("rpi4")).await?;
    bob.power(name("rpi4"), protocol::power::PowerAsk::On).await.unwrap_err();
    bob.verify().await.unwrap_err();
    bob.type_at("rpi4").await.err().context("ada has it")?;
    bob.follow(Follow::Export).await.err().context("it is not bob's")?;
    token_of(&lab, "zoe", Role::User).await?;
    // Whatever was denied before this is on disk with this.
    root.note(name("rpi4"), "so far".to_owned()).await?;
    let denied = |entries: Vec<Entry>| {
        let verbs = entries.into_iter().filter_map(|entry| match entry.event {
            Event::Denied { verb, .. } => {
                assert_eq!(entry.who, Some(user("bob")));
                Some(verb)
            }
            _ => None,
        });
        verbs.collect::<Vec<_>>()
    };
    // What is refused again for the same reason is one entry.
    let all = [Verb::Power, Verb::Administer, Verb::Type];
    for who in [&judge, &root, &bob] {
        assert_eq!(denied(timeline(who).await?), all);
    }
    assert_eq!(denied(timeline(&ada).await?), []);
    let of_others = |entry: &Entry| {
        matches!(entry.event, Event::Account { .. } | Event::Token { .. } | Event::Denied { .. })
    };
    assert!(!timeline(&ada).await?.iter().any(of_others), "nor who is given what");
    assert!(timeline(&judge).await?.iter().filter(|entry| of_others(entry)).count() > all.len());
    Ok(())
}
