use super::profile::Number::{self, Gauge32, Integer};
use super::*;
use crate::config::ucl::Node;
use crate::power::trial::{self, text};

fn read(settings: &[(&str, Node)]) -> Result<SnmpPower, Vec<String>> {
    trial::read(SnmpPower::read, settings)
}

/// An outlet of a device of some kind; every number that its profile needs is another.
fn outlet(profile: &str) -> SnmpPower {
    let settings = [("host", text("pdu")), ("profile", text(profile)), ("port", Node::Int(7))];
    let more = ["group", "unit", "tower", "infeed", "branch", "switch"];
    let more = more.iter().zip(2..).map(|(key, number)| (*key, Node::Int(number)));
    // Those that the profile does not have are faults, which is not what is tried here.
    let known = more
        .filter(|more| read(&[settings.as_slice(), std::slice::from_ref(more)].concat()).is_ok());
    read(&settings.iter().cloned().chain(known).collect::<Vec<_>>()).unwrap()
}

fn dotted(name: &[u64]) -> String {
    name.iter().map(ToString::to_string).collect::<Vec<_>>().join(".")
}

/// A profile; where and what it writes for on, and for off; and what it asks.
type Written = (&'static str, &'static str, Number, &'static str, Number, &'static [&'static str]);

/// As the devices are described; typed by hand, not derived from the table. group is 2, unit 3,
/// tower 4, infeed 5, branch 6, switch 7, port 7.
#[rustfmt::skip]
const DESCRIBED: &[Written] = &[
    ("poe", "1.3.6.1.2.1.105.1.1.1.3.2.7", Integer(1), "1.3.6.1.2.1.105.1.1.1.3.2.7", Integer(2),
        &["1.3.6.1.2.1.105.1.1.1.3.2.7", "1.3.6.1.2.1.105.1.1.1.6.2.7"]),
    ("poe-cisco", "1.3.6.1.4.1.9.9.402.1.2.1.1.2.7", Integer(1), "1.3.6.1.4.1.9.9.402.1.2.1.1.2.7", Integer(4),
        &["1.3.6.1.4.1.9.9.402.1.2.1.1.2.7", "1.3.6.1.2.1.105.1.1.1.6.2.7"]),
    ("poe-netgear-managed", "1.3.6.1.4.1.4526.10.15.1.1.1.1.2.7", Gauge32(15400), "1.3.6.1.4.1.4526.10.15.1.1.1.1.2.7", Gauge32(3000),
        &["1.3.6.1.4.1.4526.10.15.1.1.1.1.2.7", "1.3.6.1.2.1.105.1.1.1.6.2.7"]),
    ("poe-netgear-smart", "1.3.6.1.4.1.4526.11.15.1.1.1.1.2.7", Gauge32(15400), "1.3.6.1.4.1.4526.11.15.1.1.1.1.2.7", Gauge32(3000),
        &["1.3.6.1.4.1.4526.11.15.1.1.1.1.2.7", "1.3.6.1.2.1.105.1.1.1.6.2.7"]),
    ("apc-spdu", "1.3.6.1.4.1.318.1.1.4.4.2.1.3.7", Integer(1), "1.3.6.1.4.1.318.1.1.4.4.2.1.3.7", Integer(2),
        &["1.3.6.1.4.1.318.1.1.4.4.2.1.3.7"]),
    ("apc-masterswitch-plus", "1.3.6.1.4.1.318.1.1.6.5.1.1.5.7.1.7", Integer(1), "1.3.6.1.4.1.318.1.1.6.5.1.1.5.7.1.7", Integer(3),
        &["1.3.6.1.4.1.318.1.1.6.7.1.1.5.7.1.7"]),
    ("apc-rpdu", "1.3.6.1.4.1.318.1.1.12.3.3.1.1.4.7", Integer(1), "1.3.6.1.4.1.318.1.1.12.3.3.1.1.4.7", Integer(2),
        &["1.3.6.1.4.1.318.1.1.12.3.5.1.1.4.7"]),
    ("apc-rpdu2", "1.3.6.1.4.1.318.1.1.26.9.2.4.1.5.7", Integer(1), "1.3.6.1.4.1.318.1.1.26.9.2.4.1.5.7", Integer(2),
        &["1.3.6.1.4.1.318.1.1.26.9.2.3.1.5.7"]),
    ("eaton-marlin", "1.3.6.1.4.1.534.6.6.7.6.6.1.4.3.7", Integer(0), "1.3.6.1.4.1.534.6.6.7.6.6.1.3.3.7", Integer(0),
        &["1.3.6.1.4.1.534.6.6.7.6.6.1.2.3.7"]),
    ("eaton-managed", "1.3.6.1.4.1.534.6.6.6.1.2.2.1.3.7", Integer(1), "1.3.6.1.4.1.534.6.6.6.1.2.2.1.3.7", Integer(0),
        &["1.3.6.1.4.1.534.6.6.6.1.2.2.1.3.7"]),
    ("eaton-pulizzi", "1.3.6.1.4.1.20677.2.6.2.7.0", Integer(1), "1.3.6.1.4.1.20677.2.6.2.7.0", Integer(2),
        &["1.3.6.1.4.1.20677.2.6.3.7.0"]),
    ("eaton-nlogic", "1.3.6.1.4.1.534.7.1.5.2.1.10.1.7", Integer(2), "1.3.6.1.4.1.534.7.1.5.2.1.10.1.7", Integer(1),
        &["1.3.6.1.4.1.534.7.1.5.2.1.1.1.7"]),
    ("raritan-px2", "1.3.6.1.4.1.13742.6.4.1.2.1.2.1.7", Integer(1), "1.3.6.1.4.1.13742.6.4.1.2.1.2.1.7", Integer(0),
        &["1.3.6.1.4.1.13742.6.4.1.2.1.3.1.7"]),
    ("raritan-px1", "1.3.6.1.4.1.13742.1.2.2.1.3.7", Integer(1), "1.3.6.1.4.1.13742.1.2.2.1.3.7", Integer(0),
        &["1.3.6.1.4.1.13742.1.2.2.1.3.7"]),
    ("sentry3", "1.3.6.1.4.1.1718.3.2.3.1.11.4.5.7", Integer(1), "1.3.6.1.4.1.1718.3.2.3.1.11.4.5.7", Integer(2),
        &["1.3.6.1.4.1.1718.3.2.3.1.5.4.5.7"]),
    ("sentry4", "1.3.6.1.4.1.1718.4.1.8.5.1.2.3.5.7", Integer(1), "1.3.6.1.4.1.1718.4.1.8.5.1.2.3.5.7", Integer(2),
        &["1.3.6.1.4.1.1718.4.1.8.5.1.1.3.5.7"]),
    ("geist", "1.3.6.1.4.1.21239.5.2.3.5.1.6.7", Integer(2), "1.3.6.1.4.1.21239.5.2.3.5.1.6.7", Integer(4),
        &["1.3.6.1.4.1.21239.5.2.3.5.1.4.7"]),
    ("emerson-mph", "1.3.6.1.4.1.476.1.42.3.8.50.20.1.100.3.6.7", Integer(1), "1.3.6.1.4.1.476.1.42.3.8.50.20.1.100.3.6.7", Integer(0),
        &["1.3.6.1.4.1.476.1.42.3.8.50.20.1.95.3.6.7"]),
    ("avocent-pm", "1.3.6.1.4.1.10418.17.2.5.5.1.6.1.3.7", Integer(2), "1.3.6.1.4.1.10418.17.2.5.5.1.6.1.3.7", Integer(3),
        &["1.3.6.1.4.1.10418.17.2.5.5.1.5.1.3.7"]),
    ("hpe-pdu2", "1.3.6.1.4.1.232.165.7.5.2.1.3.3.7", Integer(0), "1.3.6.1.4.1.232.165.7.5.2.1.2.3.7", Integer(0),
        &["1.3.6.1.4.1.232.165.7.5.2.1.1.3.7"]),
    ("hpe-pdu3", "1.3.6.1.4.1.232.165.11.5.2.1.3.1.7", Integer(0), "1.3.6.1.4.1.232.165.11.5.2.1.2.1.7", Integer(0),
        &["1.3.6.1.4.1.232.165.11.5.2.1.1.1.7"]),
    ("cyberpower", "1.3.6.1.4.1.3808.1.1.3.3.3.1.1.4.7", Integer(1), "1.3.6.1.4.1.3808.1.1.3.3.3.1.1.4.7", Integer(2),
        &["1.3.6.1.4.1.3808.1.1.3.3.5.1.1.4.7"]),
    ("aten", "1.3.6.1.4.1.21317.1.3.2.2.2.2.7.0", Integer(2), "1.3.6.1.4.1.21317.1.3.2.2.2.2.7.0", Integer(1),
        &["1.3.6.1.4.1.21317.1.3.2.2.2.2.7.0"]),
    ("teltronix", "1.3.6.1.4.1.23620.1.2.2.1.4.7", Integer(2), "1.3.6.1.4.1.23620.1.2.2.1.4.7", Integer(1),
        &["1.3.6.1.4.1.23620.1.2.2.1.4.7"]),
    ("baytech", "1.3.6.1.4.1.4779.1.3.5.3.1.3.3.7", Integer(1), "1.3.6.1.4.1.4779.1.3.5.3.1.3.3.7", Integer(0),
        &["1.3.6.1.4.1.4779.1.3.5.3.1.3.3.7"]),
    ("tripplite", "1.3.6.1.4.1.850.10.2.3.5.1.4.1.7", Integer(2), "1.3.6.1.4.1.850.10.2.3.5.1.4.1.7", Integer(1),
        &["1.3.6.1.4.1.850.10.2.3.5.1.2.1.7"]),
    ("tripplite-lx", "1.3.6.1.4.1.850.1.1.3.2.3.3.1.1.6.1.7", Integer(2), "1.3.6.1.4.1.850.1.1.3.2.3.3.1.1.6.1.7", Integer(1),
        &["1.3.6.1.4.1.850.1.1.3.2.3.3.1.1.4.1.7"]),
    ("ip9258", "1.3.6.1.4.1.92.58.2.7.0", Integer(1), "1.3.6.1.4.1.92.58.2.7.0", Integer(0),
        &["1.3.6.1.4.1.92.58.2.7.0"]),
];

#[test]
fn every_profile_writes_and_asks_what_its_device_is_said_to_take() {
    for (profile, on, on_value, off, off_value, asked) in DESCRIBED {
        let outlet = outlet(profile);
        let order = |on| {
            let (name, value) = outlet.profile.order(on, &outlet.index);
            (dotted(&name), value)
        };
        assert_eq!(order(true), (on.to_string(), *on_value), "{profile} on");
        assert_eq!(order(false), (off.to_string(), *off_value), "{profile} off");
        let questions = outlet.profile.questions(&outlet.index);
        assert_eq!(questions.iter().map(|name| dotted(name)).collect::<Vec<_>>(), *asked);
    }
    let described = DESCRIBED.iter().map(|(profile, ..)| *profile);
    assert!(described.eq(PROFILES.iter().map(|profile| profile.name)), "one is not described");
}

/// A profile, and what answers mean on, off, and neither.
type Answered = (&'static str, &'static [i64], &'static [i64], &'static [i64]);

/// As the devices are described.
#[rustfmt::skip]
const ANSWERS: &[Answered] = &[
    ("apc-spdu", &[1], &[2], &[]),
    ("apc-masterswitch-plus", &[1], &[2], &[]),
    ("apc-rpdu", &[1], &[2], &[]),
    ("apc-rpdu2", &[2], &[1], &[]),
    ("eaton-marlin", &[1], &[0], &[2, 3]),
    ("eaton-managed", &[1], &[0], &[]),
    ("eaton-pulizzi", &[1], &[2], &[]),
    ("eaton-nlogic", &[2], &[1], &[]),
    ("raritan-px2", &[7], &[8], &[]),
    ("raritan-px1", &[1], &[0], &[]),
    ("sentry3", &[1], &[0], &[2, 3]),
    ("sentry4", &[11, 3, 15], &[10, 2, 14], &[8, 9]),
    ("geist", &[1], &[2], &[3, 4, 5, 6, 7]),
    ("emerson-mph", &[2], &[1], &[]),
    ("avocent-pm", &[2], &[1], &[]),
    ("hpe-pdu2", &[2], &[1], &[3, 4]),
    ("hpe-pdu3", &[2], &[1], &[3, 4]),
    ("cyberpower", &[1], &[2], &[]),
    ("aten", &[2], &[1], &[3]),
    ("teltronix", &[2], &[1], &[]),
    ("baytech", &[1], &[0], &[]),
    ("tripplite", &[2], &[1], &[]),
    ("tripplite-lx", &[2], &[1], &[]),
    ("ip9258", &[1], &[0], &[]),
];

#[test]
fn every_answer_is_read_as_its_device_is_said_to_mean_it() {
    for (profile, on, off, between) in ANSWERS {
        let outlet = outlet(profile);
        for answer in -1..20 {
            let meant = match answer {
                answer if on.contains(&answer) => Ok(Some(true)),
                answer if off.contains(&answer) => Ok(Some(false)),
                answer if between.contains(&answer) => Ok(None),
                answer => Err(Unclear::Unheard(answer)),
            };
            assert_eq!(outlet.profile.reading(&[answer]), meant, "{profile} answers {answer}");
        }
    }
    let others = PROFILES.iter().filter(|profile| !profile.name.starts_with("poe"));
    assert!(others.map(|profile| profile.name).eq(ANSWERS.iter().map(|(profile, ..)| *profile)));
}

/// A profile is trusted if two or more independent descriptions of its device agree.
#[test]
fn what_rests_on_one_description_is_unproven() {
    let proven = PROFILES.iter().filter(|profile| profile.proof == Proof::Proven);
    assert_eq!(
        proven.map(|profile| profile.name).collect::<Vec<_>>(),
        [
            "poe",
            "poe-cisco",
            "apc-spdu",
            "apc-masterswitch-plus",
            "apc-rpdu",
            "apc-rpdu2",
            "eaton-marlin",
            "eaton-pulizzi",
            "raritan-px2",
            "sentry3",
            "baytech",
        ]
    );
}

/// A port is on when it delivers power, and off when it may not and does not.
#[test]
fn a_poe_port_is_on_when_it_delivers() {
    for (profile, enabled, disabled) in [
        ("poe", 1, 2),
        ("poe-cisco", 1, 4),
        ("poe-cisco", 2, 4),
        ("poe-netgear-smart", 30_000, 3_000),
    ] {
        let reading = |answers: [i64; 2]| outlet(profile).profile.reading(&answers);
        let (searching, delivering, fault, test, other_fault) = (2, 3, 4, 5, 6);
        assert_eq!(reading([enabled, delivering]), Ok(Some(true)));
        assert_eq!(reading([enabled, searching]), Ok(None));
        assert_eq!(reading([enabled, test]), Ok(None));
        assert_eq!(reading([enabled, 1]), Ok(None));
        assert_eq!(reading([enabled, fault]), Err(Unclear::Fault));
        assert_eq!(reading([enabled, other_fault]), Err(Unclear::Fault));
        assert_eq!(reading([enabled, 9]), Err(Unclear::Unheard(9)));
        assert_eq!(reading([disabled, delivering]), Ok(None));
        for idle in [1, searching, fault, test, other_fault] {
            assert_eq!(reading([disabled, idle]), Ok(Some(false)));
        }
    }
}

#[test]
fn bitelabs_outlet_is_a_port_of_a_poe_switch() {
    let outlet = read(&[("host", text("poe")), ("port", Node::Int(2))]).unwrap();
    assert_eq!(outlet.to_string(), "snmppower poe port 2");
    assert_eq!(outlet.controller(), "snmp poe:161");
    assert_eq!(outlet.caution(), None);
    assert_eq!(dotted(&outlet.profile.order(true, &outlet.index).0), "1.3.6.1.2.1.105.1.1.1.3.1.2");
    assert_eq!(outlet.agent.limit(), std::time::Duration::from_secs(3));
}

/// Chained units are counted from 0 by some makers, and from 1 by others.
#[test]
fn the_first_unit_is_the_default() {
    let first = |profile| {
        let it = [("host", text("h")), ("profile", text(profile)), ("port", Node::Int(9))];
        let it = read(&it).unwrap();
        assert_eq!(it.to_string(), "snmppower h port 9");
        dotted(&it.profile.order(true, &it.index).0)
    };
    assert_eq!(first("baytech"), "1.3.6.1.4.1.4779.1.3.5.3.1.3.1.9");
    assert_eq!(first("eaton-marlin"), "1.3.6.1.4.1.534.6.6.7.6.6.1.4.0.9");
    assert_eq!(first("hpe-pdu2"), "1.3.6.1.4.1.232.165.7.5.2.1.3.0.9");
    assert_eq!(first("sentry3"), "1.3.6.1.4.1.1718.3.2.3.1.11.1.1.9");
}

#[test]
fn what_is_not_as_by_default_is_told() {
    let outlet = read(&[
        ("host", text("pdu")),
        ("udp_port", Node::Int(1161)),
        ("profile", text("sentry4")),
        ("unit", Node::Int(2)),
        ("port", Node::Int(3)),
    ])
    .unwrap();
    assert_eq!(outlet.to_string(), "snmppower pdu:1161 unit 2 port 3");
    assert_eq!(outlet.controller(), "snmp pdu:1161");
    assert!(outlet.caution().is_some_and(|caution| caution.contains("sentry4")));
}

#[test]
fn a_fault_points_at_its_setting() {
    let faults = |settings: &[(&str, Node)]| read(settings).unwrap_err();
    assert_eq!(
        faults(&[("host", text("poe")), ("port", Node::Int(0))]),
        ["conf:2:1: port: 0 is too small; the device counts from 1"]
    );
    assert_eq!(
        faults(&[
            ("host", text("")),
            ("timeout", Node::Seconds(0.0)),
            ("udp_port", Node::Int(0)),
            ("group", Node::Int(0)),
        ]),
        [
            "conf:0:1: 'port' is missing; write port = a whole number from 0 to 4294967295",
            "conf:1:1: host: a name or an address is wanted",
            "conf:2:1: timeout: no time at all is too little",
            "conf:3:1: udp_port: ports are counted from 1",
            "conf:4:1: group: 0 is too small; the device counts from 1",
        ]
    );
    assert_eq!(
        faults(&[("host", text("h")), ("port", Node::Int(1)), ("unit", Node::Int(1))]),
        ["conf:3:1: 'unit' is not known here; known here: host, udp_port, version, user, auth, \
          auth_file, privacy, privacy_file, community_file, timeout, retries, profile, group, port"]
    );
    assert_eq!(
        faults(&[("host", text("h")), ("tower", Node::Int(1)), ("profile", text("sentry5"))]),
        ["conf:3:1: profile: there is no profile 'sentry5'; did you mean 'sentry3'?"]
    );
}

#[test]
fn each_version_has_its_own_settings() {
    let with = |more: &[(&str, Node)]| {
        let outlet = [("host", text("h")), ("port", Node::Int(1))];
        read(&[outlet.as_slice(), more].concat())
    };
    let (user, auth, privacy) =
        (("user", text("lab")), ("auth_file", text("/a")), ("privacy_file", text("/p")));
    let three = ("version", Node::Int(3));
    assert!(with(&[three.clone(), user.clone(), auth.clone(), privacy.clone()]).is_ok());
    assert!(with(&[("version", Node::Int(1)), ("community_file", text("/c"))]).is_ok());
    assert_eq!(
        with(&[user.clone(), ("version", text("2c"))]).unwrap_err(),
        ["conf:3:1: user goes with version = 3"]
    );
    assert_eq!(
        with(&[three.clone(), ("community_file", text("/c")), user.clone(), auth.clone()])
            .unwrap_err(),
        [
            "conf:0:1: 'privacy_file' is missing; write privacy_file = the path of a file",
            "conf:4:1: community_file goes with version = 1 and 2c",
        ]
    );
    let none = ("privacy", text("none"));
    assert!(with(&[three.clone(), user.clone(), auth.clone(), none.clone()]).is_ok());
    assert_eq!(
        with(&[three.clone(), user.clone(), auth.clone(), none, privacy.clone()]).unwrap_err(),
        ["conf:7:1: privacy_file goes with a privacy other than none"]
    );
    let long = [("auth", text("sha1")), ("privacy", text("aes256"))];
    assert_eq!(
        with(&[[three, user, auth, privacy].as_slice(), &long].concat()).unwrap_err(),
        ["conf:8:1: privacy: this cipher needs a longer auth; write auth = sha256"]
    );
}

#[test]
fn a_refusal_tells_what_to_do_next() {
    let why = |fault| outlet("apc-spdu").error(fault).to_string();
    assert_eq!(
        why(Fault::Status(17)),
        "snmppower pdu port 7 refused: community 'public' may not write; set community_file to a \
         file with one that may"
    );
    assert_eq!(
        why(Fault::Nothing),
        "snmppower pdu port 7 refused: it has no outlet 7 that profile 'apc-spdu' knows; compare \
         port and profile"
    );
    assert!(why(Fault::Status(2)).contains("; or community 'public' may not write"));
    assert!(why(Fault::Status(10)).contains("is it the right one?"));
    assert!(why(Fault::Status(5)).contains("error-status 5"));
    assert_eq!(why(Fault::Silent), "snmppower pdu port 7 did not answer within 3s");
}
