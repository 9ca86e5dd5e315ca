//! Typing on consoles: one pen, and what is written down of it.

use anyhow::Result;
use lab_tests::follower::Follower;
use lab_tests::lab::{Plan, TestLab, board, boards, held, name};
use lab_tests::patience::soon;
use lab_tests::person::Person;
use protocol::console::{From, PenAsk, PenState};
use protocol::hold::Release;
use protocol::journal::{Entry, Event};
use protocol::power::PowerAsk;
use protocol::{Error, Span};

fn typed(event: &Event) -> bool {
    matches!(event, Event::Typed { .. })
}

/// What is typed next according to the timeline: by whom, and what.
async fn next_typed(journal: &mut Follower) -> Result<(String, Option<String>, u64)> {
    let Entry { who, event, .. } = journal.event(typed).await?;
    let Event::Typed { text, bytes } = event else { unreachable!() };
    Ok((who.map(|who| who.to_string()).unwrap_or_default(), text, bytes))
}

#[tokio::test]
async fn only_who_has_the_pen_reaches_the_board() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let ada = lab.user("ada").await?;
    ada.reserve(board("rpi4")).await?;
    let mut first = ada.type_at("rpi4").await?;
    let mut second = ada.type_at("rpi4").await?;
    second.type_in("nothing of this arrives").await?;
    // Whatever was sent before the answer to this has been read.
    assert_eq!(ada.pen(second.session(), PenAsk::Take).await?, PenState::InLine { position: 1 });
    first.type_in("ls\r").await?;
    assert_eq!(lab.board("rpi4").typed(3).await?, "ls\r");
    Ok(())
}

#[tokio::test]
async fn the_pen_is_asked_for_forced_and_handed_on() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let (ada, root) = (lab.user("ada").await?, lab.admin().await?);
    ada.reserve(board("rpi4")).await?;
    let mut journal = ada.journal("rpi4").await?;
    let adas = ada.type_at("rpi4").await?;
    let roots = root.look_at("rpi4", From::End).await?;
    assert_eq!(root.pen(roots.session(), PenAsk::Take).await?, PenState::InLine { position: 1 });
    let of = "ada".parse()?;
    let asked = Event::PenAsked { session: roots.session(), of };
    journal.event(|event| *event == asked).await?;
    assert_eq!(root.pen(roots.session(), PenAsk::Take).await?, PenState::InLine { position: 1 });
    let force = PenAsk::Force { reason: "it hangs".to_owned() };
    assert_eq!(root.pen(roots.session(), force).await?, PenState::Yours);
    let entry = journal.event(|event| matches!(event, Event::PenForced { .. })).await?;
    assert_eq!(entry.who, Some("root".parse()?));
    let (from, reason) = ("ada".parse()?, "it hangs".to_owned());
    assert_eq!(entry.event, Event::PenForced { session: roots.session(), from, reason });
    assert_eq!(root.pen(roots.session(), PenAsk::Drop).await?, PenState::NotYours);
    let back = Event::PenTaken { session: adas.session() };
    let entry = journal.event(|event| *event == back).await?;
    assert_eq!(entry.who, Some("ada".parse()?), "who had it is the next in line");
    adas.hang_up().await?;
    journal.event(|event| matches!(event, Event::PenDropped { .. })).await?;
    Ok(())
}

#[tokio::test]
async fn the_pen_is_for_who_holds_the_board() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let (ada, bob, guest) =
        (lab.user("ada").await?, lab.user("bob").await?, lab.viewer("guest").await?);
    let refused = ada.type_at("rpi4").await.err();
    assert_eq!(refused, Some(Error::NotHeld { board: name("rpi4") }));
    ada.reserve(board("rpi4")).await?;
    let refused = bob.type_at("rpi4").await.err();
    assert!(matches!(refused, Some(Error::HeldBy { .. })), "{refused:?}");
    let refused = guest.type_at("rpi4").await.err();
    assert!(matches!(refused, Some(Error::NotAllowed { .. })), "{refused:?}");
    let look = bob.look_at("rpi4", From::End).await?;
    for ask in [PenAsk::Take, PenAsk::Force { reason: "mine".to_owned() }] {
        let refused = bob.pen(look.session(), ask).await.unwrap_err();
        assert!(matches!(refused, Error::HeldBy { .. }), "{refused}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_typed_is_on_the_timeline_with_its_author_and_a_password_is_not() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let (ada, root) = (lab.user("ada").await?, lab.admin().await?);
    ada.reserve(board("rpi4")).await?;
    let mut journal = ada.journal("rpi4").await?;
    let mut console = ada.type_at("rpi4").await?;
    let board = lab.board("rpi4");

    let echo = board.echo().await?;
    console.type_in("uname").await?;
    console.until("uname").await?;
    console.type_in(" -a\r").await?;
    assert_eq!(next_typed(&mut journal).await?, ("ada".into(), Some("uname -a\\r".into()), 9));
    drop(echo);

    board.print("Password: ").await?;
    console.until("Password: ").await?;
    console.type_in("hunter2\r").await?;
    board.typed(8).await?;
    board.print("\r\nWelcome\r\n").await?;
    assert_eq!(next_typed(&mut journal).await?, ("ada".into(), None, 8));

    let echo = board.echo().await?;
    let mut roots = root.look_at("rpi4", From::End).await?;
    root.pen(roots.session(), PenAsk::Force { reason: "my turn".to_owned() }).await?;
    roots.type_in("id\r").await?;
    assert_eq!(next_typed(&mut journal).await?, ("root".into(), Some("id\\r".into()), 3));
    drop(echo);
    Ok(())
}

#[tokio::test]
async fn a_paste_that_takes_long_is_on_the_timeline_whole() -> Result<()> {
    let paced =
        boards(&["rpi4"]).replace("class = rpi;", "class = rpi; pace { bytes = 16; every = 5ms }");
    let lab = Plan::new(paced).open().await?;
    let ada = lab.user("ada").await?;
    ada.reserve(board("rpi4")).await?;
    let mut journal = ada.journal("rpi4").await?;
    let session = ada.type_at("rpi4").await?;
    let _echo = lab.board("rpi4").echo().await?;
    let paste: String = (0..100).map(|n| format!("setenv name{n} value{n}\r")).collect();
    ada.type_in(session.session(), paste.clone().into()).await?;
    let typed = (Some(paste.replace('\r', "\\r")), paste.len() as u64);
    assert_eq!(next_typed(&mut journal).await?, ("ada".into(), typed.0, typed.1));
    Ok(())
}

/// What a board says behind a password, right or wrong: all the letters of most.
const GREETINGS: [&str; 2] = [
    "Linux rpi4 6.1.0-21-arm64 #1 SMP Debian 6.1.90-1 (2024-05-03) aarch64\r\n\r\n\
     The programs included with the Debian GNU/Linux system are free software; the exact distribution \
     terms for each program are described in the individual files in /usr/share/doc/*/copyright.\r\n\
     Debian GNU/Linux comes with ABSOLUTELY NO WARRANTY, to the extent permitted by applicable law.\r\n\
     Last login: Mon Jun  3 09:12:54 UTC 2030 from 192.168.178.25 on pts/0\r\n\
     Trust nobody; let me in; 12345 updates can be applied.\r\nroot@rpi4:~# ",
    "Login incorrect\r\nrpi4 login: ",
];

#[tokio::test]
async fn no_password_is_on_the_timeline_whatever_the_board_says_behind_it() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let ada = lab.user("ada").await?;
    ada.reserve(board("rpi4")).await?;
    let mut journal = ada.journal("rpi4").await?;
    let mut console = ada.type_at("rpi4").await?;
    let board = lab.board("rpi4");
    let passwords =
        ["hunter2", "Trustno1", "letmein", "12345", "root", "a", "s3cret!", "Login", "incorrect"];
    for (password, greeting) in
        passwords.into_iter().flat_map(|it| GREETINGS.map(|greeting| (it, greeting)))
    {
        board.print("rpi4 login: ").await?;
        console.until("login: ").await?;
        console.type_in("root\r").await?;
        board.typed(5).await?;
        board.print("root\r\nPassword: ").await?;
        console.until("Password: ").await?;
        assert_eq!(next_typed(&mut journal).await?, ("ada".into(), Some("root\\r".into()), 5));
        console.type_in(format!("{password}\r")).await?;
        board.typed(password.len() + 1).await?;
        board.print(format!("\r\n{greeting}")).await?;
        console.until(greeting).await?;
        let length = password.len() as u64 + 1;
        assert_eq!(next_typed(&mut journal).await?, ("ada".into(), None, length), "{password}");
    }
    Ok(())
}

#[tokio::test]
async fn commands_at_a_boot_loader_and_at_a_shell_are_on_the_timeline() -> Result<()> {
    let config = "classes { sim { } } boards [ { name = sim1; class = sim;
        options = [ { cls = sim; seed = 7; speed = 5 } ] } ]";
    let lab = Plan::new(config).open().await?;
    let ada = lab.user("ada").await?;
    ada.reserve(board("sim1")).await?;
    let mut journal = ada.journal("sim1").await?;
    let mut console = ada.type_at("sim1").await?;
    ada.power(name("sim1"), PowerAsk::On).await?;
    console.until("Hit any key to stop autoboot").await?;
    console.type_in(" ").await?;
    console.until("=> ").await?;
    console.type_in("version\r").await?;
    assert_eq!(next_typed(&mut journal).await?, ("ada".into(), None, 1), "it echoes no such key");
    assert_eq!(next_typed(&mut journal).await?, ("ada".into(), Some("version\\r".into()), 8));
    console.until("=> ").await?;
    console.type_in("boo\x7fot\r").await?;
    let boot = next_typed(&mut journal).await?;
    assert_eq!(boot, ("ada".into(), Some("boo\\u{7f}ot\\r".into()), 7));
    console.until("login: ").await?;
    for command in ["root", "uname -a", "id"] {
        console.type_in(format!("{command}\r")).await?;
        let (typed, length) = (Some(format!("{command}\\r")), command.len() as u64 + 1);
        assert_eq!(next_typed(&mut journal).await?, ("ada".into(), typed, length));
        console.until("# ").await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_is_typed_stands_on_the_timeline_where_the_console_was() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let ada = lab.user("ada").await?;
    ada.reserve(board("rpi4")).await?;
    let mut journal = ada.journal("rpi4").await?;
    let mut console = ada.type_at("rpi4").await?;
    lab.board("rpi4").print("0123456789").await?;
    console.until("9").await?;
    ada.note(name("rpi4"), "ten bytes so far".to_owned()).await?;
    let entry = journal.event(|event| matches!(event, Event::Noted { .. })).await?;
    assert_eq!(entry.offset, Some(10));
    Ok(())
}

#[tokio::test]
async fn a_paste_arrives_whole_at_the_boards_own_pace() -> Result<()> {
    let paced =
        boards(&["rpi4"]).replace("class = rpi;", "class = rpi; pace { bytes = 64; every = 1ms }");
    let lab = Plan::new(paced).open().await?;
    let ada = lab.user("ada").await?;
    ada.reserve(board("rpi4")).await?;
    let paste: String = (0..4_000).map(|n| format!("{n}\n")).collect();
    let mut console = ada.type_at("rpi4").await?;
    console.type_in(&paste).await?;
    let began = std::time::Instant::now();
    drop(console);
    let arrived = lab.board("rpi4").typed(paste.len()).await?;
    assert!(arrived == paste);
    let (least, took) = (paste.len() as u32 / 64 * 9 / 10, began.elapsed());
    assert!(took > std::time::Duration::from_millis(1) * least, "{took:?} is too fast");
    Ok(())
}

#[tokio::test]
async fn who_takes_the_pen_away_need_not_wait_for_what_was_pasted() -> Result<()> {
    let paced =
        boards(&["rpi4"]).replace("class = rpi;", "class = rpi; pace { bytes = 16; every = 10ms }");
    let lab = Plan::new(paced).open().await?;
    let (ada, root) = (lab.user("ada").await?, lab.admin().await?);
    ada.reserve(board("rpi4")).await?;
    let mut adas = ada.type_at("rpi4").await?;
    let roots = root.look_at("rpi4", From::End).await?;
    let session = adas.session();
    // More than the line takes in at once: some of it waits before each of its doors.
    let (asked, streamed) =
        (ada.type_in(session, vec![b'x'; 12_000]), adas.type_in(vec![b'y'; 200_000]));
    let taking_over = async {
        assert_eq!(lab.board("rpi4").typed(32).await?.len(), 32);
        root.pen(roots.session(), PenAsk::Force { reason: "stop".to_owned() }).await?;
        soon(root.type_in(roots.session(), vec![0x03])).await??;
        let mut before = 32;
        while lab.board("rpi4").typed(1).await? != "\x03" {
            before += 1;
        }
        anyhow::Ok(before)
    };
    let (told, streamed, before) = tokio::join!(asked, streamed, taking_over);
    streamed?;
    let before = before?;
    assert!(before < 1_000, "{before} bytes of the paste came first");
    assert_eq!(told, Err(Error::NoPen { board: name("rpi4"), of: Some("root".parse()?) }));
    // Nothing of it comes behind either.
    root.type_in(roots.session(), b"ls\r".to_vec()).await?;
    assert_eq!(lab.board("rpi4").typed(3).await?, "ls\r");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_typed_before_leaving_arrives_though_the_board_talks_all_the_time() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let ada = lab.user("ada").await?;
    ada.reserve(board("rpi4")).await?;
    let socket = lab.socket_of("ada", protocol::user::Role::User)?;
    let talking = async {
        loop {
            lab.board("rpi4").print("blah\n").await?;
            tokio::task::yield_now().await;
        }
    };
    let coming_and_going = async {
        for _ in 0..200 {
            let what = protocol::wire::Follow::Console {
                board: name("rpi4"),
                from: From::End,
                pen: protocol::console::Pen::Wanted,
                stop_at_end: false,
            };
            let (mut flow, welcome) = protocol::client::follow(&socket, what).await?;
            // Who was here before may not have been seen to leave yet.
            soon(async {
                while ada.pen(welcome.session, PenAsk::Take).await? != PenState::Yours {
                    tokio::task::yield_now().await;
                }
                anyhow::Ok(())
            })
            .await??;
            tokio::io::AsyncWriteExt::write_all(&mut flow, b"x").await?;
        }
        lab.board("rpi4").typed(200).await
    };
    tokio::select! {
        never = talking => never,
        typed = coming_and_going => typed.map(|typed| assert_eq!(typed, "x".repeat(200))),
    }
}

/// Whoever asks whether it was typed is told why not.
async fn why_not(ada: &Person, session: u64, text: &str) -> Result<String> {
    match soon(ada.type_in(session, text.into())).await? {
        Ok(()) => anyhow::bail!("it was typed"),
        Err(why) => Ok(why.to_string()),
    }
}

#[tokio::test]
async fn what_is_typed_while_the_device_is_away_is_refused_and_not_lost_in_silence() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let ada = lab.user("ada").await?;
    ada.reserve(board("rpi4")).await?;
    let mut journal = ada.journal("rpi4").await?;
    let session = ada.type_at("rpi4").await?;
    ada.type_in(session.session(), b"ls\r".to_vec()).await?;
    assert_eq!(lab.board("rpi4").typed(3).await?, "ls\r", "an answer means that it is typed");
    lab.board("rpi4").unplug().await;
    journal.event(|event| matches!(event, Event::ConsoleLost { .. })).await?;
    let why = why_not(&ada, session.session(), "reboot\r").await?;
    assert!(why.starts_with("the console of rpi4 is away, and nothing was typed: "), "{why}");
    let broken = soon(ada.send_break(session.session(), Span::default())).await?;
    let why = broken.unwrap_err().to_string();
    assert!(why.starts_with("the console of rpi4 is away, and no BREAK was sent: "), "{why}");
    lab.board("rpi4").plug().await?;
    journal.event(|event| *event == Event::ConsoleOpened).await?;
    ada.type_in(session.session(), b"id\r".to_vec()).await?;
    assert_eq!(lab.board("rpi4").typed(3).await?, "id\r", "and nothing of before");
    Ok(())
}

#[tokio::test]
async fn what_was_typed_in_part_is_told_with_the_reason() -> Result<()> {
    let paced =
        boards(&["rpi4"]).replace("class = rpi;", "class = rpi; pace { bytes = 1; every = 20ms }");
    let lab = Plan::new(paced).by_hand().open().await?;
    let (ada, root) = (lab.user("ada").await?, lab.admin().await?);
    let mut journal = ada.journal("rpi4").await?;
    let (rpi4, paste) = (lab.board("rpi4"), "x".repeat(9_000));

    let hold = held(ada.reserve(board("rpi4")).await?)?;
    let adas = ada.type_at("rpi4").await?;
    let release = async {
        rpi4.typed(2).await?;
        Ok(ada.release(name("rpi4"), Release::default()).await?)
    };
    let (why, _) = tokio::try_join!(why_not(&ada, adas.session(), &paste), release)?;
    let over = format!("your hold {} of rpi4 is over: it ended before all was typed", hold.number);
    assert_eq!(why, over);

    ada.reserve(board("rpi4")).await?;
    let adas = ada.type_at("rpi4").await?;
    let unplug = async {
        rpi4.typed(2).await?;
        rpi4.unplug().await;
        anyhow::Ok(())
    };
    let (why, ()) = tokio::try_join!(why_not(&ada, adas.session(), &paste), unplug)?;
    assert!(why.starts_with("the console of rpi4 is away, and "), "{why}");
    assert!(why.contains(" of 9000 bytes were typed: "), "{why}");
    rpi4.plug().await?;
    journal.event(|event| matches!(event, Event::ConsoleLost { .. })).await?;
    journal.event(|event| *event == Event::ConsoleOpened).await?;

    let roots = root.look_at("rpi4", From::End).await?;
    root.pen(roots.session(), PenAsk::Force { reason: "mine".to_owned() }).await?;
    let why = why_not(&ada, adas.session(), "ls").await?;
    assert_eq!(why, "you do not have the pen of rpi4's console; root has it");
    Ok(())
}
