//! A conversation with a console, for scripts: send, expect, send, expect.

use std::io::Write;

use protocol::console::From;
use serde_json::json;

use super::super::steps::{Heard, Step};
use super::Console;
use super::link::{self, Link};
use super::show::Show;
use crate::At;
use crate::exit::Failure;
use crate::print::Output;

/// How many lines are shown of what came instead.
const SHOWN: usize = 20;

/// Takes the steps in order. What the console prints goes to standard output meanwhile; at the end it
/// says at which byte the last step was done, for the next call's `--since`.
pub(super) async fn run(
    console: &Console,
    steps: Vec<Step>,
    at: &At,
    out: &mut Output,
) -> anyhow::Result<()> {
    let sends = steps.iter().any(|step| matches!(step, Step::Send(_)));
    let pen = if sends { console.pen() } else { protocol::console::Pen::Unwanted };
    let mut link = Link::open(at, &console.board, console.since.unwrap_or(From::End), pen).await?;
    console.say_if_elsewhere(link.offset, out);
    link.must_type().await?;
    let (mut heard, mut show) = (Heard::default(), Show::new(console));
    let mut offset = link.offset;
    let mut matches = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        match step {
            Step::Send(bytes) => {
                let typed = tokio::time::timeout(console.timeout.duration(), link.type_in(bytes));
                typed.await.map_err(|_| stuck(index, console))??;
            }
            Step::Expect(regex) => {
                let wait = async {
                    loop {
                        if let Some(found) = heard.take(regex) {
                            return Ok::<_, anyhow::Error>(found);
                        }
                        listen(&mut link, &mut heard, &mut show, out).await?;
                    }
                };
                let found = tokio::time::timeout(console.timeout.duration(), wait).await;
                let (text, end) =
                    found.map_err(|_| late(index, regex.as_str(), console, &heard))??;
                offset = end;
                matches.push(String::from_utf8_lossy(&text).into_owned());
            }
        }
    }
    if out.is_json() {
        out.tell("conversation", &json!({"matches": matches, "offset": offset}), "")?;
    } else {
        out.say(format_args!("done at @{offset}"));
    }
    Ok(())
}

async fn listen(
    link: &mut Link,
    heard: &mut Heard,
    show: &mut Show,
    out: &Output,
) -> anyhow::Result<()> {
    let mut buffer = [0; 4096];
    let begin = link.offset;
    match link.read(&mut buffer).await {
        link::Heard::Bytes(read) => {
            heard.hear(begin, &buffer[..read]);
            if !out.is_json() {
                let mut stdout = std::io::stdout().lock();
                stdout.write_all(&show.of(&buffer[..read]))?;
                stdout.flush()?;
            }
        }
        link::Heard::Broken => {
            link.mend().await?;
            link.must_type().await?;
        }
    }
    Ok(())
}

fn stuck(index: usize, console: &Console) -> Failure {
    let (step, board, timeout) = (index + 1, &console.board, console.timeout);
    Failure::not_in_time(
        format!("step {step}: {board} did not take what was typed within {timeout}"),
        "give it longer with --timeout; its flow control, or its pace in labd.conf, may hold it up",
    )
}

fn late(index: usize, regex: &str, console: &Console, heard: &Heard) -> Failure {
    let instead = heard.tail(SHOWN);
    let instead = if instead.is_empty() {
        "; it printed nothing".to_owned()
    } else {
        format!("; it printed:{instead}")
    };
    let (step, board, timeout) = (index + 1, &console.board, console.timeout);
    Failure::not_in_time(
        format!("step {step}: {board} did not print '{regex}' within {timeout}{instead}"),
        format!(
            "give it longer with --timeout, or see all with 'labctl console {board} --history'"
        ),
    )
}
