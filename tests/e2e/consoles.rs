//! Looking at consoles.

use std::time::{Duration, Instant};

use anyhow::Result;
use futures::future::try_join_all;
use lab_tests::lab::{Plan, TestLab, board, boards, name};
use lab_tests::patience::soon;
use protocol::console::{ConsoleState, From};
use protocol::journal::Event;
use protocol::power::PowerAsk;
use protocol::{Error, Span, Time};

fn lost(event: &Event) -> bool {
    matches!(event, Event::ConsoleLost { .. })
}

#[tokio::test]
async fn everybody_who_looks_sees_the_same_bytes() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let guest = lab.viewer("guest").await?;
    let printed: String =
        (0..500).map(|n| format!("line {n} \u{1b}[1mbold\u{1b}[0m \u{fffd}\r\n")).collect();
    let mut viewers = Vec::new();
    for _ in 0..20 {
        viewers.push(guest.look_at("rpi4", From::Start).await?);
    }
    lab.board("rpi4").print(&printed).await?;
    lab.board("rpi4").print("login: ").await?;
    let seen = try_join_all(viewers.iter_mut().map(|viewer| viewer.until("login: "))).await?;
    for seen in seen {
        assert_eq!(seen, format!("{printed}login: "));
    }
    let detail = guest.board(name("rpi4")).await?;
    assert_eq!(detail.line.map(|line| line.viewers.len()), Some(20));
    assert_eq!(detail.board.last_line, "login:");
    Ok(())
}

#[tokio::test]
async fn a_follower_resumes_where_it_stopped_also_after_a_restart() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let guest = lab.viewer("guest").await?;
    let mut console = guest.look_at("rpi4", From::Start).await?;
    lab.board("rpi4").print("U-Boot 2026.01\nlost if ").await?;
    assert_eq!(console.line().await?, "U-Boot 2026.01");
    let here = console.cursor();
    drop(console);
    lab.board("rpi4").print("it were not kept\n").await?;
    let mut console = guest.look_at("rpi4", From::Offset { offset: here }).await?;
    assert_eq!(console.line().await?, "lost if it were not kept");
    let here = console.cursor();
    let lab = lab.restart().await?;
    assert_eq!(console.rest().await?, "", "the daemon hung up, and sent nothing twice");
    lab.board("rpi4").print("after the restart\n").await?;
    let guest = lab.viewer("guest").await?;
    let mut console = guest.look_at("rpi4", From::Offset { offset: here }).await?;
    assert_eq!(console.welcome.start, here);
    assert_eq!(console.line().await?, "after the restart");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_keeps_coming_back_misses_nothing_and_sees_nothing_twice() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let guest = lab.viewer("guest").await?;
    let wanted: String = (0..5_000).map(|n| format!("{n} ")).collect();
    let printing = async {
        for piece in wanted.as_bytes().chunks(997) {
            lab.board("rpi4").print(piece).await?;
        }
        lab.board("rpi4").print("\n").await
    };
    let coming_back = async {
        let (mut seen, mut offset) = (String::new(), 0);
        while !seen.ends_with('\n') {
            let mut console = guest.look_at("rpi4", From::Offset { offset }).await?;
            let mark = if seen.ends_with("4999 ") { "\n" } else { "9 " };
            seen += &console.until(mark).await?;
            offset = console.cursor();
        }
        anyhow::Ok(seen)
    };
    let ((), seen) = futures::try_join!(printing, coming_back)?;
    assert!(seen == wanted + "\n", "{} bytes were seen", seen.len());
    Ok(())
}

#[tokio::test]
async fn history_begins_where_it_is_asked_to() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let root = lab.admin().await?;
    let mut live = root.look_at("rpi4", From::Start).await?;
    for line in ["one\n", "two\n", "three\n"] {
        lab.board("rpi4").print(line).await?;
        live.line().await?;
        lab.advance(Span::seconds(10));
    }
    let began = lab.now() - Span::seconds(30);
    let of = |span| From::Ago { span: Span::seconds(span) };
    for (from, first) in [
        (From::Start, "one"),
        (From::Time { time: Time(0) }, "one"),
        (From::Time { time: began + Span::seconds(1) }, "two"),
        (of(15), "three"),
        (of(20), "two"),
        (of(1_000), "one"),
        (From::Tail { bytes: 8 }, "two"),
        (From::Offset { offset: 8 }, "three"),
    ] {
        assert_eq!(root.look_at("rpi4", from).await?.line().await?, first, "{from:?}");
    }
    root.power(name("rpi4"), PowerAsk::On).await?;
    lab.board("rpi4").print("U-Boot\n").await?;
    assert_eq!(root.look_at("rpi4", From::Boot).await?.line().await?, "U-Boot");
    let ahead = root.look_at("rpi4", From::Offset { offset: 1 << 40 }).await?;
    assert_eq!(ahead.welcome.start, 21, "nobody can begin in the future");
    Ok(())
}

#[tokio::test]
async fn a_console_that_is_unplugged_and_plugged_in_again_keeps_its_viewers() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let guest = lab.viewer("guest").await?;
    let mut console = guest.look_at("rpi4", From::Start).await?;
    let mut journal = guest.journal("rpi4").await?;
    lab.board("rpi4").print("before\n").await?;
    assert_eq!(console.line().await?, "before");
    lab.board("rpi4").unplug().await;
    journal.event(lost).await?;
    let row = guest.board(name("rpi4")).await?.board;
    assert_eq!(row.console, ConsoleState::Away);
    assert!(row.fault.is_some());
    lab.board("rpi4").plug().await?;
    journal.event(|event| *event == Event::ConsoleOpened).await?;
    lab.board("rpi4").print("after\n").await?;
    assert_eq!(console.line().await?, "after");
    assert_eq!(guest.board(name("rpi4")).await?.board.fault, None);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_that_does_not_read_harms_nobody() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let guest = lab.viewer("guest").await?;
    let mut stuck = guest.look_at("rpi4", From::Start).await?;
    let mut lively = guest.look_at("rpi4", From::Start).await?;
    let flood = "x".repeat(1023) + "\n";
    let began = Instant::now();
    let printing = async {
        for _ in 0..2_000 {
            lab.board("rpi4").print(&flood).await?;
        }
        lab.board("rpi4").print("done!").await
    };
    let ((), seen) = futures::try_join!(printing, lively.until("done!"))?;
    assert_eq!(seen.len(), 2_000 * 1_024 + 5);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(stuck.until("done!").await?.len(), seen.len(), "it finds everything when it reads");
    Ok(())
}

#[tokio::test]
async fn history_can_be_had_up_to_its_end() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let guest = lab.viewer("guest").await?;
    let mut live = guest.look_at("rpi4", From::Start).await?;
    lab.board("rpi4").print("one\ntwo\n").await?;
    live.until("two\n").await?;
    for (from, wanted) in [(From::Start, "one\ntwo\n"), (From::End, "")] {
        let what = protocol::wire::Follow::Console {
            board: name("rpi4"),
            from,
            pen: Default::default(),
            stop_at_end: true,
        };
        assert_eq!(guest.follow(what).await?.rest().await?, wanted, "{from:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_simulated_board_boots_and_answers_to_a_break() -> Result<()> {
    let config = "classes { sim { } } boards [ { name = sim1; class = sim;
        options = [ { cls = sim; seed = 7; speed = 200 } ] } ]";
    let lab = Plan::new(config).open().await?;
    let ada = lab.user("ada").await?;
    ada.reserve(board("sim1")).await?;
    let mut console = ada.type_at("sim1").await?;
    ada.power(name("sim1"), PowerAsk::On).await?;
    let boot = console.until("login: ").await?;
    assert!(boot.contains("U-Boot"), "{boot}");
    console.type_in("root\r").await?;
    console.until("# ").await?;
    ada.send_break(console.session(), Span::millis(1)).await?;
    ada.journal("sim1").await?.event(|event| *event == Event::Break).await?;
    console.type_in("h").await?;
    console.until("sysrq: HELP").await?;
    Ok(())
}

#[tokio::test]
async fn a_break_is_for_who_has_the_pen_and_where_there_is_none_that_is_written_down() -> Result<()>
{
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let ada = lab.user("ada").await?;
    ada.reserve(board("rpi4")).await?;
    let onlooker = ada.look_at("rpi4", From::End).await?;
    let refused = ada.send_break(onlooker.session(), Span::default()).await.unwrap_err();
    assert_eq!(refused, Error::NoPen { board: name("rpi4"), of: None });
    let typist = ada.type_at("rpi4").await?;
    let bob = lab.user("bob").await?;
    let refused = bob.send_break(typist.session(), Span::default()).await.unwrap_err();
    assert!(matches!(refused, Error::NoSuch { .. }), "{refused}");
    let failed = ada.send_break(typist.session(), Span::default()).await.unwrap_err().to_string();
    assert!(failed.starts_with("the console of rpi4 sends no BREAK: "), "{failed}");
    assert!(failed.ends_with("raw TCP carries no BREAK; use protocol = telnet"), "{failed}");
    let noted = |event: &Event| matches!(event, Event::Noted { text } if text.starts_with("a BREAK could not be sent"));
    ada.journal("rpi4").await?.event(noted).await?;
    Ok(())
}

#[tokio::test]
async fn a_board_far_from_the_lab_is_away_until_it_answers() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    lab.settled().await?;
    lab.board("rpi4").unplug().await;
    lab.viewer("guest").await?.journal("rpi4").await?.event(lost).await?;
    let lab = lab.restart().await?;
    let guest = lab.viewer("guest").await?;
    let mut journal = guest.journal("rpi4").await?;
    journal.event(lost).await?;
    journal.event(lost).await?;
    assert_eq!(guest.board(name("rpi4")).await?.board.console, ConsoleState::Away);
    let mut console = guest.look_at("rpi4", From::Start).await?;
    lab.board("rpi4").plug().await?;
    lab.board("rpi4").print("there it is\n").await?;
    assert_eq!(console.line().await?, "there it is");
    Ok(())
}

#[tokio::test]
async fn who_leaves_is_no_viewer_any_more() -> Result<()> {
    let lab = Plan::new(boards(&["rpi4"])).open().await?;
    let guest = lab.viewer("guest").await?;
    let viewers = || async {
        let detail = guest.board(name("rpi4")).await?;
        anyhow::Ok(detail.line.map(|line| line.viewers.len()).unwrap_or_default())
    };
    let console = guest.look_at("rpi4", From::End).await?;
    assert_eq!(viewers().await?, 1);
    console.hang_up().await?;
    assert_eq!(soon(viewers()).await??, 0);
    Ok(())
}
