//! The stages of a boot, and by what they are known.

/// The stages in their order, each with patterns that say that it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The last of them is the end of the boot.
    pub stages: Vec<Stage>,
    /// Patterns of what ends a boot before.
    pub panic: Vec<String>,
}

/// One stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// See [`super::super::pattern`].
    pub patterns: Vec<String>,
}

/// The stage before which a board is not yet running anything of its own: whatever comes earlier is
/// printed after a reset only, while a kernel's first words may be read again at any time.
const KERNEL: &str = "kernel";

impl Plan {
    /// How many of the first stages begin a boot by themselves.
    pub fn beginnings(&self) -> usize {
        self.rank(KERNEL).unwrap_or(1).max(1)
    }

    /// The place of a stage among the others.
    pub fn rank(&self, name: &str) -> Option<usize> {
        self.stages.iter().position(|stage| stage.name == name)
    }
}

/// What most boards print.
impl Default for Plan {
    fn default() -> Plan {
        let stage = |name: &str, patterns: &[&str]| Stage {
            name: name.to_owned(),
            patterns: patterns.iter().map(|pattern| (*pattern).to_owned()).collect(),
        };
        Plan {
            stages: vec![
                stage(
                    "rom",
                    &[
                        "^U-Boot (SPL|TPL) [0-9]",
                        "^NOTICE:  BL(1|2|31): v[0-9]",
                        "^DDR V[0-9]|DDR [0-9.]+ lpddr",
                        "^RPi: BOOTLOADER|^RPi: BOOTSYS",
                        "^[A-Za-z ]*BIOS \\(",
                        "^UEFI firmware \\(version ",
                        "^OpenSBI v[0-9]",
                    ],
                ),
                stage("u-boot", &["^U-Boot [0-9]{4}\\.[0-9]{2}", "^barebox [0-9]{4}\\.[0-9]{2}"]),
                stage("grub", &["Welcome to GRUB!", "^ +GNU GRUB  version "]),
                stage("kernel", &["Linux version [0-9]", "^Starting kernel \\.\\.\\."]),
                stage(
                    "init",
                    &[
                        "systemd\\[1\\]: |^\\[  OK  \\] ",
                        "^INIT: version [0-9]",
                        "OpenRC [0-9.]+ is starting up",
                        "Run /[a-z/]+ as init process",
                        "^Starting (syslogd|udev|mdev)",
                    ],
                ),
                stage("login", &["^[A-Za-z0-9._-]+ login: ", "^login: "]),
            ],
            panic: vec!["Kernel panic - not syncing".to_owned(), "^U-Boot panic".to_owned()],
        }
    }
}
