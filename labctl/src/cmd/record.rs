//! `labctl record`: a part of a board's past, to keep and to share.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use protocol::board::BoardName;
use serde::Serialize;

use super::cast::{Caster, Header};
use super::past::Range;
use super::want;
use crate::At;
use crate::exit::{Failure, WRITABLE};
use crate::print::Output;

const ABOUT: &str = "\
The recording is an asciicast of version 2: 'labctl play FILE' and 'asciinema play FILE' play it. It has \
what the console printed, who typed what, and a marker for each thing that happened to the board. What was \
typed and not echoed, a password perhaps, is not in it.";

/// Write a part of a board's past to a file, to keep and to share.
#[derive(Debug, clap::Args)]
#[command(after_help = ABOUT)]
pub struct Record {
    /// The board
    #[arg(add = want::boards())]
    board: BoardName,
    #[command(flatten)]
    range: Range,
    /// The file; standard output, if not said
    file: Option<PathBuf>,
}

impl Record {
    pub(super) async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<()> {
        let mut past = self.range.open(at, &self.board).await?;
        let mut file = self.create()?;
        let mut caster = Caster::on(&past.paint);
        let mut events = 0_usize;
        while let Some(moment) = past.next().await? {
            let is_first = caster.begun().is_none();
            let cast = caster.take(moment);
            if let (true, Some(begun)) = (is_first, caster.begun()) {
                write_line(&mut file, out, &Header::new(self.board.to_string(), begun))?;
            }
            for event in &cast {
                write_line(&mut file, out, event)?;
            }
            events += cast.len();
        }
        if caster.begun().is_none() {
            write_line(&mut file, out, &Header::new(self.board.to_string(), out.now()))?;
        }
        if let (Some(file), Some(path)) = (&mut file, &self.file) {
            file.flush().map_err(|error| Failure::file(path, &error, WRITABLE))?;
            out.say(format_args!("{events} events of {} are in {}", self.board, path.display()));
        }
        Ok(())
    }

    fn create(&self) -> Result<Option<BufWriter<File>>, Failure> {
        let create = |path: &PathBuf| {
            let file = File::create(path);
            file.map(BufWriter::new).map_err(|error| Failure::file(path, &error, WRITABLE))
        };
        self.file.as_ref().map(create).transpose()
    }
}

fn write_line(
    file: &mut Option<BufWriter<File>>,
    out: &mut Output,
    what: &impl Serialize,
) -> io::Result<()> {
    let line = serde_json::to_string(what)?;
    match file {
        Some(file) => writeln!(file, "{line}"),
        None => out.json(&line),
    }
}
