//! Who may do what, and what the door says to those it does not know.

use std::os::unix::fs::PermissionsExt;

use anyhow::Result;
use futures::future::join_all;
use lab_tests::daemon::Daemon;
use lab_tests::lab::{Plan, TestLab, board, boards, class, held, name, queued, tagged, waits};
use lab_tests::patience::{soon, until};
use lab_tests::root;
use labd::doorstep::guests::{Guests, Room};
use protocol::address::Address;
use protocol::board::Filter;
use protocol::client::Client;
use protocol::console::PenAsk;
use protocol::hold::{Ask, Release};
use protocol::power::PowerAsk;
use protocol::user::Role;
use protocol::wire::{self, Follow};
use protocol::{Error, Span, limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

#[tokio::test]
async fn each_role_may_do_what_it_may_and_no_more() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let (guest, ada, root) =
        (lab.viewer("guest").await?, lab.user("ada").await?, lab.admin().await?);
    let no = |answer: Result<(), Error>| matches!(answer, Err(Error::NotAllowed { .. }));
    let board_of = || name("rpi4");
    assert!(no(guest.reserve(board("rpi4")).await.map(drop)), "a viewer does not hold");
    assert!(no(guest.note(board_of(), "hi".to_owned()).await));
    assert!(no(guest.unqueue(1).await));
    assert!(no(guest.power(board_of(), PowerAsk::On).await.map(drop)));
    assert!(no(guest.type_at("rpi4").await.map(drop)));
    guest.board(board_of()).await?;
    guest.look_at("rpi4", protocol::console::From::Start).await?;
    guest.outlet(board_of()).await?;
    let breaking = || Release { number: None, breaking: Some("because".to_owned()) };
    let hold = held(root.reserve(board("rpi4")).await?)?;
    for person in [&guest, &ada] {
        assert!(no(person.release(board_of(), breaking()).await.map(drop)));
        assert!(no(person.reload().await.map(drop)));
        assert!(no(person.verify().await.map(drop)));
        assert!(no(person.rebuild().await.map(drop)));
        assert!(no(person.import(Vec::new()).await.map(drop)));
        assert!(no(person.follow(Follow::Export).await.map(drop)));
    }
    assert_eq!(root.release(board_of(), breaking()).await?.number, hold.number);
    assert_eq!(guest.whoami().await?.role, Role::Viewer);
    let refused = guest.reserve(board("rpi4")).await.unwrap_err();
    assert_eq!(refused.to_string(), "guest may not hold boards: that takes the role 'user'");
    Ok(())
}

/// What the door answers to these bytes.
async fn answer(lab: &TestLab, bytes: &[u8]) -> Result<String> {
    let mut stream = UnixStream::connect(lab.path("labd.sock")).await?;
    let (mut read, mut write) = stream.split();
    // It need not read all of it.
    let asked = async { drop(write.write_all(bytes).await) };
    let mut answer = Vec::new();
    let answered = async { drop(read.read_to_end(&mut answer).await) };
    soon(async { tokio::join!(asked, answered) }).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn whatever_comes_first_is_answered_in_words() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    lab.socket()?;
    for (bytes, told) in [
        (&b"hello\n"[..], "this is a lab; the first line is 'lab VERSION call'"),
        (b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n", "this is a lab; the first line"),
        (b"\n", "this is a lab; the first line"),
        (b"\xff\xfe\xfd\n", "the first line is not UTF-8"),
        (b"lab\n", "the first line lacks its version"),
        (b"lab one call\n", "the first line lacks its version"),
        (b"lab 0 call\n", "this labd speaks 1 to 1, the client 0; update the client"),
        (b"lab 1\n", "the first line asks for something unknown"),
        (b"lab 1 dance\n", "the first line asks for something unknown"),
        (b"lab 1 follow {\n", "what to follow is not understood: "),
        (b"lab 1 follow {\"kind\":\"moon\"}\n", "what to follow is not understood: "),
        (
            b"lab 1 follow {\"kind\":\"console\",\"board\":\"rpi9\",\"from\":{\"kind\":\"end\"}}\n",
            r#"no {"kind":"no-such","what":"board","name":"rpi9","near":"rpi4"}"#,
        ),
        (&b"x".repeat(100_000), "the first line is too long"),
    ] {
        let answer = answer(&lab, bytes).await?;
        let line = bytes.escape_ascii().to_string();
        assert!(answer.starts_with("no {") && answer.ends_with("}\n"), "{line:.50}: {answer}");
        assert!(answer.contains(told), "{line:.50}: {answer}");
    }
    Ok(())
}

#[tokio::test]
async fn who_says_nothing_is_told_so_and_shown_out() -> Result<()> {
    let (mut ours, theirs) = tokio::io::duplex(1024);
    let lab = Plan::new("").open().await?;
    let peer = labd::lab::people::Peer::vouched("ada".parse()?, Role::User);
    tokio::spawn(labd::rpc::listen::converse(lab.lab().clone(), peer, theirs));
    let mut answer = String::new();
    soon(ours.read_to_string(&mut answer)).await??;
    assert!(answer.contains("said nothing within 10 s"), "{answer}");
    Ok(())
}

#[tokio::test]
async fn a_call_that_is_nonsense_costs_its_own_connection_only() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    lab.socket()?;
    let ada = lab.user("ada").await?;
    for frame in [&b"\0\0\0\x05hello"[..], b"\xff\xff\xff\xff", b"\0\0\0\x02{}"] {
        let said = answer(&lab, &[b"lab 1 call\n", frame].concat()).await?;
        assert!(is_welcome(&said), "{said}");
    }
    ada.board(name("rpi4")).await?;
    Ok(())
}

/// Whether a connection was welcomed, and nothing else was said on it.
fn is_welcome(said: &str) -> bool {
    said.starts_with("ok 1 1 {\"start\":0,\"session\":0,\"run\":") && said.lines().count() == 1
}

/// Whatever somebody writes, the others can still be told of it.
#[tokio::test]
async fn a_text_that_is_too_long_is_refused_with_the_longest_there_may_be() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let (ada, root) = (lab.user("ada").await?, lab.admin().await?);
    let long = || "x".repeat(5_000);
    let refused = [
        ada.reserve(Ask { note: Some(long()), ..board("rpi4") }).await.map(drop),
        ada.reserve(Ask {
            ssh_key: Some(format!("ssh-rsa {}", long().repeat(2))),
            ..board("rpi4")
        })
        .await
        .map(drop),
        ada.reserve(tagged(&long())).await.map(drop),
        ada.reserve(class(&long())).await.map(drop),
        ada.boards(Filter { want: Some(tagged(&long()).want), mine: false }).await.map(drop),
        ada.note(name("rpi4"), long()).await,
        root.release(name("rpi4"), Release { number: None, breaking: Some(long()) })
            .await
            .map(drop),
        root.pen(1, PenAsk::Force { reason: long() }).await.map(drop),
    ];
    let words = refused.map(|refused| refused.unwrap_err().to_string());
    assert_eq!(
        words,
        [
            "what a hold is for has at most 500 bytes",
            "an ssh public key has at most 8192 bytes",
            "an expression over tags has at most 500 bytes",
            "the name of a class has at most 200 bytes",
            "an expression over tags has at most 500 bytes",
            "a note has at most 4096 bytes",
            "a reason has at most 500 bytes",
            "a reason has at most 500 bytes",
        ]
    );
    let longest = Ask { note: Some("\u{1}".repeat(limits::NOTE)), ..board("rpi4") };
    let hold = held(ada.reserve(longest).await?)?;
    assert_eq!(root.holds().await?, [hold]);
    Ok(())
}

/// The beginning of a call of so many bytes.
fn head(bytes: usize) -> Result<Vec<u8>> {
    Ok([b"lab 1 call\n", u32::try_from(bytes)?.to_be_bytes().as_slice()].concat())
}

#[tokio::test]
async fn a_call_that_no_frame_holds_is_not_waited_for() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    for (who, role) in [("ada", Role::User), ("root", Role::Admin)] {
        let Address::Unix(socket) = lab.socket_of(who, role)? else {
            anyhow::bail!("a Unix socket")
        };
        for (bytes, is_heard_out) in [(wire::LARGEST_FRAME, true), (wire::LARGEST_FRAME + 1, false)]
        {
            let mut stream = BufReader::new(UnixStream::connect(&socket).await?);
            stream.write_all(&head(bytes)?).await?;
            wire::answer(&mut stream).await?;
            if is_heard_out {
                stream.write_all(b"x").await?;
                stream.shutdown().await?;
            }
            // The door closes, though nobody hangs up here.
            assert_eq!(soon(stream.read(&mut [0])).await??, 0, "{who}, {bytes} bytes");
        }
    }
    Ok(())
}

#[tokio::test]
async fn only_an_administrator_may_say_much_at_once_and_others_are_told_so() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let (ada, root) = (lab.user("ada").await?, lab.admin().await?);
    // So much that it does not arrive in one piece, and that nobody would keep.
    let lines = || vec!["x".repeat(1024); 8 * 1024];
    let refused = ada.import(lines()).await.unwrap_err();
    let told = refused.to_string();
    assert!(matches!(refused, Error::Bad { .. }), "{refused:?}");
    assert!(told.contains("a call has at most 65536 bytes here; this one has 84"), "{told}");
    assert_eq!(ada.whoami().await?.name.as_str(), "ada", "the connection goes on");
    let refused = root.import(lines()).await.unwrap_err().to_string();
    assert!(refused.contains("line 1 is not the beginning of an export"), "{refused}");
    Ok(())
}

#[tokio::test]
async fn a_connection_with_too_many_calls_at_once_is_told_so_and_goes_on() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let (ada, bob) = (lab.user("ada").await?, lab.user("bob").await?);
    ada.reserve(board("rpi4")).await?;
    let place = waits(bob.reserve(queued(board("rpi4"))).await?)?.number;
    let waiting = (0..64).map(|_| bob.placed(place, Span::minutes(5)));
    let waiting = join_all(waiting);
    tokio::pin!(waiting);
    let refused = tokio::select! {
        biased;
        _ = &mut waiting => anyhow::bail!("nobody gave rpi4 back"),
        refused = bob.whoami() => refused.unwrap_err(),
    };
    assert_eq!(refused.to_string(), "server throttled the request.");
    ada.release(name("rpi4"), Release::default()).await?;
    for placed in soon(waiting).await? {
        held(placed?)?;
    }
    bob.whoami().await?;
    Ok(())
}

#[tokio::test]
async fn one_user_has_so_many_connections_and_no_more() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let guests = Guests::new(Room { all: 10, one: 2 });
    let address = lab.socket_for(&guests)?;
    let first = Client::connect(&address).await?;
    let second = Client::connect(&address).await?;
    let refused = Client::connect(&address).await.unwrap_err().to_string();
    assert_eq!(refused, "you have 2 connections to this lab, the most for one user; close some");
    second.whoami().await?;
    drop(first);
    soon(guests.count().wait_for(|count| *count == 1)).await??;
    Client::connect(&address).await?.whoami().await?;
    Ok(())
}

/// Were it counted on, a lab that ends when all have left would never end.
#[tokio::test]
async fn a_connection_that_panics_counts_no_more() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let guests = Guests::new(Room { all: 10, one: 10 });
    lab.socket_for(&guests)?;
    let call = format!(
        r#"{{"Request":{{"context":{{"deadline":{{"secs":{},"nanos":0}},"trace_context":{{"trace_id":[0,0],"span_id":0,"sampling_decision":"Unsampled"}}}},"id":0,"message":{{"Whoami":{{}}}}}}}}"#,
        u64::MAX
    );
    let said = answer(&lab, &[&head(call.len())?, call.as_bytes()].concat()).await?;
    assert!(is_welcome(&said), "{said}");
    soon(guests.count().wait_for(|count| *count == 0)).await??;
    Ok(())
}

#[tokio::test]
async fn a_span_that_no_calendar_knows_is_cut_to_the_longest() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let ada = lab.user("ada").await?;
    let ask = protocol::hold::Ask { span: Some(Span(u64::MAX)), ..board("rpi4") };
    let hold = held(ada.reserve(ask).await?)?;
    assert_eq!(hold.until.since(hold.since), Span::hours(24));
    let placed = ada.placed(hold.number, Span(u64::MAX)).await?;
    assert_eq!(held(placed)?, hold);
    Ok(())
}

/// What a program of another user's is told.
fn as_nobody(lab: &TestLab) -> Result<String> {
    root::needed("to be somebody else")?;
    use std::os::unix::process::CommandExt;
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(lab.path(""), open)?;
    let labctl = lab.path("labctl");
    std::fs::copy(lab_tests::programs::path("labctl")?, &labctl)?;
    let output = std::process::Command::new(labctl)
        .arg("doctor")
        .env("LAB", format!("unix:{}", lab.path("labd.sock").display()))
        .env("HOME", "/nonexistent")
        .uid(65_534)
        .gid(65_534)
        .output()?;
    let text = [output.stdout, output.stderr].concat();
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[tokio::test]
async fn a_reload_opens_the_socket_to_whom_it_is_for_and_to_nobody_else() -> Result<()> {
    let mut labd = Daemon::start(Plan::new("access { viewer = nobody }")).await?;
    let socket = labd.path("labd.sock");
    let mode = || std::fs::metadata(&socket).map(|about| about.permissions().mode() & 0o777);
    let is_system = nix::unistd::Uid::effective().is_root();
    assert_eq!(mode()?, if is_system { 0o666 } else { 0o600 });
    labd.ground().configure("").await?;
    labd.client().await?.reload().await?;
    let wanted = if is_system { 0o660 } else { 0o600 };
    until(|| mode().is_ok_and(|mode| mode == wanted)).await
}

/// Planted, and caught: a user of the machine has as much written down as they like.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_the_machine_who_has_no_role_is_written_down_once() -> Result<()> {
    let lab = Plan::new(boards(&["rpi4"])).open().await?;
    lab.socket()?;
    for _ in 0..3 {
        as_nobody(&lab)?;
    }
    let root = lab.admin().await?;
    root.note(name("rpi4"), "on disk".to_owned()).await?;
    let all =
        Follow::Journal { board: None, from: Some(1), since: None, tail: 0, stop_at_end: true };
    let all = root.follow(all).await?.rest().await?;
    let refusals: Vec<_> = all.lines().filter(|line| line.contains(r#""kind":"denied""#)).collect();
    assert_eq!(refusals.len(), 1, "{all}");
    let is_told = [r#""who":"nobody""#, r#""via":"unix pid "#].map(|it| refusals[0].contains(it));
    assert_eq!(is_told, [true; 2], "{}", refusals[0]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_told_whom_to_ask_and_who_is_known_has_their_role() -> Result<()> {
    let lab = Plan::new(boards(&["rpi4"])).open().await?;
    lab.socket()?;
    let told = as_nobody(&lab)?;
    let is_told = ["nobody may not look at this lab", "ask the lab's administrator"]
        .map(|it| told.contains(it));
    assert_eq!(is_told, [true; 2], "{told}");
    let lab = Plan::new("access { }").open().await?;
    lab.socket()?;
    let told = as_nobody(&lab)?;
    assert!(told.contains("nobody may not look at this lab"), "nobody is named: {told}");
    let lab = Plan::new("").open().await?;
    lab.socket()?;
    let told = as_nobody(&lab)?;
    assert!(told.contains("you are nobody, with the role 'user'"), "nothing is said: {told}");
    let lab = Plan::new("access { viewer = nobody }").open().await?;
    lab.socket()?;
    let told = as_nobody(&lab)?;
    assert!(told.contains("you are nobody, with the role 'viewer'"), "{told}");
    Ok(())
}
