//! The words of the lab: what `labd` can be asked, how the bytes travel, and the client that asks.
//!
//! | file | what is in it |
//! | --- | --- |
//! | [`service`] | every call, on one screen |
//! | [`board`], [`hold`], [`power`], [`console`], [`journal`], [`user`], [`account`] | the plain data they carry |
//! | [`search`] | what is looked for in what consoles printed, and what is found |
//! | [`time`] | instants and spans, in milliseconds |
//! | [`tags`] | the small language that chooses boards by their tags |
//! | [`text`] | what a board printed, made safe for a terminal |
//! | [`limits`] | how long a text may be that people hand in |
//! | [`error`] | why a call was refused, as something its caller can act on |
//! | [`wire`] | the first line, the framing, the codec |
//! | [`websocket`] | the same within HTTPS |
//! | [`address`] | where a lab is found |
//! | [`dial`], [`proxy`], [`tls`] | how one gets there, and who is believed to be it |
//! | [`web`] | one request to a web server |
//! | [`login`], [`provider`], [`context`] | becoming known to a lab; the labs that somebody is known to |
//! | [`telnet`], [`rfc2217`], [`serial_port`], [`neighbour`] | a console as a port for clients of others' make |
//! | [`client`] | connect, call, follow |
//! | [`link`], [`request`] | a connection that breaks is made again, and nothing is done twice |
//! | [`silence`] | noticing that the other side of a connection is gone without a word |
//! | [`replay`] | a console and its board's timeline in one order |
//! | [`screen`] | what a console looks like |
//! | [`version`] | what each version of the words added |
//!
//! Everything on the wire is JSON by name. Methods, variants and fields are added, never renamed,
//! reused or given a new meaning: `tests/wire` pins the bytes.

pub mod account;
pub mod address;
pub mod board;
pub mod boot;
pub mod carry;
pub mod client;
pub mod console;
pub mod context;
pub mod demo;
pub mod dial;
pub mod error;
pub mod hold;
pub mod journal;
pub mod limits;
pub mod link;
pub mod login;
pub mod neighbour;
pub mod power;
pub mod provider;
pub mod proxy;
pub mod replay;
pub mod request;
pub mod rfc2217;
pub mod screen;
pub mod search;
pub mod send;
pub mod serial_port;
pub mod service;
pub mod silence;
pub mod tags;
pub mod telnet;
pub mod text;
pub mod time;
pub mod tls;
pub mod trigger;
pub mod user;
pub mod version;
pub mod web;
pub mod websocket;
pub mod wire;

pub use error::Error;
pub use time::{Span, Time};
pub use version::{OLDEST, VERSION};
