//! Reading a settings file: every fault is found at once, each at its place.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Fault, Settings};
use crate::keys::{Escape, Group, Key, KeyMap, escape, name};
use crate::theme;

/// What can be set.
pub(super) const SETTINGS: [&str; 6] = ["theme", "escape", "mouse", "motion", "read-only", "keys"];

/// Takes a text into the settings; says what is wrong with it.
pub(super) fn read(text: &str, settings: &mut Settings) -> Vec<Fault> {
    let mut reader = Reader { text, faults: Vec::new(), bound: Vec::new() };
    match DeTable::parse(text) {
        Ok(table) => reader.settings(table.get_ref(), settings),
        Err(why) => {
            let place = why.span().unwrap_or_default();
            reader.fault(place, why.message());
        }
    }
    reader.faults
}

struct Reader<'t> {
    text: &'t str,
    faults: Vec<Fault>,
    /// The actions that were given keys, and where.
    bound: Vec<(String, Range<usize>)>,
}

type Value<'i> = Spanned<DeValue<'i>>;

impl Reader<'_> {
    fn fault(&mut self, place: Range<usize>, what: impl Into<String>) {
        self.faults.push(Fault::at(self.text, place, what));
    }

    fn unknown<'a>(
        &mut self,
        place: Range<usize>,
        what: &str,
        written: &str,
        all: impl IntoIterator<Item = &'a str>,
    ) {
        let fault = Fault::at(self.text, place, format!("there is no {what} '{written}'"));
        self.faults.push(fault.meant(written, all));
    }

    fn settings(&mut self, table: &DeTable, settings: &mut Settings) {
        // Its keys are in the map before others are put in their place.
        if let Some(value) = table.get("escape") {
            self.escape(value, &mut settings.keys);
        }
        for (name, value) in table {
            match name.get_ref().as_ref() {
                "escape" => {}
                "theme" => self.theme(value, &mut settings.theme),
                "mouse" => self.flag(value, &mut settings.mouse),
                "motion" => self.flag(value, &mut settings.motion),
                "read-only" => self.flag(value, &mut settings.read_only),
                "keys" => self.keys(value, &mut settings.keys),
                other => self.unknown(name.span(), "setting", other, SETTINGS),
            }
        }
    }

    fn flag(&mut self, value: &Value, flag: &mut bool) {
        match value.get_ref().as_bool() {
            Some(said) => *flag = said,
            None => self.fault(value.span(), "say true or false"),
        }
    }

    fn escape(&mut self, value: &Value, keys: &mut KeyMap) {
        let Some(text) = value.get_ref().as_str() else {
            return self.fault(value.span(), "give a preset's name, or a key such as \"Ctrl-g\"");
        };
        let key = || text.parse::<Key>().ok().map(Escape::key);
        match Escape::preset(text).or_else(key) {
            Some(escape) => keys.set_escape(escape),
            None => self.unknown(value.span(), "escape", text, escape::PRESETS),
        }
    }

    fn theme(&mut self, value: &Value, theme: &mut theme::Choice) {
        match value.get_ref() {
            DeValue::String(name) => theme.name = self.base(value.span(), name),
            DeValue::Table(table) => self.looks(table, theme),
            _ => self.fault(value.span(), "give a theme's name, or a table of looks"),
        }
    }

    fn base(&mut self, place: Range<usize>, name: &str) -> Option<&'static str> {
        let found = theme::NAMES.into_iter().find(|known| *known == name);
        if found.is_none() {
            self.unknown(place, "theme", name, theme::NAMES);
        }
        found
    }

    fn looks(&mut self, table: &DeTable, choice: &mut theme::Choice) {
        for (name, value) in table {
            let role = theme::ROLES.into_iter().find(|role| role == name.get_ref());
            match (name.get_ref().as_ref(), role, value.get_ref().as_str()) {
                (_, _, None) => self.fault(value.span(), "write it in quotes: \"bold red\""),
                ("base", _, Some(base)) => choice.name = self.base(value.span(), base),
                (_, Some(role), Some(words)) => match theme::style(words) {
                    Ok(style) => choice.changes.push((role, style)),
                    Err(bad) => {
                        let fault = Fault::at(self.text, value.span(), bad.to_string());
                        self.faults.push(fault.meant(&bad.0, theme::words()));
                    }
                },
                (other, None, Some(_)) => {
                    self.unknown(
                        name.span(),
                        "look",
                        other,
                        theme::ROLES.into_iter().chain(["base"]),
                    );
                }
            }
        }
    }

    fn keys(&mut self, value: &Value, keys: &mut KeyMap) {
        let before = self.faults.len();
        for (name, value) in self.table(value) {
            let group = Group::ALL.into_iter().find(|group| group.name() == name.get_ref());
            match group {
                Some(group) => self.group(value, group, keys),
                None => {
                    let all = Group::ALL.map(Group::name);
                    self.unknown(name.span(), "group of keys", name.get_ref(), all);
                }
            }
        }
        if let (Err(clash), true) = (keys.check(), before == self.faults.len()) {
            let of_clash =
                |(name, _): &&(String, _)| [clash.one, clash.other].contains(&name.as_str());
            let place = self.bound.iter().rfind(of_clash).map(|(_, place)| place.clone());
            self.fault(place.unwrap_or(value.span()), clash.to_string());
        }
    }

    fn group(&mut self, value: &Value, group: Group, keys: &mut KeyMap) {
        for (name, value) in self.table(value) {
            let chosen = self.chosen(value);
            self.bound.push((name.get_ref().to_string(), value.span()));
            if !keys.bind(group, name.get_ref(), chosen) {
                let all: Vec<&str> = keys.group(group).map(|binding| binding.name).collect();
                let what = format!("action in keys.{}", group.name());
                self.unknown(name.span(), &what, name.get_ref(), all);
            }
        }
    }

    fn table<'v, 'i>(
        &mut self,
        value: &'v Value<'i>,
    ) -> Vec<(&'v Spanned<std::borrow::Cow<'i, str>>, &'v Value<'i>)> {
        match value.get_ref().as_table() {
            Some(table) => table.iter().collect(),
            None => {
                self.fault(value.span(), "this is a table: [keys.boards], then power = \"p\"");
                Vec::new()
            }
        }
    }

    /// One key or several; none takes the binding away.
    fn chosen(&mut self, value: &Value) -> Vec<Key> {
        match value.get_ref() {
            DeValue::String(_) => self.key(value).into_iter().collect(),
            DeValue::Array(all) => all.iter().filter_map(|value| self.key(value)).collect(),
            _ => {
                self.fault(value.span(), "give a key in quotes, or several: [\"p\", \"F5\"]");
                Vec::new()
            }
        }
    }

    fn key(&mut self, value: &Value) -> Option<Key> {
        let Some(text) = value.get_ref().as_str() else {
            self.fault(value.span(), "write keys in quotes");
            return None;
        };
        let key = text.parse().ok();
        if key.is_none() {
            self.unknown(value.span(), "key", text, name::NAMES.map(|(name, _)| name));
        }
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{Action, Context};
    use crate::theme::Background;

    /// What is wrong with a text, one line each.
    fn wrong(text: &str) -> String {
        let faults = Settings::read(text).expect_err(text);
        faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_file_changes_what_it_says_and_nothing_else() {
        let text = "escape = 'screen'\nmouse = true\ntheme = { base = 'mono', bad = 'red' }\n\
                    [keys.boards]\npower = ['p', 'F5']\nundo = []\n";
        let settings = Settings::read(text).unwrap();
        let usual = Settings::default();
        assert!(settings.mouse && settings.motion && !settings.read_only);
        let action = |key: &str| settings.keys.action(Context::Table, key.parse().unwrap());
        assert_eq!((action("F5"), action("p")), (Some(Action::Power), Some(Action::Power)));
        assert_eq!((action("u"), action("c")), (None, Some(Action::Console)));
        assert_eq!(settings.keys.typed(Group::Console, Action::Detach), "^A d");
        let (mut ours, mut mono) = (settings.theme.theme(Background::Dark), usual.theme);
        mono.name = Some("mono");
        assert_eq!(ours.role("bad").copied(), theme::style("red").ok());
        assert_eq!(ours.good, mono.theme(Background::Dark).good);
        assert_eq!(Settings::read(""), Ok(Settings::default()));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_what_may_be_meant() {
        for (text, expected) in [
            ("mouse = 3", "line 1, column 9: say true or false"),
            (
                "moose = true",
                "line 1, column 1: there is no setting 'moose'; did you mean 'mouse'?",
            ),
            (
                "\n\ntheme = 'drak'",
                "line 3, column 9: there is no theme 'drak'; did you mean 'dark'?",
            ),
            ("escape = 'shs'", "line 1, column 10: there is no escape 'shs'; did you mean 'ssh'?"),
            (
                "[keys.bords]",
                "line 1, column 7: there is no group of keys 'bords'; did you mean 'boards'?",
            ),
            (
                "[keys.boards]\npwer = 'p'",
                "line 2, column 1: there is no action in keys.boards 'pwer'; did you mean 'power'?",
            ),
            (
                "[keys.boards]\npower = ['p', 'Entre']",
                "line 2, column 15: there is no key 'Entre'; did you mean 'Enter'?",
            ),
            (
                "[theme]\nbad = 'bold rde'",
                "line 2, column 7: 'rde' is no colour; did you mean 'red'?",
            ),
            (
                "[theme]\nbda = 'red'",
                "line 2, column 1: there is no look 'bda'; did you mean 'bad'?",
            ),
            (
                "[keys.boards]\npower = 'c'",
                "line 2, column 9: c would mean both 'power' and 'console'",
            ),
        ] {
            assert_eq!(wrong(text), expected);
        }
        assert!(wrong("mouse = ").starts_with("line 1, column 9: "), "{}", wrong("mouse = "));
        assert_eq!(wrong("mouse = 3\nescape = 4\n").lines().count(), 2, "all at once");
    }
}
