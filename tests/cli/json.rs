//! What scripts read: every member of every object. Members are added to `json.txt`, and stay.

use protocol::journal::Event;
use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result};
use lab_tests::lab::{Plan, board, boards, queued};
use serde_json::Value;

use super::Scene;

/// `items[].hold.until number`
fn members(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(items) => {
            items.iter().for_each(|item| members(item, &format!("{path}[]"), found));
            "list"
        }
        Value::Object(entries) => {
            for (key, value) in entries {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                members(value, &path, found);
            }
            return;
        }
    };
    found.insert(format!("{path} {kind}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_scripts_rely_on_is_still_there() -> Result<()> {
    let setup = "#!/bin/sh\n[ $2 != rpi6 ] || { echo no jail >&2; exit 1; }\n";
    let config = format!("setup_script = \"@dir/setup\"\n{}", boards(&["rpi4", "rpi5", "rpi6"]));
    let scene = Scene::open(Plan::new(config).script("setup", setup).by_hand()).await?;
    let bob = scene.lab.user("bob").await?;
    bob.reserve(board("rpi5")).await?;
    bob.type_at("rpi5").await?;
    let ada = scene.lab.user("ada").await?;
    ada.reserve(queued(board("rpi5"))).await?;
    let _looks = ada.look_at("rpi5", protocol::console::From::End).await?;
    let mut text = String::new();
    for line in [
        "reserve rpi4 --note testing",
        "reserve rpi5",
        "reserve rpi5 --queue",
        "reserve rpi9",
        "reserve rpi6",
        "boards",
        "board rpi5",
        "classes",
        "holds",
        "queue",
        "queue --leave 3",
        "extend rpi4 3h",
        "power rpi4 on",
        "wait rpi4 on",
        "console rpi4 --send x",
        "note rpi4 hello",
        "journal rpi4 -n 1",
        "doctor",
        "admin verify",
        "give rpi4 bob",
        "release rpi4",
    ] {
        let arguments: Vec<_> = line.split(' ').chain(["--json"]).collect();
        let said = scene.says(&arguments).await?;
        if line == "reserve rpi6" {
            // Only when it is cleaned does the board show what is wrong with it.
            ada.journal("rpi6").await?.event(|event| *event == Event::Freed).await?;
        }
        text += &format!("\nlabctl {line} --json\n");
        for printed in [&said.out, &said.err] {
            if let Some(last) = printed.lines().last() {
                let value =
                    serde_json::from_str(last).with_context(|| format!("{line}: {said:?}"))?;
                let mut found = BTreeSet::new();
                members(&value, "", &mut found);
                found.iter().for_each(|member| text += &format!("    {member}\n"));
            }
        }
    }
    if std::env::var_os("UPDATE").is_some() {
        fs::write("cli/json.txt", &text)?;
    }
    let written = fs::read_to_string("cli/json.txt").unwrap_or_default();
    assert!(text == written, "{text}\nis not what cli/json.txt promises; members are only added");
    Ok(())
}
