//! Boards, with what they take over from their class.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use protocol::board::BoardName;
use protocol::neighbour::is_loopback;
use protocol::user::BadName;
use serde_json::Value as Json;

use super::class::{Class, Conduct};
use super::crosscheck::crosscheck;
use super::fault::Faults;
use super::options::{Controllers, Options};
use super::orders::besides;
use super::reader::{Setting, Table, nearest};
use super::settings::{Holds, section};
use super::ucl::{Place, Value};
use super::{BoardConfig, Manner, Pace, Serve};
use crate::console::Device;
use crate::rules::trigger::Trigger;

/// A board, and where its parts stand.
pub(super) struct Draft {
    pub(super) board: BoardConfig,
    pub(super) places: Places,
}

/// Where the parts of a board stand; the board itself, for one it has not.
pub(super) struct Places {
    pub(super) name: Place,
    pub(super) mac: Place,
    pub(super) outlet: Place,
    pub(super) console: Place,
    pub(super) serve: Place,
}

/// Reads every board. One without a name is a fault, and left out.
pub(super) fn read(
    top: &mut Table<'_>,
    around: Around<'_>,
    controllers: &Controllers<'_>,
    faults: &Faults,
) -> Vec<BoardConfig> {
    let lab = Lab { around, controllers, faults };
    let drafts: Vec<Draft> =
        top.list("boards").into_iter().filter_map(|value| lab.board(value)).collect();
    crosscheck(&drafts, faults);
    drafts.into_iter().map(|draft| draft.board).collect()
}

/// What holds where a board says nothing.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) classes: &'a BTreeMap<String, Class>,
    pub(super) holds: &'a Holds,
    pub(super) triggers: &'a [Trigger],
}

/// What is known of a board or a class.
type Attributes = BTreeMap<String, Json>;

/// What boards are read with.
struct Lab<'a> {
    around: Around<'a>,
    controllers: &'a Controllers<'a>,
    faults: &'a Faults,
}

impl Lab<'_> {
    fn board(&self, value: &Value) -> Option<Draft> {
        let mut table = Table::new(value, self.faults);
        let name = table.required("name");
        let class = self.class(&mut table);
        let nothing = Conduct::default();
        let common = self.around.classes.get(&class).map_or(&nothing, |class| &class.conduct);
        let around = common.holds(self.around.holds);
        let own = Conduct::read(&mut table, &around, self.faults);
        let holds = own.holds(&around);
        let macs: Vec<Mac> = table.or("mac", Vec::new());
        let description = table.optional("description");
        let ip = table.optional("ip").map(|ip: IpAddr| ("ip", ip.to_string().into()));
        let ssh_port = table.optional("ssh_port").map(|port: u16| ("ssh_port", port.into()));
        let mut options = Options::read(&mut table, self.controllers, self.faults);
        let ports: Option<Vec<Port>> = table.optional("ports");
        let ports = ports.map(|ports| ports.into_iter().map(|Port(port)| port).collect());
        let ports = ports.map(|ports| ("ports", Json::Array(ports)));
        let reached = ip.into_iter().chain(ssh_port).chain(ports);
        options.attributes.extend(reached.map(|(name, at): (&str, Json)| (name.to_owned(), at)));
        let class_attributes = self.around.classes.get(&class).map(|class| &class.attributes);
        if is_whole_machine(&options.attributes, class_attributes) {
            table.warn(
                "ip",
                "ip: with ports = any, its holder reaches whatever this machine has on its loopback; \
                 write the ports that are the board's",
            );
        }
        let pace = options.console.as_ref().map_or(Pace::UNLIMITED, Device::pace);
        let manner = Conduct::manner(&own, common, Manner::usual(pace));
        let places = Places {
            name: table.place_of("name").clone(),
            mac: table.place_of("mac").clone(),
            outlet: options.outlet_at,
            console: options.console_at,
            serve: table.place_of("serve").clone(),
        };
        let serve = Serve::read(&mut table, options.console.is_some(), self.faults);
        table.finish();
        let board = BoardConfig {
            name: name?,
            class,
            tags: union(&common.tags, own.tags),
            groups: own.groups.or(common.groups.clone()).unwrap_or_default(),
            description,
            macs: macs.into_iter().map(|Mac(mac)| mac).collect(),
            default_hold: holds.default,
            longest_hold: holds.longest,
            on_release: own.on_release.or(common.on_release).unwrap_or_default(),
            attributes: options.attributes,
            outlet: options.outlet,
            console: options.console,
            manner,
            boot: own.boot.plan(&common.boot),
            triggers: besides(
                own.triggers,
                &besides(common.triggers.clone(), self.around.triggers),
            ),
            serve,
        };
        Some(Draft { board, places })
    }

    /// `brdclass`, as bitelab calls it, or `class`.
    fn class(&self, table: &mut Table<'_>) -> String {
        let both = ["class", "brdclass"].map(|key| table.value(key).is_some());
        let key = if both[1] { "brdclass" } else { "class" };
        if both == [true, true] {
            table.fault("class", "'class' and 'brdclass' mean the same; write one of them");
        }
        let Some(class) = table.required::<String>(key) else { return String::new() };
        if !self.around.classes.contains_key(&class) {
            let name = class.escape_debug();
            let help = match nearest(&class, self.around.classes.keys().map(String::as_str)) {
                Some(near) => format!("did you mean '{near}'?"),
                None => format!("write classes {{ {name} {{ }} }}"),
            };
            table.fault(key, format!("there is no class '{name}'; {help}"));
        }
        class
    }
}

/// Whether all ports of this machine's own loopback are a board's.
fn is_whole_machine(own: &Attributes, of_class: Option<&Attributes>) -> bool {
    let known = |key: &str| own.get(key).or_else(|| of_class?.get(key)).and_then(Json::as_str);
    let has_any = |ports: &Json| match ports {
        Json::Array(ports) => ports.iter().any(|port| port == "any"),
        port => port == "any",
    };
    let ports = own.get("ports").or_else(|| of_class?.get("ports"));
    let ip = known("ip").and_then(|ip| ip.parse().ok());
    ip.is_some_and(is_loopback) && ports.is_some_and(has_any)
}

impl Serve {
    fn read(board: &mut Table<'_>, has_console: bool, faults: &Faults) -> Serve {
        if board.value("serve").is_some() && !has_console {
            board
                .fault("serve", "serve: this board has no console; give it one, or leave this out");
        }
        section(board, "serve", faults, |table| Serve {
            rfc2217: table.optional("rfc2217").map(|Here(address)| address),
            raw: table.optional("raw").map(|Here(address)| address),
        })
    }
}

/// Where only programs of this machine come.
struct Here(SocketAddr);

impl Setting for Here {
    const WANTED: &'static str =
        "an address of this machine alone and a port, such as 127.0.0.1:7001";

    fn read(value: &Value) -> Result<Here, Option<String>> {
        match SocketAddr::read(value)? {
            address if address.port() == 0 => Err(None),
            address if is_loopback(address.ip()) => Ok(Here(address)),
            address => Err(Some(format!(
                "{address} is open to others, and what is typed there would be too; write 127.0.0.1, and from elsewhere use 'labctl serial'"
            ))),
        }
    }
}

/// The tags of a class and those of a board, each once.
fn union(common: &[String], own: Vec<String>) -> Vec<String> {
    let mut tags = common.to_vec();
    for tag in own {
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags
}

impl Setting for BoardName {
    const WANTED: &'static str = "a name, such as rpi4-1";

    fn read(value: &Value) -> Result<BoardName, Option<String>> {
        String::read(value)?.parse().map_err(|bad: BadName| Some(bad.to_string()))
    }
}

impl Setting for IpAddr {
    const WANTED: &'static str = "an address, such as 192.0.2.7 or 2001:db8::7";

    fn read(value: &Value) -> Result<IpAddr, Option<String>> {
        String::read(value)?.parse().map_err(|_| None)
    }
}

/// The address of one network card: lower case, with colons.
struct Mac(String);

/// A port of a board that is open to its holder.
struct Port(Json);

impl Setting for Port {
    const WANTED: &'static str = "a port from 1 to 65535, or any";

    fn read(value: &Value) -> Result<Port, Option<String>> {
        match (u16::read(value), String::read(value)) {
            (Ok(port), _) if port > 0 => Ok(Port(port.into())),
            (_, Ok(text)) if text == "any" => Ok(Port(text.into())),
            _ => Err(None),
        }
    }
}

impl Setting for Mac {
    const WANTED: &'static str = "the address of a network card, such as dc:a6:32:01:02:03";

    /// Colons, dashes, dots or nothing may stand between the digits.
    fn read(value: &Value) -> Result<Mac, Option<String>> {
        let text = String::read(value)?.to_ascii_lowercase();
        let digits: String = text.chars().filter(|c| !":-.".contains(*c)).collect();
        if digits.len() != 12 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(None);
        }
        let pairs: Vec<&str> = (0..6).map(|at| &digits[2 * at..2 * at + 2]).collect();
        // The lowest bit of the first byte says that it is not one card's.
        if pairs[0].ends_with(|c| "13579bdf".contains(c)) {
            return Err(Some(format!("'{text}' is the address of a group, not of a card")));
        }
        Ok(Mac(pairs.join(":")))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;

    #[test]
    fn a_board_that_is_this_whole_machine_is_warned_of() {
        for (class, board, wanted) in [
            ("", "ip = \"127.0.0.1\"; ports = any", true),
            ("", "ip = \"127.0.0.1\"; ports = [80, any]", true),
            ("ip = \"127.0.0.1\"; ports = any", "", true),
            ("", "ip = \"127.0.0.1\"; ports = [80]", false),
            ("", "ip = \"127.0.0.1\"; ssh_port = 2222", false),
            ("", "ip = \"192.0.2.7\"; ports = any", false),
        ] {
            let text = format!(
                "classes {{ vm {{ {class} }} }}\nboards [ {{ name = vm1; class = vm; {board} }} ]"
            );
            let config = Config::parse(&text, "labd.conf").expect("no fault");
            let is_warned = config.warnings.iter().any(|it| it.message.contains("ports = any"));
            assert_eq!(is_warned, wanted, "{text}: {:?}", config.warnings);
        }
    }
}
