//! Serves a [`Mib`] to snmpd, which starts this and asks it line by line (`pass_persist`, as
//! snmpd.conf(5) describes it).
//!
//! `fake-mib MIB.json LOG`: every number that is written is a line of LOG, `OID VALUE`.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, Write};

use anyhow::{Context, Result};
use lab_tests::mib::{Cell, Kind, Mib, Refusal};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mib = arguments.next().context("which MIB?")?;
    let log = arguments.next().context("which log?")?;
    let mut mib: Mib = serde_json::from_reader(File::open(mib)?)?;
    let mut log = OpenOptions::new().create(true).append(true).open(log)?;
    let mut lines = io::stdin().lock().lines();
    let mut answers = io::stdout().lock();
    while let Some(asked) = lines.next().transpose()? {
        let mut line = || lines.next().transpose().map(Option::unwrap_or_default);
        let answer = match asked.as_str() {
            "PING" => "PONG".to_owned(),
            "get" => told(mib.get(name(&line()?))),
            "getnext" => told(mib.next(name(&line()?))),
            "set" => {
                let (oid, value) = (line()?, line()?);
                written(&mut mib, name(&oid), &value, &mut log)?
            }
            // snmpd sends an empty line after the value of a set.
            _ => continue,
        };
        writeln!(answers, "{answer}")?;
        answers.flush()?;
    }
    Ok(())
}

fn name(oid: &str) -> &str {
    oid.trim().trim_start_matches('.')
}

fn told(cell: Option<&Cell>) -> String {
    let Some(cell) = cell else { return "NONE".to_owned() };
    let kind = match cell.kind {
        Kind::Integer => "integer",
        Kind::Gauge => "gauge",
    };
    format!(".{}\n{kind}\n{}", cell.oid, cell.value)
}

fn written(mib: &mut Mib, oid: &str, what: &str, log: &mut File) -> Result<String> {
    let (kind, value) = what.split_once(' ').unwrap_or_default();
    let kind = match kind {
        "integer" => Kind::Integer,
        "gauge" => Kind::Gauge,
        _ => return Ok("wrong-type".to_owned()),
    };
    let Ok(value) = value.trim().parse() else { return Ok("wrong-value".to_owned()) };
    Ok(match mib.set(oid, kind, value) {
        Ok(()) => {
            writeln!(log, "{oid} {value}")?;
            "DONE"
        }
        Err(Refusal::NoCreation) => "no-creation",
        Err(Refusal::NotWritable) => "not-writable",
        Err(Refusal::WrongType) => "wrong-type",
        Err(Refusal::WrongValue) => "wrong-value",
    }
    .to_owned())
}
