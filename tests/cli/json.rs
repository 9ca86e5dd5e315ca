//! What scripts read: every member of every object. Members are added to `json.txt`, and stay.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result};
use lab_tests::lab::{Plan, board, boards, queued};
use protocol::account::AccountAsk;
use protocol::journal::Event;
use protocol::user::Role;
use serde_json::Value;

use super::{Scene, said};

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
    let sequences = "breaks { stop = \"'q'\" }; lines { reset = \"50ms\" }; options =";
    let triggers = "triggers { oops { match = Oops; send = x } }";
    let boards = boards(&["rpi4", "rpi5", "rpi6"]).replacen("options =", sequences, 1);
    let config = format!("setup_script = \"@dir/setup\"\n{triggers}\n{boards}");
    let scene = Scene::open(Plan::new(config).script("setup", setup).by_hand()).await?;
    let bob = scene.lab.user("bob").await?;
    bob.reserve(board("rpi5")).await?;
    bob.type_at("rpi5").await?;
    let ada = scene.lab.user("ada").await?;
    ada.reserve(queued(board("rpi5"))).await?;
    let root = scene.lab.admin().await?;
    let administrator = scene.lab.socket_of("root", Role::Admin)?;
    let span = Some(protocol::Span::hours(1));
    root.change_account("ada".parse()?, AccountAsk::Add { role: Role::Viewer, span }).await?;
    let join = AccountAsk::Join { group: "kernel".to_owned() };
    root.change_account("ada".parse()?, join).await?;
    let _looks = ada.look_at("rpi5", protocol::console::From::End).await?;
    let mut console = ada.look_at("rpi4", protocol::console::From::End).await?;
    for text in
        ["U-Boot 2026.01\r\n", "Linux version 6.12\r\n", "rpi4 login: \r\n", "U-Boot 2026.01\r\n"]
    {
        scene.lab.board("rpi4").print(text).await?;
        console.until(text).await?;
    }
    let key = format!("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{} ada", "A".repeat(43));
    fs::write(scene.lab.path("laptop.pub"), key)?;
    fs::write(scene.lab.path("empty"), "")?;
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
        "console rpi5 --who",
        "break rpi4 --list",
        "break rpi4 stop",
        "line rpi4 --list",
        "line rpi4 reset",
        "send rpi4 empty --paste",
        "boots rpi4",
        "boots compare rpi4 1 2",
        "triggers",
        "search U-Boot",
        "at @10 rpi4",
        "note rpi4 hello",
        "journal rpi4 -n 1",
        "doctor",
        "admin verify",
        "whoami",
        "auth can-i power rpi5",
        "auth why power rpi5",
        "token new --board rpi4 --class rpi --verb power --note ci",
        "token list",
        "token revoke 00000000",
        "key add laptop.pub",
        "key list",
        "key import laptop.pub",
        "key remove SHA256:none",
        "user list",
        "user add zoe",
        "group list",
        "group add kernel zoe",
        "give rpi4 bob",
        "release rpi4",
    ] {
        let arguments: Vec<_> = line.split(' ').chain(["--json"]).collect();
        let mut command = scene.labctl(&arguments)?;
        command.current_dir(scene.lab.path(""));
        if line.starts_with("user") || line.starts_with("group") {
            command.env("LAB", administrator.to_string());
        }
        let said = said(command).await?;
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
