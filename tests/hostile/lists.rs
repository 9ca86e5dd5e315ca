//! Tables, timelines, errors and JSON: what people write, and what they ask for.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;

use anyhow::{Context, Result};
use lab_tests::hostile::{Screen, Sequence, corpus, must_be_plain};
use lab_tests::lab::{board, name};
use lab_tests::patience::soon;
use protocol::hold::Ask;
use protocol::limits;

use super::Scene;

/// Commands that quote what they do not understand, or do not find.
const QUOTING: [&[&str]; 12] = [
    &["board"],
    &["--lab"],
    &["login"],
    &["console", "rpi4", "--since"],
    &["console", "rpi4", "--send"],
    &["console", "rpi4", "--timeout", "1ms", "--expect"],
    &["wait", "rpi4"],
    &["reserve", "--for"],
    &["reserve", "--class"],
    &["reserve", "--tags"],
    &["token", "revoke"],
    &["key", "remove"],
];

/// What a program printed does nothing to a terminal, in colours or without.
fn assert_harmless(what: &str, printed: &[u8], colours: bool) {
    let text = std::str::from_utf8(printed).unwrap_or_else(|error| panic!("{what}: {error}"));
    if !colours {
        must_be_plain(text).unwrap_or_else(|error| panic!("{what}: {error}"));
    }
    let mut screen = Screen::default();
    let before = screen.modes();
    screen.show(printed);
    assert_eq!(screen.modes(), before, "{what}");
    assert!(screen.said().is_empty(), "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_quotes_what_was_asked_for_and_does_nothing_else() -> Result<()> {
    let scene = Scene::new().await?;
    for (number, Sequence { name, bytes }) in corpus().into_iter().enumerate() {
        let word = bytes.split(|byte| *byte == 0).max_by_key(|part| part.len()).unwrap();
        // What begins with a dash is an option; here it is a word.
        let word = [b"x", word].concat();
        let colours = number % 2 == 1;
        let mut labctl = scene.program("labctl", QUOTING[number / 2 % QUOTING.len()])?;
        labctl.arg(OsStr::from_bytes(&word)).stdout(Stdio::piped()).stderr(Stdio::piped());
        labctl.env("CLICOLOR_FORCE", if colours { "1" } else { "0" });
        let said = soon(labctl.output()).await??;
        assert_ne!(said.status.code(), Some(0), "{name}");
        assert!(!said.stderr.is_empty(), "{name}");
        assert_harmless(name, &said.stderr, colours);
        assert_harmless(name, &said.stdout, colours);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_write_is_shown_and_does_nothing() -> Result<()> {
    let scene = Scene::new().await?;
    let ada = scene.lab.user("ada").await?;
    for Sequence { bytes, .. } in corpus() {
        let text: String = String::from_utf8_lossy(&bytes).chars().take(900).collect();
        ada.note(name("rpi4"), text).await?;
    }
    let all: String =
        corpus().iter().map(|it| String::from_utf8_lossy(&it.bytes).into_owned()).collect();
    let note = all.chars().take(limits::NOTE / 4).collect();
    ada.reserve(Ask { note: Some(note), ..board("rpi4") }).await?;
    for arguments in [
        &["journal", "rpi4"][..],
        &["journal"],
        &["audit"],
        &["holds"],
        &["boards"],
        &["board", "rpi4"],
        &["classes"],
        &["whoami"],
    ] {
        for json in [false, true] {
            let mut labctl = scene.program("labctl", arguments)?;
            if json {
                labctl.arg("--json");
            }
            let said = soon(labctl.stdout(Stdio::piped()).output()).await??;
            let what = format!("{arguments:?} {json}");
            assert_eq!(said.status.code(), Some(0), "{what}");
            assert_harmless(&what, &said.stdout, false);
            if json {
                let lines =
                    said.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
                for line in lines {
                    serde_json::from_slice::<serde_json::Value>(line).context(what.clone())?;
                }
            }
        }
    }
    Ok(())
}
