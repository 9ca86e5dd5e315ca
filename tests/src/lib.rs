//! What the story tests have in common: labs to tell them in, stand-ins for hardware, chance, and what
//! crashes are made of.
//!
//! - [`lab`]: a lab in this process; [`daemon`]: the real program
//! - [`person`]: somebody at the lab's door; [`follower`]: what they follow
//! - [`board`], [`outlet`], [`mib`], [`switch`]: the hardware
//! - [`provider`]: somebody who vouches for people, or lies
//! - [`programs`]: the programs that a story runs; [`patience`]: how long it waits for anything;
//!   [`root`]: what takes root
//! - [`settings`]: drivers from settings, without a lab
//! - [`acks`], [`dice`], [`op`], [`trace`]: what was acknowledged, chance, and what a writer did to the disk

pub mod acks;
pub mod board;
pub mod daemon;
pub mod dice;
pub mod follower;
pub mod lab;
pub mod mib;
pub mod op;
pub mod outlet;
pub mod patience;
pub mod person;
pub mod programs;
pub mod provider;
pub mod root;
pub mod settings;
pub mod switch;
pub mod trace;
