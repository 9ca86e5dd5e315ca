//! A board's options: `{ cls = snmppower, host = poe, port = 2 }`. Each names a driver, which reads
//! the rest.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;

use super::fault::Faults;
use super::reader::{Table, nearest};
use super::ucl::{Key, Node, Place, Value};
use crate::console::Device;
use crate::console::serial::SerialConsole;
use crate::console::tcp::TcpConsole;
use crate::power::Outlet;
use crate::power::command::Command;
use crate::power::snmp::SnmpPower;
use crate::qemu::Machine;
use crate::sim::Sim;

/// Every `cls` there is.
const KINDS: [&str; 7] =
    ["etheriface", "serialconsole", "tcpconsole", "snmppower", "command", "qemu", "sim"];

/// What a board's options come to.
pub(super) struct Options {
    pub(super) attributes: BTreeMap<String, Json>,
    pub(super) outlet: Option<Outlet>,
    pub(super) outlet_at: Place,
    pub(super) console: Option<Device>,
    pub(super) console_at: Place,
}

impl Options {
    pub(super) fn read(
        board: &mut Table<'_>,
        controllers: &Controllers<'_>,
        faults: &Faults,
    ) -> Options {
        let at = board.place().clone();
        let mut options = Options {
            attributes: BTreeMap::new(),
            outlet: None,
            outlet_at: at.clone(),
            console: None,
            console_at: at,
        };
        for value in board.list("options") {
            options.option(&controllers.complete(value), faults);
        }
        options
    }

    fn option(&mut self, value: &Value, faults: &Faults) {
        let mut table = Table::new(value, faults);
        let Some(kind) = table.required::<String>("cls") else { return table.abandon() };
        let understood = match kind.as_str() {
            "etheriface" => table.required::<String>("val").map(|interface| {
                self.attributes.insert(kind.clone(), interface.into());
            }),
            "serialconsole" => SerialConsole::read(&mut table)
                .map(|console| self.console(Device::Serial(Arc::new(console)), value, faults)),
            "tcpconsole" => TcpConsole::read(&mut table)
                .map(|console| self.console(Device::Tcp(Arc::new(console)), value, faults)),
            "snmppower" => SnmpPower::read(&mut table)
                .map(|outlet| self.outlet(Outlet::Snmp(Arc::new(outlet)), value, faults)),
            "command" => Command::read(&mut table)
                .map(|outlet| self.outlet(Outlet::Command(Arc::new(outlet)), value, faults)),
            "qemu" => Machine::read(&mut table).map(Arc::new).map(|machine| {
                self.outlet(Outlet::Qemu(machine.clone()), value, faults);
                self.console(Device::Qemu(machine), value, faults);
            }),
            "sim" => Sim::read(&mut table).map(Arc::new).map(|sim| {
                self.outlet(Outlet::Sim(sim.clone()), value, faults);
                self.console(Device::Sim(sim), value, faults);
            }),
            unknown => return unknown_kind(&table, unknown),
        };
        match understood {
            Some(()) => table.finish(),
            None => table.abandon(),
        }
    }

    fn outlet(&mut self, outlet: Outlet, value: &Value, faults: &Faults) {
        if let Some(first) = self.outlet.replace(outlet) {
            let lines = self.outlet_at.and(&value.at);
            faults.add(
                &value.at,
                format!("a second outlet besides {first} ({lines}); a board has one"),
            );
        }
        self.outlet_at = value.at.clone();
    }

    fn console(&mut self, console: Device, value: &Value, faults: &Faults) {
        if let Some(first) = self.console.replace(console) {
            let lines = self.console_at.and(&value.at);
            faults.add(
                &value.at,
                format!("a second console besides {first} ({lines}); a board has one"),
            );
        }
        self.console_at = value.at.clone();
    }
}

fn unknown_kind(table: &Table<'_>, kind: &str) {
    let help = match nearest(kind, KINDS) {
        Some(near) => format!("did you mean '{near}'?"),
        None if kind.contains('=') => "is a ';' missing?".to_owned(),
        None => format!("there are {}", KINDS.join(", ")),
    };
    table.fault("cls", format!("'{}' is no kind of option; {help}", kind.escape_debug()));
}

/// `controllers { poe { address = 10.0.0.2; community_file = poe.community } }`: what the options
/// with `host = poe` have in common.
pub(super) struct Controllers<'a>(BTreeMap<&'a str, &'a [(Key, Value)]>);

impl<'a> Controllers<'a> {
    pub(super) fn read(top: &mut Table<'a>) -> Controllers<'a> {
        let mut controllers = Controllers(BTreeMap::new());
        for (name, value) in top.sections("controllers") {
            let twice = controllers.0.contains_key(name.text.as_str());
            match &value.node {
                Node::Object(entries) if !twice => {
                    controllers.0.insert(&name.text, entries);
                }
                _ => top.fault_at(
                    &name.at,
                    format!("controller '{}' wants one section", name.text.escape_debug()),
                ),
            }
        }
        controllers
    }

    /// An option with what its controller says besides. What the option says itself wins; the
    /// controller's `address` stands for the option's `host`.
    fn complete(&self, option: &Value) -> Value {
        let Node::Object(own) = &option.node else { return option.clone() };
        let text = |wanted: &str| {
            own.iter().find(|(key, _)| key.text == wanted).and_then(|(_, value)| value.text())
        };
        let host = text("host").filter(|_| text("cls") == Some("snmppower"));
        let Some(common) = host.and_then(|host| self.0.get(host)) else { return option.clone() };
        let addressed = common.iter().any(|(key, _)| key.text == "address");
        let mut entries: Vec<_> =
            own.iter().filter(|(key, _)| !addressed || key.text != "host").cloned().collect();
        for (key, value) in *common {
            let text = if key.text == "address" { "host" } else { &key.text };
            if !entries.iter().any(|(key, _)| key.text == text) {
                let key = Key { text: text.to_owned(), at: key.at.clone() };
                entries.push((key, value.clone()));
            }
        }
        Value::new(Node::Object(entries), option.at.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::reader::to_json;
    use crate::config::ucl;

    #[test]
    fn a_controller_completes_the_options_that_name_it() {
        let faults = Faults::default();
        let text = "controllers { poe { address = 10.0.0.2; timeout = 1s; port = 9 }, pdu { retries = 3 } }
                    options [
                        { cls = snmppower, host = poe, port = 2 }
                        { cls = snmppower, host = pdu, port = 2 }
                        { cls = snmppower, host = other }
                        { cls = tcpconsole, host = poe }
                    ]";
        let tree = ucl::parse(text, Path::new("t"), &faults);
        let mut top = Table::new(&tree, &faults);
        let controllers = Controllers::read(&mut top);
        let options: Vec<Value> =
            top.list("options").into_iter().map(|option| controllers.complete(option)).collect();
        let read: Vec<Json> = options.iter().map(to_json).collect();
        assert_eq!(
            read,
            [
                serde_json::json!({"cls": "snmppower", "port": 2, "host": "10.0.0.2", "timeout": 1.0}),
                serde_json::json!({"cls": "snmppower", "host": "pdu", "port": 2, "retries": 3}),
                serde_json::json!({"cls": "snmppower", "host": "other"}),
                serde_json::json!({"cls": "tcpconsole", "host": "poe"}),
            ]
        );
        let table = Table::new(&options[0], &faults);
        assert_eq!(table.place().line, 3);
        assert_eq!(table.place_of("host").to_string(), "t:1:31");
        assert_eq!(table.place_of("port").line, 3);
        assert_eq!(faults.into_sorted(), []);
    }
}
