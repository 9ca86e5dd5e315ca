//! What the consoles of a lab print in a year: boot logs, as files of recordings.
//!
//! Each boot is the same as the others and differs everywhere, as boots do: times, addresses, serial
//! numbers, the order of things. A few have a needle in them.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::Result;

use crate::process::name;

/// Boots of a board on a day.
const BOOTS: usize = 2;
/// Lines of a boot that differ from board to board and from boot to boot.
const LINES: usize = 440;
const DAY: u64 = 24 * 3_600_000;

/// In one boot of all.
pub(crate) const NEEDLE: &str = "eMMC lost its partition table";
/// In each boot.
pub(crate) const COMMON: &str = "Freeing unused kernel memory";
/// In one boot of so many.
const PANICS: u64 = 2_000;

const LOGS: [&str; 3] = [
    include_str!("../../labd/src/sim/texts/arm64.log"),
    include_str!("../../labd/src/sim/texts/riscv64.log"),
    include_str!("../../labd/src/sim/texts/x86.log"),
];

/// A year of that many boards.
pub(crate) struct Year {
    pub(crate) boards: usize,
    pub(crate) days: u64,
    /// When it ends, in milliseconds since 1970.
    pub(crate) end: u64,
}

/// How much was written.
#[derive(Default)]
pub(crate) struct Written {
    pub(crate) bytes: u64,
    pub(crate) lines: u64,
    pub(crate) files: u64,
}

impl Year {
    /// Writes it to a folder of consoles: a segment a day.
    pub(crate) fn write(&self, consoles: &Path) -> Result<Written> {
        let mut written = Written::default();
        for board in 0..self.boards {
            let folder = consoles.join(name(board));
            fs::create_dir_all(&folder)?;
            let mut random = Random(board as u64 + 1);
            let mut start = 0;
            for day in 0..self.days {
                let since = self.end - (self.days - day) * DAY;
                let has_needle = board == self.boards / 2 && day == self.days / 3;
                let (bytes, marks) = a_day(&mut random, LOGS[board % LOGS.len()], has_needle);
                let times = [b"labtimes".as_slice(), &since.to_le_bytes(), &marks].concat();
                fs::write(folder.join(format!("{start:020}.times")), times)?;
                fs::File::create(folder.join(format!("{start:020}.bytes")))?.write_all(&bytes)?;
                start += bytes.len() as u64;
                written.lines += marks.len() as u64 / 8;
                written.files += 1;
            }
            written.bytes += start;
        }
        Ok(written)
    }
}

/// The bytes of a day, and the times of its lines as a recording has them.
fn a_day(random: &mut Random, log: &str, has_needle: bool) -> (Vec<u8>, Vec<u8>) {
    let (mut bytes, mut marks) = (Vec::new(), Vec::new());
    for boot in 0..BOOTS {
        let mut tenths = (boot as u32 * 12 * 3_600 + 9 * 3_600) * 10_000;
        for line in a_boot(random, log, has_needle && boot == 0).lines() {
            marks.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
            marks.extend_from_slice(&tenths.to_le_bytes());
            bytes.extend_from_slice(line.as_bytes());
            bytes.extend_from_slice(b"\r\n");
            tenths += line.len() as u32;
        }
    }
    (bytes, marks)
}

fn a_boot(random: &mut Random, log: &str, has_needle: bool) -> String {
    let mut boot = format!(
        "\nU-Boot 2026.01-{:07x} ({:02}:{:02}:{:02} +0000)\nSoC serial: {:016x}\nDRAM:  2 GiB\n",
        random.below(1 << 28),
        random.below(24),
        random.below(60),
        random.below(60),
        random.next(),
    );
    let mut micros = 0;
    for line in log.lines() {
        micros += random.below(4_000);
        let said = line.split_once("] ").map_or(line, |(_, said)| said);
        // A text takes all that is written to it.
        let _ = writeln!(boot, "[{:5}.{:06}] {said}", micros / 1_000_000, micros % 1_000_000);
    }
    for _ in 0..LINES {
        micros += random.below(30_000);
        let _ = write!(boot, "[{:5}.{:06}] ", micros / 1_000_000, micros % 1_000_000);
        a_line(random, &mut boot);
    }
    let _ = writeln!(boot, "[{:5}.{:06}] {COMMON}: 6144K", micros / 1_000_000, micros % 1_000_000);
    if has_needle {
        let _ =
            writeln!(boot, "mmc0: \x1b[1;31m{NEEDLE}\x1b[0m at 0x{:08x}", random.below(1 << 32));
    }
    match random.below(PANICS) {
        0 => {
            boot + "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(179,2)\n"
        }
        _ => boot + "\nlab login: ",
    }
}

/// A line as drivers and services print them.
fn a_line(random: &mut Random, boot: &mut String) {
    const SERVICES: [&str; 8] = [
        "sshd.service - OpenSSH server",
        "systemd-networkd.service - Network Configuration",
        "dbus.service - D-Bus System Message Bus",
        "getty@tty1.service - Getty on tty1",
        "chronyd.service - NTP client",
        "systemd-journald.service - Journal Service",
        "basic.target - Basic System",
        "dev-mmcblk0p2.device - /dev/mmcblk0p2",
    ];
    const DRIVERS: [&str; 8] = [
        "dwmmc_rockchip",
        "rk_gmac-dwmac",
        "xhci-hcd",
        "rockchip-pcie",
        "ahci",
        "brcmfmac",
        "spi-nor",
        "i2c-core",
    ];
    let (a, b) = (random.next(), random.next());
    let driver = DRIVERS[(a % 8) as usize];
    let address = 0xfe00_0000 + (a >> 8) % 0x200 * 0x1000;
    let _ = match b % 8 {
        0 => writeln!(boot, "{driver} {address:x}.device: irq {}, base 0x{:016x}", a % 300, b),
        1 => writeln!(
            boot,
            "usb 1-1.{}: new high-speed USB device number {} using {driver}",
            a % 5,
            a % 90
        ),
        2 => writeln!(boot, "usb 1-1.{}: SerialNumber: {:012X}", a % 5, b >> 16),
        3 => writeln!(
            boot,
            "systemd[1]: \x1b[0;32mStarted\x1b[0m {}.",
            SERVICES[(a >> 4) as usize % 8]
        ),
        4 => writeln!(
            boot,
            "audit: type=1130 audit(17{:08}.{:03}:{}): pid=1 uid=0",
            b % 100_000_000,
            a % 1_000,
            a % 9_999
        ),
        5 => writeln!(
            boot,
            "EXT4-fs (mmcblk0p{}): mounted filesystem {:08x}-{:04x} r/w with ordered data mode",
            a % 9,
            b >> 32,
            a & 0xffff
        ),
        6 => writeln!(
            boot,
            "{driver} {address:x}.device: link up, {} Mbps, full duplex, took {} us",
            [10, 100, 1_000][a as usize % 3],
            b % 90_000
        ),
        _ => writeln!(
            boot,
            "random: crng reseeded, {} bits of {:x}:{:x} credited to {driver}",
            a % 256,
            a >> 40,
            b >> 40
        ),
    };
}

/// Numbers that are the same in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, most: u64) -> u64 {
        self.next() % most
    }
}
