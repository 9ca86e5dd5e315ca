//! What the story tests have in common: labs to tell them in, stand-ins for hardware, chance, and what
//! crashes are made of.
//!
//! - [`lab`]: a lab in this process; [`daemon`]: the real program
//! - [`person`]: somebody at the lab's door; [`rest`]: one of them; [`follower`]: what they follow
//! - [`network`]: what may happen on the way there; [`flood`]: who else comes
//! - [`lab`]: a lab in this process; [`daemon`]: the real program; [`service_manager`]: the one that runs it
//! - [`person`]: somebody at the lab's door; [`follower`]: what they follow
//! - [`board`], [`outlet`], [`mib`], [`switch`]: the hardware
//! - [`sshd`]: what a board has for those who come by ssh; [`proxy`]: what may lie between
//! - [`hostile`]: what boards print to do something to whoever looks, and a terminal to see it by
//! - [`provider`]: somebody who vouches for people, or lies
//! - [`programs`]: the programs that a story runs; [`patience`]: how long it waits for anything;
//!   [`root`]: what takes root
//! - [`settings`]: drivers from settings, without a lab
//! - [`acks`], [`dice`], [`op`], [`trace`]: what was acknowledged, chance, and what a writer did to the disk

pub mod acks;
pub mod board;
pub mod daemon;
pub mod dice;
pub mod flood;
pub mod follower;
pub mod hostile;
pub mod lab;
pub mod mib;
pub mod network;
pub mod op;
pub mod outlet;
pub mod patience;
pub mod person;
pub mod programs;
pub mod provider;
pub mod proxy;
pub mod rest;
pub mod root;
pub mod service_manager;
pub mod settings;
pub mod sshd;
pub mod switch;
pub mod trace;
