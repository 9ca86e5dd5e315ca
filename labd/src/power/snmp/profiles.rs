//! What each kind of switch and PDU calls its outlets.
//!
//! The names are numeric, so no MIB file is needed at run time. What is written and what is read
//! back are kept apart everywhere: on many devices "on" has one number in an order and another in
//! an answer, and on some the two are each other's opposite.

use super::profile::{Dimension, Number, Order, Profile, Proof, Status};

const PORT: Dimension = Dimension { key: "port", first: 1, default: None };
const GROUP: Dimension = counted_from_1("group");
const UNIT: Dimension = counted_from_1("unit");
/// Daisy-chained units where the first, or only one, is 0.
const UNIT_FROM_0: Dimension = Dimension { key: "unit", first: 0, default: Some(0) };
const TOWER: Dimension = counted_from_1("tower");
const INFEED: Dimension = counted_from_1("infeed");
const BRANCH: Dimension = counted_from_1("branch");
const SWITCH: Dimension = counted_from_1("switch");

const fn counted_from_1(key: &'static str) -> Dimension {
    Dimension { key, first: 1, default: Some(1) }
}

const fn integer(template: &'static str, value: i32) -> Order {
    Order { template, value: Number::Integer(value) }
}

const fn gauge(template: &'static str, value: u32) -> Order {
    Order { template, value: Number::Gauge32(value) }
}

const fn outlet(
    template: &'static str,
    on: &'static [i64],
    off: &'static [i64],
    between: &'static [i64],
) -> Status {
    Status::Outlet { template, on, off, between }
}

/// A name under `enterprises`, where the makers are.
macro_rules! e {
    ($rest:literal) => {
        concat!("1.3.6.1.4.1.", $rest)
    };
}

/// Every profile; the first is the default.
pub static PROFILES: &[Profile] = &[
    Profile {
        name: "poe",
        about: "switches with Power over Ethernet (POWER-ETHERNET-MIB, RFC 3621)",
        proof: Proof::Proven,
        index: &[GROUP, PORT],
        on: integer("1.3.6.1.2.1.105.1.1.1.3.{group}.{port}", 1),
        off: integer("1.3.6.1.2.1.105.1.1.1.3.{group}.{port}", 2),
        status: Status::Poe { enabled: "1.3.6.1.2.1.105.1.1.1.3.{group}.{port}", disabled: 2 },
    },
    Profile {
        name: "poe-cisco",
        about: "Cisco Catalyst (CISCO-POWER-ETHERNET-EXT-MIB, which adds to POWER-ETHERNET-MIB)",
        proof: Proof::Proven,
        index: &[GROUP, PORT],
        on: integer(e!("9.9.402.1.2.1.1.{group}.{port}"), 1),
        off: integer(e!("9.9.402.1.2.1.1.{group}.{port}"), 4),
        status: Status::Poe { enabled: e!("9.9.402.1.2.1.1.{group}.{port}"), disabled: 4 },
    },
    // These two have no switch but a limit: 15.4 W is all that 802.3af gives, and 3 W, the least
    // there is, does not start a board. What lives on less is seen as neither on nor off.
    Profile {
        name: "poe-netgear-managed",
        about: "Netgear fully managed (NETGEAR-POWER-ETHERNET-MIB under 4526.10)",
        proof: Proof::Unproven,
        index: &[GROUP, PORT],
        on: gauge(e!("4526.10.15.1.1.1.1.{group}.{port}"), 15_400),
        off: gauge(e!("4526.10.15.1.1.1.1.{group}.{port}"), 3_000),
        status: Status::Poe { enabled: e!("4526.10.15.1.1.1.1.{group}.{port}"), disabled: 3_000 },
    },
    Profile {
        name: "poe-netgear-smart",
        about: "Netgear smart managed (NETGEAR-POWER-ETHERNET-MIB under 4526.11)",
        proof: Proof::Unproven,
        index: &[GROUP, PORT],
        on: gauge(e!("4526.11.15.1.1.1.1.{group}.{port}"), 15_400),
        off: gauge(e!("4526.11.15.1.1.1.1.{group}.{port}"), 3_000),
        status: Status::Poe { enabled: e!("4526.11.15.1.1.1.1.{group}.{port}"), disabled: 3_000 },
    },
    Profile {
        name: "apc-spdu",
        about: "APC MasterSwitch (PowerNet-MIB sPDUOutletCtl)",
        proof: Proof::Proven,
        index: &[PORT],
        on: integer(e!("318.1.1.4.4.2.1.3.{port}"), 1),
        off: integer(e!("318.1.1.4.4.2.1.3.{port}"), 2),
        status: outlet(e!("318.1.1.4.4.2.1.3.{port}"), &[1], &[2], &[]),
    },
    Profile {
        name: "apc-masterswitch-plus",
        about: "APC MasterSwitch Plus (PowerNet-MIB sPDUOutletConfigMSPlus)",
        proof: Proof::Proven,
        index: &[SWITCH, PORT],
        on: integer(e!("318.1.1.6.5.1.1.5.{switch}.1.{port}"), 1),
        off: integer(e!("318.1.1.6.5.1.1.5.{switch}.1.{port}"), 3),
        status: outlet(e!("318.1.1.6.7.1.1.5.{switch}.1.{port}"), &[1], &[2], &[]),
    },
    Profile {
        name: "apc-rpdu",
        about: "APC Rack PDU (PowerNet-MIB rPDUOutletControl)",
        proof: Proof::Proven,
        index: &[PORT],
        on: integer(e!("318.1.1.12.3.3.1.1.4.{port}"), 1),
        off: integer(e!("318.1.1.12.3.3.1.1.4.{port}"), 2),
        status: outlet(e!("318.1.1.12.3.5.1.1.4.{port}"), &[1], &[2], &[]),
    },
    // Ordered 1 and 2, and read back 2 and 1.
    Profile {
        name: "apc-rpdu2",
        about: "APC Rack PDU 2 (PowerNet-MIB rPDU2OutletSwitched)",
        proof: Proof::Proven,
        index: &[PORT],
        on: integer(e!("318.1.1.26.9.2.4.1.5.{port}"), 1),
        off: integer(e!("318.1.1.26.9.2.4.1.5.{port}"), 2),
        status: outlet(e!("318.1.1.26.9.2.3.1.5.{port}"), &[2], &[1], &[]),
    },
    // An order is a delay in seconds; 0 is now.
    Profile {
        name: "eaton-marlin",
        about: "Eaton ePDU G2 and G3 (EATON-EPDU-MIB outletControl)",
        proof: Proof::Proven,
        index: &[UNIT_FROM_0, PORT],
        on: integer(e!("534.6.6.7.6.6.1.4.{unit}.{port}"), 0),
        off: integer(e!("534.6.6.7.6.6.1.3.{unit}.{port}"), 0),
        status: outlet(e!("534.6.6.7.6.6.1.2.{unit}.{port}"), &[1], &[0], &[2, 3]),
    },
    Profile {
        name: "eaton-managed",
        about: "Eaton managed ePDU (EATON-EPDU-MA-MIB)",
        proof: Proof::Unproven,
        index: &[PORT],
        on: integer(e!("534.6.6.6.1.2.2.1.3.{port}"), 1),
        off: integer(e!("534.6.6.6.1.2.2.1.3.{port}"), 0),
        status: outlet(e!("534.6.6.6.1.2.2.1.3.{port}"), &[1], &[0], &[]),
    },
    Profile {
        name: "eaton-pulizzi",
        about: "Eaton Pulizzi monitored and switched ePDU",
        proof: Proof::Proven,
        index: &[PORT],
        on: integer(e!("20677.2.6.2.{port}.0"), 1),
        off: integer(e!("20677.2.6.2.{port}.0"), 2),
        status: outlet(e!("20677.2.6.3.{port}.0"), &[1], &[2], &[]),
    },
    Profile {
        name: "eaton-nlogic",
        about: "Eaton nLogic",
        proof: Proof::Unproven,
        index: &[PORT],
        on: integer(e!("534.7.1.5.2.1.10.1.{port}"), 2),
        off: integer(e!("534.7.1.5.2.1.10.1.{port}"), 1),
        status: outlet(e!("534.7.1.5.2.1.1.1.{port}"), &[2], &[1], &[]),
    },
    // Read back from the outlet's sensor, which has numbers of its own.
    Profile {
        name: "raritan-px2",
        about: "Raritan PX2 and PX3 (PDU2-MIB)",
        proof: Proof::Proven,
        index: &[PORT],
        on: integer(e!("13742.6.4.1.2.1.2.1.{port}"), 1),
        off: integer(e!("13742.6.4.1.2.1.2.1.{port}"), 0),
        status: outlet(e!("13742.6.4.1.2.1.3.1.{port}"), &[7], &[8], &[]),
    },
    Profile {
        name: "raritan-px1",
        about: "Raritan PX (PDU-MIB)",
        proof: Proof::Unproven,
        index: &[PORT],
        on: integer(e!("13742.1.2.2.1.3.{port}"), 1),
        off: integer(e!("13742.1.2.2.1.3.{port}"), 0),
        status: outlet(e!("13742.1.2.2.1.3.{port}"), &[1], &[0], &[]),
    },
    Profile {
        name: "sentry3",
        about: "Server Technology Sentry 3 (Sentry3-MIB outletStatus)",
        proof: Proof::Proven,
        index: &[TOWER, INFEED, PORT],
        on: integer(e!("1718.3.2.3.1.11.{tower}.{infeed}.{port}"), 1),
        off: integer(e!("1718.3.2.3.1.11.{tower}.{infeed}.{port}"), 2),
        status: outlet(e!("1718.3.2.3.1.5.{tower}.{infeed}.{port}"), &[1], &[0], &[2, 3]),
    },
    // 2 and 3 are idle, 14 and 15 are locked: off and on nevertheless.
    Profile {
        name: "sentry4",
        about: "Server Technology Sentry 4 (Sentry4-MIB st4OutletControlState)",
        proof: Proof::Unproven,
        index: &[UNIT, INFEED, PORT],
        on: integer(e!("1718.4.1.8.5.1.2.{unit}.{infeed}.{port}"), 1),
        off: integer(e!("1718.4.1.8.5.1.2.{unit}.{infeed}.{port}"), 2),
        status: outlet(
            e!("1718.4.1.8.5.1.1.{unit}.{infeed}.{port}"),
            &[3, 11, 15],
            &[2, 10, 14],
            &[8, 9],
        ),
    },
    // Read back 3 and 4 are on the way, 5 and 6 a reboot, 7 is "not available".
    Profile {
        name: "geist",
        about: "Vertiv and Geist, firmware 5 (VERTIV-V5-MIB)",
        proof: Proof::Unproven,
        index: &[PORT],
        on: integer(e!("21239.5.2.3.5.1.6.{port}"), 2),
        off: integer(e!("21239.5.2.3.5.1.6.{port}"), 4),
        status: outlet(e!("21239.5.2.3.5.1.4.{port}"), &[1], &[2], &[3, 4, 5, 6, 7]),
    },
    Profile {
        name: "emerson-mph",
        about: "Emerson and Liebert MPH (LIEBERT-GP-PDU-MIB lgpPduRcp)",
        proof: Proof::Unproven,
        index: &[UNIT, BRANCH, PORT],
        on: integer(e!("476.1.42.3.8.50.20.1.100.{unit}.{branch}.{port}"), 1),
        off: integer(e!("476.1.42.3.8.50.20.1.100.{unit}.{branch}.{port}"), 0),
        status: outlet(e!("476.1.42.3.8.50.20.1.95.{unit}.{branch}.{port}"), &[2], &[1], &[]),
    },
    Profile {
        name: "avocent-pm",
        about: "Avocent PM (PM-MIB)",
        proof: Proof::Unproven,
        index: &[UNIT, PORT],
        on: integer(e!("10418.17.2.5.5.1.6.1.{unit}.{port}"), 2),
        off: integer(e!("10418.17.2.5.5.1.6.1.{unit}.{port}"), 3),
        status: outlet(e!("10418.17.2.5.5.1.5.1.{unit}.{port}"), &[2], &[1], &[]),
    },
    // As with Marlin, an order is a delay in seconds. The same holds for the next.
    Profile {
        name: "hpe-pdu2",
        about: "HPE intelligent PDU, second MIB (CPQPOWER-MIB pdu2OutletControl)",
        proof: Proof::Unproven,
        index: &[UNIT_FROM_0, PORT],
        on: integer(e!("232.165.7.5.2.1.3.{unit}.{port}"), 0),
        off: integer(e!("232.165.7.5.2.1.2.{unit}.{port}"), 0),
        status: outlet(e!("232.165.7.5.2.1.1.{unit}.{port}"), &[2], &[1], &[3, 4]),
    },
    Profile {
        name: "hpe-pdu3",
        about: "HPE intelligent PDU, third MIB (CPQPOWER-MIB pdu3OutletControl)",
        proof: Proof::Unproven,
        index: &[PORT],
        on: integer(e!("232.165.11.5.2.1.3.1.{port}"), 0),
        off: integer(e!("232.165.11.5.2.1.2.1.{port}"), 0),
        status: outlet(e!("232.165.11.5.2.1.1.1.{port}"), &[2], &[1], &[3, 4]),
    },
    Profile {
        name: "cyberpower",
        about: "CyberPower ePDU (CPS-MIB ePDUOutletControl)",
        proof: Proof::Unproven,
        index: &[PORT],
        on: integer(e!("3808.1.1.3.3.3.1.1.4.{port}"), 1),
        off: integer(e!("3808.1.1.3.3.3.1.1.4.{port}"), 2),
        status: outlet(e!("3808.1.1.3.3.5.1.1.4.{port}"), &[1], &[2], &[]),
    },
    Profile {
        name: "aten",
        about: "Aten eco PDU (ATEN-PE-CFG)",
        proof: Proof::Unproven,
        index: &[PORT],
        on: integer(e!("21317.1.3.2.2.2.2.{port}.0"), 2),
        off: integer(e!("21317.1.3.2.2.2.2.{port}.0"), 1),
        status: outlet(e!("21317.1.3.2.2.2.2.{port}.0"), &[2], &[1], &[3]),
    },
    Profile {
        name: "teltronix",
        about: "Teltronix",
        proof: Proof::Unproven,
        index: &[PORT],
        on: integer(e!("23620.1.2.2.1.4.{port}"), 2),
        off: integer(e!("23620.1.2.2.1.4.{port}"), 1),
        status: outlet(e!("23620.1.2.2.1.4.{port}"), &[2], &[1], &[]),
    },
    Profile {
        name: "baytech",
        about: "BayTech MRP27 and RPC (BayTech-MIB-503-1)",
        proof: Proof::Proven,
        index: &[UNIT, PORT],
        on: integer(e!("4779.1.3.5.3.1.3.{unit}.{port}"), 1),
        off: integer(e!("4779.1.3.5.3.1.3.{unit}.{port}"), 0),
        status: outlet(e!("4779.1.3.5.3.1.3.{unit}.{port}"), &[1], &[0], &[]),
    },
    Profile {
        name: "tripplite",
        about: "Tripp Lite PDUMH (TRIPPLITE-12X)",
        proof: Proof::Unproven,
        index: &[PORT],
        on: integer(e!("850.10.2.3.5.1.4.1.{port}"), 2),
        off: integer(e!("850.10.2.3.5.1.4.1.{port}"), 1),
        status: outlet(e!("850.10.2.3.5.1.2.1.{port}"), &[2], &[1], &[]),
    },
    Profile {
        name: "tripplite-lx",
        about: "Tripp Lite with LX card (TRIPPLITE-PRODUCTS)",
        proof: Proof::Unproven,
        index: &[PORT],
        on: integer(e!("850.1.1.3.2.3.3.1.1.6.1.{port}"), 2),
        off: integer(e!("850.1.1.3.2.3.3.1.1.6.1.{port}"), 1),
        status: outlet(e!("850.1.1.3.2.3.3.1.1.4.1.{port}"), &[2], &[1], &[]),
    },
    Profile {
        name: "ip9258",
        about: "Aviosys IP Power 9258",
        proof: Proof::Unproven,
        index: &[PORT],
        on: integer(e!("92.58.2.{port}.0"), 1),
        off: integer(e!("92.58.2.{port}.0"), 0),
        status: outlet(e!("92.58.2.{port}.0"), &[1], &[0], &[]),
    },
];
