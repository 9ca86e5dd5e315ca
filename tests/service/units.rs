//! The units as they are handed out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use lab_tests::programs;
use tempfile::TempDir;

const UNITS: [&str; 2] = ["labd.service", "labd.socket"];
/// In tenths, as systemd-analyze takes it: 1.8 of 10.
const EXPOSURE: &str = "--threshold=18";
/// What would harden the service, and break the lab: it would not know who comes by the socket, have no
/// serial ports, take its own crashes for the machine's, run no QEMU, reach no switch.
const NEVER: [&str; 5] =
    ["PrivateUsers", "PrivateDevices", "ProcSubset", "MemoryDenyWriteExecute", "PrivateNetwork"];

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../contrib/systemd").join(name)
}

/// Copies them, with labd where it is here.
fn installed(folder: &Path) -> Result<[PathBuf; 2]> {
    let here = programs::path("labd")?.display().to_string();
    for name in UNITS {
        let text = fs::read_to_string(source(name))?;
        fs::write(folder.join(name), text.replace("/usr/local/bin/labd", &here))?;
    }
    Ok(UNITS.map(|name| folder.join(name)))
}

/// Has systemd look at files; everything that it says is a fault.
fn analyze(words: &[&str], files: &[PathBuf]) -> Result<String> {
    let done = Command::new("systemd-analyze").args(words).args(files).output();
    let done = done.context("systemd-analyze: use tests/run, which installs it")?;
    let [said, faults] =
        [&done.stdout, &done.stderr].map(|it| String::from_utf8_lossy(it).into_owned());
    ensure!(done.status.success() && faults.is_empty(), "{said}{faults}");
    Ok(said)
}

#[test]
fn systemd_finds_no_fault_in_them() -> Result<()> {
    let folder = TempDir::new()?;
    analyze(&["verify", "--man=no"], &installed(folder.path())?).map(drop)
}

#[test]
fn little_of_the_machine_is_exposed() -> Result<()> {
    let folder = TempDir::new()?;
    let [service, _] = installed(folder.path())?;
    let said = analyze(&["security", "--offline=true", EXPOSURE], &[service])?;
    ensure!(said.contains("Overall exposure level"), "{said}");
    Ok(())
}

#[test]
fn what_the_lab_cannot_do_without_is_left_to_it() -> Result<()> {
    let service = fs::read_to_string(source("labd.service"))?;
    for key in NEVER {
        ensure!(!service.lines().any(|line| line.starts_with(&format!("{key}="))), "{key}");
    }
    Ok(())
}
