//! labd: the lab daemon. This page is the map of the house.

pub mod cli;
pub mod clock;
pub mod config;
pub mod console;
pub mod journal;
pub mod keeper;
pub mod lab;
pub mod ledger;
pub mod memory;
pub mod power;
pub mod qemu;
pub mod rpc;
pub mod rules;
pub mod sim;
pub mod store;
