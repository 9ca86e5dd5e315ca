//! labd: the lab daemon. This page is the map of the house.
//!
//! One daemon turns a rack of boards into a shared lab. Whatever a person or a script does to a board
//! goes through it, and everything that happens to a board is kept in one timeline.
//!
//! # The rooms
//!
//! Arrows point down only; siblings do not know each other. `labd/tests/layers.rs` keeps it so.
//!
//! | layer | rooms | may know |
//! | --- | --- | --- |
//! | the program | [`cli`] | everything |
//! | doors | [`rpc`]; [`http`], [`ssh`] and [`serial_ports`], whose visitors are served by [`rpc`]; [`tls`], before [`rpc`] and [`http`] | [`doorstep`], [`lab`], `protocol` |
//! | before the doors | [`doorstep`] | [`rules`] |
//! | the house | [`lab`] | everything below; nobody else wires things together |
//! | hands | [`keeper`], [`console::line`] | their drivers, [`watcher`], [`rules`], the memory below |
//! | eyes | [`watcher`] | [`rules`], the memory below |
//! | drivers | [`power`], [`console`]; [`qemu`] and [`sim`], whose boards are both | their trait |
//! | programs | [`program`]; [`service_manager`], the one that runs labd | nothing |
//! | those who vouch | [`provider`] | `protocol`, their own settings |
//! | identity | [`authority`] | `protocol` |
//! | memory | [`memory`], [`journal`], [`store`], [`ledger`], [`clock`] | `protocol` |
//! | rules | [`rules`] | `protocol`; no tokio, no files, no `now()` |
//! | description | [`config`] | the drivers' own settings |
//!
//! # The words
//!
//! | word | meaning | where |
//! | --- | --- | --- |
//! | board | anything that can be held | [`lab`] |
//! | hold | who has a board, from when until when; its number, the fence, only ever grows | [`rules::hold`] |
//! | rule | a pure decision | [`rules`] |
//! | keeper | the one task that owns a board's power | [`keeper`] |
//! | watcher | what sees that a board boots, and what triggers wait for | [`watcher`] |
//! | line | the one task that owns a console's device | [`console::line`] |
//! | driver | one small file that talks to one kind of hardware | [`power`], [`console`] |
//! | ledger | the one durable truth | [`ledger`] |
//! | journal | a board's timeline: its ledger entries and its console's bytes | [`journal`] |
//! | store | the present state; rebuilt from the ledger if it is ever damaged | [`store`] |
//!
//! # How state changes
//!
//! A *decision* takes a lock and no await: lock, ask the rule, stage what it changes, unlock; wait for
//! the disk; then answer and wake whoever follows ([`lab::decide`]). A *deed* takes a task: the keeper
//! and the line finish what was asked, whether or not the caller still waits, and write down what they
//! are about to do before they do it.
//!
//! # The main paths
//!
//! - **Reserve**: `labctl reserve` → [`rpc::calls`] → [`lab::reserve`] → [`rules::hold`] → [`ledger`] →
//!   answer. With a setup script, [`lab::prepare`] runs it in between.
//! - **Power**: `labctl power` → [`lab::power`] → [`keeper`], which asks [`rules::power`] for each step,
//!   writes it down, and tells the driver, one order at a time for each controller.
//! - **Console, out**: device → driver → [`console::line`] → [`journal::recording`] → each follower's own
//!   [`rpc::follow`]. **In**: the same connection → [`console::line`], if the viewer has the pen.
//! - **Search**: `labctl search` → [`rpc::follow`] → [`lab::search`], who finds what → [`journal::search`], which
//!   asks a [`journal::index`] which blocks of a recording to read. Indexes are made by a thread of their own.
//! - **The screen**: every 64 KiB a picture of it is kept beside the recording ([`journal::recording::frames`]);
//!   whoever attaches gets the one before, with what was printed since.
//! - **Seen**: [`console::line`], and [`keeper`] for power → [`watcher`] → [`rules::pattern`], [`rules::boot`] → the
//!   timeline; what a trigger does besides → [`console::line`] or [`lab::deeds`].
//! - **A file, or a sequence, through a console**: [`rpc`] → `lab::send` → a deed of [`console::line`], during which
//!   nobody types → [`console::transfer`].
//! - **By TLS**: a certificate of [`authority`] or a token → [`tls`] → [`rpc::listen`], as beside the rack.
//! - **By HTTPS**: the same port → [`tls`] → [`http`], whose every route is a call or a follow of [`rpc`].
//! - **Again**: whoever did not hear the answer because the link broke → [`rpc`] → [`rules::once`]: what was done is
//!   told, what never arrived is done.
//! - **Without a key**: `labctl login --with github` → [`http`] → [`lab::people`] → [`provider`] → a token that
//!   is good once, which becomes a certificate as an invitation's does.
//! - **By ssh**: the client's key → [`ssh::visit`] → [`ssh::session`] → a console, or labctl and labtui run for
//!   the visitor → [`rpc::listen`]; `ssh -J` → [`ssh::tunnel`] → [`lab::tunnel`].
//! - **By a client of another make**, over loopback: [`serial_ports`] → [`rpc::inside`] → a console, as by ssh.
//! - **Start**: [`config`] is read whole; [`memory`] brings ledger and store together; each keeper looks
//!   what its outlet says; what was in hand goes on; the doors open. Under systemd, [`service_manager`] has
//!   kept sockets and serial ports open meanwhile.

pub mod authority;
pub mod cli;
pub mod clock;
pub mod config;
pub mod console;
pub mod doorstep;
pub mod http;
pub mod journal;
pub mod keeper;
pub mod lab;
pub mod ledger;
pub mod memory;
pub mod power;
pub mod program;
pub mod provider;
pub mod qemu;
pub mod rpc;
pub mod rules;
pub mod serial_ports;
pub mod service_manager;
pub mod sim;
pub mod ssh;
pub mod store;
pub mod tls;
pub mod watcher;
