//! Writes to a memory as fast as it can, and says what is on disk, until it is killed.
//!
//! `crash-writer write FOLDER honest|early [N]`: begins at a line on standard input, and prints
//! `WRITER NUMBER` for each acknowledged entry; `early` is the control that does not wait for the
//! disk. Ends after N entries of each writer.
//!
//! `crash-writer trace LOG FOLDER N`: runs the former under ptrace, and writes to LOG what it does to
//! files and when it acknowledges what, one [`lab_tests::op::Op`] a line.

use std::io::{self, BufRead, Write as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use lab_tests::acks::{SIZES, WRITERS, key, text};
use lab_tests::trace;
use labd::clock::Clock;
use labd::ledger::{Draft, Write};
use labd::memory::Memory;
use protocol::journal::{By, Event};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["write", folder, mode, most @ ..] => {
            let most = most.first().map_or(Ok(u64::MAX), |most| most.parse())?;
            io::stdin().lock().read_line(&mut String::new())?;
            tokio::runtime::Runtime::new()?.block_on(write(folder.as_ref(), *mode == "early", most))
        }
        ["trace", log, folder, most] => trace::run(log.as_ref(), folder.as_ref(), most),
        _ => {
            bail!("crash-writer write FOLDER honest|early [N], or crash-writer trace LOG FOLDER N")
        }
    }
}

async fn write(folder: &Path, is_early: bool, most: u64) -> Result<()> {
    let (memory, _) = Memory::open(folder, &Clock::machine(), SIZES)?;
    let memory = Arc::new(memory);
    let known = memory.scan::<u64>("writer/")?;
    let writers = (0..WRITERS).map(|writer| {
        let (memory, mine) = (memory.clone(), writer.to_string());
        let last = known.iter().find(|(of, _)| *of == mine).map_or(0, |(_, n)| *n);
        let numbers = last + 1..=last.saturating_add(most);
        tokio::spawn(async move {
            for n in numbers {
                let event = Event::Noted { text: text(writer, n) };
                let writes = vec![Write::put(key(writer), &n)];
                let draft = Draft { by: By::default(), board: None, offset: None, event, writes };
                let commit = memory.ledger().stage(draft);
                if is_early {
                    acknowledge(writer, n)?;
                }
                commit.await?;
                if !is_early {
                    acknowledge(writer, n)?;
                }
            }
            anyhow::Ok(())
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await??;
    }
    tokio::task::spawn_blocking(move || memory.close()).await?;
    Ok(())
}

/// One line, one write.
fn acknowledge(writer: u64, n: u64) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(format!("{writer} {n}\n").as_bytes())?;
    out.flush().context("nobody listens")
}
