//! What the story tests have in common: labs to tell them in, and stand-ins for hardware.
//!
//! - [`lab`]: a lab in this process; [`daemon`]: the real program
//! - [`person`]: somebody at the lab's door; [`follower`]: what they follow
//! - [`board`], [`outlet`], [`mib`], [`switch`]: the hardware
//! - [`programs`]: the programs that a story runs; [`patience`]: how long it waits for anything
//! - [`settings`]: drivers from settings, without a lab

pub mod board;
pub mod daemon;
pub mod follower;
pub mod lab;
pub mod mib;
pub mod outlet;
pub mod patience;
pub mod person;
pub mod programs;
pub mod settings;
pub mod switch;
