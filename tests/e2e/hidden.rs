//! A board of a group is not there for others, whichever way they look.
//!
//! Planted, and caught: the board in `doctor`, in what stands in a place's way, in what a place is
//! narrowed to, in a reload's sentences, in "did you mean"; a class of such boards in `classes`; "any of
//! its class" is also this one; whoever looks at its console when it becomes a group's looks on.

use anyhow::{Context, Result};
use lab_tests::lab::{Plan, TestLab, board, class, held, name, queued, tagged, waits};
use lab_tests::patience::soon;
use lab_tests::person::Person;
use labd::lab::people::Peer;
use protocol::Error;
use protocol::account::AccountAsk;
use protocol::board::{Filter, State};
use protocol::console::From;
use protocol::hold::{Ended, Placed, Release};
use protocol::journal::{Entry, Event};
use protocol::power::PowerAsk;
use protocol::user::{Role, Verb};
use protocol::wire::Follow;

/// rpi4 is everybody's; zebra is of the same class, and the kernel people's; yak and its class as well.
const LAB: &str = "
access { admin = root; user = [ada, bob, kim, eve] }
power { dwell = 0s; limit = 3s; sweep = 1h }
classes { rpi { tags = [arm64] }, yaks { groups = kernel } }
boards [
    { name = rpi4; class = rpi; options = [ @console(rpi4), @outlet(rpi4) ] },
    { name = zebra; class = rpi; groups = [kernel, ops]; tags = [stripes]; options = [ @console(zebra), @outlet(zebra) ] },
    { name = yak; class = yaks; options = [ @console(yak), @outlet(yak) ] },
]
";

/// What no stranger may hear.
const SECRETS: [&str; 4] = ["zebra", "yak", "stripes", "kernel"];

/// The lab; a stranger, a member of the group, a moderator.
async fn scene() -> Result<(TestLab, Person, Person, Person)> {
    let lab = Plan::new(LAB).by_hand().open().await?;
    lab.settled().await?;
    let root = lab.admin().await?;
    let kim = "kim".parse()?;
    let add = AccountAsk::Add { role: Role::User, span: None };
    root.change_account(kim, add).await?;
    let join = AccountAsk::Join { group: "kernel".to_owned() };
    root.change_account("kim".parse()?, join).await?;
    let (ada, kim) = (lab.user("ada").await?, lab.user("kim").await?);
    let judge = Person::new(lab.lab(), "judge", Role::Moderator).await?;
    Ok((lab, ada, kim, judge))
}

/// All that somebody is told, as text.
async fn told(who: &Person) -> Result<String> {
    let mut text = String::new();
    text += &serde_json::to_string(&who.boards(Filter::default()).await?)?;
    text += &serde_json::to_string(&who.classes().await?)?;
    text += &serde_json::to_string(&who.holds().await?)?;
    text += &serde_json::to_string(&who.queue().await?)?;
    text += &serde_json::to_string(&who.doctor().await?)?;
    text += &serde_json::to_string(&who.accounts().await?)?;
    text += &serde_json::to_string(&who.board(name("rpi4")).await?)?;
    let all =
        Follow::Journal { board: None, from: Some(1), since: None, tail: 0, stop_at_end: true };
    text += &who.follow(all).await?.rest().await?;
    let mut table = who.follow(Follow::Boards).await?;
    while let Some(row) = table.row().await? {
        text += &serde_json::to_string(&row)?;
    }
    for near in ["zebr", "yac"] {
        text += &format!("{:?}", who.board(name(near)).await);
        text += &format!("{:?}", who.reserve(class(&format!("{near}s"))).await);
    }
    Ok(text.replace("yacs", "").replace("zebrs", ""))
}

#[tokio::test]
async fn a_stranger_never_hears_of_it_whatever_others_do_with_it() -> Result<()> {
    let (mut lab, ada, kim, judge) = scene().await?;
    let root = lab.admin().await?;
    let mut table = ada.follow(Follow::Boards).await?;
    while table.row().await?.is_some() {}
    let hold = held(kim.reserve(board("zebra")).await?)?;
    kim.note(name("zebra"), "stripes everywhere".to_owned()).await?;
    kim.power(name("zebra"), PowerAsk::On).await?;
    kim.reserve(board("yak")).await?;
    kim.type_at("zebra").await?;
    lab.board("zebra").print("zebra login: ").await?;
    lab.board("yak").unplug().await;
    ada.reserve(board("rpi4")).await?;
    // What stands in the way of these is also rpi4; the second sees one of two.
    judge.reserve(queued(class("rpi"))).await?;
    root.change_account("eve".parse()?, AccountAsk::Add { role: Role::User, span: None }).await?;
    root.change_account("eve".parse()?, AccountAsk::Join { group: "ops".to_owned() }).await?;
    let eve = lab.user("eve").await?;
    eve.reserve(queued(tagged("arm64 or not arm64"))).await?;
    judge.reserve(queued(board("zebra"))).await?;
    let changed = LAB.replace("tags = [stripes]", "tags = [stripes, hooves]");
    lab.ground().configure(&changed).await?;
    let told_root = root.reload().await?;
    assert_eq!(told_root, ["zebra: changed tags"]);
    let mut yak = root.follow(Follow::Boards).await?;
    yak.row_when(|row| row.name == name("yak") && row.fault.is_some()).await?;

    for secret in SECRETS {
        let heard = told(&ada).await?;
        assert!(!heard.contains(secret), "{secret}: {heard}");
        let known = told(&judge).await?;
        assert!(known.contains(secret), "{secret} is not told at all: {known}");
    }
    assert!(told(&kim).await?.contains("zebra: changed tags"));
    assert_eq!(ada.queue().await?.len(), 2, "that others wait for what is hers is told");
    let classes = ada.classes().await?;
    assert_eq!(classes.len(), 1, "{classes:?}");
    assert_eq!((classes[0].boards, classes[0].free, classes[0].waiting), (1, 0, 1));
    // The table that she followed all the while has a row of rpi4 now, and had none of the others.
    let row = table.row().await?.context("there is one")?;
    assert_eq!(row.name, name("rpi4"));
    ada.release(name("rpi4"), Release::default()).await?;
    let row = table
        .row_when(|row| {
            row.name != name("rpi4")
                || row.hold.as_ref().is_some_and(|it| it.who.as_str() == "judge")
        })
        .await?;
    assert_eq!(row.name, name("rpi4"));
    assert_eq!(kim.holds().await?.iter().filter(|it| it.number == hold.number).count(), 1);
    Ok(())
}

#[tokio::test]
async fn whatever_a_stranger_asks_of_it_there_is_no_such_board() -> Result<()> {
    let (_lab, ada, kim, _) = scene().await?;
    for (there, not_there) in [("zebra", "zebro"), ("yak", "yok")] {
        let told = async |board_name: &str| -> Result<Vec<String>> {
            let here = || name(board_name);
            let no = |error: Option<Error>| {
                error.map(|error| error.to_string().replace(board_name, "it")).context("refused")
            };
            Ok(vec![
                no(ada.board(here()).await.err())?,
                no(ada.reserve(board(board_name)).await.err())?,
                no(ada.reserve(queued(board(board_name))).await.err())?,
                no(ada.note(here(), "hi".to_owned()).await.err())?,
                no(ada.power(here(), PowerAsk::On).await.err())?,
                no(ada.type_at(board_name).await.err())?,
                no(ada.look_at(board_name, From::Start).await.err())?,
                no(ada.journal(board_name).await.err())?,
                no(ada
                    .may(protocol::account::MayAsk {
                        verb: Verb::See,
                        board: Some(here()),
                        who: None,
                    })
                    .await
                    .err())?,
            ])
        };
        assert_eq!(told(there).await?, told(not_there).await?);
        kim.board(name(there)).await?;
    }
    // The class of hidden boards is like none; so is a tag that only they have.
    let error = |error: Option<Error>| error.map(|error| error.to_string());
    let of_class = error(ada.reserve(class("yaks")).await.err());
    assert_eq!(of_class.as_deref(), Some("there is no class with boards 'yaks'"));
    let of_tag = error(ada.reserve(tagged("stripes")).await.err());
    assert_eq!(of_tag.as_deref(), Some("there is no board with 'stripes'"));
    Ok(())
}

#[tokio::test]
async fn any_of_a_class_is_any_that_is_there_for_whoever_asks() -> Result<()> {
    let (lab, ada, kim, _) = scene().await?;
    let bob = lab.user("bob").await?;
    assert_eq!(held(ada.reserve(class("rpi")).await?)?.board, name("rpi4"));
    let refused = bob.reserve(class("rpi")).await.unwrap_err();
    assert!(matches!(&refused, Error::HeldBy { board, .. } if *board == name("rpi4")), "{refused}");
    let place = waits(bob.reserve(queued(class("rpi"))).await?)?;
    // zebra is free, and is given to who may have it; when it is free again bob still waits.
    assert_eq!(held(kim.reserve(class("rpi")).await?)?.board, name("zebra"));
    kim.release(name("zebra"), Release::default()).await?;
    let placed = bob.placed(place.number, protocol::Span::default()).await?;
    assert!(matches!(placed, Placed::Queued { .. }), "{placed:?}");
    ada.release(name("rpi4"), Release::default()).await?;
    let placed = soon(bob.placed(place.number, protocol::Span::minutes(1))).await??;
    assert_eq!(held(placed)?.board, name("rpi4"));
    let given =
        kim.reserve(board("zebra")).await.and(kim.give(name("zebra"), "bob".parse()?).await);
    assert_eq!(given.unwrap_err().to_string(), "zebra is not for bob: see its groups");
    Ok(())
}

#[tokio::test]
async fn who_leaves_the_group_no_longer_sees_the_board_from_then_on() -> Result<()> {
    let (mut lab, ada, kim, _) = scene().await?;
    let root = lab.admin().await?;
    let mut console = kim.look_at("zebra", From::End).await?;
    let leave = AccountAsk::Leave { group: "kernel".to_owned() };
    root.change_account("kim".parse()?, leave).await?;
    console.rest().await?;
    let kim = lab.user("kim").await?;
    let refused = kim.look_at("zebra", From::End).await.err();
    assert!(matches!(refused, Some(Error::NoSuch { .. })), "{refused:?}");
    // And a board that becomes a group's is gone for who is not in it.
    let mut console = ada.look_at("rpi4", From::End).await?;
    let mut table = ada.follow(Follow::Boards).await?;
    while table.row().await?.is_some() {}
    let changed =
        LAB.replace("name = rpi4; class = rpi;", "name = rpi4; class = rpi; groups = kernel;");
    lab.ground().configure(&changed).await?;
    assert_eq!(root.reload().await?, ["rpi4: changed groups"]);
    console.rest().await?;
    table.row_when(|row| row.name == name("rpi4") && row.state == State::Gone).await?;
    assert_eq!(ada.boards(Filter::default()).await?, []);
    Ok(())
}

fn leave(group: &str) -> AccountAsk {
    AccountAsk::Leave { group: group.to_owned() }
}

/// The first such entry of the timeline that somebody may read.
async fn first(who: &Person, is_it: impl Fn(&Event) -> bool) -> Result<Entry> {
    let all =
        Follow::Journal { board: None, from: Some(1), since: None, tail: 0, stop_at_end: true };
    who.follow(all).await?.event(is_it).await
}

#[tokio::test]
async fn who_leaves_the_group_loses_what_they_hold_and_wait_for_there() -> Result<()> {
    let (lab, ada, kim, judge) = scene().await?;
    let root = lab.admin().await?;
    root.change_account("eve".parse()?, AccountAsk::Add { role: Role::User, span: None }).await?;
    root.change_account("eve".parse()?, AccountAsk::Join { group: "ops".to_owned() }).await?;
    let eve = lab.user("eve").await?;
    let hold = held(kim.reserve(board("zebra")).await?)?;
    ada.reserve(board("rpi4")).await?;
    judge.reserve(board("yak")).await?;
    let any = waits(kim.reserve(queued(class("rpi"))).await?)?;
    let yak = waits(kim.reserve(queued(board("yak"))).await?)?;
    let next = waits(eve.reserve(queued(board("zebra"))).await?)?;
    root.change_account("kim".parse()?, leave("kernel")).await?;

    let kim = lab.user("kim").await?;
    assert_eq!(kim.holds().await?.iter().find(|it| it.number == hold.number), None);
    let next = soon(eve.placed(next.number, protocol::Span::minutes(1))).await??;
    assert_eq!(held(next)?.board, name("zebra"));
    let over = kim.placed(hold.number, protocol::Span::default()).await.unwrap_err();
    let why = format!(
        "your hold {} of zebra is over: the board is no longer for its holder",
        hold.number
    );
    assert_eq!(over.to_string(), why);
    let over = kim.placed(yak.number, protocol::Span::minutes(1)).await.unwrap_err();
    let why = format!("there is no board left for you that would do for place '{}'", yak.number);
    assert_eq!(over.to_string(), why);
    for reader in [&kim, &judge] {
        let is_end = |event: &Event| matches!(event, Event::Ended { how: Ended::Hidden, .. });
        assert_eq!(first(reader, is_end).await?.board, Some(name("zebra")));
        let entry = first(reader, |event| matches!(event, Event::Unqueued { .. })).await?;
        assert_eq!(
            entry.event.to_string(),
            "waits no more: no board that would do is left for them"
        );
    }
    // Of what is left, she waits for what is there for her.
    let queue = kim.queue().await?;
    let place = queue.iter().find(|place| place.number == any.number).context("she waits")?;
    assert_eq!(place.want.to_string(), "any rpi");
    eve.release(name("zebra"), Release::default()).await?;
    let placed = kim.placed(any.number, protocol::Span::default()).await?;
    assert!(matches!(placed, Placed::Queued { .. }), "{placed:?}");
    ada.release(name("rpi4"), Release::default()).await?;
    let placed = soon(kim.placed(any.number, protocol::Span::minutes(1))).await??;
    assert_eq!(held(placed)?.board, name("rpi4"));
    Ok(())
}

#[tokio::test]
async fn a_reload_takes_no_board_from_who_holds_it_and_gives_none_to_whom_it_is_hidden_from()
-> Result<()> {
    let (mut lab, ada, kim, _) = scene().await?;
    let (root, bob) = (lab.admin().await?, lab.user("bob").await?);
    let changed =
        LAB.replace("name = rpi4; class = rpi;", "name = rpi4; class = rpi; groups = kernel;");
    let hold = held(ada.reserve(board("rpi4")).await?)?;
    let place = waits(bob.reserve(queued(board("rpi4"))).await?)?;
    lab.ground().configure(&changed).await?;
    let refused = root.reload().await.unwrap_err().to_string();
    let why = "rpi4 is held by ada, for whom it would not be there any more; put them in its group";
    assert!(refused.starts_with(why), "{refused}");
    assert_eq!(ada.holds().await?, [hold]);
    ada.release(name("rpi4"), Release::default()).await?;
    let hold = held(soon(bob.placed(place.number, protocol::Span::minutes(1))).await??)?;
    bob.release(hold.board, Release::default()).await?;

    // Who waits for any of a class waits on when there is one more that is not for them.
    let of_yaks = LAB
        .replace("classes { rpi { tags = [arm64] },", "classes { rpi { tags = [arm64] }, open {},")
        .replace("boards [", "boards [ { name = gnu; class = open },");
    lab.ground().configure(&of_yaks).await?;
    root.reload().await?;
    kim.reserve(board("gnu")).await?;
    let place = waits(bob.reserve(queued(class("open"))).await?)?;
    let more =
        of_yaks.replace("boards [", "boards [ { name = kudu; class = open; groups = kernel },");
    lab.ground().configure(&more).await?;
    root.reload().await?;
    assert_eq!(held(kim.reserve(board("kudu")).await?)?.board, name("kudu"));
    let placed = bob.placed(place.number, protocol::Span::default()).await?;
    assert!(matches!(placed, Placed::Queued { .. }), "{placed:?}");
    Ok(())
}

#[tokio::test]
async fn a_lab_that_starts_with_other_groups_ends_the_holds_that_are_hidden_now() -> Result<()> {
    let (mut lab, ada, kim, _) = scene().await?;
    ada.reserve(board("rpi4")).await?;
    let stays = held(kim.reserve(board("zebra")).await?)?;
    let changed =
        LAB.replace("name = rpi4; class = rpi;", "name = rpi4; class = rpi; groups = kernel;");
    lab.ground().configure(&changed).await?;
    let lab = lab.restart().await?;
    let root = lab.admin().await?;
    assert_eq!(root.holds().await?, [stays]);
    Ok(())
}

#[tokio::test]
async fn a_role_that_is_over_takes_the_boards_that_it_showed() -> Result<()> {
    let (lab, _, _, judge) = scene().await?;
    let root = lab.admin().await?;
    let (role, span) = (Role::Moderator, Some(protocol::Span::hours(1)));
    root.change_account("eve".parse()?, AccountAsk::Add { role: Role::User, span: None }).await?;
    root.change_account("eve".parse()?, AccountAsk::Grant { role, span }).await?;
    let ask = protocol::hold::Ask { span: Some(protocol::Span::hours(2)), ..board("zebra") };
    lab.user("eve").await?.reserve(ask).await?;
    let mut table = judge.follow(Follow::Boards).await?;
    table.row_when(|row| row.name == name("zebra") && row.state == State::Held).await?;
    lab.advance(protocol::Span::hours(1));
    table.row_when(|row| row.name == name("zebra") && row.state == State::Free).await?;
    Ok(())
}

/// The system's groups change without a word to the lab.
#[tokio::test]
async fn whoever_holds_a_board_that_is_hidden_from_them_sees_so_and_may_give_it_back() -> Result<()>
{
    let (lab, ..) = scene().await?;
    let member =
        Peer { groups: vec!["kernel".to_owned()], ..Peer::vouched("bob".parse()?, Role::User) };
    let hold = held(Person::from(lab.lab(), member).await?.reserve(board("zebra")).await?)?;
    let bob = lab.user("bob").await?;
    assert_eq!(bob.holds().await?, [hold]);
    assert!(matches!(bob.board(name("zebra")).await, Err(Error::NoSuch { .. })));
    bob.release(name("zebra"), Release::default()).await?;
    let refused = bob.release(name("zebra"), Release::default()).await;
    assert!(matches!(refused, Err(Error::NoSuch { .. })), "{refused:?}");
    Ok(())
}
