//! Transcripts: `*.md` beside this file, run line by line against a lab. `UPDATE=1` writes what is
//! said now.
//!
//! A block of `conf` is the lab's configuration, one of `sh` its setup script. In a block of `console`,
//! `$` is ada's prompt; `bob$`, `guest$` and `root$` are other people's, and `new$` that of somebody
//! whose labd is of a later version. `# later 1h` moves the clock, `# rpi4 prints TEXT` is said by a
//! board. What differs each time is written `[DIR]` and `[PORT]`, the id of a token `00000000`, its secret
//! `lab_[SECRET]`; `[exit N]` is how a command ended, if not with 0.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use lab_tests::lab::{Plan, TestLab, boards, name};
use lab_tests::patience::soon;
use lab_tests::programs;
use protocol::account::Secret;
use protocol::console::From;
use protocol::user::Role;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::process::Command;

/// Everybody who has a prompt.
const PEOPLE: [(&str, &str, Role); 4] = [
    ("$ ", "ada", Role::User),
    ("bob$ ", "bob", Role::User),
    ("guest$ ", "guest", Role::Viewer),
    ("root$ ", "root", Role::Admin),
];

#[tokio::test(flavor = "multi_thread")]
async fn labctl_says_what_its_transcripts_say() -> Result<()> {
    let mut wrong = Vec::new();
    for file in transcripts()? {
        let written = fs::read_to_string(&file)?;
        let said = play(&written).await.with_context(|| file.display().to_string())?;
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&file, said)?;
        } else if said != written {
            wrong.push(format!("{}:\n{}", file.display(), difference(&written, &said)));
        }
    }
    if wrong.is_empty() { Ok(()) } else { bail!("{}", wrong.join("\n")) }
}

fn transcripts() -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir("cli")?.map(|entry| Ok(entry?.path()));
    let mut files: Vec<PathBuf> = entries.collect::<Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|kind| kind == "md"));
    files.sort();
    Ok(files)
}

/// The lines that are not as written.
fn difference(written: &str, said: &str) -> String {
    let (old, new): (Vec<_>, Vec<_>) = (written.lines().collect(), said.lines().collect());
    let same = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let rest = old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
    let rest = rest.min(old.len() - same).min(new.len() - same);
    let minus = old[same..old.len() - rest].iter().map(|line| format!("- {line}\n"));
    let plus = new[same..new.len() - rest].iter().map(|line| format!("+ {line}\n"));
    format!("from line {}\n{}", same + 1, minus.chain(plus).collect::<String>())
}

/// A transcript as it is said now.
async fn play(written: &str) -> Result<String> {
    let lab = open(written).await?;
    let (mut said, mut block) = (String::new(), None::<&str>);
    for line in written.lines() {
        match (block, line.strip_prefix("```")) {
            (None, Some(kind)) => block = Some(kind),
            (Some(_), Some(_)) => block = None,
            _ => {}
        }
        let is_told = block != Some("console") || line.starts_with("```");
        if is_told || line.starts_with("# ") || is_command(line) {
            said += line;
            said.push('\n');
        }
        if !is_told {
            said += &act(&lab, line).await?;
        }
    }
    let port = |board: &str| lab.board(board).port().to_string();
    let mut said = said.replace(&lab.path("").display().to_string(), "[DIR]/");
    for board in lab.lab().names() {
        if written.contains(&format!("@console({board})")) || !written.contains("```conf") {
            said = said.replace(&port(board.as_str()), "[PORT]");
        }
    }
    Ok(said.split_inclusive(|letter: char| !is_of_word(letter)).map(steady).collect())
}

fn is_of_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

/// A word, and what comes behind it, without what chance has made.
fn steady(text: &str) -> String {
    let word = text.trim_end_matches(|letter| !is_of_word(letter));
    let is_id = |letter: char| letter.is_ascii_digit() || ('a'..='f').contains(&letter);
    let rest = &text[word.len()..];
    if word.parse::<Secret>().is_ok() {
        return format!("lab_[SECRET]{rest}");
    }
    if word.len() == 8 && word.chars().all(is_id) {
        format!("00000000{rest}")
    } else {
        text.to_owned()
    }
}

async fn open(written: &str) -> Result<TestLab> {
    let fenced = |kind: &str| {
        let (_, rest) = written.split_once(&format!("```{kind}\n"))?;
        rest.split_once("```").map(|(text, _)| text.to_owned())
    };
    let config = fenced("conf").unwrap_or_else(|| boards(&["rpi4", "rpi5"]));
    let mut plan = Plan::new(config).by_hand();
    if let Some(script) = fenced("sh") {
        plan = plan.script("setup", &script);
    }
    let lab = plan.open().await?;
    lab.settled().await?;
    for (_, name, role) in PEOPLE {
        lab.socket_of(name, role)?;
    }
    of_tomorrow(&lab.path("new.sock"))?;
    Ok(lab)
}

/// A labd that speaks later versions only.
fn of_tomorrow(path: &Path) -> Result<()> {
    let listener = UnixListener::bind(path)?;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(b"ok 7 9 {}\n").await;
        }
    });
    Ok(())
}

fn is_command(line: &str) -> bool {
    line.starts_with("new$ ") || PEOPLE.iter().any(|(prompt, _, _)| line.starts_with(prompt))
}

/// What comes of a line.
async fn act(lab: &TestLab, line: &str) -> Result<String> {
    if let Some(span) = line.strip_prefix("# later ") {
        lab.advance(span.parse()?);
        // Whoever asks next finds what this has brought about.
        until_quiet(lab).await?;
    } else if let Some((board, text)) =
        line.strip_prefix("# ").and_then(|rest| rest.split_once(" prints "))
    {
        let root = lab.admin().await?;
        let mut console = root.look_at(board, From::End).await?;
        lab.board(board).print(format!("{text}\r\n")).await?;
        console.until("\r\n").await?;
    } else if is_command(line) {
        let (prompt, command) = line.split_once("$ ").context("it has a prompt")?;
        return run(lab, if prompt.is_empty() { "ada" } else { prompt }, command).await;
    }
    Ok(String::new())
}

/// Nobody holds anything whose time is up.
async fn until_quiet(lab: &TestLab) -> Result<()> {
    let root = lab.admin().await?;
    let mut table = root.follow(protocol::wire::Follow::Boards).await?;
    for board in lab.lab().names() {
        let is_over = |row: &protocol::board::Board| {
            row.hold.as_ref().is_some_and(|hold| hold.until <= lab.now())
        };
        while is_over(&root.board(name(board.as_str())).await?.board) {
            table.row().await?;
        }
    }
    Ok(())
}

async fn run(lab: &TestLab, who: &str, command: &str) -> Result<String> {
    let programs = programs::path("labctl")?;
    let folder = programs.parent().context("it lies in a folder")?;
    let child = Command::new("/bin/sh")
        .args(["-c", &format!("exec 2>&1; {command}")])
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", folder.display()))
        .env("HOME", lab.path(""))
        .env("LAB", format!("unix:{}", lab.path(&format!("{who}.sock")).display()))
        .env("TZ", "UTC")
        .current_dir(lab.path(""))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let output = soon(child.wait_with_output()).await.with_context(|| command.to_owned())??;
    let mut said =
        String::from_utf8_lossy(&output.stdout).replace('\r', "\\r").replace('\x1b', "\\e");
    if !said.is_empty() && !said.ends_with('\n') {
        said.push('\n');
    }
    match output.status.code() {
        Some(0) => {}
        Some(code) => said += &format!("[exit {code}]\n"),
        None => said += &format!("[{}]\n", output.status),
    }
    Ok(said)
}
