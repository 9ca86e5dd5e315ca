//! What is looked for on consoles: the stages of boots, and triggers.

use protocol::board::BoardName;
use protocol::web::Url;

use super::executable;
use super::reader::{Setting, Table};
use super::secret::{Secret, SecretFile};
use super::settings::Lasting;
use super::ucl::{Node, Value};
use crate::rules::boot::{Plan, Stage};
use crate::rules::limit::Limit;
use crate::rules::pattern;
use crate::rules::trigger::{Deed, Trigger};

/// A regular expression.
struct Pattern(String);

impl Setting for Pattern {
    const WANTED: &'static str = "a regular expression, such as \"^U-Boot [0-9]\"";

    fn read(value: &Value) -> Result<Pattern, Option<String>> {
        let text = String::read(value)?;
        match pattern::check(&text) {
            Ok(()) => Ok(Pattern(text)),
            Err(why) => Err(Some(format!("'{}' cannot be looked for: {why}", text.escape_debug()))),
        }
    }
}

/// `boot { stages { u-boot = "^U-Boot [0-9]"; login = "login: " }; panic = "Kernel panic" }`
#[derive(Debug, Clone, Default)]
pub(super) struct Booting {
    stages: Option<Vec<Stage>>,
    panic: Option<Vec<String>>,
}

impl Booting {
    pub(super) fn read(table: &mut Table<'_>) -> Booting {
        let Some(value) = table.value("boot") else { return Booting::default() };
        table.within(value, |table| {
            let is_there = table.value("stages").is_some();
            let stages = table.sections("stages").into_iter().filter_map(|(name, value)| {
                if let Err(bad) = name.text.parse::<BoardName>() {
                    table.fault_at(&name.at, format!("a stage: {bad}"));
                }
                Some(Stage { name: name.text.clone(), patterns: table.patterns(value)? })
            });
            let stages: Vec<Stage> = stages.collect();
            let panic: Option<Vec<Pattern>> = table.optional("panic");
            let panic = panic.map(|all| all.into_iter().map(|Pattern(text)| text).collect());
            Booting { stages: is_there.then_some(stages), panic }
        })
    }

    /// What is said here, and else what is said of the class, and else what is usual.
    pub(super) fn plan(&self, class: &Booting) -> Plan {
        let Plan { stages, panic } = Plan::default();
        Plan {
            stages: self.stages.as_ref().or(class.stages.as_ref()).cloned().unwrap_or(stages),
            panic: self.panic.as_ref().or(class.panic.as_ref()).cloned().unwrap_or(panic),
        }
    }
}

impl Table<'_> {
    fn patterns(&self, value: &Value) -> Option<Vec<String>> {
        match Vec::<Pattern>::read(value) {
            Ok(patterns) => Some(patterns.into_iter().map(|Pattern(text)| text).collect()),
            Err(why) => {
                let why = why.unwrap_or_else(|| format!("write {}", Pattern::WANTED));
                self.fault_at(&value.at, why);
                None
            }
        }
    }
}

/// `triggers { stop-autoboot { match = "Hit any key to stop autoboot"; send = " " } }`
pub(super) fn triggers(table: &mut Table<'_>) -> Vec<Trigger> {
    let mut triggers: Vec<Trigger> = Vec::new();
    for (name, value) in table.sections("triggers") {
        if let Err(bad) = name.text.parse::<BoardName>() {
            table.fault_at(&name.at, format!("a trigger: {bad}"));
        }
        if triggers.iter().any(|trigger| trigger.name == name.text) {
            let name_twice = name.text.escape_debug();
            table.fault_at(&name.at, format!("trigger '{name_twice}' is there twice"));
        }
        triggers.extend(table.within(value, |table| trigger(&name.text, table)));
    }
    triggers
}

/// Those said here, and those said around it that have other names.
pub(super) fn besides(own: Vec<Trigger>, around: &[Trigger]) -> Vec<Trigger> {
    let is_other = |trigger: &&Trigger| own.iter().all(|other| other.name != trigger.name);
    let others: Vec<Trigger> = around.iter().filter(is_other).cloned().collect();
    others.into_iter().chain(own).collect()
}

fn trigger(name: &str, table: &mut Table<'_>) -> Option<Trigger> {
    let pattern = table.required("match");
    let send = table.optional("send").map(|Keys(keys)| Deed::Send(keys));
    let post = post(table);
    let run = run(table).map(Deed::Run);
    let power = table.optional("power").map(|Off| Deed::PowerOff);
    let release = table.or("release", false).then_some(Deed::Release);
    let times = table.or("times", Times(Trigger::USUAL.times));
    let Lasting(every) = table.or("every", Lasting(Trigger::USUAL.every));
    let (Pattern(pattern), Times(times)) = (pattern?, times);
    let deeds = [send, power, release, post, run].into_iter().flatten().collect();
    Some(Trigger { name: name.to_owned(), pattern, deeds, limit: Limit { times, every } })
}

fn post(table: &mut Table<'_>) -> Option<Deed> {
    let open = table.optional("post").map(|Address(url)| Deed::Post(url));
    let Some(secret) = table.optional::<SecretFile>("post_file") else { return open };
    if table.value("post").is_some() {
        table.fault("post_file", "'post' and 'post_file' say where to; write one of them");
    }
    // It may be there, or be another, by the time that there is something to tell.
    match secret.read().map(|address| is_address(&address)) {
        Ok(true) => {}
        Ok(false) => {
            let path = secret.path().display();
            table.warn("post_file", format!("{path}: the first line is no https:// address"));
        }
        Err(why) => table.warn("post_file", why.to_string()),
    }
    Some(Deed::PostSecretly(secret.path().to_owned()))
}

fn is_address(secret: &Secret) -> bool {
    secret.expose().parse::<Url>().is_ok()
}

fn run(table: &mut Table<'_>) -> Option<Vec<String>> {
    let mut words: Vec<String> = table.optional("run")?;
    let Some(first) = words.first_mut() else {
        table.fault("run", "run: write a list of words, the program first");
        return None;
    };
    *first = executable::resolved(std::mem::take(first), table.place_of("run"));
    if let Some(why) = executable::missing(first) {
        table.warn("run", format!("run: {why}"));
    }
    Some(words)
}

/// What is typed.
struct Keys(Vec<u8>);

impl Setting for Keys {
    const WANTED: &'static str = "what to type, up to 1024 bytes, such as \"\\n\"";

    fn read(value: &Value) -> Result<Keys, Option<String>> {
        let text = String::read(value)?;
        if (1..=1024).contains(&text.len()) { Ok(Keys(text.into_bytes())) } else { Err(None) }
    }
}

/// Where something is told.
struct Address(String);

impl Setting for Address {
    const WANTED: &'static str = "an address, such as https://chat.example.org/hook";

    fn read(value: &Value) -> Result<Address, Option<String>> {
        let text = String::read(value)?;
        text.parse::<Url>().map(|url| Address(url.to_string())).map_err(|why| Some(why.to_string()))
    }
}

/// `power = off`
struct Off;

impl Setting for Off {
    const WANTED: &'static str = "off";

    fn read(value: &Value) -> Result<Off, Option<String>> {
        if value.node == Node::Bool(false) { Ok(Off) } else { Err(None) }
    }
}

/// How often, at most.
struct Times(usize);

impl Setting for Times {
    const WANTED: &'static str = "a number from 1 to 1000";

    fn read(value: &Value) -> Result<Times, Option<String>> {
        match u16::read(value) {
            Ok(times) if (1..=1_000).contains(&times) => Ok(Times(times.into())),
            _ => Err(None),
        }
    }
}
