//! Configurations, each beside what it must come to: `valid/*.conf` beside what is read from it,
//! `invalid/*.conf` and `warned/*.conf` beside what `labd check` prints. `UPDATE=1` writes the second
//! from the first.

use std::fmt::{Display, Write};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use labd::config::{
    BoardConfig, Config, History, Manner, OnRelease, Pace, PowerSettings, Tls, check,
};
use labd::rules::boot::{Plan as Booting, Stage};
use labd::rules::trigger::Trigger;
use proptest::prelude::*;

#[test]
fn valid_configurations_are_read() {
    for conf in configurations("config/valid") {
        let config = Config::load(&conf);
        let config = config.unwrap_or_else(|faults| panic!("{}: {faults:#?}", conf.display()));
        assert_eq!(config.changes(&config), []);
        expect(&conf, &summary(&config));
    }
}

#[test]
fn the_example_is_without_faults() {
    let config = Config::load(Path::new("../contrib/labd.conf"));
    assert_eq!(config.unwrap_or_else(|faults| panic!("{faults:#?}")).boards.len(), 3);
}

#[test]
fn invalid_configurations_tell_every_fault() {
    for conf in configurations("config/invalid") {
        let (fine, printed) = checked(&conf);
        assert!(!fine, "{} has no faults", conf.display());
        expect(&conf, &printed);
    }
}

#[test]
fn what_this_machine_lacks_is_a_warning_and_no_fault() {
    for conf in configurations("config/warned") {
        let (fine, printed) = checked(&conf);
        assert!(fine, "{}: {printed}", conf.display());
        expect(&conf, &printed);
        let warnings = Config::load(&conf).expect("it has no faults").warnings;
        assert_eq!(warnings.len(), printed.matches(": warning: ").count(), "labd logs the same");
    }
}

#[test]
fn a_secret_address_that_is_none_is_a_warning_that_does_not_show_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (conf, hook) = (folder.path().join("labd.conf"), folder.path().join("chat.hook"));
    let text = "triggers { oops { match = Oops; post_file = chat.hook } }";
    fs::write(&conf, text).expect("it is written");
    let warned = |address| {
        fs::write(&hook, address).expect("it is written");
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o640)).expect("it is ours");
        let config = Config::load(&conf).expect("it has no faults");
        config.warnings.iter().map(ToString::to_string).collect::<String>()
    };
    assert_eq!(warned("https://chat.example.org/hunter2"), "");
    let (at, file) = (conf.display(), hook.display());
    let why = format!("{at}:1:45: warning: {file}: the first line is no https:// address");
    assert_eq!(warned("http://chat.example.org/hunter2"), why);
}

#[test]
fn a_secret_for_everybody_is_a_warning_that_does_not_show_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (conf, secret) = (folder.path().join("labd.conf"), folder.path().join("pdu.community"));
    let option = "{ cls = snmppower; host = pdu; port = 1; community_file = pdu.community }";
    let text = format!(
        "classes {{ a {{ }} }} boards [ {{ name = b; class = a; options = [ {option} ] }} ]"
    );
    fs::write(&conf, text).expect("it is written");
    fs::write(&secret, "hunter2").expect("it is written");
    let warned = |mode| {
        fs::set_permissions(&secret, fs::Permissions::from_mode(mode)).expect("it is ours");
        let config = Config::load(&conf).expect("it has no faults");
        config.warnings.iter().map(ToString::to_string).collect::<String>()
    };
    assert_eq!(warned(0o640), "");
    let (at, file) = (conf.display(), secret.display());
    assert_eq!(
        warned(0o644),
        format!(
            "{at}:1:121: warning: community_file {file}: everybody on this machine may use this secret; run: chmod 640 {file}"
        )
    );
}

/// Whether `labd check` finds no fault, and what it prints, without the folder.
fn checked(conf: &Path) -> (bool, String) {
    let mut printed = Vec::new();
    let fine = check(conf, &mut printed).expect("a Vec takes everything");
    let folder = format!("{}/", conf.parent().unwrap_or(Path::new("")).display());
    (fine, String::from_utf8_lossy(&printed).replace(&folder, ""))
}

#[test]
fn bitelabs_example_loads_though_its_setup_script_is_not_here() {
    let (fine, printed) = checked(Path::new("config/valid/bitelab.conf"));
    assert!(fine);
    assert_eq!(
        printed,
        "bitelab.conf:1:16: warning: setup_script: /ztank/prog/board_script does not exist; \
         install it there, or write where it is; until then every reserve fails
    1 | setup_script = /ztank/prog/board_script;
      |                ^
bitelab.conf: 2 boards in 2 classes, no faults, 1 warning\n"
    );
}

#[test]
fn a_file_that_is_not_there_is_a_fault() {
    let faults = Config::load(Path::new("config/none.conf")).expect_err("there is none");
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].message, "config/none.conf does not exist");
}

/// The configurations in a folder: JSON is UCL, too.
fn configurations(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect(folder);
    let paths = entries.map(|entry| entry.expect(folder).path());
    let mut found: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|kind| kind == "conf" || kind == "json"))
        .collect();
    found.sort();
    found
}

#[track_caller]
fn expect(conf: &Path, found: &str) {
    let beside = conf.with_extension("txt");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&beside, found).expect("the expectation is written");
    }
    let expected = fs::read_to_string(&beside).unwrap_or_default();
    assert!(found == expected, "{}:\n{found}\nis wanted to be\n{expected}", conf.display());
}

/// What is read, without what nobody said.
fn summary(config: &Config) -> String {
    let nothing = Config::parse("", "<nothing>").expect("nothing is a configuration");
    let mut out = String::new();
    if let Some(setup) = &config.setup {
        line(&mut out, "setup", format!("{} within {}", setup.script.display(), setup.limit));
    }
    if let Some(Tls { listen, name, site }) = &config.tls {
        let listen: Vec<_> = listen.iter().map(ToString::to_string).collect();
        let site = site.as_ref().map(|site| format!(", {site:?}")).unwrap_or_default();
        line(&mut out, "tls", format!("{} as {name}{site}", listen.join(" ")));
    }
    if let Some(access) = &config.access {
        line(&mut out, "access", "by name");
        let roles = [("admin", &access.admin), ("user", &access.user), ("viewer", &access.viewer)];
        for (what, who) in roles {
            who.iter().for_each(|who| line(&mut out, what, format!("{who:?}")));
        }
    }
    for provider in &config.login {
        line(&mut out, "login", format!("{} by {}", provider.name, provider.issuer()));
    }
    if let Some(ssh) = &config.ssh {
        line(&mut out, "ssh", format!("{:?}, host key {:?}", ssh.listen, ssh.host_key));
    }
    if !config.metrics.is_empty() {
        line(&mut out, "metrics", format!("{:?}", config.metrics));
    }
    if !config.exempt.is_empty() {
        let exempt: Vec<_> = config.exempt.iter().map(ToString::to_string).collect();
        line(&mut out, "exempt", exempt.join(" "));
    }
    if config.warning != nothing.warning {
        line(&mut out, "warning", config.warning);
    }
    if config.power != nothing.power {
        let PowerSettings { dwell, limit, sweep } = &config.power;
        line(&mut out, "power", format!("dwell {dwell}, limit {limit}, sweep {sweep}"));
    }
    if config.history != nothing.history {
        let History { size, age, events } = &config.history;
        let events = events.map_or("for ever".to_owned(), |span| span.to_string());
        line(&mut out, "history", format!("{size} bytes, {age}; events {events}"));
    }
    for (name, attributes) in &config.classes {
        line(&mut out, "class", format!("{name} {}", json(attributes)));
    }
    config.boards.iter().for_each(|board| board_summary(&mut out, board));
    out
}

fn board_summary(out: &mut String, board: &BoardConfig) {
    line(out, "board", format!("{} of {}", board.name, board.class));
    line(out, "  hold", format!("{}, at most {}", board.default_hold, board.longest_hold));
    board.tags.iter().for_each(|tag| line(out, "  tag", tag));
    board.groups.iter().for_each(|group| line(out, "  group", group));
    board.macs.iter().for_each(|mac| line(out, "  mac", mac));
    board.description.iter().for_each(|text| line(out, "  description", format!("{text:?}")));
    if board.on_release != OnRelease::Leave {
        line(out, "  release", format!("{:?}", board.on_release));
    }
    let Manner { pace, patience, breaks, lines } = &board.manner;
    if *pace != Pace::UNLIMITED {
        line(out, "  pace", format!("{} bytes every {}", pace.bytes, pace.every));
    }
    let usual = Manner::usual(*pace);
    if *patience != usual.patience {
        line(out, "  pen timeout", patience);
    }
    for (what, sequences, usual) in
        [("  breaks", breaks, &usual.breaks), ("  lines", lines, &usual.lines)]
    {
        if sequences != usual {
            let texts: Vec<_> =
                sequences.iter().map(|(name, text)| format!("{name} is {text}")).collect();
            line(out, what, texts.join(", "));
        }
    }
    if board.boot != Booting::default() {
        for Stage { name, patterns } in &board.boot.stages {
            line(out, "  stage", format!("{name} {patterns:?}"));
        }
        line(out, "  panic", format!("{:?}", board.boot.panic));
    }
    for Trigger { name, pattern, deeds, limit } in &board.triggers {
        let often = format!("{} times in {}", limit.times, limit.every);
        line(out, "  trigger", format!("{name} {pattern:?} {deeds:?}, {often}"));
    }
    if let Some(outlet) = &board.outlet {
        line(out, "  outlet", unnumbered(outlet));
    }
    if let Some(console) = &board.console {
        line(out, "  console", unnumbered(console));
    }
    if !board.attributes.is_empty() {
        line(out, "  attributes", json(&board.attributes));
    }
}

/// Simulated boards are numbered as they come.
fn unnumbered(device: &impl Display) -> String {
    let text = device.to_string();
    text.split_once(" #").map_or(text.clone(), |(kind, _)| kind.to_owned())
}

fn line(out: &mut String, what: &str, how: impl Display) {
    writeln!(out, "{what}: {how}").expect("a String takes everything");
}

fn json(attributes: &impl serde::Serialize) -> String {
    serde_json::to_string(attributes).expect("JSON takes every attribute")
}

/// Every configuration here, right or wrong.
fn all_texts() -> Vec<String> {
    let paths = [configurations("config/valid"), configurations("config/invalid")].concat();
    paths
        .iter()
        .map(|path| String::from_utf8_lossy(&fs::read(path).expect("it is there")).into())
        .collect()
}

/// Reading ends soon, and without a panic, whatever the text.
fn ends(text: &str) {
    let began = Instant::now();
    if let Err(faults) = Config::parse(text, "<test>") {
        assert!(!faults.is_empty());
        for fault in &faults {
            let line = text.split('\n').nth(fault.at.line as usize - 1);
            let here = fault.at.file.ends_with("<test>");
            assert!(!here || line.is_some(), "{fault} is outside of the text");
        }
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn noise_is_refused_in_words(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        ends(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn noise_of_signs_is_refused_in_words(
        signs in prop::collection::vec(
            prop::sample::select(vec![
                "{", "}", "[", "]", "(", ")", "=", ":", ";", ",", "\n", " ", "\"", "'", "\\", "\\u12",
                "#", "/*", "*/", "//", "<<EOD\n", "EOD\n", "$CURDIR", "${", ".include", ".priority",
                ".inherit", "boards", "classes", "name", "cls", "a", "é", "1", "2h", "5m", "-", "\0",
            ]),
            0..300,
        ),
    ) {
        ends(&signs.concat());
    }

    #[test]
    fn mutated_configurations_end(
        which in any::<prop::sample::Index>(),
        edits in prop::collection::vec(
            (any::<prop::sample::Index>(), any::<prop::sample::Index>(), "[ -~\n]{0,4}"),
            1..6,
        ),
    ) {
        let texts = all_texts();
        let mut chars: Vec<char> = which.get(&texts).chars().collect();
        for (from, to, put) in edits {
            let from = from.index(chars.len() + 1);
            let to = from + to.index(8).min(chars.len() - from);
            chars.splice(from..to, put.chars());
        }
        ends(&chars.into_iter().collect::<String>());
    }
}
