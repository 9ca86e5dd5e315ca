//! Who did what, from where and with which request; and that nobody changes it afterwards.
//!
//! Planted, and each caught by one of these, in their order: whoever types loses where they came from; the
//! setup script runs without its request; the start names the first entry of the file as the last whole
//! one; verify names the damaged entry as the last whole one.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use lab_tests::lab::{Plan, TestLab, board, boards, name};
use lab_tests::person::Person;
use labd::clock::Clock;
use labd::memory::{Memory, Sizes, repair};
use protocol::console::PenAsk;
use protocol::hold::Release;
use protocol::journal::{Entry, Event};
use protocol::power::PowerAsk;
use protocol::user::Role;
use protocol::wire::Follow;
use protocol::{Span, Time};
use tempfile::TempDir;

async fn entries(lab: &TestLab) -> Result<Vec<Entry>> {
    let what =
        Follow::Journal { board: None, from: Some(1), since: None, tail: 0, stop_at_end: true };
    let text = lab.admin().await?.follow(what).await?.rest().await?;
    Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

async fn open() -> Result<TestLab> {
    let config = format!("setup_script = \"@dir/setup\"\n{}", boards(&["rpi4"]));
    let lab = Plan::new(config).script("setup", "#!/bin/sh\n").by_hand().open().await?;
    lab.settled().await?;
    Ok(lab)
}

/// The numbers of the requests of the entries that are wanted.
fn requests(entries: &[Entry], is_wanted: impl Fn(&Event) -> bool) -> Vec<Option<u64>> {
    entries.iter().filter(|entry| is_wanted(&entry.event)).map(|entry| entry.request).collect()
}

#[tokio::test]
async fn whatever_somebody_does_says_from_where() -> Result<()> {
    let lab = open().await?;
    let ada = lab.user("ada").await?;
    let mut journal = ada.journal("rpi4").await?;
    ada.reserve(board("rpi4")).await?;
    ada.power(name("rpi4"), PowerAsk::Cycle).await?;
    let console = ada.type_at("rpi4").await?;
    ada.type_in(console.session(), b"ls\r".to_vec()).await?;
    ada.pen(console.session(), PenAsk::Drop).await?;
    ada.pen(console.session(), PenAsk::Take).await?;
    drop(console);
    journal.event(|event| matches!(event, Event::Typed { .. })).await?;
    ada.release(name("rpi4"), Release::default()).await?;
    ada.power(name("rpi4"), PowerAsk::On).await.unwrap_err();
    // Refusals are written down by the way; what comes behind one is not on disk before it.
    ada.note(name("rpi4"), "done".to_owned()).await?;
    let entries = entries(&lab).await?;
    let adas = entries.iter().filter(|entry| entry.who.is_some());
    let kinds = adas.clone().map(|entry| std::mem::discriminant(&entry.event));
    assert!(kinds.collect::<std::collections::HashSet<_>>().len() >= 11, "{entries:#?}");
    for entry in adas {
        assert_eq!(entry.via.as_deref(), Some("here"), "{entry:#?}");
        assert!(entry.request.is_some(), "{entry:#?}");
    }
    Ok(())
}

#[tokio::test]
async fn from_where_somebody_came_is_theirs_and_a_moderators_to_read() -> Result<()> {
    let lab = open().await?;
    let (ada, bob) = (lab.user("ada").await?, lab.user("bob").await?);
    let judge = Person::new(lab.lab(), "judge", Role::Moderator).await?;
    ada.reserve(board("rpi4")).await?;
    for (reader, told) in [(&ada, true), (&judge, true), (&bob, false), (&lab.admin().await?, true)]
    {
        let mut journal = reader.journal("rpi4").await?;
        let entry = journal.event(|event| matches!(event, Event::Reserved { .. })).await?;
        assert_eq!((entry.who, entry.via.is_some()), (Some("ada".parse()?), told));
    }
    Ok(())
}

#[tokio::test]
async fn all_that_comes_of_a_request_has_its_number_and_nothing_else_has() -> Result<()> {
    let lab = open().await?;
    let ada = lab.user("ada").await?;
    ada.reserve(board("rpi4")).await?;
    ada.power(name("rpi4"), PowerAsk::Cycle).await?;
    ada.extend(name("rpi4"), Span::hours(5)).await?;
    let entries = entries(&lab).await?;
    let hold = requests(&entries, |event| {
        let (reserved, setup) =
            (matches!(event, Event::Reserved { .. }), matches!(event, Event::SetupBegan { .. }));
        reserved || setup || matches!(event, Event::SetupDone { .. })
    });
    let power = requests(&entries, |event| {
        let (asked, sent) =
            (matches!(event, Event::PowerAsked { .. }), matches!(event, Event::PowerSent { .. }));
        asked || sent || matches!(event, Event::PowerStep { .. } | Event::PowerDone { .. })
    });
    let extended = requests(&entries, |event| matches!(event, Event::Extended { .. }));
    for (one, least) in [(&hold, 3), (&power, 5), (&extended, 1)] {
        assert!(one.len() >= least && one.iter().all(|number| *number == one[0]), "{entries:#?}");
        assert!(one[0].is_some(), "{entries:#?}");
    }
    assert!(hold[0] < power[0] && power[0] < extended[0], "{entries:#?}");
    assert_eq!(requests(&entries, |event| matches!(event, Event::Started { .. })), [None]);
    Ok(())
}

/// What becomes of a ledger.
#[derive(Debug, Clone, Copy)]
enum Damage {
    Flipped,
    Deleted,
    Swapped,
    /// The last entry is gone as if it had never been.
    Cut,
    /// Half of the last entry is.
    Torn,
}

const DAMAGES: [Damage; 5] =
    [Damage::Flipped, Damage::Deleted, Damage::Swapped, Damage::Cut, Damage::Torn];

/// Where the batches of a segment begin and end, each with the number of its only entry; the newest last.
fn batches(bytes: &[u8]) -> Vec<(u64, usize, usize)> {
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let (mut found, mut at, mut seq) = (Vec::new(), 14 + 8 + 32, 0);
    while at < bytes.len() {
        let (count, end) = (number(at + 8), at + 16 + number(at + 12));
        seq += count as u64;
        found.push((seq, at, end));
        at = end;
    }
    found
}

/// Damages a ledger whose last five entries are batches of their own. Returns where a reader must notice: at
/// which byte, after which entry.
fn harm(bytes: &mut Vec<u8>, damage: Damage) -> (usize, u64) {
    let all = batches(bytes);
    let [(before, ..), (_, start, middle), (_, _, end), _, (last, tail, _)] = all[all.len() - 5..]
    else {
        panic!("fewer than five");
    };
    match damage {
        Damage::Flipped => bytes[middle - 9] ^= 1,
        Damage::Deleted => drop(bytes.drain(start..middle)),
        Damage::Swapped => bytes[start..end].rotate_left(middle - start),
        Damage::Cut => bytes.truncate(tail),
        Damage::Torn => bytes.truncate(tail + 60),
    }
    match damage {
        // Behind the head of the batch.
        Damage::Flipped | Damage::Deleted | Damage::Swapped => (start + 16, before),
        Damage::Cut | Damage::Torn => (tail, last - 1),
    }
}

fn segment(state: &Path) -> PathBuf {
    state.join("ledger/00000000000000000001.ledger")
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for file in fs::read_dir(from)? {
        let path = file?.path();
        let to = to.join(path.file_name().context("a name")?);
        if path.is_dir() {
            copy(&path, &to)?;
        } else {
            fs::copy(&path, to)?;
        }
    }
    Ok(())
}

/// A lab whose last five entries were written one by one.
async fn with_history() -> Result<TestLab> {
    let lab = open().await?;
    let ada = lab.user("ada").await?;
    for text in ["one", "two", "three", "four", "five"] {
        ada.note(name("rpi4"), text.to_owned()).await?;
    }
    Ok(lab)
}

#[tokio::test]
async fn a_damaged_ledger_is_refused_at_the_start_with_the_place_of_the_damage() -> Result<()> {
    let lab = with_history().await?;
    let closed = lab.lab().clone();
    tokio::task::spawn_blocking(move || closed.close()).await?;
    for damage in DAMAGES {
        let dir = TempDir::new()?;
        copy(&lab.path("state"), dir.path())?;
        let file = segment(dir.path());
        let mut bytes = fs::read(&file)?;
        let (byte, last) = harm(&mut bytes, damage);
        fs::write(&file, bytes)?;
        let clock = Clock::by_hand(Time(1_906_707_600_000));
        let refused = Memory::open(dir.path(), &clock, Sizes::default()).map(drop).unwrap_err();
        let refused = refused.to_string();
        let repair = repair::run(dir.path(), false)?;
        assert_eq!(repair[0], format!("the ledger is whole up to entry {last}"), "{damage:?}");
        let place = match damage {
            // Nothing in the file says so: the store knows better.
            Damage::Cut => {
                assert!(repair[1].starts_with(&format!("entries {0} to", last + 1)), "{repair:?}");
                format!(" ends with entry {last}, but entry {} was in it once", last + 1)
            }
            _ => format!("{} is damaged at byte {byte}, after entry {last}: ", file.display()),
        };
        assert!(refused.contains(&place), "{damage:?}: {refused}\nhas not: {place}");
        assert!(repair.iter().any(|said| said.contains(&place)) || matches!(damage, Damage::Cut));
    }
    Ok(())
}

#[tokio::test]
async fn verify_names_the_place_of_a_damage_while_the_lab_runs() -> Result<()> {
    let lab = with_history().await?;
    let root = lab.admin().await?;
    let file = segment(&lab.path("state"));
    let whole = fs::read(&file)?;
    for damage in DAMAGES {
        let mut bytes = whole.clone();
        let (byte, last) = harm(&mut bytes, damage);
        fs::write(&file, bytes)?;
        let said = root.verify().await?.remove(0);
        let place =
            format!("ledger: {} is damaged at byte {byte}, after entry {last}: ", file.display());
        assert!(said.starts_with(&place), "{damage:?}: {said}\nhas not: {place}");
    }
    fs::write(&file, whole)?;
    assert!(root.verify().await?[0].ends_with("every hash is right"));
    Ok(())
}
