//! labd: the lab daemon. This page is the map of the house.

pub mod config;
pub mod console;
pub mod power;
pub mod qemu;
pub mod sim;
