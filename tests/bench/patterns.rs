//! A thousand patterns over what consoles print: as fast as 200 of them can print it, with room to spare.

use std::fmt::Write;
use std::time::Instant;

use anyhow::{Result, anyhow};
use labd::rules::pattern::{Patterns, Scan};

use crate::figure::{Bar, Report};

const PATTERNS: usize = 1_000;
/// What a console gives at once.
const PIECE: usize = 512;
/// 200 ports at 115,200 baud, in bytes a second.
const LAB: f64 = 200.0 * 11_520.0;

pub(crate) fn run(report: &mut Report) -> Result<()> {
    let words: Vec<String> = (0..PATTERNS).map(pattern).collect();
    let patterns = Patterns::new(&words).map_err(|why| anyhow!(why))?;
    let log = log();
    let first = speed(&patterns, &log);
    let then = speed(&patterns, &log);
    let beside = format!("{PATTERNS} patterns; {:.1} MB/s at first", first / 1e6);
    report.figure("patterns-speed", then / 1e6, "MB/s", &beside, Bar::Least(50.0))?;
    let worst = speed(&patterns, hostile(&words).as_bytes());
    let beside = "a board that prints pieces of the patterns; 200 ports at 115200 baud are 1x";
    report.figure("patterns-hostile", worst / LAB, "x", beside, Bar::Least(1.0))
}

/// Bytes a second.
fn speed(patterns: &Patterns, text: impl AsRef<[u8]>) -> f64 {
    let (mut scan, mut matches, began) = (Scan::default(), 0_u64, Instant::now());
    for piece in text.as_ref().chunks(PIECE) {
        scan.see(patterns, piece, |_, _| matches += 1);
    }
    text.as_ref().len() as f64 / began.elapsed().as_secs_f64()
}

fn pattern(nth: usize) -> String {
    match nth % 4 {
        0 => format!("error {nth}: device [a-z0-9]+ failed"),
        1 => format!("^\\[ *[0-9.]+\\] driver{nth}: .*timeout"),
        2 => format!("(?i)sensor{nth} over temperature"),
        _ => format!("Unit {nth}[.]service entered failed state"),
    }
}

/// What kernels say, in colour.
fn log() -> String {
    let mut log = String::new();
    for line in 0..100_000 {
        let (second, micros) = (line / 10, line * 37 % 1_000_000);
        let (driver, port, number) = (line % 2_000, line % 5, line % 100);
        // A text takes everything.
        let _ = write!(
            log,
            "\x1b[32m[{second:5}.{micros:06}]\x1b[0m driver{driver}: usb {port}-1: new high-speed USB device number {number} using xhci-hcd\r\n"
        );
    }
    log
}

/// Beginnings of patterns in no order, which need new states again and again.
fn hostile(words: &[String]) -> String {
    let (mut text, mut random) = (String::new(), 12_345_u64);
    while text.len() < 1_000_000 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let word = &words[random as usize % words.len()];
        text.push_str(&word[..1 + (random >> 20) as usize % word.len()]);
        if random.is_multiple_of(50) {
            text.push('\n');
        }
    }
    text
}
