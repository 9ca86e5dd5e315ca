//! What a reload changes, in sentences.

use std::collections::BTreeMap;

use protocol::board::BoardName;

use super::{BoardConfig, Config};

/// Something that is different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The board that it is about, if it is about one.
    pub board: Option<BoardName>,
    /// What, as a sentence.
    pub sentence: String,
}

impl Config {
    /// What is different in `new`: one sentence for each setting, class and board. Nothing, if the
    /// two say the same.
    pub fn changes(&self, new: &Config) -> Vec<Change> {
        let mut sentences = self.settings_changed(new);
        let classes = (self.classes.iter().collect(), new.classes.iter().collect());
        let classes = compared("class ", classes, |old, new| parts(&[("attributes", old != new)]));
        sentences.extend(classes.into_iter().map(|(_, sentence)| sentence));
        let of_lab = sentences.into_iter().map(|sentence| Change { board: None, sentence });
        let boards = (by_name(&self.boards), by_name(&new.boards));
        let boards = compared("", boards, |old, new| old.parts_changed(new));
        let of_board =
            |(board, sentence): (&BoardName, _)| Change { board: Some(board.clone()), sentence };
        of_lab.chain(boards.into_iter().map(of_board)).collect()
    }

    fn settings_changed(&self, new: &Config) -> Vec<String> {
        let listen = |config: &Config| config.tls.as_ref().map(|tls| tls.listen.clone());
        let shown = |config: &Config| config.tls.clone().map(|tls| (tls.name, tls.site));
        let is_as_open = listen(self).is_some() == listen(new).is_some();
        let settings = [
            ("the setup script", self.setup != new.setup),
            ("access", self.access != new.access),
            ("who vouches for people", self.login != new.login),
            ("the ssh door, from the next start on,", self.ssh != new.ssh),
            ("the tls door, from the next start on,", listen(self) != listen(new)),
            ("what the tls door shows of the lab", is_as_open && shown(self) != shown(new)),
            ("who is never barred, from the next start on,", self.exempt != new.exempt),
            ("the warning before a hold's end", self.warning != new.warning),
            ("how power is switched", self.power != new.power),
            ("how much history is kept", self.history != new.history),
        ];
        let changed = settings.iter().filter(|(_, changed)| *changed);
        changed.map(|(setting, _)| format!("{setting} has changed")).collect()
    }
}

impl BoardConfig {
    fn parts_changed(&self, new: &BoardConfig) -> Option<String> {
        parts(&[
            ("class", self.class != new.class),
            ("tags", self.tags != new.tags),
            ("groups", self.groups != new.groups),
            ("description", self.description != new.description),
            ("macs", self.macs != new.macs),
            ("default hold", self.default_hold != new.default_hold),
            ("longest hold", self.longest_hold != new.longest_hold),
            ("power on release", self.on_release != new.on_release),
            ("attributes", self.attributes != new.attributes),
            ("outlet", self.outlet != new.outlet),
            ("console", self.console != new.console),
            ("pace", self.manner.pace != new.manner.pace),
            ("breaks", self.manner.breaks != new.manner.breaks),
            ("lines", self.manner.lines != new.manner.lines),
            ("pen timeout", self.manner.patience != new.manner.patience),
            ("boot", self.boot != new.boot),
            ("triggers", self.triggers != new.triggers),
            ("ports for other clients", self.serve != new.serve),
        ])
    }
}

/// The parts that have changed, if any.
fn parts(parts: &[(&str, bool)]) -> Option<String> {
    let changed: Vec<&str> =
        parts.iter().filter(|(_, changed)| *changed).map(|(part, _)| *part).collect();
    if changed.is_empty() { None } else { Some(changed.join(", ")) }
}

fn by_name(boards: &[BoardConfig]) -> BTreeMap<&BoardName, &BoardConfig> {
    boards.iter().map(|board| (&board.name, board)).collect()
}

/// Sentences on what is gone, what is new, and what has changed according to `changed`, each with the
/// name that it is about.
fn compared<'n, N: Ord + std::fmt::Display, T>(
    kind: &str,
    (old, new): (BTreeMap<&'n N, &T>, BTreeMap<&'n N, &T>),
    changed: impl Fn(&T, &T) -> Option<String>,
) -> Vec<(&'n N, String)> {
    let gone = old.keys().filter(|name| !new.contains_key(*name));
    let mut sentences: Vec<_> = gone.map(|name| (*name, format!("{kind}{name} is gone"))).collect();
    for (name, new) in &new {
        let sentence = match old.get(name) {
            None => Some(format!("{kind}{name} is new")),
            Some(old) => changed(old, new).map(|parts| format!("{kind}{name}: changed {parts}")),
        };
        sentences.extend(sentence.map(|sentence| (*name, sentence)));
    }
    sentences
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        Config::parse(text, "<test>").unwrap()
    }

    #[test]
    fn a_reload_tells_what_waits_for_the_next_start() {
        let told = |old: &str, new: &str| -> Vec<String> {
            let changes = config(old).changes(&config(new));
            changes.into_iter().map(|change| change.sentence).collect()
        };
        let door = "tls { listen = \"127.0.0.1:1\"; name = lab }";
        let later = "the tls door, from the next start on, has changed";
        assert_eq!(told("boards []", &format!("{door}; boards []")), [later]);
        assert_eq!(told(door, &door.replace(":1", ":2")), [later]);
        let shown = "what the tls door shows of the lab has changed";
        assert_eq!(told(door, &door.replace("= lab", "= den")), [shown]);
        let later = "who is never barred, from the next start on, has changed";
        assert_eq!(told("boards []", "doorstep { exempt = \"10.0.0.0/8\" }"), [later]);
        let door = "ssh { listen = \"127.0.0.1:1\" }";
        let later = "the ssh door, from the next start on, has changed";
        assert_eq!(told(door, &door.replace(":1", ":2")), [later]);
    }

    #[test]
    fn a_reload_tells_what_it_changes() {
        let old = config(
            "holds { warning = 5min }
             classes { a { arch = x }, b { } }
             boards [ { name = one, class = a }, { name = two, class = a } ]",
        );
        let new = config(
            "holds { warning = 1min }
             classes { a { arch = y }, c { } }
             boards [ { name = two, class = c, tags = [poe], groups = kernel, mac = 02:00:00:00:00:01 },
                      { name = three, class = a } ]",
        );
        let told = |changes: Vec<Change>| {
            changes.into_iter().map(|change| change.sentence).collect::<Vec<_>>()
        };
        assert_eq!(
            told(old.changes(&new)),
            [
                "the warning before a hold's end has changed",
                "class b is gone",
                "class a: changed attributes",
                "class c is new",
                "one is gone",
                "three is new",
                "two: changed class, tags, groups, macs",
            ]
        );
        assert_eq!(told(new.changes(&new)), [""; 0]);
    }
}
