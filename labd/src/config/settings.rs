//! The settings of the whole lab: setup script, access, the ssh door, holds, power and history.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;
use nix::unistd::{Group, User};
use protocol::Span;
use protocol::user::UserName;

use super::fault::Faults;
use super::reader::{Setting, Table};
use super::ucl::{Node, Value};
use super::{Access, History, PowerSettings, Principal, Setup, Site, Ssh, Tls, executable};

/// Reads the section `key`, or one without entries if there is none. What `read` leaves over is a
/// fault.
pub(super) fn section<T>(
    table: &mut Table<'_>,
    key: &'static str,
    faults: &Faults,
    read: impl FnOnce(&mut Table<'_>) -> T,
) -> T {
    let nothing = Value::new(Node::Object(Vec::new()), table.place().clone());
    let mut section = Table::new(table.value(key).unwrap_or(&nothing), faults);
    let settings = read(&mut section);
    section.finish();
    settings
}

/// A span that is not nothing.
pub(super) struct Lasting(pub(super) Span);

impl Setting for Lasting {
    const WANTED: &'static str = Span::WANTED;

    fn read(value: &Value) -> Result<Lasting, Option<String>> {
        match Span::read(value)? {
            Span(0) => Err(Some("write more than 0".to_owned())),
            span => Ok(Lasting(span)),
        }
    }
}

/// `holds { default = 2h; longest = 24h; warning = 5min }`
pub(super) struct Holds {
    pub(super) default: Span,
    pub(super) longest: Span,
    pub(super) warning: Span,
}

impl Holds {
    pub(super) fn read(top: &mut Table<'_>, faults: &Faults) -> Holds {
        let usual =
            Holds { default: Span::hours(2), longest: Span::hours(24), warning: Span::minutes(5) };
        section(top, "holds", faults, |table| {
            let (default, longest) = spans(table, "default", "longest", &usual);
            Holds {
                default: default.unwrap_or(usual.default.min(longest.unwrap_or(usual.longest))),
                longest: longest.unwrap_or(usual.longest),
                warning: table.or("warning", usual.warning),
            }
        })
    }
}

/// Reads how long a hold lasts and how long at most. `around` is what holds where neither is said: a
/// default from there is cut to a `longest` from here, but one said here must fit.
pub(super) fn spans(
    table: &mut Table<'_>,
    default_key: &'static str,
    longest_key: &'static str,
    around: &Holds,
) -> (Option<Span>, Option<Span>) {
    let default = table.optional(default_key).map(|Lasting(span)| span);
    let longest = table.optional(longest_key).map(|Lasting(span)| span);
    let most = longest.unwrap_or(around.longest);
    if let Some(default) = default.filter(|default| *default > most) {
        table.fault(
            default_key,
            format!("{default_key}: {default} is longer than {longest_key}, which is {most}"),
        );
    }
    (default, longest)
}

/// A path that means the same wherever labd was started.
struct WholePath(PathBuf);

impl Setting for WholePath {
    const WANTED: &'static str = "a whole path, such as /usr/local/libexec/board-setup";

    fn read(value: &Value) -> Result<WholePath, Option<String>> {
        let path = PathBuf::from(String::read(value)?);
        if path.is_absolute() { Ok(WholePath(path)) } else { Err(None) }
    }
}

impl Setup {
    pub(super) fn read(top: &mut Table<'_>) -> Option<Setup> {
        let Lasting(limit) = top.or("setup_limit", Lasting(Span::minutes(2)));
        let WholePath(script) = top.optional("setup_script")?;
        let setup = Setup { script, limit };
        if let Some(why) = setup.missing() {
            top.warn("setup_script", why);
        }
        Some(setup)
    }

    /// Why the script cannot be run on this machine, and what to do; none if it can.
    pub fn missing(&self) -> Option<String> {
        let why = executable::missing(&self.script.to_string_lossy())?;
        Some(format!("setup_script: {why}; until then every reserve fails"))
    }
}

impl Setting for Principal {
    const WANTED: &'static str = "a user, a group such as @lab, or *";

    fn read(value: &Value) -> Result<Principal, Option<String>> {
        let text = String::read(value)?;
        let name = |text: &str| text.parse::<UserName>().map_err(|_| None);
        match text.strip_prefix('@') {
            _ if text == "*" => Ok(Principal::Everybody),
            Some(group) => name(group).map(|_| Principal::Group(group.to_owned())),
            None => name(&text).map(|_| Principal::User(text)),
        }
    }
}

impl Access {
    pub(super) fn read(top: &mut Table<'_>, faults: &Faults) -> Option<Access> {
        top.value("access")?;
        Some(section(top, "access", faults, |table| Access {
            admin: principals(table, "admin"),
            user: principals(table, "user"),
            viewer: principals(table, "viewer"),
        }))
    }
}

fn principals(table: &mut Table<'_>, key: &'static str) -> Vec<Principal> {
    let principals = table.or(key, Vec::new());
    for principal in &principals {
        // If the system cannot be asked, it does not say that there is none.
        let (what, name) = match principal {
            Principal::User(name) if matches!(User::from_name(name), Ok(None)) => ("user", name),
            Principal::Group(name) if matches!(Group::from_name(name), Ok(None)) => ("group", name),
            _ => continue,
        };
        let why = format!("this machine has no {what} '{name}'; add the {what}, or mend the name");
        table.warn(key, format!("{key}: {why}"));
    }
    principals
}

impl Setting for SocketAddr {
    const WANTED: &'static str = "an address and a port, such as 0.0.0.0:2222 or [::]:2222";

    fn read(value: &Value) -> Result<SocketAddr, Option<String>> {
        String::read(value)?.parse().map_err(|_| None)
    }
}

impl Ssh {
    pub(super) fn read(top: &mut Table<'_>, faults: &Faults) -> Option<Ssh> {
        top.value("ssh")?;
        section(top, "ssh", faults, |table| {
            let listen = table.required("listen");
            let host_key = table.optional("host_key").map(|WholePath(path)| path);
            Some(Ssh { listen: listen?, host_key })
        })
    }
}

/// `metrics { listen = "127.0.0.1:9464" }`
pub(super) fn metrics(top: &mut Table<'_>, faults: &Faults) -> Vec<SocketAddr> {
    if top.value("metrics").is_none() {
        return Vec::new();
    }
    section(top, "metrics", faults, |table| {
        let listen: Option<Vec<Listen>> = table.required("listen");
        let listen: Vec<_> = listen.into_iter().flatten().map(|Listen(address)| address).collect();
        if listen.iter().any(|address| !address.ip().is_loopback()) {
            let what = "whoever reaches it reads which boards there are, and how they stand";
            table.warn("listen", format!("{what}; listen at 127.0.0.1, or let nobody else near"));
        }
        listen
    })
}

/// `10.1.0.0/16`, `fd00:1::/64`, `192.0.2.7`
struct Network(IpNet);

impl Setting for Network {
    const WANTED: &'static str = "a network or an address, such as 10.1.0.0/16 or fd00:1::/64";

    fn read(value: &Value) -> Result<Network, Option<String>> {
        let text = String::read(value)?;
        let alone = || text.parse::<IpAddr>().map(IpNet::from).ok();
        let network = text.parse().ok().or_else(alone).ok_or(None)?;
        match network {
            IpNet::V6(net) if net.prefix_len() > 64 => {
                Err(Some(format!("{net} is a part of a network that is barred whole; write a /64")))
            }
            network => Ok(Network(network)),
        }
    }
}

/// `doorstep { exempt = ["10.1.0.0/16", "fd00:1::/64"] }`
pub(super) fn exempt(top: &mut Table<'_>, faults: &Faults) -> Vec<IpNet> {
    section(top, "doorstep", faults, |table| {
        let networks = table.or("exempt", Vec::new());
        networks.into_iter().map(|Network(network)| network).collect()
    })
}

impl PowerSettings {
    pub(super) fn read(top: &mut Table<'_>, faults: &Faults) -> PowerSettings {
        section(top, "power", faults, |table| {
            let Lasting(limit) = table.or("limit", Lasting(Span::seconds(30)));
            let Lasting(sweep) = table.or("sweep", Lasting(Span::seconds(30)));
            PowerSettings { dwell: table.or("dwell", Span::seconds(3)), limit, sweep }
        })
    }
}

/// An amount of data.
struct Bytes(u64);

impl Setting for Bytes {
    const WANTED: &'static str = "a number of bytes, such as 500mb or 1gb";

    fn read(value: &Value) -> Result<Bytes, Option<String>> {
        u64::read(value).map(Bytes).map_err(|_| None)
    }
}

/// `0.0.0.0:7443`, `[::]:7443`
struct Listen(SocketAddr);

impl Setting for Listen {
    const WANTED: &'static str = "an IP address and a port, such as 0.0.0.0:7443 or [::]:7443";

    fn read(value: &Value) -> Result<Listen, Option<String>> {
        String::read(value)?.parse().map(Listen).map_err(|_| None)
    }
}

impl Tls {
    pub(super) fn read(top: &mut Table<'_>, faults: &Faults) -> Option<Tls> {
        top.value("tls")?;
        section(top, "tls", faults, |table| {
            let listen: Option<Vec<Listen>> = table.required("listen");
            let name = table.optional("name");
            let files = [table.optional("certificate"), table.optional("key")];
            let site = match files.map(|path| path.map(|WholePath(path)| path)) {
                [Some(certificate), Some(key)] => {
                    for (what, file) in [("certificate", &certificate), ("key", &key)] {
                        if !file.exists() {
                            let file = file.display();
                            table.warn(
                                what,
                                format!("{file} does not exist; labd does not start without it"),
                            );
                        }
                    }
                    Some(Site { certificate, key })
                }
                [None, None] => None,
                [Some(_), None] => {
                    table.fault("certificate", "'certificate' takes its 'key' beside it");
                    None
                }
                [None, Some(_)] => {
                    table.fault("key", "'key' takes its 'certificate' beside it");
                    None
                }
            };
            let listen = listen?.into_iter().map(|Listen(address)| address).collect();
            let own = || nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned());
            let name = name.or_else(|| own().ok()).unwrap_or_else(|| "localhost".to_owned());
            Some(Tls { listen, name, site })
        })
    }
}

impl History {
    pub(super) fn read(top: &mut Table<'_>, faults: &Faults) -> History {
        section(top, "history", faults, |table| {
            let Bytes(size) = table.or("size", Bytes(1 << 30));
            let Lasting(age) = table.or("age", Lasting(Span::hours(365 * 24)));
            let events = table.optional("events").map(|Lasting(span)| span);
            History { size, age, events }
        })
    }
}
