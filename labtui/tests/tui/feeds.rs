//! Following a lab over a real socket: what breaks goes on where it was.

use std::time::Duration;

use labtui::call::{Answer, Call, Caller};
use labtui::feed::{self, News};
use labtui::past::{Printed, wish};
use labtui::update::Message;
use protocol::console::{Desk, From, Pen};
use protocol::journal::Event;
use protocol::wire::Follow;
use protocol::{Error, Span};
use tokio::sync::mpsc;

use crate::fake::FakeLab;
use crate::sample::{board, boards, boots, detail, entries, entry, hit, name, viewer};

/// The next news that are not about the connection.
async fn next(news: &mut mpsc::Receiver<Message>) -> News {
    loop {
        match any(news).await {
            News::Up(_) | News::Down { .. } => {}
            news => return news,
        }
    }
}

async fn any(news: &mut mpsc::Receiver<Message>) -> News {
    let limit = Duration::from_secs(20);
    match tokio::time::timeout(limit, news.recv()).await {
        Ok(Some(Message::News { news, .. })) => news,
        other => panic!("no news: {other:?}"),
    }
}

#[tokio::test]
async fn the_table_comes_whole_and_then_as_it_changes() {
    let lab = FakeLab::new(boards(), Vec::new());
    let _door = lab.open();
    let (to, mut news) = mpsc::channel(64);
    let _feed = feed::boards(lab.address(), to);
    assert_eq!(any(&mut news).await, News::Up(Default::default()));
    assert_eq!(next(&mut news).await, News::Boards(boards()));
    let changed = board("bbb-1", "changed");
    lab.change(|known| known.rows.push(changed.clone()));
    assert_eq!(next(&mut news).await, News::Changed(vec![changed]));
}

#[tokio::test]
async fn a_lab_that_is_not_there_is_tried_until_it_is() {
    let lab = FakeLab::new(boards(), Vec::new());
    let (to, mut news) = mpsc::channel(64);
    let _feed = feed::boards(lab.address(), to);
    for expected in 1..=2 {
        let News::Down { why: Error::Unreachable { .. }, attempt, pause } = any(&mut news).await
        else {
            panic!("it was there");
        };
        assert_eq!(attempt, expected);
        assert!(pause >= Span::millis(250) && pause <= Span::millis(500), "{pause}");
    }
    let _door = lab.open();
    assert_eq!(next(&mut news).await, News::Boards(boards()));
    lab.change(|known| known.cuts += 1);
    assert!(matches!(any(&mut news).await, News::Down { attempt: 1, .. }));
    assert_eq!(next(&mut news).await, News::Boards(boards()));
}

#[tokio::test]
async fn a_refusal_is_told_and_tried_again() {
    let lab = FakeLab::new(boards(), Vec::new());
    let why = Error::TooOld { why: "update labtui".to_owned() };
    lab.change(|known| known.refusing = Some(why.clone()));
    let _door = lab.open();
    let (to, mut news) = mpsc::channel(64);
    let _feed = feed::boards(lab.address(), to);
    let News::Down { why: said, .. } = any(&mut news).await else { panic!("it was let in") };
    assert_eq!(said, why);
    lab.change(|known| known.refusing = None);
    assert_eq!(next(&mut news).await, News::Boards(boards()));
}

#[tokio::test]
async fn a_timeline_goes_on_at_the_entry_after_the_last() {
    let lab = FakeLab::new(boards(), entries("rpi4-1"));
    let _door = lab.open();
    let (to, mut news) = mpsc::channel(64);
    let _feed = feed::timeline(lab.address(), 1, name("rpi4-1"), to);
    let mut seen = Vec::new();
    let mut expected = entries("rpi4-1");
    for seq in 20..40 {
        lab.change(|known| known.cuts += 1);
        let note = Event::Noted { text: format!("note {seq}") };
        let entry = entry(seq, "rpi4-1", Some("ada"), Span::seconds(1), note);
        expected.push(entry.clone());
        lab.change(|known| known.entries.push(entry.clone()));
        while seen.last() != Some(&entry) {
            if let News::Entries(entries) = next(&mut news).await {
                seen.extend(entries);
            }
        }
    }
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn the_journal_is_that_of_every_board() {
    let mut all = entries("rpi4-1");
    all.push(entry(20, "bbb-1", Some("ada"), Span(0), Event::Break));
    let lab = FakeLab::new(boards(), all.clone());
    let _door = lab.open();
    let (to, mut news) = mpsc::channel(64);
    let _feed = feed::audit(lab.address(), 1, to);
    let mut seen = Vec::new();
    while seen.len() < all.len() {
        if let News::Entries(entries) = next(&mut news).await {
            seen.extend(entries);
        }
    }
    assert_eq!(seen, all);
}

/// A console that is cut again and again shows every byte, once.
#[tokio::test]
async fn a_console_goes_on_at_the_byte_after_the_last() {
    let lab = FakeLab::new(boards(), Vec::new());
    let _door = lab.open();
    let (to, mut news) = mpsc::channel(2);
    let (_feed, _keys) = feed::console(lab.address(), 1, name("rpi4-1"), Pen::Unwanted, to);
    let mut seen = Vec::new();
    for round in 0..30_u32 {
        let text: Vec<u8> = (0..500).flat_map(|n| format!("{round}:{n} ").into_bytes()).collect();
        lab.change(|known| known.printed.extend(&text));
        // Half of what was printed is read, then the connection is cut in the middle of the rest.
        let half = seen.len() + text.len() / 2;
        while seen.len() < half {
            if let News::Bytes(bytes) = next(&mut news).await {
                seen.extend(bytes);
            }
        }
        lab.change(|known| known.cuts += 1);
    }
    let printed = lab.until("printed", |_| true).await.printed;
    while seen.len() < printed.len() {
        if let News::Bytes(bytes) = next(&mut news).await {
            seen.extend(bytes);
        }
    }
    assert!(seen == printed, "{} bytes of {}", seen.len(), printed.len());
}

#[tokio::test]
async fn the_screen_comes_first_and_only_once() {
    let lab = FakeLab::new(boards(), Vec::new());
    lab.change(|known| {
        known.paint = b"screen".to_vec();
        known.printed = b"0123456789".to_vec();
    });
    let door = lab.open();
    let (to, mut news) = mpsc::channel(64);
    let (_feed, _keys) = feed::console(lab.address(), 1, name("rpi4-1"), Pen::Unwanted, to);
    assert_eq!(next(&mut news).await, News::Bytes(b"screen".to_vec()));
    assert_eq!(next(&mut news).await, News::Bytes(b"0123456789".to_vec()));
    drop(door);
    lab.change(|known| known.cuts += 1);
    assert!(matches!(any(&mut news).await, News::Down { .. }));
    lab.change(|known| known.printed.extend(b"abc"));
    let _door = lab.open();
    assert_eq!(next(&mut news).await, News::Bytes(b"abc".to_vec()));
}

/// Beside others a console needs no history: its screen is enough.
#[tokio::test]
async fn a_pane_begins_with_its_screen_and_is_only_looked_at() {
    let lab = FakeLab::new(boards(), Vec::new());
    lab.change(|known| known.paint = b"screen".to_vec());
    let _door = lab.open();
    let (to, mut news) = mpsc::channel(64);
    let (_feed, _keys) = feed::pane(lab.address(), 1, name("rpi4-1"), to);
    assert_eq!(next(&mut news).await, News::Bytes(b"screen".to_vec()));
    let follows = lab.until("followed", |known| !known.follows.is_empty()).await.follows;
    let (board, from) = (name("rpi4-1"), From::Screen { offset: None, tail: 0 });
    let console = Follow::Console { board, from, pen: Pen::Unwanted, stop_at_end: false };
    assert_eq!(follows, [console]);
}

#[tokio::test]
async fn what_is_no_longer_kept_is_told() {
    let lab = FakeLab::new(boards(), Vec::new());
    lab.change(|known| known.printed = b"0123456789".to_vec());
    let door = lab.open();
    let (to, mut news) = mpsc::channel(64);
    let (_feed, _keys) = feed::console(lab.address(), 1, name("rpi4-1"), Pen::Unwanted, to);
    assert_eq!(next(&mut news).await, News::Bytes(b"0123456789".to_vec()));
    drop(door);
    lab.change(|known| known.cuts += 1);
    assert!(matches!(any(&mut news).await, News::Down { .. }));
    lab.change(|known| {
        known.printed.extend(b"abcdefghij");
        known.lost = 15;
    });
    let _door = lab.open();
    assert_eq!(next(&mut news).await, News::Gap(5));
    assert_eq!(next(&mut news).await, News::Bytes(b"fghij".to_vec()));
}

#[tokio::test]
async fn keys_reach_the_board_but_not_those_typed_while_it_was_away() {
    let lab = FakeLab::new(boards(), Vec::new());
    let door = lab.open();
    let (to, mut news) = mpsc::channel(64);
    let (_feed, keys) = feed::console(lab.address(), 1, name("rpi4-1"), Pen::Wanted, to);
    assert!(matches!(any(&mut news).await, News::Up(_)));
    keys.send(b"ls\r\x03".to_vec()).await.unwrap();
    lab.until("ls is typed", |known| known.typed == b"ls\r\x03").await;
    drop(door);
    lab.change(|known| known.cuts += 1);
    assert!(matches!(any(&mut news).await, News::Down { .. }));
    keys.send(b"rm -rf /\r".to_vec()).await.unwrap();
    let _door = lab.open();
    while !matches!(any(&mut news).await, News::Up(_)) {}
    keys.send(b"pwd\r".to_vec()).await.unwrap();
    let known = lab.until("pwd is typed", |known| known.typed.ends_with(b"pwd\r")).await;
    assert_eq!(known.typed, b"ls\r\x03pwd\r");
    let from =
        |follow: &Follow| matches!(follow, Follow::Console { from: From::Offset { .. }, .. });
    assert!(known.follows.iter().any(from), "{:?}", known.follows);
}

/// The connection is cut only after the lab has read the last key.
#[tokio::test]
async fn keys_typed_just_before_a_console_is_left_reach_the_board() {
    let lab = FakeLab::new(boards(), Vec::new());
    let _door = lab.open();
    let (to, mut news) = mpsc::channel(1);
    let (feed, keys) = feed::console(lab.address(), 1, name("rpi4-1"), Pen::Wanted, to);
    assert!(matches!(any(&mut news).await, News::Up(_)));
    for _ in 0..60 {
        keys.try_send(b"sync\r".to_vec()).unwrap();
    }
    feed.leave(keys).await;
    let typed = lab.until("anything", |_| true).await.typed;
    assert_eq!(typed, b"sync\r".repeat(60));
}

#[tokio::test]
async fn a_console_that_cannot_be_reached_is_left_all_the_same() {
    let lab = FakeLab::new(boards(), Vec::new());
    let (to, mut news) = mpsc::channel(64);
    let (feed, keys) = feed::console(lab.address(), 1, name("rpi4-1"), Pen::Wanted, to);
    assert!(matches!(any(&mut news).await, News::Down { .. }));
    keys.try_send(b"reboot\r".to_vec()).unwrap();
    tokio::time::timeout(Duration::from_secs(20), feed.leave(keys)).await.unwrap();
    assert_eq!(lab.until("anything", |_| true).await.typed, b"");
}

#[tokio::test]
async fn who_may_not_type_may_still_look_and_who_may_not_look_is_told() {
    let lab = FakeLab::new(boards(), Vec::new());
    let why = Error::NotHeld { board: name("rpi4-1") };
    lab.change(|known| known.refusing = Some(why.clone()));
    let _door = lab.open();
    let (to, mut news) = mpsc::channel(64);
    let (_feed, _keys) = feed::console(lab.address(), 1, name("rpi4-1"), Pen::Wanted, to);
    assert_eq!(any(&mut news).await, News::Refused(why));
}

#[tokio::test]
async fn calls_come_back_as_messages_and_connect_anew_after_a_restart() {
    let lab = FakeLab::new(boards(), Vec::new());
    let (to, mut news) = mpsc::channel(64);
    let caller = Caller::new(lab.address(), to);
    let mut ask = async |call: Call| {
        caller.make(call);
        loop {
            match news.recv().await {
                Some(Message::Answer { answer, .. }) => return answer,
                Some(Message::RoundTrip(_)) => {}
                other => panic!("no answer: {other:?}"),
            }
        }
    };
    assert!(matches!(ask(Call::WhoAmI).await, Err(Error::Unreachable { .. })));
    let _door = lab.open();
    assert!(matches!(ask(Call::WhoAmI).await, Ok(Answer::Who(_))));
    lab.change(|known| known.cuts += 1);
    assert!(matches!(ask(Call::WhoAmI).await, Ok(Answer::Who(_))));
    let waits = detail(board("bbb-1", "x")).queue;
    lab.change(|known| known.queue.clone_from(&waits));
    assert_eq!(ask(Call::Queue).await, Ok(Answer::Queue(waits)));
    assert_eq!(ask(Call::Accounts).await, Ok(Answer::Accounts(Vec::new())));
    assert_eq!(ask(Call::Tokens).await, Err(Error::Unknown), "the fake lab has none");
    let reserve = Call::Reserve { board: name("bbb-1"), span: Some(Span::hours(1)) };
    assert!(matches!(ask(reserve).await, Ok(Answer::Placed(_))));
    let asked = lab.until("reserved", |known| known.calls.len() == 3).await.calls;
    assert_eq!(asked[2], "reserve bbb-1 Some(Span(3600000))");
}

#[tokio::test]
async fn searches_boots_and_the_past_are_answered_whole() {
    let lab = FakeLab::new(boards(), Vec::new());
    let hits = vec![hit("rpi4-1", 13, "panic", &[(0, 5)]), hit("bbb-1", 4, "panic", &[(0, 5)])];
    lab.change(|known| {
        known.hits = hits.clone();
        known.paint = b"screen".to_vec();
        known.printed = b"0123456789abcpanic\r\nU-Boot".to_vec();
    });
    let _door = lab.open();
    let (to, mut news) = mpsc::channel(64);
    let caller = Caller::new(lab.address(), to);
    let mut ask = async |call: Call| {
        caller.make(call);
        match news.recv().await {
            Some(Message::Answer { answer, .. }) => answer,
            other => panic!("no answer: {other:?}"),
        }
    };
    assert_eq!(ask(Call::Find(Box::new(wish("panic")))).await, Ok(Answer::Hits(hits)));
    assert_eq!(ask(Call::Boots(name("rpi4-1"))).await, Ok(Answer::Boots(boots())));
    let past = Call::Past { board: name("rpi4-1"), offset: 13 };
    let (before, after) = (b"screen89abc".to_vec(), b"panic\r\nU-Boot".to_vec());
    assert_eq!(ask(past).await, Ok(Answer::Past(Printed { offset: 13, before, after })));
    lab.change(|known| known.refusing = Some(Error::Unknown));
    assert_eq!(ask(Call::Find(Box::new(wish("panic")))).await, Err(Error::Unknown));
}

#[tokio::test]
async fn who_is_at_a_console_is_told_whenever_it_changes() {
    let lab = FakeLab::new(boards(), Vec::new());
    let _door = lab.open();
    let (to, mut news) = mpsc::channel(64);
    let _feed = feed::desk(lab.address(), 1, name("rpi4-1"), to);
    assert_eq!(next(&mut news).await, News::Desk(Desk::default()));
    let desk = Desk { viewers: vec![viewer(9, "bob", true)], doing: None };
    lab.change(|known| known.desk = desk.clone());
    assert_eq!(next(&mut news).await, News::Desk(desk));
}

#[tokio::test]
async fn the_labs_journal_begins_now_and_misses_nothing_after_that() {
    let lab = FakeLab::new(boards(), entries("rpi4-1"));
    let _door = lab.open();
    let (to, mut news) = mpsc::channel(64);
    let _feed = feed::journal(lab.address(), to);
    assert!(matches!(any(&mut news).await, News::Up(_)));
    let panicked = |seq| entry(seq, "bbb-1", None, Span(0), Event::Panicked);
    lab.change(|known| known.entries.push(panicked(20)));
    assert_eq!(next(&mut news).await, News::Entries(vec![panicked(20)]));
    lab.change(|known| {
        known.cuts += 1;
        known.entries.push(panicked(21));
    });
    assert_eq!(next(&mut news).await, News::Entries(vec![panicked(21)]));
}
