//! What tells the kinds of simulated boards apart: their texts.
//!
//! The texts are ours, in the manner of the programs that they imitate; no vendor's machine ever
//! printed them. In `*.start`, `*.load` and `*.init` a line that begins with `+250 ` comes 250 ms
//! after the one before; in `*.log` the kernel's stamps say when.

use super::Kind;

/// One kind of board.
pub(super) struct Model {
    /// As in the configuration.
    pub(super) name: &'static str,
    pub(super) loader: Loader,
    /// The kernel's messages, from its first to the start of init.
    pub(super) log: &'static str,
    /// What init prints, down to the login prompt.
    pub(super) init: &'static str,
    /// The body of an oops.
    pub(super) oops: &'static str,
    /// What the kernel says now and then.
    pub(super) chatter: &'static [&'static str],
    pub(super) userland: Userland,
}

/// What starts the kernel.
pub(super) enum Loader {
    UBoot(UBoot),
    /// Firmware up to GRUB; GRUB is the same everywhere.
    Uefi(&'static str),
}

/// A U-Boot and what comes before it.
pub(super) struct UBoot {
    pub(super) version: &'static str,
    /// Down to the countdown.
    pub(super) start: &'static str,
    /// From the countdown to the kernel.
    pub(super) load: &'static str,
    pub(super) info: &'static str,
    pub(super) environment: &'static [(&'static str, &'static str)],
}

/// What its shell tells about a board.
pub(super) struct Userland {
    pub(super) hostname: &'static str,
    /// `uname -m`
    pub(super) machine: &'static str,
    /// The terminal of the console, without `/dev/`.
    pub(super) tty: &'static str,
    pub(super) release: &'static str,
    pub(super) build: &'static str,
    pub(super) arguments: &'static str,
    pub(super) distribution: &'static str,
    pub(super) issue: &'static str,
    pub(super) cpus: &'static str,
    pub(super) memory_kib: u64,
    pub(super) prompt: &'static str,
    /// Whether root needs a password; any will do.
    pub(super) password: bool,
}

impl Kind {
    /// Its texts.
    pub(super) fn model(self) -> &'static Model {
        match self {
            Kind::UbootArm64 => &ARM64,
            Kind::UbootRiscv64 => &RISCV64,
            Kind::X86Uefi => &X86,
        }
    }
}

static ARM64: Model = Model {
    name: "uboot-arm64",
    loader: Loader::UBoot(UBoot {
        version: "U-Boot 2026.01-lab (Jan 12 2026 - 09:21:44 +0000)\n\naarch64-linux-gnu-gcc (GCC) 15.2.0\nGNU ld (GNU Binutils) 2.45\n",
        start: include_str!("texts/arm64.start"),
        load: include_str!("texts/arm64.load"),
        info: include_str!("texts/arm64.bdinfo"),
        environment: &[
            ("arch", "arm"),
            ("baudrate", "115200"),
            ("board", "sim_arm64"),
            ("boot_targets", "mmc1 mmc0 usb0 pxe dhcp"),
            ("bootcmd", "bootflow scan -lb"),
            ("bootdelay", "3"),
            ("cpu", "armv8"),
            ("fdtfile", "lab/sim-arm64.dtb"),
            ("kernel_addr_r", "0x02080000"),
            ("ramdisk_addr_r", "0x06000000"),
            ("stderr", "serial@fe660000"),
            ("stdin", "serial@fe660000"),
            ("stdout", "serial@fe660000"),
            ("ver", "U-Boot 2026.01-lab (Jan 12 2026 - 09:21:44 +0000)"),
        ],
    }),
    log: include_str!("texts/arm64.log"),
    init: include_str!("texts/arm64.init"),
    oops: include_str!("texts/arm64.oops"),
    chatter: &[
        "sim-gmac fe010000.ethernet eth0: Link is Down",
        "sim-gmac fe010000.ethernet eth0: Link is Up - 1Gbps/Full - flow control rx/tx",
        "mmc1: tuning retry, phase 90, 0 errors",
        "cpufreq: sim-cpu: transition to 408000 kHz took 61 us",
        "sim-thermal fe710000.tsadc: package 51 C, below first trip point",
        "hrtimer: interrupt took 8458 ns",
    ],
    userland: Userland {
        hostname: "sim-arm64",
        machine: "aarch64",
        tty: "ttyS2",
        release: "6.12.9-lab",
        build: "#1 SMP PREEMPT Mon Jan 12 09:40:02 UTC 2026",
        arguments: "root=/dev/mmcblk1p2 rw rootwait console=ttyS2,115200n8 earlycon",
        distribution: "NAME=\"Lab Linux\"\nVERSION=\"2026.02\"\nID=lablinux\nVERSION_ID=2026.02\nPRETTY_NAME=\"Lab Linux 2026.02 (simulated)\"\n",
        issue: "\nWelcome to Lab Linux\n",
        cpus: include_str!("texts/arm64.cpuinfo"),
        memory_kib: 1_991_372,
        prompt: "# ",
        password: false,
    },
};

static RISCV64: Model = Model {
    name: "uboot-riscv64",
    loader: Loader::UBoot(UBoot {
        version: "U-Boot 2026.01-lab (Jan 12 2026 - 11:02:10 +0000)\n\nriscv64-linux-gnu-gcc (GCC) 15.2.0\nGNU ld (GNU Binutils) 2.45\n",
        start: include_str!("texts/riscv64.start"),
        load: include_str!("texts/riscv64.load"),
        info: include_str!("texts/riscv64.bdinfo"),
        environment: &[
            ("arch", "riscv"),
            ("baudrate", "115200"),
            ("board", "sim_riscv64"),
            ("boot_targets", "mmc0 nvme0 dhcp"),
            ("bootcmd", "bootflow scan -lb"),
            ("bootdelay", "3"),
            ("cpu", "generic"),
            ("fdtfile", "lab/sim-riscv64.dtb"),
            ("kernel_addr_r", "0x84000000"),
            ("ramdisk_addr_r", "0x8c300000"),
            ("stderr", "serial@10000000"),
            ("stdin", "serial@10000000"),
            ("stdout", "serial@10000000"),
            ("ver", "U-Boot 2026.01-lab (Jan 12 2026 - 11:02:10 +0000)"),
        ],
    }),
    log: include_str!("texts/riscv64.log"),
    init: include_str!("texts/riscv64.init"),
    oops: include_str!("texts/riscv64.oops"),
    chatter: &[
        "sim-macb 10090000.ethernet end0: Link is Down",
        "sim-macb 10090000.ethernet end0: Link is Up - 1Gbps/Full - flow control off",
        "nvme nvme0: I/O tag 17 timed out, completion polled",
        "sim-pmic 0-0030: rail vdd_core settled at 900 mV",
        "workqueue: vmstat_shepherd hogged CPU for >10000us 4 times, consider switching to WQ_UNBOUND",
    ],
    userland: Userland {
        hostname: "sim-riscv64",
        machine: "riscv64",
        tty: "ttyS0",
        release: "6.12.9-lab",
        build: "#1 SMP Mon Jan 12 11:31:55 UTC 2026",
        arguments: "root=/dev/mmcblk0p3 ro rootwait console=ttyS0,115200 earlycon",
        distribution: "NAME=\"Lab Linux\"\nVERSION=\"2026.02\"\nID=lablinux\nVERSION_ID=2026.02\nPRETTY_NAME=\"Lab Linux 2026.02 (simulated)\"\n",
        issue: "\nWelcome to Lab Linux\n",
        cpus: include_str!("texts/riscv64.cpuinfo"),
        memory_kib: 8_108_448,
        prompt: "# ",
        password: false,
    },
};

static X86: Model = Model {
    name: "x86-uefi",
    loader: Loader::Uefi(include_str!("texts/x86.start")),
    log: include_str!("texts/x86.log"),
    init: include_str!("texts/x86.init"),
    oops: include_str!("texts/x86.oops"),
    chatter: &[
        "simnet 0000:02:00.0 eno1: NIC Link is Down",
        "simnet 0000:02:00.0 eno1: NIC Link is Up 1000 Mbps Full Duplex, Flow Control: RX/TX",
        "perf: interrupt took too long (2504 > 2500), lowering kernel.perf_event_max_sample_rate to 79750",
        "mce: [Hardware Error]: Machine check events logged",
        "EDAC MC0: 1 CE memory read error on CPU_SrcID#0_Channel#1_DIMM#0 (page:0x{hex} offset:0x40)",
        "ata1.00: exception Emask 0x0 SAct 0x0 SErr 0x40000 action 0x0",
    ],
    userland: Userland {
        hostname: "sim-x86",
        machine: "x86_64",
        tty: "ttyS0",
        release: "6.12.9-lab-amd64",
        build: "#1 SMP PREEMPT_DYNAMIC Mon Jan 12 08:12:40 UTC 2026",
        arguments: "BOOT_IMAGE=/vmlinuz root=UUID=5b1c0ffe-1ab0-4a11-8f00-51a0b0a4d001 ro console=ttyS0,115200",
        distribution: "PRETTY_NAME=\"Lab Server Linux 7 (simulated)\"\nNAME=\"Lab Server Linux\"\nVERSION_ID=\"7\"\nVERSION=\"7 (simulated)\"\nID=labserver\n",
        issue: "\nLab Server Linux 7 sim-x86 ttyS0\n",
        cpus: include_str!("texts/x86.cpuinfo"),
        memory_kib: 16_302_984,
        prompt: "root@sim-x86:~# ",
        password: true,
    },
};
