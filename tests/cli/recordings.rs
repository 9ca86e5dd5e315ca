//! `labctl record`, `labctl play` and `labctl at`.

use std::fs;

use anyhow::{Result, ensure};
use lab_tests::lab::{board, name};
use protocol::Span;
use protocol::console::From;
use protocol::journal::Event;
use protocol::power::PowerAsk;
use serde_json::Value as Json;

use super::Scene;

/// A board that was reserved, switched on, booted, and logged in to with a password.
async fn scene() -> Result<Scene> {
    let scene = Scene::with_boards(&["rpi4"]).await?;
    let (lab, rpi4) = (&scene.lab, scene.lab.board("rpi4"));
    let ada = lab.user("ada").await?;
    ada.reserve(board("rpi4")).await?;
    let mut journal = ada.journal("rpi4").await?;
    let mut console = ada.type_at("rpi4").await?;
    lab.advance(Span::seconds(60));
    ada.power(name("rpi4"), PowerAsk::On).await?;
    journal.event(|event| matches!(event, Event::PowerDone { .. })).await?;
    lab.advance(Span::seconds(2));
    rpi4.print("U-Boot 2026.01 grüße\r\n\x1b[31mlogin: \x1b]52;c;aGk=\x07").await?;
    console.until("\x07").await?;
    lab.advance(Span::millis(1_500));
    let echo = rpi4.echo().await?;
    console.type_in("root\r").await?;
    journal.event(|event| matches!(event, Event::Typed { .. })).await?;
    drop(echo);
    rpi4.print("Password: ").await?;
    console.until("Password: ").await?;
    console.type_in("hunter2\r").await?;
    rpi4.typed(8).await?;
    lab.advance(Span::seconds(40));
    rpi4.print("\r\n# ").await?;
    journal.event(|event| matches!(event, Event::Typed { .. })).await?;
    ada.note(name("rpi4"), "it works".to_owned()).await?;
    Ok(scene)
}

fn lines(text: &str) -> Result<Vec<Json>> {
    Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

/// The texts of the events of a kind.
fn of<'a>(events: &'a [Json], kind: &str) -> Vec<&'a str> {
    events.iter().filter(|event| event[1] == kind).filter_map(|event| event[2].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_has_what_was_printed_typed_and_done_and_no_password() -> Result<()> {
    let scene = scene().await?;
    let said = scene.says(&["record", "rpi4"]).await?;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    ensure!(!said.out.contains("hunter2"), "{}", said.out);
    let lines = lines(&said.out)?;
    let (header, events) = (&lines[0], &lines[1..]);
    let begun = (lab_tests::lab::MONDAY.0 + 60_000) / 1_000;
    assert_eq!(header["version"], 2);
    assert_eq!((&header["width"], &header["height"]), (&Json::from(80), &Json::from(24)));
    assert_eq!((&header["timestamp"], &header["title"]), (&Json::from(begun), &Json::from("rpi4")));
    let printed = of(events, "o").concat();
    ensure!(printed.contains("U-Boot 2026.01 grüße\r\n"), "{printed:?}");
    ensure!(printed.ends_with("\r\n# "), "{printed:?}");
    assert_eq!(of(events, "i"), ["root\r"]);
    let markers = of(events, "m");
    for wanted in [
        "ada: asked for power on",
        "power was seen to be on",
        "ada types",
        "ada: typed 8 bytes that were not echoed",
        "ada: noted: it works",
    ] {
        ensure!(markers.contains(&wanted), "{wanted:?} is not in {markers:?}");
    }
    ensure!(events.iter().all(|event| event.as_array().is_some_and(|event| event.len() == 3)));
    let times: Vec<_> = events.iter().filter_map(|event| event[0].as_f64()).collect();
    ensure!(times.is_sorted() && times.len() == events.len(), "{times:?}");
    let typed = events.iter().find(|event| event[1] == "i").map(|event| event[0].clone());
    assert_eq!(typed, Some(Json::from(3.5)));
    let part = scene.says(&["record", "rpi4", "--since", "1s", "--until", "0s"]).await?;
    let part = of(&self::lines(&part.out)?[1..], "o").concat();
    ensure!(part.ends_with("\r\n# ") && part.contains("Password: "), "the screen first: {part:?}");
    ensure!(!part.contains("]52"), "of what was before the screen alone: {part:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_is_played_and_does_nothing_to_the_terminal() -> Result<()> {
    let scene = scene().await?;
    let file = scene.lab.path("rpi4.cast");
    let path = file.to_string_lossy().into_owned();
    let recorded = scene.says(&["record", "rpi4", &path]).await?;
    ensure!(recorded.err.contains("events of rpi4 are in"), "{recorded:?}");
    let from_file = scene.says(&["play", &path, "--speed", "1000"]).await?;
    let from_lab = scene.says(&["play", "rpi4", "--idle-limit", "0.01"]).await?;
    for played in [&from_file, &from_lab] {
        assert_eq!((played.code, played.err.as_str()), (Some(0), ""));
        ensure!(played.out.contains("U-Boot 2026.01 grüße\r\n\x1b[31mlogin: "), "{}", played.out);
        ensure!(!played.out.contains("\x1b]"), "{:?}", played.out);
    }
    assert_eq!(from_file.out, from_lab.out);
    let bad = scene.says(&["play", "nothing here"]).await?;
    assert_eq!(bad.code, Some(2));
    fs::write(&file, "{\"version\":2,\"width\":80,\"height\":24}\n[0,\"o\",\"x\"]\n[oops\n")?;
    let bad = scene.says(&["play", &path]).await?;
    assert_eq!(bad.code, Some(1));
    ensure!(bad.err.contains("line 3 is none of an asciicast"), "{}", bad.err);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn how_a_board_stood_is_told() -> Result<()> {
    let scene = scene().await?;
    let guest = scene.lab.viewer("guest").await?;
    let mut console = guest.look_at("rpi4", From::Start).await?;
    let printed = console.until("login: ").await?.len();
    let then = scene.says(&["at", &format!("@{printed}"), "rpi4"]).await?;
    assert_eq!((then.code, then.err.as_str()), (Some(0), ""));
    ensure!(
        then.out.starts_with("rpi4 was ada's; power on since 2030-06-03 09:01:00"),
        "{}",
        then.out
    );
    ensure!(then.out.ends_with("    | U-Boot 2026.01 grüße\n    | login:\n"), "{}", then.out);
    let before = scene.says(&["at", "2030-06-03T08:00", "rpi4"]).await?;
    ensure!(before.out.starts_with("rpi4 was nobody's; power unknown; @0"), "{}", before.out);
    let json = scene.says(&["at", "2030-06-03T09:02", "rpi4", "--json"]).await?;
    let json: Json = serde_json::from_str(&json.out)?;
    assert_eq!(
        (&json["kind"], &json["item"]["holder"]),
        (&Json::from("stand"), &Json::from("ada"))
    );
    Ok(())
}
