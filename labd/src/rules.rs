//! Decisions: no I/O, no clock, no await.
//!
//! - [`hold`]: who holds which board, and who waits
//! - [`queue`]: in which order those who wait are served, and when that may be
//! - [`pen`]: who may type on a console
//! - [`line_quality`]: whether a console's line is good, and set right
//! - [`power`]: what an outlet is told next
//! - [`echo`]: whether what was typed may be written down
//! - [`guard`]: whom a door listens to before it knows who they are
//! - [`pattern`]: what is recognised in what a console prints; [`boot`]: what that says of a boot;
//!   [`trigger`]: what is to be done upon it; [`limit`]: how often
//! - [`once`]: what was done already, when it is asked again
//! - [`access`]: who may do what; [`refusals`]: which refusals are written down
//! - [`people`]: whom the lab knows by itself
//! - [`key`]: which ssh public keys the lab takes

pub mod access;
pub mod boot;
pub mod echo;
pub mod guard;
pub mod hold;
pub mod key;
pub mod limit;
pub mod line_quality;
pub mod once;
pub mod pattern;
pub mod pen;
pub mod people;
pub mod power;
pub mod queue;
pub mod refusals;
pub mod trigger;
