//! Searching what consoles printed.

use anyhow::Result;
use lab_tests::lab::{Plan, TestLab, boards, name};
use lab_tests::person::Person;
use lab_tests::rest::Rest;
use protocol::Error;
use protocol::account::TokenAsk;
use protocol::console::From;
use protocol::search::{Case, Direction, Hit, Search};
use protocol::wire::Follow;

fn literal(pattern: &str) -> Search {
    Search { pattern: pattern.to_owned(), ..Search::default() }
}

/// What is found; the search came to its end.
async fn found(who: &Person, ask: Search) -> Result<Vec<Hit>> {
    let text = who.follow(Follow::Search(ask)).await?.rest().await?;
    let hits = text.strip_suffix("\n\n").or(text.strip_suffix('\n')).unwrap_or("no end");
    Ok(hits.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

/// The lines of hits, with their boards.
fn lines(hits: &[Hit]) -> Vec<(&str, &str)> {
    hits.iter().map(|hit| (hit.board.as_str(), hit.line.as_str())).collect()
}

/// Has a board print something, and waits until it is recorded.
async fn print(lab: &TestLab, board: &str, text: &str) -> Result<()> {
    lab.board(board).print(text).await?;
    lab.admin().await?.look_at(board, From::Start).await?.until(text).await?;
    Ok(())
}

#[tokio::test]
async fn what_was_printed_is_found_the_newest_first_and_can_be_opened() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4", "rpi5"]).await?;
    let guest = lab.viewer("guest").await?;
    print(&lab, "rpi4", "U-Boot 2026.01\r\nKernel \x1b[31mpanic\x1b[0m: one\r\n").await?;
    lab.advance(protocol::Span::seconds(1));
    print(&lab, "rpi5", "load 10%\rkernel PANIC: two\r\n").await?;
    lab.advance(protocol::Span::seconds(1));
    print(&lab, "rpi4", "kernel panic: three").await?;
    let all = found(&guest, literal("kernel panic")).await?;
    let three = ("rpi4", "kernel panic: three");
    let (one, two) = (("rpi4", "Kernel panic: one"), ("rpi5", "kernel PANIC: two"));
    assert_eq!(lines(&all), [three, two, one]);
    assert!(all.is_sorted_by(|newer, older| newer.at > older.at), "{all:?}");
    assert_eq!(&all[2].line[all[2].spans[0].0..all[2].spans[0].1], "Kernel panic");
    let mut there = guest.look_at("rpi4", From::Offset { offset: all[2].offset }).await?;
    assert_eq!(there.line().await?, "Kernel \x1b[31mpanic\x1b[0m: one");

    let asked = |ask: Search| found(&guest, ask);
    assert_eq!(lines(&asked(literal("Kernel panic")).await?), [one], "a capital matters");
    let ignored = Search { case: Case::Ignored, limit: Some(2), ..literal("KERNEL PANIC") };
    assert_eq!(lines(&asked(ignored).await?), [three, two]);
    let of_one = Search { boards: vec![name("rpi5")], ..literal("panic") };
    assert_eq!(lines(&asked(of_one).await?), [two]);
    let regex = Search { regex: true, ..literal("^kernel.*(one|three)$") };
    assert_eq!(lines(&asked(regex).await?), [three, one]);
    let until = Search { until: Some(all[1].at), ..literal("panic") };
    assert_eq!(lines(&asked(until).await?), [two, one]);
    let since = Search { since: Some(all[1].at), ..literal("panic") };
    assert_eq!(lines(&asked(since).await?), [three, two]);
    assert_eq!(lines(&asked(literal("nothing such")).await?), []);
    // As one goes through a history, up and down.
    let here = Search { boards: vec![name("rpi4")], limit: Some(1), ..literal("panic") };
    let up = Search { from: Some(all[0].offset), ..here.clone() };
    assert_eq!(lines(&asked(up).await?), [one]);
    let next = Some(all[2].offset + 1);
    let down = Search { from: next, direction: Direction::Forward, ..here };
    assert_eq!(lines(&asked(down).await?), [three]);
    Ok(())
}

#[tokio::test]
async fn a_search_that_is_none_is_refused_with_the_reason() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4", "rpi5"]).await?;
    let guest = lab.viewer("guest").await?;
    let two = vec![name("rpi4"), name("rpi5")];
    for (ask, why) in [
        (literal(""), "the pattern is empty"),
        (Search { regex: true, ..literal("a(b") }, "unclosed group, at character 2"),
        (Search { from: Some(1), ..literal("a") }, "an offset is one board's"),
        (Search { from: Some(1), boards: two, ..literal("a") }, "an offset is one board's"),
        (literal(&"x".repeat(1_001)), "longer than 1000 bytes"),
    ] {
        let refused = guest.follow(Follow::Search(ask)).await.map(drop).unwrap_err();
        assert!(matches!(refused, Error::Bad { .. }), "{refused:?}");
        assert!(refused.to_string().contains(why), "{refused}");
    }
    let nowhere = Search { class: Some("nothing".to_owned()), ..literal("a") };
    let refused = guest.follow(Follow::Search(nowhere)).await.map(drop).unwrap_err();
    assert!(matches!(&refused, Error::NoSuch { what, .. } if what == "class"), "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn nobody_finds_what_is_not_there_for_them() -> Result<()> {
    let lab = "
access { admin = root; user = ada }
classes { rpi { } }
boards [
    { name = rpi4; class = rpi; options = [ @console(rpi4) ] },
    { name = zebra; class = rpi; groups = kernel; options = [ @console(zebra) ] },
]
";
    let mut lab = Plan::new(lab).open().await?;
    let (ada, root) = (lab.user("ada").await?, lab.admin().await?);
    print(&lab, "rpi4", "login: here\n").await?;
    print(&lab, "zebra", "login: there\n").await?;
    let here = [("rpi4", "login: here")];
    let there = Search { boards: vec![name("zebra")], ..literal("login") };
    for _ in ["in the lab", "after it has left"] {
        assert_eq!(lines(&found(&ada, literal("login")).await?), here);
        let of_class = Search { class: Some("rpi".to_owned()), ..literal("login") };
        assert_eq!(lines(&found(&ada, of_class).await?), here);
        let refused = ada.follow(Follow::Search(there.clone())).await.map(drop).unwrap_err();
        assert!(matches!(refused, Error::NoSuch { near: None, .. }), "{refused:?}");
        assert_eq!(found(&root, literal("login")).await?.len(), 2);
        assert_eq!(lines(&found(&root, there.clone()).await?), [("zebra", "login: there")]);
        let one = "classes { rpi { } }\naccess { admin = root; user = ada }\nboards [ { name = rpi4; class = rpi; options = [ @console(rpi4) ] } ]";
        lab.ground().configure(one).await?;
        root.reload().await?;
    }
    Ok(())
}

#[tokio::test]
async fn by_rest_a_search_is_lines_that_end_with_an_empty_one() -> Result<()> {
    let lab = Plan::new(boards(&["rpi4"])).open().await?;
    let root = lab.admin().await?;
    print(&lab, "rpi4", "a + b & c\n").await?;
    let secret = root.make_token(TokenAsk::default()).await?.secret;
    let ask = Search { case: Case::Matters, ..literal("+ b &") };
    let by_rest = Person::by_rest(&Rest::new(lab.lab()).await?, secret);
    let chunks = by_rest.follow(Follow::Search(ask.clone())).await?.rest().await?;
    let hit = root.follow(Follow::Search(ask)).await?.rest().await?;
    assert!(hit.ends_with("}\n\n") && chunks.contains(hit.trim_end()), "{chunks}");
    assert!(chunks.ends_with("\n\r\n0\r\n\r\n"), "it looks whole: {chunks}");
    Ok(())
}

#[tokio::test]
async fn who_leaves_a_search_ends_it_and_others_go_on() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let guest = lab.viewer("guest").await?;
    print(&lab, "rpi4", &"a line of many\n".repeat(20_000)).await?;
    for _ in 0..5 {
        let mut left = guest.follow(Follow::Search(literal("line"))).await?;
        left.line().await?;
        drop(left);
    }
    let last = Search { limit: Some(20_000), ..literal("line") };
    assert_eq!(found(&guest, last).await?.len(), 20_000);
    Ok(())
}
