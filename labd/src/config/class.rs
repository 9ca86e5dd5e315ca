//! Classes, and the settings that a class makes for its boards.

use std::collections::BTreeMap;

use protocol::Span;
use protocol::board::BoardName;
use protocol::user::is_group;
use serde_json::Value as Json;

use super::fault::Faults;
use super::orders::{self, Booting};
use super::reader::{Setting, Table};
use super::sequence::{self, Sequence};
use super::settings::{Holds, Lasting, section, spans};
use super::ucl::{Node, Place, Value};
use super::{Manner, OnRelease, Pace};
use crate::rules::trigger::Trigger;
use crate::setting_words;

/// `rpi4 { tags = [arm64, poe]; on_release = off; arch = arm64-aarch64 }`
pub(super) struct Class {
    /// What is not known here: `arch`, …
    pub(super) attributes: BTreeMap<String, Json>,
    pub(super) conduct: Conduct,
}

/// What may be said of a class, and better of one of its boards.
#[derive(Default)]
pub(super) struct Conduct {
    pub(super) tags: Vec<String>,
    pub(super) groups: Option<Vec<String>>,
    pub(super) default_hold: Option<Span>,
    pub(super) longest_hold: Option<Span>,
    pub(super) on_release: Option<OnRelease>,
    pub(super) pace: Option<Pace>,
    pub(super) boot: Booting,
    pub(super) triggers: Vec<Trigger>,
    pub(super) patience: Option<Span>,
    pub(super) breaks: Option<BTreeMap<String, Sequence>>,
    pub(super) lines: Option<BTreeMap<String, Sequence>>,
}

impl Conduct {
    /// Reads what is said. `around` says how long holds are where nothing is said.
    pub(super) fn read(table: &mut Table<'_>, around: &Holds, faults: &Faults) -> Conduct {
        let (default_hold, longest_hold) = spans(table, "default_hold", "longest_hold", around);
        Conduct {
            tags: table.or("tags", Vec::new()).into_iter().map(|Tag(tag)| tag).collect(),
            groups: table
                .optional("groups")
                .map(|groups: Vec<Group>| groups.into_iter().map(|Group(group)| group).collect()),
            default_hold,
            longest_hold,
            on_release: table.optional("on_release"),
            pace: Pace::read(table, faults),
            patience: table.optional("pen_timeout").map(|Lasting(span)| span),
            breaks: sequence::read(table, "breaks", faults),
            lines: sequence::read(table, "lines", faults),
            boot: Booting::read(table),
            triggers: orders::triggers(table),
        }
    }

    /// How a console is typed on: as one of these says, the first before the second, or else as usual.
    pub(super) fn manner(own: &Conduct, common: &Conduct, usual: Manner) -> Manner {
        Manner {
            pace: own.pace.or(common.pace).unwrap_or(usual.pace),
            patience: own.patience.or(common.patience).unwrap_or(usual.patience),
            breaks: own.breaks.as_ref().or(common.breaks.as_ref()).unwrap_or(&usual.breaks).clone(),
            lines: own.lines.as_ref().or(common.lines.as_ref()).unwrap_or(&usual.lines).clone(),
        }
    }

    /// How long holds are where nothing more is said.
    pub(super) fn holds(&self, around: &Holds) -> Holds {
        let longest = self.longest_hold.unwrap_or(around.longest);
        let default = self.default_hold.unwrap_or(around.default.min(longest));
        Holds { default, longest, warning: around.warning }
    }
}

/// Reads every class. A board's class is looked up in the result.
pub(super) fn read(top: &mut Table<'_>, holds: &Holds, faults: &Faults) -> BTreeMap<String, Class> {
    let mut classes = BTreeMap::new();
    let mut places = BTreeMap::<&str, &Place>::new();
    for (name, value) in top.sections("classes") {
        if let Err(bad) = name.text.parse::<BoardName>() {
            faults.add(&name.at, bad.to_string());
        }
        if let Some(first) = places.insert(&name.text, &name.at) {
            let (class, lines) = (name.text.escape_debug(), first.and(&name.at));
            faults.add(&name.at, format!("class '{class}' is there twice ({lines})"));
        }
        let mut table = Table::new(value, faults);
        let conduct = Conduct::read(&mut table, holds, faults);
        let attributes = table.rest();
        classes.insert(name.text.clone(), Class { attributes, conduct });
    }
    classes
}

/// A word that tag expressions can name.
struct Tag(String);

impl Setting for Tag {
    const WANTED: &'static str = "a tag: letters, digits, '.', '_', '-', '+', ':' or '/'";

    fn read(value: &Value) -> Result<Tag, Option<String>> {
        let text = String::read(value)?;
        let fits = |c: char| c.is_ascii_alphanumeric() || "._-+:/".contains(c);
        let operator = ["and", "or", "not"].contains(&text.as_str());
        if !text.is_empty() && text.chars().all(fits) && !operator {
            Ok(Tag(text))
        } else {
            Err(None)
        }
    }
}

/// A group of users.
struct Group(String);

impl Setting for Group {
    const WANTED: &'static str = "the name of a group, such as kernel";

    fn read(value: &Value) -> Result<Group, Option<String>> {
        let text = String::read(value)?;
        if is_group(&text) { Ok(Group(text)) } else { Err(None) }
    }
}

setting_words!(OnRelease, "leave, off or cycle", {
    "leave" => OnRelease::Leave,
    "off" => OnRelease::Off,
    "cycle" => OnRelease::Cycle,
});

impl Pace {
    /// `pace { … }`, or `pace = off`.
    fn read(table: &mut Table<'_>, faults: &Faults) -> Option<Pace> {
        if table.value("pace")?.node == Node::Bool(false) {
            return Some(Pace::UNLIMITED);
        }
        section(table, "pace", faults, |table| {
            let (bytes, every) = (table.required("bytes"), table.required("every"));
            let (Chunk(bytes), Lasting(every)) = (bytes?, every?);
            Some(Pace { bytes, every })
        })
    }
}

/// So many bytes at once.
struct Chunk(usize);

impl Setting for Chunk {
    const WANTED: &'static str = "a number of bytes from 1 to 65535";

    fn read(value: &Value) -> Result<Chunk, Option<String>> {
        match u16::read(value) {
            Ok(bytes) if bytes > 0 => Ok(Chunk(bytes.into())),
            _ => Err(None),
        }
    }
}
